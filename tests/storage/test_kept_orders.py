"""Orders and columns of a view are handed on and patched, not made again. Pure: no database."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from contactapp.books.view import BookView, Order, id_array


class Plain(NamedTuple):
    id: int
    value: str | None
    size: int = 1


class Calls:
    """An order by value and a column of it, counting how often each is worked out."""

    def __init__(self):
        self.made = self.read = 0

    def order(self, view):
        self.made += 1
        return Order(id_array(sorted(view.rows, key=lambda i: key(view.rows[i]))), key)

    def of(self, row):
        self.read += 1
        return row.value and row.value.upper()


def key(row):
    return (row.value is None, row.value or "", row.id)


def shown(view, calls):
    """What a request sees: the ids in both orders and the column."""
    order = view.order("by value", calls.order)
    return list(view.ids), list(order.ids), view.column("upper", calls.of)


def anew(rows):
    return shown(BookView.of(1, b"", rows), Calls())


def test_one_touched_row_is_read_once_and_no_order_is_made():
    rows, calls = [Plain(n, str(n % 7)) for n in range(1, 101)], Calls()
    view = BookView.of(1, b"", rows)
    shown(view, calls)
    assert (calls.made, calls.read) == (1, 100)
    changed = Plain(50, "new")
    after = view.next(2, b"", [50], [changed])
    assert shown(after, calls) == anew([row for row in rows if row.id != 50] + [changed])
    assert (calls.made, calls.read) == (1, 101)


def test_views_in_between_that_nobody_asks_cost_nothing():
    rows, calls = [Plain(n, str(n % 7)) for n in range(1, 101)], Calls()
    view = BookView.of(1, b"", rows)
    shown(view, calls)
    for number in range(5):
        view = view.next(2 + number, b"", [7], [Plain(7, f"try {number}")])
    assert calls.read == 100
    assert shown(view, calls)[2][7] == "TRY 4"
    assert (calls.made, calls.read) == (1, 101)


def test_where_much_was_touched_all_is_made_anew():
    rows, calls = [Plain(n, "a") for n in range(1, 101)], Calls()
    view = BookView.of(1, b"", rows)
    shown(view, calls)
    changed = [Plain(n, "b") for n in range(1, 51)]
    shown(view.next(2, b"", range(1, 51), changed), calls)
    assert (calls.made, calls.read) == (2, 200)


def test_the_older_view_stays_as_it_was():
    rows = [Plain(n, str(n)) for n in range(1, 30)]
    view, calls = BookView.of(1, b"", rows), Calls()
    before = shown(view, calls)
    shown(view.next(2, b"", [3, 4], [Plain(3, "z")]), calls)
    assert shown(view, calls) == before == anew(rows)


def test_no_more_than_twelve_are_kept_and_their_size_counts():
    view = BookView.of(1, b"", [Plain(1, "a")])
    empty = view.size
    for number in range(40):
        view.column(number, lambda row: row.value)
    assert len(view._kept) == 12
    after = view.next(2, b"", [], [])
    assert len(after._earlier) == 12
    assert after.size == view.size > empty


STEPS = st.lists(
    st.lists(
        st.tuples(st.integers(1, 40), st.one_of(st.none(), st.text("abc", max_size=2))), max_size=6
    ),
    max_size=6,
)


@given(
    st.dictionaries(st.integers(1, 40), st.one_of(st.none(), st.text("abc", max_size=2))),
    STEPS,
    st.integers(0, 3),
)
def test_whatever_happens_a_patched_view_equals_one_made_anew(start, steps, every):
    """A value of None takes the row out of the column, a text of `c` out of the view."""
    rows = {id_: Plain(id_, value) for id_, value in start.items()}
    view, calls = BookView.of(0, b"", rows.values()), Calls()
    shown(view, calls)
    for number, step in enumerate(steps, 1):
        touched = {id_: Plain(id_, value) for id_, value in step if value != "c"}
        gone = {id_ for id_, _ in step} - touched.keys()
        rows = {id_: row for id_, row in {**rows, **touched}.items() if id_ not in gone}
        view = view.next(number, b"", {id_ for id_, _ in step}, list(touched.values()))
        if number % (every + 1) == 0:
            assert shown(view, calls) == anew(rows.values())
    assert shown(view, calls) == anew(rows.values())
    assert view.size - (len(view._kept) + len(view._earlier)) * 60 * len(rows) == len(rows)
