"""A test client that holds every answer against the served OpenAPI document."""

from __future__ import annotations

import re
from functools import cache

import orjson
from flask.testing import FlaskClient
from jsonschema_rs import Draft202012Validator
from werkzeug.http import parse_options_header

_FILE = {"type": "string", "format": "binary"}  # which is not for this to judge


class ContractClient(FlaskClient):
    """Every answer below /api/v1 must be documented and match its schema."""

    def open(self, *args, **kwargs):
        response = super().open(*args, **kwargs)
        request = response.request
        if request.path.startswith("/api/v1/"):
            document = self.application.extensions["contactapp.openapi"]
            check(document, request.method, request.path, response)
        return response


def check(raw_document, method, path, response):
    """Assert that the document knows this answer. Unknown paths must be 404 or 401 problems."""
    document = _parsed(raw_document)
    operation = _operation(raw_document, method, path) or _operation(
        raw_document, method, path.rstrip("/")
    )
    kind = parse_options_header(response.headers.get("Content-Type", ""))[0]
    if operation is None:
        assert response.status_code in {404, 405, 429} or method == "OPTIONS", (method, path)
        return
    if response.status_code in {405, 304}:
        return
    answers = operation["responses"]
    answer = answers.get(str(response.status_code)) or answers["default"]
    if "$ref" in answer:
        answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    if kind == "text/event-stream":  # which has no end to wait for
        assert kind in answer["content"]
        return
    body = response.get_data()
    if method == "HEAD" or not body:
        return
    content = answer.get("content", {})
    assert kind in content, f"{method} {path}: {response.status_code} {kind} is not documented"
    if kind in {"application/zip", "text/calendar"} or content[kind]["schema"] == _FILE:
        return
    validator, shown = _validator(raw_document, content[kind]["schema"]), orjson.loads(body)
    problems = [error.message for error in validator.iter_errors(shown)]
    assert not problems, f"{method} {path}: {problems}"


@cache
def _parsed(raw):
    return orjson.loads(raw)


def _validator(raw, schema):
    return _validator_of(raw, orjson.dumps(schema))


@cache
def _validator_of(raw, schema):
    document = _parsed(raw)
    return Draft202012Validator({**orjson.loads(schema), "components": document["components"]})


# A key, or a label's name, may hold what else divides paths.
_ANY = {"{key}": r"[\s\S]+", "{name}": r"[\s\S]+"}


def _operation(raw, method, path):
    method = "get" if method == "HEAD" else method.lower()
    for pattern, operations in _patterns(raw):
        if pattern.fullmatch(path) and method in operations:
            return operations[method]
    return None


@cache
def _patterns(raw):
    paths = _parsed(raw)["paths"]
    return [
        (re.compile(re.sub(r"\{[^}]+\}", lambda m: _ANY.get(m[0], "[^/]+"), path)), operations)
        for path, operations in sorted(paths.items(), key=lambda item: item[0].count("{"))
    ]
