"""The columns of the CSV that we write, and the cells of custom fields, which keep their types."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from ..entries import ADDRESS, entries_of
from ..record import Record
from ..vcard.fields import is_custom_value
from .target import SCALARS, Target, entry, line

MAX_CUSTOM_COLUMNS = 100
_ENTRY = re.compile(r"(email|phone|url)_(\d{1,4})(_label)?")
_ADDRESS = re.compile(rf"address_(\d{{1,4}})_({'|'.join((*ADDRESS, 'label'))})")
_NOTE = re.compile(r"note_\d{1,6}")
_PAIR = re.compile(r"custom_(\d{1,4})_(key|value)")
_CUSTOM = "custom:"
_JSON = re.compile(
    r'true|false|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|".*', re.DOTALL
)
_MAX_NUMBER = 30  # characters of one that is read as a number


class Layout(NamedTuple):
    """How many columns of each kind there are, so that every contact of an export has room."""

    emails: int
    phones: int
    urls: int
    addresses: int
    notes: int
    keys: tuple[str, ...]  # custom fields with a column of their own, the others share pairs
    pairs: int

    @classmethod
    def of(cls, records: Iterable[Record]) -> Layout:
        """The layout for these records, which are read once."""
        widest = [0] * 5
        counts: Counter[str] = Counter()
        sets: set[frozenset[str]] = set()
        for record in records:
            fields = record.fields
            widths = (
                len(entries_of(fields, "emails")),
                len(entries_of(fields, "phones")),
                len(fields.get("urls") or ()),
                len(fields.get("addresses") or ()),
                len(record.notes),
            )
            widest = list(map(max, widest, widths))
            if custom := fields.get("custom_fields"):
                counts.update(custom.keys())
                sets.add(frozenset(custom))
        common = sorted(counts, key=lambda key: (-counts[key], key))[:MAX_CUSTOM_COLUMNS]
        pairs = max((len(keys - set(common)) for keys in sets), default=0)
        emails, phones, urls, addresses, notes = widest
        return cls(emails, phones, urls, addresses, notes, tuple(sorted(common)), pairs)

    def columns(self) -> list[str]:
        columns = ["uid", *SCALARS]
        for kind, width in (("email", self.emails), ("phone", self.phones), ("url", self.urls)):
            for n in range(1, width + 1):
                columns += [f"{kind}_{n}", f"{kind}_{n}_label"]
        for n in range(1, self.addresses + 1):
            columns += [f"address_{n}_{part}" for part in (*ADDRESS, "label")]
        columns += ["labels", "starred", *(_CUSTOM + key for key in self.keys)]
        for n in range(1, self.pairs + 1):
            columns += [f"custom_{n}_key", f"custom_{n}_value"]
        return columns + [f"note_{n}" for n in range(1, self.notes + 1)]


def own_target(column: str) -> Target | None:
    if column in SCALARS:
        return line(column)
    if column in ("uid", "starred"):
        return Target(column)
    if column == "labels":
        return Target("labels", "\n")
    if column.startswith(_CUSTOM):
        return Target("typed", column.removeprefix(_CUSTOM))
    if match := _ENTRY.fullmatch(column):
        return entry(match[1], match[2], "label" if match[3] else "value")
    if match := _ADDRESS.fullmatch(column):
        return entry("address", match[1], match[2])
    if match := _PAIR.fullmatch(column):
        return Target("pair", "typed", match[1], "label" if match[2] == "key" else "value")
    return Target("note") if _NOTE.fullmatch(column) else None


def cell_of(value: str | float | bool) -> str:
    """A custom field's value as a cell: text as it is, unless it would read as something else."""
    if isinstance(value, str) and value and not _JSON.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def value_of(cell: str) -> str | float | bool:
    """The value of a cell that `cell_of` made; what anybody else wrote there may be text."""
    if _JSON.fullmatch(cell) and (cell[0] == '"' or len(cell) <= _MAX_NUMBER):
        try:
            value = json.loads(cell)
        except ValueError:
            return cell
        if is_custom_value(value):
            return value
    return cell
