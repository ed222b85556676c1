"""Forty rounds of kill -9 under write load."""

import pytest

from tests.support.crash import kill_rounds


# DU-1
@pytest.mark.soak
@pytest.mark.timeout(900)
def test_nothing_acknowledged_is_lost_in_forty_kills(engine, new_server):
    server = new_server(engine, CONTACT_LIMIT="0")
    assert kill_rounds(server, rounds=40) > 1000
    server.kill()
