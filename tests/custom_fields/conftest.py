"""One person per file, in an application on one engine: what a definition does to a value is worked
out in memory. What the database has a part in is in test_definitions and test_races."""

import pytest

from tests.support.cast import Person
from tests.support.stored import set_user


@pytest.fixture(scope="session")
def sqlite_app(new_app):
    return new_app("sqlite")


@pytest.fixture
def owner(sqlite_app):
    """Somebody with an empty book of her own and no limit."""
    person = Person(sqlite_app, "olga")
    set_user(sqlite_app, person.id, contact_limit=0)
    return person


def define(person, key, type_="text", **fields):
    """Give a custom field a type, and return its definition."""
    answer = person.post("/custom-fields", json={"key": key, "type": type_, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json
