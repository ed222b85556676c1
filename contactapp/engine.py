"""What each database engine needs: driver, connection settings, and how its failures are read.

SQLite runs in WAL mode with synchronous=FULL and foreign keys on, PostgreSQL (15 to 18) through
psycopg 3 with a lock timeout. `problems` says what differs from that on a live connection.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, event

try:
    # Many Linux Pythons ship a SQLite from the range in which a WAL reset can corrupt the file
    # (3.7.0 to 3.51.2); this wheel brings a newer one.
    import pysqlite3.dbapi2 as sqlite3
except ImportError:  # no wheel for this platform
    import sqlite3

SAFE_SQLITE = (3, 51, 3)
SUPPORTED_POSTGRESQL = range(15, 19)
NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "glusterfs", "fuse.sshfs"}
_SQLITE_DURABLE = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
_POSTGRESQL_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")


class DatabaseFailure(Exception):
    """The database cannot do it now. `retry_after`: seconds to wait before trying again."""

    retry_after = 5


class DatabaseBusy(DatabaseFailure):
    """Another writer held the lock for longer than we wait."""

    retry_after = 2


class DatabaseFull(DatabaseFailure):
    """No space, or not writable. Reading still works."""

    retry_after = 60


class DatabaseUnavailable(DatabaseFailure):
    """The server is away or refuses connections."""


class ConstraintViolated(Exception):
    """A row that breaks a constraint; `constraint` is its name or, on SQLite, what is constrained:
    its `table.column` list."""

    def __init__(self, constraint: str) -> None:
        super().__init__(constraint)
        self.constraint = constraint


class RetryTransaction(Exception):
    """A deadlock or serialisation failure: the same transaction may succeed when run again."""


def failure_of(error: BaseException | None) -> Exception | None:
    """Translate a driver's error into one of ours, or None where it is a fault of the program."""
    state = getattr(error, "sqlstate", None)
    name = getattr(error, "sqlite_errorname", "") or ""
    if (state or "")[:2] == "23" or name.startswith("SQLITE_CONSTRAINT"):
        return ConstraintViolated(_constraint_of(error))
    if state in {"40001", "40P01"}:
        return RetryTransaction()
    if state == "55P03" or is_busy(error):
        return DatabaseBusy("another writer holds the lock")
    if state in {"53100", "25006"} or name.startswith(
        ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR")
    ):
        return DatabaseFull("the database cannot be written")
    if name.startswith("SQLITE_CANTOPEN") or (state or "")[:2] in {"08", "57", "53"}:
        return DatabaseUnavailable("the database is not reachable")
    if state in {"25P03", "25P04"}:  # it ended a session that was idle, or long, in a transaction
        return DatabaseUnavailable("the database is not reachable")
    # psycopg reports a lost, refused or unresolved connection without a state.
    lost = {"OperationalError", "ConnectionTimeout", "InterfaceError"}
    kind = type(error)
    if kind.__module__.startswith("psycopg") and state is None and kind.__name__ in lost:
        return DatabaseUnavailable("the database is not reachable")
    return None


def is_busy(error: BaseException | None) -> bool:
    """Whether SQLite refused because another connection holds a lock."""
    name = getattr(error, "sqlite_errorname", "") or ""
    return name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _constraint_of(error: BaseException | None) -> str:
    diagnostics = getattr(error, "diag", None)
    if diagnostics is not None:
        return diagnostics.constraint_name or ""
    return str(error).rpartition(": ")[2]


# A PostgreSQL that a cut network hides is given up after half a minute. By what Linux does unasked,
# a thread with a statement there would wait for 15 minutes, and one that only listens for 2 hours.
_SILENCE = {
    "keepalives_idle": 15,  # seconds, as the next one
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}


def engine_options(url: URL, busy_timeout_seconds: int) -> dict[str, Any]:
    """The keyword arguments of create_engine for this database. Parameters are hidden from error
    texts, which go to the log."""
    if url.get_backend_name() == "sqlite":
        # Autocommit on the driver's side: we say BEGIN IMMEDIATE ourselves (see bind_events).
        return {
            "hide_parameters": True,
            "module": sqlite3,
            "connect_args": {"isolation_level": None, "timeout": busy_timeout_seconds},
        }
    milliseconds = busy_timeout_seconds * 1000
    return {
        "hide_parameters": True,
        "pool_pre_ping": True,
        "connect_args": {
            **{name: most for name, most in _SILENCE.items() if name not in url.query},
            "connect_timeout": 5,
            # Those of the URL, such as a search_path, are not forgotten.
            "options": f"{url.query.get('options', '')} -c timezone=UTC "
            f"-c lock_timeout={milliseconds} "
            "-c statement_timeout=60000 -c idle_in_transaction_session_timeout=60000",
        },
    }


def bind_events(engine: Engine, busy_timeout_seconds: int) -> None:
    """Give every connection of this engine its settings, and every transaction its BEGIN."""
    if engine.dialect.name != "sqlite":
        return
    prepare_file(engine.url)

    @event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: Any) -> None:
        configure_sqlite(connection, busy_timeout_seconds)

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def configure_sqlite(connection: Any, busy_timeout_seconds: int) -> None:
    """Set one raw SQLite connection up. busy_timeout first: what follows may have to wait."""
    connection.execute(f"PRAGMA busy_timeout={busy_timeout_seconds * 1000}").fetchall()
    use_wal(connection, busy_timeout_seconds)
    for pragma in (
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "temp_store=MEMORY",
        # In pages: 32 MB. At SQLite's own 1000 a busy server with ten thousand contacts spends a
        # sixth of its writing time on copying the same pages back, and waits for the disk twice.
        "wal_autocheckpoint=8000",
    ):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def use_wal(connection: Any, patience: float) -> None:
    """Switch a connection or cursor to WAL, for at most `patience` seconds. Processes that start
    together on a new file meet here, and for this one statement SQLite reports busy at once,
    whatever its busy timeout is."""
    give_up = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchall()
            return
        except sqlite3.OperationalError as error:
            if time.monotonic() > give_up or not isinstance(failure_of(error), DatabaseBusy):
                raise
        time.sleep(0.002)


def prepare_file(url: URL) -> None:
    """Make the SQLite file 0600 before SQLite does (its WAL and shm files take over the mode)."""
    path = Path(str(url.database))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def problems(engine: Engine, ask: Callable[[str], Any]) -> list[str]:
    """What is wrong with the engine's version, durability or place; empty when all is well.

    `ask` runs one statement on a connection of the application and gives its only value.
    """
    if engine.dialect.name == "sqlite":
        return _sqlite_problems(ask, str(engine.url.database))
    return _postgresql_problems(ask)


def warn_of_old_sqlite() -> str | None:
    """The sentence to say once where this Python's SQLite is in the dangerous range, else None."""
    if sqlite3.sqlite_version_info >= SAFE_SQLITE:
        return None
    return (
        f"SQLite {sqlite3.sqlite_version} can corrupt a WAL database with several writing "
        "connections; install the pysqlite3 wheel or a Python with SQLite 3.51.3 or newer"
    )


def _sqlite_problems(ask: Callable[[str], Any], path: str) -> list[str]:
    found = []
    for pragma, value in _SQLITE_DURABLE.items():
        actual = ask(f"PRAGMA {pragma}")
        if actual != value:
            found.append(f"SQLite {pragma} is {actual}, not {value}")
    if ask("PRAGMA busy_timeout") < 5000:
        found.append("SQLite busy_timeout is under 5 s")
    kind = file_system_of(path)
    if kind in NETWORK_FILE_SYSTEMS:
        found.append(
            f"the database file lies on a network file system ({kind}), where SQLite's locks do "
            "not hold: move CONTACTAPP_INSTANCE_PATH to a local disk or use PostgreSQL"
        )
    return found


def _postgresql_problems(ask: Callable[[str], Any]) -> list[str]:
    found = []
    version = int(ask("SHOW server_version_num")) // 10000
    if version not in SUPPORTED_POSTGRESQL:
        found.append(f"PostgreSQL {version} is not supported (15 to 18 are)")
    for name in _POSTGRESQL_DURABLE:
        if ask(f"SHOW {name}") == "off":
            found.append(f"PostgreSQL {name} is off: a crash could lose acknowledged writes")
    if ask("SHOW server_encoding") != "UTF8":
        found.append("the PostgreSQL database is not UTF8: create it with ENCODING 'UTF8'")
    return found


def file_system_of(path: str, mounts: str = "/proc/mounts") -> str | None:
    """The type of the file system that holds `path`, or None where the system does not tell."""
    try:
        lines = Path(mounts).read_text().splitlines()
    except OSError:
        return None
    real = os.path.realpath(path)
    best, kind = "", None
    for line in lines:
        point, type_ = line.split()[1:3]
        point = point.replace("\\040", " ")
        if len(point) >= len(best) and (real + "/").startswith(point.rstrip("/") + "/"):
            best, kind = point, type_
    return kind
