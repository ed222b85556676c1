"""The table of settings: name, default, check, documentation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from contactapp import setting_values as values
from contactapp.secrets_file import KEY_BYTES, parse_secrets, parse_token
from contactapp.setting_values import parse_windows

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
    Setting("THREADS", "4", values.whole_number(1, 1000),
            "threads in each worker; every stream of changes keeps one"),
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
    # Empty, because a guess would make a number of somebody else's out of one written without code.
    Setting("PHONE_REGION", "", values.phone_region,
            "whose phone numbers have no country code, such as DE; empty reads none of these"),
    Setting("REDIS_URL", "", values.server_url("redis", "rediss"),
            "rate limits shared between hosts; one host needs none", True),
    Setting("JOB_WORKER", "true", values.boolean,
            "start a job worker beside the web workers; false where `contactapp worker` runs"),
    Setting("JOB_THREADS", "4", values.whole_number(1, 64), "threads in each job worker"),
    Setting("CELERY_BROKER_URL", "", values.server_url("redis", "rediss", "amqp", "amqps"),
            "Celery's workers run the jobs, and no built-in one beside gunicorn", True),
    Setting("WEBHOOK_ALLOWED_NETWORKS", "", values.networks,
            "networks that webhooks may lead to besides the internet, on any port, over http too"),
    Setting("WEBHOOK_THREADS", "4", values.whole_number(1, 64),
            "threads in each job worker that send to quick receivers, and as many for others"),
    Setting("MAIL_SERVER", "", values.optional_text,
            "SMTP host; empty writes mail to the instance folder"),
    Setting("MAIL_PORT", "587", values.whole_number(1, 65535), "SMTP port"),
    Setting("MAIL_USERNAME", "", values.optional_text, "SMTP account", True),
    Setting("MAIL_PASSWORD", "", values.optional_text, "SMTP password", True),
    Setting("MAIL_USE_TLS", "true", values.boolean, "true for STARTTLS"),
    Setting("MAIL_SENDER", "contactapp@localhost", values.mail_address,
            "address that mail comes from"),
    Setting("EMAIL_VERIFICATION", "optional", values.one_of("off", "optional", "required"),
            "off mails nothing at registration; required lets nobody in before"),
    Setting("MAIL_RATE_LIMITS", "20 per hour", parse_windows,
            "requests per address for routes that send mail or take its codes; empty is off"),
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
    Setting("EXPORT_RATE_LIMITS", "10 per hour", parse_windows,
            "downloads of everything about an account, and of contacts; empty is off"),
    Setting("IMPORT_RATE_LIMITS", "60 per hour", parse_windows,
            "uploads of files to import per user; empty is off"),
    Setting("SIGN_IN_RATE_LIMITS", "10 per 15 minutes", parse_windows,
            "tries to sign in to one account from one address; empty is off"),
    Setting("SIGN_IN_ADDRESS_RATE_LIMITS", "100 per hour", parse_windows,
            "tries from one address that never signed in to the account; empty is off"),
    Setting("SIGN_IN_ACCOUNT_RATE_LIMITS", "50 per hour", parse_windows,
            "tries to sign in to one account from all such addresses; empty is off"),
    Setting("ADMIN_SECOND_FACTOR", "false", values.boolean,
            "admins without a second factor may not use the routes for admins"),
    Setting("PENALTY_SECONDS", "30", values.whole_number(0, DAY),
            "first wait after a limit, if its window is not longer; doubled each time; 0 is off"),
    Setting("PENALTY_MAX_SECONDS", "900", values.whole_number(1, 31 * DAY),
            "longest wait after a limit, if its window is not longer"),
    Setting("PENALTY_QUIET_SECONDS", "3600", values.whole_number(0, 31 * DAY),
            "after so long below the limit the next wait is the first again"),
    Setting("METRICS_TOKEN", "", parse_token,
            "lets /metrics be read from other machines; 32 characters or more", True),
    Setting("REQUEST_LOG", "", values.optional_boolean,
            "write a line about every request into the log; as in production unless set"),
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
    Setting("AVATAR_BYTES", str(10 * 2**20), values.whole_number(1024, 2**30),
            "largest file for a picture"),
    Setting("DATA_MAX_ENTRIES", "10000", values.whole_number(0, 10_000_000),
            "entries of key-value data a user may have; 0 is no limit"),
    Setting("DATA_MAX_BYTES", str(10 * 2**20), values.whole_number(0, 2**40),
            "bytes that the values of a user's data may have together; 0 is no limit"),
    Setting("ALLOWED_HOSTS", "", values.host_names,
            "names that requests may be for besides BASE_URL's and this machine's own"),
    Setting("LEAP_DAY_BIRTHDAYS", "02-28", values.one_of("02-28", "03-01"),
            "the day in common years of who was born on 29 February"),
    Setting("CHANGE_RETENTION_DAYS", "0", values.whole_number(0, 36_500),
            "changes of books and data older than this are deleted, once a day; 0 keeps all"),
    Setting("TRASH_DAYS", "30", values.whole_number(0, 36_500),
            "contacts in the trash, and operations to undo, are deleted after this; 0 keeps all"),
    Setting("TRASH_LIMIT", "10000", values.whole_number(0, 10_000_000),
            "contacts in a user's trash, of more the oldest are deleted; 0 is no limit"),
    Setting("BACKUP_HOURS", "0", values.whole_number(0, 8760),
            "a backup into instance/backups every so many hours; 0 is off"),
    Setting("BACKUP_KEEP", "7", values.whole_number(1, 10_000),
            "how many backups stay there, of more the oldest are deleted"),
    Setting("COMPAT", ",".join(values.SYSTEMS), values.systems,
            "earlier systems whose own routes answer too; empty for none"),
    Setting("VIEW_CACHE_MB", "256", values.whole_number(1, 2**20),
            "memory per process for opened address books, in MiB"),
    Setting("BUSY_TIMEOUT_SECONDS", "5", values.whole_number(5, 600),
            "how long a write waits for another one on SQLite"),
)
# fmt: on
