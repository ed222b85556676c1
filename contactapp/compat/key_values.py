"""User management with key-value data: `/api/register`, `/api/token`, `/api/data`."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, request

from ..answers import (
    Precondition,
    also_say,
    answer_object,
    conditional,
    expected_version,
    version_tag,
)
from ..auth import service as auth
from ..auth.allowances import registering
from ..auth.guard import client
from ..auth.schemas import SignInForm, proof_of
from ..bodies import FORM, MULTIPART, read_form, read_json
from ..data import service as data
from ..data.entry import checked_key
from ..errors import BadRequest, InvalidFields, NotFound
from ..http import actor, own_data, public, request_id, scoped
from ..incoming import loaded, path_text
from .key_value_errors import in_envelope
from .key_value_registration import checked_registration
from .system import System

key_values = System("key-values", ("/api",), in_envelope)
_SHOWN = ("user_id", "username", "email", "full_name", "age", "gender")
_login = SignInForm(only=("username", "password", "otp"))


@key_values.post("/api/register")
@public
@registering()
def register() -> Response:
    """Make an account."""
    user = auth.register(checked_registration(_json_object()), request_id())
    shown = {name: user[name] for name in _SHOWN}
    return _success("User successfully registered!", shown, 201)


@key_values.post("/api/token")
@public
def create_token() -> Response:
    """Sign in with JSON or a form; a user name may be the e-mail address."""
    sent = read_form() if request.mimetype in {FORM, MULTIPART} else _json_object()
    for name in ("username", "password"):
        if not sent.get(name):
            raise InvalidFields.one(f"/{name}", "required", "")
    fields = loaded(_login, sent)
    pair = auth.sign_in(*proof_of(fields), client())
    shown = {"access_token": pair.access_token, "expires_in": pair.expires_in}
    return _success("Access token generated successfully.", shown)


class _Present(Precondition):
    """An update and no upsert: the key must be there."""

    def check(self, version: int | None) -> None:
        if version is None:
            raise NotFound("key_not_found")
        super().check(version)


@key_values.post("/api/data")
@scoped("data")
@own_data
def create_entry() -> Response:
    """Add an entry of the user's own data."""
    sent = _json_object()
    key = sent.get("key")
    if not key or not isinstance(key, str):
        raise InvalidFields.one("/key", "required", "")
    stored = data.create_entry(actor(), checked_key(key), _value(sent))
    also_say(data.quota_headers(stored.store))
    return _success("Data stored successfully.", status=201)


@key_values.get("/api/data/<key:key>")
@scoped("data")
@own_data
def get_entry(key: str) -> Response:
    """Show an entry."""
    entry = data.get_entry(actor(), _key(key))
    shown = {"key": entry.meta.key, "value": orjson.Fragment(entry.text)}
    body = {"status": "success", "data": shown}
    return conditional(version_tag(entry.meta.version), lambda: orjson.dumps(body))


@key_values.put("/api/data/<key:key>")
@scoped("data")
@own_data
def update_entry(key: str) -> Response:
    """Give an entry another value."""
    wanted = _Present(expected_version())
    stored = data.put_entry(actor(), _key(key), _value(_json_object()), wanted=wanted)
    also_say(data.quota_headers(stored.store))
    return _success("Data updated successfully.")


@key_values.delete("/api/data/<key:key>")
@scoped("data")
@own_data
def delete_entry(key: str) -> Response:
    """Delete an entry."""
    also_say(data.quota_headers(data.delete_entry(actor(), _key(key), expected_version())))
    return _success("Data deleted successfully.")


def _key(given: str) -> str:
    return checked_key(path_text(given, "/key"))


def _value(sent: dict[str, Any]) -> Any:
    """null says as little as no value: what these clients send is a text or an object."""
    if sent.get("value") is None:
        raise InvalidFields.one("/value", "required", "")
    return sent["value"]


def _json_object() -> dict[str, Any]:
    sent = read_json()
    if not isinstance(sent, dict):
        raise BadRequest(detail="The body must be a JSON object.")
    return sent


def _success(message: str, shown: dict[str, Any] | None = None, status: int = 200) -> Response:
    body: dict[str, Any] = {"status": "success", "message": message}
    if shown is not None:
        body["data"] = shown
    return answer_object(body, status)
