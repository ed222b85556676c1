"""The shapes of webhooks, of what they are told, and of what became of it."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from ..changes.feed import TYPES
from ..changes.schemas import Change
from ..contacts.schemas import Line
from ..shapes import Flag, PageShape, Paging
from .deliveries import STATUSES
from .message import TRIAL
from .service import MAX_DESCRIPTION
from .target import MAX_URL, PORTS

_PORTS = " or ".join(map(str, PORTS))
_STATES = ("active", "retrying", "paused", "no_access", "gone", "failing", "restored")


class Url(fields.String):
    """An address to tell; where it may lead is looked up later."""

    def __init__(self, **kwargs: object) -> None:
        about = {
            "description": f"`https://` on port {_PORTS}, of a host on the internet. The server's "
            "operator may allow networks of their own, on any port and over `http://` too."
        }
        super().__init__(
            validate=validate.Length(min=1, max=MAX_URL),
            metadata=about,
            **kwargs,  # type: ignore[arg-type]
        )


def _types(**kwargs: object) -> fields.List:
    about = {
        "description": "What to tell of, as `types` of `/changes`; none is everything in the "
        "address book. Key-value data are told only where they are named, beside one's own book."
    }
    return fields.List(
        fields.String(validate=validate.OneOf(TYPES)),
        validate=validate.Length(max=len(TYPES)),
        metadata=about,
        **kwargs,  # type: ignore[arg-type]
    )


class WebhookInput(Schema):
    """An address that is to be told of the changes of an address book."""

    url = Url(required=True)
    description = Line(MAX_DESCRIPTION)
    types = _types()
    active = Flag()


class WebhookPatch(Schema):
    """What to change. `active: true` switches a webhook on again that was switched off."""

    url = Url()
    description = Line(MAX_DESCRIPTION)
    types = _types(allow_none=True)
    active = Flag()


class Webhook(Schema):
    """An address that is told of changes. `status`: `active`; `retrying`, as the last message did
    not get through; `paused` by its owner; `no_access`, while the book is not shared with them;
    `gone`, as the receiver answered 410; `failing`, as nothing got through for days; `restored`
    from a backup. Of the last three it was switched off and is told nothing until it is `active`
    again."""

    id = fields.Integer(required=True)
    url = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    types = fields.List(fields.String(), required=True)
    book_id = fields.Integer(required=True)
    active = fields.Boolean(required=True)
    status = fields.String(required=True, validate=validate.OneOf(_STATES))
    failing_since = fields.DateTime(required=True, allow_none=True)
    disabled_at = fields.DateTime(required=True, allow_none=True)
    former_secret_until = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "Until then the secret before signs too."},
    )
    version = fields.Integer(required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class NewWebhook(Webhook):
    """A webhook that was just made. `secret` is told here and never again."""

    secret = fields.String(required=True)


class WebhookPage(PageShape):
    items = fields.List(fields.Nested(Webhook), required=True)


class WebhookSecret(Schema):
    """A new secret, told here and never again; the one before signs too until then."""

    secret = fields.String(required=True)
    former_secret_until = fields.DateTime(required=True)


class DeliveryQuery(Paging):
    """Which part of the deliveries."""

    status = fields.String(validate=validate.OneOf(STATUSES))


class Delivery(Schema):
    """A message to a webhook: `pending` until it is `delivered`, `failed` after the last try, or
    `cancelled`, as the webhook was switched off or may not have it any more. `error`: why the last
    try failed. What a receiver says is not shown."""

    id = fields.Integer(required=True)
    webhook_id = fields.Integer(required=True)
    message_id = fields.String(
        required=True, metadata={"description": "Its Webhook-Id, the same at every try."}
    )
    type = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "null where the change is no longer kept."},
    )
    seq = fields.Integer(
        required=True, allow_none=True, metadata={"description": "That of the change."}
    )
    status = fields.String(required=True, validate=validate.OneOf(STATUSES))
    attempts = fields.Integer(required=True)
    status_code = fields.Integer(
        required=True, allow_none=True, metadata={"description": "What it answered last."}
    )
    error = fields.String(required=True, allow_none=True)
    next_attempt_at = fields.DateTime(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class DeliveryPage(PageShape):
    items = fields.List(fields.Nested(Delivery), required=True)


class EventData(Change):
    """A change, as `/changes` tells it. `seq` counts in the book, or in the data, without gaps: a
    receiver that is told everything sees by it what it has missed."""

    book_id = fields.Integer(
        required=True, allow_none=True, metadata={"description": "null for key-value data."}
    )


class WebhookEvent(Schema):
    """What a receiver is sent. A trial has the type `webhook.test` and only ids as its data."""

    type = fields.String(
        required=True, validate=validate.OneOf([*(t for t in TYPES if "." in t), TRIAL])
    )
    timestamp = fields.DateTime(required=True)
    data = fields.Nested(EventData, required=True)
