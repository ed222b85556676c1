"""Which earlier systems answer, and how each tells what went wrong."""

import pytest

from tests.support.cast import Cast


@pytest.mark.parametrize("path", ["/contacts/x/y", "/auth/nothing", "/api/users/nothing"])
def test_an_unknown_route_is_told_as_its_system_does(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.mimetype == "application/json"
    assert answer.json["message"] == answer.json["detail"]


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/nothing", "/authority"])
def test_the_api_and_every_other_path_keep_their_problems(client, path):
    assert client.get(path).mimetype == "application/problem+json"


def test_a_system_that_is_switched_off_is_not_there(new_app):
    app = new_app("sqlite", COMPAT="")
    assert not any(rule.rule.startswith("/contacts") for rule in app.url_map.iter_rules())
    bearer = {"Authorization": f"Bearer {Cast(app).alice.access}"}
    answer = app.test_client().get("/contacts/", headers=bearer)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
