"""GET /contacts: paging by cursor, by Link and by offset."""

import base64
import random
import re

import pytest

from tests.contacts.people import people
from tests.support.cast import refused

SORTS = ["id", "-last_name", "-company,birthday", "starred,-updated_at,name"]


@pytest.fixture(scope="module")
def everyone(owner):
    """The ninety people, as they were answered."""
    return [owner.contact(**card) for card in people()]


def listed(person, query):
    answer = person.get(f"/contacts?{query}")
    assert answer.status_code == 200, answer.text
    return answer.json["items"]


def walk(person, path, before_next=lambda page: None):
    """Follow the Link header from /contacts… to the end; the pages."""
    pages = []
    while path:
        answer = person.get(path.removeprefix("/api/v1"))
        assert answer.status_code == 200, answer.text
        pages.append(answer.json["items"])
        link, cursor = answer.headers.get("Link"), answer.json["next_cursor"]
        assert (link is None) == (cursor is None)
        assert link is None or f"cursor={cursor}" in link
        path = link and re.fullmatch(r'<(/api/v1/contacts[^?>]*\?[^>]+)>; rel="next"', link)[1]
        before_next(answer.json)
    return pages


@pytest.mark.parametrize("sort", SORTS)
def test_the_links_lead_to_the_end_and_show_everyone_once(owner, everyone, sort):
    whole = listed(owner, f"limit=500&sort={sort}")
    assert sorted(c["id"] for c in whole) == [c["id"] for c in everyone]
    for size in (7, 45, 89, 90, 91):
        pages = walk(owner, f"/contacts?sort={sort}&limit={size}")
        assert [c for page in pages for c in page] == whole
        assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)
        assert pages[-1]


def test_one_at_a_time_shows_everyone_once(owner, everyone):
    pages = walk(owner, "/contacts?sort=company&limit=1&fields=id")
    assert sorted(page[0]["id"] for page in pages) == [c["id"] for c in everyone]


@pytest.mark.parametrize("sort", SORTS)
def test_ninety_people_come_back_in_any_order_of_pages(owner, everyone, sort):
    order = random.Random(sort)
    for name, size in (("skip", 10), ("offset", 13)):
        starts = list(range(0, 90, size))
        order.shuffle(starts)
        found = {
            start + n: contact
            for start in starts
            for n, contact in enumerate(listed(owner, f"sort={sort}&{name}={start}&limit={size}"))
        }
        assert [found[n] for n in range(90)] == listed(owner, f"sort={sort}&limit=500")


def test_a_link_keeps_the_query_and_drops_the_offset(owner, everyone):
    answer = owner.get("/contacts?skip=10&sort=-id&limit=5&fields=id")
    assert answer.headers["Link"].startswith("</api/v1/contacts?sort=-id&limit=5&fields=id&cursor=")
    pages = walk(owner, "/contacts?offset=10&sort=-id&limit=40&fields=id")
    expected = [{"id": c["id"]} for c in reversed(everyone)][10:]
    assert [c for page in pages for c in page] == expected


def test_the_links_of_a_shared_book_stay_in_it(cast):
    for n in range(5):
        cast.alice.contact(nickname=f"n{n}")
    pages = walk(cast.eve, f"/contacts?book={cast.alice.book_id}&limit=2")
    assert [c for page in pages for c in page] == listed(cast.alice, "limit=500")


def test_long_names_in_any_script_fit_a_cursor(bob):
    long = {"first_name": "漢" * 100, "last_name": "字" * 100, "company": "社" * 200}
    made = [bob.contact(**long, title="長" * 200, nickname=str(n)) for n in range(3)]
    pages = walk(bob, "/contacts?limit=1&sort=name,company,title")
    assert [page[0] for page in pages] == made


@pytest.mark.parametrize("sort", ["id", "-last_name", "nickname,-id"])
def test_paging_is_steady_while_others_write(owner, bob, sort):
    made = [bob.contact(last_name=f"m{n:02}", nickname="n") for n in range(30)]
    seen, gone = [], []

    def write(page):
        seen.extend(c["id"] for c in page["items"])
        bob.delete(f"/contacts/{seen[-1]}")  # the very row that the cursor stands on
        gone.append(seen[-1])
        unseen = [c["id"] for c in made if c["id"] not in seen]
        if unseen:
            bob.delete(f"/contacts/{unseen[0]}")
            gone.append(unseen[0])
        bob.contact(last_name="a first", nickname="a")
        bob.contact(last_name="z last", nickname="z")

    walk(bob, f"/contacts?sort={sort}&limit=4", write)
    assert len(seen) == len(set(seen))
    assert {c["id"] for c in made} - set(gone) <= set(seen)


@pytest.mark.parametrize("other", ["-id", "last_name", "last_name,id", "-last_name,birthday"])
def test_a_cursor_belongs_to_its_sort(owner, everyone, other):
    cursor = owner.get("/contacts?limit=5&sort=-last_name").json["next_cursor"]
    answer = owner.get(f"/contacts?limit=5&sort={other}&cursor={cursor}")
    refused(answer, 400, "cursor_mismatch")
    refused(owner.get(f"/contacts?cursor={cursor}"), 400, "cursor_mismatch")


# AZ-7
def test_a_cursor_with_any_byte_changed_is_refused(owner, everyone):
    cursor = owner.get("/contacts?limit=5&sort=name").json["next_cursor"]
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    for place in range(len(raw)):
        flipped = raw.copy()
        flipped[place] ^= 1 << (place % 8)
        changed = base64.urlsafe_b64encode(flipped).decode().rstrip("=")
        refused(owner.get(f"/contacts?sort=name&cursor={changed}"), 400, "invalid_cursor")


# AZ-7
@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "a" * 200, "5", "%C3%A9", "=", "..", "a+b"])
def test_what_is_no_cursor_is_refused(owner, cursor):
    refused(owner.get(f"/contacts?cursor={cursor}"), 400, "invalid_cursor")


# AZ-7
def test_a_cursor_shows_nothing_of_the_contact(owner, everyone):
    cursor = owner.get("/contacts?limit=5&sort=last_name").json["next_cursor"]
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert not any(c["last_name"].encode() in raw for c in everyone if c["last_name"])


# AZ-7
def test_somebody_elses_cursor_is_refused(cast, owner, everyone):
    cursor = owner.get("/contacts?limit=5").json["next_cursor"]
    refused(cast.bob.get(f"/contacts?cursor={cursor}"), 400, "invalid_cursor")
    for n in range(3):
        cast.alice.contact(nickname=str(n))
    shared = f"book={cast.alice.book_id}"
    mine = cast.carol.get(f"/contacts?limit=1&{shared}").json["next_cursor"]
    assert len(listed(cast.carol, f"limit=5&{shared}&cursor={mine}")) == 2
    for person, query in ((cast.eve, shared), (cast.alice, shared), (cast.carol, "limit=5")):
        refused(person.get(f"/contacts?{query}&cursor={mine}"), 400, "invalid_cursor")


@pytest.mark.parametrize(
    "query", ["skip=1&offset=1", "skip=0&cursor=x", "offset=0&cursor=x", "skip=1&offset=1&cursor=x"]
)
def test_two_ways_of_paging_at_once_are_422_naming_each(owner, query):
    body = refused(owner.get(f"/contacts?{query}"), 422, "invalid_fields")
    named = {f"?{part.partition('=')[0]}" for part in query.split("&")}
    assert {error["pointer"] for error in body["errors"]} == named


def test_a_cursor_outlives_its_session(owner, everyone):
    cursor = owner.get("/contacts?limit=5").json["next_cursor"]
    owner.sign_in()
    assert listed(owner, f"limit=5&cursor={cursor}") == everyone[5:10]
