"""kill -9 loses nothing that was acknowledged; the long form is tests/soak/test_kill.py."""

from tests.support.crash import kill_rounds


# DU-1
def test_nothing_acknowledged_is_lost_when_the_server_is_killed(engine, new_server):
    server = new_server(engine, CONTACT_LIMIT="0")
    assert kill_rounds(server, rounds=3) > 60
    server.kill()
