"""Fields and schemas that many routes share."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from .errors import BadRequest
from .incoming import MAX_ID, Problem

MAX_OPERATIONS = 1000  # of a bulk call
MAX_SORT_KEYS = 4
MAX_CURSOR = 3500  # characters; under gunicorn's 4094 for the whole request line


class Id(fields.Integer):
    """An id in a JSON body."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(min=1, max=MAX_ID), **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError(Problem("wrong_type", "Not an integer."))
        return value


class PlainInteger(fields.Integer):
    """An integer of a query string in plain ASCII digits; Python's own int() takes `1_000`, ` 7 `
    and other scripts' digits."""

    def __init__(self, *, minimum: int, maximum: int, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(min=minimum, max=maximum), **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not re.fullmatch("-?[0-9]{1,17}", value):
            raise ValidationError(Problem("wrong_type", "Not an integer."))
        return int(value)


class Flag(fields.Boolean):
    """true or false, and not what marshmallow takes for it, such as 1 and "yes"."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, bool):
            raise ValidationError(Problem("wrong_type", "Not a boolean."))
        return value


class Unread(fields.Nested):
    """An object that is described by its schema and read later, so that of many each one is refused
    by itself."""

    def _deserialize(
        self, value: Any, attr: Any, data: Any, partial: Any = None, **kwargs: Any
    ) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(Problem("wrong_type", "Not an object."))
        return value


class QueryFlag(fields.Boolean):
    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if value not in {"true", "false"}:
            raise ValidationError(Problem("wrong_type", "true or false."))
        return value == "true"


class Names(fields.String):
    """A comma list of known names; an unknown one is 400, as an unknown parameter is."""

    def __init__(self, allowed: tuple[str, ...], *, signed: bool, **kwargs: Any) -> None:
        metadata = kwargs.pop("metadata", {})
        about = metadata.get("description", "Comma list of what to show of each.")
        about = f"{about} The names: {', '.join(f'`{name}`' for name in allowed)}."
        super().__init__(metadata={**metadata, "description": about}, **kwargs)
        self._allowed = allowed
        self._signed = signed

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        names = self._split(value)
        bare_names = [name.removeprefix("-") if self._signed else name for name in names]
        if len(set(bare_names)) < len(names):
            raise BadRequest("repeated_parameter", f"{attr} has a name twice.", parameter=attr)
        if self._signed and len(names) > MAX_SORT_KEYS:
            problem = f"At most {MAX_SORT_KEYS} names."
            raise ValidationError(Problem("too_many", problem))
        for bare in bare_names:
            if not self._is_known(bare):
                raise BadRequest(
                    "unknown_parameter",
                    f"{attr} takes a comma list of: {', '.join(self._allowed)}.",
                    parameter=attr,
                )
        return names

    def _split(self, value: str) -> tuple[str, ...]:
        return tuple(value.split(","))

    def _is_known(self, name: str) -> bool:
        return name in self._allowed


class BookQuery(Schema):
    book = PlainInteger(
        minimum=1,
        maximum=MAX_ID,
        metadata={"description": "An address book other than one's own."},
    )


class DryRun(BookQuery):
    dry_run = QueryFlag(
        load_default=False,
        metadata={"description": "true answers what would happen, and changes nothing."},
    )


class Paging(Schema):
    """Which part of a list: the one after a cursor, or so many items on."""

    limit = PlainInteger(load_default=50, minimum=1, maximum=500)
    skip = PlainInteger(minimum=0, maximum=MAX_ID)
    offset = PlainInteger(minimum=0, maximum=MAX_ID, metadata={"description": "Alias of skip."})
    cursor = fields.String(validate=validate.Length(max=MAX_CURSOR))

    @post_load(pass_original=True)
    def complete(self, data: dict[str, Any], original: dict[str, Any], **_: Any) -> dict[str, Any]:
        """One way to say where; `skip` is always there."""
        ways = [way for way in ("skip", "offset", "cursor") if way in data]
        if len(ways) > 1:
            clash = Problem("alias_conflict", f"Use only one of {' and '.join(ways)}.")
            raise ValidationError({way: [clash] for way in ways})
        data["skip"] = data.pop("offset", data.get("skip", 0))
        return data


class PageShape(Schema):
    """One page of a list, to be given `items`. `next_cursor` is null on the last one; `total`
    counts all pages."""

    next_cursor = fields.String(required=True, allow_none=True)
    total = fields.Integer(required=True)


class BulkOperation(Schema):
    """One of a bulk call; a schema of a kind of object adds the field of that name, which has what
    is to be written."""

    written: str

    op = fields.String(required=True, validate=validate.OneOf(("create", "update", "delete")))
    id = Id()
    version = Id(metadata={"description": "The version to change, as If-Match."})

    @post_load
    def _whole(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        op = data["op"]
        wanted = {"create": {self.written}, "update": {"id", self.written}, "delete": {"id"}}[op]
        allowed = wanted if op == "create" else wanted | {"version"}
        wrong = {name: [Problem("required", "Missing.")] for name in wanted - data.keys()}
        for name in data.keys() - allowed - {"op"}:
            wrong[name] = [Problem("unknown_field", f"Not with {op}.")]
        if wrong:
            raise ValidationError(wrong)
        return data


class Failure(Schema):
    """Why one operation was not done."""

    status = fields.Integer(required=True)
    code = fields.String(required=True)
    detail = fields.String(required=True)
    errors = fields.List(fields.Dict(keys=fields.String(), values=fields.String()), required=True)
