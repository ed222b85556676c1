"""The limit of contacts, told and kept by the earlier systems' routes."""

import pytest

from tests.compat.test_contacts import PLACES, ask, told
from tests.support.stored import set_user
from tests.support.wire import at_once


# CC-2
@pytest.mark.parametrize("place", PLACES)
def test_at_the_limit_it_is_400_here_and_403_in_the_api(alice, place):
    set_user(alice.app, alice.id, contact_limit=1)
    assert ask(alice, "POST", place, json={"name": "Ada"}).status_code == 201
    body = told(ask(alice, "POST", place, json={"name": "Grace"}), 400, "contact_limit_reached")
    assert (body["limit"], body["used"]) == (1, 1)
    assert alice.post("/contacts", json={"first_name": "Grace"}).status_code == 403


# CC-2
def test_many_at_once_never_go_over_the_limit(alice):
    set_user(alice.app, alice.id, contact_limit=3)
    calls = [
        lambda path=path: ask(alice, "POST", path, json={"first_name": "Ada"}).status_code
        for path in [*PLACES, "/api/v1/contacts"] * 4
    ]
    statuses = at_once(calls)
    assert statuses.count(201) == len(alice.get("/contacts").json["items"]) == 3
    assert set(statuses) == {201, 400, 403}
