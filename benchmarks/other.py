"""The other figures: memory of idle workers, in-process times, lists while others sign in."""

from __future__ import annotations

import json
import statistics
import time
from typing import NamedTuple

import requests

from . import load
from .field import is_ours
from .people import TEXT, card
from .proofs import inside
from .samples import undisturbed
from .seed import API, JSON, READ, Seeded, Talk
from .servers import Server

SIGNERS = 4
TURNS, TURN_SECONDS = 5, 1.5
MIB = 2**20
NOTES, CHANGES, MANY = 2000, 100, 1000
BESIDE = 400  # turns
SPELLS, FEW, PAUSE = 24, 10, 0.1  # tries of a few at a time, seconds between


class Figure(NamedTuple):
    """One line of the second table; `met` is None where there is no target."""

    server: str
    label: str
    value: str
    target: str = ""
    met: bool | None = None


def memory(server: Server) -> list[Figure]:
    """RSS, PSS and USS of the largest idle web worker. PSS and USS are Linux's."""
    for _ in range(12):  # so that every worker has answered once
        requests.get(f"{server.url}/healthz", timeout=5)
    most = max((p.memory_full_info() for p in server.workers()), key=lambda info: info.rss)
    rss = most.rss / MIB
    more = f"PSS {getattr(most, 'pss', 0) / MIB:.0f}, USS {most.uss / MIB:.0f}"
    value = f"{rss:.0f} MiB RSS ({more})"
    target, met = ("≤ 90 MiB RSS", rss <= 90) if is_ours(server.name) else ("", None)
    found = [Figure(server.name, "idle worker", value, target, met)]
    if beside := sum(process.memory_info().rss for process in server.job_workers()):
        value = f"{beside / MIB:.0f} MiB RSS"
        found.append(Figure(server.name, "idle job worker, beside them", value))
    return found


def views(seeded: Seeded, big: int) -> list[Figure]:
    """What the book's view costs inside a process."""
    name = seeded.server.name
    found = {k: float(v) for k, v in inside(
        seeded.server, "view", str(seeded.books["cold"])
    ).items()}  # fmt: skip
    token = seeded.big_headers["Authorization"].removeprefix("Bearer ")
    arguments = (str(seeded.books["big"]), seeded.server.url, str(seeded.big_contact), token)
    refresh = float(inside(seeded.server, "refresh", *arguments)["refresh"]) * 1e3
    query = inside(seeded.server, "query", str(seeded.books["big"]))
    many = f"{big:,}".replace(",", " ")
    slowest = float(query["seconds"]) * 1e3
    cold, size = found["cold"] * 1e3, found["bytes"] / 1000
    return [
        Figure(name, "cold view of 1 000 contacts", f"{cold:.1f} ms", "≤ 10 ms", cold <= 10),
        Figure(name, f"refresh after a foreign write, {many} contacts",
               f"{refresh:.2f} ms", "≤ 1 ms", refresh <= 1),
        Figure(name, f"slowest warm query, {many} contacts",
               f"{slowest:.2f} ms: `{query['query']}`", "≤ 5 ms", slowest <= 5),
        Figure(name, "memory per cached contact", f"{size:.2f} kB", "≤ 2.5 kB", size <= 2.5),
    ]  # fmt: skip


def notes(seeded: Seeded) -> list[Figure]:
    """What creating a note costs beside a contact, how many a second the job worker reads, and how
    long a page of changes takes."""
    name, book = seeded.server.name, str(seeded.books["writer"])
    taken = inside(seeded.server, "note", book)
    pairs = zip(taken["note"], taken["contact"], strict=True)
    dearer = statistics.median(note / contact for note, contact in pairs)
    each = statistics.median(taken["note"]) * 1e3
    with requests.Session() as http:
        http.headers.update(seeded.requests["create"].headers)
        rate = _processed(http, f"{seeded.server.url}/api/v1")
    page = _page_of_changes(seeded) * 1e3
    rates = ("≥ 300 /s", rate >= 300) if name.endswith("sqlite") else ("", None)
    return [
        Figure(name, "creating a note to creating a contact",
               f"{dearer:.2f} × ({each:.2f} ms)", "≤ 1.3 ×", dearer <= 1.3),
        Figure(name, "notes read by the job worker", f"{rate:.0f} /s", *rates),
        Figure(name, f"page of {CHANGES} changes, with its request",
               f"{page:.2f} ms", "≤ 3 ms", page <= 3),
    ]  # fmt: skip


def many(seeded: Seeded, big: int) -> list[Figure]:
    """Many contacts in one call, and those of a large book that may be the same."""
    name, writer = seeded.server.name, seeded.requests["create"]
    one = [{"op": "create", "contact": card(number)} for number in range(MANY)]
    request = writer._replace(
        path=f"{API}/contacts/bulk", body=json.dumps({"operations": one, "atomic": True})
    )
    talk = Talk(seeded.server)
    bulk = undisturbed([_seconds(talk, request) for _ in range(5)])
    most = 1.0 if name.endswith("sqlite") else 2.0
    found = inside(seeded.server, "duplicates", str(seeded.books["big"]))
    duplicates = float(found["duplicates"])
    size = f"{big:,}".replace(",", " ")
    return [
        Figure(name, "creating 1 000 contacts in one call",
               f"{bulk:.2f} s", f"≤ {most:.0f} s", bulk <= most),
        Figure(name, f"finding duplicates, {size} contacts",
               f"{duplicates:.2f} s", "≤ 2 s", duplicates <= 2),
    ]  # fmt: skip


def _processed(http: requests.Session, url: str) -> float:
    """Notes a second, from when they are there to when none is pending."""
    contact = http.get(f"{url}/contacts?limit=1", timeout=30).json()["items"][0]["id"]
    one = {"op": "create", "note": {"contact_id": contact, "body": TEXT}}
    for _ in range(NOTES // 1000):
        made = http.post(f"{url}/notes/bulk", json={"operations": [one] * 1000}, timeout=60)
        made.raise_for_status()
    pending = f"{url}/notes?processing_status=pending&limit=1"
    start, first = time.monotonic(), http.get(pending, timeout=30).json()["total"]
    for _ in range(2400):
        if http.get(pending, timeout=30).json()["total"] == 0:
            return first / (time.monotonic() - start)
        time.sleep(0.05)
    raise SystemExit("the job worker does not get done")


def _page_of_changes(seeded: Seeded) -> float:
    """Seconds of a request for a full page, by a client that costs little itself."""
    talk, taken = Talk(seeded.server), []
    headers = seeded.requests["create"].headers
    request = load.Request("GET", f"{API}/changes?limit={CHANGES}", headers)
    for _ in range(SPELLS):
        time.sleep(PAUSE)  # what disturbs comes in spells, which last longer than a few requests
        for _ in range(FEW):
            start = time.perf_counter()
            answer = talk.send(request)
            taken.append(time.perf_counter() - start)
        assert len(answer.json()["items"]) == CHANGES
    return undisturbed(taken)


def data(seeded: Seeded) -> list[Figure]:
    """What reading and writing a value cost beside a contact, by one client in turns; and how fast
    sixteen count one number."""
    name, small = seeded.server.name, seeded.requests["get"]
    writer = seeded.requests["create"]
    path = f"{API}/data/benchmark"
    put = load.Request("PUT", path, writer.headers, json.dumps({"value": card(7)}))
    same = json.dumps({"value": card(READ)})  # as the contact that is got
    Talk(seeded.server).send(load.Request("PUT", path, {**JSON, **small.headers}, same))
    dearer, got = _beside(seeded, small, [small._replace(path=path)])
    other = put._replace(body=json.dumps({"value": card(8)}))  # else it would change nothing
    more, stored = _beside(seeded, writer, [put, other])
    count = load.Request("POST", f"{API}/data/counted/increment", writer.headers, "{}")
    rate = _rate(load.load(seeded.server.port, count, 16, TURN_SECONDS))
    rates = ("≥ 300 /s", rate >= 300) if name.endswith("sqlite") else ("", None)
    return [
        Figure(name, "getting a value to getting a contact",
               f"{dearer:.2f} × ({got:.2f} ms)", "≤ 1.0 ×", dearer <= 1.0),
        Figure(name, "putting a value to creating a contact",
               f"{more:.2f} × ({stored:.2f} ms)", "≤ 1.0 ×", more <= 1.0),
        Figure(name, "increments of one number by 16 clients", f"{rate:.0f} /s", *rates),
    ]  # fmt: skip


def _beside(seeded: Seeded, one: load.Request, others: list[load.Request]) -> tuple[float, float]:
    """What the others take to what the one takes, and the milliseconds of the others."""
    talk = Talk(seeded.server)
    taken: list[tuple[float, float]] = []
    for number in range(BESIDE):
        first, second = (_seconds(talk, request) for request in (one, others[number % len(others)]))
        taken.append((first, second))
    usual, other = (undisturbed([pair[place] for pair in taken]) for place in (0, 1))
    return other / usual, other * 1e3


def _seconds(talk: Talk, request: load.Request) -> float:
    start = time.perf_counter()
    answer = talk.send(request)
    took = time.perf_counter() - start
    assert answer.status < 400, answer.body[:200]
    return took


def interference(seeded: Seeded) -> list[Figure]:
    """Lists per second alone, and while four clients sign in without a pause, in turns."""
    port, request = seeded.server.port, seeded.requests["list"]
    alone, during, signed = [], [], []
    for _ in range(TURNS):
        alone.append(load.load(port, request, 16, TURN_SECONDS))
        signing = load.begin(port, seeded.requests["sign-in"], SIGNERS, TURN_SECONDS + 1)
        during.append(load.load(port, request, 16, TURN_SECONDS))
        signed.append(load.finish(signing))
    pairs = zip(during, alone, strict=True)
    share = statistics.median(_rate(one) / _rate(other) for one, other in pairs)
    usual, beside, signs = (
        statistics.median(map(_rate, counts)) for counts in (alone, during, signed)
    )
    refused = sum(count.refused for count in signed)
    value = (
        f"{share:.0%}: {beside:.0f} of {usual:.0f} lists/s, with {signs:.1f} sign-ins/s, "
        f"{refused} refused"
    )
    target, met = ("≥ 50 %", share >= 0.5) if is_ours(seeded.server.name) else ("", None)
    name = seeded.server.name
    return [Figure(name, "lists while four clients sign in", value, target, met)]


def _rate(count: load.Count) -> float:
    return count.good / count.seconds
