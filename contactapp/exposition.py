"""What was counted, in Prometheus' text format."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path

from .metrics import BOUNDS, FAMILIES, HISTOGRAM, counted
from .tally import Name

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(found_now: Iterable[tuple[str, float]]) -> bytes:
    """Everything counted, and what the scrape found out itself: (family, number)."""
    sums: dict[Name, list[float]] = {}
    for name, numbers in counted():
        if _is_known(name, len(numbers)):
            so_far = sums.get(name, [0.0] * len(numbers))
            sums[name] = [a + b for a, b in zip(so_far, numbers, strict=True)]
    sums |= {(name,): [number] for name, number in found_now}
    for name in [name for name in sums if name[0] == "process_id"]:
        pid = int(sums[name][0])
        if pid == 0:  # its place is empty
            del sums[name]
        elif (size := _resident(pid)) is not None:
            sums["resident_bytes", name[1]] = [size]
    return "".join(_lines(sums)).encode()


def _is_known(name: Name, size: int) -> bool:
    """Not so for what another version counted, before the server was told to reload."""
    family = FAMILIES.get(name[0])
    if family is None or len(family.labels) != len(name) - 1:
        return False
    return size == (HISTOGRAM if family.kind == "histogram" else 1)


def _lines(sums: dict[Name, list[float]]) -> Iterator[str]:
    for family, (kind, text, labels) in FAMILIES.items():
        yield f"# HELP contactapp_{family} {text}\n# TYPE contactapp_{family} {kind}\n"
        for name in sorted(name for name in sums if name[0] == family):
            told = [f'{label}="{_escaped(v)}"' for label, v in zip(labels, name[1:], strict=True)]
            if kind == "histogram":
                yield from _histogram(family, told, sums[name])
            else:
                yield _line(family, told, sums[name][0])


def _histogram(family: str, labels: list[str], numbers: list[float]) -> Iterator[str]:
    total, *buckets = numbers
    below = list(accumulate(buckets))
    for bound, number in zip((*BOUNDS, "+Inf"), below, strict=True):
        yield _line(f"{family}_bucket", [*labels, f'le="{bound}"'], number)
    yield _line(f"{family}_sum", labels, total)
    yield _line(f"{family}_count", labels, below[-1])


def _line(name: str, labels: list[str], number: float) -> str:
    value = "+Inf" if number == float("inf") else repr(number)
    return f"contactapp_{name}{'{' + ','.join(labels) + '}' if labels else ''} {value}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _resident(pid: int) -> int | None:
    """The bytes that a process has in memory; None where the system does not tell, or it ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
