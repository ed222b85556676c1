"""What listing 20 of 100 contacts costs, as a ratio to a bare Flask view with the same bytes.

Both servers run at once under gunicorn with two workers of four threads; rounds take turns and
the median counts. The measure is CPU time per request of the whole process tree, which repeats
within a few per cent where requests per second do not. Quotas run, authentication is real.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import requests

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PATH = "/api/v1/contacts?limit=20"
ROUNDS, SECONDS, CONNECTIONS = 7, 3, 16


class Server:
    """A gunicorn process tree on a free loopback port."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        address = f"127.0.0.1:{self.port}"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CONTACTAPP_")}
        self.url = f"http://{address}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-b", address, *arguments],
            env={**clean, **environment, "CONTACTAPP_BIND": address},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(200):
            try:
                requests.get(self.url, timeout=5)
                return
            except requests.ConnectionError:
                time.sleep(0.05)
        raise SystemExit("the server did not start")

    def cpu_seconds(self) -> float:
        """CPU time so far of the master and its workers."""
        master = psutil.Process(self.process.pid)
        times = [p.cpu_times() for p in (master, *master.children(recursive=True))]
        return sum(t.user + t.system for t in times)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def load(url: str, headers: dict[str, str]) -> int:
    """Ask for SECONDS over CONNECTIONS connections; how many answers came. wrk if there is one."""
    if shutil.which("wrk"):
        extra = [part for k, v in headers.items() for part in ("-H", f"{k}: {v}")]
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", *extra, url]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "Non-2xx" not in out, out
        return int(re.search(r"(\d+) requests in", out)[1])
    return _load_without_wrk(url, headers)


def _load_without_wrk(url: str, headers: dict[str, str]) -> int:
    counts = [0] * CONNECTIONS
    until = time.monotonic() + SECONDS

    def ask(index: int) -> None:
        with requests.Session() as session:
            session.headers.update(headers)
            while time.monotonic() < until:
                assert session.get(url, timeout=30).status_code == 200
                counts[index] += 1

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def prepare(server: Server) -> dict[str, str]:
    """An account with 100 contacts; the headers to ask with."""
    api = f"{server.url}/api/v1"
    account = {"username": "bench", "email": "bench@example.com", "password": "measure me twice"}
    requests.post(f"{api}/auth/register", json=account, timeout=30).raise_for_status()
    tokens = requests.post(f"{api}/auth/token", data=account, timeout=30).json()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    for number in range(100):
        contact = {
            "first_name": f"Given{number}",
            "last_name": f"Family{number % 37}",
            "email": f"person{number}@example.com",
            "phone": f"+49 151 {number:07}",
            "company": "Example Ltd",
            "title": "Engineer",
            "birthday": "1985-06-15",
            "custom_fields": {"floor": str(number % 9)},
        }
        answer = requests.post(f"{api}/contacts", json=contact, headers=headers, timeout=30)
        answer.raise_for_status()
    return headers


def measure(server: Server, headers: dict[str, str]) -> tuple[float, float]:
    """CPU microseconds per request, and requests per second."""
    before, start = server.cpu_seconds(), time.monotonic()
    count = load(server.url + PATH, headers)
    return (server.cpu_seconds() - before) / count * 1e6, count / (time.monotonic() - start)


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        ours = Server(
            ["-c", str(ROOT / "gunicorn.conf.py"), "--pythonpath", str(ROOT), "wsgi:app"],
            {
                "CONTACTAPP_INSTANCE_PATH": f"{folder}/instance",
                "CONTACTAPP_RATE_LIMITS": "10000000 per minute;100000000 per hour",
                "CONTACTAPP_ANONYMOUS_RATE_LIMITS": "100000 per minute",
                **{k: v for k, v in os.environ.items() if k == "CONTACTAPP_DATABASE_URL"},
            },
        )
        headers = prepare(ours)
        body = requests.get(ours.url + PATH, headers=headers, timeout=30).content
        Path(folder, "body").write_bytes(body)
        bare = Server(
            ["-k", "gthread", "-w2", "--threads=4", "--keep-alive=75", "--no-control-socket",
             "--pythonpath", str(HERE), "ceiling:app"],
            {"CEILING_BODY": f"{folder}/body"},
        )  # fmt: skip
        try:
            assert requests.get(bare.url + PATH, timeout=30).content == body
            rows = [(measure(bare, headers), measure(ours, headers)) for _ in range(ROUNDS)]
        finally:
            ours.stop()
            bare.stop()
    floor = statistics.median(row[0][0] for row in rows)
    cost = statistics.median(row[1][0] for row in rows)
    ratio = statistics.median(row[1][0] / row[0][0] for row in rows)
    print(f"list of 20 out of 100, {len(body)} bytes, {ROUNDS} rounds of {SECONDS} s, median")
    print(f"  bare Flask view  {floor:7.0f} µs CPU/request")
    print(f"  contactapp       {cost:7.0f} µs CPU/request")
    print(f"  ratio            {ratio:7.2f} ×")


if __name__ == "__main__":
    main()
