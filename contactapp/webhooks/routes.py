"""`/api/v1/webhooks`."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response

from ..answers import (
    answer,
    answer_object,
    conditional,
    expected_version,
    list_tag,
    location,
    no_content,
    version_tag,
)
from ..http import Blueprint, actor, versioned
from ..paging import Pager, answer_page
from ..shapes import BookQuery, Paging
from . import service
from .schemas import (
    Delivery,
    DeliveryPage,
    DeliveryQuery,
    NewWebhook,
    Webhook,
    WebhookInput,
    WebhookPage,
    WebhookPatch,
    WebhookSecret,
)

webhooks = Blueprint(
    "webhooks",
    __name__,
    description="Addresses that are told of changes, signed as Standard Webhooks says: "
    "`Webhook-Id`, `Webhook-Timestamp` and `Webhook-Signature`. Answer 2xx within 15 seconds; what "
    "fails is tried ten times within a day, 410 ends it. A message may come twice, with one id.",
    area="contacts",
)


@webhooks.route("/webhooks")
@webhooks.query(Paging)
@webhooks.response(200, WebhookPage)
def list_webhooks(query: dict[str, Any]) -> Response:
    """List one's webhooks"""
    who = actor()
    return answer_page(b"webhooks", Pager(who, "webhooks", query).cut(service.list_webhooks(who)))


@webhooks.route("/webhooks", methods=["POST"])
@webhooks.query(BookQuery)
@webhooks.body(WebhookInput)
@webhooks.response(201, NewWebhook)
def create_webhook(fields: dict[str, Any], _query: dict[str, Any]) -> Response:
    """Have an address told of the changes of the book; its secret is in the answer"""
    made = service.create_webhook(actor(), fields)
    return answer_object(made, 201, location(made["id"]))


@webhooks.route("/webhooks/<id:webhook_id>")
@webhooks.response(200, Webhook)
def get_webhook(webhook_id: int) -> Response:
    """Show a webhook"""
    found = service.get_webhook(actor(), webhook_id)
    body = orjson.dumps(found)
    return conditional(version_tag(found["version"], body), lambda: body)


@webhooks.route("/webhooks/<id:webhook_id>", methods=["PATCH"])
@versioned
@webhooks.body(WebhookPatch)
@webhooks.response(200, Webhook)
def patch_webhook(patch: dict[str, Any], webhook_id: int) -> Response:
    """Change a webhook, or switch it off or on"""
    changed = service.patch_webhook(actor(), webhook_id, patch, expected_version())
    body = orjson.dumps(changed)
    return answer(body, headers={"ETag": version_tag(changed["version"], body)})


@webhooks.route("/webhooks/<id:webhook_id>", methods=["DELETE"])
@versioned
@webhooks.response(204)
def delete_webhook(webhook_id: int) -> Response:
    """Delete a webhook; it is told nothing any more"""
    service.delete_webhook(actor(), webhook_id, expected_version())
    return no_content()


@webhooks.route("/webhooks/<id:webhook_id>/secret", methods=["POST"])
@webhooks.response(201, WebhookSecret)
def rotate_webhook_secret(webhook_id: int) -> Response:
    """Give a webhook a new secret; for a day the one before signs too"""
    return answer_object(service.rotate_secret(actor(), webhook_id), 201)


@webhooks.route("/webhooks/<id:webhook_id>/test", methods=["POST"])
@webhooks.response(202, Delivery)
def test_webhook(webhook_id: int) -> Response:
    """Send a webhook a message that tells of nothing"""
    made = service.try_webhook(actor(), webhook_id)
    where = location(f"deliveries/{made['id']}", instead_of="/test")
    return answer_object(made, 202, where)


@webhooks.route("/webhooks/<id:webhook_id>/deliveries")
@webhooks.query(DeliveryQuery)
@webhooks.response(200, DeliveryPage)
def list_webhook_deliveries(query: dict[str, Any], webhook_id: int) -> Response:
    """List what a webhook was told in the last seven days and what it is to be told"""
    return answer_page(b"deliveries", service.list_deliveries(actor(), webhook_id, query))


@webhooks.route("/webhooks/<id:webhook_id>/deliveries/<id:delivery_id>")
@webhooks.response(200, Delivery)
def get_webhook_delivery(webhook_id: int, delivery_id: int) -> Response:
    """Show what became of a message"""
    body = orjson.dumps(service.get_delivery(actor(), webhook_id, delivery_id))
    return conditional(list_tag(b"delivery", body), lambda: body)


@webhooks.route("/webhooks/<id:webhook_id>/deliveries/<id:delivery_id>/replay", methods=["POST"])
@webhooks.response(202, Delivery)
def replay_webhook_delivery(webhook_id: int, delivery_id: int) -> Response:
    """Send a message again, with its former id, whatever became of it"""
    return answer_object(service.replay(actor(), webhook_id, delivery_id), 202)
