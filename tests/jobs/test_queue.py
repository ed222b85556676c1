"""The queue's rules, one call at a time."""

import pytest

from contactapp.database import Sql, lane, write_transaction
from contactapp.errors import NotFound
from contactapp.jobs import health, service
from tests.jobs.conftest import add, state

TOUCH = Sql("UPDATE users SET version = version + 1 WHERE id = -1")


def failed_times(time, job_id, times):
    """Have the job claimed and failed so often."""
    for _ in range(times):
        time.pass_(600)
        claimed = service.claim()
        assert claimed.id == job_id
        service.fail(claimed, ValueError("secret words"))


def test_the_job_that_was_due_first_comes_first_and_only_once(queue, time):
    first = add(ref=7)
    time.pass_(1)
    second = add()
    claimed = service.claim()
    assert (claimed.id, claimed.kind, claimed.ref, claimed.attempts) == (first, "work", 7, 1)
    assert service.claim().id == second
    assert service.claim() is None


def test_a_job_of_a_write_that_was_undone_does_not_exist(queue):
    def write():
        service.enqueue("work")
        raise LookupError

    with pytest.raises(LookupError):
        write_transaction(write)()
    assert service.list_jobs() == []


def test_a_finished_job_is_done_together_with_its_effect(queue, time):
    job_id = add()
    service.finish(service.claim(), lambda: service.enqueue("next"))
    assert state(job_id) == ("done", 1, None)
    assert service.claim().kind == "next"


def test_an_effect_that_fails_leaves_the_job_as_it_was(queue, time):
    job_id = add()
    claimed = service.claim()

    def effect():
        service.enqueue("next")
        raise LookupError

    with pytest.raises(LookupError):
        service.finish(claimed, effect)
    assert [job.id for job in service.list_jobs()] == [job_id]
    assert state(job_id) == ("pending", 1, None)


def test_a_job_comes_back_when_its_lease_ends_and_the_late_worker_changes_nothing(queue, time):
    job_id = add()
    late = service.claim()
    time.pass_(59)
    assert service.claim() is None
    time.pass_(1)
    again = service.claim()
    assert (again.id, again.attempts) == (job_id, 2)
    for report in (
        lambda: service.finish(late, lambda: service.enqueue("next")),
        lambda: service.fail(late, ValueError()),
        lambda: service.renew(late),
    ):
        with pytest.raises(service.LeaseLost):
            report()
    assert [job.id for job in service.list_jobs()] == [job_id]
    service.finish(again)
    assert state(job_id) == ("done", 2, None)


def test_a_renewed_lease_lasts_another_minute(queue, time):
    add()
    claimed = service.claim()
    time.pass_(50)
    service.renew(claimed)
    time.pass_(50)
    assert service.claim() is None
    service.finish(claimed)


def test_pauses_double_from_a_second_to_ten_minutes():
    longest = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]
    for attempts, seconds in enumerate(longest, 1):
        found = {service.pause_ms(attempts) for _ in range(50)}
        assert 750 * seconds <= min(found) < max(found) <= 1000 * seconds
    assert service.pause_ms(1000) <= 600_000


def test_a_failed_job_waits_for_its_pause(queue, time):
    job_id = add()
    assert service.fail(service.claim(), ValueError("secret words")) is False
    assert state(job_id) == ("pending", 1, "ValueError")
    time.pass_(0.7)
    assert service.claim() is None
    time.pass_(0.3)
    assert service.claim().attempts == 2


# EM-3
def test_after_eight_attempts_a_job_is_dead_until_it_is_replayed(queue, time):
    job_id = add()
    failed_times(time, job_id, 8)
    assert state(job_id) == ("dead", 8, "ValueError")
    time.pass_(86_400)
    assert service.claim() is None
    assert service.replay(job_id) == 1
    assert service.claim().attempts == 1
    with pytest.raises(NotFound):
        service.replay(job_id)


def test_all_dead_jobs_can_be_replayed_at_once(queue, time):
    jobs = {add(), add()}
    for _ in range(16):
        time.pass_(600)
        service.fail(service.claim(), ValueError())
    assert {job.id for job in service.list_jobs("dead")} == jobs
    assert service.replay() == 2
    assert service.list_jobs("dead") == []


def test_a_periodic_job_exists_once_comes_back_and_never_dies(queue, time):
    service.schedule({"sweep": 60_000})
    service.schedule({"sweep": 60_000})
    [job] = service.list_jobs()
    service.finish(service.claim())
    assert service.claim() is None
    time.pass_(60)
    failed_times(time, job.id, 9)
    assert state(job.id)[0] == "pending"
    time.pass_(600)
    service.finish(service.claim())
    time.pass_(60)
    assert service.claim().attempts == 1


def test_what_was_done_a_week_ago_is_deleted(queue, time):
    dead = add()
    failed_times(time, dead, 8)
    done = add()
    service.finish(service.claim())
    time.pass_(7 * 86_400 - 1)
    write_transaction(service.purge)()
    assert len(service.list_jobs()) == 2
    time.pass_(2)
    write_transaction(service.purge)()
    assert [job.id for job in service.list_jobs()] == [dead]
    assert done != dead


def test_workers_are_silent_a_minute_after_their_last_word(queue, time):
    assert health.worker_is_silent()
    health.seen("a" * 32)
    time.pass_(60)
    assert not health.worker_is_silent()
    time.pass_(1)
    assert health.worker_is_silent()
    health.seen("b" * 32)
    health.gone("b" * 32)
    assert health.worker_is_silent()


def test_an_idle_queue_takes_no_lock(queue, engine):
    """Asking for work while another process writes does not wait for it."""
    if engine == "sqlite":
        import sqlite3

        other = sqlite3.connect(queue.extensions["contactapp.database"].engine.url.database)
        other.execute("BEGIN IMMEDIATE")
        assert service.claim() is None
        other.close()
    else:
        assert service.claim() is None
    assert lane().one(Sql("SELECT count(*) FROM job")) == (0,)
