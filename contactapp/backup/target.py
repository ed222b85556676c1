"""Where a backup is restored to: what is there, whether anybody uses it, and the one step in which
the restored database takes its place. Until that step nothing there is changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url, text

from .. import clock, startup
from .. import engine as engines
from ..config import Settings
from . import shelf
from .tables import tables

_SCHEMA = "contactapp_restored"
_PATIENCE = 3.0  # seconds: PostgreSQL notices late that a client has gone
_OTHERS = text(
    # Of others' connections an ordinary user is not told the type; PostgreSQL's own have no user.
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid NOT IN (pg_backend_pid(), :ours) AND usesysid IS NOT NULL "
    "AND coalesce(backend_type, 'client backend') = 'client backend'"
)
_FUNCTIONS = text(
    "SELECT p.proname FROM pg_proc p WHERE p.pronamespace = CAST(:schema AS regnamespace) "
    "AND p.proname LIKE 'contactapp\\_%'"
)
_TABLES = text("SELECT tablename FROM pg_tables WHERE schemaname = :schema")


class InUse(Exception):
    """A server, a worker or somebody else uses the database."""


class Found(NamedTuple):
    """What is there: the revision, None without tables, how many accounts, and those that were
    erased and whose rows a job has not removed yet. `damaged`: it cannot be read; `strange`: it is
    another program's."""

    revision: str | None = None
    accounts: int = 0
    erased: frozenset[str] = frozenset()
    damaged: bool = False
    strange: bool = False


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
                names = {name for (name,) in connection.execute(_SQLITE_TABLES)}
                return _found(lambda sql: connection.execute(sql).fetchall(), names, names)
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
        if Path(f"{self._new}-wal").exists():
            raise InUse("somebody has the new database open, and its log would be left behind")
        if self._damaged:  # perhaps somebody can still read something of it
            end = f".damaged-{clock.now_ms() // 1000}"
            os.link(self._path, f"{self._path}{end}")
            for name in ("-wal", "-shm"):
                with suppress(FileNotFoundError):
                    Path(f"{self._path}{name}").rename(f"{self._path}{name}{end}")
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
        # Without a pool, which would leave connections that look like somebody else's.
        self._engine: Engine = create_engine(url, poolclass=NullPool, **options)
        # The process that serves the connection which is held all along, by which two that restore
        # at once see each other.
        self._watch = 0
        path = f"{url.query.get('options', '')} -csearch_path={_SCHEMA}".strip()
        new = url.update_query_dict({"options": path})
        self.url = new.render_as_string(hide_password=False)

    def found(self) -> Found:
        """See Target."""
        with self._engine.connect() as connection:
            here = connection.scalar(text("SELECT current_schema()"))
            names = {name for (name,) in connection.execute(_TABLES, {"schema": here})}
            ours = {table.name for table in tables()} | {_VERSIONS}
            ask = lambda sql: connection.execute(text(sql)).all()  # noqa: E731
            return _found(ask, names, names & ours)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """See Target."""
        with self._engine.connect() as connection:
            self._wait_for_others(connection)
            self._watch = connection.scalar(text("SELECT pg_backend_pid()"))
            connection.commit()
            yield

    def prepare(self) -> None:
        """See Target."""
        self.clear()
        with self._engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {_SCHEMA}"))

    def _wait_for_others(self, connection: Connection) -> None:
        until = time.monotonic() + _PATIENCE
        while connection.scalar(_OTHERS, {"ours": self._watch}):
            connection.rollback()
            if time.monotonic() > until:
                raise InUse(_IN_USE)
            time.sleep(0.05)

    def take_place(self) -> None:
        """See Target."""
        with self._engine.connect() as connection:
            # No lock of this machine keeps a server on another one from starting meanwhile.
            self._wait_for_others(connection)
            here = connection.scalar(text("SELECT current_schema()"))
            new = {name for (name,) in connection.execute(_TABLES, {"schema": _SCHEMA})}
            old = {name for (name,) in connection.execute(_TABLES, {"schema": here})}
            for name in sorted(old & new):
                connection.execute(text(f'DROP TABLE "{here}"."{name}" CASCADE'))
            self._move_functions(connection, str(here))
            for name in sorted(new):
                connection.execute(text(f'ALTER TABLE {_SCHEMA}."{name}" SET SCHEMA "{here}"'))
            connection.execute(text(f"DROP SCHEMA {_SCHEMA}"))
            connection.commit()

    def _move_functions(self, connection: Connection, here: str) -> None:
        for (name,) in connection.execute(_FUNCTIONS, {"schema": here}).all():
            connection.execute(text(f'DROP FUNCTION "{here}"."{name}"()'))
        for (name,) in connection.execute(_FUNCTIONS, {"schema": _SCHEMA}).all():
            connection.execute(text(f'ALTER FUNCTION {_SCHEMA}."{name}"() SET SCHEMA "{here}"'))

    def clear(self) -> None:
        """See Target."""
        with self._engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE"))


def _found(ask: Any, names: set[str], at_stake: set[str]) -> Found:
    """What is there, by the tables there are and those that a restore would replace."""
    revisions = ask("SELECT version_num FROM alembic_version") if _VERSIONS in names else []
    if not revisions or not names >= _OURS:
        return Found(strange=bool(revisions or at_stake - {_VERSIONS}))
    revision = revisions[0][0]
    if revision not in startup.revisions()[1]:
        return Found(revision)
    shut = ask("SELECT uid FROM users WHERE password_hash = ''")
    accounts = ask("SELECT count(*) FROM users")[0][0]
    return Found(revision, accounts, frozenset(uid for (uid,) in shut))


_VERSIONS = "alembic_version"
_OURS = {"key", "stream", "users", "book", "contact", "change"}  # of every revision
_SQLITE_TABLES = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
)
_IN_USE = (
    "the database is in use: end every contactapp server and worker, and whatever else has it "
    "open, then try again"
)
