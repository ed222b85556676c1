"""Chains of changes and events, and what somebody who owns the database can do to them."""

from __future__ import annotations

from sqlalchemy import text

from contactapp import triggers
from contactapp.audit import checkpoints
from contactapp.audit import service as audit
from contactapp.audit.verification import count_chains, follow_all
from contactapp.database import Sql, database, lane, write_transaction
from contactapp.jobs import service as jobs
from contactapp.jobs.service import Job
from contactapp.worker import HANDLERS
from tests.support.cast import Person

_CHAIN = Job(1, "audit.chain", None, None, 1, 60_000, "lease")
_STREAM = Sql("SELECT stream_id FROM book WHERE id = ?")


def chain_events(app):
    """What the job does."""
    with app.app_context():
        write_transaction(audit.chain(app.extensions["contactapp.quota"], _CHAIN))()


def do_job(app, kind):
    """Do a job of this kind as the worker would."""

    @write_transaction
    def claimed():
        job_id = jobs.enqueue(kind)
        lane().run(Sql("UPDATE job SET lease = 'lease' WHERE id = ?"), (job_id,))
        return Job(job_id, kind, None, None, 1, None, "lease")

    with app.app_context():
        job = claimed()
        jobs.finish(job, HANDLERS[kind](job))


def stream_of(person):
    """The number of the stream of a person's own book."""
    with person.app.app_context():
        return lane().one(_STREAM, (person.book_id,))[0]


class Story:
    """Somebody's book of five changes, and a few events, all chained."""

    def __init__(self, app):
        self.app = app
        self.ann = Person(app, "ann")
        self.contact = self.ann.contact(first_name="Grace")["id"]
        self.change(4)
        chain_events(app)

    def change(self, times=1):
        """Add so many changes."""
        for _ in range(times):
            version = self.ann.get(f"/contacts/{self.contact}").json["version"]
            path, body = f"/contacts/{self.contact}", {"nickname": f"n{version}"}
            assert self.ann.patch(path, json=body).status_code == 200

    def mark(self):
        """Have checkpoints made of everything."""
        do_job(self.app, "audit.checkpoint")

    def tamper(self, *statements):
        """Run statements with the triggers away, as who owns the database can."""
        with self.app.app_context(), database().engine.begin() as connection:
            for name in sorted(triggers.names(database().is_sqlite)[1]):
                table = name.partition("_no_")[0]
                on = "" if database().is_sqlite else f" ON {table}"
                connection.execute(text(f"DROP TRIGGER {name}{on}"))
            stream = text("SELECT stream_id FROM book WHERE id = :book")
            mine = connection.execute(stream, {"book": self.ann.book_id}).scalar_one()
            for statement in statements:
                found = connection.execute(text(statement.replace(":stream", str(mine))))
                assert found.rowcount, statement
            triggers.install(connection)

    def broken(self):
        """{chain: what is wrong}."""
        with self.app.app_context():
            chains = list(follow_all())
            assert len(chains) == count_chains()
        return {chain.of: chain.broken for chain in chains if chain.broken}

    @property
    def book(self):
        """What the chain of the book is called."""
        return f"book {self.ann.book_id}"

    def checkpoints(self, stream_id=None):
        """[(seq, floor)] of the book's stream, or of another."""
        with self.app.app_context():
            found = checkpoints.of_stream(stream_of(self.ann) if stream_id is None else stream_id)
        return [(mark.seq, mark.floor) for mark in found]
