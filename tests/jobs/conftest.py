"""An application of the test's own, whose queue nobody else fills, and a clock to turn."""

import itertools

import pytest
import redis

from contactapp import clock
from contactapp.database import Sql, lane, write_transaction
from contactapp.jobs import service


class Clock:
    """The time of every module, in milliseconds; it stands still."""

    def __init__(self):
        self.now = 1_800_000_000_000

    def __call__(self):
        return self.now

    def pass_(self, seconds):
        self.now += int(seconds * 1000)


@pytest.fixture
def queue(engine, new_app):
    """An application with an empty queue; its context is pushed."""
    app = new_app(engine)
    with app.app_context():
        yield app


@pytest.fixture
def time(monkeypatch):
    standing = Clock()
    monkeypatch.setattr(clock, "now_ms", standing)
    return standing


_numbers = itertools.count()


@pytest.fixture
def broker(redis_url):
    """The URL of an empty broker."""
    url = f"{redis_url.rpartition('/')[0]}/{next(_numbers) % 16}"
    redis.Redis.from_url(url).flushdb()
    return url


@pytest.fixture
def brokered(engine, new_app, broker):
    """An application with a broker and an empty queue; its context is pushed."""
    app = new_app(engine, CELERY_BROKER_URL=broker)
    with app.app_context():
        yield app


def length(broker, queue):
    """How many messages wait in a queue of the broker."""
    return redis.Redis.from_url(broker).llen(queue)


def add(kind="work", ref=None, user_id=None):
    return write_transaction(lambda: service.enqueue(kind, ref, user_id))()


def state(job_id):
    """(status, attempts, error) of a job."""
    return lane().one(Sql("SELECT status, attempts, error FROM job WHERE id = ?"), (job_id,))
