"""Pictures at public, unguessable addresses, for `<img>`."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from flask import Blueprint, Response, request

from ..errors import NotFound
from ..http import unlimited
from ..pictures.service import AVATARS, PHOTOS, Album
from ..users.avatars import COLOURS

media = Blueprint("media", __name__)

_HEADERS = {
    # A picture's address is never used for another one.
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64" width="256" height="256">'
    '<rect width="64" height="64" fill="{colour}"/><text x="32" y="34" fill="#fff" '
    'font-family="sans-serif" font-size="28" text-anchor="middle" dominant-baseline="middle">'
    "{text}</text></svg>"
)


@media.get("/media/<file_name>")
@unlimited
def picture(file_name: str) -> Response:
    """Send an avatar."""
    return _sent(AVATARS, file_name, "avatar.webp")


@media.get("/media/photos/<file_name>")
@unlimited
def photo(file_name: str) -> Response:
    """Send the photo of a contact."""
    return _sent(PHOTOS, file_name, "photo.webp")


@media.get("/media/initials/<text>-<int(max=7):colour>.svg")
@unlimited
def initials(text: str, colour: int) -> Response:
    """Draw the initials of somebody without a picture."""
    if not 1 <= len(text) <= 2 or not (text.isalnum() or text == "?"):
        raise NotFound()
    drawn = _SVG.format(colour=COLOURS[colour], text=escape(text))
    return _kept(
        Response(drawn, content_type="image/svg+xml; charset=utf-8"), f"{quote(text)}-{colour}"
    )


def _sent(album: Album, file_name: str, saved_as: str) -> Response:
    content = album.read(file_name)
    if content is None:
        raise NotFound()
    answer = Response(content, content_type="image/webp")
    answer.headers["Content-Disposition"] = f'inline; filename="{saved_as}"'
    return _kept(answer, file_name)


def _kept(answer: Response, tag: str) -> Response:
    answer.headers.extend(_HEADERS)
    answer.set_etag(tag)
    answer.make_conditional(request)
    return answer
