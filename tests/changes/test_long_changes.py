"""Changes of long values: pages end early, so that an answer takes little memory to make."""

import pytest

from contactapp.audit import trail
from contactapp.changes import feed, service, stream
from tests.support.feed import follow, page

ROOM = 2500  # bytes, in which there are two or three of these changes


@pytest.fixture
def writer(alice):
    """Alice, who changed a value five times."""
    for number in range(6):
        alice.put("/data/a", json={"value": str(number) * 500})
    return alice


def walk(person, path):
    """The versions on each page of a list."""
    pages, following = [], path
    while following:
        answer = person.get(following)
        assert answer.status_code == 200, answer.text
        assert answer.json["total"] == 6
        pages.append([item["version"] for item in answer.json["items"]])
        cursor = answer.json["next_cursor"]
        following = cursor and f"{path}&cursor={cursor}"
    return pages


# IV-4
@pytest.mark.parametrize("query", [{}, {"types": "contact,data"}])
def test_the_feed_ends_an_answer_early(writer, monkeypatch, query):
    monkeypatch.setattr(feed, "PAGE_BYTES", ROOM)
    writer.contact()
    items, counts, since, more = [], [], None, True
    while more:
        found = page(writer, since, limit=500, **query)
        items, counts = items + found["items"], [*counts, len(found["items"])]
        since, more = found["next_cursor"], found["has_more"]
    assert [item["seq"] for item in items if item["type"] == "data"] == [1, 2, 3, 4, 5, 6]
    assert [item["type"] for item in items].count("contact") == 1
    assert len(counts) > 1
    assert max(counts) <= 4
    assert follow(writer, since, **query) == ([], since)


def test_a_stream_is_given_little_at_once(writer, opened, monkeypatch):
    """For as long as its client takes to read that, it is kept."""
    assert stream._ROOM <= 2**20
    since = page(writer, limit=1)["next_cursor"]
    monkeypatch.setattr(stream, "_ROOM", ROOM)
    parts, counts = opened(writer, f"/changes/stream?since={since}"), []
    while sum(counts) < 6:  # five changes, and that all were told
        counts.append(len(parts.next()))
    assert max(counts) <= 4


# IV-4
@pytest.mark.parametrize(
    ("module", "path"),
    [(service, "/data-history/a?limit=500"), (trail, "/audit?entity=data&limit=500")],
)
def test_a_page_of_changes_ends_early(writer, monkeypatch, module, path):
    monkeypatch.setattr(module, "PAGE_BYTES", ROOM)
    pages = walk(writer, path)
    assert [version for found in pages for version in found] == [6, 5, 4, 3, 2, 1]
    assert len(pages) > 1
    assert max(map(len, pages)) <= 4
    [second] = writer.get(path.replace("500", "1") + "&skip=4").json["items"]
    assert second["version"] == 2


def test_one_that_is_longer_than_a_page_is_a_page(writer, monkeypatch):
    for module in (feed, service, trail):
        monkeypatch.setattr(module, "PAGE_BYTES", 1)
    assert len(follow(writer)[0]) == 6
    for path in ("/data-history/a?limit=500", "/audit?entity=data&limit=500"):
        assert walk(writer, path) == [[6], [5], [4], [3], [2], [1]]
