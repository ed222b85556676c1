"""A clock that is set forward or back by an hour loses no job and does none twice."""

import pytest

from contactapp.jobs import health, service
from tests.jobs.conftest import add, state

HOUR = 3600


# DU-5
def test_a_job_that_a_clock_ahead_put_off_is_due_at_the_next_sign_of_life(queue, time):
    time.pass_(HOUR)
    late = add()
    time.pass_(-HOUR)
    in_time = add()
    service.finish(service.claim())
    assert (state(in_time)[0], service.claim()) == ("done", None)
    health.seen("a" * 32)
    claimed = service.claim()
    assert claimed.id == late
    service.finish(claimed)
    assert state(late) == ("done", 1, None)


# DU-5
def test_a_lease_of_a_clock_ahead_does_not_outlive_its_worker_by_an_hour(queue, time):
    job_id = add()
    time.pass_(HOUR)
    lost = service.claim()
    time.pass_(-HOUR)
    assert service.claim() is None
    health.seen("a" * 32)
    again = service.claim()
    assert (again.id, again.attempts) == (job_id, 2)
    with pytest.raises(service.LeaseLost):
        service.finish(lost, lambda: service.enqueue("twice"))
    service.finish(again, lambda: service.enqueue("once"))
    assert {job.kind for job in service.list_jobs()} == {"work", "once"}


# DU-5
def test_no_pause_and_no_lease_is_cut_short(queue, time):
    service.schedule({"hourly": HOUR * 1000, "failing": 1000})
    for _ in range(12):  # to the longest pause
        for job in iter(service.claim, None):
            service.fail(job, ValueError()) if job.kind == "failing" else service.finish(job)
        time.pass_(600)
    time.pass_(HOUR)
    held = add()
    for job in iter(service.claim, None):
        if job.id != held:
            service.fail(job, ValueError()) if job.kind == "failing" else service.finish(job)
    health.seen("a" * 32)
    assert service.claim() is None


# DU-5
def test_what_comes_again_comes_again_after_the_clock_was_set_back(queue, time):
    time.pass_(HOUR)
    service.schedule({"hourly": HOUR * 1000})
    service.finish(service.claim())
    time.pass_(-HOUR)
    health.seen("a" * 32)
    assert service.claim().kind == "hourly"


# DU-5
def test_a_clock_set_forward_takes_a_job_from_its_worker_and_does_it_once(queue, time):
    job_id = add()
    slow = service.claim()
    time.pass_(HOUR)
    service.finish(service.claim())
    with pytest.raises(service.LeaseLost):
        service.finish(slow, lambda: service.enqueue("twice"))
    assert [job.id for job in service.list_jobs()] == [job_id]


# DU-5
def test_a_worker_of_a_clock_ahead_counts_as_gone_when_it_is(queue, time):
    time.pass_(HOUR)
    health.seen("a" * 32)
    assert not health.worker_is_silent()
    time.pass_(-HOUR)
    assert health.worker_is_silent()
    health.seen("a" * 32)
    assert not health.worker_is_silent()
