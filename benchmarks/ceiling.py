"""The ceiling: bare Flask views that answer constant bytes, under the same gunicorn.

CEILING_FOLDER holds `answers.json`, which maps a path to its method, status and file of bytes.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response

app = Flask("ceiling", static_folder=None)
_FOLDER = Path(os.environ["CEILING_FOLDER"])


def _constant(status: int, body: bytes) -> Callable[[], Response]:
    def view() -> Response:
        return Response(body, status, content_type="application/json")

    return view


for _path, _answer in json.loads((_FOLDER / "answers.json").read_text()).items():
    _body = (_FOLDER / _answer["file"]).read_bytes()
    app.add_url_rule(_path, _path, _constant(_answer["status"], _body), methods=[_answer["method"]])
