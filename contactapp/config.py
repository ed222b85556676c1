"""Every setting: its default, its check, its documentation. A wrong one stops the start.

Sources, later wins: the defaults in the table, `<instance>/config.py`, `.env` in the current
directory, the environment, the overrides handed to `load`. In each of them NAME may be given as
NAME_FILE instead, the path of a file that holds the value. No message and no repr here ever shows
a value: any may be a secret that was put under the wrong name.
"""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import current_app

from contactapp.secrets_file import (
    SECRET_NAMES,
    NamedSecret,
    development_secrets,
    shared_material,
)
from contactapp.setting_sources import (
    PREFIX,
    ConfigError,
    Given,
    open_instance,
    read_dotenv,
    read_python,
    read_source,
)
from contactapp.setting_table import SETTINGS
from contactapp.setting_values import Network, Unfit, Window

MOST_FREE = 32  # threads
BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True)
class Settings:
    """The checked settings, as `load` builds them. What may hold a secret is not in the repr."""

    env: str
    instance_path: Path
    database_url: str = field(repr=False)
    bind: str
    workers: int
    threads: int
    base_url: str
    master_keys: tuple[NamedSecret, ...] = field(repr=False)
    jwt_secrets: tuple[NamedSecret, ...] = field(repr=False)
    password_peppers: tuple[NamedSecret, ...] = field(repr=False)
    contact_limit: int
    phone_region: str | None
    redis_url: str | None = field(repr=False)
    job_worker: bool
    job_threads: int
    celery_broker_url: str | None = field(repr=False)
    webhook_allowed_networks: tuple[Network, ...]
    webhook_threads: int
    mail_server: str | None
    mail_port: int
    mail_username: str | None = field(repr=False)
    mail_password: str | None = field(repr=False)
    mail_use_tls: bool
    mail_sender: str
    email_verification: str
    mail_rate_limits: tuple[Window, ...]
    cors_origins: tuple[str, ...]
    trusted_proxies: tuple[Network, ...]
    rate_limits: tuple[Window, ...]
    anonymous_rate_limits: tuple[Window, ...]
    register_rate_limits: tuple[Window, ...]
    export_rate_limits: tuple[Window, ...]
    import_rate_limits: tuple[Window, ...]
    sign_in_rate_limits: tuple[Window, ...]
    sign_in_address_rate_limits: tuple[Window, ...]
    sign_in_account_rate_limits: tuple[Window, ...]
    admin_second_factor: bool
    penalty_seconds: int
    penalty_max_seconds: int
    penalty_quiet_seconds: int
    metrics_token: str | None = field(repr=False)
    request_log: bool
    tls_cert: Path | None
    tls_key: Path | None
    bcrypt_cost: int
    access_token_seconds: int
    session_idle_seconds: int
    session_seconds: int
    max_body_bytes: int
    avatar_bytes: int
    data_max_entries: int
    data_max_bytes: int
    allowed_hosts: tuple[str, ...]
    leap_day_birthdays: str
    change_retention_days: int
    trash_days: int
    trash_limit: int
    backup_hours: int
    backup_keep: int
    compat: tuple[str, ...]
    view_cache_mb: int
    busy_timeout_seconds: int

    @property
    def working_threads(self) -> int:
        """How many of a worker's threads may be at slow work: of many, those that are never given
        to who waits for changes."""
        return min(self.threads, MOST_FREE)

    @property
    def is_production(self) -> bool:
        return self.env == "production"


def load(
    overrides: Mapping[str, str] | None = None, environ: Mapping[str, str] = os.environ
) -> Settings:
    """The settings of this start. Makes the instance folder and, in development, its secrets."""
    given = {
        **read_source(read_dotenv(Path(".env")), ".env", BY_NAME),
        **read_source(_ours(environ), "the environment", BY_NAME),
        **read_source(overrides or {}, "the overrides", BY_NAME),
    }
    instance = open_instance(given.get("INSTANCE_PATH"))
    beneath = read_source(read_python(instance / "config.py"), "instance/config.py", BY_NAME)
    given = {"DATABASE_URL": _beside(instance), **beneath, **given}
    if _parse("ENV", given) == "development" and not any(name in given for name in SECRET_NAMES):
        given |= _find_development_secrets(instance)
    parsed = {setting.name.lower(): _parse(setting.name, given) for setting in SETTINGS}
    parsed["instance_path"] = instance
    if parsed["base_url"] is None and parsed["env"] == "development":
        parsed["base_url"] = _local_url(parsed["bind"], tls=parsed["tls_cert"] is not None)
    if parsed["request_log"] is None:
        parsed["request_log"] = parsed["env"] == "production"
    loaded = Settings(**parsed)
    _check(loaded)
    if loaded.is_production:
        _check_production(loaded, environ)
    return loaded


def _ours(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in environ.items() if name.startswith(PREFIX)}


def settings_table() -> list[tuple[str, str, str]]:
    """(full name, default text, one line of documentation) of every setting."""
    return [(PREFIX + setting.name, setting.default, setting.doc) for setting in SETTINGS]


def _parse(name: str, given: Mapping[str, Given]) -> Any:
    text, origin = given.get(name, Given(BY_NAME[name].default, "the default"))
    try:
        return BY_NAME[name].parse(text)
    except Unfit as error:
        raise ConfigError(PREFIX + name, f"{error}. Correct it in {origin}.") from None


def _find_development_secrets(instance: Path) -> dict[str, Given]:
    try:
        texts = development_secrets(instance)
    except Unfit as error:
        raise ConfigError(PREFIX + SECRET_NAMES[0], f"{error}.") from None
    except (OSError, ValueError):
        problem = (
            "is not set, and instance/secrets.env can be neither read nor made. Correct its mode."
        )
        raise ConfigError(PREFIX + SECRET_NAMES[0], problem) from None
    return {name: Given(text, "instance/secrets.env") for name, text in texts.items()}


def _beside(instance: Path) -> Given:
    url = f"sqlite:///{instance}/contactapp.sqlite3"
    return Given(url, f"the default, which follows {PREFIX}INSTANCE_PATH")


def _local_url(bind: str, *, tls: bool) -> str:
    host, _, port = bind.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 compared, not bound
    return f"{'https' if tls else 'http'}://{host}:{port}"


def _check(settings: Settings) -> None:
    """What one value alone cannot tell."""
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
    if settings.penalty_max_seconds < settings.penalty_seconds:
        raise ConfigError(
            PREFIX + "PENALTY_MAX_SECONDS",
            "must not be less than PENALTY_SECONDS. Raise it or lower that.",
        )
    if settings.session_seconds < settings.session_idle_seconds:
        raise ConfigError(
            PREFIX + "SESSION_SECONDS",
            "must not be less than SESSION_IDLE_SECONDS. Raise it or lower that.",
        )


def _check_production(settings: Settings, environ: Mapping[str, str]) -> None:
    """What development may do and production may not."""
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
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ConfigError(
            PREFIX + "BASE_URL",
            "must begin with https:// in production, or passwords travel in the open.",
        )


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own, of nobody else's."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def settings() -> Settings:
    """The settings of the current application."""
    return current_app.extensions["contactapp.settings"]
