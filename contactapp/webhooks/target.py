"""Where a webhook may lead: which addresses, over what, on which ports. Pure.

Judged when it is saved and each time before it is connected to, by the same functions: whoever
chooses an address must not reach by it what only this server can (OWASP API7).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

from ..config import Network

Address = IPv4Address | IPv6Address

PORTS = (443, 8443)  # of strangers; whatever else listens somewhere is no web server
MAX_URL = 2000  # characters
_DEFAULT_PORTS = {"https": 443, "http": 80}
_PRINTABLE = re.compile(r"[!-\[\]-~]+")  # no backslash, which browsers take for a slash
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
# What a resolver may take for an IPv4 address in one of its older spellings (WHATWG URL §3.5).
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
# Of protocols (RFC 6890), for documents (RFC 9637), and 6to4's relays (RFC 7526): older Pythons
# have parts of them only, or none. The last is on the internet by its number alone: each machine at
# Azure reaches by it what knows that machine's secrets.
_NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            *("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20"),
            "168.63.129.16/32",
        ),
    )
)


class Refused(Exception):
    """An address that no webhook may have; `code` and `detail` are told to its owner."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code)
        self.code, self.detail = code, detail


class Target(NamedTuple):
    """The parts of an address. `host` is a name or a literal address without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def parse(url: str, allowed: Collection[Network]) -> Target:
    """The parts of an address that may be told of changes, so far as its text says. `allowed`:
    networks of the operator's own. Raises Refused."""
    if len(url) > MAX_URL or not _PRINTABLE.fullmatch(url):
        raise Refused("invalid_url", f"Not a URL of up to {MAX_URL} printable ASCII characters.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Refused("invalid_url", "Not a URL.") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and allowed):
        raise Refused("not_https", "It has to begin with https://.")
    if "@" in parts.netloc:
        raise Refused("invalid_url", "User and password do not belong there.")
    if "#" in url:
        raise Refused("invalid_url", "It has a fragment, which is never sent.")
    port = _DEFAULT_PORTS[parts.scheme] if port is None else port
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = Target(parts.scheme, _host(host, bracketed="[" in parts.netloc), port, path)
    if not allowed:
        _check_port(target)
    return target


def _host(host: str, *, bracketed: bool) -> str:
    refusal = Refused("forbidden_address", "No webhook may lead to such an address.")
    if bracketed or _ENDS_IN_NUMBER.fullmatch(host):
        try:  # only as it is usually written: nobody means `0177.1` well
            found = ip_address(host)
        except ValueError:
            raise refusal from None
        if bracketed is not (found.version == 6) or "%" in host:
            raise refusal
        return str(found)
    if not _NAME.fullmatch(host):
        raise Refused("invalid_url", "Not the name of a host; write others than ASCII as xn--.")
    return host


def _check_port(target: Target) -> None:
    if target.port not in PORTS:
        ports = " or ".join(map(str, PORTS))
        raise Refused("forbidden_port", f"The port has to be {ports}.")


def check(target: Target, addresses: Iterable[Address], allowed: Collection[Network]) -> None:
    """Raise Refused unless a target may be told of changes at all these addresses, which are those
    of its host: all public, or all in the operator's own networks."""
    found = list(addresses)
    if found and all(_is_allowed(address, allowed) for address in found):
        return
    if not found or not all(is_public(address) for address in found):
        raise Refused("forbidden_address", "No webhook may lead to such an address.")
    if target.scheme != "https":
        raise Refused("not_https", "It has to begin with https://.")
    _check_port(target)


def _is_allowed(address: Address, allowed: Collection[Network]) -> bool:
    return any(
        face.version == network.version and face in network
        for face in (address, *_within(address))
        for network in allowed
    )


def is_public(address: Address) -> bool:
    """Whether an address is one host's on the internet, as are all that it may be translated to.
    Python's own `is_global` calls multicast, NAT64 and 6to4 of private addresses global."""
    inner = _within(address)
    if inner:
        return all(is_public(other) for other in inner)
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def _within(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 address that an IPv6 one stands for: mapped (RFC 4291), of NAT64 (RFC 6052), of
    6to4 (RFC 3056)."""
    if isinstance(address, IPv4Address):
        return ()
    if address in _NAT64:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return tuple(inner for inner in (address.ipv4_mapped, address.sixtofour) if inner is not None)
