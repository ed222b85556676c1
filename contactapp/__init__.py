"""contactapp: a self-hosted backend for people and what you know about them."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from . import compat, instance_lock, mail, openapi, problems, startup
from .answers import build
from .audit.routes import audit
from .auth import api_tokens as known_api_tokens
from .auth import guard, refusals, tokens
from .auth.admin_routes import accounts
from .auth.api_token_routes import api_tokens
from .auth.leaving_routes import leaving
from .auth.passwords import PasswordHasher
from .auth.routes import auth
from .auth.second_factor_routes import second_factor
from .backup import restoring
from .books import service as books_service
from .books.routes import books
from .bounded import Busy, usable_cores
from .changes import poller, waiting
from .changes.routes import changes
from .config import Settings, load
from .contacts.merge_routes import merges
from .contacts.photo_routes import photos
from .contacts.routes import contacts
from .crypto import derive
from .custom_fields.routes import custom_fields
from .data import service as data_service
from .data.routes import data
from .database import database, init_database
from .envelope import Envelope
from .exports import service as exports_service
from .exports.routes import exports
from .extensions import limiter
from .feeds.routes import feeds
from .imports import service as imports_service
from .imports.routes import imports
from .keyring import Keyring
from .labels.routes import labels
from .limits import Penalty, Quota, init_limiter, open_store
from .notes.routes import notes
from .operations.routes import operations
from .pages.account import account
from .pages.media import media
from .pages.routes import pages
from .pictures import service as pictures_service
from .probes import probes
from .request_log import RequestLog
from .session import NoSession
from .users.routes import users
from .webhooks import senders
from .webhooks.routes import webhooks
from .webhooks.schemas import WebhookEvent


class LazyRule(Rule):
    """A route that compiles what writes its URLs when it is first asked to write one.

    Few ever are, and compiling two functions for each was four fifths of making an application.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled = cache(super()._compile_builder)

        def build(rule: Rule, /, **values: Any) -> tuple[str, str]:
            return compiled(append_unknown)(rule, **values)

        return build


class Application(Flask):
    """Flask without what contactapp does not use."""

    url_rule_class = LazyRule

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """As it is: no view here is a coroutine, and asking each costs ten µs a request."""
        return func


def create_app(settings: Settings | None = None) -> Flask:
    """Make the WSGI application. Reads the settings from their sources unless given."""
    settings = settings or load()
    app = Application("contactapp", instance_path=str(settings.instance_path), static_folder=None)
    app.extensions["contactapp.settings"] = settings
    configure_http(app, settings)
    init_database(app, settings.database_url, settings.busy_timeout_seconds)
    if settings.threads > settings.working_threads:  # most wait, and each would keep a connection
        app.teardown_request(lambda _error: database().lane.give_back())
    init_keys(app, settings)
    books_service.init_app(app, settings)
    waiting.init_app(app, settings)
    poller.init_app(app)
    data_service.init_app(app)
    pictures_service.init_app(app, settings)
    exports_service.init_app(app, settings)
    imports_service.init_app(app, settings)
    mail.init_app(app, settings)
    senders.init_app(app, settings)
    init_wake_ups(app, settings)
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":  # for `flask db`
        startup.bind_migrations(app)
    init_limits(app, settings)
    problems.install(app)
    app.register_error_handler(Busy, problems.busy)
    refusals.install(app)
    people = (auth, api_tokens, second_factor, users, leaving, accounts)
    kept = (books, contacts, merges, photos, labels, custom_fields, notes, operations)
    slices = (*people, *kept, exports, imports, feeds, data, changes, webhooks, audit)
    openapi.init_app(app, slices, WebhookEvent)
    app.register_blueprint(pages)
    app.register_blueprint(account)
    app.register_blueprint(media)
    app.register_blueprint(probes)
    compat.init_app(app, settings)
    guard.install(app)
    return app


def ready_app() -> Flask:
    """An application whose database is fit to be used; for commands. Raises StartError."""
    settings = load()
    share_instance(settings)
    app = create_app(settings)
    startup.check(app)
    return app


def share_instance(settings: Settings) -> None:
    """Have no backup restored to this instance folder until this process and all that it forks
    have ended. Raises StartError while one is."""
    try:
        instance_lock.share(settings.instance_path, instance_lock.SERVING)
    except instance_lock.Held:
        raise startup.StartError(["a backup is being restored: wait for its end"]) from None
    restoring.clear_up(settings)


def configure_http(app: Flask, settings: Settings) -> None:
    """Routing and body limits, and the envelope around every answer."""
    build()  # of the program that was started, whatever is installed over it later
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # merging answers with a redirect
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.session_interface = NoSession()
    app.wsgi_app = Envelope(  # type: ignore[method-assign]
        app.wsgi_app, settings.cors_origins, RequestLog(lines=settings.request_log)
    )


def init_keys(app: Flask, settings: Settings) -> None:
    """Everything made from the secrets in the settings."""
    with app.app_context():
        app.extensions["contactapp.keyring"] = Keyring(settings.master_keys, database().lane)
    tokens.init_app(app, settings.jwt_secrets)
    known_api_tokens.init_app(app)
    # All workers together keep the cores busy with hashing and no more, and in each one thread
    # stays free of it, so that a burst of sign-ins does not hold up everything else.
    hashes = max(1, usable_cores() // settings.workers)
    app.extensions["contactapp.hasher"] = PasswordHasher(
        settings.password_peppers,
        settings.bcrypt_cost,
        hashes,
        max_waiting=max(1, settings.working_threads - hashes - 1),
    )


def init_wake_ups(app: Flask, settings: Settings) -> None:
    """Celery's workers, if there are any, hear of a job as soon as it is committed."""
    if settings.celery_broker_url:
        from .jobs.wake_ups import WakeUps, new_celery  # 10 MB that others need not have

        sender = WakeUps(new_celery(settings.celery_broker_url))
        app.extensions["contactapp.wake_up"] = sender.send


def init_limits(app: Flask, settings: Settings) -> None:
    """The default quota and Flask-Limiter on one store."""
    store = open_store(settings.redis_url or "", settings.instance_path / "limits.table")
    quota = Quota(
        store,
        settings.rate_limits,
        settings.anonymous_rate_limits,
        address_key=derive(settings.jwt_secrets[-1].value, "rate limit address"),
        penalty=_penalty(settings),
    )
    app.extensions["contactapp.quota"] = quota
    init_limiter(limiter, app, quota, settings.trusted_proxies)


def _penalty(settings: Settings) -> Penalty | None:
    if settings.penalty_seconds == 0:
        return None
    return Penalty(
        settings.penalty_seconds, settings.penalty_max_seconds, settings.penalty_quiet_seconds
    )
