"""A job worker process beside the web workers, kept alive by gunicorn's arbiter.

So plain `gunicorn wsgi:app` sends its mail too. It is a process of its own because a thread in each
web worker would take the interpreter from requests.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

log = logging.getLogger("gunicorn.error")

# Also where contactapp is not installed.
_PATHS = [str(Path(__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0  # seconds before it is started again
_GRACE = 20.0


class WorkerBeside:
    """Starts `contactapp worker` and starts it again whenever it ends."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher = threading.Thread(target=self._watch, name="job-worker", daemon=True)

    def start(self) -> None:
        """Start it, and a thread that watches it."""
        self._watcher.start()

    def stop(self) -> None:
        """Have it finish what it is doing, and wait for that."""
        self._stopping.set()
        with self._lock:
            process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()

    def restart(self) -> None:
        """End it, so that it comes back with the program and settings of now."""
        with self._lock:
            if self._process is not None:
                self._process.terminate()

    def _watch(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            pause = _FIRST_PAUSE if self._ran() else min(2 * pause, _LONGEST_PAUSE)
            if not self._stopping.wait(pause):
                log.warning("the job worker ended, starting it again")

    def _ran(self) -> bool:
        """Start it and wait for its end; whether it lasted."""
        try:
            process = self._begin()
        except OSError as error:  # no memory is left, or no number for a process
            log.error("the job worker cannot be started: %s", error)
            return False
        if process is None:
            return False
        try:
            process.wait(_LONGEST_PAUSE)
            return False
        except subprocess.TimeoutExpired:
            process.wait()
            return True

    def _begin(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            self._process = subprocess.Popen(
                [sys.executable, "-m", "contactapp.cli", "worker", f"--parent={os.getpid()}"],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(_PATHS)},
                # Started by posix_spawn then. Else Python waits on a pipe for news of the exec, and
                # a web worker that gunicorn forks at that moment holds the pipe open for life. What
                # is inherited instead, the listening socket too, the worker closes (see the cli).
                close_fds=False,
            )
            return self._process
