"""The stricter limits of what costs mail or makes accounts, one count for all routes to a deed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..config import settings
from ..extensions import limiter
from ..limits import limit_text

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def registering() -> Decorator:
    """For views that make accounts."""
    return limiter.shared_limit(
        lambda: limit_text(settings().register_rate_limits), scope="register"
    )


def mailing(deed: str) -> Decorator:
    """For views that ask for a mail, or take what one brought; each deed has its own count."""
    return limiter.shared_limit(
        lambda: limit_text(settings().mail_rate_limits), scope=f"mail {deed}"
    )
