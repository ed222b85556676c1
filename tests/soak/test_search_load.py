"""One person's searches in a very large book are no reason to refuse or keep others waiting."""

import multiprocessing
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
        ask(
            owner.url, owner.http.headers, "anna"
        )  # on a connection of its own each: both workers open the book
    idle = listing(other)
    # In a process of their own, or the lists would wait for the clients of the searches.
    context = multiprocessing.get_context("spawn")
    answers, stop = context.Queue(), context.Event()
    header = {"Authorization": owner.http.headers["Authorization"]}
    searchers = context.Process(target=search_all, args=(owner.url, header, answers, stop))
    searchers.start()
    assert answers.get(timeout=60) == 200
    busy = listing(other)
    stop.set()
    searched = answers.get(timeout=60)
    searchers.join()
    assert set(searched) <= {200, 503}
    assert 200 in searched
    ratio = p99(busy) / p99(idle)
    with capsys.disabled():
        print(
            f"\n{engine}: {searched.count(200) / SECONDS:.0f} searches/s, "
            f"{searched.count(503)} refused; lists p99 {1000 * p99(idle):.1f} ms idle, "
            f"{1000 * p99(busy):.1f} ms beside them ({ratio:.1f} x)"
        )


def search_all(url, header, answers, stop):
    """Search with several clients until told to stop; the statuses."""
    statuses = []
    threads = [
        threading.Thread(target=search, args=(url, header, number, statuses, stop))
        for number in range(SEARCHERS)
    ]
    for thread in threads:
        thread.start()
    while not statuses:
        time.sleep(0.01)
    answers.put(statuses[0])
    for thread in threads:
        thread.join()
    answers.put(statuses)


def search(url, header, number, statuses, stop):
    with requests.Session() as http:
        while not stop.is_set():
            word = WORDS[(number + len(statuses)) % len(WORDS)]
            statuses.append(ask(url, header, word, http).status_code)


def ask(url, header, word, http=requests):
    return http.get(f"{url}/contacts/search", params={"q": word}, headers=header, timeout=60)


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
