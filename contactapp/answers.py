"""Answers: ready-made bytes, entity tags, conditional requests."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import orjson
from flask import Request, Response, request

from .config import settings
from .errors import PreconditionFailed
from .keyring import keyring

JSON = "application/json"
# If-None-Match compares weakly (RFC 9110 §13.1.2): a proxy that compresses makes our tags weak.
_WEAK = re.compile(r"\s+|W/(?=\")")
_VERSION_TAG = re.compile(r'"v([1-9][0-9]{0,15})-([0-9a-f]+)"')


def answer(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer of ready-made JSON bytes. The headers are our own, so they go out by the envelope:
    having werkzeug check each of them costs as much as finding the page."""
    if headers:
        also_say(headers)
    return Response(body, status, content_type=JSON)


def answer_object(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer of one object, serialised here."""
    return answer(orjson.dumps(value), status, headers)


def no_content() -> Response:
    """204."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def conditional(
    etag: str, body: Callable[[], bytes], headers: dict[str, str] | None = None
) -> Response:
    """The answer with its strong ETag, or 304 and no body where If-None-Match names it."""
    unchanged = not_modified(etag, star=True)
    return unchanged or answer(body(), 200, {"ETag": etag, **(headers or {})})


def not_modified(etag: str, *, star: bool) -> Response | None:
    """304 where If-None-Match names the tag or, with `star`, is `*`: that holds for whatever there
    is, so a request must have been found good before."""
    offered = request.environ.get("HTTP_IF_NONE_MATCH")
    if not offered:
        return None
    if etag not in _WEAK.sub("", offered).split(",") and not (star and offered.strip() == "*"):
        return None
    also_say({"ETag": etag})
    response = Response(status=304)
    del response.headers["Content-Type"]
    return response


def come_back_after(seconds: int) -> None:
    """Send Retry-After with the answer of this request, be it 200 or 304."""
    also_say({"Retry-After": str(seconds)})


def also_say(headers: dict[str, str]) -> None:
    """Send headers with the answer of this request, be it a problem."""
    request.environ["contactapp.headers"].extend(headers.items())


def own_path(asked: Request) -> str:
    """The path of a request as a header can say it: mount points and keys need not be ASCII."""
    return quote(asked.script_root) + quote(asked.path, safe="/:@")


def location(name: object, book: int | None = None, instead_of: str = "") -> dict[str, str]:
    """The Location header of what this request made: its name below the request's path or, where
    that ends in `instead_of`, in the place of this; `book` where the request named one."""
    path = own_path(request).rstrip("/").removesuffix(instead_of)
    return {"Location": f"{path}/{name}" if book is None else f"{path}/{name}?book={book}"}


def in_path(key: str) -> str:
    """A key as an address can say it. Most clients take dots alone away before they send them, and
    browsers these too (WHATWG URL), but any may be told to send an address as it is."""
    return "%2E" * len(key) if key in {".", ".."} else quote(key, safe="")


def version_tag(version: int, body: bytes = b"") -> str:
    """The strong ETag of an object: its version and what renders it; after a restore, by which
    versions are given again, also which one that was. Where the body also shows what has no
    version, such as a count, it must be given."""
    digest = hashlib.blake2b(body, digest_size=4).hexdigest() if body else ""
    return f'"v{version}-{keyring().epoch()}{_renderer(settings().base_url)}{digest}"'


def list_tag(*parts: bytes) -> str:
    """The strong ETag of a list: everything the answer reads, hashed with what renders it."""
    digest = hashlib.blake2b(digest_size=12)
    for part in (_renderer(settings().base_url).encode(), *parts):
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return f'"l{digest.hexdigest()}"'


class Precondition(NamedTuple):
    """What must hold of an object for a write that may also make it: that it is at one of these
    versions, and that it is there or is not; None for either where it does not matter. `refused`:
    the versions that it must not be at."""

    versions: tuple[int, ...] | None = None
    exists: bool | None = None
    refused: tuple[int, ...] = ()

    def check(self, version: int | None) -> None:
        """Raise PreconditionFailed where it does not hold of an object at this version; None where
        there is no object."""
        if version is None:
            if self.exists:
                raise PreconditionFailed(detail="There is nothing of which If-Match could hold.")
        elif self.exists is False:
            detail = "If-None-Match: * asks to create, and it exists already."
            raise PreconditionFailed(detail=detail, current_version=version)
        elif self.versions is not None and version not in self.versions:
            detail = f"It is at version {version} now; read it and try again."
            raise PreconditionFailed(detail=detail, current_version=version)
        elif version in self.refused:
            detail = f"If-None-Match names version {version}, at which it is."
            raise PreconditionFailed(detail=detail, current_version=version)


def precondition() -> Precondition:
    """If-Match and If-None-Match of a request that may create what its address names. A tag means
    its version, here too; If-None-Match takes weak ones (RFC 9110 §13.1.2)."""
    refused = request.environ.get("HTTP_IF_NONE_MATCH", "").strip()
    create_only = refused == "*"
    if request.environ.get("HTTP_IF_MATCH") is None:
        exists = False if create_only else None
        return Precondition(None, exists, _versions(_WEAK.sub("", refused)))
    if create_only:
        raise PreconditionFailed(detail="If-Match and If-None-Match: * cannot both hold.")
    return Precondition(_accepted_versions(), True, _versions(_WEAK.sub("", refused)))


def expected_version() -> tuple[int, ...] | None:
    """The versions If-Match accepts; None where it is absent or `*`. Only the version counts, so
    that an upgrade does not refuse edits. Weak and foreign tags never match (RFC 9110 §13.1.1).

    For what must be there already, so `If-None-Match: *`, create only, accepts no version; and what
    is not there is 404 as ever.
    """
    if request.environ.get("HTTP_IF_NONE_MATCH", "").strip() == "*":
        return ()
    return _accepted_versions()


def _accepted_versions() -> tuple[int, ...] | None:
    header = request.environ.get("HTTP_IF_MATCH")
    if header is None or header.strip() == "*":
        return None
    return _versions(header)


def _versions(header: str) -> tuple[int, ...]:
    tags = (_VERSION_TAG.fullmatch(tag.strip()) for tag in header.split(","))
    return tuple(int(tag[1]) for tag in tags if tag and _is_of_this_epoch(tag[2]))


def _is_of_this_epoch(rest: str) -> bool:
    """Not so for a tag from before a restore, whose version may be another one's now. Who puts a
    tag together by hand, as `"v7-0"`, has read the version since."""
    epoch = keyring().epoch()
    return len(rest) < len(epoch) or rest.startswith(epoch)


@lru_cache(maxsize=1)
def build() -> str:
    """A short hash of the program's own source: two builds may render the same row otherwise."""
    digest = hashlib.blake2b(digest_size=4)
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@lru_cache(maxsize=4)
def _renderer(base_url: str | None) -> str:
    """A short hash of the build and of the server's address, with which the links in answers
    begin."""
    return hashlib.blake2b(f"{build()} {base_url}".encode(), digest_size=4).hexdigest()
