"""The OpenAPI 3.1 document, made by the decorators that also check the requests."""

from __future__ import annotations

import inspect
from typing import Any

import orjson
from flask import Flask
from flask_smorest import Api
from marshmallow import INCLUDE, Schema, fields

from .errors import CODES
from .http import Blueprint, IdConverter, KeyConverter
from .incoming import MAX_ID

VERSION = "1.0.0"
_DESCRIPTION = """\
A self-hosted backend for people and what you know about them.

Errors are `application/problem+json` (RFC 9457) with a stable `code`; [all codes](/docs/errors).
Objects and lists have a strong `ETag`: send it back as `If-None-Match` to get 304, and as
`If-Match` with PUT, PATCH or DELETE to change only the version you saw. Send an `Idempotency-Key`
with a POST to have it done once however often it is sent.
"""
# What any operation may answer besides its own success, by what it takes.
_ALWAYS = (429, 503)
_WITH_USER = (401,)
_WITH_QUERY = (400, 422)
_WITH_BODY = (400, 413, 415, 422)
_WITH_ID = (404,)
_WITH_VERSION = (412,)
_WITH_KEY = (400, 409, 422)
_WITH_SINCE = (410,)
_WITH_CONTACT = (409,)
_MERGED = {
    "description": "The contact became a part of another one, of which Location is the same.",
    "headers": {"Location": {"schema": {"type": "string"}}},
}
_REPLAYED = {
    "description": "`true` where this is the stored answer to an earlier request with this key.",
    "schema": {"type": "string", "enum": ["true"]},
}
_EVENT = {
    "operationId": "change",
    "summary": "What a receiver is sent",
    "security": [],
    "parameters": [
        {"in": "header", "name": name, "required": True, "schema": {"type": "string"}}
        for name in ("Webhook-Id", "Webhook-Timestamp", "Webhook-Signature")
    ],
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/WebhookEvent"}}},
    },
    "responses": {
        "2XX": {"description": "It was taken."},
        "410": {"description": "Nothing more is wanted."},
    },
}
_OPERATIONS = {"get", "post", "put", "patch", "delete"}


class ErrorEntry(Schema):
    """One wrong value: a JSON pointer into the body, or `?` and the parameter's name."""

    pointer = fields.String(required=True)
    code = fields.String(required=True)
    detail = fields.String(required=True)


class Problem(Schema):
    """RFC 9457. Some codes add members, such as `limit` and `used`."""

    class Meta:
        unknown = INCLUDE  # said in the document as additionalProperties

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True, metadata={"enum": sorted(CODES)})
    errors = fields.List(fields.Nested(ErrorEntry), required=True)
    request_id = fields.String(required=True)


class Difference(Schema):
    """A field that others have changed since the version of If-Match, or, where that is no longer
    known, one that the request would change. `base` is its value at that version, where it is
    known, `yours` what the request would make of it, where it sent the field."""

    field = fields.String(required=True)
    theirs = fields.Raw(required=True, allow_none=True)
    yours = fields.Raw(allow_none=True)
    base = fields.Raw(allow_none=True)


class VersionMismatch(Problem):
    """What has come in between. Only `current_version` is told of accounts, and of what an
    If-None-Match refuses; nothing where there is no object."""

    current_version = fields.Integer()
    changed_fields = fields.List(fields.Nested(Difference))
    changed_by = fields.Integer(
        metadata={"description": "The account that made the present version; 0 is the server."}
    )
    changed_at = fields.DateTime()


class Contract(Api):
    """flask-smorest's Api with our error shape and without its own error handler."""

    def _register_responses(self) -> None:
        content = {"application/problem+json": {"schema": Problem}}
        component = {"description": "A problem", "content": content}
        self.spec.components.response(self.DEFAULT_ERROR_RESPONSE_NAME, component, lazy=True)
        content = {"application/problem+json": {"schema": VersionMismatch}}
        mismatch = {"description": "Others were faster", "content": content}
        self.spec.components.response("VersionMismatch", mismatch)

    def _register_pagination_header(self) -> None:
        """Our pages say in their bodies where they go on."""

    def _register_error_handlers(self) -> None:
        """Ours are in `problems`, for every route and not only the documented ones."""


def init_app(app: Flask, blueprints: tuple[Blueprint, ...], event: type[Schema]) -> None:
    """Register the blueprints under /api/v1 and keep the document for /openapi.json. `event`: what
    receivers of webhooks are sent."""
    app.config.update(API_TITLE="contactapp", API_VERSION=VERSION, OPENAPI_VERSION="3.1.0")
    app.url_map.converters["id"] = IdConverter
    app.url_map.converters["key"] = KeyConverter
    contract = Contract(app, spec_kwargs={"info": {"description": _DESCRIPTION}})
    contract.register_converter(
        IdConverter, lambda _: {"type": "integer", "minimum": 1, "maximum": MAX_ID}
    )
    contract.register_converter(
        KeyConverter, lambda _: {"type": "string", "minLength": 1, "maxLength": 255}
    )
    document = _documents.get(blueprints)
    for blueprint in blueprints:
        register = contract.register_blueprint if document is None else app.register_blueprint
        register(blueprint, url_prefix="/api/v1")
    if document is None:
        document = _documents[blueprints] = orjson.dumps(_document(contract, event))
    app.extensions["contactapp.openapi"] = document


# By what they describe. No setting changes a document, and it is half of what making one more
# application in a process costs.
_documents: dict[tuple[Blueprint, ...], bytes] = {}


def _document(contract: Contract, event: type[Schema]) -> dict[str, Any]:
    contract.spec.components.schema("WebhookEvent", schema=event)
    document: dict[str, Any] = contract.spec.to_dict()
    _describe(contract, document["components"]["schemas"])
    document["webhooks"] = {"change": {"post": _EVENT}}
    flow = {"tokenUrl": "/api/v1/auth/token", "scopes": {}}
    document["components"]["securitySchemes"] = {
        "password": {"type": "oauth2", "flows": {"password": flow}},
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    }
    document["security"] = [{"password": []}, {"bearer": []}]
    problem = {"$ref": f"#/components/responses/{contract.DEFAULT_ERROR_RESPONSE_NAME}"}
    mismatch = {"$ref": "#/components/responses/VersionMismatch"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in _OPERATIONS:
                for status in sorted(_failures(path, operation)):
                    operation["responses"].setdefault(str(status), problem)
                if method == "get" and "{contact_id}" in path:
                    operation["responses"]["308"] = _MERGED
                if _takes(operation, "header", "If-Match"):
                    operation["responses"]["412"] = mismatch
                if _takes(operation, "header", "Idempotency-Key"):
                    _may_be_replayed(operation["responses"])
    return document


def _describe(contract: Contract, schemas: dict[str, Any]) -> None:
    """What the docstrings of the schemas say."""
    converter = contract.ma_plugin.converter
    assert converter is not None  # since the document was made
    for (schema, *_), name in converter.refs.items():
        if schema.__doc__ and schema.__doc__ != Schema.__doc__:
            schemas[name]["description"] = inspect.cleandoc(schema.__doc__)


def _may_be_replayed(responses: dict[str, Any]) -> None:
    for status, response in responses.items():
        if status.startswith("2"):
            response.setdefault("headers", {})["Idempotency-Replayed"] = _REPLAYED


def _takes(operation: dict[str, Any], place: str, name: str) -> bool:
    return any((p["in"], p["name"]) == (place, name) for p in operation.get("parameters", ()))


def _failures(path: str, operation: dict[str, Any]) -> set[int]:
    found = set(_ALWAYS)
    if operation.get("security") != []:
        found.update(_WITH_USER)
    if any(p["in"] == "query" for p in operation.get("parameters", ())):
        found.update(_WITH_QUERY)
    if "requestBody" in operation:
        found.update(_WITH_BODY)
    if "{" in path:
        found.update(_WITH_ID)
    if "{contact_id}" in path:
        found.update(_WITH_CONTACT)
    # A stream tells of it by an event.
    if _takes(operation, "query", "since") and not _takes(operation, "header", "Last-Event-ID"):
        found.update(_WITH_SINCE)
    if _takes(operation, "header", "If-Match"):
        found.update(_WITH_VERSION)
    if _takes(operation, "header", "Idempotency-Key"):
        found.update(_WITH_KEY)
    return found
