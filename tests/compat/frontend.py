"""A frontend of an earlier system: it knows that system's addresses, and nothing of ours."""

from __future__ import annotations

import uuid

import requests

PASSWORD = "securepassword123"


class Frontend:
    """Asks a server as a browser's program does: `frontend.ask("GET", "/contacts/", 200)`."""

    def __init__(self, url):
        self.url = url
        self.name = f"user{uuid.uuid4().hex[:12]}"
        self.email = f"{self.name}@example.com"
        self.http = requests.Session()

    def use(self, token):
        """Send this token from now on."""
        self.http.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method, path, status, json=None, **kwargs):
        """The answer, which has this status and leads nowhere else; every failure says why."""
        answer = self.http.request(
            method, self.url + path, json=json, timeout=60, allow_redirects=False, **kwargs
        )
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        if status >= 400 and answer.headers["Content-Type"] != "text/html; charset=utf-8":
            assert answer.headers["Content-Type"] == "application/json"
            told = answer.json()
            assert told["status"] == status
            assert told["detail"] == told["message"]
            assert told["title"]
        return answer

    def both(self, method, path, status, **kwargs):
        """The same answer with and without a slash at the end; asks twice."""
        head, mark, query = path.partition("?")
        answers = [
            self.ask(method, head.rstrip("/") + end + mark + query, status, **kwargs)
            for end in ("", "/")
        ]
        assert answers[0].text == answers[1].text
        return answers[0].json()


class Nobody(Frontend):
    """Somebody who is not signed in."""

    def assert_shut(self, *routes):
        """Assert that each (method, path) wants a token."""
        for method, path in routes:
            answer = self.ask(method, path, 401, json={} if method in {"POST", "PUT"} else None)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


UNION = {
    *("id", "name", "first_name", "last_name", "phone", "phone_number", "email", "birthday"),
    *("additional_info", "custom_fields", "company", "title"),
}
