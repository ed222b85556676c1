"""Accounts as the earlier systems make and keep them."""

from io import BytesIO
from urllib.parse import urljoin

import pytest

from tests.compat.test_contacts import ask, told
from tests.support.cast import PASSWORD
from tests.support.engines import on_one_engine
from tests.support.pictures import own_files, picture
from tests.support.stored import issue_link, newest_link, user_row
from tests.support.wire import at_once

REGISTERS = ["/api/users/register", "/register", "/auth/register"]
NATIVE = "/api/v1/auth/register"
PAGES = {"/auth/verify-email": "verify", "/auth/reset-password-form": "reset"}
AVATAR = "/auth/update-avatar"


@pytest.mark.parametrize("path", REGISTERS)
def test_what_a_registration_has_besides_is_ignored(client, path):
    body = {"email": f"x{path.replace('/', '')}@example.com", "password": PASSWORD}
    answer = client.post(path, json={**body, "role": "admin", "email_verified": True, "name": 1})
    assert answer.status_code == 201, answer.text
    assert PASSWORD not in answer.text
    token = client.post("/token", json=body).json["access_token"]
    me = client.get("/api/users/info", headers={"Authorization": f"Bearer {token}"}).json
    assert (me["role"], me["email_verified"]) == ("user", False)


# AZ-5
def test_an_account_is_shown_as_the_api_shows_it(client, alice):
    bodies = [{"email": f"shown{n}@example.com", "password": PASSWORD} for n in range(4)]
    native, *others = (
        client.post(path, json=body).json
        for path, body in zip([NATIVE, *REGISTERS], bodies, strict=True)
    )
    assert others[0].keys() == others[2].keys() == native.keys()
    assert others[1] == {"user_id": others[1]["user_id"], "email": bodies[2]["email"]}
    assert ask(alice, "GET", "/api/users/info").json == alice.get("/users/me").json
    tokens = client.post("/api/users/login", json=bodies[0]).json
    assert tokens.pop("accessToken") == tokens["access_token"]
    assert client.post("/token", json=bodies[0]).json.keys() == tokens.keys()


@on_one_engine
@pytest.mark.parametrize("path", REGISTERS)
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"email": "a@example.com"}, "password: Missing data for required field."),
        ({"email": "no address", "password": PASSWORD}, "email: "),
        ({"email": "b@example.com", "password": "password"}, "password: "),
        ({"email": "b@example.com", "password": "short"}, "password: "),
        ({"email": "a\x00@example.com", "password": PASSWORD}, "email: "),
    ],
)
def test_a_wrong_registration_says_what_is_wrong(client, path, body, message):
    answer = client.post(path, json=body)
    assert told(answer, 422, "invalid_fields")["message"].startswith(message)


@pytest.mark.parametrize("path", REGISTERS)
def test_a_registration_is_json(client, path):
    answer = client.post(path, data={"email": "a@example.com", "password": PASSWORD})
    told(answer, 415, "unsupported_media_type")
    answer = client.post(f"{path}?password=x", json={"email": "a@example.com"})
    told(answer, 400, "unknown_parameter")


def test_the_contacts_api_says_in_its_own_words_that_an_address_is_taken(client, alice):
    body = {"email": alice.email.upper(), "password": PASSWORD}
    words = "User with this email already exists"
    assert told(client.post("/register/", json=body), 409, "email_taken")["detail"] == words
    assert told(client.post("/auth/register", json=body), 409, "email_taken")["detail"] != words


# CC-1
def test_of_many_registrations_of_one_address_one_is_made(app):
    body = {"email": "race@example.com", "password": PASSWORD}
    paths = [*REGISTERS, NATIVE] * 3
    calls = [lambda path=path: app.test_client().post(path, json=body) for path in paths]
    statuses = sorted(answer.status_code for answer in at_once(calls))
    assert statuses == [201] + [409] * (len(paths) - 1)


def test_registrations_count_together_over_all_routes(engine, new_app):
    app = new_app(engine, REGISTER_RATE_LIMITS="3 per hour")
    statuses = []
    for n, path in enumerate([*REGISTERS, NATIVE, *REGISTERS]):
        body = {"email": f"{n}@example.com", "password": PASSWORD}
        answer = app.test_client().post(path, json=body)
        statuses.append(answer.status_code)
    assert statuses == [201] * 3 + [429] * 4
    assert told(answer, 429, "rate_limited")
    assert int(answer.headers["Retry-After"]) > 0


def test_asking_for_a_mail_counts_together_over_both_routes(new_app):
    client = new_app("sqlite", MAIL_RATE_LIMITS="2 per hour").test_client()
    body = {"email": "nobody@example.com"}
    paths = ["/auth/forgot-password", "/api/v1/auth/password/forgot"] * 2
    assert [client.post(path, json=body).status_code for path in paths] == [202, 202, 429, 429]


# EM-2
def test_forgetting_a_password_answers_the_same_whether_or_not_there_is_an_account(client, alice):
    answers = [
        client.post("/auth/forgot-password", json={"email": email})
        for email in (alice.email, "nobody@example.com", "no address")
    ]
    assert {(answer.status_code, answer.data) for answer in answers} == {(202, answers[0].data)}


@pytest.mark.parametrize("kind", ["json", "data"])
def test_a_password_is_reset_by_json_or_a_form(app, client, alice, kind):
    body = {"token": issue_link(app, alice.id, "reset"), "new_password": "password"}
    told(client.post("/auth/reset-password", **{kind: body}), 422, "invalid_fields")
    body["new_password"] = "an entirely different phrase"
    assert client.post("/auth/reset-password", **{kind: body}).status_code == 200
    told(client.post("/auth/reset-password", **{kind: body}), 400, "invalid_link")
    assert alice.get("/users/me").status_code == 401


# EM-4
@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("mount", ["", "/mounted/here"])
@pytest.mark.parametrize("end", ["", "/"])
def test_a_pages_form_works_wherever_the_server_is_mounted(app, client, alice, path, mount, end):
    purpose = PAGES[path]
    issue = newest_link if purpose == "verify" else issue_link
    token = issue(app, alice.id, purpose)
    base, before = f"http://localhost{mount}", user_row(app, alice.id)
    for method in ("GET", "HEAD", "GET"):
        page = client.open(f"{path}{end}?token={token}", method=method, base_url=base)
        assert page.status_code == 200
    assert (page.mimetype, user_row(app, alice.id)) == ("text/html", before)
    assert f'value="{token}"' in page.text
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    action = page.text.partition('action="')[2].partition('"')[0]
    target = urljoin(f"{base}{path}{end}?token={token}", action)
    assert target.startswith(f"{base}/")
    target = target.removeprefix(base).rstrip("?")
    fields = {"token": token, "password": "an entirely different phrase"}
    answer = client.post(target, data=fields, base_url=base)
    assert answer.status_code == 200, answer.text
    assert client.post(target, data=fields, base_url=base).status_code == 400  # it is spent


def upload(person, data, method="PATCH", **kwargs):
    return ask(person, method, AVATAR, data={"file": (BytesIO(data), "me.png")}, **kwargs)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_is_shown_with_the_account(client, alice, kind):
    shown = upload(alice, picture(kind))
    assert shown.status_code == 200, shown.text
    assert shown.json == alice.get("/users/me").json
    assert len(own_files(alice)) == 3


# FI-2
@pytest.mark.parametrize("kind", ["WEBP", "GIF", "TIFF", "BMP", "PPM"])
def test_another_kind_of_picture_is_400(alice, kind):
    assert upload(alice, picture("PNG")).status_code == 200
    before = alice.get("/users/me").json
    body = told(upload(alice, picture(kind)), 400, "invalid_fields")
    assert body["errors"][0]["code"] == "invalid_image"
    assert alice.get("/users/me").json == before


# FI-1
def test_a_picture_of_too_many_pixels_is_400(alice):
    body = told(upload(alice, picture("PNG", (16_001, 1))), 400, "invalid_fields")
    assert body["errors"][0]["code"] == "image_too_large"


def test_what_is_no_file_is_refused(alice):
    told(ask(alice, "POST", AVATAR, data={"other": "x"}), 415, "unsupported_media_type")
    multipart = {"data": {"other": (BytesIO(b"x"), "x")}}
    told(ask(alice, "POST", AVATAR, **multipart), 400, "invalid_fields")
    told(ask(alice, "POST", AVATAR, json={}), 415, "unsupported_media_type")
