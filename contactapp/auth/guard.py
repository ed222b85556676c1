"""The one guard: who asks, how often, and which book they act on.

It runs before every view: quota first (so that nothing expensive comes before it), then one SQL
read that answers whether the session lives, the user is active and what state the book is in.
"""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Request, current_app, g, request

from .. import clock, metrics
from ..actor import Actor, Book
from ..config import Settings
from ..database import Sql, lane
from ..engine import DatabaseFailure
from ..errors import BadRequest, Forbidden, NotFound, TooManyRequests, Unauthenticated
from ..incoming import MAX_ID, refuse_query
from ..limits import Quota, Verdict, client_address, rate_limit_headers
from . import tokens
from .sessions import Client
from .tokens import Claims

API = "/api/"
_HOSTS = 100  # spellings remembered
_TOUCH_AFTER = 60_000  # milliseconds between two writes of a session's last use

_COLUMNS = (
    "SELECT s.ended_at, s.expires_at, s.last_used_at, u.active, u.role, u.key_id, "
    "b.id, b.owner_id, b.key_id, b.stream_id, st.seq, st.head, "
)
_OWN_BOOK = Sql(
    f"{_COLUMNS} 'owner' FROM session s JOIN users u ON u.id = s.user_id "
    "JOIN book b ON b.owner_id = u.id AND b.personal JOIN stream st ON st.id = b.stream_id "
    "WHERE s.id = ? AND s.user_id = ?"
)
_OWN_DATA = Sql(
    "SELECT s.ended_at, s.expires_at, s.last_used_at, u.active, u.role, u.key_id, "
    "0, u.id, u.key_id, u.stream_id, st.seq, st.head, 'owner', st.items, st.size "
    "FROM session s JOIN users u ON u.id = s.user_id JOIN stream st ON st.id = u.stream_id "
    "WHERE s.id = ? AND s.user_id = ?"
)
_TOUCH = Sql("UPDATE session SET last_used_at = ? WHERE id = ? AND last_used_at <= ?")
# A book that is not the user's comes back with its columns null: the session may live all the same.
_OTHER_BOOK = Sql(
    f"{_COLUMNS} CASE WHEN b.owner_id = u.id THEN 'owner' ELSE m.role END "
    "FROM session s JOIN users u ON u.id = s.user_id "
    "LEFT JOIN book_member m ON m.user_id = u.id AND m.book_id = ? "
    "LEFT JOIN book b ON b.id = ? AND (b.owner_id = u.id OR b.id = m.book_id) "
    "LEFT JOIN stream st ON st.id = b.stream_id WHERE s.id = ? AND s.user_id = ?"
)


class NoSuchBook(NotFound):
    """The book that was asked for is not there, or somebody else's."""


def install(app: Flask) -> None:
    """Guard every route of the application. Call it when all blueprints are registered."""
    for key, mark in (
        ("public", "is_public"),
        ("unlimited", "is_unlimited"),
        ("queries", "takes_query"),
        ("admins", "is_for_admins"),
        ("books", "takes_book"),
        ("data", "takes_data"),
    ):
        app.extensions[f"contactapp.{key}"] = {
            name for name, view in app.view_functions.items() if getattr(view, mark, False)
        }
    app.extensions["contactapp.hosts"] = {""}  # HTTP/1.0 knows no Host
    app.before_request(guard)


def guard() -> None:
    """Judge the request. Raises TooManyRequests, Unauthenticated, NotFound or BadRequest."""
    # The objects behind Flask's proxies: each use of a proxy costs half a microsecond, and this
    # runs before every view.
    asked: Request = request._get_current_object()  # type: ignore[attr-defined]
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    endpoint, extensions = asked.endpoint, app.extensions
    asked.environ["contactapp.rule"] = asked.url_rule
    # A browser's preflights carry no token: charged to the address they would shut its users out.
    if endpoint in extensions["contactapp.unlimited"] or asked.method == "OPTIONS":
        return
    host = asked.environ.get("HTTP_HOST", "")
    if host not in extensions["contactapp.hosts"] and not _is_ours(app, host):
        raise BadRequest("unknown_host")
    claims, refusal = _claims(asked)
    _count(app, asked, claims)
    if endpoint is None:
        return  # Flask answers 404 and 405 itself
    if endpoint not in extensions["contactapp.public"]:
        if claims is None:
            raise refusal or Unauthenticated()
        own = _OWN_DATA if endpoint in extensions["contactapp.data"] else _OWN_BOOK
        takes_book = endpoint in extensions["contactapp.books"]
        actor = _actor(app, asked, claims, _book_parameter(asked) if takes_book else None, own)
        g.actor = actor
        if endpoint in extensions["contactapp.admins"] and actor.role != "admin":
            raise Forbidden()
    if (
        asked.query_string
        and asked.path.startswith(API)
        and endpoint not in extensions["contactapp.queries"]
    ):
        refuse_query()


def _is_ours(app: Flask, host: str) -> bool:
    """Whether requests for this host are meant for us: BASE_URL's, the listed ones and this
    machine's own; in development also any bare address, as of a phone in the same network."""
    settings: Settings = app.extensions["contactapp.settings"]
    name = host_name(host)
    known = {urlsplit(settings.base_url or "").hostname, *settings.allowed_hosts, "localhost"}
    if name.rstrip(".") not in known and name.strip("[]") not in known:
        try:
            address = ip_address(name.strip("[]"))
        except ValueError:
            return False
        if settings.is_production and not address.is_loopback:
            return False
    if len(app.extensions["contactapp.hosts"]) < _HOSTS:
        app.extensions["contactapp.hosts"].add(host)
    return True


def host_name(host: str) -> str:
    """The name in a Host header, in lower case, without the port; an IPv6 address in brackets."""
    name = host.lower()
    return name.partition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]


def bearer_token(asked: Request) -> str | None:
    """The token of the Authorization header, or None. A doubled `Bearer` is forgiven: people paste
    the whole header into forms that add their own."""
    header = asked.environ.get("HTTP_AUTHORIZATION")
    if not header:
        return None
    words = header.split()
    while words and words[0].lower() == "bearer":
        del words[0]
    return words[0] if len(words) == 1 and header[:7].lower() == "bearer " else ""


def caller() -> Actor | None:
    """Who asks on a public route, where a live access token says so."""
    claims, _ = _claims(request)
    if claims is None:
        return None
    with suppress(Unauthenticated):
        return _actor(current_app, request, claims, None)
    return None


def actor_again() -> Actor:
    """Who asks, judged anew in all but the quota, for an answer that took a while to come; the
    book's state is today's too. Raises Unauthenticated or NotFound."""
    claims, refusal = _claims(request)
    if claims is None:
        raise refusal or Unauthenticated()
    return _actor(current_app, request, claims, _book_parameter(request))


def claimed_user_id() -> int | None:
    """Whose token came with this request, whether or not its session still lives."""
    claims, _ = _claims(request)
    return claims and claims.user_id


def _claims(asked: Request) -> tuple[Claims | None, Unauthenticated | None]:
    token = bearer_token(asked)
    if token is None:
        return None, None
    try:
        return tokens.verify(token, "access"), None
    except Unauthenticated as error:
        return None, error


def _count(app: Flask, asked: Request, claims: Claims | None) -> None:
    """Charge the user's quota, or the address's where nobody is signed in."""
    quota: Quota = app.extensions["contactapp.quota"]
    now = clock.now_ms() / 1000
    verdict: Verdict | None
    if claims is not None:
        verdict, windows = quota.check_user(claims.user_id, now), quota.user_windows
    else:
        verdict, windows = quota.check_address(address(), now), quota.anonymous_windows
    if verdict is None:
        return
    asked.environ["contactapp.headers"].extend(rate_limit_headers(verdict, windows))
    if not verdict.allowed:
        metrics.count_limited("address" if claims is None else "user")
        raise TooManyRequests(
            verdict.retry_after,
            f"{verdict.limit} requests in {verdict.window.seconds} s are used up; "
            f"wait {verdict.retry_after} s.",
        )


def address() -> str:
    """The client's address, behind trusted proxies the one they saw."""
    environ = request.environ
    return client_address(
        environ.get("REMOTE_ADDR"),
        environ.get("HTTP_X_FORWARDED_FOR"),
        current_app.extensions["contactapp.settings"].trusted_proxies,
    )


def client() -> Client:
    """Where this request comes from."""
    agent = request.headers.get("User-Agent")
    return Client(agent, address(), request.environ["contactapp.request_id"])


def _actor(
    app: Flask, asked: Request, claims: Claims, book_id: int | None, own: Sql = _OWN_BOOK
) -> Actor:
    """The one SQL read of an authenticated request."""
    read = app.extensions["contactapp.database"].lane.one
    who = (claims.session_id, claims.user_id)
    row = read(_OTHER_BOOK, (book_id, book_id, *who)) if book_id else read(own, who)
    now = clock.now_ms()
    if row is None or row[0] is not None or row[1] <= now or not row[3]:
        raise Unauthenticated("invalid_token")
    asked.environ["contactapp.user_id"] = claims.user_id
    if now - row[2] >= _TOUCH_AFTER:
        _touch(claims.session_id, now)
    if row[6] is None:
        raise NoSuchBook(detail="There is no such book, or it belongs to somebody else.")
    return Actor(
        claims.user_id,
        claims.session_id,
        row[4],
        row[5],
        asked.environ["contactapp.request_id"],
        Book(*row[6:]),
    )


def _book_parameter(asked: Request) -> int | None:
    query = asked.query_string
    if b"book" not in query and b"%" not in query:  # any name may come percent-encoded
        return None
    given = asked.args.getlist("book")
    if not given:
        return None
    if len(given) > 1:
        raise BadRequest("repeated_parameter", "book came more than once.", parameter="book")
    text = given[0]
    if text.isascii() and text.isdigit() and len(text) <= 17 and 0 < int(text) <= MAX_ID:
        return int(text)
    return None  # the view's own query schema names what is wrong with it


def _touch(session_id: int, now: int) -> None:
    """Note the session's last use, at most once a minute, unless a writer is at work: a reader
    waits for nobody."""
    with suppress(DatabaseFailure):
        lane().write_unless_busy(_TOUCH, (now, session_id, now - _TOUCH_AFTER))
