"""Load on a server: wrk where there is one, else the bundled client. Neither counts as its CPU."""

from __future__ import annotations

import json
import math
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
_DONE = """
done = function(summary)
  local e = summary.errors
  io.write(string.format("\\nRESULT %d %d %d %d\\n", summary.requests, e.status,
    e.connect + e.read + e.write + e.timeout, summary.duration))
end
"""


class Request(NamedTuple):
    """One request, as text that both clients can send."""

    method: str
    path: str
    headers: dict[str, str]
    body: str = ""

    def raw(self, host: str) -> str:
        """The bytes on the wire, as text."""
        headers = {"Host": host, **self.headers}
        if self.body:
            headers["Content-Length"] = str(len(self.body.encode()))
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join(lines) + "\r\n\r\n" + self.body


class Count(NamedTuple):
    """Answers below 400, all others, the seconds they took, and what got no answer."""

    good: int
    refused: int
    seconds: float
    broken: int = 0


def bundled(port: int, request: Request, connections: int, seconds: float) -> Count:
    """The load by the bundled client, which waits for every answer."""
    return finish(begin(port, request, connections, seconds))


def begin(port: int, request: Request, connections: int, seconds: float) -> subprocess.Popen[str]:
    """Start the bundled client; `finish` waits for it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.client"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    job = {
        "host": "127.0.0.1",
        "port": port,
        "connections": connections,
        "seconds": seconds,
        "request": request.raw(f"127.0.0.1:{port}"),
    }
    assert process.stdin
    process.stdin.write(json.dumps(job))
    process.stdin.close()
    process.stdin = None
    return process


def finish(process: subprocess.Popen[str]) -> Count:
    """What the bundled client counted."""
    out, _ = process.communicate(timeout=120)
    if process.returncode:
        raise SystemExit("the bundled client failed")
    result = json.loads(out)
    counts = {int(status): n for status, n in result["counts"].items()}
    good = sum(n for status, n in counts.items() if 200 <= status < 400)
    return Count(good, sum(counts.values()) - good, result["seconds"])


def wrk(port: int, request: Request, connections: int, seconds: float) -> Count:
    """The load by wrk. Its last answers are cut off: one per connection."""
    lines = [f"wrk.method = {json.dumps(request.method)}"]
    lines += [f"wrk.headers[{json.dumps(k)}] = {_lua(v)}" for k, v in request.headers.items()]
    if request.body:
        lines.append(f"wrk.body = {_lua(request.body)}")
    with tempfile.NamedTemporaryFile("w", suffix=".lua", encoding="utf-8") as script:
        script.write("\n".join(lines) + _DONE)
        script.flush()
        url = f"http://127.0.0.1:{port}{request.path}"
        # It takes whole seconds only, but stops and counts in good order when it is interrupted.
        command = [
            "wrk",
            "-t1",
            "--timeout=60s",
            f"-c{connections}",
            f"-d{math.ceil(seconds) + 60}s",
        ]
        process = subprocess.Popen(
            [*command, "-s", script.name, url], stdout=subprocess.PIPE, text=True
        )
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    total, status, socket, micros = map(int, out.rpartition("RESULT ")[2].split()[:4])
    return Count(total - status, status, micros / 1e6, socket)


def _lua(text: str) -> str:
    """A Lua string literal: bytes outside printable ASCII, quotes and backslashes by number."""
    plain = (b if 32 <= b < 127 and b not in b'"\\' else None for b in text.encode())
    raw = text.encode()
    parts = (chr(b) if b is not None else f"\\{raw[i]:03}" for i, b in enumerate(plain))
    return '"' + "".join(parts) + '"'


def client_name() -> str:
    """Which client measures."""
    return "wrk" if shutil.which("wrk") else "the bundled client"


def load(port: int, request: Request, connections: int, seconds: float) -> Count:
    """Load by the best client there is."""
    run = wrk if shutil.which("wrk") else bundled
    return run(port, request, connections, seconds)
