"""The book in memory: opens what changed and nothing else, and never shows what is not there."""

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import text

from contactapp.database import database
from contactapp.engine import sqlite3 as driver
from tests.support.books import (
    at,
    book_of,
    cache,
    copy_database,
    firsts,
    listed,
    names,
    opened,
)
from tests.support.cast import Person


def test_a_warm_view_opens_nothing(here):
    assert opened(here, lambda: names(here)) == (0, ["Ada", "Grace", "Hedy"])


def test_after_a_foreign_write_exactly_one_blob_is_opened(here, there):
    there.contact(first_name="Joan")
    assert opened(here, lambda: names(here)) == (1, ["Ada", "Grace", "Hedy", "Joan"])
    assert opened(here, lambda: names(here))[0] == 0


def test_after_an_own_write_exactly_one_blob_is_opened(here):
    here.contact(first_name="Joan")
    assert opened(here, lambda: names(here)) == (1, ["Ada", "Grace", "Hedy", "Joan"])


def test_a_contact_that_changed_often_is_opened_once(here, there):
    [_, grace, _] = listed(here)
    for number in range(5):
        path = f"/contacts/{grace['id']}"
        assert there.patch(path, json={"first_name": f"Grace{number}"}).status_code == 200
    assert opened(here, lambda: names(here)) == (1, ["Ada", "Grace4", "Hedy"])


def test_a_contact_that_went_to_the_trash_is_opened_by_nobody(here, there):
    [ada, *_] = listed(here)
    assert there.delete(f"/contacts/{ada['id']}").status_code == 204
    assert opened(here, lambda: names(here)) == (0, ["Grace", "Hedy"])


def test_a_book_that_became_empty_is_followed_and_not_loaded(here, there, monkeypatch):
    for contact in listed(here):
        assert there.delete(f"/contacts/{contact['id']}").status_code == 204
    loads = []
    monkeypatch.setattr(here.app.extensions["contactapp.views"], "_loaded", loads.append)
    assert names(here) == []
    assert loads == []


def test_a_write_that_changes_nothing_opens_nothing(here, there):
    [ada, *_] = listed(here)
    there.patch(f"/contacts/{ada['id']}", json={"first_name": "Ada"})
    assert opened(here, lambda: names(here))[0] == 0


def test_one_contact_of_a_cold_book_opens_one_blob(here, there):
    [_, grace, _] = listed(here)
    path = f"/contacts/{grace['id']}"
    assert opened(there, lambda: there.get(path).json) == (1, grace)
    assert opened(there, lambda: names(there))[0] == 3


def test_one_contact_of_a_warm_book_opens_nothing(here):
    [_, grace, _] = listed(here)
    assert opened(here, lambda: here.get(f"/contacts/{grace['id']}").json) == (0, grace)


def test_a_view_never_goes_backwards(here, there):
    """A request that learnt the state before a write is served the newer view that is there."""
    with here.app.app_context():
        mine, before = cache(), book_of(here)
        there.contact(first_name="Joan")
        newer = mine.current(book_of(here))
        assert mine.current(before) is newer
        assert mine.peek(before) is None
        assert firsts(newer) == ["Ada", "Grace", "Hedy", "Joan"]


def test_a_view_is_not_changed_by_what_comes_after_it(here, there):
    with here.app.app_context():
        mine = cache()
        older = mine.current(book_of(here))
        there.contact(first_name="Joan")
        mine.current(book_of(here))
        assert firsts(older) == ["Ada", "Grace", "Hedy"]


def test_a_purged_gap_means_reading_the_whole_book(here, there):
    there.contact(first_name="Joan")
    purge(here)
    assert opened(here, lambda: names(here)) == (4, ["Ada", "Grace", "Hedy", "Joan"])


def test_a_purge_behind_the_view_costs_nothing(here, there):
    purge(here, keep=1)
    there.contact(first_name="Joan")
    assert opened(here, lambda: names(here))[0] == 1


def purge(person, keep=0):
    """Delete the person's changes but the last `keep`, as maintenance may below the floor."""
    stream = f"(SELECT stream_id FROM book WHERE id = {person.book_id})"
    with person.app.app_context(), database().engine.begin() as connection:
        connection.execute(text(f"UPDATE stream SET floor = seq - {keep} WHERE id = {stream}"))
        floor = f"(SELECT floor FROM stream WHERE id = {stream})"
        gone = text(f"DELETE FROM change WHERE stream_id = {stream} AND seq <= {floor}")
        assert connection.execute(gone).rowcount


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("later_writes", [0, 1, 2, 3])
def test_a_file_copied_back_is_read_anew(here, there, later_writes):
    """Its seq may be what it was, and more; its head is not."""
    older = driver.connect(":memory:")
    with here.app.app_context():
        path = database().engine.url.database
    copy_database(path, older)
    for name in ("Joan", "Katherine"):
        there.contact(first_name=name)
    assert names(here) == ["Ada", "Grace", "Hedy", "Joan", "Katherine"]
    copy_database(older, path)
    others = [f"Other{number}" for number in range(later_writes)]
    for name in others:
        at_fresh_state(there).contact(first_name=name)
    count, found = opened(here, lambda: names(here))
    assert (count, found) == (3 + later_writes, ["Ada", "Grace", "Hedy", *others])


def at_fresh_state(person):
    with person.app.app_context():
        database().engine.dispose()
    return person


DEEDS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(["create", "create", "update", "delete"]),
        st.integers(0, 99),
        st.text("abäß", min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=12,
)


@examples(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(DEEDS)
def test_the_view_equals_a_plain_model_after_every_step(apps, deeds):
    person = Person(apps[0], "model")
    two, model = [at(app, person) for app in apps], {}
    for instance, deed, choice, name in deeds:
        apply(two[instance], deed, choice, name, model)
        for reader in two:
            shown = {contact["id"]: contact["first_name"] for contact in listed(reader)}
            assert shown == model


def apply(person, deed, choice, name, model):
    """Do it at the person's instance and to the model, {contact id: first name}."""
    if deed == "create" or not model:
        model[person.contact(first_name=name)["id"]] = name
        return
    id_ = sorted(model)[choice % len(model)]
    if deed == "update":
        assert person.patch(f"/contacts/{id_}", json={"first_name": name}).status_code == 200
        model[id_] = name
    else:
        assert person.delete(f"/contacts/{id_}").status_code == 204
        del model[id_]
