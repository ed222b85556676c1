"""How the text of a setting becomes a value. A parser answers the value or raises `Unfit`."""

import ipaddress
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
LONGEST_WINDOW = 31 * 86400
DEFAULT_PORTS = {"http": 80, "https": 443}
WINDOW = re.compile(r"([1-9][0-9]{0,8}) per (?:([1-9][0-9]{0,6}) )?(second|minute|hour|day)s?")
ADDRESS = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})")
HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]+\]")
ORIGIN = re.compile(
    r"([a-z][a-z0-9+.-]*)://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?"
)


SYSTEMS = ("contacts-app", "contacts-api", "profiles", "key-values")


class Unfit(ValueError):
    """What a value has to be, in words fit to print: never the value itself."""


class Window(NamedTuple):
    """At most `limit` requests in `seconds` seconds."""

    limit: int
    seconds: int


def whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        # int() would take "1_000", " 7" and Arabic digits, which people do not mean.
        if not re.fullmatch(r"[0-9]{1,15}", text) or not lowest <= int(text) <= highest:
            raise Unfit(f"must be a whole number from {lowest} to {highest}")
        return int(text)

    return parse


def boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise Unfit("must be true or false")
    return text.lower() == "true"


def optional_boolean(text: str) -> bool | None:
    return boolean(text) if text else None


def one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise Unfit(f"must be {' or '.join(choices)}")
        return text

    return parse


def systems(text: str) -> tuple[str, ...]:
    """Names of earlier systems (see the package compat), comma separated."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(","))) if text else ()
    if not set(names) <= set(SYSTEMS):
        raise Unfit(f"must be a comma list of: {', '.join(SYSTEMS)}")
    return names


def phone_region(text: str) -> str | None:
    """The code of a country whose numbers `phonenumbers` knows: each is a file of it, and importing
    the library to ask would cost every worker 7 MB."""
    if not text:
        return None
    package = find_spec("phonenumbers")
    known = re.fullmatch("[A-Z]{2}", text) and package and package.origin
    if not known or not (Path(known).parent / "data" / f"region_{text}.py").is_file():
        raise Unfit("must be a country's two letters in upper case, such as DE or GB")
    return text


def optional_text(text: str) -> str | None:
    if not text.isprintable():
        raise Unfit("must be one line without control characters")
    return text or None


def optional_file(text: str) -> Path | None:
    if not text:
        return None
    try:
        with open(text, "rb"):
            return Path(text).absolute()
    except (OSError, ValueError):
        raise Unfit("must name a file that this account can read") from None


def bind_address(text: str) -> str:
    match = ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match[2]) < 65536:
        raise Unfit("must be host:port, such as 127.0.0.1:8000 or [::1]:8000")
    return text


def mail_address(text: str) -> str:
    if not re.fullmatch(r"[^\s<>@,;\x00-\x1f]+@[A-Za-z0-9.-]+", text):
        raise Unfit("must be one bare mail address, such as contacts@example.org")
    return text


def database_url(text: str) -> str:
    """SQLAlchemy's URL of a SQLite file (made absolute) or of PostgreSQL through psycopg 3."""
    if text.startswith("sqlite:///"):
        return _sqlite_url(text.removeprefix("sqlite:///"))
    match = re.match(r"postgres(?:ql)?(?:\+psycopg)?(?=://)", text)
    if match is None:
        raise Unfit("must begin with sqlite:/// or postgresql://")
    url = "postgresql+psycopg" + text[match.end() :]
    try:
        named = bool(make_url(url).database)
    except (ArgumentError, ValueError):
        named = False
    if not named:
        raise Unfit(
            "must be postgresql://user:password@host:port/name, with special characters as %XX"
        )
    return url


def _sqlite_url(path: str) -> str:
    # With `:memory:` and `file:` URIs every process, or connection, could have its own database.
    if not path or path.startswith((":", "file:")) or "?" in path or not path.isprintable():
        raise Unfit(
            "must name a SQLite file, sqlite:////absolute/path, without parameters; not :memory:"
        )
    return f"sqlite:///{Path(path).absolute()}"


def base_url(text: str) -> str | None:
    if not text:
        return None
    parts = _split(text)
    if (
        parts is None
        or parts.scheme not in DEFAULT_PORTS
        or any((parts.query, parts.fragment, parts.username, parts.password, text.endswith("/")))
    ):
        raise Unfit(
            "must be an http:// or https:// URL without a slash at its end, user, query or fragment"
        )
    return text


def server_url(*schemes: str) -> Callable[[str], str | None]:
    beginnings = " or ".join(f"{scheme}://" for scheme in schemes)

    def parse(text: str) -> str | None:
        if not text:
            return None
        parts = _split(text)
        if parts is None or parts.scheme not in schemes:
            raise Unfit(f"must be a URL with a host that begins with {beginnings}")
        return text

    return parse


def _split(text: str) -> SplitResult | None:
    """The parts of a URL that has a host and a possible port, else None."""
    # urlsplit drops line ends and tabs without a word; what is checked must be what is used.
    if not re.fullmatch(r"[!-\[\]-~]+", text):
        return None
    try:
        parts = urlsplit(text)
        return parts if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def origins(text: str) -> tuple[str, ...]:
    """The exact texts that browsers send as Origin; `*` and `null` mean everybody: refused."""
    return tuple(_origin(part.strip()) for part in text.split(",")) if text else ()


def host_names(text: str) -> tuple[str, ...]:
    """Host names without port, divided by commas, lower case."""
    found = tuple(part.strip() for part in text.split(",")) if text else ()
    if not all(HOST_NAME.fullmatch(name) for name in found):
        raise Unfit("must be host names in lower case without port, comma between")
    return found


def _origin(text: str) -> str:
    match = ORIGIN.fullmatch(text)
    if match is None or match[1] == "file" or int(match[2] or 0) > 65535:
        raise Unfit(
            "must be scheme://host or scheme://host:port, lower case, no path, comma between"
        )
    if match[2] and int(match[2]) == DEFAULT_PORTS.get(match[1]):
        raise Unfit("must leave out the default port, as browsers do")
    return text


def networks(text: str) -> tuple[Network, ...]:
    return tuple(_network(part.strip()) for part in text.split(",")) if text else ()


def _network(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise Unfit(
            "must be addresses or networks divided by commas, such as 10.0.0.0/8, host bits zero"
        ) from None
    if network.prefixlen == 0:
        raise Unfit("must not name every address")
    return network


def parse_windows(text: str) -> tuple[Window, ...]:
    """The windows of "300 per minute;10000 per hour"; empty text is no limit."""
    found = tuple(_window(part.strip()) for part in text.split(";")) if text.strip() else ()
    if len(found) > 4 or len({window.seconds for window in found}) != len(found):
        raise Unfit("must name at most 4 windows, each of another length")
    return found


def _window(text: str) -> Window:
    match = WINDOW.fullmatch(text)
    seconds = int(match[2] or 1) * UNITS[match[3]] if match else 0
    if match is None or seconds > LONGEST_WINDOW:
        raise Unfit(
            'must read like "300 per minute;10000 per hour" or "10 per 30 seconds", 31 days at most'
        )
    return Window(int(match[1]), seconds)
