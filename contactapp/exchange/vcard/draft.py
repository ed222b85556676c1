"""A contact in the making."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from ...contacts.folding import SPACED, fold
from ..entries import Entry, is_same_as, shown_name
from ..record import Problem, Record
from ..words import without_repetition
from .properties import Property, may_be_kept

MAX_LABEL = 64
MAX_COMPARED = 2000  # characters; folding long runs of marks takes quadratic time
MAX_KEPT = 65_536  # characters of one card's kept lines
NAMES = ("last_name", "first_name", "middle_name", "prefix", "suffix")


class Draft:
    """Fills a record. A property that finds no room in a field is kept as a line."""

    def __init__(self, record: Record, labels: dict[str, str]) -> None:
        self.record = record
        self.fields = record.fields
        self.apple_labels = labels  # of X-ABLabel, by group
        self.labelled: set[str] = set()  # groups whose label a field has taken
        self.full_name: str | None = None
        self.labels: list[str] = []
        self._kept: list[Property] = []
        self._room = MAX_KEPT
        self._entries: dict[Hashable, Entry] = {}
        self._preferred: dict[str, tuple[int, Entry]] = {}

    def keep(self, line: int, one: Property) -> None:
        """Keep a line that no field holds."""
        if not one.value.strip():
            return
        if not may_be_kept(one.raw):
            self._left_out(line, one, "it ends as if it went on.")
        elif len(one.raw) > self._room:
            self._left_out(line, one, f"kept lines have at most {MAX_KEPT} characters.")
        else:
            self._room -= len(one.raw)
            self._kept.append(one)

    def _left_out(self, line: int, one: Property, why: str) -> None:
        detail = f"{one.name[:100]} was left out: {why}"
        self.record.warnings.append(Problem(line, line, "left_out", detail))

    def finish(self) -> Record:
        """The record, whole."""
        self.record.kept = [
            one.raw
            for one in self._kept
            if not (one.name == "X-ABLABEL" and one.group in self.labelled)
        ]
        for kind, (_, entry) in self._preferred.items():
            if len(self.fields[kind]) > 1:  # the only one is the primary one anyhow
                entry["primary"] = True
        if labels := without_repetition(self.labels):
            self.fields["labels"] = labels
        if self.full_name:
            self._name(self.full_name)
        return self.record

    def _name(self, name: str) -> None:
        fields = self.fields
        if name == " ".join(shown_name(fields).split()):
            return
        if not (fields.get("first_name") or fields.get("last_name")):
            fields["name"] = name
        elif _says_more(name, " ".join(_texts(fields))):
            fields.setdefault("custom_fields", {}).setdefault("display_name", name)

    def single(self, field: str, text: str) -> bool:
        """Fill a field that holds one line, unless it is filled."""
        text = " ".join(text.split("\n")).strip()
        if text and field in self.fields:
            return False
        if text:
            self.fields[field] = text
        return True

    def entry(self, kind: str, one: Property, entry: Entry) -> bool:
        """Add an entry to `emails`, `phones`, `urls` or `addresses`, with its label."""
        label: str | None = one.label
        if one.group in self.apple_labels and one.group:
            self.labelled.add(one.group)
            label = self.apple_labels[one.group] or label
        if label:
            entry["label"] = label
        # Some programs write one twice, once for each of its types.
        other = self._entries.setdefault(is_same_as(kind, entry), entry)
        if other is entry:
            self.fields.setdefault(kind, []).append(entry)
        self._prefer(kind, one, entry if other is entry else _merged(other, label))
        return True

    def _prefer(self, kind: str, one: Property, entry: Entry) -> None:
        if not one.parameters:
            return
        said = one.parameters.get("PREF", "")
        rank = int(said) if said.isdecimal() and len(said) < 4 else 1 if "pref" in one.types else 0
        if rank and (kind not in self._preferred or rank < self._preferred[kind][0]):
            self._preferred[kind] = (rank, entry)


def _merged(entry: Entry, label: str | None) -> Entry:
    both = " ".join(dict.fromkeys(f"{entry.get('label', '')} {label or ''}".split()))
    if both and len(both) <= MAX_LABEL:
        entry["label"] = both
    return entry


def _texts(fields: dict[str, Any]) -> list[str]:
    values = [fields.get(field, "") for field in (*NAMES, "nickname", "company")]
    return values + [entry["value"] for entry in fields.get("emails", ())]


def _says_more(name: str, others: str) -> bool:
    if len(name) + len(others) > MAX_COMPARED:
        return True
    return not _words(name) <= _words(others)


def _words(text: str) -> set[str]:
    return set(fold(text).translate(SPACED).split())
