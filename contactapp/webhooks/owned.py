"""Somebody's own webhooks, and what is noted about them."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..actor import Actor
from ..audit import service as audit
from ..database import Sql, lane
from ..errors import NotFound
from .stored import COLUMNS, Webhook

_OWN = (
    f"SELECT {COLUMNS}, b.owner_id = w.user_id OR m.role IS NOT NULL, b.owner_id = w.user_id "  # noqa: S608
    "FROM webhook w JOIN book b ON b.id = w.book_id "
    "LEFT JOIN book_member m ON m.book_id = w.book_id AND m.user_id = w.user_id "
    "WHERE w.user_id = ? "
)
_LISTED, _ONE = Sql(f"{_OWN}ORDER BY w.id"), Sql(f"{_OWN}AND w.id = ?")
_FOLLOWED = Sql("UPDATE stream SET followed = ? WHERE id = ?")


class Owned(NamedTuple):
    """A webhook, whether its user may read its book, and whether that is their own."""

    webhook: Webhook
    has_access: bool
    own_book: bool

    def shown(self, actor: Actor) -> dict[str, Any]:
        """As its user sees it (schema Webhook)."""
        return self.webhook.shown(self.webhook.private(actor.key_id), self.has_access)


def find(actor: Actor, webhook_id: int) -> Owned:
    """One of the actor's own. Raises NotFound."""
    row = lane().one(_ONE, (actor.user_id, webhook_id))
    if row is None:
        raise NotFound()
    return _owned(row)


def find_all(actor: Actor) -> list[Owned]:
    """All of them by id, also those of books that are no longer shared with the actor."""
    return [_owned(row) for row in lane().all(_LISTED, (actor.user_id,))]


def _owned(row: tuple[Any, ...]) -> Owned:
    return Owned(Webhook(*row[:-2]), bool(row[-2]), bool(row[-1]))


def follow(*stream_ids: int) -> None:
    """Lock streams, before anything else is locked as every write does, and have their writes look
    for webhooks."""
    for stream_id in sorted(stream_ids):
        lane().run(_FOLLOWED, (True, stream_id))


def record(kind: str, actor: Actor, webhook_id: int, **details: Any) -> None:
    """Note in the running transaction what the actor did."""
    about = {"webhook_id": webhook_id, **details}
    audit.record(kind, actor.user_id, actor.key_id, actor.request_id, about)
