"""`/api/v1/custom-fields`."""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson
from flask import Response

from ..answers import (
    answer_object,
    conditional,
    expected_version,
    in_path,
    location,
    version_tag,
)
from ..http import Blueprint, actor, versioned
from ..incoming import path_text
from ..operations.schemas import AcrossContacts
from ..paging import answer_book_page
from ..shapes import BookQuery
from . import service
from .definition import checked_key
from .schemas import (
    CustomField,
    CustomFieldChanged,
    CustomFieldInput,
    CustomFieldPage,
    CustomFieldPatch,
    DeleteQuery,
    FieldsQuery,
)

custom_fields = Blueprint(
    "custom_fields",
    __name__,
    description="What the custom fields of a book's contacts may hold. Contacts may have any; one "
    "with a definition takes values of its type only, and is filtered and sorted by it. A value "
    "that a contact had before is shown as it is, and refused only when it is changed. Percent-"
    "encode keys in addresses, slashes too.",
    area="contacts",
)


@custom_fields.route("/custom-fields")
@custom_fields.query(FieldsQuery)
@custom_fields.response(200, CustomFieldPage)
def list_custom_fields(query: dict[str, Any]) -> Response:
    """List the custom fields that have a type"""
    who = actor()
    return answer_book_page(who, partial(service.list_definitions, who, query), b"custom fields")


@custom_fields.route("/custom-fields", methods=["POST"])
@custom_fields.query(BookQuery)
@custom_fields.body(CustomFieldInput)
@custom_fields.response(201, CustomField)
def create_custom_field(fields: dict[str, Any], query: dict[str, Any]) -> Response:
    """Give a custom field a type; 409 where it has one"""
    made = service.create_definition(actor(), actor().book, fields)
    where = location(in_path(made.definition.key), query.get("book"))
    return answer_object(made.shown(), 201, {"ETag": _tag(made), **where})


@custom_fields.route("/custom-fields/<key:key>")
@custom_fields.query(BookQuery)
@custom_fields.response(200, CustomField)
def get_custom_field(_query: dict[str, Any], key: str) -> Response:
    """Show a custom field that has a type"""
    found = service.get_definition(actor(), _key(key))
    return conditional(_tag(found), lambda: orjson.dumps(found.shown()))


@custom_fields.route("/custom-fields/<key:key>", methods=["PATCH"])
@versioned
@custom_fields.query(BookQuery)
@custom_fields.body(CustomFieldPatch)
@custom_fields.response(200, CustomFieldChanged)
def patch_custom_field(patch: dict[str, Any], _query: dict[str, Any], key: str) -> Response:
    """Change a custom field, for all contacts that have it"""
    expected = expected_version()
    changed = service.patch_definition(actor(), actor().book, _key(key), patch, expected)
    shown = {"operation_id": changed.operation_id, "contacts": changed.contacts}
    return answer_object({**changed.shown(), **shown}, 200, {"ETag": _tag(changed)})


@custom_fields.route("/custom-fields/<key:key>", methods=["DELETE"])
@versioned
@custom_fields.query(DeleteQuery)
@custom_fields.response(200, AcrossContacts)
def delete_custom_field(query: dict[str, Any], key: str) -> Response:
    """Delete a custom field's type, and with `values=delete` what contacts have of it

    One operation, which can be undone.
    """
    who, delete = actor(), query["values"] == "delete"
    operation_id, contacts = service.delete_definition(
        who, who.book, _key(key), expected_version(), values=delete
    )
    return answer_object({"operation_id": operation_id, "contacts": contacts})


def _key(given: str) -> str:
    return checked_key(path_text(given, "/key"))


def _tag(found: service.Counted) -> str:
    """How many contacts have a value makes no version of the definition."""
    return version_tag(found.definition.meta.version, b"%d" % found.used)
