"""Receivers that are slow, dead, hostile or want no more."""

import email
import gzip
import socket
import ssl
import subprocess
import time
from ipaddress import ip_network

import pytest

from contactapp import clock
from contactapp.database import Sql, lane, write_transaction
from contactapp.jobs import service as jobs
from contactapp.webhooks import connecting, ending, outcomes, turns, wire
from contactapp.worker import HANDLERS
from tests.jobs.conftest import Clock
from tests.support.engines import on_one_engine
from tests.webhooks.conftest import deliveries, hook, rows, send

DAY = 86_400
PACKED = gzip.compress(bytes(2**20)) * 50  # 50 MiB in 50 KiB


@pytest.fixture
def owner(owner):
    """She comes in with what is good for as many days as the clock is turned."""
    token = {"name": "T", "scopes": ["contacts:read", "contacts:write"]}
    owner.access = owner.post("/auth/api-tokens", json=token).json["token"]
    return owner


@pytest.fixture
def now(monkeypatch):
    """A clock that stands still until it is turned."""
    standing = Clock()
    standing.now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", standing)
    return standing


_SEALED = Sql("UPDATE webhook SET sealed = ? WHERE id = ?")
_NEXT_JOB = (
    "SELECT next_at FROM job WHERE kind = 'webhook.send' AND ref = ? AND status = 'pending' "
    "ORDER BY id DESC LIMIT 1"
)


def newest(person, made):
    return deliveries(person, made, "?limit=1")[0]


def dripping(_number, handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for n in range(200):
        handler.wfile.write(b"X-%d: y\r\n" % n)
        time.sleep(0.02)


def endless(_number, handler):
    handler.wfile.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 10737418240\r\n\r\n")
    while True:
        handler.wfile.write(b"x" * 65536)


def bomb(_number, handler):
    handler.say(500, {"Content-Encoding": "gzip"}, PACKED)


def long_head(_number, handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000)


def no_http(_number, handler):
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    handler.close_connection = True


def less_than_nothing(_number, handler):
    handler.wfile.write(b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n")


BAD = {
    dripping: (None, "timeout"),
    endless: (500, "refused"),
    bomb: (500, "refused"),
    long_head: (None, "protocol"),
    no_http: (None, "protocol"),
    less_than_nothing: (500, "refused"),
    lambda _, h: h.say(302, {"Location": "http://169.254.169.254/latest"}): (302, "redirect"),
    lambda _, h: h.say(307, {"Location": "/other"}): (307, "redirect"),
    lambda _, h: h.say(404): (404, "refused"),
    lambda _, h: time.sleep(0.7): (None, "timeout"),
}


# WH-3, WH-2
@on_one_engine
def test_a_bad_answer_costs_little_and_is_a_failure(owner, receiver, monkeypatch):
    monkeypatch.setattr(wire, "SECONDS", 0.5)
    made = hook(owner, receiver)
    for answers, (status, error) in BAD.items():
        receiver.answers = answers
        owner.post(f"/webhooks/{made['id']}/test")
        began = time.monotonic()
        send(owner, made)
        assert time.monotonic() - began < 1.5, answers
        found = newest(owner, made)
        assert (found["status_code"], found["error"]) == (status, error), found
        assert found["status"] == "pending"
    assert [got.path for got in receiver.got] == ["/hook?k=v"] * len(
        BAD
    )  # no redirect was followed


# WH-3
def test_no_more_than_64_kib_of_an_answer_are_read(receiver, monkeypatch):
    read = []
    real = wire._Source.readinto
    monkeypatch.setattr(
        wire._Source, "readinto", lambda *given: (read.append(real(*given)), read[-1])[1]
    )
    receiver.answers = endless
    sent = wire.Wire(receiver.url, (ip_network("127.0.0.0/8"),))
    assert sent.post({}, b"{}") == (500, None)
    assert sum(read) <= wire.MOST_BYTES
    sent.close()


# WH-3
@on_one_engine
def test_what_nobody_listens_to_is_a_failure(owner):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        made = hook(owner, f"http://127.0.0.1:{free.getsockname()[1]}/")
        owner.post(f"/webhooks/{made['id']}/test")
        send(owner, made)
    assert newest(owner, made)["error"] == "connection"


# WH-3
def test_retry_after_is_heeded(owner, receiver, now):
    made = hook(owner, receiver)
    waits = {1: "1000", 2: "Wed, 21 Oct 2015 07:28:00 GMT", 3: "soon", 4: "999999999", 5: "7"}
    receiver.answers = lambda n, h: h.say(429 if n % 2 else 503, {"Retry-After": waits[n]})
    for number, at_least in ((1, 1000), (2, 48), (3, 240), (4, DAY), (5, 2880)):
        if number == 1:
            owner.contact()
        send(owner, made)
        assert len(receiver.got) == number
        wait = next_try(owner, made, now)
        assert at_least <= wait <= at_least * 1.5 + 1
        now.pass_(wait - 1)
        send(owner, made)
        assert len(receiver.got) == number  # not one second before
        now.pass_(1.002)


def next_try(owner, made, now):
    """Seconds until the webhook is tried again."""
    select = (
        "SELECT max(w.paused_until), max(d.next_at) FROM webhook w JOIN webhook_delivery d "
        "ON d.webhook_id = w.id WHERE w.id = ?"
    )
    return (max(rows(owner.app, select, made["id"])[0]) - now.now) / 1000


# WH-3
def test_410_ends_it_at_once_and_its_owner_is_told_once(owner, receiver, now):
    made = hook(owner, receiver)
    for _ in range(3):
        owner.contact()
    receiver.answers = lambda _, handler: handler.say(410)
    send(owner, made)
    send(owner, made)
    assert len(receiver.got) == 1
    found = deliveries(owner, made)
    assert [one["status"] for one in found] == ["cancelled", "cancelled", "failed"]
    shown = owner.get(f"/webhooks/{made['id']}").json
    assert (shown["status"], shown["active"]) == ("gone", False)
    assert [letter["To"] for letter in letters(owner)] == [owner.email]
    owner.sign_in()
    assert owner.get("/audit?kind=webhook_disabled").json["total"] == 1
    owner.contact()
    assert len(deliveries(owner, made)) == 3


def letters(owner):
    """What a worker would have sent, from the outbox of development."""
    folder = owner.app.extensions["contactapp.settings"].instance_path / "outbox"
    before = set(folder.glob("*.eml")) if folder.exists() else set()
    with owner.app.app_context():
        while job := jobs.claim():
            jobs.finish(job, HANDLERS[job.kind](job) if job.kind == ending.NOTICE else None)
    found = [email.message_from_bytes(p.read_bytes()) for p in set(folder.glob("*.eml")) - before]
    return [one for one in found if owner.email in one["To"]]


# WH-3
def test_after_three_days_of_nothing_it_is_switched_off(owner, receiver, now):
    """With a change every six hours; one that is alone is given up after a day, and tried no
    more."""
    made = hook(owner, receiver)
    receiver.answers = lambda _, handler: handler.say(500)
    hours = 0
    while owner.get(f"/webhooks/{made['id']}").json["active"]:
        if hours % 6 == 0:
            owner.contact()
        for _ in range(3):
            send(owner, made)
            now.pass_(1200)
        hours += 1
        assert hours < 100
    assert 72 <= hours <= 90
    assert owner.get(f"/webhooks/{made['id']}").json["status"] == "failing"
    [letter] = letters(owner)
    assert "127.0.0.1" in letter["Subject"]
    assert "k=v" not in letter.get_payload()
    assert {one["status"] for one in deliveries(owner, made)} == {"failed", "cancelled"}


# WH-3
@on_one_engine
def test_a_message_is_tried_ten_times_within_a_day(owner, receiver, now):
    made = hook(owner, receiver)
    receiver.answers = lambda _, handler: handler.say(500)
    began = now.now
    owner.contact()
    waits = []
    while newest(owner, made)["status"] == "pending":
        send(owner, made)
        waits.append(next_try(owner, made, now))
        [(job_at,)] = rows(owner.app, _NEXT_JOB, made["id"])
        soon = waits[-1] <= 600 and len(waits) < 10
        assert (job_at == now.now + round(1000 * waits[-1])) == soon, waits
        now.pass_(waits[-1] + 0.002)  # or a millisecond too early
    assert newest(owner, made)["attempts"] == len(receiver.got) == 10
    for wait, due in zip(waits, outcomes.SCHEDULE, strict=False):
        assert 0.8 * due <= wait <= 1.2 * due
    jitter = {wait / due for wait, due in zip(waits, outcomes.SCHEDULE, strict=False)}
    assert len(jitter) > 3
    assert 0.75 * DAY < (now.now - began) / 1000 < 1.25 * DAY
    assert owner.get(f"/webhooks/{made['id']}").json["status"] == "retrying"
    receiver.answers = lambda _, handler: handler.say(200)
    owner.contact()
    now.pass_(300 * 1.2)
    send(owner, made)
    shown = owner.get(f"/webhooks/{made['id']}").json
    assert (shown["status"], shown["failing_since"]) == ("active", None)


# WH-3
@on_one_engine
def test_a_dead_receiver_is_tried_by_one_message_at_a_time(owner, receiver, now):
    made = hook(owner, receiver)
    receiver.answers = lambda _, handler: handler.say(500)
    for _ in range(20):
        owner.contact()
    for _ in range(5):
        send(owner, made)
    assert len(receiver.got) == 1
    for _ in range(60):  # half an hour
        now.pass_(30)
        send(owner, made)
    assert 8 <= len(receiver.got) <= 20


# DU-5
@on_one_engine
def test_a_clock_that_was_ahead_puts_nothing_off(owner, receiver, now, monkeypatch):
    made = hook(owner, receiver)
    now.pass_(3 * DAY)
    receiver.answers = lambda n, handler: handler.say(500 if n == 1 else 200)
    owner.contact()
    send(owner, made)
    now.pass_(-3 * DAY)
    send(owner, made)
    assert newest(owner, made)["status"] == "delivered"
    now.pass_(3600)  # by so little that it may as well be right
    owner.contact()
    owner.contact()
    now.pass_(-3600)
    monkeypatch.setattr(turns, "SLICE_SECONDS", 0.0)
    assert [send(owner, made).more for _ in range(2)] == [True, False]
    assert newest(owner, made)["status"] == "delivered"


# WH-2
@on_one_engine
def test_who_is_led_elsewhere_is_told_nothing_more_and_says_nothing_about_it(
    owner, receiver, other, monkeypatch
):
    made = hook(owner, receiver)
    path = f"/webhooks/{made['id']}"

    def refuse(_number, handler):
        owner.patch(path, json={"url": other.url})
        handler.say(410)

    receiver.answers = refuse
    owner.contact()
    send(owner, made)
    assert owner.get(path).json["status"] == "active"
    send(owner, made)
    assert [got.seq for got in other.got] == [1]
    real = turns.message

    def message(delivery_id):
        if len(other.got) == 2:  # in the middle of a turn
            owner.patch(path, json={"url": receiver.url})
        return real(delivery_id)

    monkeypatch.setattr(turns, "message", message)
    receiver.answers = lambda _, handler: handler.say(204)
    owner.contact()
    owner.contact()
    send(owner, made)
    assert [got.seq for got in other.got] == [1, 2]
    assert [got.seq for got in receiver.got] == [1, 3]


# PR-3
@on_one_engine
def test_what_does_not_open_is_not_told_and_keeps_nothing_waiting(owner, receiver, caplog):
    made, another = hook(owner, receiver), hook(owner, receiver)
    read = "SELECT sealed FROM webhook WHERE id = ?"
    [(own,)], [(foreign,)] = (rows(owner.app, read, one["id"]) for one in (made, another))
    with owner.app.app_context():
        for sealed in (foreign, own):
            write_transaction(lane().run)(_SEALED, (sealed, made["id"]))
            owner.contact()
            send(owner, made)
    assert [got.seq for got in receiver.got] == [2]
    assert [one["status"] for one in deliveries(owner, made)] == ["delivered", "cancelled"]
    assert "does not open" in caplog.text


def test_messages_come_in_order_over_one_connection(owner, receiver):
    made = hook(owner, receiver)
    for _ in range(30):
        owner.contact()
    assert send(owner, made) == (False, True)
    assert [got.seq for got in receiver.got] == list(range(1, 31))
    assert receiver.connections == 1


@on_one_engine
def test_a_receiver_may_close_the_connection_between_messages(owner, receiver):
    made = hook(owner, receiver)

    def close(_number, handler):
        handler.say(200)
        handler.close_connection = True  # and does not say so

    receiver.answers = close
    for _ in range(5):
        owner.contact()
    send(owner, made)
    assert [one["status"] for one in deliveries(owner, made)] == ["delivered"] * 5
    assert [got.seq for got in receiver.got] == [1, 2, 3, 4, 5]


@pytest.fixture
def certificate(tmp_path):
    """A key and a certificate for `tls.example`, signed by itself."""
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-subj", "/CN=tls.example", "-addext", "subjectAltName=DNS:tls.example"]
    command += ["-days", "2", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


# WH-2
@on_one_engine
def test_certificates_are_checked_for_the_name_and_the_name_is_sent(
    owner, receiver, resolver, certificate, monkeypatch
):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*certificate)
    asked = []
    server.sni_callback = lambda _socket, name, _context: asked.append(name)
    receiver._server.socket = server.wrap_socket(receiver._server.socket, server_side=True)
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    results = []
    for name, context in (
        ("tls.example", trusting),
        ("other.example", trusting),
        ("tls.example", connecting.tls()),
    ):
        resolver[name] = [["127.0.0.1"]]
        monkeypatch.setattr(connecting, "tls", lambda context=context: context)
        made = hook(owner, f"https://{name}:{receiver.port}/")
        owner.post(f"/webhooks/{made['id']}/test")
        send(owner, made)
        results.append(newest(owner, made)["error"])
    assert results == [None, "certificate", "certificate"]
    assert asked == ["tls.example", "other.example", "tls.example"]
    assert connecting.tls().minimum_version == ssl.TLSVersion.TLSv1_2
    assert len(receiver.got) == 1
