"""The ceiling: a bare Flask view that answers constant bytes, under the same gunicorn."""

import os
from pathlib import Path

from flask import Flask, Response

app = Flask("ceiling", static_folder=None)
_BODY = Path(os.environ["CEILING_BODY"]).read_bytes()


@app.get("/api/v1/contacts")
def contacts() -> Response:
    """The same bytes every time."""
    return Response(_BODY, content_type="application/json")
