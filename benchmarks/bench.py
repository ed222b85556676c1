"""Measures what a request costs, beside a bare Flask view and a FastAPI reference.

All servers run at the same time; for each row and number of connections, rounds take turns over
the servers, so that drift hits all alike. A full run writes `results.md` and `results.svg`.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from . import files, load, machine, other, plot, proofs, seed, servers, table
from .field import ENGINES, Field, constant_path, is_ours
from .rows import COMPARED, JUDGED, ROWS, SIGN_IN_CONNECTIONS, Row, chosen, together
from .samples import CEILING, Sample, Samples, ratio

SLOW_ROUNDS, SLOW_SECONDS = 3, 2.0


class Plan(NamedTuple):
    """How much is measured. A machine that others use too is now and then slower by a third, for
    seconds at a time: so rounds are short and many, and most are where targets are judged."""

    rows: tuple[Row, ...]
    connections: tuple[int, ...]
    rounds: int
    judged_rounds: int
    compared_rounds: int
    seconds: float
    big: int

    def rounds_of(self, row: Row, connections: int) -> int:
        """How often a row is measured at that many connections."""
        if row.slow:
            return SLOW_ROUNDS
        if connections == 1 and any(row.key in group for group in COMPARED):
            return self.compared_rounds
        return self.judged_rounds if connections == JUDGED else self.rounds

    def told(self) -> str:
        """In words."""
        return (
            f"{self.rounds} of {self.seconds} s each, {self.judged_rounds} at {JUDGED} "
            f"connections, {self.compared_rounds} at one where rows are compared, "
            f"{SLOW_ROUNDS} of {SLOW_SECONDS:g} s for slow ones; medians"
        )


FULL = Plan(
    ROWS,
    (1, JUDGED, 64),
    rounds=4,
    judged_rounds=48,
    compared_rounds=48,
    seconds=0.25,
    big=10_000,
)


class Progress:
    """Lines with the time since the start; counts from several threads."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self._done = 0

    def say(self, text: str) -> None:
        """Print a line."""
        print(f"[{time.monotonic() - self._start:4.0f} s] {text}", flush=True)

    def count(self, total: int, step: int = 5000) -> None:
        """One more contact is in; say so now and then."""
        with self._lock:
            self._done += 1
            if self._done % step == 0 or self._done == total:
                self.say(f"{self._done} of {total} contacts")


def prove(field: Field, rows: tuple[Row, ...]) -> list[str]:
    """Everything that must hold; the lines that say so."""
    assert field.ceiling
    lines = []
    for engine in ENGINES:
        found = field.seeded[f"contactapp-{engine}"]
        name = found.server.name
        proofs.revoked_token(found.server)
        proofs.running_quota(found)
        if engine == "sqlite":
            low = f"sqlite:///{field.folder}/low.sqlite3"
        else:
            low = field.postgres.new_database("low_bench", "postgresql+psycopg")
        proofs.enforced_quota(f"contactapp-low-{engine}", low, field.folder)
        said = proofs.durability(found.server)
        for row in rows:
            if row.key in found.requests:
                mine = constant_path(engine, row.key)
                measured = constant_path("sqlite", row.key)
                proofs.same_bytes(field.ceiling, found, row, mine, measured)
        asked = "`PRAGMA synchronous`" if engine == "sqlite" else "`fsync`, `synchronous_commit`"
        lines.append(
            f"{name}: a revoked token gets 401; an over-limit caller 429 with Retry-After, and the "
            f"measured server's quota counts down; {asked}: {said}; the bytes equal the ceiling's."
        )
    return lines


def measure(field: Field, row: Row, connections: int, name: str, seconds: float) -> Sample | None:
    """One round on one server; None where it has no such route."""
    if name == CEILING:
        assert field.ceiling
        server, request = field.ceiling, field.seeded["contactapp-sqlite"].requests.get(row.key)
        if request:
            request = request._replace(path=constant_path("sqlite", row.key))
    else:
        server, request = field.seeded[name].server, field.seeded[name].requests.get(row.key)
    if request is None:
        return None
    # The bundled client waits for the last answer; wrk leaves hashes behind that nobody counts.
    signing_in = row.key == "sign-in"
    run = load.bundled if signing_in else load.load
    for lasting in (SLOW_SECONDS if row.slow else seconds, 2 * SLOW_SECONDS):
        before, base = server.cpu_seconds(), field.postgres.cpu_seconds()
        count = run(server.port, request, connections, lasting)
        spent, base_spent = server.cpu_seconds() - before, field.postgres.cpu_seconds() - base
        if count.good:  # the reference may need longer for its first one
            break
    if not count.good or (count.refused and not signing_in) or count.broken > count.good / 20:
        raise SystemExit(
            f"{name}, {row.key}, {connections} connections: {count.good} answers, {count.refused} "
            f"refused, {count.broken} connections broken\n{server.log.read_text()[-2000:]}"
        )
    each = 1e6 / count.good
    return Sample(spent * each, base_spent * each, count.good / count.seconds, count.refused)


def measure_all(field: Field, plan: Plan, progress: Progress) -> Samples:
    """Every row at every number of connections."""
    samples = Samples()
    names = [CEILING, *field.seeded]
    steps = [
        (rows, count)
        for rows in together(plan.rows)
        for count in plan.connections
        if rows[0].key != "sign-in" or count <= SIGN_IN_CONNECTIONS
    ]
    for done, (rows, connections) in enumerate(steps, 1):
        for row in rows:
            for name in names:  # every worker opens the book before it counts
                warm(field, row, name)
        for _ in range(plan.rounds_of(rows[0], connections)):
            for name in names:
                for row in rows:  # of one server right after each other: they are compared
                    sample = measure(field, row, connections, name, plan.seconds)
                    if sample:
                        samples.add(row.key, connections, name, sample)
        for row in rows:
            found = ((n, samples.cpu_ratios(row.key, connections, n)) for n in names[1:])
            ratios = ", ".join(f"{n} {ratio(costs)}" for n, costs in found if costs)
            progress.say(f"{done}/{len(steps)} {row.label}, {connections}: {ratios}")
    return samples


def warm(field: Field, row: Row, name: str) -> None:
    """A few requests over fresh connections, so that all workers have their caches."""
    if name == CEILING or row.key in ("sign-in", "create"):
        return
    request = field.seeded[name].requests.get(row.key)
    for _ in range(12 if request else 0):
        assert request
        proofs.good(seed.Talk(field.seeded[name].server).send(request), row)


def run(plan: Plan, command: str, progress: Progress) -> table.Results:
    """The whole run."""
    postgres = servers.Postgres()
    with tempfile.TemporaryDirectory() as folder:
        field = Field(Path(folder), postgres)
        try:
            field.start()
            progress.say("servers started")
            others = [figure for server in field.running for figure in other.memory(server)]
            field.fill(plan.big, progress.count)
            field.raise_ceiling()
            proven = prove(field, plan.rows)
            progress.say("proofs hold")
            samples = measure_all(field, plan, progress)
            for name, found in field.seeded.items():
                others += other.interference(found)
                if is_ours(name):
                    others += other.views(found, plan.big) + other.notes(found)
                    others += other.data(found) + other.many(found, plan.big) + files.files(found)
                progress.say(f"other figures of {name}")
            about = machine.facts(command, plan.told(), postgres)
            about["big book"] = f"{plan.big} contacts"
            return table.Results(plan.rows, samples, about, proven, others)
        finally:
            field.stop()
            postgres.stop()


def main() -> None:
    """Measure, print, and write the results of a full run."""
    parser = argparse.ArgumentParser(prog="make bench", description="What a request costs.")
    parser.add_argument("--quick", action="store_true", help="one short round; only prints")
    parser.add_argument("--rows", default="", help=f"some of {','.join(r.key for r in ROWS)}")
    parser.add_argument("--out", type=Path, help="folder of results.md and results.svg")
    given = parser.parse_args()
    rows, progress = chosen(given.rows), Progress()
    plan = FULL._replace(rows=rows)
    if given.quick:
        plan = Plan(
            rows, (JUDGED,), rounds=1, judged_rounds=1, compared_rounds=1, seconds=1, big=2_000
        )
    results = run(plan, "make bench", progress)
    text = table.render(results)
    print(text)
    out = given.out or (None if given.quick or given.rows else servers.HERE)
    if out:
        (out / "results.md").write_text(text, encoding="utf-8")
        (out / "results.svg").write_text(plot.draw(results.samples, rows, JUDGED), encoding="utf-8")


if __name__ == "__main__":
    main()
