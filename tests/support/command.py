"""Commands as an operator runs them: real processes, with settings in their environment."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.support.zygote import Process

ROOT = Path(__file__).resolve().parents[2]
CONTACTAPP = (sys.executable, "-m", "contactapp.cli")
GUNICORN = (sys.executable, "-m", "gunicorn", "wsgi:app")


def project(folder):
    """A folder from which the server starts as from the project's own, without its .env."""
    for name in ("gunicorn.conf.py", "wsgi.py", "contactapp", "migrations"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def key(text, size=32, name="k1"):
    """The text of a secret setting with one key that looks random and is always the same."""
    return f"{name}:{base64.b64encode(hashlib.shake_256(text.encode()).digest(size)).decode()}"


def start(command, folder, settings, environment=None, stdin=subprocess.DEVNULL):
    """Start a command in a folder; `settings` by their short names."""
    clean = {name: value for name, value in os.environ.items() if "CONTACTAPP" not in name}
    ours = {f"CONTACTAPP_{name}": value for name, value in settings.items()}
    return Process(
        command,
        cwd=folder,
        env={**clean, "PYTHONPATH": str(ROOT), **ours, **(environment or {})},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def poised(code, count, folder, settings):
    """Processes with an `app` of their own that will run `code` when they are let go."""
    program = (
        "import sys\nfrom contactapp import create_app\napp = create_app()\n"
        f"print('ready', flush=True)\nsys.stdin.readline()\n{code}"
    )
    command = (sys.executable, "-c", program)
    together = [start(command, folder, settings, stdin=subprocess.PIPE) for _ in range(count)]
    for process in together:
        assert process.stdout.readline() == "ready\n", process.communicate()
    return together


def let_go(processes):
    """Let them go all at once; `finish` them afterwards."""
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()


def finish(process, given=None):
    """Wait for it: (exit code, standard output, standard error)."""
    try:
        out, err = process.communicate(given, timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(process.communicate()) from None
    return process.returncode, out, err


def contactapp(folder, settings, *arguments, given=""):
    """Run the `contactapp` command to its end."""
    process = start((*CONTACTAPP, *arguments), folder, settings, stdin=subprocess.PIPE)
    return finish(process, given)
