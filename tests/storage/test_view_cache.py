"""The views of a process: read by one thread for all, and dropped by their size."""

import threading
import tracemalloc

import pytest

from contactapp.contacts.row import Row
from contactapp.database import lane
from tests.support.books import book_of, cache, firsts
from tests.support.cast import Person


def test_eight_threads_at_a_cold_book_open_each_blob_once(here):
    results, together = [], threading.Barrier(8, timeout=20)
    with here.app.app_context():
        cold, book = cache(), book_of(here)

    def read():
        with here.app.app_context():
            together.wait()
            results.append(cold.current(book))
            lane().close()

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [firsts(view) for view in results] == [["Ada", "Grace", "Hedy"]] * 8
    assert cold.opened == 3


@pytest.fixture
def three_books(apps):
    """The states of three books with the same content, and the size of the view of each."""
    people = [Person(apps[0], f"p{number}") for number in range(3)]
    for person in people:
        person.contact(first_name="Ada", nickname="n" * 50)
    with apps[0].app_context():
        books = [book_of(person) for person in people]
        yield books, max(cache().current(book).size for book in books)


def test_the_least_recently_used_views_are_dropped_by_their_size(three_books):
    books, size = three_books
    kept = cache(2 * size)
    first, second = (kept.current(book) for book in books[:2])
    assert kept.peek(books[0]) is first
    kept.current(books[2])
    assert kept.peek(books[0]) is first
    assert kept.peek(books[1]) is None
    assert firsts(second) == ["Ada"]  # whoever still holds it is not disturbed
    assert kept.opened == 3


def test_a_view_over_the_capacity_is_served_and_not_kept(three_books):
    books, size = three_books
    kept = cache(size // 2)
    for times in (1, 2):
        assert firsts(kept.current(books[0])) == ["Ada"]
        assert kept.peek(books[0]) is None
        assert kept.opened == times


def test_a_view_that_grew_over_the_capacity_drops_only_itself(three_books, apps):
    books, size = three_books
    person = Person(apps[0], "growing")
    kept = cache(3 * size)
    kept.current(books[0])
    person.contact(first_name="Ada")
    kept.current(book_of(person))
    person.contact(first_name="Big", custom_fields={str(n): "x" * 5000 for n in range(9)})
    assert firsts(kept.current(book_of(person))) == ["Ada", "Big"]
    assert kept.peek(book_of(person)) is None
    assert kept.peek(books[0]) is not None


def test_a_served_contact_keeps_its_bytes_and_no_buffer():
    """orjson's bytes come in the 8 KiB that they were written in."""
    columns = (1, "b1ef9d5f-d079-4c05-b8b9-23e798225476", 1, 1, 0, 0, 1, 1)
    rows = [Row(columns, b'{"first_name":"Ada"}') for _ in range(500)]
    tracemalloc.start()
    length = sum(len(row.body) for row in rows)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < length + 500 * 100
