"""Pages of what a filter finds in a book of many contacts, where a page is picked out of a kept
order from where it begins."""

import orjson
import pytest

from contactapp.books.view import BookView
from contactapp.contacts.listing import page_of
from contactapp.contacts.queries import ListQuery
from contactapp.contacts.row import Row
from contactapp.incoming import parsed_query

CONTACTS = 1_800
QUERY = ListQuery()


class OpenSeal:
    """A cursor as it is, for a test without keys."""

    def seal(self, values, listing):
        return orjson.dumps(values).hex()

    def open(self, cursor, listing):
        return orjson.loads(bytes.fromhex(cursor))


@pytest.fixture(scope="module")
def view():
    def row(number):
        card = {"first_name": f"n{number * 7919 % 600:03}", "company": f"c{number % 100}"}
        return Row((number, str(number), 1, 1, 1_000, 1_000, 1, 1), orjson.dumps(card))

    return BookView.of(1, b"", [row(number) for number in range(1, CONTACTS + 1)])


def page(view, query):
    return page_of(view, parsed_query(QUERY, query.encode()), OpenSeal())


def wanted(view, found):
    rows = [row for row in view.rows.values() if found(int(row.value("company")[1:]))]
    return [row.id for row in sorted(rows, key=lambda row: (row.value("name"), row.id))]


# The companies are c0 to c99, 18 contacts each: all, many, few enough to be sorted by themselves,
# and none.
FOUND = {
    "": lambda company: True,
    "&company_like=c": lambda company: True,
    "&company_like=3": lambda company: "3" in str(company),
    "&company=c42": lambda company: company == 42,
    "&company=none": lambda company: False,
}


@pytest.mark.parametrize("where", FOUND)
def test_pages_by_cursor_are_the_list(view, where):
    expected = wanted(view, FOUND[where])
    got, cursor, pages = [], "", 0
    while cursor is not None:
        found = page(view, f"sort=name&limit=37{where}{cursor and '&cursor=' + cursor}")
        got += [row.id for row in found.rows]
        assert found.total == len(expected)
        cursor, pages = found.next_cursor, pages + 1
    assert got == expected
    assert pages == max(1, -(-len(expected) // 37))


@pytest.mark.parametrize("where", FOUND)
@pytest.mark.parametrize("skip", [0, 1, 17, 18, 300, 1_780, 1_800, 5_000])
def test_pages_by_skip_are_the_list(view, where, skip):
    expected = wanted(view, FOUND[where])
    found = page(view, f"sort=name&limit=20&skip={skip}{where}")
    assert [row.id for row in found.rows] == expected[skip : skip + 20]
    assert found.total == len(expected)
    assert (found.next_cursor is None) == (len(expected) <= skip + 20 or skip >= len(expected))
