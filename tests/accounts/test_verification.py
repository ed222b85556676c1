"""The chains are followed, and the first broken link is named."""

import pytest

from contactapp.audit import retention
from contactapp.audit.verification import follow_all
from tests.support.cast import Person
from tests.support.chains import Story, stream_of
from tests.support.command import contactapp


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
_COPIED = (
    "at, actor_id, token_id, request_id, operation_id, entity, entity_id, version, "
    "changed_fields, sealed_hash, head"
)
FORGED = (
    f"INSERT INTO change (stream_id, seq, op, {_COPIED}) SELECT stream_id, {{}}, 'delete', "
    f"{_COPIED} FROM change WHERE stream_id = :stream AND seq = 5"
)
BOOK |= {
    "what came after the last": (FORGED.format(6), "number 6 is outside of the chain"),
    "what came before the first": (FORGED.format(0), "number 0 is outside of the chain"),
}
_EVENT = "at, user_id, actor_id, request_id, count, sealed_hash"
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
    "what came before the first": (
        f"INSERT INTO audit_event (uid, kind, seq, {_EVENT}) SELECT 'forged', 'exported', -1, "
        f"{_EVENT} FROM audit_event WHERE seq = 2",
        "number -1 is outside of the chain",
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


def test_a_chain_that_is_left_to_nobody_is_found(story):
    stream_id = stream_of(story.ann)
    story.tamper(
        "INSERT INTO stream (kind, seq, head, floor) SELECT kind, 0, head, 0 FROM stream "
        "WHERE seq = 0 LIMIT 1",
        f"UPDATE book SET stream_id = (SELECT max(id) FROM stream) WHERE id = {story.ann.book_id}",
    )
    assert story.ann.get("/audit?entity=contact").json["items"] == []
    assert story.broken() == {f"stream {stream_id}": "no book and no account has it"}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "change", ["sealed = 'text'", "sealed_hash = 'text'", "kind = x'00'", "head = 7"]
)
def test_values_of_another_type_are_found_too(story, change):
    story.tamper(f"UPDATE audit_event SET {change} WHERE seq = 2")
    assert story.broken()["audit events"].startswith(("number 2 ", "what number 2 "))


_UNREAD = "UPDATE {} SET {} = CAST(x'ff' AS TEXT) WHERE {}"
UNREAD = {
    "a change": (
        _UNREAD.format("change", "request_id", "stream_id = :stream AND seq = 3"),
        "book {book}: number 3 holds what was never written there",
    ),
    "an event": (
        _UNREAD.format("audit_event", "request_id", "seq = 2"),
        "audit events: number 2 holds what was never written there",
    ),
    "a stream": (
        _UNREAD.format("stream", "floor", "id = :stream"),
        "stream {stream}: what is known of it cannot be read",
    ),
}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("what", UNREAD)
def test_what_cannot_be_read_is_named_and_other_chains_are_followed(story, what):
    """SQLite stores bytes that are no text as a text, and no driver reads that."""
    statement, problem = UNREAD[what]
    story.tamper(statement)
    [(of, told)] = story.broken().items()
    about = {"book": story.ann.book_id, "stream": stream_of(story.ann)}
    assert f"{of}: {told}" == problem.format(**about)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_an_infinite_number_is_not_taken_for_none(story):
    story.tamper(CHANGE.format("operation_id = 9e999"))
    told = "number 3 holds what was never written there"
    assert story.broken() == {story.book: told}


# OB-2
def test_who_gives_two_books_each_others_chains_is_found_out(story):
    """Their links hold, for none says whose it is."""
    other, mine = Person(story.app, "other"), stream_of(story.ann)
    other.contact(first_name="Eve")
    theirs = stream_of(other)
    story.tamper(
        "INSERT INTO stream (kind, seq, head, floor) SELECT kind, 0, head, 0 FROM stream "
        "WHERE seq = 0 LIMIT 1",
        f"UPDATE book SET stream_id = (SELECT max(id) FROM stream) WHERE id = {other.book_id}",
        f"UPDATE book SET stream_id = {theirs} WHERE id = {story.ann.book_id}",
        f"UPDATE book SET stream_id = {mine} WHERE id = {other.book_id}",
    )
    told = "what number {} has sealed does not open by its key"
    assert story.broken() == {
        story.book: told.format(1),
        f"book {other.book_id}": told.format(5),
    }


def test_who_gives_somebody_a_share_in_anothers_chain_is_found_out(story):
    other = Person(story.app, "other")
    story.tamper(f"UPDATE users SET stream_id = :stream WHERE id = {other.id}")
    told = "what number 5 has sealed does not open by its key"
    assert story.broken() == {story.book: told}


def test_a_chain_with_a_number_below_all_others_is_followed(story):
    forged = "INSERT INTO stream (id, kind, seq, head, floor) {} SELECT -1, kind, 3, head, 0 "
    is_sqlite = story.app.extensions["contactapp.database"].is_sqlite
    words = "" if is_sqlite else "OVERRIDING SYSTEM VALUE"
    story.tamper(forged.format(words) + "FROM stream WHERE id = :stream")
    assert story.broken() == {"stream -1": "number 1 is missing, and all after it"}


def test_what_was_emptied_or_purged_breaks_nothing(story):
    story.tamper("UPDATE change SET sealed = NULL WHERE stream_id = :stream")
    story.tamper("UPDATE audit_event SET sealed = NULL WHERE sealed IS NOT NULL")
    assert story.broken() == {}
    with story.app.app_context():
        retention.raise_floor(stream_of(story.ann), 3)
    assert story.broken() == {}
    story.tamper("DELETE FROM change WHERE stream_id = :stream AND seq < 3")
    assert story.broken() == {}
    story.tamper("UPDATE change SET at = 1 WHERE stream_id = :stream AND seq = 5")
    assert story.broken() == {
        story.book: "number 5 does not follow from the one before, or was changed"
    }


CUT = {
    "by a floor": (
        ("UPDATE stream SET floor = 3 WHERE id = :stream",),
        "it begins after number 3, and by its checkpoints after 0",
    ),
    "by a floor and a checkpoint": (
        (
            "UPDATE stream SET floor = 3 WHERE id = :stream",
            "INSERT INTO checkpoint SELECT id, seq, floor, head, 1, head FROM stream "
            "WHERE id = :stream",
            "DELETE FROM change WHERE stream_id = :stream AND seq < 3",
        ),
        "it begins after number 3, and by its checkpoints after 0",
    ),
    "and nothing else": (
        ("DELETE FROM change WHERE stream_id = :stream AND seq < 3",),
        "number 1 is missing",
    ),
}


# OB-2
@pytest.mark.parametrize("how", CUT)
def test_who_else_cuts_off_the_beginning_is_found_out(shelf, how):
    statements, problem = CUT[how]
    story = Story(shelf)
    story.tamper(*statements)
    assert story.broken()[story.book] == problem


# OB-2
def test_a_purged_chain_cannot_be_cut_shorter(story):
    with story.app.app_context():
        retention.raise_floor(stream_of(story.ann), 2)
    story.mark()
    story.tamper("UPDATE stream SET floor = 4 WHERE id = :stream")
    told = "it begins after number 4, and by its checkpoints after 2"
    assert story.broken() == {story.book: told}
    story.tamper("UPDATE stream SET floor = 2 WHERE id = :stream")
    assert story.broken() == {}
    story.tamper("DELETE FROM change WHERE stream_id = :stream AND seq = 2")
    told = "number 2, from which the others follow, is missing"
    assert story.broken() == {story.book: told}


def test_an_account_that_is_erased_meanwhile_breaks_nothing(story):
    gone = Person(story.app, "gone")
    gone.contact(first_name="Ada")
    with story.app.app_context():
        following = follow_all()
        chains = [next(following)]
        story.ann = gone
        retention.raise_floor(stream_of(gone))
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
