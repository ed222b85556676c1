"""Where settings stand: the environment, .env, instance/config.py, files that hold one value.

Reading gives texts by short name; `config` knows what they mean. No message repeats a value or the
path of NAME_FILE: whoever takes NAME_FILE for NAME has put the secret itself there.
"""

import difflib
import io
import os
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dotenv.parser import parse_stream

PREFIX = "CONTACTAPP_"
TEST_PREFIX = "CONTACTAPP_TEST_"  # read by the test suite, never by the application


class ConfigError(Exception):
    """A setting that stops the start: `problem` says what `variable` must be and what to do."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable} {problem}")
        self.variable = variable
        self.problem = problem


class Given(NamedTuple):
    """The text of a setting and the source it stood in."""

    text: str
    origin: str


def read_source(
    entries: Mapping[str, str], origin: str, known: Collection[str]
) -> dict[str, Given]:
    """The settings that one source gives, by short name; NAME_FILE is read here."""
    given: dict[str, Given] = {}
    for key, text in entries.items():
        name = key.removeprefix(PREFIX)
        from_file = name not in known and name.removesuffix("_FILE") in known
        if from_file:
            name, text = name.removesuffix("_FILE"), _read_secret_file(key, text, origin)
        elif key.startswith(TEST_PREFIX):
            continue
        elif name not in known:
            raise ConfigError(
                PREFIX + name,
                f"is no setting of contactapp{_nearest(name, known)}. Remove it from {origin}.",
            )
        if name in given:
            raise ConfigError(
                PREFIX + name, f"is given twice in {origin}, by name and as {name}_FILE. Keep one."
            )
        given[name] = Given(text, origin)
    return given


def _nearest(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"; {PREFIX}{near[0]} is" if near else ""


def _read_secret_file(key: str, path: str, origin: str) -> str:
    try:
        return Path(path).read_text("utf-8").rstrip("\r\n")
    except (OSError, ValueError):
        problem = (
            f"must name a UTF-8 text file that this account can read. Correct the path in {origin}."
        )
        raise ConfigError(PREFIX + key.removeprefix(PREFIX), problem) from None


def read_dotenv(path: Path) -> dict[str, str]:
    """Our names in a .env file, without interpolation; a line that cannot be read is an error."""
    if not path.is_file():
        return {}
    try:
        lines = list(parse_stream(io.StringIO(path.read_text("utf-8"))))
    except (OSError, ValueError):
        raise ConfigError(
            ".env", "cannot be read as UTF-8 text. Correct its mode or content."
        ) from None
    found: dict[str, str] = {}
    for line in lines:
        key = line.key or ""
        ours = key.startswith(PREFIX)
        if line.error or (ours and (line.value is None or key in found)):
            problem = f"(line {line.original.line}) must be NAME=value, once. Correct that line."
            raise ConfigError(key if ours else ".env", problem)
        if ours:
            found[key] = line.value or ""
    return found


def read_python(path: Path) -> dict[str, str]:
    """The capitalised names of a Python file, as the texts that the environment would hold."""
    if not path.exists():
        return {}
    names: dict[str, Any] = {}
    try:
        exec(compile(path.read_text("utf-8"), str(path), "exec"), names)  # noqa: S102 the administrator's own file
    except Exception as error:
        problem = f"stopped with {type(error).__name__}. Correct the file or remove it."
        raise ConfigError(str(path), problem) from None
    found = {
        name: _as_text(name, value)
        for name, value in names.items()
        if name.isupper() and name[0] != "_"
    }
    if {"INSTANCE_PATH", PREFIX + "INSTANCE_PATH"} & set(found):
        raise ConfigError(
            PREFIX + "INSTANCE_PATH", "cannot stand in the folder that it names. Put it into .env."
        )
    return found


def _as_text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | str | Path):
        return str(value)
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    raise ConfigError(
        PREFIX + name.removeprefix(PREFIX), "must be text, a number, True or False in config.py."
    )


def open_instance(given: Given | None) -> Path:
    """The instance folder, absolute, made where missing, closed to other accounts."""
    try:
        path = Path(given.text if given and given.text else "instance").absolute()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A clone brings `instance` along as 0755. Any other folder with content may serve others
        # too, and is not ours to close.
        if given is None or not set(os.listdir(path)) - {".gitkeep", "config.py"}:
            path.chmod(0o700)
        mode = stat.S_IMODE(path.stat().st_mode)
    except (OSError, ValueError):
        problem = (
            "must name a folder that this account can make, list and close to others (mode 0700)."
        )
        raise ConfigError(PREFIX + "INSTANCE_PATH", problem) from None
    if mode & 0o007:
        raise ConfigError(
            PREFIX + "INSTANCE_PATH", "names a folder open to every account. Run `chmod 700` on it."
        )
    return path
