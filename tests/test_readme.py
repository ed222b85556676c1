"""The README's tour works as printed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
STEPS = re.findall(r"```sh\n(.*?)```(?:\s*```json\n(.*?)```)?", README, re.DOTALL)
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


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl on the PATH")
def test_the_tour_prints_what_it_says(engine, new_server):
    server = new_server(engine)
    assert len(STEPS) == 5
    script = "set -e\n" + "\necho '~~~'\n".join(step for step, _ in STEPS)
    script = script.replace("http://127.0.0.1:8000", server.url)
    run = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, env=os.environ
    )
    assert run.returncode == 0, run.stderr
    printed = [steady(part.strip()) for part in run.stdout.split("~~~")]
    assert printed == [steady(shown.strip()) for _, shown in STEPS]


def test_the_files_it_names_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).is_file(), target
