"""The page that the README shows, in a real browser."""

from __future__ import annotations

import os
import re
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from selenium.webdriver.support.ui import WebDriverWait

from tests.support.server import ROOT

SECONDS = 30
PAGE = """<!doctype html><title>Changes</title><script>
const seen = [], show = (type, data) => seen.push([type, data.data?.first_name ?? null])
%s
</script>"""


class _Page(BaseHTTPRequestHandler):
    def do_GET(self):
        script = re.search(r"```js\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
        body = (PAGE % script.replace("3000", "100")).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def page():
    """The address of a page that is no part of the server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_page_follows_the_book_over_a_restart_of_the_server(new_server, page, chromium):
    server = new_server("sqlite", CORS_ORIGINS=page)
    alice = server.person()
    chromium.get(page)

    def seen(*events):
        wanted = [list(event) for event in events]
        WebDriverWait(chromium, SECONDS, 0.05).until(
            lambda driver: driver.execute_script("return seen") == wanted,
            f"not {wanted} but {chromium.execute_script('return seen')}",
        )

    token = alice.tokens["access_token"]
    names = f"window.api = '{alice.url}'; window.token = '{token}'; seen.length = 0; follow()"
    chromium.execute_script(names)
    seen(["ready", None])
    alice.post("/contacts", json={"first_name": "Ada"})
    seen(["ready", None], ["change", "Ada"])
    alice.http.close()
    os.kill(server.process.pid, signal.SIGHUP)
    alice.post("/contacts", json={"first_name": "Grace"})
    once = [["ready", None], ["change", "Ada"]]

    def all_told(driver):
        found = [event for event in driver.execute_script("return seen") if event[0] == "change"]
        return found == [["change", "Ada"], ["change", "Grace"]]

    WebDriverWait(chromium, SECONDS, 0.05).until(all_told)
    assert chromium.execute_script("return seen")[:2] == once
    chromium.get("about:blank")  # else it would ask its server for as long as the browser lives
