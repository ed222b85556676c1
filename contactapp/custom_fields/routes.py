"""`/api/v1/custom-fields`."""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson
from flask import Response, request

from ..answers import (
    answer_object,
    conditional,
    expected_version,
    in_path,
    no_content,
    own_path,
    version_tag,
)
from ..http import Blueprint, actor, versioned
from ..incoming import path_text
from ..paging import answer_book_page
from ..shapes import BookQuery
from . import service
from .definition import checked_key
from .schemas import CustomField, CustomFieldInput, CustomFieldPage, CustomFieldPatch, FieldsQuery

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
    book = f"?book={query['book']}" if "book" in query else ""
    asked = request._get_current_object()  # type: ignore[attr-defined]
    location = f"{own_path(asked).rstrip('/')}/{in_path(made.definition.key)}{book}"
    return _field(made, 201, {"Location": location})


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
@custom_fields.response(200, CustomField)
def patch_custom_field(patch: dict[str, Any], _query: dict[str, Any], key: str) -> Response:
    """Change what a custom field is called, its choices, or its place in lists"""
    expected = expected_version()
    return _field(service.patch_definition(actor(), actor().book, _key(key), patch, expected))


@custom_fields.route("/custom-fields/<key:key>", methods=["DELETE"])
@versioned
@custom_fields.query(BookQuery)
@custom_fields.response(204)
def delete_custom_field(_query: dict[str, Any], key: str) -> Response:
    """Take a custom field's type away; contacts keep what they have"""
    service.delete_definition(actor(), actor().book, _key(key), expected_version())
    return no_content()


def _key(given: str) -> str:
    return checked_key(path_text(given, "/key"))


def _field(
    found: service.Counted, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return answer_object(found.shown(), status, {"ETag": _tag(found), **(headers or {})})


def _tag(found: service.Counted) -> str:
    """How many contacts have a value makes no version of the definition."""
    return version_tag(found.definition.meta.version, b"%d" % found.used)
