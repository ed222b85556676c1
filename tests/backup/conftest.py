"""An installation with people and a backup of it, and empty places to restore to."""

from types import SimpleNamespace

import pytest

from tests.support.backups import SECRETS, Place, back_up, export, fill
from tests.support.cast import Cast


@pytest.fixture(scope="module")
def home(engine, new_app):
    """An installation with Alice, whose book Carol edits, and Bob; `exports` is what they can take
    along, and `archive` a backup of it."""
    app = new_app(engine, **SECRETS)
    cast = Cast(app)
    contact = fill(cast.alice)
    _ = cast.carol, cast.admin
    fill(cast.bob)
    exports = {name: export(getattr(cast, name)) for name in ("alice", "bob")}
    made = back_up(app)
    return SimpleNamespace(
        app=app, cast=cast, contact=contact, exports=exports, archive=made.path, made=made
    )


@pytest.fixture
def place(engine, new_database, tmp_path):
    """An empty machine with the same keys."""
    return Place(new_database(engine), tmp_path / "instance")


@pytest.fixture
def reopened(engine, new_app):
    """The application of a place."""
    return lambda place: new_app(
        engine,
        database=place.url,
        **{k: v for k, v in place.given.items() if k != "DATABASE_URL"},
    )
