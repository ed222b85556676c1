"""Who was let into a book a moment before its owner's account was erased."""

import pytest

from contactapp.books import service as books
from contactapp.jobs import service as jobs
from contactapp.worker import HANDLERS
from tests.support.cast import PASSWORD, Person, refused

# By way of the contacts in memory, of the notes in memory, and of neither.
PATHS = ("/contacts", "/notes?q=likes", "/notes")


@pytest.fixture(scope="module")
def app(engine, new_app):
    return new_app(engine)


@pytest.fixture
def owner(app):
    return Person(app, "olga")


@pytest.fixture
def contact(owner):
    made = owner.contact(first_name="Ada")
    owner.post(f"/contacts/{made['id']}/notes", json={"body": "Likes tea"})
    return made


@pytest.fixture(params=["shut", "removed"])
def erase(request, app, owner):
    """A function that erases the owner's account, up to its being shut or wholly; as seen by a
    process that has none of its keys in memory."""

    def erase():
        answer = owner.post("/users/me/delete", json={"password": PASSWORD})
        assert answer.status_code == 204, answer.text
        while request.param == "removed" and (job := jobs.claim()):
            jobs.finish(job, HANDLERS[job.kind](job))
        app.extensions["contactapp.keyring"]._ciphers.clear()

    return erase


@pytest.fixture
def let_in(app, erase, monkeypatch):
    """A function after which the next request finds the account erased when it has passed the
    guard."""
    waiting = []
    before = app.before_request_funcs[None]
    then = lambda: waiting.pop()() if waiting else None  # noqa: E731
    monkeypatch.setitem(app.before_request_funcs, None, [*before, then])
    return lambda: waiting.append(erase)


@pytest.mark.parametrize(
    "path", ["/data", "/data?limit=1&prefix=k", "/data/k", "/data-history/k", "/changes"]
)
def test_of_their_own_data_they_find_nothing_either(owner, path, let_in):
    owner.put("/data/k", json={"value": 1})
    let_in()
    assert owner.get(path).status_code == 404


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("before", ["new", "known"])
def test_they_find_nothing_there(app, owner, contact, path, before, let_in):
    reader = Person(app, "rita")
    path += f"{'&' if '?' in path else '?'}book={owner.book_id}"
    with app.app_context():
        books.share_book(owner.id, reader.id, "editor")
    if before == "known":
        assert reader.get(path).status_code == 200
        owner.patch(f"/contacts/{contact['id']}", json={"nickname": "A"})
    let_in()
    refused(reader.get(path), 404, "not_found")
