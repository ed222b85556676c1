"""Lists filtered and sorted by custom fields, as their types are compared."""

from contextlib import nullcontext

import pytest

from contactapp.contacts import reading
from tests.custom_fields.conftest import define
from tests.support.cast import Person, refused
from tests.support.stored import set_user

VALUES = {
    "number": {"a": 10, "b": 9, "c": -1.5, "d": 9.0, "e": None},
    "date": {"a": "1985-06-15", "b": "1985", "c": "1985-12", "d": "--02-29", "e": None},
    "boolean": {"a": True, "b": False, "c": True, "d": None, "e": None},
    "choice": {"a": "small", "b": "Large", "c": "medium", "d": "small", "e": None},
    "text": {"a": "10", "b": "9", "c": "Émile", "d": "eve", "e": None},
    "url": {"a": "https://b.example", "b": "http://c.example", "c": "mailto:a@b", "e": None},
    "email": {"a": "B@x", "b": "a@x", "c": "c@x", "d": None, "e": None},
    # Without a definition, and with one that is younger than half of its values.
    "free": {"a": 10, "b": "9", "c": "x", "d": True, "e": None},
    "older": {"a": 10, "b": "9", "c": "x", "d": True, "e": None},
}
CHOICES = ["small", "medium", "Large"]


@pytest.fixture(scope="module")
def people(sqlite_app):
    """Somebody with five contacts named a to e, in a book of their own."""
    person = Person(sqlite_app, "olga")
    set_user(sqlite_app, person.id, contact_limit=0)
    for type_ in VALUES:
        if type_ not in {"free", "older"}:
            define(person, type_, type_, choices=CHOICES if type_ == "choice" else None)
    for name in "abcde":
        values = {key: VALUES[key].get(name) for key in VALUES}
        person.contact(first_name=name, custom_fields=values)
    define(person, "older", "number")
    return person


def listed(person, query):
    answer = person.get("/contacts", query_string=query)
    assert answer.status_code == 200, answer.text
    return "".join(item["first_name"] for item in answer.json["items"])


@pytest.mark.parametrize(
    ("key", "rising", "falling"),
    [
        ("number", "cbdae", "abdce"),
        ("date", "bacde", "dcabe"),  # a year before its days, what has none after all years
        ("boolean", "bacde", "acbde"),
        ("choice", "adcbe", "bcade"),
        ("text", "abcde", "dcbae"),
        ("url", "bacde", "cabde"),
        ("email", "bacde", "cabde"),
        ("free", "badce", "cdabe"),
        ("older", "badce", "cdabe"),
        ("none", "abcde", "abcde"),
    ],
)
def test_it_sorts_nulls_last_and_a_cursor_goes_on(people, key, rising, falling):
    for sort, expected in ((f"custom.{key}", rising), (f"-custom.{key}", falling)):
        assert listed(people, {"sort": sort}) == expected
        found, following = "", {"sort": sort, "limit": 1}
        while following:
            answer = people.get("/contacts", query_string=following)
            found += answer.json["items"][0]["first_name"]
            cursor = answer.json["next_cursor"]
            following = cursor and {"sort": sort, "limit": 1, "cursor": cursor}
        assert found == expected


def test_it_sorts_by_several(people):
    assert listed(people, {"sort": "custom.choice,-first_name"}) == "dacbe"
    assert listed(people, {"sort": "-custom.boolean,-custom.number"}) == "acbde"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"number": "9"}, "bd"),
        ({"number": "9.0"}, "bd"),
        ({"number_min": "9"}, "abd"),
        ({"number_max": "9"}, "bcd"),
        ({"number_min": "-2", "number_max": "9.5"}, "bcd"),
        ({"number_like": "5"}, "c"),
        ({"date": "1985-06-15"}, "a"),
        ({"date": "1985"}, "b"),
        ({"date_min": "1985"}, "abc"),
        ({"date_min": "1985-06"}, "ac"),
        ({"date_min": "1985-06-16"}, "c"),
        ({"date_max": "1985-06"}, "ab"),
        ({"date_max": "1985"}, "abc"),
        ({"date_max": "1984"}, ""),
        ({"date_max": "1985-06-14"}, "b"),
        ({"date_min": "--02-29"}, "d"),
        ({"date_max": "--02-28"}, ""),
        ({"date_like": "-06-"}, "a"),
        ({"boolean": "true"}, "ac"),
        ({"boolean": "FALSE"}, "b"),
        ({"boolean_min": "true"}, "ac"),
        ({"choice": "LARGE"}, "b"),
        ({"choice": "sm\u00e4ll"}, "ad"),
        ({"choice_min": "medium"}, "bc"),
        ({"choice_max": "medium"}, "acd"),
        ({"choice_like": "m"}, "acd"),
        ({"text": "10"}, "a"),
        ({"text": "10.0"}, ""),
        ({"text": "emile"}, "c"),
        ({"text_min": "9"}, "bcd"),
        ({"text_max": "9"}, "ab"),
        ({"email": "A@X"}, "b"),
        ({"url_like": "EXAMPLE"}, "ab"),
        ({"older_min": "9"}, "ab"),
        ({"older": "x"}, 422),
        ({"older_like": "x"}, "c"),
        ({"free": "x"}, "c"),
        ({"free_min": "9"}, "ab"),
        ({"number": "many"}, 422),
        ({"number_max": "1_000"}, 422),
        ({"date": "soon"}, 422),
        ({"date_min": "1985-13"}, 422),
        ({"boolean": "1"}, 422),
        ({"choice": "none"}, 422),
        ({"choice_min": "none"}, 422),
        ({"number_like": "many"}, ""),
    ],
)
def test_it_filters_by_type(people, query, expected):
    query = {f"custom.{name}": value for name, value in query.items()}
    if expected == 422:
        [name] = query
        refused(people.get("/contacts", query_string=query), 422, "invalid_fields", f"?{name}")
    else:
        assert listed(people, query) == expected


def test_a_field_may_be_called_like_a_filter(owner):
    """Its own name comes before the ending."""
    define(owner, "size_min", "number")
    owner.contact(first_name="a", custom_fields={"size_min": 5, "size": 1})
    owner.contact(first_name="b", custom_fields={"size_min": 6, "size": 9})
    assert listed(owner, {"custom.size_min": "5"}) == "a"
    assert listed(owner, {"custom.size_min_min": "6"}) == "b"
    assert owner.delete("/custom-fields/size_min").status_code == 200
    assert listed(owner, {"custom.size_min": "5"}) == "b"


def test_a_list_follows_the_type(owner):
    """Also where it was sorted and filtered before, by another process's words or this one's."""
    for name, size in (("a", "10"), ("b", "9"), ("c", "1985")):
        owner.contact(first_name=name, custom_fields={"size": size})
    asked = {"sort": "custom.size", "custom.size_min": "9"}
    assert listed(owner, asked) == "bac"
    first = owner.get("/contacts?sort=custom.size&limit=1")
    define(owner, "size", "text")
    assert listed(owner, asked) == "b"
    assert listed(owner, {"sort": "custom.size"}) == "acb"
    seen = {"If-None-Match": first.headers["ETag"]}
    assert owner.get("/contacts?sort=custom.size&limit=1", headers=seen).status_code == 200
    # A cursor from before goes on somewhere, as it does after any other write.
    cursor = first.json["next_cursor"]
    assert owner.get(f"/contacts?sort=custom.size&cursor={cursor}").status_code == 200
    owner.delete("/custom-fields/size")
    define(owner, "size", "choice", choices=["9", "1985"])
    assert listed(owner, {"sort": "custom.size"}) == "bca"
    assert listed(owner, {"custom.size_min": "1985"}) == "c"
    owner.patch("/custom-fields/size", json={"choices": ["1985", "10", "9"]})
    assert listed(owner, {"sort": "custom.size"}) == "cab"


# RL-8
def test_a_large_book_is_looked_through_in_a_place(people, monkeypatch):
    held = []

    def place(contacts):
        held.append(contacts)
        return nullcontext()

    monkeypatch.setattr(reading, "looking_through", place)
    listed(people, {"custom.unseen": "x"})
    listed(people, {"sort": "custom.unseen"})
    listed(people, {"sort": "custom.unseen"})
    listed(people, {})
    assert held == [5, 5, 0, 0]


# IV-7
@pytest.mark.parametrize(
    "key", ["a,b", "\\", "a\\,b", ",", "a b", "a/b", "é", "{{7*7}}", "name;drop", "-x", "custom.x"]
)
def test_a_list_is_sorted_by_any_words(owner, key):
    for name, size in (("a", 2), ("b", 1)):
        owner.contact(first_name=name, custom_fields={key: size})
    said = key.replace("\\", "\\\\").replace(",", "\\,")
    assert listed(owner, {"sort": f"custom.{said}"}) == "ba"
    assert listed(owner, {"sort": f"-custom.{said},first_name"}) == "ab"


# AZ-5, IV-7
@pytest.mark.parametrize(
    "sort",
    ["custom.", "custom", "-custom.", f"custom.{'x' * 65}", "custom.a,b", "--custom.a", "Custom.a"],
)
def test_what_is_no_custom_field_is_no_name(owner, sort):
    refused(owner.get("/contacts", query_string={"sort": sort}), 400, "unknown_parameter")


# IV-1
@pytest.mark.parametrize("sort", ["custom.a%00", "custom.%ED%A0%80", "custom.a%0A"])
def test_what_is_no_text_is_no_name(owner, sort):
    assert owner.get(f"/contacts?sort={sort}").status_code in {400, 422}


def test_a_name_comes_once(owner):
    answer = owner.get("/contacts?sort=custom.a,-custom.a")
    refused(answer, 400, "repeated_parameter")


# AZ-7
def test_a_cursor_with_the_longest_words_finds_room(owner):
    keys = [f"{n}{'🜚' * 63}" for n in range(4)]
    for _ in range(2):
        owner.contact(first_name="a", custom_fields={key: "🜚" * 100 for key in keys})
    sort = ",".join(f"custom.{key}" for key in keys)
    page = owner.get("/contacts", query_string={"sort": sort, "limit": 1}).json
    again = {"sort": sort, "limit": 1, "cursor": page["next_cursor"]}
    assert len(owner.get("/contacts", query_string=again).json["items"]) == 1
    other = {**again, "sort": sort[:-1]}
    refused(owner.get("/contacts", query_string=other), 400, "cursor_mismatch")


def test_every_kind_of_value_is_found_by_search(people):
    """As it is written."""
    for words, expected in (("9", "bd"), ("emile", "c"), ("1985-06-15", "a"), ("medium", "c")):
        answer = people.get("/contacts/search", query_string={"q": words})
        names = {item["first_name"] for item in answer.json["items"]}
        assert set(expected) <= names
