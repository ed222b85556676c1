"""A restore that is killed leaves what was there or what was in the backup, each of it whole."""

import sys
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from contactapp import share_instance
from contactapp.backup import restoring, scratch
from contactapp.config import load
from tests.support.backups import SECRETS, back_up, person_of
from tests.support.cast import Person
from tests.support.command import finish, start
from tests.support.ledger import read_ledger

# Restores, and kills itself at a moment.
CODE = """
import os, signal, sys
from pathlib import Path
import sqlalchemy
from flask import has_app_context
from contactapp.backup import restoring, target
from contactapp.config import load

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

moment, progress = sys.argv[1], lambda _: None
if moment == "among the rows":
    progress = lambda _: has_app_context() and die()
elif moment == "after the pictures":
    os.sync = die
else:
    def take_place(self):
        if moment == "in the step itself":
            sqlalchemy.Connection.commit = os.fsync = die
        steps[type(self)](self)
        die()

    kinds = target.SqliteTarget, target.PostgresTarget
    steps = {kind: kind.take_place for kind in kinds}
    for kind in kinds:
        kind.take_place = take_place
restoring.restore(load(), Path(sys.argv[2]), [], force=True, progress=progress)
"""
STEP = "in the step itself"
BEFORE = {"sqlite": ("among the rows", "after the pictures", STEP), "postgresql": (STEP,)}


def left_of(place):
    """What there is of a database that was being made, and of pictures."""
    left = [path for path in place.instance.iterdir() if path.name == restoring._UNPACKED]
    url = make_url(place.url)
    if url.get_backend_name() == "sqlite":
        path = Path(url.database)
        return left + [other for other in path.parent.iterdir() if ".restoring" in other.name]
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    schemas = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'contactapp%'"
    with psycopg.connect(plain) as connection:
        return left + connection.execute(schemas).fetchall()


# BR-2
def test_whenever_it_is_killed(home, engine, new_app, place, reopened, tmp_path):
    old = new_app(engine, **SECRETS)
    ann = Person(old, "ann")
    ann.contact(first_name="Grace")
    place.restore(back_up(old).path)

    def killed(moment):
        words = (moment, str(home.archive))
        process = start((sys.executable, "-c", CODE, *words), tmp_path, place.given)
        assert finish(process)[0] == -9, moment
        assert left_of(place), moment

    for moment in BEFORE[engine]:
        killed(moment)
        restoring.clear_up(place.settings)
        assert left_of(place) == [], moment
    with scratch.opened(place.settings, place.url) as app:  # without any command before
        assert read_ledger(app) == read_ledger(old)
    killed("after the step")
    share_instance(load(place.given, environ={}))  # what every server begins with
    assert left_of(place) == []
    app = reopened(place)
    assert app.test_client().get("/readyz").status_code == 200
    assert read_ledger(app) == read_ledger(home.app)
    assert person_of(app, home.cast.alice).get("/contacts").json["total"] == 2
