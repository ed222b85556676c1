"""GET /contacts: envelope, sparse objects, order."""

import unicodedata

import orjson
import pytest

from contactapp.contacts.card import SORTABLE
from tests.contacts.people import people
from tests.support.cast import refused
from tests.support.engines import on_one_engine

MISSING = object()
STROKED = str.maketrans("øł", "ol")


@pytest.fixture(scope="module")
def everyone(owner):
    """The ninety people in the owner's book, as they were answered, by id."""
    made = [owner.contact(**card) for card in people()]
    for contact in made[::11]:  # so that version and update differ from the order of making
        answer = owner.patch(f"/contacts/{contact['id']}", json={"nickname": "Changed"})
        contact.update(answer.json)
    return made


def folded(value):
    """The order that a reader expects: no case, no marks; the exact text decides between equals."""
    if not isinstance(value, str):
        return (value,)
    marked = unicodedata.normalize("NFKD", value.casefold().translate(STROKED))
    return ("".join(c for c in marked if not unicodedata.combining(c)).casefold(), value)


def in_order(contacts, field, descending):
    by_id = sorted(contacts, key=lambda c: c["id"])
    filled = [c for c in by_id if c[field] is not None]
    filled.sort(key=lambda c: folded(c[field]), reverse=descending)
    return filled + [c for c in by_id if c[field] is None]


def test_it_lists_by_id_fifty_at_a_time(owner, everyone):
    page = owner.get("/contacts").json
    assert page["items"] == everyone[:50]
    assert page["total"] == 90
    assert page["next_cursor"]


@on_one_engine
@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("field", SORTABLE)
def test_it_sorts_by_every_field_with_nulls_last(owner, everyone, field, sign):
    listed = owner.get(f"/contacts?limit=500&sort={sign}{field}").json["items"]
    assert listed == in_order(everyone, field, sign == "-")


def test_later_keys_decide_between_equals(owner, everyone):
    listed = owner.get("/contacts?limit=500&sort=title,-company,birthday").json["items"]
    expected = in_order(everyone, "birthday", False)
    for field, descending in (("company", True), ("title", False)):
        filled = [c for c in expected if c[field] is not None]
        filled.sort(key=lambda c, field=field: folded(c[field]), reverse=descending)
        expected = filled + [c for c in expected if c[field] is None]
    assert listed == expected


def test_accents_stand_beside_their_letters_and_case_does_not_count(cast):
    names = ["Zoe", "Östlund", "emil", "Oslo", "Émile", "eva", "ottilie", "Emilie", "straße"]
    names += ["Strasse", "Ａda", "adam", "Łukasz", "lutz"]
    for name in names:
        cast.bob.contact(last_name=name)
    cast.bob.contact(company="No last name")
    listed = cast.bob.get("/contacts?sort=last_name&fields=last_name").json["items"]
    assert [item["last_name"] for item in listed] == [
        *(
            "Ａda",
            "adam",
            "emil",
            "Émile",
            "Emilie",
            "eva",
            "Łukasz",
            "lutz",
            "Oslo",
            "Östlund",
            "ottilie",
        ),
        *("Strasse", "straße", "Zoe", None),
    ]


def test_fields_gives_sparse_objects_in_the_asked_order(owner, everyone):
    answer = owner.get("/contacts?limit=3&fields=name,id,custom_fields&sort=-id")
    assert answer.json["items"] == [
        {key: contact[key] for key in ("name", "id", "custom_fields")}
        for contact in reversed(everyone[-3:])
    ]
    assert answer.text.startswith('{"items":[{"name":')


def test_every_shown_field_can_be_asked_for(owner, everyone):
    shown = list(everyone[0])
    assert owner.get(f"/contacts?fields={','.join(shown)}&limit=1").json["items"] == everyone[:1]


def test_an_empty_book_is_an_empty_list(bob):
    answer = bob.get("/contacts")
    assert answer.json == {"items": [], "next_cursor": None, "total": 0}
    assert "Link" not in answer.headers
    assert answer.headers["ETag"]


def test_head_is_get_without_the_body(owner, everyone):
    head, get = owner.request("HEAD", "/contacts?limit=5"), owner.get("/contacts?limit=5")
    assert (head.status_code, head.data) == (200, b"")
    for name in ("ETag", "Content-Type", "Content-Length"):
        assert head.headers[name] == get.headers[name]
    assert 'rel="next"' in head.headers["Link"]


# IV-5
@on_one_engine
@pytest.mark.parametrize(
    "limit", ["0", "-1", "501", "1e9", "1000000000", "a", "", "1.5", "%EF%BC%95"]
)
def test_a_limit_outside_1_to_500_is_422_and_not_clamped(owner, limit):
    refused(owner.get(f"/contacts?limit={limit}"), 422, "invalid_fields", "?limit")


# IV-5
@on_one_engine
@pytest.mark.parametrize("name", ["skip", "offset"])
@pytest.mark.parametrize("value", ["-1", "a", "", "1e12", str(2**53), str(10**30)])
def test_a_wrong_offset_is_422(owner, name, value):
    refused(owner.get(f"/contacts?{name}={value}"), 422, "invalid_fields", f"?{name}")


# IV-5
@pytest.mark.parametrize("value", ["90", "1000000000000", str(2**53 - 1)])
def test_an_offset_past_the_end_is_an_empty_page(owner, everyone, value):
    page = owner.get(f"/contacts?skip={value}").json
    assert page == {"items": [], "next_cursor": None, "total": 90}


# IV-5
@pytest.mark.parametrize(
    "query", ["limit=1&limit=1000", "sort=id&sort=id", "skip=1&skip=1", "fields=id&fields=id"]
)
def test_a_repeated_parameter_is_400(owner, query):
    name = query.partition("=")[0]
    body = refused(owner.get(f"/contacts?{query}"), 400, "repeated_parameter")
    assert body["parameter"] == name


@on_one_engine
@pytest.mark.parametrize("query", ["page=2", "Limit=5", "limit[]=5", "=", "%00=1", "limit%20=1"])
def test_an_unknown_parameter_is_400(owner, query):
    refused(owner.get(f"/contacts?{query}"), 400, "unknown_parameter")


@on_one_engine
@pytest.mark.parametrize("value", ["", "id,", "ID", "--id", "+id", "custom_fields", "uid", " id"])
def test_an_unknown_sort_key_is_400(owner, value):
    body = refused(owner.get("/contacts", query_string={"sort": value}), 400, "unknown_parameter")
    assert body["parameter"] == "sort"


@on_one_engine
@pytest.mark.parametrize("value", ["", "id,", "-id", "sealed", "custom_fields.number"])
def test_an_unknown_field_is_400(owner, value):
    body = refused(owner.get("/contacts", query_string={"fields": value}), 400, "unknown_parameter")
    assert body["parameter"] == "fields"


def test_the_documented_defaults_can_be_sent(owner, app):
    """Swagger UI fills them in."""
    document = orjson.loads(app.extensions["contactapp.openapi"])
    parameters = document["paths"]["/api/v1/contacts"]["get"]["parameters"]
    query = {p["name"]: p["schema"]["default"] for p in parameters if "default" in p["schema"]}
    assert set(query) == {"limit", "sort"}
    page = owner.get("/contacts", query_string=query).json
    assert page["items"] == owner.get("/contacts").json["items"]


@pytest.mark.parametrize("query", ["sort=id,-id", "sort=name,id,name", "fields=id,id", "sort=,"])
def test_a_name_that_comes_twice_is_400(owner, query):
    body = refused(owner.get(f"/contacts?{query}"), 400, "repeated_parameter")
    assert body["parameter"] == query.partition("=")[0]


def test_more_than_four_sort_keys_are_422(owner, everyone):
    keys = "company,-title,birthday,-id"
    assert owner.get(f"/contacts?sort={keys}&limit=1").status_code == 200
    refused(owner.get(f"/contacts?sort={keys},name"), 422, "invalid_fields", "?sort")


def test_what_stands_after_the_sixty_fourth_character_does_not_sort(bob):
    ends = "cab"
    made = [bob.contact(company="x" * 64 + end) for end in ends]
    assert bob.get("/contacts?sort=company").json["items"] == made
    first = bob.get("/contacts?sort=company&limit=1").json
    rest = bob.get(f"/contacts?sort=company&cursor={first['next_cursor']}").json
    assert first["items"] + rest["items"] == made
