"""A book with contacts to write notes about, and the job that reads them, done here."""

import pytest

from contactapp.database import Sql, lane
from contactapp.jobs import service as jobs
from contactapp.worker import HANDLERS
from tests.support.cast import Person
from tests.support.stored import set_user

_DUE = Sql("SELECT count(*) FROM job WHERE kind = 'note.process' AND status = 'pending'")


@pytest.fixture(scope="module")
def app(engine, new_app):
    """An application of the file's own: its queue holds nobody else's jobs."""
    return new_app(engine)


@pytest.fixture(scope="module")
def owner(app):
    """Somebody without a limit, for all tests of a file."""
    person = Person(app, "olga")
    set_user(app, person.id, contact_limit=0)
    return person


@pytest.fixture
def contact(owner):
    return owner.contact(first_name="Grace")


@pytest.fixture
def note(owner, contact):
    """A function that adds a note about the contact, and returns it."""

    def add(body="Met at the conference", person=owner):
        answer = person.post("/notes", json={"contact_id": contact["id"], "body": body})
        assert answer.status_code == 201, answer.text
        return answer.json

    return add


def work(app):
    """Do what is due as a worker does, one job after another, in this process; how many notes."""
    done = 0
    with app.app_context():
        while lane().one(_DUE)[0] and (job := jobs.claim()):
            jobs.finish(job, HANDLERS[job.kind](job))
            done += job.kind == "note.process"
    return done
