"""One line of JSON for everything that is logged in production."""

import json
import logging
import sys

import pytest

from contactapp.logs import JsonLines

MARKER = "marker-4711"


def line(message, *arguments, exc_info=None):
    record = logging.LogRecord("contactapp", logging.WARNING, "", 1, message, arguments, exc_info)
    return JsonLines().format(record)


# OB-1
@pytest.mark.parametrize(
    "text", ["plain", "a\r\n2026-11-21 forged", "\x1b[31mred", '"}{"level": "x"', "é\u2028\ud800"]
)
def test_whatever_is_quoted_stays_one_line(text):
    written = line("said %s", text)
    assert written.isascii()
    assert written.isprintable()
    assert json.loads(written)["message"] == f"said {text}"


# OB-1
def test_times_are_utc_and_the_request_is_named(app):
    with app.test_request_context(environ_base={"contactapp.request_id": "my-request"}):
        entry = json.loads(line("a thing"))
    assert entry["request_id"] == "my-request"
    assert entry["time"].endswith("Z")
    assert (entry["level"], entry["logger"]) == ("warning", "contactapp")
    assert "request_id" not in json.loads(line("a thing"))


# OB-1
def test_a_stack_has_no_messages():
    try:
        try:
            raise ValueError(MARKER)
        except ValueError as cause:
            raise RuntimeError(MARKER) from cause
    except RuntimeError:
        written = line("failed", exc_info=sys.exc_info())
    assert MARKER not in json.loads(written)["stack"].replace("raise ValueError(MARKER)", "")
    assert "caused by" in json.loads(written)["stack"]
