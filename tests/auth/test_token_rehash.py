"""Signing in replaces a hash of an older cost or pepper."""

import base64
import os

import pytest
from sqlalchemy import text

from contactapp.database import database
from tests.support.cast import PASSWORD, Person, refused
from tests.support.wire import at_once


def secret(name):
    return f"{name}:{base64.b64encode(os.urandom(32)).decode()}"


SECRETS = {"MASTER_KEYS": secret("m1"), "JWT_SECRETS": secret("j1")}
OLD, NEW = secret("p1"), secret("p2")


@pytest.fixture(scope="module")
def url(engine, new_database):
    return new_database(engine)


@pytest.fixture(scope="module")
def before(engine, url, new_app):
    return new_app(engine, url, **SECRETS, PASSWORD_PEPPERS=OLD, BCRYPT_COST="4")


def stored_hash(app, user_id):
    with app.app_context(), database().engine.connect() as connection:
        query = text("SELECT password_hash FROM users WHERE id = :id")
        return connection.execute(query, {"id": user_id}).scalar_one()


def token(app, person, password):
    body = {"email": person.email, "password": password}
    return app.test_client().post("/api/v1/auth/token", json=body)


# AU-5
@pytest.mark.parametrize(
    ("settings", "start"),
    [
        ({"PASSWORD_PEPPERS": OLD, "BCRYPT_COST": "5"}, "p1$$2b$05$"),
        ({"PASSWORD_PEPPERS": f"{NEW},{OLD}", "BCRYPT_COST": "4"}, "p2$$2b$04$"),
    ],
    ids=["another cost", "another pepper"],
)
def test_an_old_hash_is_replaced_at_sign_in(engine, new_app, url, before, settings, start):
    ada = Person(before, "ada")
    old = stored_hash(before, ada.id)
    assert old.startswith("p1$$2b$04$")
    after = new_app(engine, url, **SECRETS, **settings)
    refused(token(after, ada, "wrong password"), 401, "invalid_credentials")
    assert stored_hash(after, ada.id) == old
    assert token(after, ada, PASSWORD).status_code == 200
    new = stored_hash(after, ada.id)
    assert new.startswith(start)
    assert token(after, ada, PASSWORD).status_code == 200
    assert stored_hash(after, ada.id) == new
    refused(token(after, ada, "wrong password"), 401, "invalid_credentials")


# AU-5
def test_twenty_parallel_sign_ins_renew_an_old_hash_and_all_get_in(engine, new_app, url, before):
    ada = Person(before, "ada")
    # With threads for everybody nobody is sent away because many hash.
    more = {"PASSWORD_PEPPERS": OLD, "BCRYPT_COST": "5", "THREADS": "24"}
    after = new_app(engine, url, **SECRETS, **more)
    answers = at_once([lambda: token(after, ada, PASSWORD)] * 20)
    assert [answer.status_code for answer in answers] == [200] * 20


def test_a_pepper_that_was_dropped_signs_nobody_in(engine, new_app, url, before):
    ada = Person(before, "ada")
    after = new_app(engine, url, **SECRETS, PASSWORD_PEPPERS=NEW)
    refused(token(after, ada, PASSWORD), 401, "invalid_credentials")
