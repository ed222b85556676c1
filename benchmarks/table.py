"""`benchmarks/results.md`: the tables, the targets, and how to read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from .other import Figure
from .rows import Row
from .samples import CEILING, Samples, Verdict, verdicts

READING = """\
* **CPU** is processor time of the server's whole process tree per answered request, in µs. On a
  quiet machine it repeats within about 3 %; requests/s, on the same cores as the client, within
  about 15 %. How quiet this one was, the middle halves under Targets tell.
* **× ceiling** is that CPU divided by the CPU of a bare Flask view under the same gunicorn that
  answers the same bytes without doing anything: taken within each round, then the median. In
  brackets is where the middle half of the rounds lies.
* **database µs** is the CPU of the PostgreSQL server's own processes per request. They are not part
  of the application's tree, so it comes on top of CPU; SQLite's work is inside the tree.
* **× reference** is requests/s divided by those of the FastAPI reference on the same engine. Its
  deep page counts rows (skip), it has no 304, and it seals nothing and counts no quota.
* All servers run throughout with two workers and take turns in every round. Quotas run,
  authentication is real, caches are warm. A sign-in is a bcrypt hash of cost 12; **refused** are
  answers of 400 and above, which for a sign-in is the 503 of a full queue.
* Times inside a process (the other figures) are the lower quartile of two dozen tries and more:
  what else runs on the machine only ever adds to them.
"""


@dataclass
class Results:
    """A finished run."""

    rows: tuple[Row, ...]
    samples: Samples
    machine: dict[str, str]
    proofs: list[str] = field(default_factory=list)
    others: list[Figure] = field(default_factory=list)


def render(results: Results, plot: str = "results.svg") -> str:
    """The whole document."""
    parts = ["# What a request costs", "", "Made by `make bench`; not edited by hand.", ""]
    parts += grid(("", ""), results.machine.items())
    parts += ["", f"![CPU per request and requests per second]({plot})", ""]
    parts += ["## How to read it", "", READING]
    parts += ["Held before measuring, asked from outside:", ""]
    parts += [f"* {proof}" for proof in results.proofs]
    parts += ["", "## Targets", ""]
    parts += grid(("", "target", "found", ""), _target_lines(results))
    for connections in results.samples.connections():
        noun = "connection" if connections == 1 else "connections"
        parts += ["", f"## {connections} {noun}", "", *_measured(results, connections)]
    parts += ["", "## Other figures", ""]
    others = [(f.label, f.server, f.value, f.target, mark(f.met)) for f in results.others]
    parts += grid(("", "server", "found", "target", ""), others)
    return "\n".join(parts) + "\n"


def grid(head: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    rule = "|" + "---|" * len(head)
    return (
        ["| " + " | ".join(line) + " |" for line in [head]]
        + [rule]
        + ["| " + " | ".join(line) + " |" for line in lines]
    )


def mark(met: bool | None) -> str:
    """The verdict in words."""
    return {True: "met", False: "**not met**", None: ""}[met]


def _target_lines(results: Results) -> list[tuple[str, str, str, str]]:
    judged: list[Verdict] = verdicts(results.samples, results.rows)
    lines = [(v.label, v.target, v.found, mark(v.met)) for v in judged]
    for f in results.others:
        if f.met is not None:
            lines.append((f"{f.label}, {f.server}", f.target, f.value, mark(f.met)))
    return lines


def _measured(results: Results, connections: int) -> list[str]:
    head = ("", "server", "CPU µs", "× ceiling", "database µs", "requests/s", "× reference",
            "refused")  # fmt: skip
    return grid(head, measured_lines(results.samples, results.rows, connections))


def measured_lines(
    samples: Samples, rows: tuple[Row, ...], connections: int
) -> list[tuple[str, ...]]:
    """A line per row and server."""
    lines = []
    for row in rows:
        for server in samples.servers():
            found = samples.median(row.key, connections, server)
            if found is None:
                continue
            costs = samples.cpu_ratios(row.key, connections, server)
            rates = []
            if server.startswith("contactapp"):
                other = server.replace("contactapp", "reference")
                rates = samples.rate_ratios(row.key, connections, server, other)
            lines.append((
                row.label,
                server,
                f"{found.cpu:.0f}",
                f"{median(costs):.2f}" if costs and server != CEILING else "",
                f"{found.database_cpu:.0f}" if server.endswith("postgresql") else "",
                f"{found.rate:.0f}" if found.rate >= 100 else f"{found.rate:.1f}",
                f"{median(rates):.1f}" if rates else "",
                str(found.refused) if found.refused else "",
            ))  # fmt: skip
    return lines
