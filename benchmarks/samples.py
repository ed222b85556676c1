"""What was measured, round by round, and its medians and ratios. Pure arithmetic."""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import NamedTuple

from .rows import JUDGED, Row

CEILING = "ceiling"


def undisturbed(taken: list[float]) -> float:
    """The lower quartile: what else runs on the machine only ever adds to a time."""
    return statistics.quantiles(taken, n=4)[0]


class Sample(NamedTuple):
    """One round of one request on one server; CPU in µs per answered request."""

    cpu: float
    database_cpu: float
    rate: float
    refused: int


class Samples:
    """The samples by (row's key, connections, server), rounds in order."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, int, str], list[Sample]] = defaultdict(list)

    def add(self, key: str, connections: int, server: str, sample: Sample) -> None:
        """Append a round."""
        self._all[key, connections, server].append(sample)

    def of(self, key: str, connections: int, server: str) -> list[Sample]:
        """The rounds, none where it was not measured."""
        return self._all.get((key, connections, server), [])

    def median(self, key: str, connections: int, server: str) -> Sample | None:
        """The median of each figure; refusals are summed."""
        rounds = self.of(key, connections, server)
        if not rounds:
            return None
        cpu, database, rate = (statistics.median(r[i] for r in rounds) for i in range(3))
        return Sample(cpu, database, rate, sum(r.refused for r in rounds))

    def cpu_ratios(self, key: str, connections: int, server: str) -> list[float]:
        """CPU per request to the ceiling's of the same round."""
        return [a.cpu / b.cpu for a, b in self._pairs(key, connections, server, CEILING)]

    def rate_ratios(self, key: str, connections: int, server: str, other: str) -> list[float]:
        """Requests per second to another server's of the same round."""
        return [a.rate / b.rate for a, b in self._pairs(key, connections, server, other)]

    def cost_ratios(self, key: str, other: str, connections: int, server: str) -> list[float]:
        """CPU per request to that of another row on the same server in the same round."""
        mine, theirs = (self.of(k, connections, server) for k in (key, other))
        pairs = zip(mine, theirs, strict=True) if mine and theirs else ()
        return [a.cpu / b.cpu for a, b in pairs]

    def _pairs(
        self, key: str, connections: int, one: str, other: str
    ) -> list[tuple[Sample, Sample]]:
        mine, theirs = self.of(key, connections, one), self.of(key, connections, other)
        return list(zip(mine, theirs, strict=True)) if mine and theirs else []

    def connections(self) -> list[int]:
        """The connection counts measured."""
        return sorted({connections for _, connections, _ in self._all})

    def servers(self) -> list[str]:
        """The servers measured, in the order of their first sample."""
        return list(dict.fromkeys(server for _, _, server in self._all))


class Verdict(NamedTuple):
    """A target, what was found, and whether it was met."""

    label: str
    target: str
    found: str
    met: bool


def ratio(ratios: list[float], digits: int = 2) -> str:
    """The median of the rounds, and between which two of them the middle half lies."""
    text = f"{statistics.median(ratios):.{digits}f} ×"
    if len(ratios) < 4:
        return text
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{text} ({low:.{digits}f}–{high:.{digits}f})"


def verdicts(samples: Samples, rows: tuple[Row, ...]) -> list[Verdict]:
    """The targets of every row that was measured: CPU and rates at the judged number of
    connections, times and comparisons at one."""
    counts = samples.connections()
    judged = JUDGED if JUDGED in counts else counts[0]
    made: list[Verdict] = []
    for row in rows:
        for engine, most in (("sqlite", row.sqlite), ("postgresql", row.postgresql)):
            name = f"contactapp-{engine}"
            costs = samples.cpu_ratios(row.key, judged, name)
            if most and costs:
                met = statistics.median(costs) <= most
                label = f"{row.label}, {engine}: CPU"
                made.append(Verdict(label, f"≤ {most} ×", ratio(costs), met))
            rates = samples.rate_ratios(row.key, judged, name, f"reference-{engine}")
            if row.faster and engine in row.faster_on and rates:
                met = statistics.median(rates) >= row.faster
                label = f"{row.label}, {engine}: requests/s to the reference"
                made.append(Verdict(label, f"≥ {row.faster:g} ×", ratio(rates, 1), met))
            alone = samples.median(row.key, 1, name)
            if row.big and alone:
                label = f"{row.label}, {engine}: time at one connection"
                spent = 1000 / alone.rate
                made.append(Verdict(label, "≤ 5 ms", f"{spent:.2f} ms", spent <= 5))
    return made + _comparisons(samples, counts[0])


def _comparisons(samples: Samples, connections: int) -> list[Verdict]:
    """Requests that must not cost more than another one of the same server."""
    made = []
    for engine in ("sqlite", "postgresql"):
        for label, one, other, most in (
            ("304 to 200", "unchanged", "list", 0.995),
            # CPU repeats within 3 %, so a difference below that is none.
            ("deep page by cursor to the first", "deep", "list-big", 1.03),
            ("deep page by skip to the first", "skip", "list-big", 1.03),
        ):
            costs = samples.cost_ratios(one, other, connections, f"contactapp-{engine}")
            if costs:
                target = "cheaper" if most < 1 else "no dearer (within 3 %)"
                met = statistics.median(costs) <= most
                made.append(
                    Verdict(f"{label}, {engine}: CPU at one connection", target, ratio(costs), met)
                )
    return made
