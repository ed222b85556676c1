"""How long a refused sign-in takes must not tell whether the account exists."""

import statistics
import time

import bcrypt
import pytest

from tests.support.wire import Wire

SAMPLES = 200
COST = 10


# AU-2
@pytest.mark.soak
@pytest.mark.timeout(600)
def test_known_and_unknown_accounts_take_the_same_time(engine, new_server):
    server = new_server(engine, BCRYPT_COST=str(COST), WORKERS="1")
    ada, wire = server.person(), Wire(server)
    logins = {
        "known address": {"email": f"{ada.name}@example.com"},
        "unknown address": {"email": f"{ada.name}@example.net"},
        "known user name": {"username": ada.name},
        "unknown user name": {"username": f"x{ada.name[1:]}"},
        "malformed": {"email": f"{ada.name}@example..com"},
    }
    taken = {name: [] for name in logins}
    for n in range(SAMPLES):
        for login in logins:  # interleaved, so that a slow moment meets every class
            body = {**logins[login], "password": f"wrong password {n}"}
            began = time.perf_counter()
            answer = wire.ask("POST", "/auth/token", json=body)
            taken[login].append(time.perf_counter() - began)
            assert answer.status_code == 401
    medians = {login: statistics.median(times) for login, times in taken.items()}
    spread = max(medians.values()) - min(medians.values())
    assert spread < 0.05 * one_hash(), medians


def one_hash():
    """Seconds that one hash of this cost takes here, in the median of eleven."""
    taken = []
    for _ in range(11):
        began = time.perf_counter()
        bcrypt.hashpw(b"password", bcrypt.gensalt(COST))
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)
