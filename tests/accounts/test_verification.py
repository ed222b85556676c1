"""The chains are followed, and the first broken link is named."""

import pytest
from sqlalchemy import text

from contactapp import triggers
from contactapp.audit import service as audit
from contactapp.audit.verification import count_chains, follow_all
from contactapp.database import database, write_transaction
from contactapp.jobs.service import Job
from tests.support.cast import Person
from tests.support.command import contactapp

JOB = Job(1, "audit.chain", None, None, 1, 60_000, "lease")


class Story:
    """Somebody's book of five changes, and a few events, all chained."""

    def __init__(self, app):
        self.app = app
        self.ann = Person(app, "ann")
        contact = self.ann.contact(first_name="Grace")
        for number in range(4):
            self.ann.patch(f"/contacts/{contact['id']}", json={"nickname": f"n{number}"})
        with app.app_context():
            write_transaction(audit.chain(app.extensions["contactapp.quota"], JOB))()

    def tamper(self, statement):
        """Run a statement with the triggers away, as who owns the database can."""
        with self.app.app_context(), database().engine.begin() as connection:
            for name in sorted(triggers.names(database().is_sqlite)[1]):
                table = name.partition("_no_")[0]
                on = "" if database().is_sqlite else f" ON {table}"
                connection.execute(text(f"DROP TRIGGER {name}{on}"))
            stream = text("SELECT stream_id FROM book WHERE id = :book")
            mine = connection.execute(stream, {"book": self.ann.book_id}).scalar_one()
            found = connection.execute(text(statement.replace(":stream", str(mine))))
            assert found.rowcount
            triggers.install(connection)

    def broken(self):
        """{chain: what is wrong}."""
        with self.app.app_context():
            chains = list(follow_all())
            assert len(chains) == count_chains()
        return {chain.of: chain.broken for chain in chains if chain.broken}


@pytest.fixture
def story(engine, new_app):
    return Story(new_app(engine))


@pytest.fixture(scope="module")
def shelf(engine, new_app):
    """An application for many stories; what is done to one book is seen in no other."""
    return new_app(engine)


CHANGE = "UPDATE change SET {} WHERE stream_id = :stream AND seq = 3"
CHANGED = "number 3 does not follow from the one before, or was changed"
BOOK = {
    "who did it": (CHANGE.format("actor_id = 99"), CHANGED),
    "when": (CHANGE.format("at = at + 1"), CHANGED),
    "which fields": (CHANGE.format("changed_fields = 'email'"), CHANGED),
    "its place in the chain": (
        CHANGE.format("head = (SELECT head FROM change WHERE stream_id = :stream AND seq = 2)"),
        CHANGED,
    ),
    "its content": (
        CHANGE.format("sealed = (SELECT sealed FROM change WHERE stream_id = :stream AND seq = 2)"),
        "what number 3 has sealed was changed",
    ),
    "that it was": (
        "DELETE FROM change WHERE stream_id = :stream AND seq = 3",
        "number 3 is missing",
    ),
    "what came last": (
        "DELETE FROM change WHERE stream_id = :stream AND seq >= 4",
        "number 4 is missing, and all after it",
    ),
    "how it ends": (
        "UPDATE stream SET head = (SELECT head FROM change WHERE stream_id = :stream AND seq = 4) "
        "WHERE id = :stream",
        "number 5 is not what its stream ends with",
    ),
}
EVENTS = {
    "what was done": (
        "UPDATE audit_event SET kind = 'signed_out' WHERE seq = 2",
        "number 2 does not follow from the one before, or was changed",
    ),
    "that it was done": ("DELETE FROM audit_event WHERE seq = 1", "number 1 is missing"),
    "from where": (
        "UPDATE audit_event SET sealed = head WHERE seq = 2",
        "what number 2 has sealed was changed",
    ),
}


def test_what_nobody_touched_holds(story):
    other = Person(story.app, "other")
    other.contact(first_name="Ada")
    assert story.broken() == {}


# OB-2
@pytest.mark.parametrize("what", BOOK)
def test_a_changed_book_is_found_at_the_first_wrong_link(shelf, what):
    statement, problem = BOOK[what]
    story, untouched = Story(shelf), Story(shelf)
    story.tamper(statement)
    found = story.broken()
    assert found[f"book {story.ann.book_id}"] == problem
    assert f"book {untouched.ann.book_id}" not in found


# OB-2
@pytest.mark.parametrize("what", EVENTS)
def test_a_changed_event_is_found(story, what):
    statement, problem = EVENTS[what]
    story.tamper(statement)
    assert story.broken() == {"audit events": problem}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "change", ["sealed = 'text'", "sealed_hash = 'text'", "kind = x'00'", "head = 7"]
)
def test_values_of_another_type_are_found_too(story, change):
    story.tamper(f"UPDATE audit_event SET {change} WHERE seq = 2")
    assert story.broken()["audit events"].startswith(("number 2 ", "what number 2 "))


def test_what_was_emptied_or_purged_breaks_nothing(story):
    story.tamper("UPDATE change SET sealed = NULL WHERE stream_id = :stream")
    story.tamper("UPDATE audit_event SET sealed = NULL WHERE sealed IS NOT NULL")
    story.tamper("UPDATE stream SET floor = 3 WHERE id = :stream")
    assert story.broken() == {}
    story.tamper("DELETE FROM change WHERE stream_id = :stream AND seq < 3")
    assert story.broken() == {}
    story.tamper("DELETE FROM change WHERE stream_id = :stream AND seq = 3")
    assert story.broken() == {}
    story.tamper("UPDATE change SET at = 1 WHERE stream_id = :stream AND seq = 5")
    assert story.broken()


def test_an_account_that_is_erased_meanwhile_breaks_nothing(story):
    gone = Person(story.app, "gone")
    gone.contact(first_name="Ada")
    with story.app.app_context():
        following = follow_all()
        chains = [next(following)]
        story.ann = gone
        story.tamper("UPDATE stream SET floor = seq WHERE id = :stream")
        story.tamper("DELETE FROM change WHERE stream_id = :stream")
        chains += following
    assert [chain.broken for chain in chains] == [None] * len(chains)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_the_command_says_whether_all_is_good(story, tmp_path):
    given = story.app.extensions["contactapp.settings"]
    settings = {"DATABASE_URL": given.database_url, "INSTANCE_PATH": str(given.instance_path)}
    code, out, err = contactapp(tmp_path, settings, "audit", "verify")
    assert code == 0, err
    assert out == "7 links in 3 chains, all good.\n"
    story.tamper(BOOK["when"][0])
    code, out, _ = contactapp(tmp_path, settings, "audit", "verify")
    assert (code, out) == (1, f"broken: book {story.ann.book_id}: {CHANGED}\n")
