"""Quota, stores, client addresses and the limits of single routes; time is always handed in."""

from __future__ import annotations

import ipaddress
import itertools
import logging
import multiprocessing
import os
import random
import shutil
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_limiter import Limiter, RateLimitExceeded
from flask_smorest import Api, Blueprint

from contactapp import clock
from contactapp.config import Window
from contactapp.limits import (
    UNKNOWN,
    Quota,
    SqliteStore,
    Store,
    Verdict,
    client_address,
    client_key,
    counted_address,
    init_limiter,
    limit_text,
    open_store,
    rate_limit_headers,
    retry_after,
    sqlite_store,
)
from contactapp.limits.redis_store import RedisStore
from contactapp.limits.sqlite_store import sqlite3

NOW = 1_800_000_000.0
MINUTE = (Window(5, 60),)
MINUTE_AND_HOUR = (Window(3, 60), Window(5, 3600))
KEY = b"a key of the test's own"


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on PATH")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    server = subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True)
    assert server.stdout
    for line in server.stdout:
        if "Ready to accept connections" in line:
            break
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.communicate()


@pytest.fixture(params=["sqlite", "redis"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A Redis URL, or an empty one and the path of a file: what `open_store` takes."""
    if request.param == "sqlite":
        return "", tmp_path / "limits.sqlite3"
    return request.getfixturevalue("redis_url"), tmp_path / "never made"


@pytest.fixture
def store(location: tuple[str, Path]) -> Iterator[Store]:
    opened = open_store(*location)
    yield opened
    opened.close()


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    return request.node.nodeid  # one Redis serves all tests


def quota_on(store: Store) -> Quota:
    return Quota(store, MINUTE, MINUTE, address_key=KEY)


def use_up(store: Store, key: str, windows: tuple[Window, ...], now: float) -> Verdict:
    """Ask until refused; the refusal."""
    return next(v for v in (store.hit(key, windows, now) for _ in range(1000)) if not v.allowed)


# RL-1: exactness


def _hit(location: Any, key: str, start: Any) -> int:
    store, jitter = open_store(*location), random.Random(os.getpid())
    start.wait()
    hits = [store.hit(key, (Window(50, 60),), NOW + jitter.random()).allowed for _ in range(63)]
    return sum(hits)


def _count(location: Any, key: str, start: Any) -> list[int]:
    store = open_store(*location)
    start.wait()
    return [store.count(key, Window(0, 60), NOW)[0] for _ in range(50)]


def _open_new_files(location: Any, key: str, start: Any) -> list[int]:
    remaining = []
    for n in range(60):
        store = SqliteStore(location[1].with_name(f"new-{n}.sqlite3"))
        start.wait()
        remaining.append(store.hit(key, MINUTE, NOW).remaining)
        store.close()
    return remaining


def _in_a_process(work: Any, location: Any, key: str, start: Any, results: Any) -> None:
    try:
        results.put(work(location, key, start))
    except BaseException as error:  # else the others would wait for this one
        start.abort()
        results.put(error)


def in_four_processes(work: Any, location: tuple[str, Path], key: str) -> list[Any]:
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(4), context.Queue()
    arguments = (work, location, key, start, results)
    workers = [context.Process(target=_in_a_process, args=arguments) for _ in range(4)]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join()
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


def test_four_processes_pass_exactly_the_limit(location: tuple[str, Path], key: str) -> None:
    # RL-1: the clocks of the requests differ, as those of requests that overtake each other do
    assert sum(in_four_processes(_hit, location, key)) == 50


def test_route_counts_are_exact_over_processes(location: tuple[str, Path], key: str) -> None:
    # RL-1
    answers = in_four_processes(_count, location, key)
    assert sorted(itertools.chain(*answers)) == list(range(1, 201))


def test_processes_that_start_together_count_from_the_first_request(
    tmp_path: Path, key: str
) -> None:
    # RL-1
    answers = in_four_processes(_open_new_files, ("", tmp_path / "limits.sqlite3"), key)
    assert [sorted(four) for four in zip(*answers, strict=True)] == [[1, 2, 3, 4]] * 60


def test_a_refused_request_consumes_nothing(store: Store, key: str) -> None:
    # RL-1
    for _ in range(3):
        assert store.hit(key, MINUTE_AND_HOUR, NOW).allowed
    for _ in range(20):
        assert not store.hit(key, MINUTE_AND_HOUR, NOW + 1).allowed
    assert store.hit(key, MINUTE_AND_HOUR, NOW + 60).remaining == 1  # 4 of 5 in the hour
    assert store.hit(key, MINUTE_AND_HOUR, NOW + 60).allowed
    assert not store.hit(key, MINUTE_AND_HOUR, NOW + 60).allowed


def test_a_window_opens_with_the_first_request_in_it(store: Store, key: str) -> None:
    assert store.hit(key, MINUTE, NOW + 0.5) == Verdict(True, MINUTE[0], 4, 60)
    assert store.hit(key, MINUTE, NOW + 30.5) == Verdict(True, MINUTE[0], 3, 30)
    assert store.hit(key, MINUTE, NOW + 60.4).remaining == 2
    assert store.hit(key, MINUTE, NOW + 60.5) == Verdict(True, MINUTE[0], 4, 60)


def test_waiting_exactly_retry_after_gets_through(store: Store, key: str) -> None:
    # RL-1
    chance = random.Random(1)
    for n in range(50):
        now = NOW + chance.random() * 100
        windows = (Window(3, chance.randint(1, 90)), Window(4, chance.randint(1, 900)))
        while True:
            verdict = store.hit(f"{key}{n}", windows, now)
            if not verdict.allowed:
                break
            now += chance.random() / 10
        assert verdict.remaining == 0
        assert 1 <= verdict.retry_after == verdict.reset
        assert store.hit(f"{key}{n}", windows, now + verdict.retry_after).allowed


def test_no_rounding_makes_the_wait_too_short(tmp_path: Path) -> None:
    # RL-1: times half-way between two milliseconds
    store = SqliteStore(tmp_path / "limits.sqlite3")
    for n in range(500):
        now = NOW + n * 1.001 + 0.0005
        wait = use_up(store, f"u{n}", (Window(1, 60),), now).retry_after
        assert wait == 60
        assert store.hit(f"u{n}", (Window(1, 60),), now + wait).allowed
    store.close()


def test_a_refusal_names_the_longest_wait(store: Store, key: str) -> None:
    windows = (Window(2, 60), Window(2, 3600))
    refused = use_up(store, key, windows, NOW)
    assert (refused.window, refused.retry_after) == (windows[1], 3600)


def test_an_answer_names_the_window_closest_to_empty(store: Store, key: str) -> None:
    assert store.hit(key, MINUTE_AND_HOUR, NOW).window.limit == 3
    store.hit(key, MINUTE_AND_HOUR, NOW)
    later = store.hit(key, MINUTE_AND_HOUR, NOW + 61)
    assert (later.limit, later.remaining, later.reset) == (5, 2, 3539)


def test_both_stores_give_the_same_answers(tmp_path: Path, redis_url: str, key: str) -> None:
    ours, theirs = SqliteStore(tmp_path / "limits.sqlite3"), RedisStore(redis_url)
    chance, now = random.Random(2), NOW
    windows = (Window(4, 2), Window(7, 5), Window(9, 11), Window(20, 60))
    for _ in range(500):
        now += chance.choice([0, 0.001, 0.25, 1, 3, -2, 30])
        few = windows[: chance.randint(1, 4)]
        assert ours.hit(key, few, now) == theirs.hit(key, few, now)
        assert ours.count(f"{key}c", few[0], now) == theirs.count(f"{key}c", few[0], now)
        assert ours.peek(f"{key}c", now) == theirs.peek(f"{key}c", now)
    for store in (ours, theirs):
        store.forget(f"{key}c")
        assert store.peek(f"{key}c", now) == (0, now)
        store.close()


def test_a_restart_keeps_the_counts(location: tuple[str, Path], key: str) -> None:
    # RL-7
    first = open_store(*location)
    use_up(first, key, MINUTE, NOW)
    first.close()
    second = open_store(*location)
    assert not second.hit(key, MINUTE, NOW + 1).allowed
    second.close()


def test_a_clock_set_back_locks_nobody_out_for_longer_than_a_window(store: Store, key: str) -> None:
    use_up(store, key, MINUTE, NOW)
    back = NOW - 86_400
    refused = store.hit(key, MINUTE, back)
    assert not refused.allowed
    assert refused.retry_after == 60
    assert store.hit(key, MINUTE, back + 60).allowed


def test_a_request_that_was_overtaken_does_not_empty_the_window(store: Store, key: str) -> None:
    # RL-1
    use_up(store, key, MINUTE, NOW + 0.002)
    assert not store.hit(key, MINUTE, NOW).allowed


def test_no_connection_survives_a_fork(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "limits.sqlite3")
    store.hit("u1", MINUTE, NOW)
    child = os.fork()
    if child == 0:
        clean = store._cursor is None and store.hit("u1", MINUTE, NOW).remaining == 3
        os._exit(0 if clean else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.hit("u1", MINUTE, NOW).remaining == 2
    store.close()


def test_ended_rows_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_store, "SWEEP_EVERY", 20)
    monkeypatch.setattr(sqlite_store, "SWEEP_ROWS", 40)
    store = SqliteStore(tmp_path / "limits.sqlite3")
    for n in range(500):
        store.hit(f"u{n}", MINUTE, NOW + n)
    for _ in range(200):
        store.hit("u0", MINUTE, NOW + 500)
    rows = store._cursor.execute("SELECT count(*) FROM allowance").fetchall()
    assert rows[0][0] <= 61
    store.close()


def test_the_file_is_for_its_owner_only_and_holds_no_address(tmp_path: Path) -> None:
    path = tmp_path / "limits.sqlite3"
    quota = quota_on(SqliteStore(path))
    quota.check_address("198.51.100.7", NOW)
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert b"198.51.100" not in file.read_bytes()
    quota.store.close()


@pytest.mark.parametrize("content", ["other shape", "damaged"])
def test_an_unfit_file_is_made_anew(tmp_path: Path, content: str) -> None:
    path = tmp_path / "limits.sqlite3"
    if content == "damaged":
        path.write_bytes(b"no database " * 1000)
    else:
        other = sqlite3.connect(str(path))
        other.execute("CREATE TABLE allowance (something TEXT)")
        other.execute("PRAGMA user_version = 99")
        other.close()
    quota = quota_on(SqliteStore(path))
    quota.check_user(1, NOW)  # the damage is found, and forgiven
    counted = quota.check_user(1, NOW + 10)
    assert counted
    assert not counted.degraded
    quota.store.close()


# RL-6: the key is not the client's choice

PROXIES = tuple(map(ipaddress.ip_network, ("127.0.0.1/32", "10.0.0.0/8", "2001:db8:1::/48")))


@pytest.mark.parametrize(
    ("peer", "header", "address"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "192.0.2.1, 192.0.2.2", "203.0.113.9"),  # an untrusted peer
        ("127.0.0.1", "192.0.2.66, 203.0.113.9", "203.0.113.9"),  # the client wrote the first
        ("10.1.1.1", "192.0.2.66, 203.0.113.9, 10.2.2.2", "203.0.113.9"),
        ("10.1.1.1", "203.0.113.9, garbage, 10.2.2.2", "10.2.2.2"),
        ("10.1.1.1", "203.0.113.9, fe80::1%chosen", "10.1.1.1"),
        ("10.1.1.1", ", ,", "10.1.1.1"),
        ("10.1.1.1", "10.3.3.3, 10.2.2.2", "10.3.3.3"),  # a proxy's own request
        ("::ffff:10.1.1.1", "203.0.113.9", "203.0.113.9"),
        ("10.1.1.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.1.1.1", "[2001:DB8::1]:4711", "2001:db8::1"),
        ("2001:db8:1::1", "2001:db8::1", "2001:db8::1"),
        ("10.1.1.1", "203.0.113.9," + "10.2.2.2," * 5000 + "10.2.2.2", "10.2.2.2"),
        ("", "203.0.113.9", "203.0.113.9"),  # a unix socket counts as loopback
        (None, None, UNKNOWN),
        ("not an address", "203.0.113.9", "not an address"),
    ],
)
def test_the_address_is_the_first_one_no_trusted_proxy_has(
    peer: str | None, header: str | None, address: str
) -> None:
    # RL-6
    assert client_address(peer, header, PROXIES) == address


@pytest.mark.parametrize("trusted", [(), PROXIES[1:]])
def test_the_header_of_a_unix_socket_is_not_believed_unasked(trusted: Any) -> None:
    # RL-6
    assert client_address("", "203.0.113.9", trusted) == UNKNOWN


def test_a_walk_through_a_64_is_one_caller(tmp_path: Path) -> None:
    # RL-6
    quota = quota_on(SqliteStore(tmp_path / "limits.sqlite3"))
    hits = [quota.check_address(f"2001:db8:0:7::{n:x}", NOW) for n in range(1, 21)]
    assert sum(hit.allowed for hit in hits if hit) == 5
    assert quota.check_address("2001:db8:0:8::1", NOW) == Verdict(True, MINUTE[0], 4, 60)
    assert counted_address("::ffff:192.0.2.1") == counted_address("192.0.2.1")
    quota.store.close()


@pytest.mark.parametrize("address", ["", UNKNOWN, "nonsense"])
def test_no_address_is_one_caller_and_not_no_limit(tmp_path: Path, address: str) -> None:
    # RL-6
    quota = quota_on(SqliteStore(tmp_path / "limits.sqlite3"))
    hits = [quota.check_address(caller, NOW) for caller in ["", UNKNOWN, address] * 3]
    assert sum(hit.allowed for hit in hits if hit) == 5
    quota.store.close()


def test_users_and_addresses_are_counted_apart_and_can_be_off(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "limits.sqlite3")
    quota = Quota(store, MINUTE, (), address_key=KEY)
    assert quota.check_address("192.0.2.1", NOW) is None
    assert use_up(store, "u1", MINUTE, NOW).retry_after == 60
    refused, allowed = quota.check_user(1, NOW), quota.check_user(2, NOW)
    assert refused
    assert allowed
    assert (refused.allowed, allowed.allowed) == (False, True)
    store.close()


def test_the_headers_say_policy_and_state() -> None:
    verdict = Verdict(True, Window(300, 60), 299, 57)
    windows = (Window(300, 60), Window(5000, 3600))
    assert dict(rate_limit_headers(verdict, windows)) == {
        "RateLimit-Policy": '"300-per-60s";q=300;w=60, "5000-per-3600s";q=5000;w=3600',
        "RateLimit": '"300-per-60s";r=299;t=57',
        "X-RateLimit-Limit": "300",
        "X-RateLimit-Remaining": "299",
        "X-RateLimit-Reset": "57",
    }


# RL-7: the store fails


@pytest.fixture(params=["locked", "no folder", "redis down", "redis silent"])
def failing_store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    monkeypatch.setattr(sqlite_store, "PATIENCE", 0.05)
    path = tmp_path / "limits.sqlite3"
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        if request.param == "no folder":
            yield SqliteStore(tmp_path / "absent" / "limits.sqlite3")
        elif request.param == "locked":
            SqliteStore(path).check()
            holder = sqlite3.connect(str(path), isolation_level=None)
            holder.execute("BEGIN IMMEDIATE")
            yield SqliteStore(path)
            holder.close()
        else:
            if request.param == "redis silent":
                server.listen()
            yield RedisStore(url)


def test_a_failing_store_lets_pass_and_warns_once_a_minute(
    failing_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    # RL-7
    quota = quota_on(failing_store)
    for n in range(20):
        verdict = quota.check_address("198.51.100.7", NOW + n)
        assert verdict
        assert verdict.allowed
        assert verdict.degraded
        assert [name for name, _ in rate_limit_headers(verdict, MINUTE)] == ["RateLimit-Policy"]
    assert quota.degraded_answers == 20
    quota.check_user(4711, NOW + 70)
    assert len(caplog.records) == 2
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert "198.51" not in caplog.text
    assert "4711" not in caplog.text
    failing_store.close()


def test_a_failing_store_is_left_alone_for_a_while(failing_store: Store) -> None:
    # RL-7
    calls: list[float] = []
    hit = failing_store.hit

    def counted(key: str, windows: tuple[Window, ...], now: float) -> Verdict:
        calls.append(now)
        return hit(key, windows, now)

    failing_store.hit = counted  # type: ignore[method-assign]
    quota = quota_on(failing_store)
    for n in range(300):
        quota.check_user(1, NOW + n / 100)
    assert calls == [NOW, NOW + 2]
    failing_store.close()


def test_route_limits_go_on_without_the_store_and_more_strictly(failing_store: Store) -> None:
    # RL-7
    quota = quota_on(failing_store)
    counts = [quota.count("k", Window(0, 60), NOW)[0] for _ in range(4)]
    assert counts == [1, 3, 5, 7]
    assert quota.peek("k", NOW) == (7, NOW + 60)
    assert quota.count("k", Window(0, 60), NOW + 60)[0] == 1
    failing_store.close()


def test_a_store_that_comes_back_counts_again(tmp_path: Path) -> None:
    # RL-7
    folder = tmp_path / "later"
    quota = quota_on(SqliteStore(folder / "limits.sqlite3"))
    degraded = quota.check_user(1, NOW)
    folder.mkdir()
    counted = quota.check_user(1, NOW + 2)
    assert degraded
    assert degraded.degraded
    assert counted == Verdict(True, MINUTE[0], 4, 60)
    quota.store.close()


# Flask-Limiter


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
    app = make_app(SqliteStore(tmp_path / "limits.sqlite3"))
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
    assert statuses(make_app(SqliteStore(tmp_path / "limits.sqlite3")), 9) == [200] * 9


def test_other_routes_pay_nothing(tmp_path: Path, at: Any) -> None:
    app = make_app(SqliteStore(tmp_path / "limits.sqlite3"))
    assert not app.before_request_funcs
    assert not app.after_request_funcs
    assert not app.teardown_request_funcs
    assert app.test_client().get("/free").status_code == 200


def test_every_app_counts_in_its_own_store(tmp_path: Path, at: Any) -> None:
    first = make_app(SqliteStore(tmp_path / "first.sqlite3"))
    second = make_app(SqliteStore(tmp_path / "second.sqlite3"))
    assert statuses(first, 3) == [200, 200, 429]
    assert statuses(second, 3) == [200, 200, 429]


def test_a_limited_route_without_its_store_is_limited_and_no_500(
    failing_store: Store, at: Any
) -> None:
    # RL-7
    app = make_app(failing_store)
    assert statuses(app, 3) == [200, 429, 429]
    failing_store.close()
