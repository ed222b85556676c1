"""The query strings of contact lists: paging, order, sparse objects, filters, search."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, post_load

from ..shapes import BookQuery, Names, Paging, PlainInteger, QueryFlag
from .birthdays import MAX_DAYS
from .card import FIELDS, MAX_LABELS, SORTABLE
from .columns import HAS
from .entries import SCALARS
from .filters import DATES, TEXT, filters
from .listing import listing_of
from .query_fields import (
    CustomFilters,
    Day,
    FirstDay,
    Moment,
    Number,
    Score,
    SortKeys,
    Text,
    Texts,
    Words,
)

# What tells contacts apart that look alike, and what a merge needs.
DUPLICATE_FIELDS = (
    *("id", "name", "email", "phone", "company", "birthday", "photo_url", "version", "updated_at"),
)
_PAGING = {"book", "limit", "skip", "offset", "cursor", "sort", "fields_"}


def _about(text: str) -> dict[str, Any]:
    return {"metadata": {"description": text}}


def _sort(default: str) -> Names:
    about = (
        "Comma list, `-` for descending; the id is always the last key. `custom.<key>` sorts by a "
        "custom field as its type is compared, who has none last; a comma in its key is written "
        "`\\,`, a backslash `\\\\`."
    )
    metadata = {"description": about, "default": default}
    return SortKeys(SORTABLE, signed=True, load_default=(default,), metadata=metadata)


def _filters() -> dict[str, fields.Field]:
    found: dict[str, fields.Field] = {}
    for field in TEXT:
        kind = Number if field == "phone" else Text
        any_of = f" Any of the {field}s." if field in SCALARS.values() else ""
        any_of += " However written: `+49 151…` is `0049 (0)151…`." if field == "phone" else ""
        found[field] = kind(**_about(f"Equal, without case and accents.{any_of}"))
        found[f"{field}_like"] = kind(**_about(f"Contains, without case and accents.{any_of}"))
    for field in DATES:
        found[f"{field}_min"] = Day(**_about("In this year or month, on this day, or later."))
        found[f"{field}_max"] = Day(**_about("In this year or month, on this day, or earlier."))
    for name in ("created", "updated"):
        found[f"{name}_min"] = Moment(last=False, **_about("At this time or day, or later."))
        found[f"{name}_max"] = Moment(last=True, **_about("At this time or day, or earlier."))
    return found


class ListQuery(BookQuery, Paging, Schema.from_dict(_filters(), name="Filters")):  # type: ignore[misc]
    """Paging, order, sparse objects and filters; a contact must pass all of them."""

    sort = _sort("id")
    fields_ = Names(FIELDS, signed=False, data_key="fields")
    q = Words(**_about("Words and quoted phrases that the contact must have, as in search."))
    label = Texts(
        MAX_LABELS,
        **_about("A label that the contact must have; may be repeated, then it must have all."),
    )
    label_like = Text(**_about("Some label contains this, without case and accents."))
    starred = QueryFlag()
    birthday_month = PlainInteger(minimum=1, maximum=12)
    has = Names(HAS, signed=False, **_about("Comma list of fields that must be filled."))
    custom = CustomFilters(
        data_key="custom.",
        metadata={
            "description": "`custom.<key>=`, also with `_min`, `_max` or `_like` after the key."
        },
    )

    @post_load(pass_original=True)
    def complete(self, data: dict[str, Any], original: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Also what the filters are, and which list it is."""
        data = super().complete(data, original)
        data["where"] = filters(data)
        given = {k: v for k, v in original.items() if k not in _PAGING and k != "fields"}
        data["listing"] = listing_of(data["sort"], given)
        return data


class SearchQuery(ListQuery):
    """The same with `q` required, in the order of names."""

    q = Words(
        required=True,
        **_about(
            'Words and quoted phrases, such as `ada "analytical engine"`, that the contact must '
            "all have, each somewhere: in names, numbers, addresses, labels, custom fields, notes. "
            "Case, accents and what stands between letters do not count; the beginning or a part "
            "of a word is enough. Digits find phone numbers, however these are written."
        ),
    )
    sort = _sort("name")


class BirthdayQuery(BookQuery, Paging):
    """Which days."""

    days = PlainInteger(
        load_default=7,
        minimum=0,
        maximum=MAX_DAYS,
        metadata={"description": "How many after the first one, which counts too."},
    )
    date = FirstDay(**_about("The first one; today in one's own time zone unless said."))

    @post_load(pass_original=True)
    def complete(self, data: dict[str, Any], original: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Also which list it is."""
        data = super().complete(data, original)
        given = {key: value for key, value in original.items() if key in {"days", "date"}}
        data["listing"] = listing_of(("next_birthday",), given)
        return data


class DuplicatesQuery(BookQuery, Paging):
    """Which groups, and what of their contacts."""

    min_score = Score(
        load_default=0.5,
        metadata={
            "description": "From which score on; nothing below 0.3 is found.",
            "minimum": 0,
            "maximum": 1,
        },
    )
    fields_ = Names(
        FIELDS,
        signed=False,
        data_key="fields",
        load_default=DUPLICATE_FIELDS,
        metadata={
            "description": "Comma list, of each contact.",
            "default": ",".join(DUPLICATE_FIELDS),
        },
    )

    @post_load(pass_original=True)
    def complete(self, data: dict[str, Any], original: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Also which list it is."""
        data = super().complete(data, original)
        data["listing"] = listing_of(("-score",), {"min_score": data["min_score"]})
        return data


class DeleteQuery(BookQuery):
    permanent = QueryFlag(
        load_default=False,
        metadata={"description": "true deletes for good, also what lies in the trash already."},
    )


class TrashQuery(BookQuery, Paging):
    """Which part of the trash."""
