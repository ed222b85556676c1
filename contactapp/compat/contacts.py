"""The contacts of one's own book, as three of the earlier systems had them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import orjson
from flask import Response

from ..answers import answer_object, conditional, expected_version, location, version_tag
from ..contacts import service
from ..contacts.birthdays import BirthdayPage
from ..contacts.listing import Page
from ..http import actor, scoped
from ..paging import answer_book_page
from ..users.service import today_of
from .card import patch_of, shown
from .schemas import Birthdays, Contacts, Found, Sent
from .system import System, body, query
from .told import with_message

contacts = System("earlier-contacts", ("/contacts",), with_message)
"""The routes without a prefix, which the systems share."""


class PlainPage(NamedTuple):
    """A page as a plain array; the Link header says where it goes on."""

    page: Page | BirthdayPage

    @property
    def next_cursor(self) -> str | None:
        """Where the next page starts."""
        return self.page.next_cursor

    def body(self) -> bytes:
        """The page's JSON."""
        return orjson.dumps([shown(row.id, row.card()) for row in self.page.rows])


def _answer(
    read: Callable[..., tuple[bytes, Page | BirthdayPage]], *given: Any, about: bytes
) -> Response:
    who = actor()

    def read_plain() -> tuple[bytes, PlainPage]:
        head, page = read(who, *given)
        return head, PlainPage(page)

    return answer_book_page(who, read_plain, b"plain", about)


@scoped("contacts")
@query(Contacts)
def list_contacts(asked: dict[str, Any]) -> Response:
    """List the contacts of one's book"""
    return _answer(service.list_contacts, asked, about=b"")


@scoped("contacts")
@query(Found)
def search_contacts(asked: dict[str, Any]) -> Response:
    """Find contacts by words in any field"""
    return _answer(service.list_contacts, asked, about=b"search")


@scoped("contacts")
@query(Birthdays)
def list_birthdays(asked: dict[str, Any]) -> Response:
    """List who has a birthday within a week, the next one first"""
    first = asked.get("date") or today_of(actor().user_id)
    about = b"birthdays" + first.isoformat().encode()
    return _answer(service.list_birthdays, asked, first, about=about)


@scoped("contacts")
@body(Sent)
def create_contact(sent: dict[str, Any]) -> Response:
    """Add a contact"""
    stored = service.create_contact(actor(), actor().book, patch_of({}, sent))
    return _contact(stored, 201, location(stored.meta.id))


@scoped("contacts")
def get_contact(contact_id: int) -> Response:
    """Show a contact"""
    version, native = service.get_contact(actor(), contact_id)
    tag = version_tag(version)
    return conditional(tag, lambda: orjson.dumps(shown(contact_id, orjson.loads(native))))


@scoped("contacts")
@body(Sent)
def edit_contact(sent: dict[str, Any], contact_id: int) -> Response:
    """Change what was sent of a contact"""
    edit, expected = partial(patch_of, sent=sent), expected_version()
    return _contact(service.edit_contact(actor(), actor().book, contact_id, edit, expected))


@scoped("contacts")
def delete_contact(contact_id: int) -> Response:
    """Move a contact to the trash"""
    stored = service.trash_contact(actor(), actor().book, contact_id, expected_version())
    gone = shown(stored.meta.id, stored.card)
    return answer_object({**gone, "message": "The contact was deleted."})


def _contact(
    stored: service.Stored, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    etag = {"ETag": version_tag(stored.meta.version)}
    contact = shown(stored.meta.id, stored.card)
    return answer_object(contact, status, {**etag, **(headers or {})})


def add_contact_routes(system: System, prefix: str) -> None:
    """Give a system the contacts' routes below a path, for API tokens too."""
    one = f"{prefix}/<id:contact_id>"
    system.add_url_rule(prefix, view_func=list_contacts)
    system.add_url_rule(prefix, view_func=create_contact, methods=["POST"])
    system.add_url_rule(one, view_func=get_contact)
    system.add_url_rule(one, view_func=edit_contact, methods=["PUT", "PATCH"])
    system.add_url_rule(one, view_func=delete_contact, methods=["DELETE"])


add_contact_routes(contacts, "/contacts")
contacts.add_url_rule("/contacts/search", view_func=search_contacts)
contacts.add_url_rule("/contacts/birthdays", view_func=list_birthdays)
