"""Fills a server over its API and says which request belongs to which row.

One connection per server keeps the order of the cards, and with it the bytes, alike everywhere;
the servers are filled side by side.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from .load import Request
from .people import PASSWORD, account, card
from .rows import PAGE, SMALL
from .servers import Server

API = "/api/v1"
QUERY = "anna"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
COLD = 1000
READ = 3  # the card that is got


class Answer:
    """A whole answer."""

    def __init__(self, raw: http.client.HTTPResponse) -> None:
        self.status = raw.status
        self.headers = raw.headers
        self.body = raw.read()

    def json(self) -> Any:
        """The body's value."""
        return json.loads(self.body)


class Talk:
    """One keep-alive connection to a server, with a token once signed in."""

    def __init__(self, server: Server) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        self.headers: dict[str, str] = {}

    def send(self, request: Request) -> Answer:
        """The answer, whatever its status."""
        body = request.body.encode() if request.body else None
        self._connection.request(request.method, request.path, body, request.headers)
        return Answer(self._connection.getresponse())

    def call(self, method: str, path: str, body: Any = None, status: int = 200) -> Answer:
        """Send JSON; any other status than the expected one ends the run."""
        headers = {**self.headers, **(JSON if body is not None else {})}
        text = "" if body is None else json.dumps(body)
        answer = self.send(Request(method, API + path, headers, text))
        if answer.status != status:
            raise SystemExit(f"{method} {path} answered {answer.status}: {answer.body[:500]!r}")
        return answer

    def join(self, name: str) -> dict[str, Any]:
        """Register and sign in; the account as its registration showed it."""
        registered = self.call("POST", "/auth/register", account(name), 201).json()
        answer = self.send(sign_in(name))
        if answer.status != 200:
            raise SystemExit(f"signing in answered {answer.status}: {answer.body[:500]!r}")
        self.headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return registered


@dataclass
class Seeded:
    """A filled server: the request of each row, and what the in-process figures need."""

    server: Server
    requests: dict[str, Request] = field(default_factory=dict)
    books: dict[str, int] = field(default_factory=dict)
    big_headers: dict[str, str] = field(default_factory=dict)
    big_contact: int = 0


def sign_in(name: str) -> Request:
    """The form that signs in."""
    form = urlencode({"grant_type": "password", "username": name, "password": PASSWORD})
    return Request("POST", f"{API}/auth/token", FORM, form)


def fill(server: Server, big: int, told: Callable[[int], None], cold: bool) -> Seeded:
    """Two books, a user who creates and one who signs in; with `cold` a third book of 1 000, and
    an empty one for files."""
    seeded = Seeded(server)
    # At once after each book: a server may close an idle connection within seconds.
    _small_rows(_book(server, seeded, "small", SMALL, told), seeded)
    _big_rows(_book(server, seeded, "big", big, told), seeded, big)
    _book(server, seeded, "writer", 0, told)
    if cold:
        _book(server, seeded, "cold", COLD, told)
        _book(server, seeded, "files", 0, told)
    return seeded


def _book(
    server: Server, seeded: Seeded, name: str, size: int, told: Callable[[int], None]
) -> Talk:
    talk = Talk(server)
    seeded.books[name] = talk.join(name).get("book_id", 0)
    for number in range(size):
        talk.call("POST", "/contacts", card(number), 201)
        told(1)
    if name == "writer":
        seeded.requests["create"] = Request(
            "POST", f"{API}/contacts", {**talk.headers, **JSON}, json.dumps(card(7))
        )
        seeded.requests["sign-in"] = sign_in(name)
    return talk


def _small_rows(talk: Talk, seeded: Seeded) -> None:
    path = f"{API}/contacts?limit={PAGE}"
    first = talk.send(Request("GET", path, talk.headers))
    seeded.requests["list"] = Request("GET", path, talk.headers)
    if tag := first.headers.get("ETag"):
        conditional = {**talk.headers, "If-None-Match": tag}
        seeded.requests["unchanged"] = Request("GET", path, conditional)
    contact = first.json()["items"][READ]["id"]
    seeded.requests["get"] = Request("GET", f"{API}/contacts/{contact}", talk.headers)
    _search(talk, seeded, "search")


def _big_rows(talk: Talk, seeded: Seeded, big: int) -> None:
    path = f"{API}/contacts?limit={PAGE}"
    skip = Request("GET", f"{path}&skip={big - 2 * PAGE}", talk.headers)
    page = talk.send(skip).json()
    cursor = page.get("next_cursor")
    seeded.big_headers, seeded.big_contact = talk.headers, page["items"][0]["id"]
    seeded.requests["list-big"] = Request("GET", path, talk.headers)
    seeded.requests["skip"] = skip
    if cursor:
        seeded.requests["deep"] = Request("GET", f"{path}&cursor={cursor}", talk.headers)
    else:  # a server without cursors reaches the same page by counting
        last = Request("GET", f"{path}&skip={big - PAGE}", talk.headers)
        seeded.requests["deep"] = last
    _search(talk, seeded, "search-big")


def _search(talk: Talk, seeded: Seeded, key: str) -> None:
    """The search, left out where the server has none."""
    request = Request("GET", f"{API}/contacts/search?q={QUERY}&limit={PAGE}", talk.headers)
    if talk.send(request).status == 200:
        seeded.requests[key] = request
