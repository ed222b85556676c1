"""A first look at contacts, on both engines."""

from tests.support.cast import refused


def test_a_contact_goes_in_and_comes_back(alice):
    made = alice.contact(first_name="Grace", last_name="Hopper", phone="+1 555 1234")
    assert alice.get(f"/contacts/{made['id']}").json == made
    assert alice.get("/contacts").json == {"items": [made], "next_cursor": None, "total": 1}


def test_a_stranger_finds_nothing(alice, bob):
    made = alice.contact()
    refused(bob.get(f"/contacts/{made['id']}"), 404, "not_found")
