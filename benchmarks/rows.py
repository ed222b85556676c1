"""What is measured, and which ratio each row should keep."""

from __future__ import annotations

from typing import NamedTuple

SMALL = 100
PAGE = 20
JUDGED = 16  # connections at which targets are


class Row(NamedTuple):
    """A measured request. Ratios are CPU per request to the ceiling's; `faster` is requests per
    second to the reference's, on the engines in `faster_on`. `exact` rows answer the same bytes
    each time. A row is measured in the same rounds as the one `beside` it. `slow` rows, of which
    an answer may take half a second, have fewer and longer rounds."""

    key: str
    label: str
    sqlite: float | None = None
    postgresql: float | None = None
    faster: float | None = None
    faster_on: tuple[str, ...] = ("sqlite", "postgresql")
    exact: bool = True
    big: bool = False
    beside: str = ""
    slow: bool = False


ROWS = (
    Row("list", "list of 20 out of 100", 2.0, 2.9, faster=4.0),
    Row("unchanged", "the same list, 304", beside="list"),
    Row("get", "get one contact", 1.8, 2.7),
    Row("search", "search in 100", 2.0, 2.9),
    # The target names SQLite's `synchronous=FULL`. On PostgreSQL all creates here go to one book,
    # whose lock is held over seven round trips and the flush; the reference locks nothing.
    Row("create", "create", faster=3.0, faster_on=("sqlite",), exact=False),
    Row("sign-in", "sign in (bcrypt 12)", exact=False, slow=True),
    Row("list-big", "list of 20, big book", big=True),
    Row("search-big", "search, big book", big=True, slow=True),
    Row("deep", "deep page by cursor, big book", big=True, beside="list-big"),
    Row("skip", "deep page by skip, big book", big=True, beside="list-big"),
)
BY_KEY = {row.key: row for row in ROWS}

# Pairs of which one must not cost more than the other; at one connection, where their few percent
# are not lost among those by which a busy machine swings.
COMPARED = (("unchanged", "list"), ("deep", "list-big"), ("skip", "list-big"))

# A waiting sign-in beyond three per process is refused at once, so more connections say nothing.
SIGN_IN_CONNECTIONS = 16


def together(rows: tuple[Row, ...]) -> list[list[Row]]:
    """The rows that are measured in the same rounds, each with those beside it."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.beside or row.key, []).append(row)
    return list(groups.values())


def chosen(names: str) -> tuple[Row, ...]:
    """The rows of a list divided by commas; all of them for an empty one."""
    keys = [name for name in names.split(",") if name] or list(BY_KEY)
    if unknown := [key for key in keys if key not in BY_KEY]:
        raise SystemExit(f"no such row: {', '.join(unknown)}; there are {', '.join(BY_KEY)}")
    return tuple(BY_KEY[key] for key in keys)
