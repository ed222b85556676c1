"""A contact in the making: what each cell of a row adds to it."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from ..dates import partial_date, spreadsheet_date
from ..entries import ADDRESS, Entry, is_same_as, shown_name
from ..record import Record
from ..words import usual, without_repetition
from .own import value_of
from .target import Target

_NO_DATES = {"0/0/00", "0.0.00", "00/00/0000"}  # Outlook's for none
_SYSTEM_GROUP = "* "  # Google's, before its own groups and before the type of a primary entry
_USUAL = {"normal", "false", "unspecified"}
_EXCHANGE = "/o="  # where Outlook has a colleague's place in a directory for an address
_SEVERAL = ":::"  # Google's, between values of one cell


class Filling:
    """Fills a record from cells that are not empty."""

    def __init__(self, record: Record, *, is_ours: bool) -> None:
        self.record = record
        self._is_ours = is_ours  # then nothing in a cell means anything but itself
        self._fields = record.fields
        self._slots: dict[tuple[str, str], Entry] = {}
        self._known: dict[Hashable, Entry] = {}
        self._pairs: dict[tuple[str, str], dict[str, str]] = {}
        self._labels: list[str] = []
        self._day: dict[str, str] = {}

    def add(self, target: Target, text: str) -> None:
        """Let the text of one cell in."""
        kind = target.kind
        if kind == "line":
            self._fields.setdefault(target.field, " ".join(_lines(text)))
        elif kind == "entry":
            self._add_entry(target, text)
        elif kind == "pair":
            pair = self._pairs.setdefault((target.field, target.slot), {})
            pair[target.member] = text
        else:
            _ADDING[kind](self, target, text)

    def _add_entry(self, target: Target, text: str) -> None:
        entry = self._slots.setdefault((target.field, target.slot), {})
        if target.label:
            entry["label"] = target.label
        if target.member in ("street", "extended"):
            text = "\n".join(_lines(text))
            text = f"{entry[target.member]}\n{text}" if target.member in entry else text
        entry[target.member] = text

    def date(self, target: Target, text: str) -> None:
        if day := spreadsheet_date(text):
            self._fields.setdefault(target.field, day)
        elif text not in _NO_DATES:
            self.custom(target, text)

    def day(self, target: Target, text: str) -> None:
        self._day[target.member] = text

    def labels(self, target: Target, text: str) -> None:
        marks = (target.field,) if target.field else (_SEVERAL, ";", ",")
        mark = next((mark for mark in marks if mark in text), None)
        self._labels += text.split(mark) if mark else [text]

    def note(self, _target: Target, text: str) -> None:
        if text := text.replace("\r\n", "\n").strip():
            self.record.notes.append(text)

    def custom(self, target: Target, text: str) -> None:
        self._custom(target.field, text)

    def unusual(self, target: Target, text: str) -> None:
        if text.lower() not in _USUAL:
            self.custom(target, text)

    def typed(self, target: Target, text: str) -> None:
        self._fields.setdefault("custom_fields", {})[target.field] = value_of(text)

    def starred(self, _target: Target, text: str) -> None:
        if text.lower() in ("true", "yes", "1"):
            self._fields["starred"] = True

    def uid(self, _target: Target, text: str) -> None:
        self.record.uid = text

    def photo(self, _target: Target, text: str) -> None:
        # An address elsewhere, kept as a vCard keeps one, and never fetched.
        self.record.kept.append("PHOTO;VALUE=uri:" + "".join(text.split()))

    def nothing(self, _target: Target, _text: str) -> None:
        return

    def _custom(self, key: str, text: str) -> None:
        fields = self._fields.setdefault("custom_fields", {})
        fields[key] = f"{fields[key]}, {text}" if key in fields else text

    def finish(self) -> Record:
        """The record, whole."""
        for (kind, _), entry in self._slots.items():
            if self._is_ours and entry.keys() - {"label"}:
                self._fields.setdefault(kind, []).append(entry)
            elif not self._is_ours:
                self._entry(kind, entry)
        for (kind, slot), pair in self._pairs.items():
            self._pair(kind, slot, pair)
        if self._day:
            self._birthday()
        if labels := self._labels if self._is_ours else self._labels_of_others():
            self._fields["labels"] = labels
        name = self._fields.pop("name", None)
        is_named = {"first_name", "last_name"} & self._fields.keys()
        if name and not is_named and name != shown_name(self._fields):
            self._fields["name"] = name
        return self.record

    def _entry(self, kind: str, entry: Entry) -> None:
        label = entry.pop("label", "")
        is_primary = label.startswith(_SYSTEM_GROUP)
        if label := usual(label.removeprefix(_SYSTEM_GROUP).strip()):
            entry["label"] = label
        formatted = entry.pop("formatted", None)
        if kind == "addresses":
            if formatted and not entry.keys() & set(ADDRESS):
                entry["street"] = "\n".join(_lines(formatted))
            several = [entry] if entry.keys() & set(ADDRESS) else []
        else:
            values = filter(None, map(str.strip, entry.get("value", "").split(_SEVERAL)))
            several = []
            for value in values:
                if kind == "emails" and value[:3].lower() == _EXCHANGE:
                    self._custom("exchange_address", value)
                else:
                    several.append({**entry, "value": value})
        entries = self._fields.setdefault(kind, []) if several else []
        for one in several:
            if self._known.setdefault(is_same_as(kind, one), one) is one:
                entries.append(one)
        if is_primary and several and not any("primary" in one for one in entries):
            self._known[is_same_as(kind, several[0])]["primary"] = True

    def _pair(self, kind: str, slot: str, pair: dict[str, str]) -> None:
        if "value" not in pair:
            return
        label = pair.get("label", "").removeprefix(_SYSTEM_GROUP).strip()
        if kind == "typed":
            key = str(value_of(pair.get("label", slot)))
            self._fields.setdefault("custom_fields", {})[key] = value_of(pair["value"])
        elif kind == "event" and label.lower() == "anniversary" and partial_date(pair["value"]):
            self._fields.setdefault("anniversary", partial_date(pair["value"]))
        else:
            self._custom(label or f"{kind} {slot}", pair["value"].replace(f" {_SEVERAL} ", ", "))

    def _birthday(self) -> None:
        year, month, day = (self._day.get(part, "") for part in ("year", "month", "day"))
        text = f"{year or '-'}-{month:0>2}-{day:0>2}" if month and day else year
        if found := partial_date(text):
            self._fields.setdefault("birthday", found)
        else:
            self._custom("birthday", "-".join(filter(None, (year, month, day))))

    def _labels_of_others(self) -> list[str]:
        labels = without_repetition(self._labels)
        if "* starred" in labels:
            self._fields["starred"] = True
        system = ("* starred", "* myContacts")
        return [label.removeprefix(_SYSTEM_GROUP) for label in labels if label not in system]


def _lines(text: str) -> list[str]:
    lines = text.replace("\r", "\n").split("\n") if "\n" in text or "\r" in text else [text]
    return [line.strip() for line in lines if line.strip()] if len(lines) > 1 else lines


_ADDING: dict[str, Callable[[Filling, Target, str], None]] = {
    "date": Filling.date,
    "day": Filling.day,
    "labels": Filling.labels,
    "note": Filling.note,
    "custom": Filling.custom,
    "unusual": Filling.unusual,
    "typed": Filling.typed,
    "starred": Filling.starred,
    "uid": Filling.uid,
    "photo": Filling.photo,
    "nothing": Filling.nothing,
}
