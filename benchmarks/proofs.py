"""What must be true before anything is measured, or the figures would flatter. Each raises."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from .load import ROOT
from .rows import Row
from .seed import API, Answer, Request, Seeded, Talk, sign_in
from .servers import Server, contactapp


def must(holds: bool, what: str) -> None:
    """End the run, naming what does not hold."""
    if not holds:
        raise SystemExit(f"not measured, because this does not hold: {what}")


def revoked_token(server: Server) -> None:
    """A token whose session was ended is refused by the measured server at once."""
    talk = Talk(server)
    talk.headers = {
        "Authorization": f"Bearer {talk.send(sign_in('writer')).json()['access_token']}"
    }
    talk.call("GET", "/contacts?limit=1")
    talk.call("POST", "/auth/logout", status=204)
    for _ in range(8):  # over fresh connections, so that both workers are asked
        fresh = Talk(server)
        fresh.headers = talk.headers
        must(fresh.send(_list(fresh)).status == 401, f"{server.name}: a revoked token gets 401")


def running_quota(seeded: Seeded) -> None:
    """The measured server counts: what remains falls between two requests."""
    talk = Talk(seeded.server)
    request = seeded.requests["list"]
    left = [int(talk.send(request).headers["X-RateLimit-Remaining"]) for _ in range(2)]
    must(left[1] < left[0], f"{seeded.server.name}: the quota counts down ({left})")


def enforced_quota(name: str, database: str, folder: Path) -> None:
    """The same code with a low limit answers 429 and when to come back."""
    server = contactapp(name, database, folder, RATE_LIMITS="5 per minute")
    try:
        talk = Talk(server)
        talk.join("hasty")
        answers = [talk.send(_list(talk)) for _ in range(12)]  # a minute may end in between
        refused = [answer for answer in answers if answer.status == 429]
        must(bool(refused), f"{name}: an over-limit caller gets 429")
        must(int(refused[0].headers["Retry-After"]) > 0, f"{name}: 429 comes with Retry-After")
    finally:
        server.stop()


def durability(server: Server) -> str:
    """synchronous is FULL (2) on SQLite, fsync and synchronous_commit are on on PostgreSQL.

    SQLite's setting belongs to each connection and cannot be read from another process. So a
    second process opens the measured database with the measured settings through `create_app` and
    asks a connection in a write transaction and one that reads: it proves what this code gives
    every connection, not what one connection inside the server was told later.
    """
    out = inside(server, "durability")
    for where in ("write", "read"):
        must(out[where] in ("2", "on on"), f"{server.name}: durable {where} connection ({out})")
    return out["write"]


def inside(server: Server, figure: str, *arguments: str) -> dict[str, str]:
    """What `benchmarks.inside` prints, run with the server's own settings."""
    out = subprocess.run(
        [sys.executable, "-m", "benchmarks.inside", figure, *arguments],
        env={**server.environment, "PYTHONPATH": str(ROOT)},
        cwd=server.log.parent,  # no `.env` of the repository's folder
        capture_output=True,
        text=True,
    )
    if out.returncode:
        raise SystemExit(f"benchmarks.inside {figure} failed:\n{out.stderr[-3000:]}")
    return json.loads(out.stdout.splitlines()[-1])


def same_bytes(ceiling: Server, seeded: Seeded, row: Row, mine: str, measured: str) -> None:
    """The ceiling answers this server's bytes; those it is measured with are as many, give or
    take what ids and times differ by."""
    one, other = Talk(seeded.server), Talk(ceiling)
    request = seeded.requests[row.key]
    theirs = other.send(request._replace(path=mine))
    if row.exact:
        ours = one.send(request)
        same = (ours.status, ours.body) == (theirs.status, theirs.body)
        must(same, f"{seeded.server.name}, {row.key}: the bytes equal the ceiling's")
    used = other.send(request._replace(path=measured))
    close = abs(len(used.body) - len(theirs.body)) <= 0.02 * len(used.body) + 8
    must(close, f"{seeded.server.name}, {row.key}: as many bytes as the measured ceiling's")


def good(answer: Answer, row: Row) -> None:
    """The status of this row."""
    expected = {"create": 201, "unchanged": 304}.get(row.key, 200)
    must(answer.status == expected, f"{row.key} answers {expected}, not {answer.status}")


def _list(talk: Talk) -> Request:
    return Request("GET", f"{API}/contacts?limit=1", talk.headers)
