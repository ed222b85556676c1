"""The waits of somebody who goes over the limit again and again, on a real server."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.wire import Wire, process_of

L = 50
SETTINGS = {
    "WORKERS": "4",
    "THREADS": "8",
    "RATE_LIMITS": f"{L} per second",
    "PENALTY_SECONDS": "1",
    "PENALTY_MAX_SECONDS": "16",
    "PENALTY_QUIET_SECONDS": "60",
}


def asking_as_ann(server):
    """A request of hers, where every worker is there to answer it."""
    ann = server.person("ann")
    header = {"Authorization": ann.http.headers["Authorization"]}
    Wire(server).from_every_worker("OPTIONS", "/users/me", workers=4)  # these are not counted
    return lambda _: requests.get(f"{ann.url}/users/me", headers=header, timeout=30)


# RL-1, RL-2, RL-3
@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("store", ["file", "redis"])
def test_waits_double_over_four_processes(new_server, request, capsys, store):
    url = {"REDIS_URL": request.getfixturevalue("redis_url")} if store == "redis" else {}
    server = new_server("sqlite", **SETTINGS, **url)
    ask = asking_as_ann(server)
    waits, passed, processes = [], [], set()
    with ThreadPoolExecutor(32) as pool:
        for _ in range(6):
            # Until refused: the first second of the window may end while its requests are sent.
            told, good = Counter(), 0
            while not told:
                answers = list(pool.map(ask, range(5 * L)))
                processes |= {process_of(answer) for answer in answers}
                good += sum(answer.status_code == 200 for answer in answers)
                told = Counter(
                    int(answer.headers["Retry-After"])
                    for answer in answers
                    if answer.status_code == 429
                )
            passed.append(good)
            # A request that read the clock just before the one that began the wait, and was
            # counted just after it, is told the next whole second.
            (wait, _), *_ = told.most_common()
            assert max(told) <= wait + 1
            waits.append(wait)
            time.sleep(wait)
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
    ask = asking_as_ann(server)
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(ask, range(5 * L)))
    assert len({process_of(answer) for answer in answers}) == 4
    assert [a.status_code for a in answers].count(200) == L
    with capsys.disabled():
        print(f"\n{store}: {L} of {5 * L} passed, over 4 processes")
