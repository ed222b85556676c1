"""The shapes of imports."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from ..errors import BadRequest
from ..exchange.service import FORMATS
from ..incoming import Problem
from ..shapes import BookQuery, DryRun, Id, Names, PageShape, Paging
from ..strict_json import parse
from .stored import COUNTS

MODES = ("preview", "commit")
POLICIES = ("skip", "update", "create")
STATUSES = ("uploading", "queued", "running", "previewed", "done", "cancelled", "failed")
_ABOUT_POLICY = (
    "What becomes of a row whose contact is in the book already, by its UID or because everything "
    "is the same: it is skipped, or the contact gets what the row has, or another one is created "
    "(also then not where everything is the same)."
)
_MAX_DECISIONS = 10_000


class Mapping(fields.String):
    """JSON that says of columns which field they fill."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        try:
            found = parse(value.encode())
        except BadRequest:
            raise ValidationError(Problem("wrong_type", "Not JSON.")) from None
        if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
            raise ValidationError(Problem("wrong_type", "Not an object of strings."))
        return found


class ImportForm(Schema):
    """What comes beside the file."""

    format = fields.String(validate=validate.OneOf(FORMATS))
    mode = fields.String(load_default="commit", validate=validate.OneOf(MODES))
    on_duplicate = fields.String(load_default="skip", validate=validate.OneOf(POLICIES))
    mapping = Mapping()


class ImportQuery(DryRun):
    """`dry_run=true` is `mode=preview`."""


class ImportsQuery(BookQuery, Paging):
    """Which part of the imports."""


class ImportRowsQuery(BookQuery, Paging):
    """Which of its rows are shown."""

    action = Names(
        tuple(COUNTS),
        signed=False,
        metadata={"description": "Comma list; of a preview all, of a commit `reject` unless said."},
    )

    @post_load(pass_original=True)
    def complete(self, data: dict[str, Any], original: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Rows have numbers, and need no cursor."""
        if "cursor" in data:
            problem = Problem("unknown_parameter", "Rows are asked for by skip and limit.")
            raise ValidationError({"cursor": [problem]})
        return super().complete(data, original)


class Decision(Schema):
    """What to do with one row; `contact_id` says which contact to update, if not the one that it
    matches."""

    row = Id(required=True)
    action = fields.String(required=True, validate=validate.OneOf(("create", "update", "skip")))
    contact_id = Id()


class Commit(Schema):
    """How to do what was previewed: row by row, the others by `on_duplicate`."""

    on_duplicate = fields.String(
        validate=validate.OneOf(POLICIES), metadata={"description": "As previewed unless said."}
    )
    decisions = fields.List(
        fields.Nested(Decision), load_default=[], validate=validate.Length(max=_MAX_DECISIONS)
    )


class RowProblem(Schema):
    """What is wrong with a row, or what of it was left out: the line of the file, and a JSON
    pointer into the contact where it is about a field."""

    line = fields.Integer(required=True)
    pointer = fields.String(required=True)
    code = fields.String(required=True)
    detail = fields.String(required=True)


class Alike(Schema):
    """A contact of the book that a row may be, and what speaks for it."""

    contact_id = fields.Integer(required=True)
    score = fields.Float(required=True)
    reasons = fields.List(fields.String(), required=True)


class ImportRow(Schema):
    """What became of a row, or would: `action` is create, update, skip or reject, `reason` why:
    `same_uid`, `identical`, `repeated` (the file has its UID twice), `unchanged`, `decided`, or the
    code of a problem. `line` and `end`: where it stands in the file."""

    row = fields.Integer(required=True)
    line = fields.Integer(required=True)
    end = fields.Integer(required=True)
    name = fields.String(required=True, allow_none=True)
    action = fields.String(required=True, metadata={"enum": list(COUNTS)})
    reason = fields.String(required=True, allow_none=True)
    contact_id = fields.Integer(required=True, allow_none=True)
    problems = fields.List(fields.Nested(RowProblem), required=True)
    duplicates = fields.List(fields.Nested(Alike), required=True)


class ImportProblem(Schema):
    """Why an import failed."""

    code = fields.String(required=True)
    detail = fields.String(required=True)


class Import(Schema):
    """A file of contacts, and how far it was imported. `progress` goes from 0 to 1; `operation_id`
    is what to undo, null where nothing was changed. A preview counts what would become of the
    rows."""

    id = fields.Integer(required=True)
    status = fields.String(required=True, metadata={"enum": list(STATUSES)})
    format = fields.String(required=True, metadata={"enum": list(FORMATS)})
    mode = fields.String(required=True, metadata={"enum": list(MODES)})
    on_duplicate = fields.String(required=True, metadata={"description": _ABOUT_POLICY})
    file_name = fields.String(required=True, allow_none=True)
    size = fields.Integer(required=True)
    progress = fields.Float(required=True)
    read = fields.Integer(required=True)
    created = fields.Integer(required=True)
    updated = fields.Integer(required=True)
    skipped = fields.Integer(required=True)
    rejected = fields.Integer(required=True)
    operation_id = fields.Integer(required=True, allow_none=True)
    problem = fields.Nested(ImportProblem, required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class ImportWithRows(Import):
    """The same with some of its rows; `rows_total`: how many there are to be asked for."""

    rows = fields.List(fields.Nested(ImportRow), required=True)
    rows_total = fields.Integer(required=True)


class ImportPage(PageShape):
    """One page of one's imports into the book, the newest first, as long as they are kept: 30 days
    unless the operator says otherwise, and the newest 20."""

    items = fields.List(fields.Nested(Import), required=True)
