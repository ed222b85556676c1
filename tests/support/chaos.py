"""People who go on whatever happens to their server, and what they may say afterwards."""

from __future__ import annotations

import threading
import time

import requests

from tests.support.traffic import Hand


class Stubborn(Hand):
    """Goes on after a broken connection or a 503, and leaves alone what it is unsure of then.

    `done`: [(contact id or None, nickname)] of the writes that were acknowledged, `unsure`:
    [(contact id or None, nickname before, nickname asked for)] of the others; `broken`: how many
    requests had no answer. `registered`: the addresses of the accounts that it made,
    `unsure_accounts` those that there may be; `noted` and `unsure_notes` are texts of notes alike.
    """

    deeds = {**Hand.deeds, "register": 1, "note": 3}
    pause = 0.05  # seconds, where nobody listens

    def __init__(self, visitor, seed):
        super().__init__(visitor, seed)
        self.done, self.unsure, self.broken = [], [], 0
        self.registered, self.unsure_accounts = [], []
        self.noted, self.unsure_notes = [], []

    def step(self):
        try:
            super().step()
        except requests.RequestException:
            self.broken += 1
            self.http.close()
            time.sleep(self.pause)
        self._doubt()

    def register(self):
        """Make an account, which makes a mail necessary."""
        name = self._nickname()
        fields = {"email": f"{name}@example.com", "password": "correct horse battery staple"}
        self.unsure_accounts.append(fields["email"])
        answer = self.http.post(f"{self.api}/auth/register", json=fields, timeout=60)
        self.statuses[answer.status_code] += 1
        if answer.status_code == 201:
            self.registered.append(self.unsure_accounts.pop())

    def note(self):
        """Write a note, which makes a job necessary."""
        text = f"@{self._nickname()}"
        self.unsure_notes.append(text)
        path = f"{self.url}/{self.random.choice(self.mine)}/notes"
        answer = self.http.post(path, json={"body": text}, timeout=60)
        self.statuses[answer.status_code] += 1
        if answer.status_code == 201:
            self.noted.append(self.unsure_notes.pop())

    def _write(self, method, id_, nickname, **kwargs):
        super()._write(method, id_, nickname, **kwargs)
        if self.asked is None:
            self.done.append((id_, nickname))

    def _doubt(self):
        if self.asked is not None:
            id_, nickname = self.asked
            self.unsure.append((id_, self.acknowledged.pop(id_, None), nickname))
            self.asked = None


class Crowd:
    """Hands that work in a thread each until they are told to stop."""

    def __init__(self, hands):
        self.hands = hands
        self.failures = []
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(hand,)) for hand in hands]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        if self.failures:
            raise self.failures[0]

    def answers(self):
        """How many there were so far."""
        return sum(hand.statuses.total() for hand in self.hands)

    def wait_for(self, more, patience=60):
        """Return when so many more answers have come."""
        target, ends = self.answers() + more, time.monotonic() + patience
        while self.answers() < target and not self.failures:
            assert time.monotonic() < ends, f"{self.answers()} of {target} answers"
            time.sleep(0.01)

    def _work(self, hand):
        try:
            while not self._stopping.is_set() and not self.failures:
                hand.step()
        except Exception as error:
            self.failures.append(error)


def compare(hands, stored):
    """What was lost: [(contact id, nickname acknowledged, nickname stored)]. Asserts that nothing
    is there which nobody asked for, and nothing twice. `stored`: {contact id: nickname}."""
    lost, surplus = [], dict(stored)
    for hand in hands:
        for id_, nickname in hand.acknowledged.items():
            if surplus.pop(id_, None) != nickname:
                lost.append((id_, nickname, stored.get(id_)))
        for id_, before, asked in hand.unsure:
            if id_ is None:
                id_ = next((key for key, value in surplus.items() if value == asked), None)
            assert surplus.pop(id_, None) in {before, asked}, (id_, before, asked)
    assert not surplus, surplus
    return lost
