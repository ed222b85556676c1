"""A minute of mixed load by four processes with eight threads each."""

import pytest

from tests.support.traffic import contend


# CC-4
@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_minute_of_mixed_load_ends_with_straight_books(engine, new_server, new_app):
    server = new_server(engine, WORKERS="4", THREADS="8", CONTACT_LIMIT="0")
    app = new_app(engine, database=server.database, INSTANCE_PATH=str(server.instance))
    assert contend(server, app, seconds=60).total() > 3000
    server.kill()
