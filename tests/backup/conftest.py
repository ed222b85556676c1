"""An installation with people and a backup of it, and places to restore to."""

from types import SimpleNamespace

import pytest

from tests.support.backups import SECRETS, Place, back_up, export, fill
from tests.support.cast import Cast


@pytest.fixture(scope="session")
def home(engine, new_app):
    """An installation with Alice, whose book Carol edits, and Bob; `exports` is what they can take
    along, `archive` a backup of it, and `last` the number of a contact that is gone for good.
    Nobody changes it."""
    app = new_app(engine, **SECRETS)
    cast = Cast(app)
    contact = fill(cast.alice)
    _ = cast.carol, cast.admin
    fill(cast.bob)
    last = cast.bob.contact(first_name="Gone for good")["id"]
    assert cast.bob.delete(f"/contacts/{last}?permanent=true").status_code == 204
    exports = {name: export(getattr(cast, name)) for name in ("alice", "bob")}
    made = back_up(app)
    return SimpleNamespace(
        app=app,
        cast=cast,
        contact=contact,
        exports=exports,
        archive=made.path,
        made=made,
        last=last,
    )


@pytest.fixture
def place(engine, new_database, tmp_path):
    """An empty machine with the same keys."""
    return Place(new_database(engine), tmp_path / "instance")


@pytest.fixture(scope="session")
def _full(engine, home, new_database, tmp_path_factory):
    """A database with four accounts, which nobody uses."""
    place = Place(new_database(engine), tmp_path_factory.mktemp("full"))
    place.restore(home.archive)
    return place.url


@pytest.fixture
def settled(engine, _full, new_database, tmp_path):
    """A machine where that backup was restored before."""
    return Place(new_database(engine, like=_full), tmp_path / "instance")


@pytest.fixture(scope="session")
def reopened(engine, new_app):
    """The application of a place."""

    def reopen(place, onto=None):
        given = {name: value for name, value in place.given.items() if name != "DATABASE_URL"}
        return new_app(onto or engine, database=place.url, **given)

    return reopen
