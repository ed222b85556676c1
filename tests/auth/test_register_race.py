"""One e-mail address, registered by many at the same moment in two worker processes."""

import uuid

import pytest

from tests.support.wire import Wire, at_once, process_of

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def wire(engine, new_server):
    """Two worker processes with threads for everybody: nobody is sent away because many hash."""
    server = new_server(engine, WORKERS="2", THREADS="24")
    yield Wire(server)
    server.kill()


def race(wire, spellings, **fields):
    """20 registrations at once, the spellings in turns; their answers."""
    bodies = [
        {"email": spellings[n % len(spellings)], "password": PASSWORD, **fields} for n in range(20)
    ]
    return at_once([lambda b=b: wire.ask("POST", "/auth/register", json=b) for b in bodies])


def races(wire, prepare):
    """Races until both workers took part in one; the answers of each."""
    for _ in range(20):
        answers = race(wire, **prepare(uuid.uuid4().hex))
        yield answers
        if len({process_of(answer) for answer in answers}) == 2:
            return
    raise AssertionError("one worker did all the work in every race")


# CC-1
def test_one_of_twenty_parallel_registrations_makes_the_account(wire):
    def spelt(name):
        return {"spellings": [f"ada-{name}@example.com", f"ADA-{name}@Example.COM"]}

    for answers in races(wire, spelt):
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
        codes = {answer.json()["code"] for answer in answers if answer.status_code == 409}
        assert codes == {"email_taken"}


# CC-1
def test_one_of_twenty_parallel_registrations_gets_the_user_name(wire):
    def named(name):
        emails = [f"{uuid.uuid4().hex}@example.com" for _ in range(20)]
        return {"spellings": emails, "username": f"ada-{name}"}

    for answers in races(wire, named):
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
        codes = {answer.json()["code"] for answer in answers if answer.status_code == 409}
        assert codes == {"username_taken"}


# CC-1
def test_the_winner_of_the_race_has_a_whole_account(wire):
    email = f"{uuid.uuid4().hex}@example.com"
    answers = race(wire, [email, email.upper()])
    winner = next(answer.json() for answer in answers if answer.status_code == 201)
    signed_in = wire.ask("POST", "/auth/token", json={"email": email, "password": PASSWORD})
    assert signed_in.status_code == 200
    token = signed_in.json()["access_token"]
    assert wire.ask("GET", "/users/me", token).json()["id"] == winner["id"]
    assert wire.ask("GET", "/contacts", token).json()["total"] == 0
