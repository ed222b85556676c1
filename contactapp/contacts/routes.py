"""`/api/v1/contacts`."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Response

from ..answers import (
    answer_object,
    conditional,
    expected_version,
    location,
    no_content,
    version_tag,
)
from ..changes.schemas import HistoryPage, HistoryQuery, Revert
from ..config import settings
from ..http import Blueprint, actor, versioned
from ..paging import answer_book_page, answer_page
from ..shapes import BookQuery, DryRun
from ..users.service import today_of
from . import bulk, service, trash
from .bulk_schemas import ContactBulk, ContactBulkAnswer
from .merged import leading_on
from .queries import BirthdayQuery, DeleteQuery, ListQuery, SearchQuery, TrashQuery
from .schemas import (
    BirthdayPage,
    Contact,
    ContactInput,
    ContactPage,
    ContactPatch,
    SearchPage,
    TrashPage,
)

contacts = Blueprint(
    "contacts",
    __name__,
    description="The contacts of an address book",
    area="contacts",
    around=leading_on,
)


@contacts.route("/contacts")
@contacts.query(ListQuery)
@contacts.response(200, ContactPage)
def list_contacts(query: dict[str, Any]) -> Response:
    """List the contacts of the book"""
    who = actor()
    return answer_book_page(who, partial(service.list_contacts, who, query), b"")


@contacts.route("/contacts/search")
@contacts.query(SearchQuery)
@contacts.response(200, SearchPage)
def search_contacts(query: dict[str, Any]) -> Response:
    """Find contacts by words in any field"""
    who = actor()
    read = partial(service.list_contacts, who, query, searched=True)
    return answer_book_page(who, read, b"search")


@contacts.route("/contacts/birthdays")
@contacts.query(BirthdayQuery)
@contacts.response(200, BirthdayPage)
def list_birthdays(query: dict[str, Any]) -> Response:
    """List whose birthday comes in the next days, the next one first"""
    who = actor()
    first = query.get("date") or today_of(who.user_id)
    read = partial(service.list_birthdays, who, query, first)
    leap_day = settings().leap_day_birthdays.encode()
    return answer_book_page(who, read, b"birthdays", first.isoformat().encode(), leap_day)


@contacts.route("/contacts", methods=["POST"])
@contacts.query(BookQuery)
@contacts.body(ContactInput)
@contacts.response(201, Contact)
def create_contact(fields: dict[str, Any], query: dict[str, Any]) -> Response:
    """Add a contact

    403 `contact_limit_reached` where the owner of the book has as many as there may be: of one's
    own, `GET /users/me` tells how many these are.
    """
    stored = service.create_contact(actor(), actor().book, fields)
    return _contact(stored, 201, location(stored.meta.id, query.get("book")))


@contacts.route("/contacts/<id:contact_id>")
@contacts.query(BookQuery)
@contacts.response(200, Contact)
def get_contact(_query: dict[str, Any], contact_id: int) -> Response:
    """Show a contact"""
    version, body = service.get_contact(actor(), contact_id)
    return conditional(version_tag(version), lambda: body)


@contacts.route("/contacts/<id:contact_id>", methods=["PUT"])
@versioned
@contacts.query(BookQuery)
@contacts.body(ContactInput)
@contacts.response(200, Contact)
def replace_contact(fields: dict[str, Any], _query: dict[str, Any], contact_id: int) -> Response:
    """Replace a contact; what is absent is cleared"""
    expected = expected_version()
    return _contact(service.replace_contact(actor(), actor().book, contact_id, fields, expected))


@contacts.route("/contacts/<id:contact_id>", methods=["PATCH"])
@versioned
@contacts.query(BookQuery)
@contacts.body(ContactPatch)
@contacts.response(200, Contact)
def patch_contact(patch: dict[str, Any], _query: dict[str, Any], contact_id: int) -> Response:
    """Change the given fields of a contact; null clears one"""
    expected = expected_version()
    return _contact(service.patch_contact(actor(), actor().book, contact_id, patch, expected))


@contacts.route("/contacts/<id:contact_id>", methods=["DELETE"])
@versioned
@contacts.query(DeleteQuery)
@contacts.response(204)
def trash_contact(query: dict[str, Any], contact_id: int) -> Response:
    """Move a contact to the trash, or delete it for good with `permanent=true`"""
    delete = trash.delete_permanently if query["permanent"] else service.trash_contact
    delete(actor(), actor().book, contact_id, expected_version())
    return no_content()


@contacts.route("/contacts/trash")
@contacts.query(TrashQuery)
@contacts.response(200, TrashPage)
def list_trash(query: dict[str, Any]) -> Response:
    """List what lies in the trash, what was deleted last first"""
    return answer_page(b"trash", trash.list_trash(actor(), query))


@contacts.route("/contacts/<id:contact_id>/restore", methods=["POST"])
@versioned
@contacts.query(BookQuery)
@contacts.response(200, Contact)
def restore_contact(_query: dict[str, Any], contact_id: int) -> Response:
    """Take a contact out of the trash, with its notes

    It takes a place of the limit again: 403 `contact_limit_reached` where there is none. A contact
    that does not lie in the trash stays as it is.
    """
    return _contact(trash.restore_contact(actor(), actor().book, contact_id, expected_version()))


@contacts.route("/contacts/bulk", methods=["POST"])
@contacts.query(DryRun)
@contacts.body(ContactBulk, times=4)
@contacts.response(200, ContactBulkAnswer)
def change_contacts(fields: dict[str, Any], query: dict[str, Any]) -> Response:
    """Create, change and delete many contacts at once

    Each operation is told with its own status. `atomic`, which is the default, does all or none:
    then an operation that cannot be done makes the answer 422 `bulk_failed`, or 403
    `contact_limit_reached` where only the limit is in the way, with `items` as in the answer; 424
    are those that could have been done. A call changes 16 MiB of contacts; what would be more is
    413 `body_too_large`. All that was done is one operation, which can be undone.
    """
    who, how = actor(), {"atomic": fields["atomic"], "dry_run": query["dry_run"]}
    return answer_object(bulk.run_bulk(who, who.book, fields["operations"], **how))


@contacts.route("/contacts/<id:contact_id>/history")
@contacts.query(HistoryQuery)
@contacts.response(200, HistoryPage)
def list_contact_history(query: dict[str, Any], contact_id: int) -> Response:
    """List the versions of a contact, the newest first"""
    return answer_page(b"history", service.contact_history(actor(), contact_id, query))


@contacts.route("/contacts/<id:contact_id>/revert", methods=["POST"])
@versioned
@contacts.query(BookQuery)
@contacts.body(Revert)
@contacts.response(200, Contact)
def revert_contact(wanted: dict[str, Any], _query: dict[str, Any], contact_id: int) -> Response:
    """Give a contact the fields again that it had at a version"""
    expected, version = expected_version(), wanted["version"]
    return _contact(service.revert_contact(actor(), actor().book, contact_id, version, expected))


def _contact(
    stored: service.Stored, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    etag = {"ETag": version_tag(stored.meta.version)}
    return answer_object(stored.shown(), status, {**etag, **(headers or {})})
