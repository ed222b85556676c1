"""Whose request it is: the client's address behind proxies, and what part of it is counted."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNKNOWN = "unknown"  # one caller like any other: no address never means no limit
MAX_HOPS = 32  # of the header's last addresses; its length is the client's choice
LONGEST = 45  # characters of an address, as ::ffff:255.255.255.255 written in full
_LOOPBACK = "127.0.0.1"


def client_address(
    peer: str | None, forwarded_for: str | None, trusted: tuple[Network, ...]
) -> str:
    """The rightmost address that is not a trusted proxy's, as text; `UNKNOWN` where there is none.

    Every proxy appends whom it heard, so from the right the header is true for as long as the
    speaker is trusted. What is not an address ends the walk at the last good one.
    """
    if not forwarded_for or not trusted:
        return peer or UNKNOWN
    # The peer of a unix socket has no address. Only a process of this host can be there, so it is
    # trusted as loopback is and no more: a proxy that passes on its client's own header unchanged
    # would else let every client choose its key. Who wants it believed, trusts 127.0.0.1.
    if not _is_trusted(peer or _LOOPBACK, trusted):
        return peer or UNKNOWN
    client = peer or UNKNOWN
    for part in reversed(forwarded_for.rsplit(",", MAX_HOPS)[-MAX_HOPS:]):
        text = _without_port(part.strip())
        # A zone (fe80::1%eth0) means nothing on another host and may be any text at all.
        address = None if len(text) > LONGEST or "%" in text else _parse(text)
        if address is None:
            break
        client = str(address)
        if not _is_trusted(client, trusted):
            break
    return client


def counted_address(address: str) -> str:
    """What is counted as one caller: an IPv4 address, or the /64 an IPv6 address is in.

    A /64 is the least that a network is given, so its owner has 2^64 addresses to walk through.
    """
    parsed = _parse(address)
    if parsed is None:
        return UNKNOWN
    if parsed.version == 6:
        return f"{ipaddress.IPv6Address(int(parsed) >> 64 << 64)}/64"
    return str(parsed)


@lru_cache(maxsize=4096)
def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # ::ffff:192.0.2.1 is how a socket for both families writes 192.0.2.1.
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(text: str, trusted: tuple[Network, ...]) -> bool:
    address = _parse(text)
    return address is not None and any(address in network for network in trusted)


def _without_port(text: str) -> str:
    """Some proxies write 192.0.2.1:4711 or [2001:db8::1]:4711."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
