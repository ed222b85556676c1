"""Pages of duplicates: groups in, the bytes of a page out. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from ..books.view import BookView
from ..paging import PAGE_BYTES, CursorSeal
from .duplicates import Group, why
from .row import Row


class DuplicatesPage(NamedTuple):
    """Some groups, as JSON already, and where the next page starts."""

    items: list[bytes]
    next_cursor: str | None
    total: int

    def body(self) -> bytes:
        """The page's JSON."""
        cursor = b"null" if self.next_cursor is None else b'"%s"' % self.next_cursor.encode()
        items = b",".join(self.items)
        return b'{"items":[%b],"next_cursor":%b,"total":%d}' % (items, cursor, self.total)


def page_of_duplicates(
    view: BookView[Row], found: Sequence[Group], query: Mapping[str, Any], seal: CursorSeal
) -> DuplicatesPage:
    """The page that the query asks for; it ends early where its groups are large. Raises BadRequest
    for a cursor that is not of this list."""
    start, limit, listing = query["skip"], query["limit"], query["listing"]
    if "cursor" in query:
        after = tuple(seal.open(query["cursor"], listing))
        start = bisect_right(found, after, key=lambda group: group.place)
    items: list[bytes] = []
    size = 0
    for group in found[start : start + limit]:
        if size > PAGE_BYTES:
            break
        items.append(_item(view, group, query["fields_"]))
        size += len(items[-1])
    end, cursor = start + len(items), None
    if items and end < len(found):
        cursor = seal.seal(list(found[end - 1].place), listing)
    return DuplicatesPage(items, cursor, len(found))


def _item(view: BookView[Row], group: Group, names: tuple[str, ...]) -> bytes:
    shown = [orjson.loads(view.rows[contact_id].body) for contact_id in group.ids]
    reasons = why(group.ids, lambda contact_id: view.rows[contact_id].card())
    return orjson.dumps(
        {
            "key": "-".join(map(str, group.ids)),
            "score": group.score,
            "reasons": [reason._asdict() for reason in reasons],
            "contacts": [{name: contact[name] for name in names} for contact in shown],
        }
    )
