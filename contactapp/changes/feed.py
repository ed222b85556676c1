"""The change feed: what happened to a book, in the order in which it was committed.

A reader keeps a cursor, (seq, head) of the last change it was told of, and asks for what came
after. seq order is commit order (see `service.ChangeLog`), so nothing can appear behind a cursor;
and a seq whose head is another than the cursor's belongs to another history, of a copy that was
put back.

With one's own book come the changes of one's key-value data. They are a stream of their own, so a
cursor holds a position in each; times only decide which of the two has the next turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .. import serving
from ..actor import Actor
from ..bounded import Busy
from ..database import lane
from ..paging import PAGE_BYTES
from . import cursor
from .cursor import Told
from .page import Page, read_page
from .waiting import RETRY_AFTER, waiting_places

TYPES = (
    *("contact", "contact.created", "contact.updated", "contact.deleted", "contact.restored"),
    *("contact.purged", "note", "note.created", "note.updated", "note.deleted", "note.restored"),
    *("note.purged", "note.processed"),
    *("custom_field", "custom_field.created", "custom_field.updated", "custom_field.deleted"),
    "custom_field.restored",
    *("data", "data.created", "data.updated", "data.deleted"),
)
_PAUSE = 0.25  # seconds between two looks


def changes_since(
    actor: Actor, query: dict[str, Any], again: Callable[[], Actor]
) -> tuple[dict[str, Any], bytes, bool]:
    """The feed after the query's cursor (a parsed `schemas.ChangesQuery`), the state that it tells
    of, and whether there was no place to wait. `again` lets the actor in anew, or raises.

    Raises BadRequest for what is no cursor of this feed, Gone for one that cannot be continued.
    """
    told = cursor.opened(actor, query["since"]) if "since" in query else Told()
    page, full = _page(actor, told, query), False
    if query["wait"] and not (page.items or page.has_more):
        try:
            with waiting_places().place_of(actor.user_id):
                page = _waited(page, query, again)
        except Busy:
            full = True
    next_cursor = cursor.sealed(actor, page.told)
    found = {"items": page.items, "next_cursor": next_cursor, "has_more": page.has_more}
    return found, page.state(), full


def _waited(page: Page, query: dict[str, Any], again: Callable[[], Actor]) -> Page:
    """What comes after an empty page, or it where nothing comes in time. Every look is the guard's
    own reading, which tells the book's state too: who may no longer read is told nothing, and no
    transaction or lock is held meanwhile."""
    until = time.monotonic() + query["wait"]
    while not (page.items or page.has_more or serving.is_ending()):
        left = until - time.monotonic()
        if left <= 0:
            break
        lane().give_back()  # as in `stream`
        time.sleep(min(_PAUSE, left))
        page = _page(again(), page.told, query)
    return page


def _page(actor: Actor, told: Told, query: dict[str, Any]) -> Page:
    return read_page(actor, told, query["types"], query["limit"], PAGE_BYTES)


__all__ = ["RETRY_AFTER", "TYPES", "changes_since", "waiting_places"]
