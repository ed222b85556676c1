"""Bodies, forms and headers of every size, against a real server."""

import uuid

import psutil
import pytest
import requests

from tests.support.cast import PASSWORD
from tests.support.engines import on_one_engine

MIB = 2**20
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
FITTING = MIB - 1000  # the limit is one MiB


def chunks(total, size=64 * 1024):
    """A body whose length nobody states: requests sends it chunked."""
    for _ in range(total // size):
        yield b"[" * size


def quoted(field, length):
    return f'{{"{field}": "{"x" * length}"}}'.encode()


def with_list(field, items):
    return f'{{"{field}": [{"0," * items}0]}}'.encode()


def with_members(items):
    return b"{%s}" % b",".join(b'"k%d":0' % n for n in range(items))


def parts(count):
    boundary = "--b\r\n"
    part = 'Content-Disposition: form-data; name="p"\r\n\r\nv\r\n'
    return (f"{boundary}{part}" * count + "--b--\r\n").encode()


MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
CASES = {
    "a body over the limit": (413, "/contacts", JSON, lambda: b" " * (MIB + 1)),
    "a body far over the limit": (413, "/contacts", JSON, lambda: b" " * (8 * MIB)),
    "a chunked body over the limit": (413, "/contacts", JSON, lambda: chunks(2 * MIB)),
    "a chunked body far over the limit": (413, "/contacts", JSON, lambda: chunks(8 * MIB)),
    "a public body over the limit": (413, "/auth/token", JSON, lambda: chunks(2 * MIB)),
    "a form over the limit": (413, "/auth/token", FORM, lambda: b"username=" + b"a" * MIB),
    "a chunked form over the limit": (413, "/auth/token", FORM, lambda: chunks(2 * MIB)),
    "1 001 form fields": (413, "/auth/token", FORM, lambda: b"&".join([b"a=1"] * 1001)),
    "a form of fields only": (413, "/auth/token", FORM, lambda: b"a&" * (FITTING // 2)),
    "1 001 form parts": (413, "/auth/token", MULTIPART, lambda: parts(1001)),
    "a list of 100 k items": (422, "/contacts", JSON, lambda: with_list("first_name", 100_000)),
    "a list below": (422, "/contacts", JSON, lambda: with_list("custom_fields", 100_000)),
    "a top-level list": (400, "/contacts", JSON, lambda: b"[" + b"[]," * (FITTING // 3) + b"0]"),
    "70 k unknown members": (422, "/contacts", JSON, lambda: with_members(70_000)),
    "a name of 1 MB": (422, "/contacts", JSON, lambda: quoted("first_name", FITTING)),
    "a note of 1 MB": (422, "/contacts", JSON, lambda: quoted("additional_info", FITTING)),
    "a key of 1 MB": (422, "/contacts", JSON, lambda: quoted("x" * (FITTING // 2), 1)),
    "a user name of 1 MB": (422, "/auth/register", JSON, lambda: quoted("username", FITTING)),
    "an e-mail of 1 MB": (422, "/auth/register", JSON, lambda: quoted("email", FITTING)),
    "a password of 1 MB": (422, "/auth/register", JSON, lambda: quoted("password", FITTING)),
}


@pytest.fixture(scope="module")
def token(live_server):
    person = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
    api = f"{live_server.url}/api/v1"
    assert requests.post(f"{api}/auth/register", json=person, timeout=30).status_code == 201
    return requests.post(f"{api}/auth/token", json=person, timeout=30).json()["access_token"]


@pytest.fixture(scope="module")
def warm(live_server, token):
    """Both workers have answered everything once, so that what grows afterwards is the attack."""
    for status, path, headers, body in CASES.values():
        if status != 413:
            for _ in range(2):
                send(live_server, token, path, headers, body()[:20_000])


def send(server, token, path, headers, body):
    headers = {**headers, "Authorization": f"Bearer {token}", "Connection": "close"}
    return requests.post(f"{server.url}/api/v1{path}", data=body, headers=headers, timeout=30)


def memory(server):
    """The resident memory of each worker process, in MiB."""
    return {worker.pid: worker.memory_info().rss / MIB for worker in workers(server)}


def work(server):
    """The seconds that the workers have computed: what they take when nobody else computes."""
    return sum(sum(worker.cpu_times()[:2]) for worker in workers(server))


def workers(server):
    return psutil.Process(server.process.pid).children()


# IV-4
@on_one_engine
@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_at_once_and_costs_no_memory(live_server, token, name):
    status, path, headers, body = CASES[name]
    before, spent = memory(live_server), work(live_server)
    for _ in range(3):
        answer = send(live_server, token, path, headers, body())
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert len(answer.content) < 2 * MIB
    assert (work(live_server) - spent) / 3 < 1
    after = memory(live_server)
    assert after.keys() == before.keys(), "a worker died"
    assert all(after[pid] - before[pid] < 20 for pid in before), (before, after)


def assert_refused(answer, status, code):
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.json()["status"], answer.json()["code"]) == (status, code)


# IV-4
@pytest.mark.parametrize("name", ["X-Long", "Authorization", "X-Request-ID", "Cookie"])
def test_a_header_of_9_kb_is_431(live_server, name):
    answer = requests.get(f"{live_server.url}/healthz", headers={name: "a" * 9000}, timeout=30)
    assert_refused(answer, 431, "headers_too_large")


# IV-4
def test_a_thousand_headers_are_431(live_server):
    headers = {f"X-{n}": "a" for n in range(1000)}
    answer = requests.get(f"{live_server.url}/healthz", headers=headers, timeout=30)
    assert_refused(answer, 431, "headers_too_large")


# IV-4
def test_a_long_address_is_414(live_server):
    answer = requests.get(f"{live_server.url}/healthz?{'a' * 9000}", timeout=30)
    assert_refused(answer, 414, "uri_too_long")


# IV-4
def test_a_body_at_the_limit_is_read(live_server, token):
    body = b'{"first_name": "Ada"}'
    answer = send(live_server, token, "/contacts", JSON, body + b" " * (MIB - len(body)))
    assert answer.status_code == 201


# IV-4
def test_the_server_answers_afterwards(live_server, token):
    answer = send(live_server, token, "/contacts", JSON, b'{"first_name": "Ada"}')
    assert answer.status_code == 201
