"""The earlier systems' own routes, thin over the services that the API's routes call.

A frontend that was written for one of them works here unchanged: its paths, bodies, statuses and
names. `docs/compat.md` says what could not stay the same, because it was not safe.
"""

from __future__ import annotations

from flask import Flask

from ..config import Settings
from .contacts import contacts
from .contacts_api import contacts_api
from .contacts_app import contacts_app
from .key_values import key_values
from .profiles import profiles
from .system import System

SYSTEMS: dict[str, System] = {
    system.name: system for system in (contacts_app, contacts_api, profiles, key_values)
}
_WITH_CONTACTS = {contacts_app.name, contacts_api.name, profiles.name}


def init_app(app: Flask, settings: Settings) -> None:
    """Register the systems that the settings name, and how each tells its errors."""
    for name in settings.compat:
        SYSTEMS[name].install(app)
    if _WITH_CONTACTS & set(settings.compat):
        contacts.install(app)
