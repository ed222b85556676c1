"""Idempotency-Key on POST: what is sent again is done once."""

import uuid
from importlib import import_module
from io import BytesIO

import pytest

from contactapp import clock
from contactapp.database import Sql, lane, write_transaction
from contactapp.idempotency import _PURGE, _fingerprint
from contactapp.worker import HANDLERS
from tests.support.cast import PASSWORD, Cast, refused
from tests.support.stored import book_state
from tests.test_authorisation_matrix import EXPECTED, body_of, path_of

DAY = 86_400_000
ADA = {"first_name": "Ada"}
ROUTES = "contactapp.contacts.routes"  # the package's attribute is the blueprint
REPLAYED = "Idempotency-Replayed"
# What takes no key, and why.
WITHOUT = {
    "/api/v1/users/me/export": "writes nothing, and is streamed",
    "/api/v1/users/me/delete": "leaves nobody who could ask again",
    "/api/v1/changes/tickets": "gives what is good once, and would be kept for longer",
}
KEYED = sorted(
    rule
    for method, rule in EXPECTED
    if method == "POST" and rule.startswith("/api/v1/") and not rule.startswith("/api/v1/auth/")
)


@pytest.fixture
def key():
    """The header with a new key."""
    return {"Idempotency-Key": str(uuid.uuid4())}


def records(person):
    """How many answers are kept for somebody."""
    with person.app.app_context():
        sql = Sql("SELECT count(*) FROM idempotent_answer WHERE user_id = ?")
        return lane().one(sql, (person.id,))[0]


# CC-5
def test_the_same_request_again_gets_the_same_answer_and_does_nothing(alice, key):
    first = alice.post("/contacts", json=ADA, headers=key)
    state = book_state(alice)
    again = alice.post("/contacts", json=ADA, headers=key)
    assert (first.status_code, first.data) == (again.status_code, again.data)
    for name in ("Location", "ETag", "Content-Type"):
        assert first.headers[name] == again.headers[name]
    assert REPLAYED not in first.headers
    assert again.headers[REPLAYED] == "true"
    assert first.headers["X-Request-ID"] != again.headers["X-Request-ID"]
    assert (book_state(alice), state.live, records(alice)) == (state, 1, 1)


def test_a_change_since_then_does_not_change_what_was_answered(alice, key):
    made = alice.post("/contacts", json=ADA, headers=key)
    alice.delete(f"/contacts/{made.json['id']}")
    assert alice.post("/contacts", json=ADA, headers=key).json == made.json
    assert book_state(alice).live == 0


# CC-5
@pytest.mark.parametrize("rule", KEYED)
def test_every_post_may_be_sent_again(cast, key, rule):
    """Or is listed as one that takes no key."""
    path = path_of("POST", rule, cast.alice, cast.alice).removeprefix("/api/v1")
    body = body_of("POST", rule, cast.alice, 0)
    file = b"BEGIN:VCARD\nFN:Ada\nEND:VCARD\n"
    first, again = (
        cast.alice.post(
            path,
            headers=key,
            **(
                {"data": {"file": (BytesIO(file), "x")}}
                if rule == "/api/v1/imports"
                else {"json": body}
            ),
        )
        for _ in range(2)
    )
    assert first.status_code == again.status_code == EXPECTED["POST", rule]["alice"]
    assert (REPLAYED in again.headers) == (first.status_code < 400 and rule not in WITHOUT)
    if REPLAYED in again.headers:
        assert first.data == again.data


def test_the_document_names_the_header_with_every_post_that_takes_it(client):
    paths = client.get("/openapi.json").json["paths"]
    for path, operations in paths.items():
        taken = {p["name"] for p in operations.get("post", {}).get("parameters", ())}
        public = operations.get("post", {}).get("security") == []
        keyed = "post" in operations and not path.startswith("/api/v1/auth/") and not public
        assert ("Idempotency-Key" in taken) == (keyed and path not in WITHOUT), path
        for other in operations.keys() - {"post", "parameters"}:
            names = {p["name"] for p in operations[other].get("parameters", ())}
            assert "Idempotency-Key" not in names, (other, path)


# CC-5
@pytest.mark.parametrize("differs", ["body", "query", "path", "type"])
def test_another_request_with_the_key_is_422(alice, key, differs):
    assert alice.post("/contacts", json=ADA, headers=key).status_code == 201
    path = {"query": f"/contacts?book={alice.book_id}", "path": "/notes"}.get(differs, "/contacts")
    body = {"first_name": "Grace"} if differs == "body" else ADA
    kind = "application/merge-patch+json" if differs == "type" else "application/json"
    state = book_state(alice)
    answer = alice.post(path, json=body, headers={**key, "Content-Type": kind})
    refused(answer, 422, "idempotency_key_reused")
    assert book_state(alice) == state


def test_the_same_form_with_another_boundary_is_the_same_request(app, alice, key):
    found = []
    for boundary in ("one", "another"):
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--{boundary}--'
        )
        kind = f"multipart/form-data; boundary={boundary}"
        with app.test_request_context("/x", method="POST", data=body, content_type=kind) as made:
            found.append(_fingerprint(b"secret", made.request, 1))
    assert found[0] == found[1]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_body_may_be_as_large_with_a_key_as_without(new_app, engine, key):
    alice = Cast(new_app(engine, MAX_BODY_BYTES="1024")).alice
    large = {"operations": [{"op": "create", "contact": {"nickname": "x" * 90}}] * 20}
    assert alice.post("/contacts/bulk", json=large, headers=key).status_code == 200
    assert alice.post("/contacts/bulk", json=large, headers=key).headers[REPLAYED] == "true"
    refused(alice.post("/notes/bulk", json=large, headers=key), 413, "body_too_large")
    larger = {"operations": large["operations"] * 10}
    refused(alice.post("/contacts/bulk", json=larger, headers=key), 413, "body_too_large")


# CC-5
def test_another_user_with_the_key_is_another(alice, bob, key):
    first, second = (who.post("/contacts", json=ADA, headers=key) for who in (alice, bob))
    assert (first.status_code, second.status_code) == (201, 201)
    assert REPLAYED not in second.headers
    assert first.json["id"] != second.json["id"]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("text", ["", " ", "x" * 256, "a\tb", "a\x7fb", 'a"b', '"', '""', "é"])
def test_a_malformed_key_is_400(alice, text):
    answer = alice.post("/contacts", json=ADA, headers={"Idempotency-Key": text})
    refused(answer, 400, "invalid_idempotency_key")
    assert book_state(alice).live == 0


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_quotes_do_not_belong_to_the_key(alice):
    """The draft has them (RFC 9651 §3.3.3), most clients do not."""
    for text, replayed in (('"k 1"', False), ("k 1", True), ("x" * 255, False)):
        answer = alice.post("/contacts", json=ADA, headers={"Idempotency-Key": text})
        assert (answer.status_code, REPLAYED in answer.headers) == (201, replayed)


# CC-5
def test_a_refusal_is_not_kept(alice, key):
    refused(alice.post("/contacts", json={"email": "x"}, headers=key), 422, "invalid_fields")
    refused(
        alice.post("/contacts/999999/revert", json={"version": 1}, headers=key), 404, "not_found"
    )
    assert records(alice) == 0
    assert alice.post("/contacts", json=ADA, headers=key).status_code == 201


# CC-5
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_429_is_not_kept(new_app, engine, monkeypatch):
    app = new_app(engine, RATE_LIMITS="1 per minute", PENALTY_SECONDS="0")
    alice, key = Cast(app).alice, {"Idempotency-Key": "k"}
    now = clock.now_ms()
    assert alice.get("/users/me").status_code == 200
    refused(alice.post("/contacts", json=ADA, headers=key), 429, "rate_limited")
    monkeypatch.setattr(clock, "now_ms", lambda: now + 61_000)
    answer = alice.post("/contacts", json=ADA, headers=key)
    assert (answer.status_code, REPLAYED in answer.headers) == (201, False)


# CC-5
def test_a_500_leaves_nothing_and_is_not_kept(alice, key, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(import_module(ROUTES), "answer_object", lambda *_: 1 / 0)
        assert alice.post("/contacts", json=ADA, headers=key).status_code == 500
        assert (book_state(alice).live, records(alice)) == (0, 0)
    answer = alice.post("/contacts", json=ADA, headers=key)
    assert (answer.status_code, REPLAYED in answer.headers) == (201, False)


# CC-5
def test_after_a_day_the_key_is_free(alice, key, monkeypatch):
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    alice.post("/contacts", json=ADA, headers=key)
    monkeypatch.setattr(clock, "now_ms", lambda: now + DAY - 1)
    alice.sign_in()
    assert alice.post("/contacts", json=ADA, headers=key).headers[REPLAYED] == "true"
    monkeypatch.setattr(clock, "now_ms", lambda: now + DAY)
    answer = alice.post("/contacts", json={"first_name": "Grace"}, headers=key)
    assert (answer.status_code, REPLAYED in answer.headers) == (201, False)
    assert records(alice) == 1


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_the_job_does_not_read_all_answers_to_find_old_ones(app):
    with app.app_context():
        plan = lane().all(Sql(f"EXPLAIN QUERY PLAN {_PURGE.qmark}"), (1, 2))
    assert not [step for *_, step in plan if step.startswith("SCAN")]


def test_the_job_deletes_what_is_a_day_old(alice, key, monkeypatch):
    now = clock.now_ms()
    alice.post("/contacts", json=ADA, headers=key)

    def purge():
        with alice.app.app_context():
            write_transaction(HANDLERS["purge"](None))()

    purge()
    assert records(alice) == 1
    monkeypatch.setattr(clock, "now_ms", lambda: now + DAY + 1000)
    purge()
    assert records(alice) == 0


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_where_nobody_need_sign_in_the_header_says_nothing(client, key):
    body = {"email": f"{uuid.uuid4().hex}@example.com", "password": "correct horse battery"}
    assert client.post("/api/v1/auth/register", json=body, headers=key).status_code == 201
    refused(client.post("/api/v1/auth/register", json=body, headers=key), 409, "email_taken")
    answer = client.post("/api/v1/contacts", json=ADA, headers={"Idempotency-Key": ""})
    refused(answer, 401, "not_authenticated")


def test_erasing_an_account_takes_its_answers_along(alice, key):
    alice.post("/contacts", json=ADA, headers=key)
    assert alice.post("/users/me/delete", json={"password": PASSWORD}).status_code == 204
    assert records(alice) == 0
