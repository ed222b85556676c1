"""The definitions of custom fields: made, shown, listed, changed and deleted."""

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from contactapp.books.service import definition_views
from contactapp.custom_fields import stored
from contactapp.custom_fields.definition import MAX_DEFINITIONS
from tests.custom_fields.conftest import define
from tests.support.books import at
from tests.support.cast import refused
from tests.support.stored import book_state

KEYS = [
    *("a", " ", ".", "..", "../etc/passwd", "a/b/c/", "//", "%2F", "%", "a?b=c", "#", "a&b", "+"),
    *(
        "custom.size_min",
        "_min",
        "' OR 1=1 --",
        "<b>",
        "{{7*7}}",
        "日本語",
        "🜚",
        "\u200d",
        "\ufffd",
    ),
    *("x" * 64, "🜚" * 64, "e\u0301" * 64),
]
NOTHING_DONE = {"operation_id": None, "contacts": 0}  # to contacts
NO_KEYS = ["", "x" * 65, "a\x00", "a\nb", "\x7f", "e\u0301" * 65, "\u0301" * 100_000, 5, None, []]


def at_key(key):
    return f"/custom-fields/{quote(key, safe='')}"


def test_a_definition_is_made_with_its_place_and_tag(alice):
    body = {"key": "shoe size", "type": "number", "label": "Shoe size (EU)", "position": 3}
    answer = alice.post("/custom-fields", json=body)
    assert answer.status_code == 201
    shown = answer.json
    assert {**shown, **dict.fromkeys(("id", "uid", "created_at", "updated_at"))} == {
        **body,
        **dict.fromkeys(("id", "uid", "created_at", "updated_at")),
        "book_id": alice.book_id,
        "choices": [],
        "used": 0,
        "version": 1,
        "created_by": alice.id,
        "updated_by": alice.id,
    }
    assert answer.headers["Location"] == "/api/v1/custom-fields/shoe%20size"
    again = alice.get("/custom-fields/shoe%20size")
    assert (again.json, again.headers["ETag"]) == (shown, answer.headers["ETag"])
    assert alice.get("/custom-fields").json["items"] == [shown]


def test_it_says_how_many_contacts_have_a_value(owner):
    define(owner, "size", "number")
    first = owner.get("/custom-fields/size")
    ada = owner.contact(first_name="Ada", custom_fields={"size": 5, "other": 1})
    owner.contact(first_name="Bo", custom_fields={"size": 6})
    one, listed = owner.get("/custom-fields/size"), owner.get("/custom-fields")
    assert one.json["used"] == listed.json["items"][0]["used"] == 2
    assert one.headers["ETag"] != first.headers["ETag"]
    owner.delete(f"/contacts/{ada['id']}")
    assert owner.get("/custom-fields/size").json["used"] == 1
    seen = {"If-None-Match": listed.headers["ETag"]}
    assert owner.get("/custom-fields", headers=seen).json["items"][0]["used"] == 1


def test_the_list_is_by_position_and_then_as_they_were_made(owner):
    for key, position in (("d", None), ("b", 5), ("c", 5), ("e", None), ("a", 0)):
        define(owner, key, position=position)
    keys, following = [], "/custom-fields?limit=2"
    while following:
        answer = owner.get(following)
        assert answer.json["total"] == 5
        keys += [item["key"] for item in answer.json["items"]]
        cursor = answer.json["next_cursor"]
        following = cursor and f"/custom-fields?limit=2&cursor={cursor}"
    assert keys == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: ascii(key)[:30])
def test_a_key_is_any_words_by_every_verb(owner, key):
    normal = unicodedata.normalize("NFC", key)
    made = owner.post("/custom-fields", json={"key": key, "type": "number"})
    assert (made.status_code, made.json["key"]) == (201, normal)
    followed = owner.get(made.headers["Location"].removeprefix("/api/v1"))
    assert followed.json == made.json
    assert owner.patch(at_key(key), json={"label": "x"}).json["version"] == 2
    refused(owner.post("/custom-fields", json={"key": normal, "type": "text"}), 409, "key_exists")
    contact = {"first_name": "Ada", "custom_fields": {key: "many"}}
    refused(owner.post("/contacts", json=contact), 422, "invalid_fields")
    assert owner.delete(at_key(key)).status_code == 200
    refused(owner.get(at_key(key)), 404, "not_found")


# IV-1
@pytest.mark.parametrize("key", NO_KEYS, ids=lambda key: ascii(key)[:20])
def test_what_is_no_key_is_422(owner, key):
    answer = owner.post("/custom-fields", json={"key": key, "type": "text"})
    refused(answer, 422, "invalid_fields", "/key")
    if isinstance(key, str) and 0 < len(key) < 1000:
        for method in ("GET", "PATCH", "DELETE"):
            answer = owner.request(method, at_key(key), json={})
            refused(answer, 422, "invalid_fields", "/key")


# IV-1
def test_a_path_that_is_not_utf_8_is_422(owner):
    environ = {"PATH_INFO": "/api/v1/custom-fields/\xff"}
    answer = owner.get("/custom-fields/k", environ_overrides=environ)
    refused(answer, 422, "invalid_fields", "/key")


# IV-1, IV-2, AZ-4
@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"type": None}, "/type"),
        ({"type": "Text"}, "/type"),
        ({"type": 1}, "/type"),
        ({"label": "x" * 101}, "/label"),
        ({"label": "a\x00b"}, "/label"),
        ({"label": 5}, "/label"),
        ({"position": -1}, "/position"),
        ({"position": 2**63}, "/position"),
        ({"position": 1.5}, "/position"),
        ({"position": "1"}, "/position"),
        ({"position": True}, "/position"),
        ({"choices": ["a"]}, "/choices"),
        ({"type": "choice"}, "/choices"),
        ({"type": "choice", "choices": []}, "/choices"),
        ({"type": "choice", "choices": None}, "/choices"),
        ({"type": "choice", "choices": "abc"}, "/choices"),
        ({"type": "choice", "choices": ["a", " A "]}, "/choices/1"),
        ({"type": "choice", "choices": ["a", " "]}, "/choices/1"),
        ({"type": "choice", "choices": ["a", None]}, "/choices/1"),
        ({"type": "choice", "choices": ["a", 5]}, "/choices/1"),
        ({"type": "choice", "choices": ["a", "x" * 201]}, "/choices/1"),
        ({"type": "choice", "choices": [str(n) for n in range(101)]}, "/choices"),
        ({"required": True}, "/required"),
        ({"deleted_at": 5}, "/deleted_at"),
        ({"sealed": "x"}, "/sealed"),
    ],
)
def test_a_wrong_field_is_422_and_named(owner, fields, pointer):
    state = book_state(owner)
    answer = owner.post("/custom-fields", json={"key": "k", "type": "text", **fields})
    refused(answer, 422, "invalid_fields", pointer)
    assert book_state(owner) == state


def test_what_was_read_can_be_sent_back(owner):
    made = define(owner, "size", "choice", choices=["S", "M"], label="Size")
    sent = {**made, "used": 9, "id": 9, "book_id": 9}
    answer = owner.patch("/custom-fields/size", json=sent)
    assert (answer.status_code, answer.json) == (200, {**made, **NOTHING_DONE})
    assert owner.patch("/custom-fields/size", json=answer.json).json == answer.json


def test_a_patch_changes_what_it_names(owner):
    define(owner, "size", "choice", choices=["S", "M"], label="Size", position=1)
    patch = {"label": None, "choices": [" L ", "S"]}
    changed = owner.patch("/custom-fields/size", json=patch).json
    assert (changed["label"], changed["choices"], changed["position"]) == (None, ["L", "S"], 1)
    assert changed["version"] == 2
    for wrong in ({"choices": None}, {"choices": []}):
        answer = owner.patch("/custom-fields/size", json=wrong)
        refused(answer, 422, "invalid_fields", "/choices")
    assert {**owner.get("/custom-fields/size").json, **NOTHING_DONE} == changed


# CC-3
def test_if_match_compares_and_only_the_version_counts(owner):
    define(owner, "size", "number")
    tag = owner.get("/custom-fields/size").headers["ETag"]
    owner.contact(first_name="Ada", custom_fields={"size": 5})
    answer = owner.patch("/custom-fields/size", json={"label": "a"}, headers={"If-Match": tag})
    assert answer.status_code == 200
    for method in ("PATCH", "DELETE"):
        stale = owner.request(
            method, "/custom-fields/size", json={"label": "b"}, headers={"If-Match": tag}
        )
        assert refused(stale, 412, "version_mismatch")["current_version"] == 3
    seen = {"If-None-Match": answer.headers["ETag"]}
    assert owner.get("/custom-fields/size", headers=seen).status_code == 304


def test_a_key_that_was_deleted_may_be_defined_anew(owner):
    first = define(owner, "size", "number")
    owner.contact(first_name="Ada", custom_fields={"size": 5})
    assert owner.delete("/custom-fields/size").status_code == 200
    assert owner.get("/contacts").json["items"][0]["custom_fields"] == {"size": 5}
    again = define(owner, "size", "date")
    assert again["id"] != first["id"]
    assert (again["version"] > first["version"], again["used"]) == (True, 1)


def test_no_tag_of_a_definition_fits_another_one_of_its_key(owner):
    tags = []
    for type_ in ("number", "date"):
        define(owner, "size", type_)
        tags.append(owner.get("/custom-fields/size").headers["ETag"])
        owner.patch("/custom-fields/size", json={"key": "old"})
        define(owner, "size", type_)
        tags.append(owner.get("/custom-fields/size").headers["ETag"])
        owner.delete("/custom-fields/size")
        owner.delete("/custom-fields/old")
    define(owner, "size", "boolean")
    for tag in tags:
        seen = owner.get("/custom-fields/size", headers={"If-None-Match": tag})
        assert (seen.status_code, seen.json["type"]) == (200, "boolean")
        answer = owner.patch("/custom-fields/size", json={"label": "x"}, headers={"If-Match": tag})
        refused(answer, 412, "version_mismatch")


# CC-2
def test_a_book_has_so_many_and_not_one_more(alice, monkeypatch):
    monkeypatch.setattr(stored, "MAX_DEFINITIONS", 3)

    def make(number):
        return alice.post("/custom-fields", json={"key": f"k{number}", "type": "text"})

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(make, range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [403] * 5
    problem = refused(make(9), 403, "custom_field_limit_reached")
    assert (problem["limit"], problem["used"]) == (3, 3)
    [key, *_] = [item["key"] for item in alice.get("/custom-fields").json["items"]]
    assert alice.delete(f"/custom-fields/{key}").status_code == 200
    assert make(9).status_code == 201
    assert MAX_DEFINITIONS == 100


# CC-1
def test_of_many_who_define_a_key_at_once_one_does(alice):
    spellings = ["é", "e\u0301"] * 5

    def make(key):
        return alice.post("/custom-fields", json={"key": key, "type": "text"}).status_code

    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(make, spellings)) == [201] + [409] * 9
    assert alice.get("/custom-fields").json["total"] == 1


def test_every_process_holds_values_against_the_newest_definitions(alice, engine, app, new_app):
    """One that wrote them itself, one that follows the log, and one that has to begin anew; none
    opens more than it must."""
    url = app.extensions["contactapp.settings"].database_url
    there = at(new_app(engine, database=url), alice)

    def refuses(person, value):
        body = {"first_name": "Ada", "custom_fields": {"size": value}}
        return person.post("/contacts", json=body).status_code == 422

    def opened(person):
        with person.app.app_context():
            return definition_views().opened

    assert not refuses(there, "many")
    define(alice, "size", "number")
    assert refuses(there, "many")
    assert refuses(alice, "many")
    alice.patch("/custom-fields/size", json={"label": "Size"})
    before = opened(there)
    for _ in range(3):
        assert not refuses(there, 5)
        assert not refuses(alice, 5)
    assert opened(there) == before + 1
    there.delete("/custom-fields/size")
    assert not refuses(alice, "many")
    assert opened(there) == before + 1


def test_a_book_without_any_asks_nobody_for_them(owner):
    owner.contact(first_name="Ada", custom_fields={"size": 5})
    assert owner.get("/contacts?sort=custom.size&custom.size=5").json["total"] == 1
    assert owner.get("/custom-fields").json["items"] == []
    with owner.app.app_context():
        assert owner.book_id not in definition_views()._views


# AZ-1, AZ-3
def test_definitions_are_their_books_own(cast):
    define(cast.alice, "size", "number")
    define(cast.bob, "size", "date")
    define(cast.bob, "hers", "date")
    body = {"first_name": "Ada", "custom_fields": {"size": 5, "hers": "any"}}
    assert cast.alice.post("/contacts", json=body).status_code == 201
    shared = f"?book={cast.alice.book_id}"
    assert cast.carol.post(f"/contacts{shared}", json=body).status_code == 201
    assert cast.carol.post("/contacts", json=body).status_code == 201
    refused(cast.bob.post("/contacts", json=body), 422, "invalid_fields", "/custom_fields/size")
    for person in (cast.bob, cast.admin):
        for method in ("GET", "PATCH", "DELETE"):
            foreign = person.request(method, f"/custom-fields/size{shared}", json={"label": "x"})
            absent = person.request(method, "/custom-fields/none?book=999999999", json={})
            assert refused(foreign, 404, "not_found")["detail"] == absent.json["detail"]
    field = {"key": "new", "type": "text"}
    refused(cast.eve.post(f"/custom-fields{shared}", json=field), 403, "read_only_book")
    assert cast.eve.get(f"/custom-fields/size{shared}").json["used"] == 2
    assert cast.carol.patch(f"/custom-fields/size{shared}", json={"label": "x"}).status_code == 200
