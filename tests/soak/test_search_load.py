"""One person's searches in a very large book are no reason to refuse or keep others waiting."""

import statistics
import threading
import time

import pytest
import requests

from tests.support.books import fill

CONTACTS = 50_000
SEARCHERS = 4
SECONDS = 8
WORDS = ["anna", "bergmann", "+49 151 1", "example", "zz no such", "a b"]


# RL-8
@pytest.mark.soak
@pytest.mark.timeout(600)
def test_searches_in_50_000_contacts_leave_others_their_lists(engine, new_server, new_app, capsys):
    server = new_server(engine, CONTACT_LIMIT="0", WORKERS="2", THREADS="4")
    owner, other = server.person("owner"), server.person("other")
    app = new_app(engine, database=server.database, INSTANCE_PATH=str(server.instance))
    fill(app, owner.user["book_id"], CONTACTS)
    assert owner.get("/contacts?limit=1").json()["total"] == CONTACTS
    for _ in range(20):
        assert other.post("/contacts", json={"first_name": "Ada"}).status_code == 201
        ask(owner, "anna")  # on a connection of its own each: both workers open the book
    idle = listing(other)
    searched, stop = [], threading.Event()
    threads = [
        threading.Thread(target=search, args=(owner, number, searched, stop))
        for number in range(SEARCHERS)
    ]
    for thread in threads:
        thread.start()
    busy = listing(other)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(searched) == {200}
    ratio = p99(busy) / p99(idle)
    with capsys.disabled():
        print(
            f"\n{engine}: {len(searched) / SECONDS:.0f} searches/s; lists p99 "
            f"{1000 * p99(idle):.1f} ms idle, {1000 * p99(busy):.1f} ms beside them ({ratio:.1f} x)"
        )


def search(owner, number, statuses, stop):
    with requests.Session() as http:
        while not stop.is_set():
            word = WORDS[(number + len(statuses)) % len(WORDS)]
            statuses.append(ask(owner, word, http).status_code)


def ask(owner, word, http=requests):
    headers = {"Authorization": owner.http.headers["Authorization"]}
    url = f"{owner.url}/contacts/search"
    return http.get(url, params={"q": word}, headers=headers, timeout=60)


def listing(visitor):
    """The seconds that each of many lists took, one after another."""
    taken, ends = [], time.monotonic() + SECONDS
    while time.monotonic() < ends:
        began = time.perf_counter()
        assert visitor.get("/contacts?limit=20").status_code == 200
        taken.append(time.perf_counter() - began)
    return taken


def p99(taken):
    return statistics.quantiles(taken, n=100)[-1]
