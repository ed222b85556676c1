"""The people of the tests."""

from __future__ import annotations

import uuid

from contactapp.auth import service
from contactapp.auth.sessions import Client, open_session
from contactapp.books import service as books_service
from contactapp.database import write_transaction
from contactapp.users.service import find_credentials

PASSWORD = "correct horse battery staple"
NOWHERE = "http://127.0.0.2:9/"  # for webhooks that are told nothing
HERE = Client("Werkzeug", "127.0.0.1", "tests")  # as the test client's requests


class Person:
    """A registered and signed-in user: `alice.get("/contacts")`, paths below /api/v1."""

    def __init__(self, app, name, role="user"):
        self.app = app
        self.name = f"{name}-{uuid.uuid4().hex[:12]}"
        self.email = f"{self.name}@example.com"
        fields = {"email": self.email, "username": self.name, "password": PASSWORD}
        # The routes' services: thousands of people are made, and hashing is half of what one costs.
        with app.app_context():
            self.user = service.register(fields, "tests", role=role, verified=role == "admin")
            self.id, self.book_id = self.user["id"], self.user["book_id"]
            key_id = find_credentials(self.email).key_id
            pair = write_transaction(open_session)(self.id, key_id, HERE)
        self.access, self.refresh = pair.access_token, pair.refresh_token

    def sign_in(self):
        """Open a new session; its tokens are the ones in use from now on."""
        answer = self.app.test_client().post(
            "/api/v1/auth/token", json={"email": self.email, "password": PASSWORD}
        )
        assert answer.status_code == 200, answer.text
        self.access, self.refresh = answer.json["access_token"], answer.json["refresh_token"]
        return answer.json

    def request(self, method, path, headers=None, **kwargs):
        """A request with this person's access token."""
        bearer = {"Authorization": f"Bearer {self.access}"}
        return self.app.test_client().open(
            f"/api/v1{path}", method=method, headers={**bearer, **(headers or {})}, **kwargs
        )

    def get(self, path, **kwargs):
        return self.request("GET", path, **kwargs)

    def post(self, path, **kwargs):
        return self.request("POST", path, **kwargs)

    def put(self, path, **kwargs):
        return self.request("PUT", path, **kwargs)

    def patch(self, path, **kwargs):
        return self.request("PATCH", path, **kwargs)

    def delete(self, path, **kwargs):
        return self.request("DELETE", path, **kwargs)

    def contact(self, **fields):
        """Add a contact and return it."""
        answer = self.post("/contacts", json=fields or {"first_name": "Grace"})
        assert answer.status_code == 201, answer.text
        return answer.json


class Cast:
    """Everybody, each made at first use."""

    def __init__(self, app):
        self.app = app
        self._people = {}

    def _person(self, name, role="user"):
        if name not in self._people:
            self._people[name] = Person(self.app, name, role)
        return self._people[name]

    @property
    def alice(self):
        """Owns a book."""
        return self._person("alice")

    @property
    def bob(self):
        """A stranger."""
        return self._person("bob")

    @property
    def admin(self):
        """Has the role admin, and no business in Alice's book."""
        return self._person("admin", "admin")

    @property
    def carol(self):
        """Edits Alice's book."""
        return self._member("carol", "editor")

    @property
    def eve(self):
        """Views Alice's book."""
        return self._member("eve", "viewer")

    def _member(self, name, role):
        new = name not in self._people
        person = self._person(name)
        if new:
            with self.app.app_context():
                books_service.share_book(self.alice.id, person.id, role)
        return person


def refused(answer, status, code, pointer=None):
    """Assert that an answer is this problem, and return its body."""
    assert answer.status_code == status, answer.text
    body = answer.json
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (body["status"], body["code"]) == (status, code)
    if pointer is not None:
        assert pointer in [error["pointer"] for error in body["errors"]], body
    return body
