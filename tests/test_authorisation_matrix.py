"""Who may do what: every route and method of the URL map, tried by everybody."""

import re
from io import BytesIO
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from contactapp.pages.routes import asset_url
from tests.support import key_values
from tests.support.cast import NOWHERE, PASSWORD, Cast
from tests.support.engines import on_one_engine
from tests.support.pictures import Frame, picture
from tests.support.stored import set_user

# Bob is a stranger, Carol edits and Eve views Alice's book (through ?book=), the admin has no
# business in it, Dan was an editor and is disabled. Each tries it on what is Alice's, or on what
# is their own where a route knows nothing else; the earlier systems' routes know no shared books.
# GET stands for HEAD too.
PEOPLE = ["anonymous", "bob", "carol", "eve", "alice", "admin", "dan"]
TABLE = """
                                            anonymous bob carol eve alice admin dan
GET    /                                    200       200 200   200 200   200   200
GET    /docs                                200       200 200   200 200   200   200
GET    /docs/errors                         200       200 200   200 200   200   200
GET    /docs/static/<digest>/<name>         200       200 200   200 200   200   200
GET    /openapi.json                        200       200 200   200 200   200   200
GET    /healthz                             200       200 200   200 200   200   200
GET    /readyz                              200       200 200   200 200   200   200
GET    /metrics                             200       200 200   200 200   200   200
GET    /media/<file_name>                   404       404 404   404 404   404   404
GET    /media/photos/<file_name>            404       404 404   404 404   404   404
GET    /media/initials/<text>-<int(max=7):colour>.svg 200 200 200 200 200 200 200
GET    /account/<purpose>                   200       200 200   200 200   200   200
POST   /account/<purpose>                   400       400 400   400 400   400   400
POST   /api/register                        201       201 201   201 201   201   201
POST   /api/token                           401       200 200   200 200   200   401
POST   /api/data                            401       201 201   201 201   201   401
GET    /api/data/<key:key>                  401       404 404   404 200   404   401
PUT    /api/data/<key:key>                  401       404 404   404 200   404   401
DELETE /api/data/<key:key>                  401       404 404   404 200   404   401
POST   /api/v1/auth/register                201       201 201   201 201   201   201
POST   /api/v1/auth/token                   401       200 200   200 200   200   401
POST   /api/v1/auth/login                   401       200 200   200 200   200   401
POST   /api/v1/auth/refresh                 401       200 200   200 200   200   401
POST   /api/v1/auth/logout                  401       204 204   204 204   204   401
GET    /api/v1/auth/sessions                401       200 200   200 200   200   401
DELETE /api/v1/auth/sessions/<id>           401       404 404   404 204   404   401
POST   /api/v1/auth/verify-email            400       400 400   400 400   400   400
POST   /api/v1/auth/verify-email/resend     202       202 202   202 202   202   202
POST   /api/v1/auth/password/forgot         202       202 202   202 202   202   202
POST   /api/v1/auth/password/reset          400       400 400   400 400   400   400
POST   /api/v1/auth/password/change         401       403 403   403 403   403   401
POST   /api/v1/auth/email/change            401       403 403   403 403   403   401
POST   /api/v1/auth/email/confirm           400       400 400   400 400   400   400
GET    /api/v1/auth/me                      401       200 200   200 200   200   401
GET    /api/v1/auth/api-tokens              401       200 200   200 200   200   401
POST   /api/v1/auth/api-tokens              401       201 201   201 201   201   401
DELETE /api/v1/auth/api-tokens/<id>         401       404 404   404 204   404   401
GET    /api/v1/auth/totp                    401       200 200   200 200   200   401
POST   /api/v1/auth/totp                    401       403 403   403 403   403   401
DELETE /api/v1/auth/totp                    401       403 403   403 403   403   401
POST   /api/v1/auth/totp/confirm            401       409 409   409 409   409   401
GET    /api/v1/users/me                     401       200 200   200 200   200   401
PATCH  /api/v1/users/me                     401       200 200   200 200   200   401
PUT    /api/v1/users/me/avatar              401       422 422   422 422   422   401
DELETE /api/v1/users/me/avatar              401       204 204   204 204   204   401
POST   /api/v1/users/me/export              401       403 403   403 403   403   401
POST   /api/v1/users/me/delete              401       403 403   403 403   403   401
DELETE /api/v1/users/me                     401       403 403   403 403   403   401
GET    /api/v1/users                        401       403 403   403 403   200   401
GET    /api/v1/users/<id>                   401       403 403   403 403   200   401
PATCH  /api/v1/users/<id>                   401       403 403   403 403   200   401
GET    /api/v1/audit                        401       200 200   200 200   200   401
GET    /api/v1/books                        401       200 200   200 200   200   401
GET    /api/v1/feeds                        401       200 200   200 200   200   401
POST   /api/v1/feeds                        401       404 201   201 201   404   401
DELETE /api/v1/feeds/<id>                   401       404 404   404 204   404   401
GET    /api/v1/feeds/<token>.ics            200       200 200   200 200   200   200
GET    /api/v1/webhooks                     401       200 200   200 200   200   401
POST   /api/v1/webhooks                     401       404 201   201 201   404   401
GET    /api/v1/webhooks/<id>                401       404 404   404 200   404   401
PATCH  /api/v1/webhooks/<id>                401       404 404   404 200   404   401
DELETE /api/v1/webhooks/<id>                401       404 404   404 204   404   401
POST   /api/v1/webhooks/<id>/secret         401       404 404   404 201   404   401
POST   /api/v1/webhooks/<id>/test           401       404 404   404 202   404   401
GET    /api/v1/webhooks/<id>/deliveries     401       404 404   404 200   404   401
GET    /api/v1/webhooks/<id>/deliveries/<id> 401      404 404   404 200   404   401
POST   /api/v1/webhooks/<id>/deliveries/<id>/replay 401 404 404 404 202   404   401
GET    /api/v1/contacts                     401       404 200   200 200   404   401
POST   /api/v1/contacts                     401       404 201   403 201   404   401
GET    /api/v1/contacts/search              401       404 200   200 200   404   401
GET    /api/v1/contacts/birthdays           401       404 200   200 200   404   401
GET    /api/v1/contacts/<id>                401       404 200   200 200   404   401
PUT    /api/v1/contacts/<id>                401       404 200   403 200   404   401
PATCH  /api/v1/contacts/<id>                401       404 200   403 200   404   401
DELETE /api/v1/contacts/<id>                401       404 204   403 204   404   401
GET    /api/v1/contacts/duplicates          401       404 200   200 200   404   401
POST   /api/v1/contacts/duplicates/dismiss  401       404 204   403 204   404   401
POST   /api/v1/contacts/<id>/merge          401       404 200   403 200   404   401
GET    /api/v1/contacts/trash               401       404 200   200 200   404   401
POST   /api/v1/contacts/bulk                401       404 200   403 200   404   401
POST   /api/v1/contacts/<id>/restore        401       404 200   403 200   404   401
GET    /api/v1/operations                   401       404 200   200 200   404   401
GET    /api/v1/operations/<id>              401       404 200   200 200   404   401
POST   /api/v1/operations/<id>/undo         401       404 200   403 200   404   401
GET    /api/v1/notes                        401       404 200   200 200   404   401
POST   /api/v1/notes                        401       404 201   403 201   404   401
POST   /api/v1/notes/bulk                   401       404 200   403 200   404   401
GET    /api/v1/notes/<id>                   401       404 200   200 200   404   401
PUT    /api/v1/notes/<id>                   401       404 200   403 200   404   401
PATCH  /api/v1/notes/<id>                   401       404 200   403 200   404   401
DELETE /api/v1/notes/<id>                   401       404 204   403 204   404   401
GET    /api/v1/notes/<id>/history           401       404 200   200 200   404   401
POST   /api/v1/notes/<id>/revert            401       404 200   403 200   404   401
GET    /api/v1/contacts/<id>/notes          401       404 200   200 200   404   401
POST   /api/v1/contacts/<id>/notes          401       404 201   403 201   404   401
GET    /api/v1/contacts/<id>/notes/<id>     401       404 200   200 200   404   401
PUT    /api/v1/contacts/<id>/notes/<id>     401       404 200   403 200   404   401
PATCH  /api/v1/contacts/<id>/notes/<id>     401       404 200   403 200   404   401
DELETE /api/v1/contacts/<id>/notes/<id>     401       404 204   403 204   404   401
GET    /api/v1/contacts/<id>/suggestions    401       404 200   200 200   404   401
POST   /api/v1/contacts/<id>/suggestions/accept 401   404 422   403 422   404   401
GET    /api/v1/contacts/<id>/history        401       404 200   200 200   404   401
GET    /api/v1/contacts/<id>/photo          401       404 200   200 200   404   401
PUT    /api/v1/contacts/<id>/photo          401       404 201   403 201   404   401
DELETE /api/v1/contacts/<id>/photo          401       404 204   403 204   404   401
POST   /api/v1/contacts/<id>/revert         401       404 200   403 200   404   401
GET    /api/v1/custom-fields                401       404 200   200 200   404   401
POST   /api/v1/custom-fields                401       404 201   403 201   404   401
GET    /api/v1/custom-fields/<key:key>      401       404 200   200 200   404   401
PATCH  /api/v1/custom-fields/<key:key>      401       404 200   403 200   404   401
DELETE /api/v1/custom-fields/<key:key>      401       404 200   403 200   404   401
GET    /api/v1/labels                       401       404 200   200 200   404   401
PATCH  /api/v1/labels/<key:name>            401       404 200   403 200   404   401
DELETE /api/v1/labels/<key:name>            401       404 200   403 200   404   401
GET    /api/v1/exports                      401       404 200   200 200   404   401
GET    /api/v1/imports                      401       404 200   200 200   404   401
POST   /api/v1/imports                      401       404 200   403 200   404   401
GET    /api/v1/imports/<id>                 401       404 404   404 200   404   401
POST   /api/v1/imports/<id>/commit          401       404 404   403 200   404   401
POST   /api/v1/imports/<id>/cancel          401       404 404   403 200   404   401
GET    /api/v1/imports/<id>/rejected        401       404 404   404 200   404   401
GET    /api/v1/data                         401       200 200   200 200   200   401
POST   /api/v1/data                         401       201 201   201 201   201   401
GET    /api/v1/data/<key:key>               401       404 404   404 200   404   401
PUT    /api/v1/data/<key:key>               401       201 201   201 200   201   401
PATCH  /api/v1/data/<key:key>               401       404 404   404 200   404   401
DELETE /api/v1/data/<key:key>               401       404 404   404 204   404   401
POST   /api/v1/data/<key:key>/increment     401       201 201   201 200   201   401
POST   /api/v1/data/<key:key>/increment/    401       201 201   201 200   201   401
GET    /api/v1/data-history/<key:key>       401       404 404   404 200   404   401
GET    /api/v1/changes                      401       404 200   200 200   404   401
GET    /api/v1/changes/stream               401       404 200   200 200   404   401
POST   /api/v1/changes/tickets              401       404 201   201 201   404   401
GET    /api/contacts                               401       200 200   200 200   200   401
POST   /api/contacts                               401       201 201   201 201   201   401
GET    /api/contacts/<id>                          401       404 404   404 200   404   401
PUT    /api/contacts/<id>                          401       404 404   404 200   404   401
PATCH  /api/contacts/<id>                          401       404 404   404 200   404   401
DELETE /api/contacts/<id>                          401       404 404   404 200   404   401
GET    /contacts                                   401       200 200   200 200   200   401
POST   /contacts                                   401       201 201   201 201   201   401
GET    /contacts/<id>                              401       404 404   404 200   404   401
PUT    /contacts/<id>                              401       404 404   404 200   404   401
PATCH  /contacts/<id>                              401       404 404   404 200   404   401
DELETE /contacts/<id>                              401       404 404   404 200   404   401
GET    /contacts/search                            401       200 200   200 200   200   401
GET    /contacts/birthdays                         401       200 200   200 200   200   401
POST   /api/users/register                         201       201 201   201 201   201   201
POST   /api/users/login                            401       200 200   200 200   200   401
GET    /api/users/info                             401       200 200   200 200   200   401
POST   /register                                   201       201 201   201 201   201   201
POST   /token                                      401       200 200   200 200   200   401
POST   /auth/register                              201       201 201   201 201   201   201
POST   /auth/token                                 401       200 200   200 200   200   401
POST   /auth/forgot-password                       202       202 202   202 202   202   202
POST   /auth/reset-password                        400       400 400   400 400   400   400
GET    /auth/verify-email                          200       200 200   200 200   200   200
POST   /auth/verify-email                          400       400 400   400 400   400   400
GET    /auth/reset-password-form                   200       200 200   200 200   200   200
POST   /auth/reset-password-form                   400       400 400   400 400   400   400
POST   /auth/update-avatar                         401       400 400   400 400   400   401
PUT    /auth/update-avatar                         401       400 400   400 400   400   401
PATCH  /auth/update-avatar                         401       400 400   400 400   400   401
"""
PHOTO = picture(size=(8, 8))
SIGNING_IN = ("/token", "/login", "/refresh")
READ_BY_TOKENS = (
    *(f"/api/v1/{name}" for name in ("contacts", "custom-fields", "labels", "notes")),
    *(f"/api/v1/{name}" for name in ("operations", "changes", "books", "exports")),
    "/api/v1/webhooks",
    *("/contacts", "/api/contacts"),
)
# What pages send.
FORMS = ("/account/<purpose>", "/auth/verify-email", "/auth/reset-password-form")
EXPECTED = {
    (line.split()[0], line.split()[1]): dict(zip(PEOPLE, map(int, line.split()[2:]), strict=True))
    for line in TABLE.strip().splitlines()[1:]
}


def routes(app):
    """(method, rule) of everything that answers. HEAD goes with GET, and OPTIONS is Flask's own."""
    for rule in app.url_map.iter_rules():
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            yield method, re.sub(r"<id:\w+>", "<id>", rule.rule)


class Narrow:
    """Alice's API token that may read contacts, as a person of the tests."""

    def __init__(self, alice):
        self.name, self.refresh = alice.name, alice.refresh
        made = {"name": "Narrow", "scopes": ["contacts:read"]}
        self.access = alice.post("/auth/api-tokens", json=made).json["token"]


@pytest.fixture(scope="module")
def people(app):
    """Everybody by name; None is nobody."""
    cast = Cast(app)
    dan = cast._member("dan", "editor")
    set_user(app, dan.id, active=False)
    set_user(app, cast.alice.id, contact_limit=0)  # nearly every try makes another of hers
    found = {name: getattr(cast, name) for name in PEOPLE if name not in {"anonymous", "dan"}}
    return {"anonymous": None, "dan": dan, "narrow": Narrow(cast.alice), **found}


def body_of(method, rule, person, number):
    """A body that would do, in the name of whoever asks."""
    name = person.name if person else "nobody"
    if rule == "/api/register":
        return key_values.new_user()
    if rule.endswith("/register"):
        return {"email": f"new-{uuid4().hex}@example.com", "password": PASSWORD}
    if rule.endswith(("/token", "/login")):
        return {"username": name, "password": PASSWORD}
    if rule.endswith("/refresh"):
        return {"refresh_token": person.refresh if person else "none"}
    email, token = {"email": f"{name}@example.com"}, {"token": "none"}
    guess = {"current_password": "a guess", "new_password": "a long enough phrase"}
    if rule.endswith("/users/<id>"):
        return {"contact_limit": 1000 + number} if method == "PATCH" else None
    if method != "GET" and rule.endswith("/totp"):
        return {"password": "a guess"}
    if rule.endswith(("/avatar", "/export", "/delete")) or (method, rule[-9:]) == (
        "DELETE",
        "/users/me",
    ):
        return {"password": "a guess"}
    for ending, body in {
        "/account/<purpose>": token,
        "/verify-email": token,
        "/verify-email/resend": email,
        "/password/forgot": email,
        "/forgot-password": email,
        "/password/reset": {**token, "new_password": "a long enough phrase"},
        "/reset-password": {**token, "new_password": "a long enough phrase"},
        "/reset-password-form": {**token, "password": "a long enough phrase"},
        "/password/change": guess,
        "/email/change": {**email, "password": "a guess"},
        "/email/confirm": token,
        "/totp/confirm": {"code": "none"},
        "/feeds": {"kind": "birthdays"},
        "/api-tokens": {"name": "Backup", "scopes": ["contacts:read"]},
    }.items():
        if rule.endswith(ending):
            return body if method == "POST" else None
    if "/webhooks" in rule:
        body = {"POST": {"url": NOWHERE}, "PATCH": {"description": f"Number {number}"}}
        return body.get(method) if rule.endswith(("/webhooks", "/<id>")) else None
    if "/imports/" in rule:
        return {} if rule.endswith("/commit") and method == "POST" else None
    if "/notes" in rule or "/suggestions" in rule:
        return body_of_note(method, rule, person, number)
    if "/labels" in rule:
        return {"name": f"Number {number}"} if method == "PATCH" else None
    if "/custom-fields" in rule:
        body = {"POST": {"key": str(uuid4()), "type": "text"}, "PATCH": {"position": number}}
        return body.get(method)
    if "/data" in rule:
        return body_of_entry(method, rule)
    if rule.endswith("/revert"):
        return {"version": 1} if method == "POST" else None
    if rule.endswith("/contacts/bulk"):
        made = {"op": "create", "contact": {"first_name": f"Ada {number}"}}
        return {"operations": [made]} if method == "POST" else None
    if rule.endswith(("/restore", "/undo", "/tickets")):
        return None
    if rule.endswith("/dismiss"):
        return {"contact_ids": OTHERS[-2:]} if method == "POST" else None
    if rule.endswith("/merge"):
        return {"source_ids": OTHERS[-1:]} if method == "POST" else None
    if method in {"POST", "PUT", "PATCH"} and not rule.endswith("/logout"):
        return {"age": 30 + number} if rule.endswith("/me") else {"first_name": f"Ada {number}"}
    return None


def body_of_entry(method, rule):
    if method not in {"POST", "PUT", "PATCH"}:
        return None
    if "/increment" in rule:
        return {"by": 1}
    return {"value": 2, **({"key": str(uuid4())} if rule.endswith("/data") else {})}


def body_of_note(method, rule, person, number):
    if rule.endswith("/accept"):
        return {"ids": ["phone-0"]}
    if rule.endswith("/revert"):
        return {"version": 1} if method == "POST" else None
    if method not in {"POST", "PUT", "PATCH"}:
        return None
    note = {"body": f"Number {number}"}
    if rule.endswith("/bulk"):
        return {"operations": [{"op": "create", "note": {**note, "contact_id": NOTED[-1]}}]}
    return {**note, "contact_id": NOTED[-1]} if rule.endswith("v1/notes") else note


OTHERS = []  # contacts of Alice's that look like the one of the path
NOTED = []  # the contacts of Alice's that notes were made about


def path_of_note(rule, alice, person):
    contact = alice.contact()["id"]
    NOTED.append(contact)
    note = alice.post(f"/contacts/{contact}/notes", json={"body": "Alice's"}).json["id"]
    start, _, rest = rule.rpartition("/notes") if "/notes" in rule else (rule, "", "")
    book = "" if person is alice else f"?book={alice.book_id}"
    ending = f"/notes{rest.replace('<id>', str(note))}" if "/notes" in rule else ""
    return f"{start.replace('<id>', str(contact))}{ending}{book}"


def path_of(method, rule, alice, person):
    """The address of something of Alice's that was made for this try."""
    if "/notes" in rule or "/suggestions" in rule:
        return path_of_note(rule, alice, person)
    book = "" if person is alice else f"?book={alice.book_id}"
    if "/labels" in rule:
        alice.contact(first_name="Ada", labels=["Hers"])
        return rule.replace("<key:name>", "Hers") + book
    if "/custom-fields" in rule:
        return path_of_custom_field(rule, alice) + book
    if "<key:key>" in rule:  # a store has no other address than its owner's token
        key = alice.post("/data", json={"key": str(uuid4()), "value": 1}).json["key"]
        return rule.replace("<key:key>", key)
    if "/imports/" in rule:
        form = {"file": (BytesIO(b"BEGIN:VCARD\nFN:Ada\nEND:VCARD\nx"), "x"), "mode": "preview"}
        made = alice.post("/imports", data=form).json
        return rule.replace("<id>", str(made["id"])) + book
    if rule.endswith(("/changes", "/stream", "/tickets", "/exports", "/imports")):
        return f"{rule}{book}"
    if rule.endswith("/photo"):
        frame = Frame(alice, "photo")
        frame.put(PHOTO)
        return f"/api/v1{frame.path}{book}"
    if "/operations" in rule:
        made = {"operations": [{"op": "create", "contact": {"first_name": "Hers"}}]}
        operation = alice.post("/contacts/bulk", json=made).json["operation_id"]
        return f"{rule.replace('<id>', str(operation))}{book}"
    if rule.endswith(("/merge", "/dismiss")):
        OTHERS.extend(alice.contact()["id"] for _ in range(2))
    if "/contacts" in rule:
        path = rule.replace("<id>", str(alice.contact()["id"])) + book
        return f"{path}{'&' if book else '?'}q=grace" if rule.endswith("/search") else path
    if "/webhooks" in rule:
        return path_of_webhook(method, rule, alice)
    if "/feeds" in rule:
        return path_of_feed(method, rule, alice, person)
    if rule.endswith("/users/<id>"):
        return rule.replace("<id>", str(alice.id))
    if rule.endswith("/api-tokens/<id>"):
        token = {"name": "Hers", "scopes": ["contacts:read"]}
        found = alice.get("/auth/api-tokens").json["items"]
        hers = next((t for t in found if t["name"] == "Hers"), None)
        hers = hers or alice.post("/auth/api-tokens", json=token).json
        return rule.replace("<id>", str(hers["id"]))
    if "<id>" in rule:
        kept = alice.access, alice.refresh
        alice.sign_in()
        sessions = alice.get("/auth/sessions").json["items"]
        alice.access, alice.refresh = kept
        return rule.replace("<id>", str(next(s["id"] for s in sessions if s["is_current"])))
    if "<purpose>" in rule:
        return rule.replace("<purpose>", "verify")
    if rule.startswith("/media"):
        return re.sub("<int.*?>", "1", rule).replace("<text>", "AB").replace("<file_name>", "x")
    if "<digest>" in rule:
        with alice.app.test_request_context():
            return asset_url("docs.js")
    return rule


def path_of_custom_field(rule, alice):
    """One of Alice's; a book has no room for one a try."""
    found = alice.get("/custom-fields?limit=500").json["items"]
    for field in found[50:]:
        assert alice.delete(f"/custom-fields/{field['key']}").status_code == 200
    if not found:
        body = {"key": str(uuid4()), "type": "text"}
        found = [alice.post("/custom-fields", json=body).json]
    return rule.replace("<key:key>", found[0]["key"])


def path_of_feed(method, rule, alice, person):
    if rule.endswith("/feeds"):
        return f"{rule}?book={alice.book_id}" if method == "POST" else rule
    found = alice.get("/feeds").json["items"]
    feed = found[0] if found else alice.post("/feeds", json={"kind": "birthdays"}).json
    if "<token>" in rule:
        return urlsplit(feed["url"]).path
    return rule.replace("<id>", str(feed["id"]))


def path_of_webhook(method, rule, alice):
    if rule.endswith("/webhooks"):
        return f"{rule}?book={alice.book_id}" if method == "POST" else rule
    found = alice.get("/webhooks").json["items"]
    webhook = found[0] if found else alice.post("/webhooks", json={"url": NOWHERE}).json
    path = rule.replace("<id>", str(webhook["id"]), 1)
    delivery = alice.post(f"/webhooks/{webhook['id']}/test").json if "<id>" in path else None
    return path.replace("<id>", str(delivery["id"])) if delivery else path


def ask(people, name, method, rule, number=0):
    """The answer that this person gets."""
    person, alice = people[name], people["alice"]
    bearer = {"Authorization": f"Bearer {person.access}"} if person else {}
    client, path = alice.app.test_client(), path_of(method, rule, alice, person)
    body = body_of(method, rule, person, number)
    sent = {"data" if rule in FORMS else "json": body}
    if rule.endswith("avatar"):
        sent = {"data": b"no picture", "content_type": "image/png"}
    if (method, rule[-8:]) == ("POST", "/imports"):
        card = f"BEGIN:VCARD\nFN:Ada {number}\nEND:VCARD\n".encode()
        sent = {"data": {"file": (BytesIO(card), "x.vcf")}}
    if (method, rule[-6:]) == ("PUT", "/photo"):
        sent = {"data": PHOTO, "content_type": "image/png"}
    answer = client.open(path, method=method, headers=bearer, **sent)
    if answer.mimetype != "text/event-stream":  # which has no end
        answer.get_data()
    answer.close()  # files of the pages are streamed
    return answer


def methods_of(rule):
    """What an address of this route takes: with `/increment` at its end it is a key's, too."""
    rules = {rule, re.sub("/increment/?$", "", rule)}
    return {method for method, other in EXPECTED if other in rules}


def test_every_route_has_a_row_and_every_row_a_route(app):
    assert set(routes(app)) == set(EXPECTED)


# AZ-1
@pytest.mark.parametrize(("method", "rule"), EXPECTED)
def test_who_may(people, method, rule):
    found = {}
    for number, name in enumerate(PEOPLE):
        for verb in ("GET", "HEAD") if method == "GET" else (method,):
            found[name] = ask(people, name, verb, rule, number).status_code
            assert found[name] == EXPECTED[method, rule][name], (verb, rule, name)
        if rule.endswith("/logout") and found[name] == 204:
            people[name].sign_in()
    assert found == EXPECTED[method, rule]


# AZ-1
@on_one_engine
@pytest.mark.parametrize(("method", "rule"), EXPECTED)
def test_what_a_token_that_may_read_contacts_may(people, method, rule):
    public = EXPECTED[method, rule]["anonymous"] != 401 or rule.endswith(SIGNING_IN)
    status = ask(people, "narrow", method, rule).status_code
    if public:
        assert status in {EXPECTED[method, rule][name] for name in ("anonymous", "alice")}
    elif rule.startswith(READ_BY_TOKENS) and (method == "GET" or rule.endswith("/tickets")):
        assert status == EXPECTED[method, rule]["alice"]
    else:
        assert status == 403


# AZ-1
@on_one_engine
@pytest.mark.parametrize("rule", sorted({rule for _, rule in EXPECTED}))
def test_options_names_the_methods_to_everybody_and_nothing_more(app, people, rule):
    methods = methods_of(rule) | {"OPTIONS"}
    methods |= {"HEAD"} if "GET" in methods else set()
    for name in ("anonymous", "bob", "alice"):
        answer = ask(people, name, "OPTIONS", rule)
        assert (answer.status_code, answer.data) == (200, b"")
        assert set(answer.headers["Allow"].split(", ")) == methods


# AZ-1
@on_one_engine
@pytest.mark.parametrize("rule", sorted({rule for _, rule in EXPECTED if rule.startswith("/api")}))
def test_a_method_that_a_route_does_not_have_is_405(people, rule):
    present = methods_of(rule)
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - present:
        answer = ask(people, "alice", method, rule)
        assert answer.status_code == 405, (method, rule)
        assert present <= set(answer.headers["Allow"].split(", "))
