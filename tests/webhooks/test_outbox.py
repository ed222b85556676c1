"""What is to be told is written with what it tells of, or not at all."""

import pytest

from contactapp.changes import log
from contactapp.database import Sql, lane
from contactapp.webhooks import deliveries as deliveries_module
from contactapp.webhooks import outbox
from tests.support.cast import refused
from tests.support.stored import book_state
from tests.webhooks.conftest import deliveries, hook, rows, send, work

_FOLLOWED = (
    "SELECT b.stream_id, s.followed FROM book b JOIN stream s ON s.id = b.stream_id WHERE b.id = ?"
)


def told(person, made):
    """(type, seq) of the deliveries to a webhook, the oldest first."""
    return [(one["type"], one["seq"]) for one in deliveries(person, made)][::-1]


def test_every_change_is_told_once_by_its_type_and_number(owner, receiver):
    everything = hook(owner, receiver)
    some = hook(owner, receiver, types=["contact.deleted", "note"])
    contact = owner.contact(first_name="Grace")
    owner.patch(f"/contacts/{contact['id']}", json={"first_name": "Grace"})  # changes nothing
    note = owner.post(f"/contacts/{contact['id']}/notes", json={"body": "Hello"})
    assert note.status_code == 201
    owner.post("/data", json={"key": "k", "value": 1})
    owner.delete(f"/contacts/{contact['id']}")
    assert told(owner, everything) == [
        ("contact.created", 1),
        ("note.created", 2),
        ("contact.deleted", 3),
    ]
    assert told(owner, some) == told(owner, everything)[1:]


def test_data_are_told_where_they_are_asked_for(owner, receiver):
    made = hook(owner, receiver, types=["data.created", "contact.created"])
    owner.post("/data", json={"key": "a key", "value": [1]})
    owner.put("/data/a%20key", json={"value": [2]})
    owner.contact(first_name="Grace")
    send(owner, made)
    first, second = [got.event for got in receiver.got]
    assert (first["type"], first["data"]["key"], first["data"]["book_id"]) == (
        *("data.created", "a key"),
        None,
    )
    assert first["data"]["data"]["value"] == [1]
    assert (second["type"], second["data"]["book_id"]) == ("contact.created", owner.book_id)


def test_a_bulk_call_tells_all_or_nothing(owner, receiver):
    made = hook(owner, receiver)
    create = [{"op": "create", "contact": {"first_name": f"Ada {n}"}} for n in range(40)]
    answer = owner.post("/contacts/bulk", json={"operations": create})
    assert answer.status_code == 200
    assert told(owner, made) == [("contact.created", n) for n in range(1, 41)]
    wrong = [*create, {"op": "delete", "id": 2**50}]
    refused(owner.post("/contacts/bulk", json={"operations": wrong}), 422, "bulk_failed")
    assert len(told(owner, made)) == 40
    jobs = "SELECT count(*) FROM job WHERE kind = 'webhook.send' AND ref = ?"
    assert rows(owner.app, jobs, made["id"]) == [(1,)]


def test_what_is_rolled_back_is_told_to_nobody(owner, receiver, monkeypatch):
    made = hook(owner, receiver)
    written = []

    def failing(*arguments):
        written.append(lane().one(Sql("SELECT count(*) FROM webhook_delivery"))[0])
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(outbox, "enqueue", failing)
    before = book_state(owner)
    answer = owner.post("/contacts", json={"first_name": "Grace"})
    assert answer.status_code == 500
    assert written[0] >= 1  # it was there, and went with the rest
    monkeypatch.undo()
    assert (book_state(owner), told(owner, made)) == (before, [])


@pytest.mark.parametrize("active", [True, False])
def test_a_book_without_webhooks_pays_nothing(owner, receiver, monkeypatch, active):
    asked = []
    real = outbox.Outbox
    monkeypatch.setattr(log, "Outbox", lambda *given: (asked.append(given), real(*given))[1])
    owner.contact()
    assert asked == []
    made = hook(owner, receiver, active=active)
    if active:
        owner.delete(f"/webhooks/{made['id']}")
    owner.contact()
    owner.contact()
    assert len(asked) == 1  # the first one found that nobody follows any more
    [(_, followed)] = rows(owner.app, _FOLLOWED, owner.book_id)
    assert not followed


def test_while_it_is_off_nothing_is_kept_for_it(owner, receiver):
    made = hook(owner, receiver)
    path = f"/webhooks/{made['id']}"
    owner.contact()
    owner.patch(path, json={"active": False})
    owner.contact()
    refused(owner.post(f"{path}/test"), 409, "webhook_inactive")
    [waited] = deliveries(owner, made)
    assert waited["status"] == "cancelled"
    refused(owner.post(f"{path}/deliveries/{waited['id']}/replay"), 409, "webhook_inactive")
    owner.patch(path, json={"active": True})
    owner.contact()
    send(owner, made)
    assert [got.seq for got in receiver.got] == [3]  # and so it sees what it missed
    answer = owner.post(f"{path}/deliveries/{waited['id']}/replay")
    assert (answer.status_code, answer.json["status"]) == (202, "pending")
    send(owner, made)
    assert [got.seq for got in receiver.got] == [3, 1]


# PR-2, PR-3
def test_what_was_erased_meanwhile_is_not_told(owner, receiver):
    made = hook(owner, receiver)
    contact = owner.contact(first_name="Zanzibar")
    owner.delete(f"/contacts/{contact['id']}?permanent=true")
    send(owner, made)
    events = [got.event for got in receiver.got]
    assert [event["type"] for event in events] == ["contact.created", "contact.purged"]
    assert [event["data"]["data"] for event in events] == [None, None]
    assert b"Zanzibar" not in b"".join(got.body for got in receiver.got)


def test_old_deliveries_and_those_of_no_webhook_go(owner, receiver, monkeypatch):
    work(owner.app)  # an erasure that another test left sweeps too
    kept, gone = hook(owner, receiver), hook(owner, receiver)
    owner.contact()
    send(owner, kept)
    owner.delete(f"/webhooks/{gone['id']}")
    count = "SELECT webhook_id FROM webhook_delivery WHERE webhook_id IN (?, ?)"
    ids = (kept["id"], gone["id"])
    assert len(rows(owner.app, count, *ids)) == 2
    swept(owner)
    assert rows(owner.app, count, *ids) == [(kept["id"],)]
    monkeypatch.setattr(deliveries_module, "KEPT_MS", -60_000)
    swept(owner)
    assert rows(owner.app, count, *ids) == []


def swept(owner):
    with owner.app.app_context():
        while deliveries_module.purge_some():
            pass
