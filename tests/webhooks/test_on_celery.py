"""The same threads in the processes that Celery forks."""

import threading

import pytest
import redis

from tests.jobs.test_worker import settings_of, until
from tests.support.cast import Person
from tests.support.celery import Celery
from tests.support.engines import on_one_engine
from tests.webhooks.conftest import INSIDE, deliveries, hook, rows


# DU-3
@on_one_engine
@pytest.mark.soak
def test_a_forked_worker_sends_and_ends_when_it_has_sent(
    engine, new_app, redis_url, receiver, tmp_path
):
    broker = f"{redis_url.rpartition('/')[0]}/15"
    redis.Redis.from_url(broker).flushdb()
    app = new_app(engine, CELERY_BROKER_URL=broker, **INSIDE)
    alice = Person(app, "alice")
    made = hook(alice, receiver)
    hold, held = threading.Event(), threading.Event()

    def wait(_number, handler):
        held.set()
        hold.wait(10)
        handler.say(204)

    receiver.answers = wait
    settings = {**settings_of(app), **INSIDE, "CELERY_BROKER_URL": broker}
    worker = Celery(tmp_path, settings, "worker", "-c", "1")
    try:
        alice.contact()
        alice.contact()
        assert held.wait(20), worker.log
        worker.process.terminate()
        until(lambda: "Warm shutdown" in worker.log)
        threading.Timer(3.0, hold.set).start()  # by then its child would have gone
        assert worker.process.wait(30) == 0, worker.log
    finally:
        worker.kill()
    found = [one["status"] for one in deliveries(alice, made)]
    assert len(receiver.got) == found.count("delivered") >= 1  # nothing comes twice
    assert rows(app, "SELECT lease FROM webhook WHERE id = ?", made["id"]) == [(None,)]
