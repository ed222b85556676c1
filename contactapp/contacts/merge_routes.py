"""`/api/v1/contacts/duplicates` and `/api/v1/contacts/{id}/merge`."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Response

from ..answers import answer_object, expected_version, no_content, version_tag
from ..http import Blueprint, actor, versioned
from ..paging import answer_book_page
from ..shapes import BookQuery, DryRun
from . import dismissals, merge
from .merge_schemas import Dismissal, DuplicatesPage, MergeAnswer, MergeInput
from .merged import leading_on
from .queries import DuplicatesQuery

merges = Blueprint(
    "merges",
    __name__,
    description="Contacts that are there more than once",
    area="contacts",
    around=leading_on,
)


@merges.route("/contacts/duplicates")
@merges.query(DuplicatesQuery)
@merges.response(200, DuplicatesPage)
def list_duplicates(query: dict[str, Any]) -> Response:
    """List the contacts that may be one person, the surest first

    What agrees closes a part each of the distance to 1: an e-mail address 0.8, a phone number 0.7,
    a birthday 0.6 (0.3 without its year), a name 0.5, a similar name 0.4, a company 0.2. Names of
    two people halve the score, different birthdays take 0.4 of it off. So a name alone is 0.5.
    Nothing is merged by itself: `POST /contacts/{id}/merge` does it, and
    `POST /contacts/duplicates/dismiss` says that they are not the same.
    """
    who = actor()
    tag, dismissed = dismissals.dismissed_in(who.book)
    read = partial(dismissals.list_duplicates, who, query, dismissed)
    return answer_book_page(who, read, b"duplicates", tag)


@merges.route("/contacts/duplicates/dismiss", methods=["POST"])
@merges.query(BookQuery)
@merges.body(Dismissal)
@merges.response(204)
def dismiss_duplicates(fields: dict[str, Any], _query: dict[str, Any]) -> Response:
    """Say that contacts which look alike are not the same

    No two of them are shown as duplicates any more, to nobody who uses the book, whatever becomes
    of them. The contacts themselves do not change, and get no new version.
    """
    dismissals.dismiss(actor(), actor().book, fields["contact_ids"])
    return no_content()


@merges.route("/contacts/<id:contact_id>/merge", methods=["POST"])
@versioned
@merges.query(DryRun)
@merges.body(MergeInput)
@merges.response(200, MergeAnswer)
def merge_contacts(fields: dict[str, Any], query: dict[str, Any], contact_id: int) -> Response:
    """Merge other contacts into this one

    It keeps what it has and gets what it has not: empty fields from the first source that has them
    (of a name or a job only where it is the same one), lists and custom fields united, the notes
    moved. `choose` takes a field from another of them instead. The sources go into the trash; their
    addresses lead here, with 308 where they are read and 409 `merged` where they are written. All
    of it is one operation, which can be undone.
    """
    who, versions = actor(), expected_version()
    how = {"dry_run": query["dry_run"]}
    made = merge.merge_contacts(who, who.book, contact_id, fields, versions, **how)
    answer = {"contact": made.contact.shown(), "operation_id": made.operation_id}
    return answer_object(answer, 200, {"ETag": version_tag(made.contact.meta.version)})
