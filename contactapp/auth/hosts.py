"""The names by which requests may call this server."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask

from ..config import Settings

_HOSTS = 100  # spellings remembered


def is_ours(app: Flask, host: str) -> bool:
    """Whether requests for this host are meant for us: BASE_URL's, the listed ones and this
    machine's own; in development also any bare address, as of a phone in the same network."""
    settings: Settings = app.extensions["contactapp.settings"]
    name = host_name(host)
    known = {urlsplit(settings.base_url or "").hostname, *settings.allowed_hosts, "localhost"}
    if name.rstrip(".") not in known and name.strip("[]") not in known:
        try:
            address = ip_address(name.strip("[]"))
        except ValueError:
            return False
        if settings.is_production and not address.is_loopback:
            return False
    if len(app.extensions["contactapp.hosts"]) < _HOSTS:
        app.extensions["contactapp.hosts"].add(host)
    return True


def host_name(host: str) -> str:
    """The name in a Host header, in lower case, without the port; an IPv6 address in brackets."""
    name = host.lower()
    return name.partition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]
