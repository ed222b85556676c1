"""`/healthz` and `/readyz`: green, and red with a reason."""

import base64
import os

import pytest
from sqlalchemy import text

from contactapp import clock, create_app, startup
from contactapp.config import load
from contactapp.database import database, write_transaction
from contactapp.jobs import health
from contactapp.jobs import service as jobs_service
from tests.conftest import FAST


def probe(app, path):
    answer = app.test_client().get(path)
    assert answer.headers["Content-Type"] == "application/json"
    return answer.status_code, answer.json


def reasons(app):
    """Why the application is not ready; it lives all the same."""
    assert probe(app, "/healthz") == (200, {"status": "ok"})
    status, body = probe(app, "/readyz")
    assert status == 503
    assert body.keys() == {"status", "problems"}
    assert body["status"] == "unready"
    return body["problems"]


def assert_ready(app):
    status, body = probe(app, "/readyz")
    assert (status, body["status"], body["problems"]) == (200, "ready", [])


def statement(app, sql):
    with app.app_context(), database().engine.begin() as connection:
        connection.execute(text(sql))


@pytest.fixture
def make(new_database, tmp_path):
    """An application whose database nobody prepared."""
    made = []

    def application(url, **settings):
        given = {**FAST, "DATABASE_URL": url, "INSTANCE_PATH": str(tmp_path), **settings}
        made.append(create_app(load(given, environ={})))
        return made[-1]

    yield application
    for app in made:
        with app.app_context():
            database().engine.dispose()
            database().lane.close_all()
        app.extensions["contactapp.quota"].store.close()


def test_a_migrated_database_is_ready(app):
    assert probe(app, "/healthz") == (200, {"status": "ok"})
    assert_ready(app)


# OB-3
def test_a_database_without_tables_is_not_ready(engine, make, new_database):
    [reason] = reasons(make(new_database(engine)))
    assert "not up to date" in reason
    assert "contactapp db upgrade" in reason


# OB-3
def test_an_older_or_newer_revision_is_not_ready(own_app):
    with own_app.app_context(), database().engine.connect() as connection:
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    statement(own_app, "UPDATE alembic_version SET version_num = 'from-the-future'")
    assert "newer than this program" in reasons(own_app)[0]
    statement(own_app, "DELETE FROM alembic_version")
    assert "not up to date" in reasons(own_app)[0]
    statement(own_app, f"INSERT INTO alembic_version VALUES ('{revision}')")
    assert_ready(own_app)


# OB-3
@pytest.mark.parametrize("trigger", ["change_no_update", "change_no_delete"])
def test_a_missing_trigger_is_not_ready_until_the_advice_is_followed(own_app, engine, trigger):
    statement(own_app, f"DROP TRIGGER {trigger}" + (" ON change" if engine == "postgresql" else ""))
    [reason] = reasons(own_app)
    assert trigger in reason
    assert "contactapp db upgrade" in reason
    startup.upgrade(own_app)
    assert_ready(own_app)


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_disabled_trigger_is_as_bad_as_a_missing_one(own_app, engine):
    statement(own_app, "ALTER TABLE change DISABLE TRIGGER change_no_truncate")
    [reason] = reasons(own_app)
    assert "change_no_truncate" in reason
    statement(own_app, "ALTER TABLE change ENABLE TRIGGER change_no_truncate")
    assert_ready(own_app)


# DU-2
@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_setting_that_loses_writes_is_not_ready(own_app, engine):
    with own_app.app_context():
        name = database().engine.url.database
        for change, wrong in (("SET synchronous_commit = off", 1), ("RESET ALL", 0)):
            statement(own_app, f'ALTER DATABASE "{name}" {change}')
            database().lane.close()
            found = probe(own_app, "/readyz")[1]["problems"]
            assert ["synchronous_commit" in reason for reason in found] == [True] * wrong


# OB-3, BR-4
def test_a_wrong_master_key_is_not_ready(own_app, make):
    given = own_app.extensions["contactapp.settings"]
    secrets = {
        name.upper(): ",".join(f"{s.id}:{_base64(s.value)}" for s in getattr(given, name))
        for name in ("jwt_secrets", "password_peppers")
    }
    other = f"k1:{_base64(os.urandom(32))}"
    [reason] = reasons(make(given.database_url, MASTER_KEYS=other, **secrets))
    assert reason.startswith("CONTACTAPP_MASTER_KEYS does not open this database")
    assert other[3:] not in reason
    assert_ready(own_app)


def _base64(value):
    return base64.b64encode(value).decode()


# DU-2
def test_an_old_sqlite_is_a_warning_and_no_reason_to_stop(new_app, monkeypatch):
    app = new_app("sqlite")
    with app.app_context():
        health.seen("a" * 32)
    client = app.test_client()
    assert "warnings" not in client.get("/readyz").json
    monkeypatch.setattr("contactapp.engine.SAFE_SQLITE", (99, 0, 0))
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert "can corrupt" in answer.json["warnings"][0]


# OB-3
def test_no_job_worker_is_a_warning_with_the_next_step(new_app):
    answer = new_app("sqlite").test_client().get("/readyz")
    assert answer.status_code == 200
    [warning] = answer.json["warnings"]
    assert "run `contactapp worker`" in warning


@pytest.fixture
def queued(new_app, engine):
    """An application with a worker that was heard of just now; its context is pushed."""
    app = new_app(engine)
    with app.app_context():
        health.seen("a" * 32)
        yield app


# OB-3
def test_an_overdue_job_is_a_warning_after_five_minutes(queued, monkeypatch):
    write_transaction(lambda: jobs_service.enqueue("mail.verify"))()
    assert warnings(queued) == []
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now + 299_000)
    health.seen("a" * 32)
    assert warnings(queued) == []
    monkeypatch.setattr(clock, "now_ms", lambda: now + 900_000)
    health.seen("a" * 32)
    assert warnings(queued) == ["the oldest job that is due has waited for 15 minutes"]
    jobs_service.finish(jobs_service.claim())
    assert warnings(queued) == []


# OB-3
def test_a_job_that_was_given_up_is_a_warning_until_it_is_replayed(queued):
    write_transaction(lambda: jobs_service.enqueue("mail.verify"))()
    job = jobs_service.claim()._replace(attempts=jobs_service.ATTEMPTS)
    assert jobs_service.fail(job, RuntimeError())
    [warning] = warnings(queued)
    assert warning.startswith("jobs were given up (1): see `contactapp jobs list --status dead`")
    jobs_service.replay()
    assert warnings(queued) == []


# OB-3
def test_limits_that_cannot_be_counted_are_a_warning(queued, monkeypatch):
    def fail():
        raise OSError

    monkeypatch.setattr(queued.extensions["contactapp.quota"].store, "check", fail)
    [warning] = warnings(queued)
    assert warning.startswith("the store of the rate limits does not answer")


# OB-3
def test_an_instance_folder_that_cannot_be_written_is_a_reason(queued):
    folder = queued.extensions["contactapp.settings"].instance_path
    folder.rename(folder.with_name("elsewhere"))
    try:
        status, body = probe(queued, "/readyz")
        assert (status, len(body["problems"])) == (503, 1)
        assert "the instance folder cannot be written" in body["problems"][0]
        assert str(folder) not in str(body)
        assert probe(queued, "/healthz")[0] == 200
    finally:
        folder.with_name("elsewhere").rename(folder)
    assert_ready(queued)


def warnings(app):
    """What is wrong with an application that is ready all the same."""
    status, body = probe(app, "/readyz")
    assert (status, body["status"], body["problems"]) == (200, "ready", [])
    return body.get("warnings", [])
