"""POST /auth/logout, GET /auth/sessions, DELETE /auth/sessions/{id}."""

import pytest
from sqlalchemy import text

from contactapp import clock
from contactapp.database import database
from tests.support.cast import refused
from tests.support.wire import Wire

SESSION = {
    "id",
    "user_agent",
    "address",
    "created_at",
    "last_used_at",
    "expires_at",
    "is_current",
}


def status(client, tokens):
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return client.get("/api/v1/users/me", headers=headers).status_code


def refresh(client, tokens):
    return client.post("/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})


@pytest.fixture
def three(alice):
    """Alice's tokens on three devices; her own requests come from the last."""
    return [{"access_token": alice.access, "refresh_token": alice.refresh}] + [
        alice.sign_in() for _ in range(2)
    ]


# TK-6
@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("", [200, 200, 401]),
        ("?scope=local", [200, 200, 401]),
        ("?scope=others", [401, 401, 200]),
        ("?scope=all", [401, 401, 401]),
    ],
)
def test_logging_out_ends_what_was_asked_for(client, alice, bob, three, query, left):
    answer = alice.post(f"/auth/logout{query}")
    assert (answer.status_code, answer.data) == (204, b"")
    assert [status(client, tokens) for tokens in three] == left
    assert [refresh(client, tokens).status_code for tokens in three] == left
    assert bob.get("/users/me").status_code == 200


def test_it_refuses_a_scope_it_does_not_know(alice):
    refused(alice.post("/auth/logout?scope=everything"), 422, "invalid_fields", "?scope")
    refused(alice.post("/auth/logout?scope=all&scope=all"), 400, "repeated_parameter")
    refused(alice.post("/auth/logout?device=1"), 400, "unknown_parameter")
    assert alice.get("/users/me").status_code == 200


# TK-6
def test_a_token_of_an_ended_session_stays_dead(client, alice, three, monkeypatch):
    alice.post("/auth/logout?scope=all")
    now = clock.now_ms()
    for later in (0, 11, 899, 901, 86_400):
        monkeypatch.setattr("contactapp.clock.now_ms", lambda ms=now + later * 1000: ms)
        for tokens in three:
            assert status(client, tokens) == 401
            refused(refresh(client, tokens), 401, "invalid_token")
    alice.sign_in()
    assert [status(client, tokens) for tokens in three] == [401] * 3


# TK-6
def test_a_logout_holds_on_every_worker_and_after_a_restart(engine, new_server):
    server = new_server(engine, WORKERS="2")
    ada, wire = server.person(), Wire(server)
    gone = ada.tokens
    ada.sign_in()
    kept = ada.tokens
    for tokens in (gone, kept):  # both workers have seen both tokens, and may remember them
        seen = wire.from_every_worker("GET", "/users/me", tokens["access_token"])
        assert list(seen.values()) == [{200}, {200}]
    assert wire.ask("POST", "/auth/logout", gone["access_token"]).status_code == 204
    _only_one_is_alive(wire, gone, kept)
    server.kill()
    server.start()
    _only_one_is_alive(wire, gone, kept)
    assert wire.ask("POST", "/auth/logout?scope=all", kept["access_token"]).status_code == 204
    seen = wire.from_every_worker("GET", "/users/me", kept["access_token"])
    assert list(seen.values()) == [{401}, {401}]
    server.kill()


def _only_one_is_alive(wire, gone, kept):
    # The first answer after the logout counts, so the dead token is tried first.
    seen = wire.from_every_worker("GET", "/users/me", gone["access_token"])
    assert list(seen.values()) == [{401}, {401}]
    seen = wire.from_every_worker("GET", "/users/me", kept["access_token"])
    assert list(seen.values()) == [{200}, {200}]
    body = {"refresh_token": gone["refresh_token"]}
    assert wire.ask("POST", "/auth/refresh", json=body).status_code == 401


# TK-6
def test_it_lists_ones_own_live_sessions(alice, bob, three):
    answer = alice.get("/auth/sessions").json
    assert (answer["total"], answer["next_cursor"]) == (3, None)
    assert [session["is_current"] for session in answer["items"]] == [True, False, False]
    assert all(session.keys() == SESSION for session in answer["items"])
    assert len({session["id"] for session in answer["items"]}) == 3
    assert len(bob.get("/auth/sessions").json["items"]) == 1


def test_a_session_tells_where_and_when_it_was_opened(app, alice, client):
    body = {"email": alice.email, "password": "correct horse battery staple"}
    headers = {"User-Agent": "Ada's phone Ä" + "x" * 400}
    client.post(
        "/api/v1/auth/token", json=body, headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.7"}
    )
    session = alice.get("/auth/sessions").json["items"][0]
    assert session["user_agent"].startswith("Ada's phone ")
    assert len(session["user_agent"]) == 300
    assert session["address"] == "192.0.2.7"
    assert session["created_at"] == session["last_used_at"] < session["expires_at"]
    with app.app_context(), database().engine.connect() as connection:
        query = text("SELECT sealed FROM session WHERE id = :id")
        sealed = bytes(connection.execute(query, {"id": session["id"]}).scalar_one())
    assert b"phone" not in sealed
    assert b"192.0.2.7" not in sealed


def test_a_session_without_a_user_agent_is_listed_too(alice, client):
    form = {"username": alice.name, "password": "correct horse battery staple"}
    client.post("/api/v1/auth/token", data=form, headers={"User-Agent": ""})
    assert alice.get("/auth/sessions").json["items"][0]["user_agent"] is None


# TK-6
def test_one_session_can_be_ended_from_another(client, alice, three):
    current, second, first = alice.get("/auth/sessions").json["items"]
    assert alice.delete(f"/auth/sessions/{first['id']}").status_code == 204
    assert [status(client, tokens) for tokens in three] == [401, 200, 200]
    refused(refresh(client, three[0]), 401, "invalid_token")
    left = [session["id"] for session in alice.get("/auth/sessions").json["items"]]
    assert left == [current["id"], second["id"]]
    refused(alice.delete(f"/auth/sessions/{first['id']}"), 404, "not_found")
    assert alice.delete(f"/auth/sessions/{current['id']}").status_code == 204
    assert alice.get("/users/me").status_code == 401


# AZ-1
def test_a_strangers_session_is_as_absent_as_any(alice, bob):
    [session] = alice.get("/auth/sessions").json["items"]
    answers = [bob.delete(f"/auth/sessions/{id_}") for id_ in (session["id"], 2**53 - 1)]
    foreign, absent = [refused(answer, 404, "not_found") for answer in answers]
    assert foreign | {"request_id": ""} == absent | {"request_id": ""}
    assert alice.get("/users/me").status_code == 200


# IV-2
@pytest.mark.parametrize("id_", ["0", "-1", "007", "٣", "1e3", str(2**53), str(2**63), "9" * 5000])
def test_an_id_that_cannot_be_is_not_found(alice, id_):
    refused(alice.delete(f"/auth/sessions/{id_}"), 404, "not_found")


def test_ended_and_expired_sessions_are_not_listed(alice, three, monkeypatch):
    month = 30 * 86_400_000
    now = clock.now_ms()
    monkeypatch.setattr("contactapp.clock.now_ms", lambda: now + month - 1000)
    alice.sign_in()
    assert alice.get("/auth/sessions").json["total"] == 4
    monkeypatch.setattr("contactapp.clock.now_ms", lambda: now + month + 600_000)
    assert alice.get("/auth/sessions").json["total"] == 1
