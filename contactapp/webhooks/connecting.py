"""A connection to where a webhook leads: its host is looked up, each address judged, and one of
these very addresses connected to, so that a name that changes what it says leads nowhere else."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Collection
from functools import cache
from ipaddress import ip_address

from ..config import Network
from .target import Address, Refused, Target, check

_CONNECT_SECONDS = 5.0  # for one of several addresses
_TRIED = 3  # of them
# Threads of a process that ask the system's resolver. It takes half a minute for a name whose
# server says nothing, and nobody waits so long.
_lookups = threading.BoundedSemaphore(32)


class Failed(Exception):
    """Nothing got through; `reason` is a word for its owner."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def lookup(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system's resolver says. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def addresses(target: Target, until: float) -> list[Address]:
    """The addresses of a target, within a time that the system's resolver knows nothing of. Raises
    Failed."""
    try:
        return [ip_address(target.host)]
    except ValueError:
        pass
    found: list[list[str]] = []

    def look() -> None:
        try:
            found.append(lookup(target.host, target.port))
        except (OSError, UnicodeError):  # UnicodeError: a label that IDNA cannot say
            found.append([])
        finally:
            _lookups.release()

    if not _lookups.acquire(timeout=max(0.0, until - time.monotonic())):
        raise Failed("timeout")
    thread = threading.Thread(target=look, name="webhook-dns", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the system gives no more threads
        _lookups.release()
        raise Failed("timeout") from None
    thread.join(max(0.0, until - time.monotonic()))
    if not found:
        raise Failed("timeout")
    if not found[0]:
        raise Failed("dns")
    return [ip_address(text) for text in found[0]]


def connected(target: Target, allowed: Collection[Network], until: float) -> socket.socket:
    """A connection to a target that may be told of changes, encrypted and with its certificate
    checked for the target's name where it is https. Raises Failed and Refused."""
    found = addresses(target, until)
    check(target, found, allowed)
    connection = _opened(found[:_TRIED], target.port, until)
    if target.scheme != "https":
        return connection
    try:
        connection.settimeout(_left(until))
        return tls().wrap_socket(connection, server_hostname=target.host)
    except BaseException:
        connection.close()
        raise


def _opened(found: list[Address], port: int, until: float) -> socket.socket:
    for address in found[:-1]:
        try:
            seconds = min(_CONNECT_SECONDS, _left(until))
            return socket.create_connection((str(address), port), seconds)
        except OSError:  # the next one may be better
            continue
    return socket.create_connection((str(found[-1]), port), _left(until))


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError()
    return left


@cache
def tls() -> ssl.SSLContext:
    """How certificates are checked: by what the system trusts, or SSL_CERT_FILE names."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


__all__ = ["Failed", "Refused", "addresses", "connected", "lookup", "tls"]
