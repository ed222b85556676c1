"""Applications that mail: a real SMTP server takes it, a real worker process sends it."""

import signal
import time

import pytest

from contactapp import clock
from contactapp.database import Sql, lane
from contactapp.jobs.health import worker_is_silent
from tests.support.cast import PASSWORD, Person
from tests.support.command import CONTACTAPP, finish, start
from tests.support.post import PostOffice

BASE = "https://contacts.example.org"


@pytest.fixture(scope="session")
def post_office():
    office = PostOffice()
    yield office
    office.close()


@pytest.fixture(scope="session")
def mailing(post_office):
    """The settings of whoever mails there."""
    return {
        "MAIL_SERVER": "127.0.0.1",
        "MAIL_PORT": str(post_office.port),
        "MAIL_USE_TLS": "false",
        "MAIL_SENDER": "contactapp@example.org",
        "BASE_URL": BASE,
    }


@pytest.fixture(scope="session")
def start_worker(tmp_path_factory):
    """Start `contactapp worker` beside an application."""
    started = []

    def begin(app, **settings):
        given = app.extensions["contactapp.settings"]
        settings = {
            **settings,
            "DATABASE_URL": given.database_url,
            "INSTANCE_PATH": str(given.instance_path),
        }
        process = start((*CONTACTAPP, "worker"), tmp_path_factory.mktemp("worker"), settings)
        started.append(process)
        with app.app_context():  # before that it would not end in good order
            for _ in range(1000):
                if not worker_is_silent():
                    return process
                time.sleep(0.02)
        raise AssertionError("the worker does not say that it lives")

    yield begin
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            assert finish(process)[0] == 0


@pytest.fixture(scope="session")
def app(engine, new_app, mailing, start_worker):
    """One application per engine that mails, with a worker beside it."""
    app = new_app(engine, **mailing)
    start_worker(app, **mailing)
    return app


@pytest.fixture
def ann(app):
    """Somebody who has just registered and signed in."""
    return Person(app, "ann")


class Visitor:
    """Nobody in particular: `visitor.post("/auth/…", {…})`."""

    def __init__(self, app):
        self.client = app.test_client()

    def post(self, path, body, headers=None):
        return self.client.post(f"/api/v1{path}", json=body, headers=headers)

    def sign_in(self, person, password=PASSWORD):
        """The status of a sign-in."""
        fields = {"email": person.email, "password": password}
        return self.post("/auth/token", fields).status_code


@pytest.fixture
def visitor(app):
    return Visitor(app)


def assert_refused(answer, code, status=400):
    assert (answer.status_code, answer.json["code"]) == (status, code)


def idle(app):
    """Wait until the worker has done everything that is due."""
    with app.app_context():
        for _ in range(1000):
            if lane().one(_WAITING, (clock.now_ms(),)) == (0,):
                return
            time.sleep(0.02)
    raise AssertionError("the worker is not getting done")


_WAITING = Sql(
    "SELECT count(*) FROM job WHERE status = 'pending' AND period IS NULL AND attempts < 2 "
    "AND (next_at <= ? OR lease IS NOT NULL)"
)
