"""Where a backup is restored to: what is there, whether anybody uses it, and the one step in which
the restored database takes its place. Until that step nothing there is changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, Engine, create_engine, make_url, text

from .. import clock, startup
from .. import engine as engines
from ..config import Settings
from . import shelf

_SCHEMA = "contactapp_restored"
_LOCK = 0x72657374  # any number, the same for all who restore
_PATIENCE = 3.0  # seconds: PostgreSQL notices late that a client has gone
_OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid() AND coalesce(backend_type, 'client backend') = 'client backend'"
)
_FUNCTIONS = text(
    "SELECT p.proname FROM pg_proc p WHERE p.pronamespace = CAST(:schema AS regnamespace) "
    "AND p.proname LIKE 'contactapp\\_%'"
)
_TABLES = text("SELECT tablename FROM pg_tables WHERE schemaname = :schema")


class InUse(Exception):
    """A server, a worker or somebody else uses the database."""


class Found(NamedTuple):
    """What is there: the revision, None without tables, and how many accounts. `damaged`: it cannot
    be read."""

    revision: str | None = None
    accounts: int = 0
    damaged: bool = False


class Target(Protocol):
    """A place for a database; `url` is where the new one is made."""

    url: str

    def found(self) -> Found:
        """What is there now."""

    def alone(self) -> Any:
        """Within it nobody else uses the place. Raises InUse."""

    def prepare(self) -> None:
        """Make room for the new database."""

    def take_place(self) -> None:
        """Put the new database in the place of what is there, or leave everything as it is."""

    def clear(self) -> None:
        """Remove what is left of a new database."""


def target_of(settings: Settings) -> Target:
    """The place that the settings name."""
    if make_url(settings.database_url).get_backend_name() == "sqlite":
        return SqliteTarget(settings)
    return PostgresTarget(settings)


class SqliteTarget:
    """A file, which another takes the place of."""

    def __init__(self, settings: Settings) -> None:
        self._path = Path(str(make_url(settings.database_url).database))
        self._new = self._path.with_name(f"{self._path.name}.restoring")
        self.url = f"sqlite:///{self._new}"
        self._damaged = False

    def found(self) -> Found:
        """See Target."""
        if not self._path.exists() or not self._path.stat().st_size:
            return Found()
        try:
            with closing(engines.sqlite3.connect(self._path, isolation_level=None)) as connection:
                return _found(lambda sql: connection.execute(sql).fetchall(), _SQLITE_TABLE)
        except engines.sqlite3.Error as error:
            if engines.is_busy(error):
                raise InUse(_IN_USE) from None
            self._damaged = True
            return Found(damaged=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """See Target. A file leaves the mode with a write-ahead log only while one connection alone
        has it open, and then is whole without its log."""
        if self._damaged or not self._path.exists():
            yield
            return
        with closing(engines.sqlite3.connect(self._path, isolation_level=None)) as connection:
            try:
                connection.execute("PRAGMA journal_mode=DELETE").fetchall()
                connection.execute("BEGIN EXCLUSIVE")
            except engines.sqlite3.Error as error:
                if engines.is_busy(error):
                    raise InUse(_IN_USE) from None
                raise
            yield

    def prepare(self) -> None:
        """See Target."""
        self.clear()

    def take_place(self) -> None:
        """See Target."""
        if self._damaged:  # perhaps somebody can still read something of it
            end = f".damaged-{clock.now_ms() // 1000}"
            for name in ("", "-wal", "-shm"):
                with suppress(FileNotFoundError):
                    old = Path(f"{self._path}{name}")
                    old.rename(f"{old}{end}")
        with self._new.open("rb+") as file:
            os.fsync(file.fileno())
        self._new.replace(self._path)
        shelf.sync_folder(self._path.parent)

    def clear(self) -> None:
        """See Target."""
        for name in ("", "-wal", "-shm", "-journal"):
            Path(f"{self._new}{name}").unlink(missing_ok=True)


class PostgresTarget:
    """A schema, into which the tables of another are moved."""

    def __init__(self, settings: Settings) -> None:
        url = make_url(settings.database_url)
        options = engines.engine_options(url, settings.busy_timeout_seconds)
        self._engine: Engine = create_engine(url, **options)
        path = f"{url.query.get('options', '')} -csearch_path={_SCHEMA}".strip()
        new = url.update_query_dict({"options": path})
        self.url = new.render_as_string(hide_password=False)

    def found(self) -> Found:
        """See Target."""
        with self._connected() as connection:
            ask = lambda sql: connection.execute(text(sql)).all()  # noqa: E731
            return _found(ask, _POSTGRESQL_TABLE)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """See Target."""
        with self._connected() as connection:
            until = time.monotonic() + _PATIENCE
            while connection.scalar(_OTHERS):
                connection.rollback()
                if time.monotonic() > until:
                    raise InUse(_IN_USE)
                time.sleep(0.05)
            if not connection.scalar(text("SELECT pg_try_advisory_lock(:n)"), {"n": _LOCK}):
                raise InUse("another restore is running: wait for it")
            connection.commit()
            yield

    def prepare(self) -> None:
        """See Target."""
        self.clear()
        with self._engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {_SCHEMA}"))

    def take_place(self) -> None:
        """See Target."""
        with self._engine.begin() as connection:
            here = connection.scalar(text("SELECT current_schema()"))
            new = {name for (name,) in connection.execute(_TABLES, {"schema": _SCHEMA})}
            old = {name for (name,) in connection.execute(_TABLES, {"schema": here})}
            for name in sorted(old & new):
                connection.execute(text(f'DROP TABLE "{here}"."{name}" CASCADE'))
            self._move_functions(connection, str(here))
            for name in sorted(new):
                connection.execute(text(f'ALTER TABLE {_SCHEMA}."{name}" SET SCHEMA "{here}"'))
            connection.execute(text(f"DROP SCHEMA {_SCHEMA}"))

    def _move_functions(self, connection: Connection, here: str) -> None:
        for (name,) in connection.execute(_FUNCTIONS, {"schema": here}).all():
            connection.execute(text(f'DROP FUNCTION "{here}"."{name}"()'))
        for (name,) in connection.execute(_FUNCTIONS, {"schema": _SCHEMA}).all():
            connection.execute(text(f'ALTER FUNCTION {_SCHEMA}."{name}"() SET SCHEMA "{here}"'))

    def clear(self) -> None:
        """See Target."""
        with self._engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE"))

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        finally:
            self._engine.dispose()  # with its connections goes the lock


def _found(ask: Any, has_table: str) -> Found:
    if not ask(has_table)[0][0]:
        return Found()
    revisions = ask("SELECT version_num FROM alembic_version")
    if not revisions:
        return Found()
    revision = revisions[0][0]
    if revision not in startup.revisions()[1]:
        return Found(revision)
    return Found(revision, ask("SELECT count(*) FROM users")[0][0])


_SQLITE_TABLE = "SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'"
_POSTGRESQL_TABLE = "SELECT to_regclass('alembic_version') IS NOT NULL"
_IN_USE = (
    "the database is in use: end every contactapp server and worker, and whatever else has it "
    "open, then try again"
)
