"""Progress bars: for who watches."""

import os
import pty
import sys

from contactapp.progress import progress


def shown_in_a_terminal(monkeypatch, act):
    """What a terminal of 80 columns gets."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        act()
    told = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end was closed
            break
        if not piece:
            break
        told += piece
    os.close(ours)
    return told.decode()


def test_a_terminal_sees_how_far_it_is(monkeypatch):
    def act():
        with progress("Importing", 200) as advance:
            advance(50)
            advance(150)

    told = shown_in_a_terminal(monkeypatch, act)
    assert "Importing" in told
    assert "100%" in told


def test_a_log_has_the_label_alone(capsys):
    with progress("Importing", 200) as advance:
        advance(200)
    assert capsys.readouterr() == ("", "Importing\n")
