"""Whatever was done in operations: undoing all of them leaves nothing of it, and doing the undone
again leaves all of it. In between and in the end the log, the rows and the counts tell one story.
"""

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.contacts.test_bulk import bulk
from tests.support.cast import Person
from tests.support.ledger import read_ledger
from tests.support.stored import set_user

CARD = st.fixed_dictionaries(
    {"first_name": st.sampled_from(["Ada", "Grace", "Hedy"])},
    optional={
        "company": st.sampled_from(["Navy", None]),
        "starred": st.booleans(),
        "custom_fields": st.fixed_dictionaries({"n": st.sampled_from([1, 1.0, True, None])}),
    },
)
WHICH = st.integers(0, 9)
CONTACTS = st.lists(
    st.one_of(
        st.tuples(st.just("create"), CARD),
        st.tuples(st.just("update"), WHICH, CARD),
        st.tuples(st.just("delete"), WHICH),
    ),
    min_size=1,
    max_size=5,
)
NOTES = st.lists(
    st.one_of(
        st.tuples(st.just("create"), WHICH, st.sampled_from(["one", "two"])),
        st.tuples(st.just("update"), WHICH, WHICH, st.sampled_from(["one", "two"])),
        st.tuples(st.just("delete"), WHICH),
    ),
    min_size=1,
    max_size=4,
)
CALLS = st.lists(
    st.tuples(st.just("contacts"), CONTACTS) | st.tuples(st.just("notes"), NOTES), max_size=5
)
MOVING = {"version", "updated_at", "updated_by", "processing_status", "extracted", "word_count"}


class Book:
    """Somebody's book, and what was done to it."""

    def __init__(self, app):
        self.person = Person(app, "olga")
        set_user(app, self.person.id, contact_limit=0)
        self.contacts = [self.person.contact(nickname=f"n{n}")["id"] for n in range(3)]
        path = f"/contacts/{self.contacts[0]}/notes"
        self.notes = [self.person.post(path, json={"body": f"m{n}"}).json["id"] for n in range(2)]

    def export(self):
        """The live book as bytes, without what every write moves on."""
        found = {}
        for path in ("/contacts", "/notes"):
            items = self.person.get(f"{path}?limit=500&sort=id").json["items"]
            found[path] = [{k: v for k, v in item.items() if k not in MOVING} for item in items]
        return orjson.dumps(found, option=orjson.OPT_SORT_KEYS)

    def do(self, kind, deeds):
        """One call of these deeds; the id of the operation, None where nothing was changed."""
        if kind == "contacts":
            told = bulk(self.person, *map(self._contact, deeds), atomic=False).json
            self.contacts += [i["contact"]["id"] for i in told["items"] if i["status"] == 201]
        else:
            body = {"operations": list(map(self._note, deeds))}
            told = self.person.post("/notes/bulk", json=body).json
            self.notes += [i["note"]["id"] for i in told["items"] if i["status"] == 201]
        return told["operation_id"]

    def _contact(self, deed):
        if deed[0] == "create":
            return {"op": "create", "contact": deed[1]}
        about = {"op": deed[0], "id": self._of(self.contacts, deed[1])}
        return {**about, "contact": deed[2]} if deed[0] == "update" else about

    def _note(self, deed):
        if deed[0] == "create":
            note = {"contact_id": self._of(self.contacts, deed[1]), "body": deed[2]}
            return {"op": "create", "note": note}
        about = {"op": deed[0], "id": self._of(self.notes, deed[1])}
        if deed[0] == "delete":
            return about
        return {**about, "note": {"contact_id": self._of(self.contacts, deed[2]), "body": deed[3]}}

    def _of(self, ids, which):
        return ids[which % len(ids)]

    def undo(self, operation_id):
        """Undo an operation; the one that did it."""
        answer = self.person.post(f"/operations/{operation_id}/undo")
        assert answer.status_code == 200, answer.text
        return answer.json["id"]


@pytest.fixture(scope="module")
def story_app(engine, new_app):
    """An application of the file's own: its ledger is small."""
    return new_app(engine)


# OB-2, CC-3
@examples(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(calls=CALLS)
def test_undoing_all_leaves_nothing_of_it_and_undoing_that_all_of_it(story_app, calls):
    book = Book(story_app)
    before = book.export()
    done = [made for call in calls if (made := book.do(*call)) is not None]
    after = book.export()
    undone = [book.undo(made) for made in reversed(done)]
    assert book.export() == before
    for made in reversed(undone):
        book.undo(made)
    assert book.export() == after
    assert read_ledger(story_app)
