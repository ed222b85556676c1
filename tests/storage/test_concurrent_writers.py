"""Many processes and threads on one database; for a minute in tests/soak/test_contention.py."""

import pytest

from tests.support.traffic import contend


@pytest.fixture
def crowd(engine, new_server, new_app):
    """A server of 4 processes with 8 threads each, and an application on the same database."""
    server = new_server(engine, WORKERS="4", THREADS="8", CONTACT_LIMIT="0")
    instance = str(server.instance)
    yield server, new_app(engine, database=server.database, INSTANCE_PATH=instance)
    server.kill()


# CC-4
def test_four_processes_of_eight_threads_never_find_the_database_locked(crowd):
    statuses = contend(*crowd, seconds=1.5)
    assert statuses.total() > 100
