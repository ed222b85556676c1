"""A real gunicorn on a free loopback port."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import uuid
from pathlib import Path

import requests

from tests.support.zygote import Process

ROOT = Path(__file__).resolve().parents[2]


class Server:
    """gunicorn with contactapp's own configuration, as a user starts it.

    `url` answers; `log` is the file with everything it printed; `settings` by their short names.
    """

    def __init__(self, folder, settings, scheme="http"):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = Path(folder)
        self.instance = self.folder / "instance"
        self.database = settings["DATABASE_URL"]
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.log = self.folder / "server.log"
        self.settings = {
            "INSTANCE_PATH": str(self.instance),
            "BIND": f"127.0.0.1:{self.port}",
            **settings,
        }
        self.environment = {
            name: value for name, value in os.environ.items() if "CONTACTAPP" not in name
        } | {f"CONTACTAPP_{name}": value for name, value in self.settings.items()}
        self.process = None

    def start(self, wait=True):
        """Start it, in its own process group, and wait until it answers."""
        command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py")]
        with self.log.open("ab") as log:
            self.process = Process(
                [*command, "--pythonpath", str(ROOT), "wsgi:app"],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                session=True,
            )
        if wait:
            self._wait()
        return self

    def _wait(self):
        for _ in range(600):
            assert self.process.poll() is None, self.log.read_text()
            try:
                requests.get(f"{self.url}/healthz", timeout=5, verify=False)
                return
            except requests.ConnectionError:
                time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def end(self):
        """Ask it to end in good order."""
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def stop(self):
        """End it in good order, and wait for that."""
        self.end()
        if self.process:
            self.process.wait(40)

    def kill(self):
        """kill -9 the master and its workers at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def person(self, name="alice"):
        """Register and sign in; returns a Visitor."""
        return Visitor(self.url, name)


class Visitor:
    """Somebody with an account on a real server; paths below /api/v1."""

    def __init__(self, url, name="alice"):
        self.url = f"{url}/api/v1"
        self.name = f"{name}-{uuid.uuid4().hex[:12]}"
        self.password = "correct horse battery staple"
        self.http = requests.Session()
        self.http.verify = False
        fields = {
            "email": f"{self.name}@example.com",
            "username": self.name,
            "password": self.password,
        }
        answer = self.http.post(f"{self.url}/auth/register", json=fields, timeout=30)
        assert answer.status_code == 201, answer.text
        self.user = answer.json()
        self.sign_in()

    def sign_in(self):
        answer = self.http.post(
            f"{self.url}/auth/token",
            data={"username": self.name, "password": self.password},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        self.tokens = answer.json()
        self.http.headers["Authorization"] = f"Bearer {self.tokens['access_token']}"

    def request(self, method, path, **kwargs):
        return self.http.request(method, f"{self.url}{path}", timeout=60, **kwargs)

    def get(self, path, **kwargs):
        return self.request("GET", path, **kwargs)

    def post(self, path, **kwargs):
        return self.request("POST", path, **kwargs)
