"""One person per file, so that registering does not cost more than the tests."""

import pytest

from tests.support.cast import Person
from tests.support.stored import set_user


@pytest.fixture(scope="module")
def owner(app):
    """Somebody with a book of her own and no limit, for all tests of a file."""
    person = Person(app, "olga")
    set_user(app, person.id, contact_limit=0)
    return person
