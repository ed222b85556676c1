"""`/api/v1/contacts/{id}/photo`."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response

from ..answers import (
    also_say,
    answer_object,
    conditional,
    expected_version,
    no_content,
    version_tag,
)
from ..bodies import file_body, read_file
from ..config import settings
from ..http import Blueprint, actor, versioned
from ..shapes import BookQuery
from . import photos as service
from .merged import leading_on
from .schemas import Photo

photos = Blueprint(
    "photos",
    __name__,
    description="The photos of contacts",
    area="contacts",
    around=leading_on,
)


@photos.route("/contacts/<id:contact_id>/photo")
@photos.query(BookQuery)
@photos.response(200, Photo)
def get_photo(_query: dict[str, Any], contact_id: int) -> Response:
    """Tell where a contact's photo is; 404 where it has none"""
    version, found = service.get_photo(actor(), contact_id)
    return conditional(version_tag(version), lambda: orjson.dumps(found))


@photos.route("/contacts/<id:contact_id>/photo", methods=["PUT"])
@versioned
@photos.query(BookQuery)
@photos.doc(requestBody=file_body("image/jpeg", "image/png", "image/webp"))
@photos.response(201, Photo)
def set_photo(_query: dict[str, Any], contact_id: int) -> Response:
    """Set a contact's photo: a JPEG, PNG or WebP file, as part `file` or as the body

    It is cut to a square from the middle, and nothing of the file but the picture is kept. This is
    a new version of the contact, whose ETag comes with the answer.
    """
    expected, data = expected_version(), read_file(settings().avatar_bytes)
    stored = service.set_photo(actor(), actor().book, contact_id, data, expected)
    etag = {"ETag": version_tag(stored.meta.version)}
    return answer_object(service.addresses(stored.card), 201, etag)


@photos.route("/contacts/<id:contact_id>/photo", methods=["DELETE"])
@versioned
@photos.query(BookQuery)
@photos.response(204)
def remove_photo(_query: dict[str, Any], contact_id: int) -> Response:
    """Remove a contact's photo

    It stays at its address as long as things stay in the trash, because the contact may be put
    back to a version that has it.
    """
    stored = service.remove_photo(actor(), actor().book, contact_id, expected_version())
    also_say({"ETag": version_tag(stored.meta.version)})
    return no_content()
