"""The waits of somebody who goes over the limit again and again, on a real server."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.wire import process_of

L = 50
SETTINGS = {
    "WORKERS": "4",
    "THREADS": "8",
    "RATE_LIMITS": f"{L} per second",
    "PENALTY_SECONDS": "1",
    "PENALTY_MAX_SECONDS": "16",
    "PENALTY_QUIET_SECONDS": "60",
}


# RL-1, RL-2, RL-3
@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("store", ["file", "redis"])
def test_waits_double_over_four_processes(new_server, request, capsys, store):
    url = {"REDIS_URL": request.getfixturevalue("redis_url")} if store == "redis" else {}
    server = new_server("sqlite", **SETTINGS, **url)
    ann = server.person("ann")
    header = {"Authorization": ann.http.headers["Authorization"]}

    def ask(_):
        return requests.get(f"{ann.url}/users/me", headers=header, timeout=30)

    waits, passed, processes = [], [], set()
    with ThreadPoolExecutor(32) as pool:
        for _ in range(6):
            # Until refused: the first second of the window may end while its requests are sent.
            refusal, good = None, 0
            while refusal is None:
                answers = list(pool.map(ask, range(5 * L)))
                processes |= {process_of(answer) for answer in answers}
                good += sum(answer.status_code == 200 for answer in answers)
                refused = [a for a in answers if a.status_code == 429]
                refusal = max(refused, key=lambda a: int(a.headers["Retry-After"]), default=None)
            passed.append(good)
            waits.append(int(refusal.headers["Retry-After"]))
            time.sleep(waits[-1])
    assert waits == [1, 2, 4, 8, 16, 16]
    assert len(processes) == 4
    with capsys.disabled():
        print(f"\n{store}: Retry-After {waits}; {passed} of {5 * L} passed each time")


# RL-1
@pytest.mark.soak
@pytest.mark.parametrize("store", ["file", "redis"])
def test_exactly_the_limit_passes_over_four_processes(new_server, request, capsys, store):
    url = {"REDIS_URL": request.getfixturevalue("redis_url")} if store == "redis" else {}
    server = new_server("sqlite", **{**SETTINGS, "RATE_LIMITS": f"{L} per hour"}, **url)
    ann = server.person("ann")
    header = {"Authorization": ann.http.headers["Authorization"]}

    def ask(_):
        return requests.get(f"{ann.url}/users/me", headers=header, timeout=30)

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(ask, range(5 * L)))
    assert len({process_of(answer) for answer in answers}) == 4
    assert [a.status_code for a in answers].count(200) == L
    with capsys.disabled():
        print(f"\n{store}: {L} of {5 * L} passed, over 4 processes")
