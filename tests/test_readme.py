"""The commands that the documentation shows work as printed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ("README.md", "docs/compat.md")
MOVING = {
    r'"uid":"[0-9a-f-]{36}"': '"uid":"U"',
    r'_at":"[0-9TZ:-]+"': '_at":"T"',
    r'"request_id":"[^"]+"': '"request_id":"R"',
    r"http://127\.0\.0\.1:\d+/media": "/media",
}


def steady(text):
    """The text without what differs from run to run."""
    for pattern, stand_in in MOVING.items():
        text = re.sub(pattern, stand_in, text)
    return text


def steps_of(name):
    """[(commands, what they print)]."""
    text = (ROOT / name).read_text()
    return re.findall(r"```sh\n(.*?)```(?:\s*```json\n(.*?)```)?", text, re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl on the PATH")
@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_commands_print_what_it_says(engine, new_server, name):
    server, steps = new_server(engine), steps_of(name)
    assert len(steps) >= 5
    script = "set -e\n" + "\necho '~~~'\n".join(step for step, _ in steps)
    script = script.replace("http://127.0.0.1:8000", server.url)
    run = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, env=os.environ
    )
    assert run.returncode == 0, run.stderr
    printed = [steady(part.strip()) for part in run.stdout.split("~~~")]
    assert printed == [steady(shown.strip()) for _, shown in steps]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_files_it_names_exist(name):
    document = ROOT / name
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).is_file(), target
