"""Makes tokens out of the application's own keys, with nothing but hashes and base64."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from tests.support.cast import refused

ME = "/api/v1/users/me"
URLS = (ME, "/api/v1/contacts")
REFRESH = "/api/v1/auth/refresh"
HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def encoded(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


class Forger:
    """Knows Alice's tokens and the application's keys, and bends both."""

    def __init__(self, app, alice):
        self.keys = app.extensions["contactapp.tokens"]
        self.secret = app.extensions["contactapp.settings"].jwt_secrets[0].value
        self.access, self.refresh = alice.access, alice.refresh
        self.header, self.payload = map(decoded, self.access.split(".")[:2])

    def sign(self, header=None, payload=None, key=None, algorithm="HS256"):
        """A token with these parts, text or JSON; each is as in Alice's access token else."""
        parts = []
        for part, usual in ((header, self.header), (payload, self.payload)):
            part = usual if part is None else part
            parts.append(encoded(part if isinstance(part, bytes) else json.dumps(part).encode()))
        signed = ".".join(parts).encode()
        key = self.keys.key(self.header["kid"]) if key is None else key
        return f"{signed.decode()}.{encoded(hmac.digest(key, signed, HASHES[algorithm]))}"

    def headed(self, **header):
        """Signed with the right key under another header; None removes a member."""
        merged = {**self.header, **header}
        return self.sign({name: value for name, value in merged.items() if value is not None})

    def claiming(self, **claims):
        """Signed with the right key with other claims; None removes one."""
        merged = {**self.payload, **claims}
        return self.sign(payload={n: value for n, value in merged.items() if value is not None})


def refused_everywhere(client, token):
    for url in URLS:
        answer = client.get(url, headers={"Authorization": f"Bearer {token}"})
        refused(answer, 401, "invalid_token")
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith("Bearer ")
        assert 'error="invalid_token"' in challenge
    refused(client.post(REFRESH, json={"refresh_token": token}), 401, "invalid_token")
