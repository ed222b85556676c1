"""What must hold between settings, and in production."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from contactapp.secrets_file import SECRET_NAMES, shared_material
from contactapp.setting_sources import PREFIX, ConfigError

if TYPE_CHECKING:
    from contactapp.config import Settings


def check(settings: Settings) -> None:
    """What one value alone cannot tell. Raises ConfigError."""
    for name in SECRET_NAMES:
        if not getattr(settings, name.lower()):
            raise ConfigError(
                PREFIX + name,
                f"must be set, here or as {PREFIX}{name}_FILE: k1: and `openssl rand -base64 32`.",
            )
    if shared := shared_material({name: getattr(settings, name.lower()) for name in SECRET_NAMES}):
        raise ConfigError(
            PREFIX + shared[1],
            f"holds a key that {PREFIX}{shared[0]} holds too. Make one for each purpose.",
        )
    for one, other in (("TLS_CERT", "TLS_KEY"), ("MAIL_USERNAME", "MAIL_PASSWORD")):
        missing = [name for name in (one, other) if getattr(settings, name.lower()) is None]
        if len(missing) == 1:
            raise ConfigError(
                PREFIX + missing[0],
                f"must be set too: {one} and {other} go together. Set both or none.",
            )
    if settings.session_seconds < settings.session_idle_seconds:
        raise ConfigError(
            PREFIX + "SESSION_SECONDS",
            "must not be less than SESSION_IDLE_SECONDS. Raise it or lower that.",
        )


def check_production(settings: Settings, environ: Mapping[str, str]) -> None:
    """What development may do and production may not. Raises ConfigError."""
    if environ.get("FLASK_DEBUG", "").lower() not in ("", "0", "false", "no"):
        raise ConfigError(
            "FLASK_DEBUG", "must be off in production: the debugger runs anybody's code. Unset it."
        )
    if settings.bcrypt_cost < 10:
        raise ConfigError(
            PREFIX + "BCRYPT_COST",
            "must be 10 or more in production. Remove it to get the default.",
        )
    if not settings.base_url:
        raise ConfigError(
            PREFIX + "BASE_URL", "must be set in production: links in mail begin with it."
        )
    parts = urlsplit(settings.base_url)
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ConfigError(
            PREFIX + "BASE_URL",
            "must begin with https:// in production, or passwords travel in the open.",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
