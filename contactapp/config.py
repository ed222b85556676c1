"""Every setting: its default, its check, its documentation. A wrong one stops the start.

Sources, later wins: the defaults in the table, `<instance>/config.py`, `.env` in the current
directory, the environment, the overrides handed to `load`. In each of them NAME may be given as
NAME_FILE instead, the path of a file that holds the value. No message and no repr here ever shows
a value: any may be a secret that was put under the wrong name.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from flask import current_app

from contactapp import setting_values as values
from contactapp.secrets_file import (
    KEY_BYTES,
    SECRET_NAMES,
    NamedSecret,
    development_secrets,
    parse_secrets,
)
from contactapp.setting_checks import check, check_production
from contactapp.setting_sources import (
    PREFIX,
    ConfigError,
    Given,
    open_instance,
    read_dotenv,
    read_python,
    read_source,
)
from contactapp.setting_values import Network, Unfit, Window, parse_windows

DAY = 86400


class Setting(NamedTuple):
    """A row of the table; `default` is text in the form in which the setting is given."""

    name: str
    default: str
    parse: Callable[[str], Any]
    doc: str
    secret: bool = False


# One line or two a setting: read it as the table that it is.
# fmt: off
SETTINGS = (
    Setting("ENV", "development", values.one_of("development", "production"),
            "development or production"),
    Setting("INSTANCE_PATH", "instance", Path,
            "folder of the database, secrets and config.py; made with mode 0700"),
    Setting("DATABASE_URL", "sqlite:///<instance>/contactapp.sqlite3", values.database_url,
            "sqlite:////path/to/file or postgresql://user:password@host/name", True),
    Setting("BIND", "127.0.0.1:8000", values.bind_address, "host:port to listen on"),
    Setting("WORKERS", "2", values.whole_number(1, 64), "web worker processes; as many as cores"),
    Setting("THREADS", "4", values.whole_number(1, 64), "threads in each worker"),
    Setting("BASE_URL", "", values.base_url,
            "how the world reaches this server, used in links; from BIND in development"),
    Setting("MASTER_KEYS", "", parse_secrets(KEY_BYTES),
            "id:base64 of 32 bytes, newest first; wrap all other keys", True),
    Setting("JWT_SECRETS", "", parse_secrets(),
            "id:base64 of 32 bytes or more, newest first; sign tokens", True),
    Setting("PASSWORD_PEPPERS", "", parse_secrets(),
            "id:base64 of 32 bytes or more, newest first; season password hashes", True),
    Setting("CONTACT_LIMIT", "100", values.whole_number(0, 1_000_000),
            "contacts a user may own; 0 is no limit"),
    Setting("REDIS_URL", "", values.server_url("redis", "rediss"),
            "rate limits shared between hosts; one host needs none", True),
    Setting("CELERY_BROKER_URL", "", values.server_url("redis", "rediss", "amqp", "amqps"),
            "lets Celery run the jobs", True),
    Setting("MAIL_SERVER", "", values.optional_text,
            "SMTP host; empty writes mail to the instance folder"),
    Setting("MAIL_PORT", "587", values.whole_number(1, 65535), "SMTP port"),
    Setting("MAIL_USERNAME", "", values.optional_text, "SMTP account", True),
    Setting("MAIL_PASSWORD", "", values.optional_text, "SMTP password", True),
    Setting("MAIL_USE_TLS", "true", values.boolean, "true for STARTTLS"),
    Setting("MAIL_SENDER", "contactapp@localhost", values.mail_address,
            "address that mail comes from"),
    Setting("CORS_ORIGINS", "", values.origins,
            "browser origins that may call the API, divided by commas"),
    Setting("TRUSTED_PROXIES", "", values.networks,
            "addresses or networks whose X-Forwarded-* headers count"),
    Setting("RATE_LIMITS", "300 per minute;10000 per hour", parse_windows,
            "requests per user; empty is off"),
    Setting("ANONYMOUS_RATE_LIMITS", "60 per minute", parse_windows,
            "requests per address without a user; empty is off"),
    Setting("REGISTER_RATE_LIMITS", "20 per hour", parse_windows,
            "registrations per address; empty is off"),
    Setting("TLS_CERT", "", values.optional_file,
            "certificate chain (PEM file); serves https together with TLS_KEY"),
    Setting("TLS_KEY", "", values.optional_file, "private key (PEM file) of TLS_CERT"),
    Setting("BCRYPT_COST", "12", values.whole_number(4, 16),
            "work per password hash; 10 or more in production"),
    Setting("ACCESS_TOKEN_SECONDS", "900", values.whole_number(1, DAY), "life of an access token"),
    Setting("SESSION_IDLE_SECONDS", str(30 * DAY), values.whole_number(1, 3650 * DAY),
            "a session unused for so long ends"),
    Setting("SESSION_SECONDS", str(90 * DAY), values.whole_number(1, 3650 * DAY),
            "a session ends after so long in any case"),
    Setting("MAX_BODY_BYTES", str(2**20), values.whole_number(1024, 2**30), "largest request body"),
    Setting("VIEW_CACHE_MB", "256", values.whole_number(1, 2**20),
            "memory per process for opened address books, in MiB"),
    Setting("BUSY_TIMEOUT_SECONDS", "5", values.whole_number(5, 600),
            "how long a write waits for another one on SQLite"),
)
# fmt: on

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
    redis_url: str | None = field(repr=False)
    celery_broker_url: str | None = field(repr=False)
    mail_server: str | None
    mail_port: int
    mail_username: str | None = field(repr=False)
    mail_password: str | None = field(repr=False)
    mail_use_tls: bool
    mail_sender: str
    cors_origins: tuple[str, ...]
    trusted_proxies: tuple[Network, ...]
    rate_limits: tuple[Window, ...]
    anonymous_rate_limits: tuple[Window, ...]
    register_rate_limits: tuple[Window, ...]
    tls_cert: Path | None
    tls_key: Path | None
    bcrypt_cost: int
    access_token_seconds: int
    session_idle_seconds: int
    session_seconds: int
    max_body_bytes: int
    view_cache_mb: int
    busy_timeout_seconds: int

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
    loaded = Settings(**parsed)
    check(loaded)
    if loaded.is_production:
        check_production(loaded, environ)
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


def settings() -> Settings:
    """The settings of the current application."""
    return current_app.extensions["contactapp.settings"]
