"""People who add, change, trash and read contacts on a real server, and remember what it said."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import requests


class Hand:
    """One thread's client. It touches only contacts that it added itself, so it knows each one.

    `acknowledged`: {contact id: nickname, None when trashed}, as a 2xx confirmed it.
    `asked`: (contact id or None, nickname or None) of the request without an answer so far.
    `deeds`: {what it does, a method: how often, in proportion}; the `first` ones where it has no
    contact yet.
    """

    deeds = {"add": 4, "change": 4, "trash": 1, "get": 2, "list": 2}
    first = {"add": 1}

    def __init__(self, visitor, seed):
        self.http = requests.Session()
        self.http.headers["Authorization"] = visitor.http.headers["Authorization"]
        self.api = visitor.url
        self.url = f"{visitor.url}/contacts"
        self.random = random.Random(seed)
        self.acknowledged = {}
        self.asked = None
        self.statuses = Counter()

    @property
    def mine(self):
        return [id_ for id_, nickname in self.acknowledged.items() if nickname is not None]

    def step(self):
        """One request."""
        deeds = self.deeds if self.mine else self.first
        [deed] = self.random.choices(list(deeds), deeds.values())
        getattr(self, deed)()

    def add(self):
        nickname = self._nickname()
        self._write("POST", None, nickname, json={"nickname": nickname})

    def change(self):
        nickname = self._nickname()
        self._write("PATCH", self.random.choice(self.mine), nickname, json={"nickname": nickname})

    def trash(self):
        self._write("DELETE", self.random.choice(self.mine), None)

    def get(self):
        id_ = self.random.choice(self.mine)
        answer = self._request("GET", f"/{id_}")
        if answer.status_code != 503:
            found, expected = answer.json(), (id_, self.acknowledged[id_])
            assert (found.get("id"), found.get("nickname")) == expected, (found, self.statuses)

    def list(self):
        self._request("GET", "?limit=20")

    def _write(self, method, id_, nickname, **kwargs):
        self.asked = (id_, nickname)
        answer = self._request(method, f"/{id_}" if id_ else "", **kwargs)
        if answer.ok:
            self.acknowledged[id_ or answer.json()["id"]] = nickname
            self.asked = None

    def _request(self, method, path, **kwargs):
        answer = self.http.request(method, self.url + path, timeout=60, **kwargs)
        self.statuses[answer.status_code] += 1
        return answer

    def _nickname(self):
        return f"n{self.random.getrandbits(48):x}"


def run(hands, seconds):
    """Let every hand work in a thread of its own for a while; raises what any of them raised."""
    ends, failures = time.monotonic() + seconds, []

    def work(hand):
        try:
            while time.monotonic() < ends and not failures:
                hand.step()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(hand,)) for hand in hands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def contend(server, app, seconds):
    """CC-4: 32 clients on four books of a server with 4 processes of 8 threads, then the books."""
    people = [server.person(f"person{number}") for number in range(4)]
    hands = [Hand(people[number % 4], number) for number in range(32)]
    run(hands, seconds)
    statuses = sum((hand.statuses for hand in hands), Counter())
    assert set(statuses) <= {200, 201, 204}, statuses
    assert "locked" not in server.log.read_text()
    books = read_books(app, people)
    for hand in hands:
        confirmed = {id_: name for id_, name in hand.acknowledged.items() if name is not None}
        assert confirmed.items() <= books.items()
    assert len(books) == sum(len(hand.mine) for hand in hands)
    return statuses


def read_books(app, people):
    """{contact id: nickname} of these people's books, after checking the whole database."""
    from tests.support.ledger import read_ledger

    ledger = read_ledger(app)
    return {
        id_: card["nickname"]
        for person in people
        for id_, card in ledger[person.user["book_id"]].items()
    }
