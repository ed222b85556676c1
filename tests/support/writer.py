"""A process that writes as a person: one JSON line in, the answer's as one line out.

A line is [method, path, body]; the answer [status, body]. Settings come from the environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.zygote import Process

ROOT = Path(__file__).resolve().parents[2]


class Writer:
    """Another process of the application, on the same database."""

    def __init__(self, settings, access):
        self._process = Process(
            (sys.executable, "-m", "tests.support.writer"),
            cwd=ROOT,
            env={**os.environ, **{f"CONTACTAPP_{k}": v for k, v in settings.items()}},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.use(access)

    def use(self, access):
        """Write as whoever owns this token."""
        self._ask(access)

    def send(self, method, path, body=None):
        """The status and body of the answer."""
        return self._ask([method, path, body])

    def _ask(self, line):
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def stop(self):
        """End it and wait for it."""
        self._process.stdin.close()
        assert self._process.wait(20) == 0
        self._process.stdout.close()


def main():
    """Answer lines until the input ends."""
    from contactapp import create_app

    client, headers = create_app().test_client(), {}
    for line in sys.stdin:
        asked = json.loads(line)
        if isinstance(asked, str):
            headers = {"Authorization": f"Bearer {asked}"}
            answer = [0, None]
        else:
            method, path, body = asked
            got = client.open(f"/api/v1{path}", method=method, json=body, headers=headers)
            answer = [got.status_code, got.json if got.data else None]
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
