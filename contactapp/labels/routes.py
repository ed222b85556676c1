"""`/api/v1/labels`."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Response

from ..answers import answer_object
from ..errors import InvalidFields
from ..http import Blueprint, actor
from ..incoming import path_text
from ..operations.schemas import AcrossContacts
from ..paging import answer_book_page
from ..shapes import BookQuery
from ..strict_json import has_control
from . import service
from .schemas import LabelPage, LabelPatch, LabelsQuery

labels = Blueprint(
    "labels",
    __name__,
    description="What contacts are marked with. A label is there as long as a contact has it: "
    "writing contacts makes it, and takes it off. Contacts in the trash keep theirs. Names in "
    "addresses are percent-encoded, slashes too.",
    area="contacts",
)


@labels.route("/labels")
@labels.query(LabelsQuery)
@labels.response(200, LabelPage)
def list_labels(query: dict[str, Any]) -> Response:
    """List the labels of the book, and how many contacts have them"""
    who = actor()
    return answer_book_page(who, partial(service.list_labels, who, query), b"labels")


@labels.route("/labels/<key:name>", methods=["PATCH"])
@labels.query(BookQuery)
@labels.body(LabelPatch)
@labels.response(200, AcrossContacts)
def rename_label(patch: dict[str, Any], _query: dict[str, Any], name: str) -> Response:
    """Rename a label on all contacts; into one that there is, the two become one

    One operation, which can be undone.
    """
    return _done(service.rename_label(actor(), actor().book, _name(name), patch["name"]))


@labels.route("/labels/<key:name>", methods=["DELETE"])
@labels.query(BookQuery)
@labels.response(200, AcrossContacts)
def delete_label(_query: dict[str, Any], name: str) -> Response:
    """Take a label off all contacts

    One operation, which can be undone.
    """
    return _done(service.delete_label(actor(), actor().book, _name(name)))


def _name(given: str) -> str:
    name = path_text(given, "/name")
    if has_control(name):
        raise InvalidFields.one("/name", "invalid_text", "Contains control characters.")
    return name


def _done(done: service.Done) -> Response:
    operation_id, contacts = done
    return answer_object({"operation_id": operation_id, "contacts": contacts})
