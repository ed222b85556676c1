"""What the tests of the HTTP layer share: both engines side by side, and an app that breaks."""

import pytest

from contactapp.http import public
from tests.support.cast import Cast
from tests.support.stored import set_user

PUBLIC = ("/auth/register", "/auth/token", "/auth/login", "/auth/refresh")
SECRET = "postgresql://root:hunter2@db.internal/contacts"


@pytest.fixture(scope="session")
def apps(new_app):
    """One application per engine, to hold their answers against each other."""
    return {engine: new_app(engine) for engine in ("sqlite", "postgresql")}


@pytest.fixture(scope="session")
def alices(apps):
    """Somebody signed in on each engine, who may do everything."""
    found = [Cast(app).alice for app in apps.values()]
    for alice in found:
        set_user(alice.app, alice.id, role="admin")
    return found


@pytest.fixture
def on_both(alices):
    """Send one request to both engines, to public routes as nobody; one answer, the statuses
    compared."""

    def send(method, path, headers=(), **kwargs):
        nobody = path.startswith(PUBLIC) and {"Authorization": ""}
        given = {**(nobody or {}), **dict(headers)}
        answers = [alice.request(method, path, headers=given, **kwargs) for alice in alices]
        statuses = [answer.status_code for answer in answers]
        assert statuses[0] == statuses[1], (method, path[:100], statuses)
        return answers[0]

    return send


@pytest.fixture(scope="session")
def broken_app(new_app):
    """An application with a view at /broken that fails in an unforeseen way."""
    app = new_app("sqlite")

    @app.get("/broken")
    @public
    def broken():
        raise RuntimeError(SECRET)

    app.extensions["contactapp.public"].add("broken")
    return app


@pytest.fixture(scope="session")
def own_app(engine, new_app):
    """An application whose database the tests break, and put right again."""
    return new_app(engine)
