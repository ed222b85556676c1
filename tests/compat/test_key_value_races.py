"""User management with key-value data: one name or key, wanted by many at the same moment."""

import uuid

import pytest

from tests.compat.test_key_value_contract import User, refused
from tests.support.wire import at_once, process_of


def races(calls_of):
    """Twenty calls at once, again until more than one process took part; the answers of each."""
    for _ in range(20):
        answers = at_once(calls_of())
        yield answers
        if len({process_of(answer) for answer in answers}) > 1:
            return
    raise AssertionError("one worker did all the work in every race")


def one_won(answers, code):
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
    for answer in answers:
        if answer.status_code == 409:
            refused(answer, code)


# CC-1
def test_one_of_twenty_parallel_entries_of_a_key_is_stored(live_server):
    user = User(live_server.url).registered().signed_in()

    def calls():
        key = uuid.uuid4().hex
        body = {"key": key, "value": key}
        return [lambda n=n: user.call("POST", "/api/data", {**body, "n": n}) for n in range(20)]

    for answers in races(calls):
        one_won(answers, "KEY_EXISTS")


# CC-1
@pytest.mark.parametrize("name", ["username", "email"])
def test_one_of_twenty_parallel_registrations_makes_the_account(live_server, name):
    def calls():
        wanted = User(live_server.url).fields[name]
        people = [User(live_server.url) for _ in range(20)]
        return [
            lambda p=p: p.call("POST", "/api/register", {**p.fields, name: wanted}) for p in people
        ]

    for answers in races(calls):
        one_won(answers, f"{name.upper()}_EXISTS")
