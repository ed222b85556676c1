"""/metrics: who may read it, and that each number tells what it says."""

import math
import threading
import time as real
from contextlib import closing

import pytest
from sqlalchemy import text

from contactapp import clock, create_app, metrics
from contactapp.config import load
from contactapp.database import database, write_transaction
from contactapp.engine import DatabaseBusy, sqlite3
from contactapp.jobs import health
from contactapp.jobs import service as jobs_service
from contactapp.jobs.worker import do
from contactapp.metrics import METHODS, UNKNOWN
from contactapp.writer import SqliteWriter
from tests.conftest import FAST
from tests.http.conftest import SECRET
from tests.support.cast import Cast
from tests.support.numbers import Growth, Numbers, read

TOKEN = "Jx3k9-Qw7z_Vb2n~Lp5s.Tt8y+Rr4m/Hh1d="
MARKER = "marker4711"
CONTACTS = "/api/v1/contacts"
PROXY, FAR = "10.1.2.3", "203.0.113.9"
WAITING = text(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


@pytest.fixture(scope="module")
def watched(new_app):
    """An application that lets a token in, behind a proxy that it trusts."""
    return new_app("sqlite", METRICS_TOKEN=TOKEN, TRUSTED_PROXIES=f"{PROXY},127.0.0.1")


def ask(app, address, host="localhost", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return app.test_client().get(
        "/metrics", headers={"Host": host, **headers}, environ_base={"REMOTE_ADDR": address}
    )


# ---- who may read it

HERE = [("127.0.0.1", "localhost"), ("127.0.0.1", "127.0.0.1:8000"), ("::1", "[::1]:8000")]


@pytest.mark.parametrize(("address", "host"), [*HERE, ("::ffff:127.0.0.1", "localhost")])
def test_this_machine_may_read_it(app, address, host):
    answer = ask(app, address, host)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert answer.headers["Cache-Control"] == "no-store"
    assert Numbers(answer.text)("database_up") == 1


# AZ-6
@pytest.mark.parametrize(
    ("address", "host", "headers"),
    [
        (FAR, "localhost", {}),
        ("", "localhost", {}),  # a unix socket
        # A proxy on this machine that nobody told us of.
        ("127.0.0.1", "localhost", {"X_Forwarded_For": FAR}),
        ("127.0.0.1", "localhost", {"X_Forwarded_For": "127.0.0.1"}),
        ("127.0.0.1", "localhost", {"Forwarded": "for=127.0.0.1"}),
        ("127.0.0.1", "localhost", {"X_Real_IP": "127.0.0.1"}),
        ("127.0.0.1", "localhost", {"Via": "1.1 proxy"}),
        ("127.0.0.1", "contacts.example.org", {}),
        ("127.0.0.1", "", {}),
        (FAR, "localhost", {"Authorization": "Bearer "}),
        (FAR, "localhost", {"Authorization": "Bearer None"}),
    ],
)
def test_to_others_it_is_a_path_that_does_not_exist(app, address, host, headers):
    answer = ask(app, address, host, **headers)
    unknown = app.test_client().get("/nowhere").json
    assert answer.status_code == 404
    assert {**answer.json, "request_id": ""} == {**unknown, "request_id": ""}


# AZ-6
@pytest.mark.parametrize("forwarded", [FAR, "127.0.0.1", "::1", "nonsense", ""])
@pytest.mark.parametrize("proxy", [PROXY, "127.0.0.1"])
def test_what_a_trusted_proxy_passes_on_is_not_from_here(watched, proxy, forwarded):
    assert ask(watched, proxy, X_Forwarded_For=forwarded).status_code == 404


def test_from_beside_a_trusted_proxy_it_can_be_read(watched):
    assert ask(watched, "127.0.0.1").status_code == 200


# AZ-6
def test_from_elsewhere_the_token_opens_it_and_nothing_else_does(watched):
    statuses = {
        given: ask(watched, FAR, "contacts.example.org", Authorization=given).status_code
        for given in (
            *(f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x"),
            *(f"Bearer {TOKEN.lower()}", "Bearer é", f"Basic {TOKEN}", TOKEN, ""),
            f"Bearer {Cast(watched).admin.access}",
        )
    }
    good = [f"Bearer {TOKEN}", f"bearer {TOKEN}"]
    assert [statuses.pop(given) for given in good] == [200, 200]
    assert set(statuses.values()) == {404}


# ---- requests


def test_requests_are_counted_by_route_method_and_kind_of_answer(app, alice):
    contact = alice.contact(first_name="Grace")["id"]
    grown = Growth(app)
    for _ in range(3):
        assert alice.get(f"/contacts/{contact}").status_code == 200
    assert alice.get("/contacts/999999").status_code == 404
    assert alice.delete(f"/contacts/{contact}").status_code == 204
    rule = f"{CONTACTS}/<id:contact_id>"
    assert grown("requests_total", route=rule, method="GET", status="2xx") == 3
    assert grown("requests_total", route=rule, method="GET", status="4xx") == 1
    assert grown("requests_total", route=rule, method="DELETE", status="2xx") == 1
    assert grown("request_seconds_count", route=rule) == 5
    assert grown("request_seconds_bucket", route=rule, le="+Inf") == 5
    assert grown("request_seconds_sum", route=rule) > 0


def test_buckets_hold_what_took_no_longer_than_their_bound(app):
    route, grown = "/of-this-test", Growth(app)
    for seconds in (0.0001, 0.0005, 0.00051, 0.3, 10, 11):
        metrics.count_request(route, "GET", 200, seconds)
    bounds = ("0.0005", "0.001", "0.25", "0.5", "10", "+Inf")
    below = [grown("request_seconds_bucket", route=route, le=bound) for bound in bounds]
    assert below == [2, 3, 3, 4, 5, 6]
    assert grown("request_seconds_count", route=route) == 6
    assert grown("request_seconds_sum", route=route) == pytest.approx(21.30111)


# OB-1
def test_what_clients_make_up_is_one_label_and_nothing_of_a_user_is_in_any(app, alice):
    grown = Growth(app)
    client = app.test_client()
    for n in range(20):
        client.get(f"/{MARKER}-{n}?{MARKER}", headers={"User-Agent": MARKER, "Referer": MARKER})
        client.open(f"{CONTACTS}", method=f"{MARKER}{n}")
    alice.contact(first_name=MARKER, email=f"{MARKER}@example.com")
    alice.get(f"/contacts/search?q={MARKER}")
    answer = client.get("/metrics")
    assert grown("requests_total", route=UNKNOWN, method="GET", status="4xx") == 20
    assert grown("requests_total", route=UNKNOWN, method=UNKNOWN, status="4xx") == 20
    assert MARKER not in answer.text
    assert alice.name not in answer.text
    numbers = Numbers(answer.text)
    rules = {rule.rule for rule in app.url_map.iter_rules()}
    assert numbers.labels("route") <= {*rules, UNKNOWN, "/broken", "/of-this-test"}
    assert numbers.labels("method") <= {*METHODS, UNKNOWN}


# OB-3
def test_a_view_that_fails_is_a_5xx(broken_app, caplog):
    grown = Growth(broken_app)
    answer = broken_app.test_client().get("/broken")
    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    assert answer.json["request_id"] in caplog.text
    assert "RuntimeError" in caplog.text
    assert "Traceback" not in answer.text
    assert SECRET not in answer.text + caplog.text
    assert grown("requests_total", route="/broken", method="GET", status="5xx") == 1


# OB-3
def test_a_failure_that_flask_itself_lets_pass_is_a_5xx(app):
    def fail(environ, start_response):
        raise MemoryError

    grown = Growth(app)
    envelope = app.wsgi_app
    whole, envelope._application = envelope._application, fail
    try:
        with pytest.raises(MemoryError):
            app.test_client().get("/healthz")
    finally:
        envelope._application = whole
    assert grown("requests_total", route=UNKNOWN, method="GET", status="5xx") == 1


# RL-1
def test_429_is_counted_by_the_limit_that_was_used_up(new_app):
    app = new_app("sqlite")
    alice = Cast(app).alice
    alice.app = new_app(
        "sqlite",
        app.extensions["contactapp.settings"].database_url,
        RATE_LIMITS="1 per hour",
        ANONYMOUS_RATE_LIMITS="9 per hour",
        REGISTER_RATE_LIMITS="1 per hour",
        SIGN_IN_RATE_LIMITS="2 per hour",
        SIGN_IN_ADDRESS_RATE_LIMITS="3 per hour",
        SIGN_IN_ACCOUNT_RATE_LIMITS="1 per hour",
    )
    grown, client = Growth(app), alice.app.test_client()
    tries = [alice.email] * 3 + [f"{name}@example.com" for name in ("eve", "eve", "bob", "dan")]
    statuses = [alice.get("/users/me").status_code for _ in range(2)]
    statuses += [
        client.post("/api/v1/auth/token", json={"email": email, "password": "x"}).status_code
        for email in tries
    ]
    statuses += [client.post("/api/v1/auth/register", json={}).status_code for _ in range(3)]
    assert statuses == [200, 429, 401, 401, 429, 401, 429, 401, 429, 422, 429, 429]
    counted = {limit: grown("limited_total", limit=limit) for limit in LIMITS}
    assert counted == dict.fromkeys(LIMITS, 1)


LIMITS = (
    "user",
    "address",
    "sign_in",
    "sign_in_address",
    "sign_in_account",
    "/api/v1/auth/register",
)


# ---- views


def test_reads_of_a_book_are_counted_by_how_its_view_was_found(new_app):
    app = new_app("sqlite")
    alice = Cast(app).alice
    contact = alice.contact(first_name="Grace")["id"]
    grown, before = Growth(app), read(app)
    assert alice.get(f"/contacts/{contact}").status_code == 200
    assert [grown("view_reads_total", entity="contact", how=how) for how in WAYS] == [0, 0, 0, 1]
    alice.get("/contacts")
    assert [grown("view_reads_total", entity="contact", how=how) for how in WAYS] == [0, 0, 1, 1]
    alice.get("/contacts")
    alice.get(f"/contacts/{contact}")
    assert [grown("view_reads_total", entity="contact", how=how) for how in WAYS] == [2, 0, 1, 1]
    alice.contact(first_name="Ada")
    alice.get("/contacts")
    assert [grown("view_reads_total", entity="contact", how=how) for how in WAYS] == [2, 1, 1, 1]
    assert read(app)("views", entity="contact") == 1
    one = read(app)("view_bytes", entity="contact")
    assert 0 < one < 10_000
    alice.contact(first_name="x" * 100)
    alice.get("/contacts")
    assert read(app)("view_bytes", entity="contact") > one
    assert before("view_reads_total", entity="note", how="hit") is not None


WAYS = ("hit", "follow", "load", "row")


# ---- writes


def test_the_time_that_a_write_waits_for_another_is_counted(new_app, engine):
    """On SQLite for the file's one writer, on PostgreSQL for who writes to the book."""
    app = new_app(engine)
    alice = Cast(app).alice
    lock = "writer" if engine == "sqlite" else "stream"
    grown, held = Growth(app), 0.2
    with app.app_context(), database().engine.connect() as other:
        stream = "SELECT s.id FROM stream s JOIN book b ON b.stream_id = s.id WHERE b.id = :id"
        by = "" if engine == "sqlite" else " FOR UPDATE OF s"
        other.execute(text(stream + by), {"id": alice.book_id})
        write = threading.Thread(target=alice.contact)
        write.start()
        until(lambda: is_waiting(engine))
        end = real.monotonic() + held
        until(lambda: real.monotonic() > end)
        other.rollback()
        write.join(30)
    assert grown("write_wait_seconds_count", lock=lock) == 1
    assert held < grown("write_wait_seconds_sum", lock=lock) < 30


def is_waiting(engine):
    if engine == "sqlite":
        return database().writer._taken
    with database().engine.connect() as third:
        return third.execute(WAITING).scalar_one() > 0


def test_a_write_that_waited_in_vain_is_counted_too(new_app):
    app = new_app("sqlite")
    grown, path = Growth(app), app.extensions["contactapp.database"].engine.url.database
    writer = SqliteWriter(app.extensions["contactapp.database"].lane, 0.1)
    with app.app_context(), closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy):
            writer.write(lambda: None)
    assert grown("write_wait_seconds_count", lock="writer") == 1
    # The last try is made a pause before the patience ends.
    assert 0.05 < grown("write_wait_seconds_sum", lock="writer") < 30


def until(met, seconds=20):
    end = real.monotonic() + seconds
    while not met():
        assert real.monotonic() < end
        real.sleep(0.005)


# ---- jobs, the database, the process


# OB-3
def test_jobs_are_counted_by_kind_and_end(new_app, engine, caplog):
    app = new_app(engine)
    grown = Growth(app)

    def fail(_):
        raise ConnectionError(MARKER)

    handlers = {"good": lambda _: None, "bad": fail}
    with app.app_context():
        for kind in ("good", "good", "bad", MARKER):
            enqueued(kind)
            do(jobs_service.claim(), handlers, {})
        last = enqueued("bad")
        with database().engine.begin() as connection:
            dying = "UPDATE job SET attempts = 7 WHERE id = :id"
            connection.execute(text(dying), {"id": last})
        do(jobs_service.claim(), handlers, {})
    counted = {
        (kind, end): grown("jobs_total", kind=kind, end=end)
        for kind in ("good", "bad", UNKNOWN)
        for end in ("done", "failed", "dead")
    }
    assert {key: n for key, n in counted.items() if n} == {
        ("good", "done"): 2,
        ("bad", "failed"): 1,
        ("bad", "dead"): 1,
        (UNKNOWN, "failed"): 1,
    }
    assert (read(app)("jobs_dead"), read(app)("jobs_pending")) == (1, 2)
    assert MARKER not in app.test_client().get("/metrics").text


def enqueued(kind):
    return write_transaction(lambda: jobs_service.enqueue(kind))()


# OB-3
def test_the_lag_grows_while_no_worker_works_and_falls_when_one_did(new_app, engine, monkeypatch):
    app = new_app(engine)
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    assert [read(app)(name) for name in QUEUE] == [0, 0, math.inf]
    with app.app_context():
        health.seen("a" * 32)
        for _ in range(50):
            enqueued("mail.verify")
    assert [read(app)(name) for name in QUEUE] == [0, 50, 0]
    monkeypatch.setattr(clock, "now_ms", lambda: now + 90_500)
    assert [read(app)(name) for name in QUEUE] == [90.5, 50, 90.5]
    with app.app_context():
        health.seen("a" * 32)
        held = [jobs_service.claim() for _ in range(50)]
        assert [read(app)(name) for name in QUEUE] == [0, 50, 0]  # all are being done
        for job in held:
            jobs_service.finish(job)
    monkeypatch.setattr(clock, "now_ms", lambda: now + 100_500)
    assert [read(app)(name) for name in QUEUE] == [0, 0, 10]


QUEUE = ("job_lag_seconds", "jobs_pending", "worker_silence_seconds")


# OB-3
def test_the_size_of_the_wal_is_told_on_sqlite(new_app, engine):
    app = new_app(engine)
    if engine == "postgresql":
        assert read(app)("wal_bytes") is None
        return
    Cast(app).alice.contact()
    path = app.extensions["contactapp.settings"].database_url.removeprefix("sqlite:///")
    with open(f"{path}-wal", "rb") as file:
        assert read(app)("wal_bytes") == len(file.read()) > 0


# OB-3
def test_without_its_database_it_says_so_and_counts_on(tmp_path):
    given = {**FAST, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    app = create_app(load({**given, "INSTANCE_PATH": str(tmp_path)}, environ={}))
    numbers = read(app)
    assert numbers("database_up") == 0
    assert numbers("jobs_pending") is None
    assert numbers("requests_total") is not None
    app.extensions["contactapp.quota"].store.close()


# OB-3
def test_a_redis_that_dies_is_a_warning_and_a_number_and_requests_go_on(new_app, redis_url):
    import redis

    app = new_app("sqlite", REDIS_URL=redis_url)
    alice = Cast(app).alice
    grown = Growth(app)
    assert alice.get("/contacts").status_code == 200
    assert grown("limit_store_failures_total") == 0
    assert STORE not in app.test_client().get("/readyz").text
    redis.Redis.from_url(redis_url).shutdown(nosave=True)
    assert alice.get("/contacts").status_code == 200
    assert grown("limit_store_failures_total") == 1
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "ready")
    assert STORE in answer.text
    assert app.test_client().get("/healthz").status_code == 200


STORE = "the store of the rate limits does not answer"
