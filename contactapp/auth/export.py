"""Everything about an account as one ZIP, written while it is sent."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from ..actor import Actor
from ..audit import service as audit
from ..audit import trail
from ..changes.service import export_changes
from ..contacts.service import export_contacts, export_dismissals, export_photos
from ..custom_fields.service import export_definitions
from ..data.service import export_data
from ..database import write_transaction
from ..feeds.service import export_feeds
from ..imports.service import export_files, export_imports, export_rows
from ..notes.service import export_notes
from ..operations.service import export_operations
from ..users.service import picture_files, picture_token, show_user
from ..webhooks.service import export_deliveries, list_webhooks
from .api_tokens import list_tokens
from .recovery import proven
from .second_factor import status
from .sessions import list_sessions

_PRETTY = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
_README = b"""Everything that contactapp knows about this account.

profile.json   the account
contacts.json  every contact of its address book, those in the trash with deleted_at
fields.json    what its custom fields may hold, deleted definitions with deleted_at
dismissed.json pairs of contacts that were said not to be the same
notes.json     every note about them, deleted ones with deleted_at
data.json      its key-value data
changes.json   what was changed in the address book and in the data, before and after
operations.json  which of these were made as one, and can be undone
imports.json   files that it imported, as far as they are kept
import_rows.json  what became of each of their rows
sessions.json  where it is signed in
tokens.json    its API tokens, without what they are
second_factor.json  whether signing in asks for one-time codes
feeds.json     its calendar feeds, without the addresses that open them
webhooks.json  addresses that are told of changes, without their secrets
deliveries.json  what became of these messages in the last seven days
audit.json     sign-ins, passwords and the like
avatar/        its picture
photos/        of contacts, by their id; earlier ones as long as they are kept
imports/       files of which rows were rejected, or that were only previewed

All files are JSON in UTF-8; times are UTC.
"""


class _Sink:
    """A file that ZipFile writes to and that is emptied between."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        """What was written since."""
        taken, self._parts = b"".join(self._parts), []
        return taken


def export_account(actor: Actor, password: str) -> Iterator[bytes]:
    """The parts of the ZIP, one after another; memory holds a few hundred rows. Raises Forbidden
    (`wrong_password`) before the first."""
    proven(actor, password)
    _record(actor)
    return _parts(actor)


@write_transaction
def _record(actor: Actor) -> None:
    audit.record("exported", actor.user_id, actor.key_id, actor.request_id)


def _parts(actor: Actor) -> Iterator[bytes]:
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", _README)
        for name, shown in _short(actor):
            archive.writestr(name, orjson.dumps(shown, option=_PRETTY))
        for path in picture_files(picture_token(actor.user_id)):
            archive.writestr(f"avatar/{path.name.rpartition('-')[2]}", path.read_bytes())
        yield sink.take()
        for photo, content in export_photos(actor.user_id):
            archive.writestr(f"photos/{photo}", content)
            yield sink.take()
        for imported, parts in export_files(actor):
            with archive.open(f"imports/{imported}", "w", force_zip64=True) as entry:
                for part in parts:
                    entry.write(part)
                    yield sink.take()
        for name, rows in _long(actor):
            with archive.open(name, "w", force_zip64=True) as entry:
                for part in _json_list(rows):
                    entry.write(part)
                    taken = sink.take()
                    if taken:
                        yield taken
    yield sink.take()


def _short(actor: Actor) -> Iterator[tuple[str, Any]]:
    """The files that are written at once."""
    yield "profile.json", show_user(actor.user_id)
    yield "sessions.json", list_sessions(actor)
    yield "feeds.json", export_feeds(actor)
    yield "webhooks.json", list_webhooks(actor)
    yield "tokens.json", list_tokens(actor)
    yield "second_factor.json", status(actor.user_id)


def _long(actor: Actor) -> Iterator[tuple[str, Iterable[dict[str, Any]]]]:
    """The lists of which memory holds a few hundred rows."""
    yield "contacts.json", export_contacts(actor.user_id)
    yield "fields.json", export_definitions(actor.user_id)
    yield "dismissed.json", export_dismissals(actor.user_id)
    yield "notes.json", export_notes(actor.user_id)
    yield "data.json", export_data(actor)
    yield "changes.json", export_changes(actor.user_id)
    yield "operations.json", export_operations(actor.user_id)
    yield "deliveries.json", export_deliveries(actor.user_id)
    yield "imports.json", export_imports(actor)
    yield "import_rows.json", export_rows(actor)
    yield "audit.json", trail.own_events(actor.user_id)


def _json_list(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    yield b"["
    between = b"\n"
    for row in rows:
        yield between + orjson.dumps(row)
        between = b",\n"
    yield b"\n]\n"
