"""The stores, real and failing ones; time is always handed in."""

from __future__ import annotations

import fcntl
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from contactapp.limits import Store, TableStore, open_store, table
from contactapp.limits.redis_store import RedisStore
from tests.support.processes import context


@pytest.fixture(params=["table", "redis"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A Redis URL, or an empty one and the path of a file: what `open_store` takes."""
    if request.param == "table":
        return "", tmp_path / "limits.table"
    return request.getfixturevalue("redis_url"), tmp_path / "never made"


@pytest.fixture
def store(location: tuple[str, Path]) -> Iterator[Store]:
    opened = open_store(*location)
    yield opened
    opened.close()


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    return request.node.nodeid  # one Redis serves all tests


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process is in the table and does not come out."""
    TableStore(path).check()
    ready = context.Event()
    holder = context.Process(target=_hold, args=(path, ready))
    holder.start()
    assert ready.wait(30)
    yield
    holder.kill()
    holder.join()


def _hold(path: Path, ready: Any) -> None:
    with path.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX, 1)
        ready.set()
        time.sleep(60)


@pytest.fixture(params=["locked", "no folder", "redis down", "redis silent"])
def failing_store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    monkeypatch.setattr(table, "PATIENCE", 0.05)
    path = tmp_path / "limits.table"
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{server.getsockname()[1]}/0"
        if request.param == "no folder":
            yield TableStore(tmp_path / "absent" / "limits.table")
        elif request.param == "locked":
            with held(path):
                yield TableStore(path)
        else:
            if request.param == "redis silent":
                server.listen()
            yield RedisStore(url)
