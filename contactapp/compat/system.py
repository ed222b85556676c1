"""An earlier system: a blueprint whose failures look as its clients know them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from flask import Blueprint, Flask, request
from marshmallow import EXCLUDE, Schema

from ..answers import JSON
from ..bodies import read_form, read_json
from ..errors import BadRequest
from ..incoming import loaded, parsed_query
from ..problems import Renderer, render_as

_SECRETS = frozenset({"password", "new_password", "current_password", "otp", "code"})
View = Callable[..., Any]


class System(Blueprint):
    """Routes of one earlier system. `prefixes`: the paths below which `renderer` tells errors,
    also those of routes that do not exist; `others` are paths with another renderer."""

    def __init__(
        self,
        name: str,
        prefixes: tuple[str, ...],
        renderer: Renderer,
        others: Mapping[str, Renderer] | None = None,
    ) -> None:
        super().__init__(name, __name__)
        self._renderers = {**dict.fromkeys(prefixes, renderer), **(others or {})}
        self.before_request(refuse_secrets_in_query)

    def install(self, app: Flask) -> None:
        """Add the routes to an application."""
        app.register_blueprint(self)
        for prefix, renderer in self._renderers.items():
            render_as(app, prefix, renderer)

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Any = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """Register the view. What a query has besides what the view reads is ignored, as it was."""
        view_func.takes_query = True
        super().add_url_rule(rule, endpoint, view_func, provide_automatic_options, **options)


def body(schema: type[Schema], form: type[Schema] | None = None) -> Callable[[View], View]:
    """Hand the view its checked JSON body (or, where `form` is given, form) as a dict. What the
    schema does not know is ignored."""
    instance = schema(unknown=EXCLUDE)
    form_instance = form(unknown=EXCLUDE) if form else None

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            if form_instance is not None and request.mimetype != JSON:
                return view(loaded(form_instance, read_form()), *args, **kwargs)
            return view(loaded(instance, read_json()), *args, **kwargs)

        return checked

    return decorate


def query(schema: type[Schema]) -> Callable[[View], View]:
    """Hand the view what its schema knows of the query string as a mapping, first argument."""
    instance = schema(unknown=EXCLUDE)

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            return view(parsed_query(instance, request.query_string), *args, **kwargs)

        return checked

    return decorate


def refuse_secrets_in_query() -> None:
    """Addresses are logged by proxies and kept by browsers: no secret may come in one, which some
    of these systems took. Raises BadRequest."""
    found = _SECRETS & request.args.keys()
    if found:
        name = min(found)
        detail = f"Send {name} in the body: addresses are logged on their way."
        raise BadRequest("unknown_parameter", detail, parameter=name)
