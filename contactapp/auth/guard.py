"""The one guard: who asks, how often, and which book they act on.

It runs before every view: quota first (so that nothing expensive comes before it), then one SQL
read that answers whether the session lives, the user is active and what state the book is in.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from flask import Flask, Request, Response, current_app, g, request

from .. import clock, idempotency, metrics
from ..actor import Actor
from ..errors import BadRequest, Forbidden, TooManyRequests, Unauthenticated
from ..incoming import refuse_query
from ..limits import Quota, Verdict, client_address, rate_limit_headers
from . import actors, hosts, second_factor, tickets
from .actors import Signed
from .api_tokens import ApiClaims
from .credentials import TICKET, book_parameter, claims_in, find_ticket
from .scopes import needed
from .sessions import Client

API = "/api/"


def install(app: Flask) -> None:
    """Guard every route of the application. Call it when all blueprints are registered."""
    for key, mark in (
        ("public", "is_public"),
        ("unlimited", "is_unlimited"),
        ("queries", "takes_query"),
        ("admins", "is_for_admins"),
        ("books", "takes_book"),
        ("data", "takes_data"),
        ("both", "takes_both"),
        ("tickets", "takes_ticket"),
    ):
        app.extensions[f"contactapp.{key}"] = {
            name for name, view in app.view_functions.items() if getattr(view, mark, False)
        }
    app.extensions["contactapp.keyed"] = {
        name: getattr(view, "body_times", 1)
        for name, view in app.view_functions.items()
        if hasattr(view, "takes_key")
    }
    app.extensions["contactapp.areas"] = {
        name: view.area for name, view in app.view_functions.items() if hasattr(view, "area")
    }
    app.extensions["contactapp.hosts"] = {""}  # HTTP/1.0 knows no Host
    app.before_request(guard)


def guard() -> Response | None:
    """Judge the request; the answer where it has an Idempotency-Key. Raises TooManyRequests,
    Unauthenticated, NotFound or BadRequest."""
    # The objects behind Flask's proxies: each use of a proxy costs half a microsecond, and this
    # runs before every view.
    asked: Request = request._get_current_object()  # type: ignore[attr-defined]
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    endpoint, extensions = asked.endpoint, app.extensions
    asked.environ["contactapp.rule"] = asked.url_rule
    # A browser's preflights carry no token: charged to the address they would shut its users out.
    if endpoint in extensions["contactapp.unlimited"] or asked.method == "OPTIONS":
        return None
    host = asked.environ.get("HTTP_HOST", "")
    if host not in extensions["contactapp.hosts"] and not hosts.is_ours(app, host):
        raise BadRequest("unknown_host")
    if endpoint in extensions["contactapp.tickets"]:
        find_ticket(asked)
    claims, refusal = claims_in(asked)
    _count(app, asked, claims)
    if endpoint is None:
        return None  # Flask answers 404 and 405 itself
    if endpoint not in extensions["contactapp.public"]:
        if claims is None:
            raise refusal or Unauthenticated()
        _admit(app, asked, endpoint, claims)
    if (
        asked.query_string
        and asked.path.startswith(API)
        and endpoint not in extensions["contactapp.queries"]
    ):
        refuse_query()
    if "HTTP_IDEMPOTENCY_KEY" in asked.environ and endpoint in extensions["contactapp.keyed"]:
        view = partial(app.view_functions[endpoint], **(asked.view_args or {}))
        times = extensions["contactapp.keyed"][endpoint]
        return idempotency.answer_once(asked, g.actor, view, times)
    return None


def _admit(app: Flask, asked: Request, endpoint: str, claims: Signed) -> None:
    """Have the view know who asks (`g.actor`), where they may ask for this."""
    if isinstance(claims, ApiClaims):
        _require_scope(app, asked, claims)
    actor, lacking = _actor(app, asked, endpoint, claims), None
    if actor.role == "admin" and app.extensions["contactapp.settings"].admin_second_factor:
        actor, lacking = _as_admin(actor)
    if TICKET in asked.environ:
        tickets.spend(asked.environ[TICKET])
    g.actor = actor
    if endpoint in app.extensions["contactapp.admins"] and actor.role != "admin":
        raise lacking or Forbidden()


def _actor(app: Flask, asked: Request, endpoint: str, claims: Signed) -> Actor:
    """Who asks, and what the view reads: a book, one's data, or both."""
    extensions = app.extensions
    book_id = book_parameter(asked) if endpoint in extensions["contactapp.books"] else None
    if endpoint in extensions["contactapp.data"]:
        return actors.with_own_data(app, asked, claims)
    if book_id is None and endpoint in extensions["contactapp.both"]:
        return actors.with_both(app, asked, claims)
    return actors.with_book(app, asked, claims, book_id)


def _as_admin(actor: Actor) -> tuple[Actor, Forbidden | None]:
    """An admin where those need a second factor: without one they are a user like others."""
    if second_factor.is_on(actor.user_id):
        return actor, None
    return actor._replace(role="user"), Forbidden("second_factor_required")


def _require_scope(app: Flask, asked: Request, claims: ApiClaims) -> None:
    """Raise Forbidden (`insufficient_scope`, RFC 6750 §3.1) where an API token is not for this, or
    Unauthenticated where it has ended."""
    scope = needed(app.extensions["contactapp.areas"].get(asked.endpoint), asked.method)
    if scope in claims.scopes:
        return
    g.actor = actors.with_book(app, asked, claims, None)  # whose refusal it is, for the trail
    if scope is None:
        detail = "This takes the token of a session; no API token will do."
    else:
        detail = f"The API token lacks the scope {scope}."
    challenge = 'Bearer realm="contactapp", error="insufficient_scope"'
    challenge += f', scope="{scope}"' if scope else ""
    headers = {"WWW-Authenticate": challenge}
    raise Forbidden("insufficient_scope", detail, headers=headers, scope=scope)


def caller() -> Actor | None:
    """Who asks on a public route, where a live access token of a session says so."""
    claims, _ = claims_in(request)
    if claims is None or isinstance(claims, ApiClaims):
        return None
    with suppress(Unauthenticated):
        return actors.with_book(current_app, request, claims, None)
    return None


def actor_again() -> Actor:
    """Who asks, judged anew in all but the quota, for an answer that took a while to come; the
    state of the book, and of the data beside one's own, is today's too. Raises Unauthenticated or
    NotFound."""
    claims = came_by()
    book_id = book_parameter(request)
    if book_id is None:
        return actors.with_both(current_app, request, claims)
    return actors.with_book(current_app, request, claims, book_id)


def came_by() -> Signed:
    """What the actor of this request came by."""
    claims, refusal = claims_in(request)
    if claims is None:
        raise refusal or Unauthenticated()
    return claims


def claimed_user_id() -> int | None:
    """Whose token came with this request, whether or not its session still lives."""
    claims, _ = claims_in(request)
    return claims and claims.user_id


def _count(app: Flask, asked: Request, claims: Signed | None) -> None:
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
