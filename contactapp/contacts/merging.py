"""The card that several contacts become. Pure: cards in, a card out.

What the survivor has stays. What is empty there comes from the sources, in the order in which they
are given; but the parts of a name only from who is not called otherwise, and a title only from the
same company, or Ada whose source is Bob Smith would become Ada Smith. Lists are united; what is the
same but for case, accents or the way a number is written is there once. `choose` takes a field as
one of the contacts has it, be it empty. Of what only an import knows (`vcard`) the survivor's is
kept, else the first source's; the rest lies in the trash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import FieldError, InvalidFields
from .card import HIDDEN, LINES, MAX_LABELS
from .digits import is_number, number_of
from .entries import MAX_ENTRIES, PARTS, SCALARS, Entry, entries_of, primary_of, sameness
from .folding import fold
from .whole import whole

Card = dict[str, Any]

# What tells of one person or one job, and what is filled only from a card that agrees in that.
_TOGETHER = (
    (("first_name", "last_name"), ("prefix", "middle_name", "suffix")),
    (("company",), ("department", "title")),
    ((), ("nickname", "birthday", "anniversary", "starred", *HIDDEN)),
)
_PRIMARY = {scalar: name for name, scalar in SCALARS.items()}
CUSTOM = "custom_fields."  # before the key of one, in `choose`
CHOSEN = (*LINES, "starred", "photo")


def merged(cards: Mapping[int, Card], choose: Mapping[str, int]) -> Card:
    """The card of the first contact when the others are merged into it. `choose` names for a field
    the contact whose value it gets. Raises InvalidFields where that is none of them or has no such
    value, and where what is united is more than a card holds."""
    _check_choices(cards, choose)
    everybody = list(cards.values())
    fields = _filled(everybody, {field: cards[id_].get(field) for field, id_ in choose.items()})
    for name in PARTS:
        scalar = SCALARS.get(name, "")
        primary = None
        if scalar in choose:
            primary = primary_of(entries_of(cards[choose[scalar]], name))
        fields[name] = _united(name, everybody, primary)
    fields["labels"] = each_once(everybody)
    fields["custom_fields"] = _custom(cards, choose)
    check_limits(fields)
    # No definitions: custom fields may be older than what they are defined as now, and stay so.
    return whole({k: v for k, v in fields.items() if k not in _PRIMARY}, None, {})


def _filled(everybody: list[Card], chosen: Mapping[str, Any]) -> Card:
    """The fields that have one value: what was chosen, else the survivor's, else the sources'."""
    fields = {**everybody[0], **chosen}
    for heads, others in _TOGETHER:
        for source in everybody[1:]:
            if all(_agree(fields.get(head), source.get(head)) for head in heads):
                for field in (*heads, *others):
                    if not fields.get(field) and field not in chosen:
                        fields[field] = source.get(field)
    return fields


def _agree(one: str | None, other: str | None) -> bool:
    return not one or not other or fold(one) == fold(other)


def _united(name: str, everybody: Iterable[Card], primary: Entry | None) -> list[Entry]:
    """The entries of all, the survivor's first; its primary one stays that, unless another is to
    be it."""
    kept: list[tuple[Entry, str | None]] = []
    alike: dict[object, list[int]] = {}
    for card in everybody:
        for entry in entries_of(card, name):
            key, country = _key(name, entry)
            places = alike.setdefault(key, [])
            same = next((i for i in places if _agree(kept[i][1], country)), None)
            if same is not None:
                kept[same] = ({**entry, **kept[same][0]}, kept[same][1] or country)
                continue
            places.append(len(kept))
            # Said of each: of two primary ones the first stays, which is the survivor's.
            kept.append(({**entry, "primary": entry.get("primary", False)}, country))
    entries = [entry for entry, _ in kept]
    if primary is None:
        return entries
    wanted, country = _key(name, primary)
    place = next(i for i in alike[wanted] if _agree(kept[i][1], country))
    return [{**entry, "primary": i == place} for i, entry in enumerate(entries)]


def _key(name: str, entry: Entry) -> tuple[object, str | None]:
    """Equal for entries that are the same; of a number the national digits, and the whole with the
    country's, which must not differ, where it says one. What has an extension is another number."""
    if name != "phones" or not is_number(entry["value"]):
        return sameness(name, entry), None
    number = number_of(entry.get("e164") or entry["value"])
    return number.national.lstrip("0"), number.international


def is_same_entry(name: str, one: Entry, other: Entry) -> bool:
    """Whether two entries of a list are one when they come together."""
    (key, country), (wanted, there) = _key(name, one), _key(name, other)
    return key == wanted and _agree(country, there)


def each_once(everybody: Iterable[Card]) -> list[str]:
    """The labels of all; of those that are alike the first."""
    labels: dict[str, str] = {}
    for card in everybody:
        for label in card.get("labels", ()):
            labels.setdefault(fold(label), label)
    return list(labels.values())


def _custom(cards: Mapping[int, Card], choose: Mapping[str, int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for card in cards.values():
        found = {**card.get("custom_fields", {}), **found}
    for field, contact_id in choose.items():
        if field.startswith(CUSTOM):
            key = field.removeprefix(CUSTOM)
            found[key] = cards[contact_id].get("custom_fields", {}).get(key)
    return found


def _check_choices(cards: Mapping[int, Card], choose: Mapping[str, int]) -> None:
    wrong = []
    for field, contact_id in choose.items():
        pointer = f"/choose/{field.replace('~', '~0').replace('/', '~1')}"
        if field not in CHOSEN and not field.startswith(CUSTOM):
            problem = f"Choose among: {', '.join(CHOSEN)}, {CUSTOM}<key>."
            wrong.append(FieldError(pointer, "unknown_field", problem))
        elif contact_id not in cards:
            problem = "Choose the contact or one of source_ids."
            wrong.append(FieldError(pointer, "invalid_choice", problem))
        elif field in _PRIMARY and not cards[contact_id].get(field):
            wrong.append(FieldError(pointer, "invalid_choice", "That contact has none."))
    if wrong:
        raise InvalidFields(errors=wrong)


def check_limits(fields: Card) -> None:
    """Raise InvalidFields where a list of these fields has more than a card holds."""
    limits = {**dict.fromkeys(PARTS, MAX_ENTRIES), "labels": MAX_LABELS}
    wrong = [
        FieldError(f"/{name}", "too_many", f"{len(fields[name])} together, at most {most}.")
        for name, most in limits.items()
        if len(fields[name]) > most
    ]
    if wrong:
        raise InvalidFields(errors=wrong)
