"""Celery's workers and beat as an operator starts them, and jobs of theirs that a test can see."""

from __future__ import annotations

import os
import signal
import sys

from tests.support.zygote import Process

PROBE = "tests.support.celery_probe"


class Celery:
    """`python -m celery -A contactapp.worker …` in a folder; `log` is what it printed."""

    def __init__(self, folder, settings, *arguments, app="contactapp.worker"):
        self.folder, self.path = folder, folder / "celery.log"
        clean = {name: value for name, value in os.environ.items() if "CONTACTAPP" not in name}
        ours = {f"CONTACTAPP_{name}": value for name, value in settings.items()}
        command = [sys.executable, "-m", "celery", "-A", app, *arguments]
        if arguments[0] == "worker":  # looking for other workers takes a second
            command += ["--without-mingle", "--without-gossip"]
        with self.path.open("ab") as log:
            self.process = Process(
                command, cwd=folder, env={**clean, **ours}, stdout=log, stderr=log, session=True
            )

    @property
    def log(self):
        return self.path.read_text()

    def lines(self):
        """What the probe's jobs wrote: lists of words."""
        path = self.folder / "lines.txt"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def end(self):
        """Ask it to end in good order, and wait: its exit code."""
        self.process.terminate()
        return self.process.wait(30)

    def kill(self):
        """kill -9 it and all its processes."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
