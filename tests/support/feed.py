"""Readers of the change feed."""

from __future__ import annotations


def page(person, since=None, **parameters):
    """One answer of the feed."""
    query = {**parameters, **({"since": since} if since else {})}
    answer = person.get("/changes", query_string=query)
    assert answer.status_code == 200, answer.text
    return answer.json


def follow(person, since=None, **parameters):
    """All items from a cursor to the end, and the cursor there."""
    items, more = [], True
    while more:
        assert len(items) < 1000, "it goes round in circles"
        found = page(person, since, **parameters)
        items, since, more = items + found["items"], found["next_cursor"], found["has_more"]
    return items, since


def told(items):
    """Each item as (type and op, id, version)."""
    return [(f"{item['type']}.{item['op']}", item["id"], item["version"]) for item in items]
