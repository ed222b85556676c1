"""GET /labels, and a label renamed or taken off all contacts at once."""

from urllib.parse import quote

import pytest

from tests.changes.test_change_log import log_of
from tests.custom_fields.conftest import owner, sqlite_app  # noqa: F401
from tests.custom_fields.test_across import done, undo
from tests.support.cast import refused
from tests.support.ledger import read_ledger
from tests.support.stored import book_state


def label(person, *labels):
    """A contact for each of these lists of labels; their ids."""
    return [person.contact(nickname=f"n{n}", labels=found)["id"] for n, found in enumerate(labels)]


def labelled(person):
    items = person.get("/contacts?limit=500&fields=labels").json["items"]
    return [item["labels"] for item in items]


def listed(person, query=""):
    answer = person.get(f"/labels{query}")
    assert answer.status_code == 200, answer.text
    return [(item["name"], item["count"]) for item in answer.json["items"]]


def at(name):
    return f"/labels/{quote(name, safe='')}"


def test_labels_are_listed_by_name_with_their_counts(owner):  # noqa: F811
    label(owner, ["Work", "Éva"], ["work", "a/b"], ["work", "zoo"], [], ["eva"])
    everything = [("a/b", 1), ("eva", 2), ("work", 3), ("zoo", 1)]
    assert listed(owner) == everything
    seen, following = [], "?limit=3"
    while following:
        answer = owner.get(f"/labels{following}").json
        assert answer["total"] == 4
        seen += [(item["name"], item["count"]) for item in answer["items"]]
        following = answer["next_cursor"] and f"?limit=3&cursor={answer['next_cursor']}"
    assert seen == everything


def test_labels_are_listed_after_contacts_were_filtered_by_them(owner):  # noqa: F811
    """Which looks at them otherwise."""
    label(owner, ["work", "Éva"], ["Work"])
    assert owner.get("/contacts?label=work").json["total"] == 2
    assert listed(owner) == [("Éva", 1), ("Work", 2)]
    assert owner.get("/contacts?label=eva").json["total"] == 1
    assert done(owner.patch("/labels/eva", json={"name": "WORK"}))[1] == 1
    assert owner.get("/contacts?label=eva").json["total"] == 0


def test_a_label_is_there_as_long_as_a_contact_has_it(owner):  # noqa: F811
    [contact] = label(owner, ["work"])
    tag = owner.get("/labels").headers["ETag"]
    assert owner.get("/labels", headers={"If-None-Match": tag}).status_code == 304
    owner.delete(f"/contacts/{contact}")
    assert owner.get("/labels", headers={"If-None-Match": tag}).json["items"] == []
    refused(owner.delete("/labels/work"), 404, "not_found")
    owner.post(f"/contacts/{contact}/restore")
    assert listed(owner) == [("work", 1)]


def test_a_label_is_renamed_on_everybody_and_that_is_undone(alice):
    label(alice, ["a", "Work", "b"], ["WORK"], ["c"])
    before, seq = labelled(alice), book_state(alice).seq
    operation_id, contacts = done(alice.patch("/labels/work", json={"name": " Job "}))
    assert contacts == 2
    assert labelled(alice) == [["a", "Job", "b"], ["Job"], ["c"]]
    told = log_of(alice)[seq:]
    assert [(row["operation_id"], row["changed_fields"]) for row in told] == [
        (operation_id, "labels")
    ] * 2
    assert alice.get(f"/operations/{operation_id}").json["kind"] == "label"
    back = undo(alice, operation_id)
    assert (back.status_code, labelled(alice)) == (200, before)
    assert undo(alice, back.json["id"]).status_code == 200
    assert listed(alice) == [("a", 1), ("b", 1), ("c", 1), ("Job", 2)]
    read_ledger(alice.app)


def test_renamed_into_another_the_two_are_one(owner):  # noqa: F811
    label(owner, ["Job", "x", "work"], ["work", "Job"], ["work"], ["job", "work"])
    assert done(owner.patch("/labels/work", json={"name": "JOB"}))[1] == 4
    assert labelled(owner) == [["Job", "x"], ["Job"], ["Job"], ["job"]]


def test_a_label_may_be_written_otherwise(owner):  # noqa: F811
    label(owner, ["work"], ["Work"], ["WORK", "x"])
    operation_id, contacts = done(owner.patch("/labels/WorK", json={"name": "Work"}))
    assert (contacts, labelled(owner)) == (2, [["Work"], ["Work"], ["Work", "x"]])
    assert done(owner.patch("/labels/work", json={"name": "Work"})) == (None, 0)
    assert undo(owner, operation_id).status_code == 200
    assert labelled(owner) == [["work"], ["Work"], ["WORK", "x"]]


def test_a_label_is_taken_off_everybody_and_that_is_undone(alice):
    ids = label(alice, ["a", "work"], ["Work"], ["b"])
    before = labelled(alice)
    operation_id, contacts = done(alice.delete("/labels/WORK"))
    assert (contacts, labelled(alice)) == (2, [["a"], [], ["b"]])
    assert "labels" not in log_of(alice)[-1]["after"]
    refused(alice.delete("/labels/work"), 404, "not_found")
    assert undo(alice, operation_id).status_code == 200
    assert labelled(alice) == before
    operation_id, _ = done(alice.delete("/labels/work"))
    alice.patch(f"/contacts/{ids[0]}", json={"title": "Dr"})
    refused(undo(alice, operation_id), 409, "edited_since")
    read_ledger(alice.app)


# IV-7, IV-9
@pytest.mark.parametrize(
    "name",
    [*("a/b", ".", "..", "%2F", "a?b", "#", "' OR 1=1 --", "{{7*7}}", "<b>", "日本語"), "x" * 64],
)
def test_a_label_is_any_words(owner, name):  # noqa: F811
    label(owner, [name], ["other"])
    assert (name, 1) in listed(owner)
    assert done(owner.patch("/labels/other", json={"name": name}))[1] == 1
    assert listed(owner) == [(name, 2)]
    assert done(owner.delete(at(name)))[1] == 2


# IV-1
@pytest.mark.parametrize(
    "name", ["", " ", "x" * 65, "a\nb", "a\x00b", None, 5, [], "e\u0301" * 65, "\u0301" * 100_000]
)
def test_what_is_no_label_is_422(owner, name):  # noqa: F811
    label(owner, ["work"])
    state = book_state(owner)
    refused(owner.patch("/labels/work", json={"name": name}), 422, "invalid_fields", "/name")
    assert book_state(owner) == state


# IV-1
def test_what_is_no_text_in_a_path_is_422(owner):  # noqa: F811
    for path in ("/labels/a%00b", "/labels/a%0A"):
        refused(owner.delete(path), 422, "invalid_fields", "/name")
    environ = {"PATH_INFO": "/api/v1/labels/\xff"}
    answer = owner.delete("/labels/k", environ_overrides=environ)
    refused(answer, 422, "invalid_fields", "/name")
    for path in ("/labels/none", f"/labels/{'x' * 3000}"):
        refused(owner.delete(path), 404, "not_found")


# AZ-1, AZ-3
def test_labels_are_their_books_own(cast):
    label(cast.alice, ["work"])
    label(cast.bob, ["work"], ["his"])
    book = f"?book={cast.alice.book_id}"
    assert listed(cast.carol, book) == listed(cast.eve, book) == [("work", 1)]
    for method in ("PATCH", "DELETE"):
        body = {"name": "new"} if method == "PATCH" else None
        answer = cast.bob.request(method, f"/labels/work{book}", json=body)
        refused(answer, 404, "not_found")
        answer = cast.eve.request(method, f"/labels/work{book}", json=body)
        refused(answer, 403, "read_only_book")
        refused(cast.carol.request(method, "/labels/work", json=body), 404, "not_found")
    assert done(cast.bob.delete("/labels/work"))[1] == 1
    assert done(cast.carol.patch(f"/labels/work{book}", json={"name": "job"}))[1] == 1
    assert listed(cast.alice) == [("job", 1)]
    assert listed(cast.bob) == [("his", 1)]
