"""The contract's mechanics: what every route does the same way.

Views are plain functions on `Blueprint`; `@blp.query` and `@blp.body` check and document what
comes in, by way of `incoming`; what goes out is in `answers`.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import wraps
from typing import Any, TypeVar

from flask import g, request
from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import Schema, fields, missing
from werkzeug.routing import BaseConverter

from .actor import Actor
from .answers import JSON
from .bodies import FORM, read_form, read_json
from .incoming import loaded, parsed_query

View = TypeVar("View", bound=Callable[..., Any])

_KEY_HEADER = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "minLength": 1},
    "description": "1 to 255 printable ASCII characters, in quotes or not, that name this one "
    "deed, such as a UUID. Sent again within 24 hours with the same request, the first answer "
    "comes again with `Idempotency-Replayed: true`, and nothing is done; another request is 422 "
    "`idempotency_key_reused`. Who comes while the first is at work waits for it, and gets 409 "
    "`idempotency_in_progress` after some seconds. Errors are not kept: send the same key again.",
}


def public(view: View) -> View:
    """Mark a view that needs no user, in the OpenAPI document too."""
    view.is_public = True  # type: ignore[attr-defined]
    _manual_doc(view, security=[])
    return view


def unlimited(view: View) -> View:
    """Mark a view that watchers ask all the time: no user, no quota."""
    view.is_unlimited = True  # type: ignore[attr-defined]
    return public(view)


def admins_only(view: View) -> View:
    """Mark a view that needs the role admin; the guard answers 403 to others."""
    view.is_for_admins = True  # type: ignore[attr-defined]
    return view


def with_own_data(view: View) -> View:
    """Mark a view whose actor has their key-value data beside their own book."""
    view.takes_both = True  # type: ignore[attr-defined]
    return view


def with_ticket(view: View) -> View:
    """Mark a view that a ticket in the query opens too (see `auth.tickets`)."""
    view.takes_ticket = True  # type: ignore[attr-defined]
    return view


def scoped(area: str) -> Callable[[View], View]:
    """Mark a view that API tokens may use which have the area's scopes (see `auth.scopes`)."""

    def decorate(view: View) -> View:
        view.area = area  # type: ignore[attr-defined]
        return view

    return decorate


def without_key(view: View) -> View:
    """Mark a POST that takes no Idempotency-Key: there is nothing to do twice, or nobody left to
    ask again."""
    view.ignores_key = True  # type: ignore[attr-defined]
    return view


def large_body(times: int) -> Callable[[View], View]:
    """Mark a view that reads its body itself, and takes `times` as much as other bodies may have:
    a request with an Idempotency-Key is read before the view is called."""

    def decorate(view: View) -> View:
        view.body_times = times  # type: ignore[attr-defined]
        return view

    return decorate


def own_data(view: View) -> View:
    """Mark a view whose actor's book is their key-value data; it knows no other book."""
    view.takes_data = True  # type: ignore[attr-defined]
    return view


def actor() -> Actor:
    """The authenticated user of this request."""
    return g.actor


def request_id() -> str:
    """The id of this request, as its answer's X-Request-ID says it."""
    return request.environ["contactapp.request_id"]


class IdConverter(BaseConverter):
    """A positive integer below 2^53 in ASCII digits without leading zero; werkzeug's own takes
    `007` and other scripts' digits.

    Ids from 9e15 on are never given out. Refusing in to_python instead would answer 405.
    """

    regex = "[1-9][0-9]{0,14}|[1-8][0-9]{15}"

    def to_python(self, value: str) -> int:
        return int(value)


class KeyConverter(BaseConverter):
    """Whatever is left of the path, slashes and line ends too."""

    regex = r"[\s\S]+"
    part_isolating = False


class Blueprint(SmorestBlueprint):
    """A blueprint whose decorators both check the request and write the OpenAPI document. `area`:
    that of its views which say no other (see `scoped`); `around`: makes of a rule and its view the
    one that is called."""

    def __init__(
        self,
        *args: Any,
        area: str | None = None,
        around: Callable[[str, Any], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._area = area
        self._around = around

    def add_url_rule(
        self, rule: str, endpoint: str | None = None, view_func: Any = None, **options: Any
    ) -> None:
        """Register the view; its name in camel case is the operation's id."""
        if self._around is not None:
            view_func = self._around(rule, view_func)
        if self._area is not None and not hasattr(view_func, "area"):
            view_func = scoped(self._area)(view_func)
        first, *rest = view_func.__name__.split("_")
        operation_id = first + "".join(map(str.capitalize, rest))
        _manual_doc(view_func, operationId=operation_id)
        if "POST" in options.get("methods", ()) and _takes_key(rule, view_func):
            view_func.takes_key = True
            _documented(view_func, _KEY_HEADER)
        super().add_url_rule(rule, endpoint, view_func, **options)

    def response(self, *args: Any, **kwargs: Any) -> Callable[[View], View]:
        """Document what the view answers. It makes its answer itself, so nothing is put around."""
        document = super().response(*args, **kwargs)

        def decorate(view: View) -> View:
            view._apidoc = document(view)._apidoc  # type: ignore[attr-defined]
            return view

        return decorate

    def query(self, schema: type[Schema]) -> Callable[[View], View]:
        """Hand the view its parsed query string as a mapping, first argument."""
        instance = schema()

        def decorate(view: View) -> View:
            @wraps(view)
            def checked(*args: Any, **kwargs: Any) -> Any:
                return view(parsed_query(instance, request.query_string), *args, **kwargs)

            checked.takes_query = True  # type: ignore[attr-defined]
            checked.takes_book = "book" in instance.fields  # type: ignore[attr-defined]
            return _documented(checked, {"in": "query", "schema": schema})

        return decorate

    def body(
        self, schema: type[Schema], form: type[Schema] | None = None, times: int = 1
    ) -> Callable[[View], View]:
        """Hand the view its checked JSON body (or, where `form` is given, form) as a dict. `times`
        as much as other bodies may have is let in."""
        instance = schema()
        # Where nothing is required or filled in, marshmallow need not visit what is absent. What
        # is nested would be told the same.
        instance.partial = not any(
            field.required
            or field.load_default is not missing
            or isinstance(field, fields.Nested | fields.List)
            for field in instance.fields.values()
        )
        form_instance = form() if form else None

        def decorate(view: View) -> View:
            @wraps(view)
            def checked(*args: Any, **kwargs: Any) -> Any:
                if times > 1:
                    request.max_content_length = times * (request.max_content_length or 0)
                if form_instance is not None and request.mimetype != JSON:
                    data = loaded(form_instance, read_form())
                else:
                    data = loaded(instance, read_json())
                return view(data, *args, **kwargs)

            checked.body_times = times  # type: ignore[attr-defined]
            _documented(checked, {"in": "json", "schema": schema, "required": True})
            if form is not None:
                content = {FORM: {"schema": form}}
                _manual_doc(checked, requestBody={"content": content})
            return checked  # type: ignore[return-value]

        return decorate


def versioned(view: View) -> View:
    """Document that a view takes If-Match (its service gets `answers.expected_version()`)."""
    header = {"in": "header", "name": "If-Match", "schema": {"type": "string"}, "required": False}
    return _documented(view, {**header, "description": "The ETag of the version to change."})


def _takes_key(rule: str, view: Any) -> bool:
    """Whether a POST may be sent again. A sign-in must not be answered by what is stored."""
    others = ("is_public", "ignores_key")
    return not rule.startswith("/auth/") and not any(getattr(view, mark, False) for mark in others)


def _manual_doc(view: Any, **members: Any) -> None:
    view._apidoc = deepcopy(getattr(view, "_apidoc", {}))
    view._apidoc.setdefault("manual_doc", {}).update(members)


def _documented(view: Any, parameter: dict[str, Any]) -> Any:
    view._apidoc = deepcopy(getattr(view, "_apidoc", {}))
    view._apidoc.setdefault("arguments", {}).setdefault("parameters", []).append(parameter)
    return view
