"""A new text is read by a job: later, once, and never for what is gone."""

import signal

import pytest

from contactapp.database import Sql, lane
from contactapp.jobs import service as jobs
from contactapp.notes import processing
from contactapp.worker import HANDLERS, LAST_WORDS
from tests.changes.test_change_log import log_of
from tests.notes.conftest import work
from tests.support.command import CONTACTAPP, finish, start

_JOBS = Sql("SELECT status, attempts FROM job WHERE kind = 'note.process' AND ref = ?")
TEXT = "Ask @ada by +49 151 1234567 or ada@x.example before 2026-12-24, see www.x.example #math"


def told(person, note):
    """(op, version) of each row of the change log about a note."""
    rows = [
        row for row in log_of(person) if (row["entity"], row["entity_id"]) == ("note", note["id"])
    ]
    return [(row["op"], row["version"]) for row in rows]


def test_it_finds_what_the_text_mentions(owner, note):
    made = note(TEXT)
    assert work(owner.app) == 1
    now = owner.get(f"/notes/{made['id']}").json
    assert (now["processing_status"], now["word_count"], now["version"]) == ("processed", 13, 1)
    assert now["extracted"] == {
        "emails": ["ada@x.example"],
        "phones": ["+49 151 1234567"],
        "urls": ["www.x.example"],
        "hashtags": ["math"],
        "mentions": ["ada"],
        "dates": ["2026-12-24"],
    }
    assert now["updated_at"] == made["updated_at"]
    assert told(owner, made) == [("create", 1), ("process", 1)]


def test_without_a_worker_it_stays_pending_and_a_real_one_does_it(owner, note, tmp_path):
    """Nothing is ever done inline: only when the process is there it happens."""
    made = note(TEXT)
    assert owner.get(f"/notes/{made['id']}").json["processing_status"] == "pending"
    given = owner.app.extensions["contactapp.settings"]
    settings = {"DATABASE_URL": given.database_url, "INSTANCE_PATH": str(given.instance_path)}
    process = start((*CONTACTAPP, "worker"), tmp_path, settings)
    for _ in range(2000):
        now = owner.get(f"/notes/{made['id']}").json
        if now["processing_status"] == "processed":
            break
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 0
    assert now["extracted"]["phones"] == ["+49 151 1234567"]


def claimed(app, note):
    """The job of a note, held; others' are done on the way."""
    while (job := jobs.claim()).ref != note["id"] or job.kind != "note.process":
        jobs.finish(job, HANDLERS[job.kind](job))
    return job


def test_a_text_that_changes_meanwhile_is_read_again(owner, note):
    made = note("old @text")
    with owner.app.app_context():
        job = claimed(owner.app, made)
        effect = processing.process(job)
        owner.patch(f"/notes/{made['id']}", json={"body": "new @words"})
        jobs.finish(job, effect)
        now = owner.get(f"/notes/{made['id']}").json
        assert (now["processing_status"], now["extracted"]["mentions"]) == ("pending", [])
    work(owner.app)
    assert owner.get(f"/notes/{made['id']}").json["extracted"]["mentions"] == ["words"]
    assert told(owner, made) == [("create", 1), ("update", 2), ("process", 2)]


def test_the_jobs_of_a_note_may_come_in_any_order(owner, note):
    """The newer is done first, and the older does nothing any more."""
    made = note("one @one")
    owner.patch(f"/notes/{made['id']}", json={"body": "two @two"})
    with owner.app.app_context():
        first = claimed(owner.app, made)
        second = claimed(owner.app, made)
        older = processing.process(first)
        jobs.finish(second, processing.process(second))
        jobs.finish(first, older)
    now = owner.get(f"/notes/{made['id']}").json
    assert now["extracted"]["mentions"] == ["two"]
    assert told(owner, made) == [("create", 1), ("update", 2), ("process", 2)]


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_deleted_note_is_left_alone(owner, note, when):
    made = note("gone @soon")
    with owner.app.app_context():
        job = claimed(owner.app, made)
        effect = processing.process(job) if when == "meanwhile" else None
        owner.delete(f"/notes/{made['id']}")
        jobs.finish(job, effect or processing.process(job))
        assert lane().all(_JOBS, (made["id"],)) == [("done", 1)]
    assert told(owner, made) == [("create", 1), ("delete", 2)]


def test_replaying_it_changes_nothing(owner, note):
    made = note("once @only")
    work(owner.app)
    before = owner.get(f"/notes/{made['id']}").json
    with owner.app.app_context():
        jobs.write_transaction(lambda: jobs.enqueue("note.process", made["id"], owner.id))()
    assert work(owner.app) == 1
    assert owner.get(f"/notes/{made['id']}").json == before
    assert told(owner, made) == [("create", 1), ("process", 1)]


def test_after_eight_failures_the_note_says_so_and_a_replay_mends_it(owner, note, monkeypatch):
    from contactapp import clock

    made = note("poison @ivy")
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    with owner.app.app_context():
        for attempt in range(1, jobs.ATTEMPTS + 1):
            job = claimed(owner.app, made)
            assert job.attempts == attempt
            assert owner_status(owner, made) == "pending"
            assert owner.get("/notes?q=poison&processing_status=pending").json["total"] == 1
            jobs.fail(job, RuntimeError(), LAST_WORDS["note.process"])
            now += 700_000
        assert owner_status(owner, made) == "failed"
        for words in ("", "&q=poison"):
            assert owner.get(f"/notes?processing_status=failed{words}").json["total"] == 1
            assert owner.get(f"/notes?processing_status=pending{words}").json["total"] == 0
        jobs.replay(job.id)
    work(owner.app)
    assert owner_status(owner, made) == "processed"


def owner_status(person, note):
    person.sign_in()  # the clock runs away from its token
    return person.get(f"/notes/{note['id']}").json["processing_status"]
