"""A sealed blob in another place than its own is an error, and never served."""

import pytest
from sqlalchemy import text

from contactapp.database import database
from tests.support.cast import refused


@pytest.fixture(scope="module")
def app(engine, new_app):
    """One that nobody else reads."""
    return new_app(engine)


def swapped(app, one, other):
    """Exchange the sealed blobs of two rows: each of (table, condition)."""
    with app.app_context(), database().engine.begin() as connection:
        blobs = [
            connection.execute(text(f"SELECT sealed FROM {table} WHERE {where}")).scalar_one()
            for table, where in (one, other)
        ]
        for (table, where), blob in zip((one, other), reversed(blobs), strict=True):
            if table != "change":  # which is append-only
                statement = f"UPDATE {table} SET sealed = :blob WHERE {where}"
                connection.execute(text(statement), {"blob": blob})


def hidden(answer, caplog):
    body = refused(answer, 500, "internal_error")
    assert not [word for word in ("Grace", "Ada", "@example.com") if word in answer.text]
    assert f"request {body['request_id']} failed" in caplog.text
    assert "SealError" in caplog.text
    caplog.clear()


# PR-3
def test_swapped_contacts_are_an_error_and_never_shown(alice, app, caplog):
    grace, ada = (alice.contact(first_name=name)["id"] for name in ("Grace", "Ada"))
    swapped(app, ("contact", f"id = {grace}"), ("contact", f"id = {ada}"))
    for path in (f"/contacts/{grace}", f"/contacts/{ada}", "/contacts", "/contacts?sort=-name"):
        hidden(alice.get(path), caplog)
    hidden(alice.patch(f"/contacts/{grace}", json={"nickname": "x"}), caplog)


# PR-3
def test_a_contact_swapped_with_its_own_history_is_an_error(alice, app, caplog):
    grace = alice.contact(first_name="Grace")["id"]
    stream = f"(SELECT stream_id FROM book WHERE id = {alice.book_id})"
    swapped(app, ("contact", f"id = {grace}"), ("change", f"stream_id = {stream} AND seq = 1"))
    hidden(alice.get("/contacts"), caplog)


# PR-3
def test_two_columns_sealed_with_one_key_cannot_be_swapped(alice, app, caplog):
    swapped(app, ("users", f"id = {alice.id}"), ("session", f"user_id = {alice.id}"))
    for path in ("/users/me", "/auth/sessions"):
        hidden(alice.get(path), caplog)


# PR-3
def test_a_contact_moved_into_another_book_is_an_error(alice, bob, app, caplog):
    grace = alice.contact(first_name="Grace")["id"]
    with app.app_context(), database().engine.begin() as connection:
        statement = text(f"UPDATE contact SET book_id = {bob.book_id} WHERE id = {grace}")
        connection.execute(statement)
    hidden(bob.get("/contacts"), caplog)
