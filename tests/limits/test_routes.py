"""Flask-Limiter on the store: the limits of single routes."""

from __future__ import annotations

import ipaddress
import random
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_limiter import Limiter, RateLimitExceeded
from flask_smorest import Api, Blueprint

from contactapp import clock
from contactapp.config import Window
from contactapp.limits import (
    Store,
    TableStore,
    client_key,
    init_limiter,
    limit_text,
    retry_after,
)
from tests.support.limits import NOW, quota_on

PROXIES = (ipaddress.ip_network("127.0.0.1/32"),)

limiter = Limiter(client_key)
blueprint = Blueprint("guarded", __name__)
route_windows: dict[str, tuple[Window, ...]] = {}


@blueprint.post("/guarded")
@limiter.limit(lambda: limit_text(route_windows["guarded"]))
@blueprint.response(200)
def guarded() -> dict[str, str]:
    """Do something that may be done seldom."""
    return {}


@blueprint.get("/free")
def free() -> str:
    return "free"


def make_app(store: Store) -> Flask:
    app = Flask(__name__)
    app.config |= {"API_TITLE": "t", "API_VERSION": "1", "OPENAPI_VERSION": "3.1.0"}
    init_limiter(limiter, app, quota_on(store), PROXIES)
    api = Api(app)
    api.register_blueprint(blueprint)

    @app.errorhandler(RateLimitExceeded)
    def too_many(_: RateLimitExceeded) -> tuple[str, int, dict[str, str]]:
        return "", 429, {"Retry-After": str(retry_after(limiter))}

    document = api.spec.to_dict()["paths"]["/guarded"]["post"]
    assert document["summary"] == "Do something that may be done seldom."
    return app


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the clock to so many seconds after NOW."""

    def set_clock(seconds: float) -> None:
        monkeypatch.setattr(clock, "now_ms", lambda: round((NOW + seconds) * 1000))

    set_clock(0)
    route_windows["guarded"] = (Window(2, 60), Window(3, 600))
    return set_clock


def statuses(app: Flask, times: int, **headers: str) -> list[int]:
    client = app.test_client()
    return [client.post("/guarded", headers=headers).status_code for _ in range(times)]


def test_a_limited_route_answers_429_until_retry_after(store: Store, at: Any, key: str) -> None:
    # RL-1, through a real store of each kind
    app = make_app(store)
    address = f"2001:db8:{random.randrange(65536):x}:{random.randrange(65536):x}::1"
    header = {"X-Forwarded-For": address}
    assert statuses(app, 3, **header) == [200, 200, 429]
    refused = app.test_client().post("/guarded", headers=header)
    assert refused.headers["Retry-After"] == "600"
    at(60)
    assert statuses(app, 1, **header) == [429]
    at(600)
    assert statuses(app, 1, **header) == [200]


def test_a_limited_route_is_not_fooled_by_a_header(tmp_path: Path, at: Any) -> None:
    # RL-6
    app = make_app(TableStore(tmp_path / "limits.table"))
    client = app.test_client()
    answers = [
        client.post(
            "/guarded",
            headers={"X-Forwarded-For": f"192.0.2.{n}"},
            environ_base={"REMOTE_ADDR": "203.0.113.9"},
        ).status_code
        for n in range(4)
    ]
    assert answers == [200, 200, 429, 429]


def test_no_windows_means_no_limit(tmp_path: Path, at: Any) -> None:
    route_windows["guarded"] = ()
    assert statuses(make_app(TableStore(tmp_path / "limits.table")), 9) == [200] * 9


def test_other_routes_pay_nothing(tmp_path: Path, at: Any) -> None:
    app = make_app(TableStore(tmp_path / "limits.table"))
    assert not app.before_request_funcs
    assert not app.after_request_funcs
    assert not app.teardown_request_funcs
    assert app.test_client().get("/free").status_code == 200


def test_every_app_counts_in_its_own_store(tmp_path: Path, at: Any) -> None:
    first = make_app(TableStore(tmp_path / "first.table"))
    second = make_app(TableStore(tmp_path / "second.table"))
    assert statuses(first, 3) == [200, 200, 429]
    assert statuses(second, 3) == [200, 200, 429]


def test_a_limited_route_without_its_store_is_limited_and_no_500(
    failing_store: Store, at: Any
) -> None:
    # RL-7
    app = make_app(failing_store)
    assert statuses(app, 3) == [200, 429, 429]
    failing_store.close()
