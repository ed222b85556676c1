"""What a registration must be in user management with key-value data, in its order of checks."""

from __future__ import annotations

from typing import Any

from ..auth.schemas import Registration
from ..auth.service import refuse_weak
from ..errors import Conflict, InvalidFields
from ..incoming import field_errors
from ..users.service import email_is_taken, username_is_taken

REQUIRED = ("username", "email", "password", "full_name")
FIELDS = (*REQUIRED, "age", "gender")
MIN_PASSWORD = 8

_shape = Registration(only=FIELDS)


def checked_registration(sent: dict[str, Any]) -> dict[str, Any]:
    """The fields of a new account; names that the system does not know are ignored.

    Raises InvalidFields or Conflict, whichever the system would have told first. The unique indexes
    judge all the same: between a look and the insert, somebody else may take the name.
    """
    fields = {name: sent[name] for name in FIELDS if name in sent}
    wrong = _shape.validate(fields)
    if not all(_says_something(fields.get(name)) for name in REQUIRED):
        raise _not_as_required("")
    _refuse(wrong, "full_name")
    _refuse(wrong, "username")
    if username_is_taken(fields["username"]):
        raise Conflict("username_taken")
    _refuse(wrong, "email")
    if email_is_taken(fields["email"]):
        raise Conflict("email_taken")
    if not _is_mixed(fields["password"]):
        raise _not_as_required("/password")
    refuse_weak(fields["password"], "/password", fields)
    if "age" in fields and not _is_positive(fields["age"]):
        raise _not_as_required("/age")
    _refuse(wrong, "age")
    if not _says_something(fields.get("gender")):
        raise _not_as_required("/gender")
    _refuse(wrong, "gender")
    return _shape.load(fields)


def _not_as_required(pointer: str) -> InvalidFields:
    """Without a sentence: the system has its own for each of these."""
    return InvalidFields.one(pointer, "required", "")


def _refuse(wrong: dict[str, Any], name: str) -> None:
    """Raise InvalidFields where the API's own rules do not let a field through."""
    if name in wrong:
        raise InvalidFields(errors=field_errors({name: wrong[name]}))


def _says_something(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_positive(value: Any) -> bool:
    # true is an int to Python.
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_mixed(password: str) -> bool:
    """Whether a password has upper and lower case letters, digits and anything else."""
    kinds = (str.isupper, str.islower, str.isdigit, lambda char: not char.isalnum())
    return len(password) >= MIN_PASSWORD and all(any(map(kind, password)) for kind in kinds)
