"""Where a contact is that was merged into another one.

Whoever kept its address is led on when they read. Not when they write: a client that follows and
repeats a DELETE would delete the survivor.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import quote

from flask import Response, request

from ..actor import Book
from ..answers import also_say
from ..database import Sql, lane
from ..errors import Conflict, NotFound
from ..http import actor

_RULE = "/contacts/<id:contact_id>"
_FIND = Sql("SELECT deleted_at, merged_into FROM contact WHERE book_id = ? AND id = ?")


def survivor_of(book: Book, contact_id: int) -> int | None:
    """The live contact that one in the trash became a part of, over any number of merges; None
    where that one is gone too."""
    known: set[int] = set()
    while contact_id not in known:
        row = lane().one(_FIND, (book.id, contact_id))
        if row is None:
            return None
        deleted_at, merged_into = row
        if deleted_at is None:
            return contact_id if known else None
        known.add(contact_id)
        contact_id = merged_into or 0
    return None


def leading_on(rule: str, view: Callable[..., Any]) -> Callable[..., Any]:
    """Around a view that is about one contact: where that was merged, GET and HEAD answer 308, and
    what writes 409 `merged`."""
    if not rule.startswith(_RULE):
        return view

    @wraps(view)
    def led(*args: Any, contact_id: int, **kwargs: Any) -> Any:
        try:
            return view(*args, contact_id=contact_id, **kwargs)
        except NotFound:
            into = survivor_of(actor().book, contact_id)
            if into is None:
                raise
            return _led_on(contact_id, into)

    return led


def _led_on(contact_id: int, into: int) -> Response:
    if request.method not in {"GET", "HEAD"}:
        raise Conflict("merged", merged_into=into)
    start, _, rest = request.path.partition(f"/contacts/{contact_id}")
    path = quote(request.script_root + start) + f"/contacts/{into}" + quote(rest, safe="/")
    query = quote(request.query_string, safe="%&=+,:;/?@!$'()*~")
    # Undone, the contact is here again, so nobody may remember the way; the envelope says no-store.
    also_say({"Location": f"{path}?{query}" if query else path})
    response = Response(status=308)
    del response.headers["Content-Type"]
    return response
