"""Whether this process has been told to end, for requests that wait for something to happen."""

from __future__ import annotations

from collections.abc import Callable

_told: Callable[[], bool] = lambda: False  # noqa: E731


def ends_when(told: Callable[[], bool]) -> None:
    """Let the server say how it is known; `told` is asked several times a second."""
    global _told
    _told = told


def is_ending() -> bool:
    """Whether to answer now: the server waits only so long for what is in flight."""
    return _told()
