"""The contact notes system, whose routes are the API's own, from its first page to the last."""

import time

import requests

from tests.compat.frontend import PASSWORD, Frontend

API = "/api/v1"
NOTE = "Call her at +44 20 7946 0123 before 2026-12-09, see https://example.org #navy"
ROUTES = [
    *[("GET", "/auth/me"), ("GET", "/contacts/"), ("POST", "/contacts/")],
    *[(method, "/contacts/1") for method in ("GET", "PUT", "DELETE")],
    *[("GET", "/notes/"), ("POST", "/notes/"), ("GET", "/contacts/1/notes/")],
    *[(method, "/notes/1") for method in ("GET", "PUT", "DELETE")],
]


class NotesFrontend(Frontend):
    """It knows this system's problems, which are the API's."""

    def ask(self, method, path, status, json=None, **kwargs):
        answer = self.http.request(
            method, self.url + path, json=json, timeout=60, allow_redirects=False, **kwargs
        )
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        if status >= 400:
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.json()["status"] == status
        return answer


def sign_up(frontend):
    account = {"email": frontend.email, "username": frontend.name, "password": PASSWORD}
    made = frontend.ask("POST", f"{API}/auth/register", 201, json=account).json()
    assert (made["email"], made["username"]) == (frontend.email, frontend.name)
    frontend.ask("POST", f"{API}/auth/register", 409, json=account)
    form = {"username": frontend.name, "password": PASSWORD}
    wrong = {**form, "password": "a wrong one"}
    frontend.ask("POST", f"{API}/auth/token", 401, data=wrong)
    tokens = frontend.ask("POST", f"{API}/auth/token", 200, data=form).json()
    assert tokens["token_type"] == "bearer"
    again = frontend.ask("POST", f"{API}/auth/login", 200, json=form).json()
    assert again.keys() == tokens.keys()
    frontend.use(tokens["access_token"])
    assert frontend.both("GET", f"{API}/auth/me", 200)["email"] == frontend.email


def processed(frontend, note):
    """The note once the job has read it."""
    for _ in range(300):
        now = frontend.ask("GET", f"{API}/notes/{note['id']}", 200).json()
        if now["processing_status"] != "pending":
            return now
        time.sleep(0.1)
    raise AssertionError("nobody reads notes")


def test_the_contact_notes_system(server):
    frontend, another = NotesFrontend(server.url), NotesFrontend(server.url)
    assert frontend.ask("GET", "/", 200).json()["documentation"]
    for method, path in ROUTES:
        answer = frontend.ask(method, API + path, 401, json={} if method[0] == "P" else None)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    sign_up(frontend)
    card = {"first_name": "Ada", "last_name": "Lovelace", "email": "ada@example.com"}
    ada = frontend.ask("POST", f"{API}/contacts/", 201, json=card).json()
    assert ada.items() >= card.items()
    about = {"contactId": ada["id"], "noteText": f"  {NOTE}\r\n"}
    note = frontend.ask("POST", f"{API}/notes/", 201, json=about).json()
    assert (note["body"], note["contact_id"]) == (NOTE, ada["id"])
    assert note["processing_status"] == "pending"
    note = processed(frontend, note)
    assert note["processing_status"] == "processed"
    found = {name: values for name, values in note["extracted"].items() if values}
    assert found.keys() == {"phones", "urls", "hashtags", "dates"}
    clash = {**about, "content": "something else"}
    told = frontend.ask("POST", f"{API}/notes/", 422, json=clash).json()
    assert {error["pointer"] for error in told["errors"]} == {"/noteText", "/content"}
    second = frontend.ask("POST", f"{API}/contacts/{ada['id']}/notes", 201, json={"message": "Two"})
    ids = [note["id"], second.json()["id"]]
    for path in (f"{API}/notes/", f"{API}/contacts/{ada['id']}/notes/"):
        page = frontend.ask("GET", f"{path}?skip=0&limit=1", 200).json()
        rest = frontend.ask("GET", f"{path}?skip=1&limit=1", 200).json()
        assert page["total"] == rest["total"] == 2
        assert sorted(item["id"] for item in page["items"] + rest["items"]) == ids
    frontend.ask("GET", f"{API}/notes/?limit=501", 422)
    body = {"NOTE-DESCRIPTION": "Changed"}
    assert frontend.ask("PUT", f"{API}/notes/{ids[1]}", 200, json=body).json()["body"] == "Changed"
    sign_up(another)
    for method, path in (("GET", "contacts"), ("DELETE", "contacts"), ("GET", "notes")):
        number = ada["id"] if path == "contacts" else ids[0]
        another.ask(method, f"{API}/{path}/{number}", 404)
    another.ask("POST", f"{API}/notes/", 404, json=about)
    frontend.ask("DELETE", f"{API}/notes/{ids[1]}", 204)
    frontend.ask("GET", f"{API}/notes/{ids[1]}", 404)
    frontend.ask("DELETE", f"{API}/contacts/{ada['id']}", 204)
    frontend.ask("GET", f"{API}/notes/{ids[0]}", 404)


def test_over_its_quota_a_client_waits_twice_as_long_each_time(new_server):
    server = new_server("sqlite", RATE_LIMITS="6 per second", PENALTY_SECONDS="1")
    frontend = NotesFrontend(server.url)
    sign_up(frontend)
    waits = []
    for _ in range(3):
        for _ in range(60):
            answer = requests.get(
                f"{server.url}{API}/notes/", headers=frontend.http.headers, timeout=60
            )
            if answer.status_code == 429:
                break
        waits.append(int(answer.headers["Retry-After"]))
        time.sleep(waits[-1])
    assert waits == [1, 2, 4]
