"""What of a change is told: what is cut out of a text is what reading it would give."""

import orjson
import pytest

from contactapp.changes.shown import shown_after

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
