"""What holds of every list: pages, their links, and tags."""

import re
from io import BytesIO

import pytest

from contactapp.books import service as books_service
from contactapp.shapes import Paging
from tests.support.cast import NOWHERE, PASSWORD, Person, refused
from tests.support.engines import on_one_engine

PAGED = {"limit", "skip", "offset", "cursor"}
HISTORY, NOTES, VERSIONS = "/contacts/1/history", "/contacts/1/notes", "/notes/1/history"
BIRTHDAYS = "/contacts/birthdays?days=366"
KEY_VERSIONS = "/data-history/1"
DUPLICATES = "/contacts/duplicates?min_score=0.8"
MESSAGES = "/webhooks/1/deliveries"
LISTS = (
    *("/contacts", "/contacts/search?q=grace", DUPLICATES),
    *(BIRTHDAYS, HISTORY, "/notes", NOTES, VERSIONS),
    *("/books", "/feeds", "/auth/sessions", "/auth/api-tokens", "/users", "/audit"),
    *(
        "/data",
        KEY_VERSIONS,
        "/contacts/trash",
        "/operations",
        "/custom-fields",
        "/labels",
        "/imports",
    ),
    *("/webhooks", MESSAGES),
)
# The newest first.
FALLING = (
    *(KEY_VERSIONS, HISTORY, "/notes", NOTES, VERSIONS, MESSAGES),
    *("/auth/sessions", "/auth/api-tokens", "/audit", "/contacts/trash", "/operations", "/imports"),
)


@pytest.fixture(scope="module")
def boss(engine, new_app):
    """An admin with some of everything, in an application of their own."""
    app = new_app(engine)
    person = Person(app, "boss", "admin")
    in_a_chain(person, 0)
    for number in range(4):
        about = {"last_name": f"Number {number}", "labels": [f"No. {number}"]}
        in_a_chain(person, number + 1, **about)
        import_nothing_new(person)
        person.post("/contacts/1/notes", json={"body": f"Number {number}"})
        person.patch("/notes/1", json={"body": f"Change {number}"})
        person.patch("/contacts/1", json={"nickname": f"Change {number}"})
        throw_away(person)
        friend = Person(app, f"friend{number}")
        share(friend, person)
        person.post("/feeds", json={"kind": "birthdays"})
        be_told(person)
        person.post("/auth/api-tokens", json={"name": f"No. {number}", "scopes": ["admin"]})
        person.post("/custom-fields", json={"key": f"No. {number}", "type": "date"})
        person.put(f"/data/{number}", json={"value": number})
        person.put("/data/1", json={"value": f"Change {number}"})
        person.sign_in()
    return person


def be_told(person):
    """One webhook more, and one message more to the first."""
    wanted = {"url": NOWHERE, "types": ["contact.restored"]}
    assert person.post("/webhooks", json=wanted).status_code == 201
    assert person.post("/webhooks/1/test").status_code == 202


def share(owner, user):
    with owner.app.app_context():
        books_service.share_book(owner.id, user.id, "viewer")


def throw_away(person):
    """One contact more in the trash, and one operation more."""
    made = person.contact(nickname="Thrown away")["id"]
    operations = [{"op": "delete", "id": made}]
    answer = person.post("/contacts/bulk", json={"operations": operations})
    assert answer.status_code == 200, answer.text


def import_nothing_new(person):
    """One import more, of what is rejected."""
    file = BytesIO(b"BEGIN:VCARD\nEND:VCARD\n")
    answer = person.post("/imports", data={"file": (file, "nobody.vcf")})
    assert answer.status_code == 200, answer.text


def in_a_chain(person, number, **fields):
    """A contact that looks like the one before it, and like no other."""
    emails = [{"value": f"chain{n}@example.com"} for n in (number, number + 1)]
    person.contact(first_name="Grace", birthday="--12-09", emails=emails, **fields)


def name_of(item):
    """What tells an item from all others of its list."""
    return next(item[name] for name in ("id", "key", "name") if name in item)


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [name_of(item) for item in answer.json["items"]]


def orders(items):
    """The ids of each of the orders that a list is merged from; most are of one."""
    found = {}
    for item in items:
        order = (item.get("source"), item.get("book_id"))
        found.setdefault(order, []).append(name_of(item))
    return [own for own in found.values() if len(own) > 1]


def with_parameters(path, parameters):
    return f"{path}{'&' if '?' in path else '?'}{parameters}"


def test_the_table_names_every_list(app):
    document = app.test_client().get("/openapi.json").json
    found = {
        re.sub(r"{\w+}", "{id}", path.removeprefix("/api/v1"))
        for path, methods in document["paths"].items()
        if {p.get("name") for p in methods.get("get", {}).get("parameters", ())} >= PAGED
    }
    pages = {
        re.sub(r"{\w+}", "{id}", path.removeprefix("/api/v1"))
        for path, methods in document["paths"].items()
        if "Page" in str(methods.get("get", {}).get("responses", {}).get("200"))
    }
    found.remove("/imports/{id}")  # an object, of which the rows are in pages
    lists = {re.sub("/1\\b", "/{id}", path.partition("?")[0]) for path in LISTS}
    assert found == pages == lists
    assert set(Paging().fields) == PAGED


@pytest.mark.parametrize("path", LISTS)
def test_cursors_links_and_offsets_lead_through_it(boss, path):
    everything = boss.get(with_parameters(path, "limit=500"))
    whole = ids(everything)
    assert everything.json["next_cursor"] is None
    assert everything.json["total"] == len(whole) >= 4
    seen, following = [], with_parameters(path, "limit=3")
    while following:
        answer = boss.get(following)
        seen += ids(answer)
        link = answer.headers.get("Link")
        assert (link is None) == (answer.json["next_cursor"] is None)
        following = link and re.fullmatch('</api/v1(.*)>; rel="next"', link)[1]
    assert seen == whole
    for own in orders(everything.json["items"]):
        assert path in LISTS[:3] or own == sorted(own, reverse=path in FALLING)
    assert ids(boss.get(with_parameters(path, "limit=2&skip=1"))) == whole[1:3]
    assert ids(boss.get(with_parameters(path, "limit=2&offset=2"))) == whole[2:4]
    assert ids(boss.get(with_parameters(path, "skip=9000"))) == []


@on_one_engine
@pytest.mark.parametrize("path", LISTS)
def test_it_takes_one_position_at_a_time(boss, path):
    refused(boss.get(with_parameters(path, "skip=1&offset=1")), 422, "invalid_fields", "?skip")
    cursor = boss.get(with_parameters(path, "limit=1")).json["next_cursor"]
    both = with_parameters(path, f"skip=1&cursor={cursor}")
    refused(boss.get(both), 422, "invalid_fields", "?cursor")
    refused(boss.get(with_parameters(path, "limit=0")), 422, "invalid_fields", "?limit")
    refused(boss.get(with_parameters(path, "limit=501")), 422, "invalid_fields", "?limit")


# AZ-7
@pytest.mark.parametrize("path", LISTS)
def test_its_cursors_are_its_users_own(boss, path):
    cursor = boss.get(with_parameters(path, "limit=1")).json["next_cursor"]
    other = Person(boss.app, "other", "admin")
    here = with_parameters(path, f"cursor={cursor}")
    assert boss.get(here).status_code == 200
    if path in {NOTES, KEY_VERSIONS, MESSAGES}:  # what they are of is not even there for others
        assert other.get(here).status_code == 404
    else:
        refused(other.get(here), 400, "invalid_cursor")
    changed = "A" if cursor[9] != "A" else "B"
    damaged = cursor[:9] + changed + cursor[10:]
    refused(boss.get(with_parameters(path, f"cursor={damaged}")), 400, "invalid_cursor")
    for elsewhere in LISTS:
        if elsewhere != path:
            there = with_parameters(elsewhere, f"cursor={cursor}")
            # Those of data and of a book are sealed for different places.
            alike = ("/data" in path) == ("/data" in elsewhere)
            refused(boss.get(there), 400, "cursor_mismatch" if alike else "invalid_cursor")


@pytest.mark.parametrize("path", LISTS)
def test_its_tag_stands_for_what_it_says(boss, path):
    first = boss.get(path)
    tag = first.headers["ETag"]
    again = boss.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert boss.get(with_parameters(path, "limit=1")).headers["ETag"] != tag
    grow(boss, path)
    changed = boss.get(path, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag
    assert changed.json["total"] == first.json["total"] + GROWS.get(path, 1)


# What `grow` adds to a list, where it is not one: the friend's registration, two sign-ins, a feed,
# a token, a book that is shared, seven changes of one, and two of data.
GROWS = {"/audit": 15}


def grow(boss, path):
    """Something more in this list, and in most others."""
    label = f"No. {boss.get('/labels').json['total']}"
    in_a_chain(boss, boss.get(DUPLICATES).json["total"] + 1, labels=[label])
    boss.post("/contacts/1/notes", json={"body": "one more"})
    boss.patch("/notes/1", json={"body": f"Change {boss.get('/notes').json['total']}"})
    nickname = f"Change {boss.get('/contacts/1').json['version']}"
    assert boss.patch("/contacts/1", json={"nickname": nickname}).status_code == 200
    throw_away(boss)
    if path == "/imports":  # only so many are kept
        import_nothing_new(boss)
    boss.post("/auth/api-tokens", json={"name": "One more", "scopes": ["admin"]})
    friend = Person(boss.app, "friend")
    share(friend, boss)
    if path in {"/feeds", "/audit"}:  # one may not have many
        assert boss.post("/feeds", json={"kind": "birthdays"}).status_code == 201
    if path in {"/webhooks", MESSAGES}:
        be_told(boss)
    total = boss.get("/data").json["total"]
    field = {"key": f"No. {total}", "type": "date"}
    assert boss.post("/custom-fields", json=field).status_code == 201
    assert boss.put(f"/data/{total}", json={"value": total}).status_code == 201
    assert boss.put("/data/1", json={"value": f"Change {total}"}).status_code == 200
    login = {"email": boss.email, "password": PASSWORD}
    assert boss.app.test_client().post("/api/v1/auth/token", json=login).status_code == 200
