"""What a contact was at each version, and making it that again."""

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from contactapp import clock
from contactapp.changes.log import _STATE_AT
from contactapp.changes.service import _HISTORY
from contactapp.database import Sql, lane
from tests.changes.test_change_log import log_of
from tests.changes.test_feed import append, in_stream, purge
from tests.support.cast import refused
from tests.support.stored import book_state, contact_row

FIELDS = ("first_name", "nickname", "company", "starred", "custom_fields")
_RAISE = Sql("UPDATE stream SET floor = ? WHERE id = ?")
_EMPTY = Sql("UPDATE change SET sealed = NULL WHERE stream_id = ? AND seq = ?")


def history(person, contact, query=""):
    answer = person.get(f"/contacts/{contact['id']}/history{query}")
    assert answer.status_code == 200, answer.text
    return answer.json["items"]


def revert(person, contact, version, **kwargs):
    path = f"/contacts/{contact['id']}/revert"
    return person.post(path, json={"version": version}, **kwargs)


def content(contact):
    """A contact without what every version has of its own; as a text, in which true is not 1."""
    own = {"version", "updated_at", "updated_by"}
    shown = {name: value for name, value in contact.items() if name not in own}
    return orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)


@pytest.fixture
def versions(alice):
    """A contact as it was at each of three versions."""
    first = alice.contact(first_name="Grace", custom_fields={"rank": "Captain"})
    path = f"/contacts/{first['id']}"
    patch = {"company": "Navy", "custom_fields": {"rank": "Admiral"}}
    second = alice.patch(path, json=patch).json
    third = alice.put(path, json={"last_name": "Hopper", "starred": True}).json
    return [first, second, third]


def test_every_version_tells_its_fields_before_and_after(alice, versions, monkeypatch):
    now = clock.now_ms() + 60_000
    monkeypatch.setattr(clock, "now_ms", lambda: now)
    path = f"/contacts/{versions[0]['id']}"
    asked = {"X-Request-ID": "a-request-of-alice"}
    alice.patch(path, json={"first_name": "Amazing"}, headers=asked)
    fourth, third, second, first = history(alice, versions[0])
    assert fourth == {
        "id": 4,
        "version": 4,
        "op": "updated",
        "at": clock.rfc3339(now),
        "actor_id": alice.id,
        "request_id": "a-request-of-alice",
        "operation_id": None,
        "changes": {"first_name": {"before": None, "after": "Amazing"}},
    }
    assert third["changes"] == {
        "first_name": {"before": "Grace", "after": None},
        "last_name": {"before": None, "after": "Hopper"},
        "starred": {"before": None, "after": True},
        "company": {"before": "Navy", "after": None},
        "custom_fields": {"before": {"rank": "Admiral"}, "after": None},
    }
    assert second["changes"] == {
        "company": {"before": None, "after": "Navy"},
        "custom_fields": {"before": {"rank": "Captain"}, "after": {"rank": "Admiral"}},
    }
    assert (first["op"], first["version"]) == ("created", 1)
    assert first["changes"].keys() == {"first_name", "custom_fields"}


def test_it_tells_who_it_was(cast):
    made = cast.alice.contact()
    shared = f"?book={cast.alice.book_id}"
    cast.carol.patch(f"/contacts/{made['id']}{shared}", json={"nickname": "G"})
    found = history(cast.eve, made, shared)
    assert [entry["actor_id"] for entry in found] == [cast.carol.id, cast.alice.id]
    assert history(cast.alice, made) == found


def test_only_versions_of_this_contact_are_in_it(alice, versions):
    """Neither another contact's, nor a note's of the same number, nor what a job added."""
    other, id_ = alice.contact(), versions[0]["id"]
    append(
        alice,
        ("note", id_, "create", 1, {"body": "a"}),
        ("contact", id_, "process", 3, {"company": "Job"}),
    )
    assert [entry["version"] for entry in history(alice, versions[0])] == [3, 2, 1]
    assert alice.get(f"/contacts/{id_}/history?limit=1").json["total"] == 3
    assert [entry["version"] for entry in history(alice, other)] == [1]
    assert content(revert(alice, versions[0], 2).json) == content(versions[1])


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_it_is_found_by_its_contact_and_not_by_walking_through_the_book(alice):
    place = (1, 1, "contact", 1)
    with alice.app.app_context():
        for sql, parameters in (
            (_HISTORY, (*place, *place, 9, 51, 0, 1, 1)),
            (_STATE_AT, (*place, 1)),
        ):
            plan = lane().all(Sql(f"EXPLAIN QUERY PLAN {sql.qmark}"), parameters)
            used = [step for *_, step in plan if step.startswith("SEARCH change")]
            assert used
            assert all("ix_change_entity" in step for step in used)


def test_a_purge_shortens_it_and_an_erased_version_tells_no_fields(alice, versions):
    in_stream(alice, lambda stream_id: lane().run(_EMPTY, (stream_id, 2)))
    assert [entry["changes"] is None for entry in history(alice, versions[0])] == [
        False,
        True,
        False,
    ]
    refused(revert(alice, versions[0], 2), 422, "invalid_fields", "/version")
    in_stream(alice, lambda stream_id: lane().run(_RAISE, (1, stream_id)))  # the purge comes to it
    assert [entry["version"] for entry in history(alice, versions[0])] == [3, 2]
    refused(revert(alice, versions[0], 1), 422, "invalid_fields", "/version")
    purge(alice, 2)
    assert [entry["version"] for entry in history(alice, versions[0])] == [3]
    state = book_state(alice)
    for version in (1, 2):
        refused(revert(alice, versions[0], version), 422, "invalid_fields", "/version")
    purge(alice, 3)
    assert history(alice, versions[0]) == []
    assert revert(alice, versions[0], 3).json == versions[2]  # which it is
    assert book_state(alice) == state


def test_a_revert_is_a_new_version_with_the_old_fields(alice, versions):
    answer = revert(alice, versions[0], 1)
    assert answer.status_code == 200
    assert content(answer.json) == content(versions[0])
    assert answer.json["version"] == 4
    assert answer.headers["ETag"].startswith('"v4-')
    assert alice.get(f"/contacts/{versions[0]['id']}").json == answer.json
    newest = history(alice, versions[0])[0]
    assert (newest["version"], newest["op"]) == (4, "updated")
    assert content(revert(alice, versions[0], 3).json) == content(versions[2])


def test_a_revert_to_the_present_changes_nothing(alice, versions):
    state = book_state(alice)
    assert revert(alice, versions[0], 3).json == versions[2]
    alice.patch(f"/contacts/{versions[0]['id']}", json={"nickname": "G"})
    back = alice.patch(f"/contacts/{versions[0]['id']}", json={"nickname": None}).json
    assert revert(alice, versions[0], 3).json == back  # the same fields, under another number
    assert book_state(alice).seq == state.seq + 2


@pytest.mark.parametrize("version", [4, 99, 2**53 - 1])
def test_a_version_that_never_was_is_refused_by_name(alice, versions, version):
    state = book_state(alice)
    problem = refused(revert(alice, versions[0], version), 422, "invalid_fields", "/version")
    assert str(version) in problem["errors"][0]["detail"]
    assert problem["errors"][0]["code"] == "unknown_version"
    assert book_state(alice) == state


@pytest.mark.parametrize("version", [0, -1, 2**53, 1.0, "1", True, None, [1], {}])
def test_a_version_is_a_whole_number(alice, versions, version):
    refused(revert(alice, versions[0], version), 422, "invalid_fields", "/version")


def test_a_version_is_all_that_is_asked_for(alice, versions):
    path = f"/contacts/{versions[0]['id']}/revert"
    refused(alice.post(path, json={}), 422, "invalid_fields", "/version")
    refused(alice.post(path, json={"version": 1, "x": 1}), 422, "invalid_fields", "/x")


def test_a_revert_holds_to_if_match(alice, versions):
    state = book_state(alice)
    stale = {"If-Match": alice.get(f"/contacts/{versions[0]['id']}").headers["ETag"]}
    stale["If-Match"] = stale["If-Match"].replace("v3", "v2")
    refused(revert(alice, versions[0], 1, headers=stale), 412, "version_mismatch")
    assert book_state(alice) == state
    fresh = {"If-Match": stale["If-Match"].replace("v2", "v3")}
    assert revert(alice, versions[0], 1, headers=fresh).status_code == 200


# AZ-2
def test_a_contact_in_the_trash_has_neither(alice, versions):
    path = f"/contacts/{versions[0]['id']}"
    alice.delete(path)
    state, row = book_state(alice), contact_row(alice.app, versions[0]["id"])
    refused(alice.get(f"{path}/history"), 404, "not_found")
    refused(revert(alice, versions[0], 1), 404, "not_found")
    assert (book_state(alice), contact_row(alice.app, versions[0]["id"])) == (state, row)


# AZ-3
def test_a_version_of_somebody_elses_contact_is_as_one_that_never_was(cast, versions):
    """Versions are looked for in the actor's book and under the contact of the path alone."""
    mine = cast.bob.contact(first_name="Bob")
    for version in (2, 3):
        answer = revert(cast.bob, mine, version)
        refused(answer, 422, "invalid_fields", "/version")
        assert "Navy" not in answer.text
    assert cast.bob.get(f"/contacts/{mine['id']}").json == mine
    theirs = revert(cast.bob, versions[0], 1)
    refused(theirs, 404, "not_found")


VALUE = st.sampled_from(["a", "b", "Ä", None])
DEEDS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {},
            optional={
                **{name: VALUE for name in ("first_name", "company")},
                "starred": st.booleans(),
                "custom_fields": st.dictionaries(st.sampled_from("xy"), st.sampled_from([1, True])),
            },
        ),
        st.integers(1, 8),  # a version to go back to, where there is one
    ),
    min_size=1,
    max_size=8,
)


@examples(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(DEEDS)
def test_history_replayed_gives_every_version(alice, deeds):
    shown = [alice.contact(nickname="always")]
    for deed in deeds:
        path = f"/contacts/{shown[0]['id']}"
        if isinstance(deed, dict):
            answer = alice.patch(path, json=deed)
        else:
            wanted = shown[deed % len(shown)]
            answer = revert(alice, shown[0], wanted["version"])
            assert content(answer.json) == content(wanted)
        assert answer.status_code == 200, answer.text
        if answer.json["version"] > shown[-1]["version"]:
            shown.append(answer.json)
    card, kept = {}, history(alice, shown[0])
    assert [entry["version"] for entry in kept[::-1]] == list(range(1, len(shown) + 1))
    for entry, was in zip(kept[::-1], shown, strict=True):
        for name, change in entry["changes"].items():
            assert card.get(name) == change["before"]
            card[name] = change["after"]
        assert {name: card.get(name) or None for name in FIELDS} == {
            name: was[name] or None for name in FIELDS
        }
    assert len([row for row in log_of(alice) if row["entity_id"] == shown[0]["id"]]) == len(shown)
