"""The threads that send, in each worker process: apart from those that do jobs, so that a letter
never waits for a receiver, and apart from each other: receivers that took the last message without
delay have threads of their own, and never wait for all others. Nobody's receivers have more than
one thread of either kind.

A job only wakes them. What is to be sent are rows, and who sends holds the webhook's row: what a
process that was killed had in hand is found by the scan when that lease is over.
"""

from __future__ import annotations

import logging
import os
import threading
import time

from flask import Flask, current_app

from ..config import Settings
from ..database import lane
from ..jobs.service import Job
from . import checked, turns
from .line import Line

log = logging.getLogger("contactapp")

_GRACE = 17.0  # seconds for what is being sent when the process ends; longer than a try takes


class Senders:
    """Gives webhooks their turns, each at most once at a time in this process."""

    def __init__(self, app: Flask, threads: int) -> None:
        self._app, self._size = app, threads
        self._lock = threading.Lock()
        self._process = 0
        self._ending = threading.Event()
        self._lines: dict[bool, Line] = {}
        self._threads: list[threading.Thread] = []
        self._known: dict[int, bool] = {}  # those that have or await a turn: woken again since?
        self._quick: set[int] = set()

    def wake(self, webhook_id: int, user_id: int, *, fails: bool = False) -> None:
        """Have what is due to a user's webhook sent soon; with the others where its last message
        failed, also in another process."""
        with self._lock:
            if self._ending.is_set():
                return
            if self._process != os.getpid():  # threads do not come over a fork
                self._begin()
            if webhook_id in self._known:
                self._known[webhook_id] = True
                return
            if fails:
                self._quick.discard(webhook_id)
            self._known[webhook_id] = False
            self._lines[webhook_id in self._quick].put(webhook_id, user_id)

    def stop(self) -> None:
        """Begin nothing any more, and wait for what this process is sending."""
        self._ending.set()
        if self._process != os.getpid():
            return
        for line in self._lines.values():
            line.end()
        until = time.monotonic() + _GRACE
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def idle(self) -> bool:
        """Whether nobody has or awaits a turn."""
        with self._lock:
            return not self._known

    def _begin(self) -> None:
        self._known, self._threads = {}, []
        self._lines = {False: Line(), True: Line()}
        for quick, line in self._lines.items():
            for number in range(self._size):
                name = f"webhook-{'quick-' if quick else ''}{number}"
                thread = threading.Thread(target=self._work, args=(line,), name=name, daemon=True)
                thread.start()
                self._threads.append(thread)
        self._process = os.getpid()

    def _work(self, line: Line) -> None:
        while found := line.get():
            webhook_id, user_id = found
            turn = turns.Turn()
            try:
                with self._app.app_context():
                    turn = turns.take_turn(webhook_id, self._ending.is_set)
                    lane().give_back()
            except Exception as error:  # say the database is away: the scan comes back to it
                log.error("a webhook's turn failed: %s", type(error).__name__)
            self._had_turn(webhook_id, user_id, turn)
            line.done(user_id)

    def _had_turn(self, webhook_id: int, user_id: int, turn: turns.Turn) -> None:
        with self._lock:
            if turn.quick is not None:
                (self._quick.add if turn.quick else self._quick.discard)(webhook_id)
            if turn.more or self._known.get(webhook_id):
                self._known[webhook_id] = False
                self._lines[webhook_id in self._quick].put(webhook_id, user_id)
            else:
                self._known.pop(webhook_id, None)


def init_app(app: Flask, settings: Settings) -> None:
    """Give the application its senders, which start with the first message, and its places for
    looking names up."""
    checked.init_app(app, settings)
    app.extensions["contactapp.senders"] = Senders(app, settings.webhook_threads)


def senders() -> Senders:
    """The senders of the current application."""
    return current_app.extensions["contactapp.senders"]


def send(job: Job) -> None:
    """The job that has what is due to a webhook sent."""
    found = turns.awaits(job.ref or 0)
    if found is not None:
        senders().wake(found.id, found.user_id, fails=found.fails)


def scan(_job: Job) -> None:
    """The job that finds what is due: later tries, and what somebody left who was killed."""
    for webhook_id, user_id, fails in turns.waiting():
        senders().wake(webhook_id, user_id, fails=fails)
