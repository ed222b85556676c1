"""Users with avatars, from the first page to the last."""

import re
from urllib.parse import parse_qs, urlsplit

import requests

from tests.compat.frontend import PASSWORD, UNION
from tests.support.pictures import picture

NEW = "an entirely different phrase"
ROUTES = [
    *[(method, "/auth/update-avatar") for method in ("POST", "PUT", "PATCH")],
    *[("GET", "/contacts/"), ("POST", "/contacts/")],
    *[(method, "/contacts/1") for method in ("GET", "PUT", "DELETE")],
]


def sign_in(frontend, password, status=200):
    form = {"username": frontend.email, "password": password}
    answer = frontend.ask("POST", "/auth/token", status, data=form)
    if status == 200:
        frontend.use(answer.json()["access_token"])
    return answer


def press(frontend, path, **filled):
    """Open a page and press its button as a browser does, with what was filled in; what the next
    page says."""
    page = frontend.ask("GET", path, 200).text
    [form] = re.findall(r'<form method="post" action="([^"]*)">', page)
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
    target = requests.compat.urljoin(frontend.url + path, form)
    answer = frontend.http.post(target.rstrip("?"), data={**hidden, **filled}, timeout=60)
    assert answer.status_code == 200, answer.text
    [said] = re.findall(r'<p role="status">([^<]+)</p>', answer.text)
    return said


def own_page(path, letter):
    """The system's own page for the token that a letter brought."""
    [token] = parse_qs(urlsplit(letter.link).query)["token"]
    return f"{path}?token={token}"


def sign_up(frontend):
    account = {"email": frontend.email, "password": PASSWORD}
    made = frontend.ask("POST", "/auth/register", 201, json=account).json()
    assert (made["email"], made["email_verified"]) == (frontend.email, False)
    frontend.ask("POST", "/auth/register/", 409, json=account)
    sign_in(frontend, "a wrong one", 401)
    sign_in(frontend, PASSWORD)


def test_users_with_avatars(frontend, another, nobody, post_office):
    nobody.assert_shut(*ROUTES)
    sign_up(frontend)
    for path in ("/auth/verify-email", "/auth/verify-email/"):
        page = own_page(path, post_office.wait(frontend.email, subject="onfirm"))
        assert 'value="' in frontend.ask("GET", page, 200).text  # opening it changes nothing
        frontend.ask("HEAD", page, 200)
    assert press(frontend, page, password=PASSWORD).startswith("Your address is confirmed.")
    spent = {"token": page.partition("=")[2]}
    page = frontend.ask("POST", "/auth/verify-email", 400, data=spent).text
    assert "The link or code is wrong, spent, too old" in page

    for method, kind in (("PATCH", "PNG"), ("POST", "JPEG"), ("PUT", "PNG")):
        files = {"file": ("me", picture(kind), "image/whatever")}
        shown = frontend.ask(method, "/auth/update-avatar", 200, files=files).json()
        assert requests.get(shown["avatar_url"], timeout=60).headers["Content-Type"] == "image/webp"
    for refused in (picture("WEBP"), picture("GIF"), b"<svg/>", b""):
        files = {"file": ("me.png", refused, "image/png")}
        told = frontend.ask("POST", "/auth/update-avatar/", 400, files=files).json()
        assert told["detail"] == "file: Not a JPEG or PNG picture."

    forgotten = {"email": frontend.email}
    frontend.ask("POST", "/auth/forgot-password", 202, json=forgotten)
    page = own_page(
        "/auth/reset-password-form", post_office.wait(frontend.email, subject="new password")
    )
    assert press(frontend, page, password=NEW).startswith("Your password was changed")
    frontend.ask("GET", "/contacts/", 401)  # all sessions ended
    sign_in(frontend, PASSWORD, 401)
    sign_in(frontend, NEW)

    frontend.ask("POST", "/auth/forgot-password/", 202, json=forgotten)
    letter = post_office.wait(frontend.email, count=2, subject="new password")
    body = {"token": letter.token, "new_password": PASSWORD}
    frontend.ask("POST", "/auth/reset-password", 200, json=body)
    frontend.ask("POST", "/auth/reset-password", 400, json=body)
    sign_in(frontend, PASSWORD)
    keep_contacts(frontend, another)


def keep_contacts(frontend, another):
    card = {"first_name": "Ada", "last_name": "Lovelace", "phone": "112", "email": "a@example.com"}
    made = [frontend.ask("POST", "/contacts/", 201, json=card).json() for _ in range(100)]
    assert made[0].keys() == UNION
    told = frontend.ask("POST", "/contacts/", 400, json=card).json()
    assert told["detail"] == "100 of 100 contacts are used."
    assert frontend.both("GET", "/contacts/", 200) == made
    one = f"/contacts/{made[0]['id']}"
    assert frontend.both("GET", one, 200) == made[0]
    assert frontend.ask("PUT", one, 200, json={"email": "b@example.com"}).json() == {
        **made[0],
        "email": "b@example.com",
    }
    sign_up(another)
    for method in ("GET", "PUT", "DELETE"):
        another.ask(method, one, 404, json={} if method == "PUT" else None)
    assert frontend.ask("DELETE", one, 200).json()["message"]
    frontend.ask("GET", one, 404)
    frontend.ask("POST", "/contacts/", 201, json=card)
