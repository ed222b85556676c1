"""/labels: the same whatever the view was asked before, and whatever a label is called."""

from urllib.parse import quote

import pytest

from tests.support.cast import refused

AWKWARD = ("100%", "..", "𝕏" * 64, "a?b#c", "+")


@pytest.mark.parametrize("query", ["label=navy", "label_like=av"])
def test_the_labels_are_listed_and_filtered_by_in_any_order(alice, query):
    grace = alice.contact(first_name="Grace", labels=["Navy", "COBOL"])
    expected = [{"name": "COBOL", "count": 1}, {"name": "Navy", "count": 1}]
    for _ in range(2):
        found = alice.get(f"/contacts?{query}")
        assert [item["id"] for item in found.json["items"]] == [grace["id"]]
        assert alice.get("/labels").json["items"] == expected


def test_a_label_is_renamed_and_taken_off_after_it_was_filtered_by(alice):
    alice.contact(first_name="Grace", labels=["Navy"])
    assert alice.get("/contacts?label=navy").json["total"] == 1
    assert alice.patch("/labels/navy", json={"name": "Fleet"}).json["contacts"] == 1
    assert alice.get("/contacts?label=fleet").json["total"] == 1
    assert alice.delete("/labels/fleet").json["contacts"] == 1
    refused(alice.delete("/labels/fleet"), 404, "not_found")


@pytest.mark.parametrize("name", AWKWARD)
def test_any_label_can_be_named_in_an_address(alice, name):
    """IV-7."""
    alice.contact(first_name="Grace", labels=[name])
    (label,) = alice.get("/labels").json["items"]
    path = f"/labels/{quote(label['name'], safe='')}"
    assert alice.patch(path, json={"name": "plain"}).json["contacts"] == 1
    refused(alice.delete(path), 404, "not_found")
