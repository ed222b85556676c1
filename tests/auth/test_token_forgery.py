"""Tokens that somebody made or bent: whatever is not exactly one of ours answers 401."""

import json

import pytest

from tests.support.cast import Person
from tests.support.engines import on_one_engine
from tests.support.forger import ME, Forger, encoded, refused_everywhere


@pytest.fixture(scope="module")
def forger(app):
    """Of one account for all: whatever is refused leaves it as it is."""
    return Forger(app, Person(app, "alice"))


def test_the_forger_can_make_a_genuine_token(client, forger):
    for token in (forger.sign(), forger.claiming(jti="0" * 32)):
        answer = client.get(ME, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200


# TK-1
@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", "RS256", "ES256", "HS1"])
def test_it_refuses_any_other_algorithm_signed_or_not(client, forger, algorithm):
    right = forger.headed(alg=algorithm)
    body = right.rpartition(".")[0]
    for token in (right, f"{body}.", body, f"{body}.{encoded(b'x')}"):
        refused_everywhere(client, token)


# TK-1
@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_it_refuses_a_longer_hash_with_the_right_key(client, forger, algorithm):
    header = {**forger.header, "alg": algorithm}
    refused_everywhere(client, forger.sign(header, algorithm=algorithm))


# TK-1
OWN_KEY = {"kty": "oct", "k": encoded(b"k" * 32), "alg": "HS256"}
HEADERS = {
    "jwk": {"jwk": OWN_KEY},
    "jku": {"jku": "https://evil.example.com/keys"},
    "x5u": {"x5u": "https://evil.example.com/cert"},
    "x5c": {"x5c": ["MIIB"]},
    "a path": {"kid": "../../dev/null"},
    "SQL": {"kid": "k1.access' UNION SELECT 'key' --"},
    "no kid": {"kid": None},
    "an empty kid": {"kid": ""},
    "a number": {"kid": 1},
    "a list": {"kid": ["k1.access"]},
    "an object": {"kid": {"k1.access": 1}},
    "another key": {"kid": "k9.access"},
    "crit": {"crit": ["exp"], "exp": 1},
    "an unknown crit": {"crit": ["contactapp"]},
    "b64": {"b64": False, "crit": ["b64"]},
    "another type": {"typ": "at+jwt"},
    "no type": {"typ": None},
    "no algorithm": {"alg": None},
    "a number as algorithm": {"alg": 256},
    "nested": {"cty": "JWT"},
    "zip": {"zip": "DEF"},
}


# TK-1
@on_one_engine
@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_it_refuses_any_header_but_our_own(client, forger, header):
    refused_everywhere(client, forger.headed(**header))
    bent = {**forger.header, **header}
    for key in (b"", b"\0", b"k" * 32):  # what a forger hopes the header makes us check with
        refused_everywhere(client, forger.sign(bent, key=key))


# TK-1
def test_it_refuses_what_is_no_compact_token(client, forger):
    header, payload, signature = forger.access.split(".")
    general = {"payload": payload, "signatures": [{"protected": header, "signature": signature}]}
    flat = {"protected": header, "payload": payload, "signature": signature}
    for token in (
        *(json.dumps(form, separators=(",", ":")) for form in (general, flat)),
        f"{header}.{payload}",
        f"{forger.access}.{signature}",
        f".{payload}.{signature}",
        f"{header}..{signature}",
        "..",
        f"{header}!.{payload}.{signature}",
        f"{header}.{payload}.{signature}===",
        f"{header}.{payload}.\u00e9",
        f"{header}.{payload}.{signature[:-3]}",
        forger.access.swapcase(),
        forger.sign(header=b"[]"),
        forger.sign(header=b"null"),
        forger.sign(header=b"\xff\xfe"),
        forger.sign(payload=b"[1]"),
        forger.sign(payload=b'"sub"'),
        forger.sign(payload=b"\xff"),
        forger.sign(payload=b"{"),
    ):
        refused_everywhere(client, token)


# TK-1
def test_it_refuses_a_huge_token_and_a_deep_one(client, forger):
    deep = json.dumps(forger.payload)[:-1].encode() + b',"x":%s}' % (b"[" * 600 + b"]" * 600)
    for token in (
        forger.claiming(x="y" * 20_000),
        "x" * 20_000,
        "." * 20_000,
        forger.sign(payload=b"[" * 1400),
        forger.sign(payload=b"[" * 100_000),
        forger.sign(payload=deep),
        forger.sign(header=b'{"alg":' * 200),
    ):
        refused_everywhere(client, token)


# TK-1
def test_one_changed_letter_anywhere_is_refused(client, forger):
    token = forger.access
    for place in range(0, len(token) - 1, 7):
        if token[place] != ".":
            other = "A" if token[place] != "A" else "B"
            refused_everywhere(client, token[:place] + other + token[place + 1 :])


# TK-2
CLAIMS = {
    **{f"no {n}": {n: None} for n in ("type", "exp", "iat", "jti", "aud", "iss", "sub", "sid")},
    **{f"type {t}": {"type": t} for t in ("refresh", "reset", "verify", "file", "", 1, ["access"])},
    **{f"aud {a}": {"aud": a} for a in ("contactapp", "", 1, [], ["contactapp-api", "other"])},
    **{f"iss {i}": {"iss": i} for i in ("evil", "", 1, ["contactapp"])},
    **{f"sub {s}": {"sub": s} for s in ("", "0", "-1", "007", "x", "1e3", "٣", "9" * 30, 1, ["1"])},
    **{f"sid {s}": {"sid": s} for s in ("1", 0, -1, 1.0, True, 2**53, 2**63, [1], 1e300)},
    **{f"exp {e}": {"exp": e} for e in ("9999999999", 0, -1, 1.5, True, 2**63, [1])},
    **{f"iat {i}": {"iat": i} for i in ("1", 0, -1, 1.5, True, 2**63)},
    **{f"jti {j!r}": {"jti": j} for j in ("", 1, ["x"], "\0", "\ud800", "x" * 33)},
    "one claim too many": {"role": "admin"},
    "not before": {"nbf": 1},
}


# TK-2
@on_one_engine
@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
def test_it_refuses_our_own_signature_under_other_claims(client, forger, claims):
    refused_everywhere(client, forger.claiming(**claims))
    kid = forger.header["kid"].replace("access", "refresh")
    token = {**forger.payload, "type": "refresh", **claims}
    token = {name: value for name, value in token.items() if value is not None}
    header = {**forger.header, "kid": kid}
    if claims.get("type") != "refresh":  # else it is well formed, and its jti is not the live one
        refused_everywhere(client, forger.sign(header, token, forger.keys.key(kid)))
