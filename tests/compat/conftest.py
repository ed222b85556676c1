"""A real server with its letters, and people who know one of the earlier systems."""

import pytest

from tests.compat.frontend import Frontend, Nobody
from tests.mail.conftest import mailing, post_office

__all__ = ["mailing", "post_office"]  # fixtures

ORIGIN = "https://frontend.example.org"


@pytest.fixture(scope="session")
def server(engine, new_server, mailing):
    """As an operator runs it: with the job worker beside it, and links to itself."""
    given = {name: value for name, value in mailing.items() if name != "BASE_URL"}
    return new_server(engine, JOB_WORKER="true", CORS_ORIGINS=ORIGIN, **given)


@pytest.fixture
def frontend(server):
    return Frontend(server.url)


@pytest.fixture
def another(server):
    """Somebody else."""
    return Frontend(server.url)


@pytest.fixture
def nobody(server):
    return Nobody(server.url)
