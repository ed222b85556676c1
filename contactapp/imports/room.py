"""How many uploads a process holds at once."""

from __future__ import annotations

from contextlib import AbstractContextManager

from flask import Flask, current_app

from ..bounded import Bounded
from ..config import Settings


def init_app(app: Flask, settings: Settings) -> None:
    """Give the application its places: a file is in memory until it is stored, and whoever sends
    one slowly keeps a thread, so most of them are left to everybody else."""
    places = Bounded(max(1, settings.working_threads // 4), 5.0, 1)
    app.extensions["contactapp.uploads"] = places


def uploading() -> AbstractContextManager[None]:
    """Hold a place while a file is read and stored. Raises Busy."""
    places: Bounded = current_app.extensions["contactapp.uploads"]
    return places.place()
