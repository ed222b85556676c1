"""The documentation pages: Swagger UI, the table of error codes, and the files they load.

Swagger UI comes out of the flask-swagger-ui wheel, of which only the `dist` folder is
used: nothing minified lies in this repository, and its version is locked and audited like
any other dependency.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    render_template,
    request,
    send_file,
    url_for,
)

from ..answers import answer_object, conditional, list_tag
from ..errors import CODES, Code
from ..http import public

pages = Blueprint("pages", __name__, template_folder="templates")

# Swagger UI styles its elements through the CSSOM, which no policy forbids, so it needs no
# 'unsafe-inline'; data: is for the icons inside its style sheet.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_ONE_YEAR = 31_536_000  # seconds

_OWN = Path(__file__).parent / "static"
_SWAGGER_UI = Path(str(resources.files("flask_swagger_ui"))) / "dist"


class _Asset(NamedTuple):
    path: Path
    # Stated, not guessed: a machine's mime.types may disagree, and nosniff would obey it.
    mimetype: str


_ASSETS = {
    "docs.js": _Asset(_OWN / "docs.js", "text/javascript"),
    "pages.css": _Asset(_OWN / "pages.css", "text/css"),
    "swagger-ui-bundle.js": _Asset(_SWAGGER_UI / "swagger-ui-bundle.js", "text/javascript"),
    "swagger-ui.css": _Asset(_SWAGGER_UI / "swagger-ui.css", "text/css"),
    "favicon.png": _Asset(_SWAGGER_UI / "favicon-32x32.png", "image/png"),
}


@pages.get("/")
@public
def index() -> Response:
    """Say what answers here and where its documentation is."""
    return answer_object(
        {"name": "contactapp", "documentation": "/docs", "openapi": "/openapi.json"}
    )


@pages.get("/docs", strict_slashes=False)
@public
def docs() -> Response:
    """Show the interactive documentation."""
    return _page("pages/docs.html", spec_url=f"{request.script_root}/openapi.json")


@pages.get("/openapi.json", strict_slashes=False)
@public
def openapi_document() -> Response:
    """Send the OpenAPI 3.1 document."""
    return conditional(list_tag(), lambda: current_app.extensions["contactapp.openapi"])


@pages.get("/docs/errors", strict_slashes=False)
@public
def error_codes() -> Response:
    """Show what every error code means."""
    return _page("pages/errors.html", codes=sorted(CODES.items(), key=_by_status))


@pages.get("/docs/static/<digest>/<name>")
@public
def asset(digest: str, name: str) -> Response:
    """Send a file of the pages; its address changes with its content, so it is kept for good."""
    if name not in _ASSETS or digest != _digest(name):
        abort(404)
    path, mimetype = _ASSETS[name]
    response = send_file(path, mimetype=mimetype, max_age=_ONE_YEAR, conditional=True)
    response.cache_control.immutable = True
    return response


@pages.app_template_global()
def asset_url(name: str) -> str:
    """Return the address of one of the pages' files, with the digest of its content."""
    return url_for("pages.asset", digest=_digest(name), name=name)


@cache
def _digest(name: str) -> str:
    return hashlib.sha256(_ASSETS[name].path.read_bytes()).hexdigest()[:16]


def _by_status(item: tuple[str, Code]) -> tuple[int, str]:
    code, (status, _title, _meaning) = item
    return status, code


def _page(template: str, **context: object) -> Response:
    response = Response(render_template(template, **context), mimetype="text/html")
    response.headers["Content-Security-Policy"] = _PAGE_POLICY
    response.headers["Cache-Control"] = "no-cache"
    return response
