"""What a run was made on, asked of the run itself."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version

from contactapp.engine import sqlite3

from .load import client_name
from .servers import Postgres


def facts(command: str, rounds: str, postgres: Postgres) -> dict[str, str]:
    """Names and values for the head of the results."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "command": f"`{command}`",
        "machine": f"{os.cpu_count()} cores, {_model()}, {platform.system()}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "PostgreSQL": postgres.version(),
        "server": f"gunicorn {version('gunicorn')}, Flask {version('flask')}",
        "client": f"{client_name()}, on the same cores",
        "rounds": rounds,
    }


def _model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
