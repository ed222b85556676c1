"""What of a change is told: what is cut out of a text is what reading it would give."""

import random

import orjson
import pytest

from contactapp.changes.shown import shown_after, shown_fields

_CARD = {"first_name": "Ada", "emails": [{"value": "ada@example.com", "label": None}]}
_KEYS = {"after": "then", "before": "now", "photo": "no", "vcard": "none"}
_ALIKE = '","after":{"first_name":"Eve"}}'


def after(entity, before, after, **beside):
    found = shown_after(entity, orjson.dumps({"before": before, "after": after, **beside}))
    return found and orjson.loads(orjson.dumps(found))


@pytest.mark.parametrize(
    ("entity", "fields"),
    [
        ("contact", _CARD),
        ("contact", {**_CARD, "custom_fields": {"a": "b"}}),
        ("contact", {**_CARD, "custom_fields": _KEYS}),
        ("contact", {**_CARD, "nickname": _ALIKE, "company": '"photo":"vcard":'}),
        ("note", {"contact_id": 1, "body": _ALIKE}),
        ("custom_field", {"key": "after", "choices": [_ALIKE, "}}"]}),
        ("data", {"key": "k", "value": {"x": 1, "after": {"after": {}}}}),
        ("data", {"key": "k", "value": {"x": 1, "photo": {"vcard": {}}}}),
    ],
)
def test_what_a_change_left_is_told_whole(entity, fields):
    for before in (None, {"title": "Countess"}, fields):
        assert after(entity, before, fields) == fields
        assert after(entity, before, fields, merged_into=7) == fields
        assert after(entity, before, None, merged_into=7) is None
        assert after(entity, before, None) is None


def test_lines_kept_for_vcards_are_not_told():
    assert after("contact", None, {**_CARD, "vcard": ["X-A:1"]}) == _CARD
    assert after("contact", {**_CARD, "vcard": ["X-A:1"]}, _CARD) == _CARD


_PIECES = (
    *("after", "before", "photo", "vcard", "merged_into", ',"after":{', '"photo":', '"vcard":'),
    *('{"before":null,"after":{', '"', "\\", "{", "}}", ":", ",", "\u2028", "\U0001f600", "x"),
)


def _text(dice):
    return "".join(dice.choices(_PIECES, k=dice.randrange(4)))


def _any(dice, depth):
    kind = dice.randrange(5) if depth else 0
    if kind in {1, 2}:
        names = ("after", "before", _text(dice), _text(dice))
        return {name: _any(dice, depth - 1) for name in dice.sample(names, dice.randrange(4))}
    if kind == 3:
        return [_any(dice, depth - 1) for _ in range(dice.randrange(3))]
    return dice.choice((_text(dice), None, True, 1.5, 2**53))


def _fields(dice, entity):
    """What a change of such a thing may hold: only a datum's value goes deep."""
    if entity == "data":
        return {"key": _text(dice), "value": _any(dice, 4)}
    if entity != "contact":
        return {"key": _text(dice), "choices": [_text(dice)], "contact_id": 1}
    card = {"nickname": _text(dice), "emails": [{"value": _text(dice)}], "vcard": [_text(dice)]}
    card["custom_fields"] = {_text(dice): _any(dice, 0) for _ in range(dice.randrange(4))}
    return {name: card[name] for name in dice.sample(list(card), dice.randrange(4))}


def test_whatever_is_written_in_it_it_is_told_as_if_it_had_been_read():
    dice = random.Random(1)
    for _ in range(3000):
        entity = dice.choice(("contact", "note", "custom_field", "data"))
        fields = {n: dice.choice((None, _fields(dice, entity))) for n in ("before", "after")}
        beside = {"merged_into": 7} if entity == "contact" and dice.random() < 0.2 else {}
        assert after(entity, **fields, **beside) == shown_fields(entity, fields["after"]), fields
