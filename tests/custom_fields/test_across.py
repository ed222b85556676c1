"""A custom field is renamed, given another type or deleted on all contacts at once, in one
operation that can be undone."""

from contextlib import nullcontext

import pytest

from contactapp import clock
from contactapp.contacts import across
from contactapp.custom_fields import stored
from contactapp.custom_fields.conversion import Conversion
from contactapp.database import Sql, lane
from tests.changes.test_change_log import log_of
from tests.conftest import FAST
from tests.custom_fields.conftest import define
from tests.support.cast import refused
from tests.support.chains import do_job
from tests.support.ledger import read_ledger
from tests.support.stored import book_state
from tests.support.wire import at_once
from tests.support.writer import Writer

SIZE = "/custom-fields/size"
_ROWS = Sql("SELECT count(*) FROM custom_field WHERE book_id = ?")


def fill(person, *values, key="size", **others):
    """A contact for each of these values of a custom field, in the middle of others; their ids."""
    custom = [{"before": 1, key: value, "after": 2, **others} for value in values]
    made = [person.contact(nickname=f"n{n}", custom_fields=c) for n, c in enumerate(custom)]
    return [contact["id"] for contact in made]


def custom(person):
    """Everybody's custom fields."""
    items = person.get("/contacts?limit=500&fields=id,custom_fields").json["items"]
    return [item["custom_fields"] for item in items]


def undo(person, operation_id):
    return person.post(f"/operations/{operation_id}/undo")


def done(answer):
    """The operation that did it, and how many contacts it changed."""
    assert answer.status_code == 200, answer.text
    return answer.json["operation_id"], answer.json["contacts"]


def test_another_key_is_given_to_everybody_and_taken_back(alice):
    define(alice, "size", "number")
    fill(alice, 1, 2)
    alice.contact(first_name="Ada", custom_fields={"other": 3})
    before, seq = custom(alice), book_state(alice).seq
    answer = alice.patch(SIZE, json={"key": "shoe/size", "label": "Shoe"})
    operation_id, contacts = done(answer)
    assert (contacts, answer.json["used"]) == (2, 2)
    assert answer.json["version"] == book_state(alice).seq
    renamed = [{"before": 1, "shoe/size": n, "after": 2} for n in (1, 2)]
    assert custom(alice) == [*renamed, {"other": 3}]
    refused(alice.get(SIZE), 404, "not_found")
    assert alice.get("/custom-fields/shoe%2Fsize").json["label"] == "Shoe"
    told = log_of(alice)[seq:]
    assert [row["operation_id"] for row in told] == [operation_id] * 3
    assert [row["entity"] for row in told] == ["contact", "contact", "custom_field"]
    operation = alice.get(f"/operations/{operation_id}").json
    assert (operation["kind"], operation["count"]) == ("custom_field", 3)
    back = undo(alice, operation_id)
    assert (back.status_code, custom(alice)) == (200, before)
    assert alice.get(SIZE).json["label"] is None
    again = undo(alice, back.json["id"])
    assert (again.status_code, custom(alice)[:2]) == (200, renamed)
    read_ledger(alice.app)


CONVERSIONS = [
    ("text", "number", ["1", " 2.5 ", "-3"], [1, 2.5, -3]),
    ("text", "date", ["2024-02-29", " 1985 ", "--02-29"], ["2024-02-29", "1985", "--02-29"]),
    ("text", "boolean", ["true", "FALSE"], [True, False]),
    ("text", "choice", ["SMALL", "m\u00e9dium"], ["small", "medium"]),
    ("text", "url", ["HTTP://a.example"], ["http://a.example"]),
    ("text", "email", [" a@b "], ["a@b"]),
    ("number", "text", [1, 2.5], ["1", "2.5"]),
    ("number", "date", [1985], ["1985"]),
    ("number", "choice", [5], ["5"]),
    ("boolean", "text", [True, False], ["true", "false"]),
    ("date", "text", ["--02-29"], ["--02-29"]),
    ("choice", "text", ["small"], ["small"]),
    ("url", "text", ["tel:110"], ["tel:110"]),
]
CHOICES = ["small", "medium", "5"]


def choices_of(type_):
    return CHOICES if type_ == "choice" else None


@pytest.mark.parametrize(("before", "after", "values", "converted"), CONVERSIONS)
def test_another_type_converts_what_there_is(owner, before, after, values, converted):
    define(owner, "size", before, choices=choices_of(before))
    fill(owner, *values)
    first = custom(owner)
    patch = {"type": after, "choices": choices_of(after)}
    operation_id, contacts = done(owner.patch(SIZE, json=patch))
    now = [found["size"] for found in custom(owner)]
    assert (now, list(map(type, now))) == (converted, list(map(type, converted)))
    changed = sum(repr(a) != repr(b) for a, b in zip(values, converted, strict=True))
    assert contacts == changed
    assert undo(owner, operation_id).status_code == 200
    assert (custom(owner), owner.get(SIZE).json["type"]) == (first, before)


# IV-7
@pytest.mark.parametrize(
    ("before", "after", "values", "wrong"),
    [
        ("text", "number", ["1", "many", "2", "1_0"], [1, 3]),
        ("text", "date", ["soon", "1985"], [0]),
        ("text", "choice", ["small", "none"], [1]),
        ("number", "boolean", [1, 0], [0, 1]),
        ("boolean", "number", [True], [0]),
        ("date", "email", ["1985"], [0]),
    ],
)
def test_what_does_not_convert_is_named_and_nothing_is_done(owner, before, after, values, wrong):
    define(owner, "size", before)
    ids = fill(owner, *values)
    first, state = custom(owner), book_state(owner)
    for patch in ({"type": after}, {"type": after, "key": "other"}):
        answer = owner.patch(SIZE, json={**patch, "choices": choices_of(after)})
        problem = refused(answer, 409, "not_convertible")
        assert problem["contacts"] == [ids[place] for place in wrong]
        assert problem["contacts_count"] == len(wrong)
    assert (custom(owner), book_state(owner)) == (first, state)
    assert owner.get("/operations").json["total"] == 0


def test_values_under_the_new_key_are_in_the_way(owner):
    define(owner, "size", "number")
    define(owner, "taken", "number")
    fill(owner, 1)
    both = fill(owner, 2, free=9)
    state = book_state(owner)
    refused(owner.patch(SIZE, json={"key": "taken"}), 409, "key_exists")
    problem = refused(owner.patch(SIZE, json={"key": "free"}), 409, "key_in_use")
    assert (problem["contacts"], problem["contacts_count"]) == (both, 1)
    for wrong in ({"key": ""}, {"key": "a\nb"}, {"key": None}, {"type": None}, {"type": "choice"}):
        assert owner.patch(SIZE, json=wrong).status_code == 422
    assert book_state(owner) == state


def test_what_is_refused_under_the_lock_is_undone(owner, monkeypatch):
    """Somebody may write a value after the look at what is in memory."""
    define(owner, "size", "text")
    fill(owner, "1", "many")
    state, first = book_state(owner), custom(owner)
    monkeypatch.setattr(Conversion, "try_all", lambda *_: None)
    refused(owner.patch(SIZE, json={"type": "number"}), 409, "not_convertible")
    assert (custom(owner), book_state(owner)) == (first, state)
    assert owner.get(SIZE).json["type"] == "text"


def test_what_concerns_no_contact_is_no_operation(owner):
    define(owner, "size", "choice", choices=["S", "M"])
    fill(owner, "S", "M")
    first = custom(owner)
    for patch in ({"label": "Size"}, {"choices": ["S", "L"]}, {"position": 5}, {"type": "choice"}):
        assert done(owner.patch(SIZE, json=patch)) == (None, 0)
    assert (custom(owner), owner.get("/operations").json["total"]) == (first, 0)


@pytest.mark.parametrize("values", ["keep", "delete", ""])
def test_a_definition_is_deleted_with_or_without_its_values(alice, values):
    made = define(alice, "size", "number")
    fill(alice, 1)
    only = alice.contact(first_name="Ada", custom_fields={"size": 3})
    before = custom(alice)
    operation_id, contacts = done(alice.delete(f"{SIZE}?values={values}" if values else SIZE))
    gone = values == "delete"
    assert contacts == 2 * gone
    assert custom(alice) == ([{"before": 1, "after": 2}, {}] if gone else before)
    refused(alice.get(SIZE), 404, "not_found")
    assert alice.get(f"/contacts/{only['id']}").json["version"] == 1 + gone
    back = undo(alice, operation_id)
    assert (back.status_code, custom(alice)) == (200, before)
    shown = alice.get(SIZE).json
    moved = {"version": book_state(alice).seq - contacts, "updated_at": shown["updated_at"]}
    assert shown == {**made, "used": 2, **moved}
    assert undo(alice, back.json["id"]).status_code == 200
    refused(alice.get(SIZE), 404, "not_found")
    read_ledger(alice.app)


@pytest.mark.parametrize("values", ["", "all", "Keep"])
def test_what_else_shall_become_of_values_is_422(owner, values):
    define(owner, "size", "number")
    refused(owner.delete(f"{SIZE}?values={values}"), 422, "invalid_fields", "?values")


def test_an_undo_stops_where_a_key_was_taken_or_a_contact_changed(owner):
    define(owner, "size", "number")
    [contact] = fill(owner, 1)
    operation_id, _ = done(owner.patch(SIZE, json={"key": "other"}))
    made = define(owner, "size", "date")
    problem = refused(undo(owner, operation_id), 409, "edited_since")
    [edited] = problem["edited"]
    assert (edited["entity"], edited["id"]) == ("custom_field", made["id"])
    assert edited["version"] == made["version"]
    owner.delete(SIZE)
    owner.patch(f"/contacts/{contact}", json={"title": "Dr"})
    problem = refused(undo(owner, operation_id), 409, "edited_since")
    assert [entry["entity"] for entry in problem["edited"]] == ["contact"]
    assert owner.get("/custom-fields/other").json["used"] == 1


def test_an_undo_finds_no_room_for_one_definition_too_many(owner, monkeypatch):
    monkeypatch.setattr(stored, "MAX_DEFINITIONS", 2)
    define(owner, "size", "number")
    operation_id, _ = done(owner.delete(SIZE))
    define(owner, "a")
    define(owner, "b")
    refused(undo(owner, operation_id), 403, "custom_field_limit_reached")
    owner.delete("/custom-fields/a")
    assert undo(owner, operation_id).status_code == 200
    answer = owner.post("/custom-fields", json={"key": "c", "type": "text"})
    refused(answer, 403, "custom_field_limit_reached")


def test_what_lies_in_the_trash_stays_as_it_was(owner):
    define(owner, "size", "number")
    gone, _ = fill(owner, 1, 2)
    owner.delete(f"/contacts/{gone}")
    assert done(owner.patch(SIZE, json={"key": "other"}))[1] == 1
    back = owner.post(f"/contacts/{gone}/restore").json
    assert back["custom_fields"] == {"before": 1, "size": 1, "after": 2}


def test_who_may_not_is_told_that_first(cast):
    define(cast.alice, "size", "text")
    fill(cast.alice, "many")
    book = f"?book={cast.alice.book_id}"
    stale = {"If-Match": '"v9-00000000"'}
    change = {"type": "number"}
    refused(cast.eve.patch(f"{SIZE}{book}", json=change), 403, "read_only_book")
    refused(cast.bob.patch(f"{SIZE}{book}", json=change), 404, "not_found")
    refused(cast.alice.patch(SIZE, json=change, headers=stale), 412, "version_mismatch")
    refused(cast.alice.patch(SIZE, json=change), 409, "not_convertible")
    refused(cast.carol.patch(f"{SIZE}{book}", json=change), 409, "not_convertible")


def test_nobody_waits_for_a_place_who_holds_the_book(owner, monkeypatch):
    """Looking through a large book takes one, and may have to wait for it."""
    define(owner, "size", "number")
    fill(owner, 1)
    owner.contact(first_name="Ada", labels=["work"])
    held = []

    def place(_contacts):
        held.append(lane().in_transaction)
        return nullcontext()

    monkeypatch.setattr(across, "looking_through", place)
    assert done(owner.patch(SIZE, json={"key": "other"}))[1] == 1
    assert done(owner.patch("/labels/work", json={"name": "job"}))[1] == 1
    assert done(owner.delete("/labels/job"))[1] == 1
    assert done(owner.delete("/custom-fields/other?values=delete"))[1] == 1
    assert set(held) == {False}


def test_a_definition_that_was_deleted_is_forgotten_with_the_operation(owner, monkeypatch):
    define(owner, "size", "number")
    operation_id, _ = done(owner.delete(SIZE))
    rows = lambda: lane().one(_ROWS, (owner.book_id,))  # noqa: E731
    later = clock.now_ms() + 29 * 86_400_000
    for days, kept in ((0, 1), (2, 0)):
        monkeypatch.setattr(clock, "now_ms", lambda days=days: later + days * 86_400_000)
        do_job(owner.app, "purge.trash")
        with owner.app.app_context():
            assert rows() == (kept,)
    monkeypatch.undo()
    refused(owner.get(f"/operations/{operation_id}"), 404, "not_found")


@pytest.fixture
def other_process(app):
    """Another process of the application, on the same database."""
    config = app.extensions["contactapp.settings"]
    given = {**FAST, "DATABASE_URL": config.database_url}
    made = Writer({**given, "INSTANCE_PATH": str(config.instance_path)}, "nobody")
    yield made
    made.stop()


# CC-3
def test_contacts_are_edited_while_another_process_renames_their_field(alice, other_process):
    """No edit is lost, nobody has the value under two keys or none, and every version is told."""
    define(alice, "k0", "number")
    ids = fill(alice, 0, 1, 2, key="k0")
    other_process.use(alice.access)

    def rename():
        found = []
        for number in range(6):
            body = {"key": f"k{number + 1}"}
            found.append(other_process.send("PATCH", f"/custom-fields/k{number}", body))
        return found

    def edit(contact):
        path = f"/contacts/{contact}"
        return [alice.patch(path, json={"nickname": f"e{number}"}) for number in range(12)]

    renamed, *edited = at_once([rename, *[lambda id_=id_: edit(id_) for id_ in ids]])
    assert [(status, body["contacts"]) for status, body in renamed] == [(200, 3)] * 6
    for number, (id_, found) in enumerate(zip(ids, edited, strict=True)):
        for answer in found:
            assert answer.status_code == 200, answer.text
            assert len([key for key in answer.json["custom_fields"] if key[0] == "k"]) == 1
        now = alice.get(f"/contacts/{id_}").json
        assert now["custom_fields"] == {"before": 1, "k6": number, "after": 2}
        assert (now["nickname"], now["version"]) == ("e11", 1 + 12 + 6)
        history = alice.get(f"/contacts/{id_}/history").json["items"]
        assert [item["version"] for item in history] == list(range(19, 0, -1))
    read_ledger(alice.app)
