"""Locks of an instance folder, which the system gives back when their holder ends, however it does.

`serving` is shared by servers and workers, and held alone while a backup takes the place of what
they serve. `pictures` is held alone while a backup is made, so that no picture goes which the
backup's rows still name.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVING, PICTURES = "serving", "pictures"
_PAUSE = 0.01


class Held(Exception):
    """Somebody else holds the lock."""


def share(instance: Path, name: str) -> int:
    """Hold a lock together with others until this process and all that it forks have ended, or the
    file descriptor is closed. Raises Held. Where the file cannot be opened, on a full disk or one
    that is not writable, -1: nobody can hold it alone there either."""
    try:
        return _take(instance, name, fcntl.LOCK_SH, 0.0)
    except OSError:
        return -1


@contextmanager
def alone(instance: Path, name: str, patience: float = 0.0) -> Iterator[None]:
    """Hold a lock that nobody else holds. Raises Held after so many seconds."""
    file = _take(instance, name, fcntl.LOCK_EX, patience)
    try:
        yield
    finally:
        os.close(file)


@contextmanager
def unless_held(instance: Path, name: str) -> Iterator[bool]:
    """Whether nobody holds a lock alone; then nobody will meanwhile."""
    try:
        file = share(instance, name)
    except Held:
        yield False
        return
    try:
        yield True
    finally:
        if file >= 0:
            os.close(file)


def _take(instance: Path, name: str, how: int, patience: float) -> int:
    until = time.monotonic() + patience
    file = os.open(instance / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    while True:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(file)
                raise Held(name) from None
        time.sleep(_PAUSE)
