"""The key is not the client's choice."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from contactapp.config import Window
from contactapp.limits import (
    UNKNOWN,
    Quota,
    TableStore,
    Verdict,
    client_address,
    counted_address,
    rate_limit_headers,
)
from tests.support.limits import KEY, MINUTE, NOW, quota_on, use_up

# RL-6: the key is not the client's choice

PROXIES = tuple(map(ipaddress.ip_network, ("127.0.0.1/32", "10.0.0.0/8", "2001:db8:1::/48")))


@pytest.mark.parametrize(
    ("peer", "header", "address"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "192.0.2.1, 192.0.2.2", "203.0.113.9"),  # an untrusted peer
        ("127.0.0.1", "192.0.2.66, 203.0.113.9", "203.0.113.9"),  # the client wrote the first
        ("10.1.1.1", "192.0.2.66, 203.0.113.9, 10.2.2.2", "203.0.113.9"),
        ("10.1.1.1", "203.0.113.9, garbage, 10.2.2.2", "10.2.2.2"),
        ("10.1.1.1", "203.0.113.9, fe80::1%chosen", "10.1.1.1"),
        ("10.1.1.1", ", ,", "10.1.1.1"),
        ("10.1.1.1", "10.3.3.3, 10.2.2.2", "10.3.3.3"),  # a proxy's own request
        ("::ffff:10.1.1.1", "203.0.113.9", "203.0.113.9"),
        ("10.1.1.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.1.1.1", "[2001:DB8::1]:4711", "2001:db8::1"),
        ("2001:db8:1::1", "2001:db8::1", "2001:db8::1"),
        ("10.1.1.1", "203.0.113.9," + "10.2.2.2," * 5000 + "10.2.2.2", "10.2.2.2"),
        ("", "203.0.113.9", "203.0.113.9"),  # a unix socket counts as loopback
        (None, None, UNKNOWN),
        ("not an address", "203.0.113.9", "not an address"),
    ],
)
def test_the_address_is_the_first_one_no_trusted_proxy_has(
    peer: str | None, header: str | None, address: str
) -> None:
    # RL-6
    assert client_address(peer, header, PROXIES) == address


@pytest.mark.parametrize("trusted", [(), PROXIES[1:]])
def test_the_header_of_a_unix_socket_is_not_believed_unasked(trusted: Any) -> None:
    # RL-6
    assert client_address("", "203.0.113.9", trusted) == UNKNOWN


def test_a_walk_through_a_64_is_one_caller(tmp_path: Path) -> None:
    # RL-6
    quota = quota_on(TableStore(tmp_path / "limits.table"))
    hits = [quota.check_address(f"2001:db8:0:7::{n:x}", NOW) for n in range(1, 21)]
    assert sum(hit.allowed for hit in hits if hit) == 5
    assert quota.check_address("2001:db8:0:8::1", NOW) == Verdict(True, MINUTE[0], 4, 60)
    assert counted_address("::ffff:192.0.2.1") == counted_address("192.0.2.1")
    quota.store.close()


@pytest.mark.parametrize("address", ["", UNKNOWN, "nonsense"])
def test_no_address_is_one_caller_and_not_no_limit(tmp_path: Path, address: str) -> None:
    # RL-6
    quota = quota_on(TableStore(tmp_path / "limits.table"))
    hits = [quota.check_address(caller, NOW) for caller in ["", UNKNOWN, address] * 3]
    assert sum(hit.allowed for hit in hits if hit) == 5
    quota.store.close()


def test_users_and_addresses_are_counted_apart_and_can_be_off(tmp_path: Path) -> None:
    store = TableStore(tmp_path / "limits.table")
    quota = Quota(store, MINUTE, (), address_key=KEY)
    assert quota.check_address("192.0.2.1", NOW) is None
    assert use_up(store, "u1", MINUTE, NOW).retry_after == 60
    refused, allowed = quota.check_user(1, NOW), quota.check_user(2, NOW)
    assert refused
    assert allowed
    assert (refused.allowed, allowed.allowed) == (False, True)
    store.close()


def test_the_headers_say_policy_and_state() -> None:
    verdict = Verdict(True, Window(300, 60), 299, 57)
    windows = (Window(300, 60), Window(5000, 3600))
    assert dict(rate_limit_headers(verdict, windows)) == {
        "RateLimit-Policy": '"300-per-60s";q=300;w=60, "5000-per-3600s";q=5000;w=3600',
        "RateLimit": '"300-per-60s";r=299;t=57',
        "X-RateLimit-Limit": "300",
        "X-RateLimit-Remaining": "299",
        "X-RateLimit-Reset": "57",
    }
