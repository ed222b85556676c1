"""An earlier system: a blueprint whose failures look as its clients know them."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, request

from ..errors import BadRequest
from ..problems import Renderer, render_as

_SECRETS = frozenset({"password", "new_password", "current_password", "otp", "code"})


class System(Blueprint):
    """Routes of one earlier system. `prefixes`: the paths below which `renderer` tells errors,
    also those of routes that do not exist."""

    def __init__(self, name: str, prefixes: tuple[str, ...], renderer: Renderer) -> None:
        super().__init__(name, __name__)
        self._prefixes = prefixes
        self._renderer = renderer
        self.before_request(refuse_secrets_in_query)

    def install(self, app: Flask) -> None:
        """Add the routes to an application."""
        app.register_blueprint(self)
        for prefix in self._prefixes:
            render_as(app, prefix, self._renderer)

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


def refuse_secrets_in_query() -> None:
    """Addresses are logged by proxies and kept by browsers: no secret may come in one, which some
    of these systems took. Raises BadRequest."""
    found = _SECRETS & request.args.keys()
    if found:
        name = min(found)
        detail = f"Send {name} in the body: addresses are logged on their way."
        raise BadRequest("unknown_parameter", detail, parameter=name)
