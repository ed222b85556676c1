"""What a running server consists of, as the operating system sees it."""

from __future__ import annotations

import re
import time
from contextlib import suppress

import psutil

from contactapp.database import Sql, database, lane

_BORN = re.compile(r"Booting worker with pid: (\d+)")
_GONE = re.compile(r"Worker exiting \(pid: (\d+)\)|Worker \(pid:(\d+)\) (?:was sent|exited)")
_OTHERS = Sql(
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def until(met, seconds=30):
    """What it says as soon as that is true; asked for so long at most."""
    ends = time.monotonic() + seconds
    while not (found := met()):
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)
    return found


def web_workers(server):
    """The processes of a server that answer requests, by their ids, as its log tells. Cheaper than
    to look through all processes, which beside threads that work takes seconds."""
    log = server.log.read_text().rpartition("Starting gunicorn")[2]
    gone = {pid for pair in _GONE.findall(log) for pid in pair}
    return {int(pid) for pid in _BORN.findall(log) if pid not in gone}


def connections(server, app):
    """How many connections to the database the server's processes hold: {process id: files} on
    SQLite, {0: connections} on PostgreSQL, which does not tell whose they are."""
    with app.app_context():
        if not database().is_sqlite:
            return {0: lane().one(_OTHERS)[0]}
        path = database().engine.url.database
    found = {}
    for pid in (server.process.pid, *web_workers(server)):
        with suppress(psutil.NoSuchProcess):
            files = [file.path for file in psutil.Process(pid).open_files()]
            found[pid] = files.count(path)
    return found
