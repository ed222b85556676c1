"""`/api/v1/data`: what a client keeps for its user."""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson
from flask import Response, request
from flask.blueprints import BlueprintSetupState

from ..answers import (
    also_say,
    answer,
    conditional,
    expected_version,
    in_path,
    list_tag,
    location,
    no_content,
    not_modified,
    precondition,
    version_tag,
)
from ..changes.schemas import HistoryPage
from ..http import Blueprint, actor, own_data, versioned
from ..incoming import path_text
from ..paging import answer_page, next_link
from ..shapes import Paging
from . import service
from .entry import checked_key
from .schemas import (
    DataEntry,
    DataEntryInput,
    DataEntryPatch,
    DataIncrement,
    DataPage,
    DataQuery,
    NewDataEntry,
)

data = Blueprint(
    "data",
    __name__,
    description="Key-value data of the account. A key may hold any character but NUL, slashes too: "
    "percent-encode it. (Browsers take the keys `.` and `..` out of an address however they are "
    "encoded.) `X-Data-Entries-Limit`, `-Remaining` and `X-Data-Bytes-…` tell the quota, in which "
    "an expired entry counts until a job deletes it, which looks every minute.",
    area="data",
)


@data.route("/data")
@own_data
@data.query(DataQuery)
@data.response(200, DataPage)
def list_data_entries(query: dict[str, Any]) -> Response:
    """List the entries by their keys"""
    who = actor()
    also_say(service.quota_headers(who.book))
    about = (b"data", request.query_string, b"%d" % who.user_id)
    if "If-None-Match" in request.headers:
        unchanged = not_modified(list_tag(service.state_of_lists(who), *about), star=False)
        if unchanged is not None:
            return unchanged
    state, page = service.list_entries(who, query)
    body = partial(orjson.dumps, page._asdict())
    return conditional(list_tag(state, *about), body, next_link(page.next_cursor))


@data.route("/data", methods=["POST"])
@own_data
@data.body(NewDataEntry)
@data.response(201, DataEntry)
def create_data_entry(fields: dict[str, Any]) -> Response:
    """Add an entry; 409 where the key has one"""
    stored = service.create_entry(actor(), **fields)
    return _entry(stored, location(in_path(stored.entry.meta.key)))


@data.route("/data/<key:key>")
@own_data
@data.response(200, DataEntry)
def get_data_entry(key: str) -> Response:
    """Show an entry"""
    who = actor()
    also_say(service.quota_headers(who.book))
    entry = service.get_entry(who, _key(key))
    return conditional(version_tag(entry.meta.version), entry.body)


@data.route("/data/<key:key>", methods=["PUT"])
@own_data
@versioned
@data.body(DataEntryInput)
@data.response(200, DataEntry)
@data.alt_response(201, schema=DataEntry, description="It was made")
def put_data_entry(fields: dict[str, Any], key: str) -> Response:
    """Give a key this value; with `If-None-Match: *` only where it has none"""
    return _entry(service.put_entry(actor(), _key(key), **fields, wanted=precondition()))


@data.route("/data/<key:key>", methods=["PATCH"])
@own_data
@versioned
@data.body(DataEntryPatch)
@data.response(200, DataEntry)
def patch_data_entry(patch: dict[str, Any], key: str) -> Response:
    """Merge into an entry's value, or change its expiry"""
    return _entry(service.patch_entry(actor(), _key(key), patch, expected_version()))


@data.route("/data/<key:key>", methods=["DELETE"])
@own_data
@versioned
@data.response(204)
def delete_data_entry(key: str) -> Response:
    """Delete an entry"""
    store = service.delete_entry(actor(), _key(key), expected_version())
    also_say(service.quota_headers(store))
    return no_content()


@data.route("/data/<key:key>/increment", methods=["POST"])
@own_data
@versioned
@data.body(DataIncrement)
@data.response(200, DataEntry)
@data.alt_response(201, schema=DataEntry, description="It was made")
def increment_data_entry(fields: dict[str, Any], key: str) -> Response:
    """Add to a whole number, which begins at 0"""
    return _entry(service.increment_entry(actor(), _key(key), **fields, wanted=precondition()))


@data.record
def _with_a_slash_too(state: BlueprintSetupState) -> None:
    """As everywhere; but a rule with a key in it takes every slash for the key's."""
    rule, endpoint = "/data/<key:key>/increment/", increment_data_entry.__name__
    state.add_url_rule(rule, endpoint, methods=["POST"])


@data.route("/data-history/<key:key>")
@own_data
@data.query(Paging)
@data.response(200, HistoryPage)
def list_data_history(query: dict[str, Any], key: str) -> Response:
    """List the versions of an entry, the newest first"""
    return answer_page(b"history", service.entry_history(actor(), _key(key), query))


def _key(given: str) -> str:
    return checked_key(path_text(given, "/key"))


def _entry(stored: service.Stored, headers: dict[str, str] | None = None) -> Response:
    also_say(service.quota_headers(stored.store))
    etag = {"ETag": version_tag(stored.entry.meta.version)}
    return answer(stored.entry.body(), 201 if stored.made else 200, {**etag, **(headers or {})})
