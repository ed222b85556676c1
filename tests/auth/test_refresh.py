"""POST /auth/refresh: rotation, the grace for lost answers, and what ends a session."""

import uuid

import pytest
from sqlalchemy import text

from contactapp import clock
from contactapp.database import database
from tests.support.cast import PASSWORD, Person, refused
from tests.support.wire import Wire, at_once, process_of

URL = "/api/v1/auth/refresh"
HOUR, DAY = 3600, 86400


class Clock:
    """The application's time, which stands still until it is told to pass."""

    def __init__(self):
        self.now = clock.now_ms()

    def pass_seconds(self, seconds):
        self.now += round(seconds * 1000)


@pytest.fixture
def time(monkeypatch):
    stopped = Clock()
    monkeypatch.setattr("contactapp.clock.now_ms", lambda: stopped.now)
    return stopped


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def refresh(client, token):
    return client.post(URL, json={"refresh_token": token})


def works(answer):
    assert answer.status_code == 200, answer.text
    return answer.json


def is_alive(client, access):
    return client.get("/api/v1/users/me", headers=bearer(access)).status_code == 200


def ended_at(person):
    query = text("SELECT ended_at FROM session WHERE user_id = :id")
    with person.app.app_context(), database().engine.connect() as connection:
        return connection.execute(query, {"id": person.id}).scalar_one()


def test_it_hands_out_new_tokens_for_the_same_session(client, alice, time):
    time.pass_seconds(1)
    pair = works(refresh(client, alice.refresh))
    assert (pair["token_type"], pair["expires_in"]) == ("bearer", 900)
    assert pair["refresh_token"] != alice.refresh
    assert is_alive(client, pair["access_token"])
    assert is_alive(client, alice.access)
    assert len(alice.get("/auth/sessions").json["items"]) == 1


def test_the_token_comes_as_bearer_or_in_the_body(client, alice):
    as_bearer = works(client.post(URL, headers=bearer(alice.refresh)))
    in_body = works(refresh(client, as_bearer["refresh_token"]))
    assert is_alive(client, in_body["access_token"])


def test_an_empty_object_is_no_refresh_token_and_no_hindrance(client, alice):
    assert works(client.post(URL, json={}, headers=bearer(alice.refresh)))


def test_the_body_counts_where_a_client_sends_its_access_token_along(client, alice):
    body = {"refresh_token": alice.refresh}
    assert works(client.post(URL, json=body, headers=bearer(alice.access)))


def test_it_refuses_what_is_no_refresh_token(client, alice):
    broken = ("nonsense", "", "ä", "x" * 20_000, alice.refresh[:-1], "..", "a.b.c")
    for wrong in (alice.access, *broken):
        refused(refresh(client, wrong), 401, "invalid_token")
    refused(client.post(URL, headers=bearer(alice.access)), 401, "invalid_token")
    refused(client.post(URL, json={}), 422, "invalid_fields", "/refresh_token")
    refused(client.post(URL, json={"refresh_token": 7}), 422, "invalid_fields", "/refresh_token")
    refused(client.post(URL), 422, "invalid_fields", "/refresh_token")
    assert works(refresh(client, alice.refresh))


# TK-3
def test_a_spent_token_that_comes_back_late_ends_the_session(client, alice, time):
    second = works(refresh(client, alice.refresh))
    time.pass_seconds(10.001)
    answer = refresh(client, alice.refresh)
    refused(answer, 401, "refresh_token_reused")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert ended_at(alice) == time.now
    refused(refresh(client, second["refresh_token"]), 401, "invalid_token")
    refused(refresh(client, alice.refresh), 401, "invalid_token")
    for access in (alice.access, second["access_token"]):
        assert not is_alive(client, access)


# TK-3
def test_a_grandparent_ends_the_session_at_any_time(client, alice):
    second = works(refresh(client, alice.refresh))
    third = works(refresh(client, second["refresh_token"]))
    refused(refresh(client, alice.refresh), 401, "refresh_token_reused")
    refused(refresh(client, third["refresh_token"]), 401, "invalid_token")


# TK-3
def test_only_the_session_of_the_spent_token_ends(client, alice, time):
    first = alice.refresh
    other = alice.sign_in()
    works(refresh(client, first))
    time.pass_seconds(11)
    refused(refresh(client, first), 401, "refresh_token_reused")
    assert is_alive(client, other["access_token"])
    assert works(refresh(client, other["refresh_token"]))


# TK-4
def test_a_lost_answer_is_given_again(client, alice, time):
    lost = works(refresh(client, alice.refresh))
    time.pass_seconds(10)
    again = works(refresh(client, alice.refresh))
    assert again["refresh_token"] == lost["refresh_token"]
    assert is_alive(client, again["access_token"])
    assert works(refresh(client, again["refresh_token"]))
    assert ended_at(alice) is None


# TK-4
def test_twenty_parallel_refreshes_in_two_processes_make_one_lineage(live_server):
    wire = Wire(live_server)
    for _ in range(20):
        person = live_server.person()
        token = person.tokens["refresh_token"]
        call = {"json": {"refresh_token": token}}
        answers = at_once([lambda c=call: wire.ask("POST", "/auth/refresh", **c)] * 20)
        assert {answer.status_code for answer in answers} == {200}
        children = {answer.json()["refresh_token"] for answer in answers}
        assert len(children) == 1
        assert token not in children
        for pair in (answers[0].json(), answers[-1].json()):
            assert wire.ask("GET", "/users/me", pair["access_token"]).status_code == 200
        child = {"refresh_token": children.pop()}
        assert wire.ask("POST", "/auth/refresh", json=child).status_code == 200
        if len({process_of(answer) for answer in answers}) == 2:
            return
    raise AssertionError("one worker did all the work in every round")


@pytest.fixture(scope="module")
def short(engine, new_app):
    """An application whose sessions end after a day, or after two hours without use."""
    return new_app(engine, SESSION_SECONDS=str(DAY), SESSION_IDLE_SECONDS=str(2 * HOUR))


# TK-5
def test_a_session_ends_however_often_it_is_refreshed(short, time):
    client, ada = short.test_client(), Person(short, "ada")
    pair = {"refresh_token": ada.refresh}
    for _ in range(23):
        time.pass_seconds(HOUR)
        pair = works(refresh(client, pair["refresh_token"]))
    time.pass_seconds(HOUR - 60)
    pair = works(refresh(client, pair["refresh_token"]))
    assert is_alive(client, pair["access_token"])
    time.pass_seconds(61)
    refused(refresh(client, pair["refresh_token"]), 401, "invalid_token")
    assert not is_alive(client, pair["access_token"])


# TK-5
def test_a_session_that_nobody_uses_ends(short, time):
    client, ada = short.test_client(), Person(short, "ada")
    time.pass_seconds(2 * HOUR - 1)
    pair = works(refresh(client, ada.refresh))
    time.pass_seconds(2 * HOUR)
    refused(refresh(client, pair["refresh_token"]), 401, "invalid_token")


# TK-5, TK-6
def test_a_disabled_user_gets_no_new_tokens(client, alice):
    disable = text("UPDATE users SET active = false WHERE id = :id")
    with alice.app.app_context(), database().engine.begin() as connection:
        connection.execute(disable, {"id": alice.id})
    refused(refresh(client, alice.refresh), 401, "invalid_token")


def test_a_password_in_the_place_of_a_token_is_never_echoed(client):
    secret = f"{PASSWORD}-{uuid.uuid4().hex}"
    assert secret not in refresh(client, secret).text
