"""Two instances of the application on one database."""

import pytest

from tests.support.books import at, names
from tests.support.cast import Person


@pytest.fixture(scope="module")
def apps(engine, new_app, new_database):
    """Two instances of the application on one database, as in two processes."""
    url = new_database(engine)
    return [new_app(engine, database=url, CONTACT_LIMIT="0") for _ in range(2)]


@pytest.fixture
def here(apps):
    """Somebody with three contacts, at the first instance, which has read them."""
    person = Person(apps[0], "alice")
    for name in ("Ada", "Grace", "Hedy"):
        person.contact(first_name=name)
    assert names(person) == ["Ada", "Grace", "Hedy"]
    return person


@pytest.fixture
def there(apps, here):
    """The same person at the second instance."""
    return at(apps[1], here)
