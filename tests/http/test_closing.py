"""The end of a connection: the client has the whole answer, and nobody waits for it to hang up."""

import socket
import time

import pytest
import requests

from contactapp import closing
from tests.support.engines import on_one_engine

ANSWER = b"the whole answer"
MORE = bytes(100_000)


@pytest.fixture
def both():
    """The two ends of a connection: the server's and the client's."""
    with (
        socket.create_server(("127.0.0.1", 0)) as place,
        socket.create_connection(place.getsockname(), timeout=20) as theirs,
        place.accept()[0] as ours,
    ):
        yield ours, theirs


def heard(connection):
    """All that comes until the other side has ended it."""
    found = b""
    while piece := connection.recv(65536):
        found += piece
    return found


def test_who_is_still_sending_gets_the_whole_answer(both):
    ours, theirs = both
    theirs.sendall(MORE)
    ours.sendall(ANSWER)
    closing.Closing().close(ours)
    theirs.sendall(MORE)
    assert heard(theirs) == ANSWER


def test_it_is_closed_when_the_client_has_hung_up(both, monkeypatch):
    monkeypatch.setattr(closing, "_PATIENCE", 60.0)
    ours, theirs = both
    closing.Closing().close(ours)
    theirs.close()
    _until_closed(ours)


@pytest.mark.parametrize(("patience", "most"), [(0.0, 1), (60.0, 0)])
def test_who_does_not_hang_up_is_not_waited_for_long(both, monkeypatch, patience, most):
    monkeypatch.setattr(closing, "_PATIENCE", patience)
    monkeypatch.setattr(closing, "_MOST", most)
    ours, theirs = both
    closing.Closing().close(ours)
    _until_closed(ours)
    assert heard(theirs) == b""


def _until_closed(connection):
    ends = time.monotonic() + 20
    while connection.fileno() >= 0:
        assert time.monotonic() < ends
        time.sleep(0.005)


@on_one_engine
def test_a_client_that_does_not_hang_up_keeps_nobody_waiting(live_server):
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    idle = []
    for _ in range(6):  # of which each of two processes gets one at least, and mostly some
        idle.append(socket.create_connection(("127.0.0.1", live_server.port), timeout=20))
        idle[-1].sendall(request)
        assert heard(idle[-1]).endswith(b'{"status":"ok"}')
    began = time.monotonic()
    for _ in range(4):
        assert requests.get(f"{live_server.url}/healthz", timeout=20).ok
    assert time.monotonic() - began < 1
    for connection in idle:
        connection.close()
