"""GET /contacts: what its ETag promises, over several application instances on one database."""

import copy

import pytest


@pytest.fixture(scope="module")
def elsewhere(app, engine, new_app):
    """Another application instance on the same database, as another worker process is one."""
    return new_app(engine, database=app.extensions["contactapp.settings"].database_url)


def at(person, app):
    """The same person with the same token, asking another application instance."""
    twin = copy.copy(person)
    twin.app = app
    return twin


def tag_of(person, query=""):
    return person.get(f"/contacts{query}").headers["ETag"]


WRITES = {
    "create": lambda person, contact: person.post("/contacts", json={"nickname": "new"}),
    "replace": lambda person, contact: person.put(
        f"/contacts/{contact['id']}", json={"nickname": "replaced"}
    ),
    "patch": lambda person, contact: person.patch(
        f"/contacts/{contact['id']}", json={"nickname": "patched"}
    ),
    "delete": lambda person, contact: person.delete(f"/contacts/{contact['id']}"),
}


@pytest.mark.parametrize("where", ["here", "elsewhere"])
@pytest.mark.parametrize("write", WRITES)
def test_it_changes_after_any_write_of_any_instance(alice, app, elsewhere, write, where):
    contact = alice.contact(nickname="old")
    queries = ["", "?limit=1", "?sort=-name&fields=id", "?skip=1"]
    before = {query: alice.get(f"/contacts{query}") for query in queries}
    writer = alice if where == "here" else at(alice, elsewhere)
    assert WRITES[write](writer, contact).status_code < 300
    for query in queries:
        tag = before[query].headers["ETag"]
        answer = alice.get(f"/contacts{query}", headers={"If-None-Match": tag})
        assert answer.status_code == 200
        assert answer.headers["ETag"] != tag
    fresh, other = alice.get("/contacts"), at(alice, elsewhere).get("/contacts")
    assert fresh.json == other.json
    assert fresh.headers["ETag"] == other.headers["ETag"]


def test_it_holds_as_long_as_nothing_is_written(alice, elsewhere):
    alice.contact()
    tag = tag_of(alice)
    for person in (alice, at(alice, elsewhere)):
        for method in ("GET", "HEAD"):
            answer = person.request(method, "/contacts", headers={"If-None-Match": tag})
            assert (answer.status_code, answer.data) == (304, b"")
            assert answer.headers["ETag"] == tag
            assert "Content-Type" not in answer.headers


def test_it_holds_over_writes_that_change_nothing_and_refused_ones(alice):
    contact = alice.contact(nickname="same")
    tag = tag_of(alice)
    path = f"/contacts/{contact['id']}"
    assert alice.put(path, json=contact).status_code == 200
    assert alice.patch(path, json={"nickname": None}).status_code == 422
    assert alice.post("/contacts", json={}).status_code == 422
    assert alice.delete(path, headers={"If-Match": '"v9-00"'}).status_code == 412
    assert tag_of(alice) == tag


def test_another_query_is_another_tag(alice):
    alice.contact()
    queries = ["", "?limit=1", "?limit=2", "?sort=-id", "?fields=id", "?skip=1", "?limit=1&skip=1"]
    assert len({tag_of(alice, query) for query in queries}) == len(queries)


def test_an_object_read_from_the_view_is_as_new_as_the_list(alice, elsewhere):
    contact = alice.contact(nickname="old")
    assert alice.get("/contacts").status_code == 200
    path = f"/contacts/{contact['id']}"
    changed = at(alice, elsewhere).patch(path, json={"nickname": "new"})
    assert alice.get(path).json == changed.json
    at(alice, elsewhere).delete(path)
    assert alice.get(path).status_code == 404
    assert alice.get("/contacts").json["total"] == 0


def test_a_tag_is_answered_304_by_an_instance_that_has_not_opened_the_book(alice, app, new_app):
    alice.contact(nickname="old")
    tag = tag_of(alice)
    other = at(alice, new_app(*_engine_and_url(app)))
    views = other.app.extensions["contactapp.views"]
    answer = other.get("/contacts", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)
    assert views.opened == 0
    assert other.get("/contacts").headers["ETag"] == tag
    assert views.opened == 1


def _engine_and_url(app):
    url = app.extensions["contactapp.settings"].database_url
    return url.partition(":")[0].partition("+")[0], url


@pytest.mark.parametrize("named", ["*", '"x"'])
def test_a_bad_cursor_is_told_whatever_tag_is_named(alice, named):
    answer = alice.get("/contacts?cursor=garbage", headers={"If-None-Match": named})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_cursor")
