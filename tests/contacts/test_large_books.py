"""Looking through a large book holds a place; whatever is cheap does not wait for one."""

import pytest

from contactapp.books import service as books_service
from contactapp.books.service import large_books, note_views

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def full(alice, monkeypatch):
    """A person whose book counts as large, while every place is taken."""
    monkeypatch.setattr(books_service, "LARGE", 2)
    for name in ("Ada", "Grace", "Hedy"):
        assert alice.post("/contacts", json={"first_name": name}).status_code == 201
    with alice.app.app_context():
        bounded = large_books()
    monkeypatch.setattr(bounded, "_max_wait", 0.02)
    with bounded.place():
        yield alice


# RL-8
@pytest.mark.parametrize(
    "path", ["/contacts/search?q=ada", "/contacts?first_name=Ada", "/contacts?sort=last_name"]
)
def test_who_looks_through_it_is_told_when_to_come_back(full, path):
    answer = full.get(path)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.json["code"] == "unavailable"


# RL-8
@pytest.mark.parametrize("path", ["/contacts", "/contacts?skip=1&limit=1"])
def test_pages_and_single_contacts_need_no_place(full, path):
    page = full.get(path)
    assert page.status_code == 200
    id_ = page.json["items"][0]["id"]
    assert full.get(f"/contacts/{id_}").status_code == 200


# RL-8
def test_an_order_that_was_made_before_needs_none(full, monkeypatch):
    for number in range(6):  # one more is less than an eighth of the book: the order is patched
        assert full.post("/contacts", json={"first_name": f"B{number}"}).status_code == 201
    with monkeypatch.context() as small:
        small.setattr(books_service, "LARGE", 10)
        made = full.get("/contacts?sort=-first_name").json
    assert full.get("/contacts?sort=-first_name").json == made
    assert full.post("/contacts", json={"first_name": "Joan"}).status_code == 201
    assert full.get("/contacts?sort=-first_name").json["items"][0]["first_name"] == "Joan"
    assert full.get("/contacts?sort=first_name").status_code == 503


# RL-8
def test_small_books_need_none(full, monkeypatch):
    monkeypatch.setattr(books_service, "LARGE", 3)
    assert full.get("/contacts/search?q=ada").json["total"] == 1


# RL-8
@pytest.mark.parametrize("path", ["/contacts/search?q=ada", "/contacts?q=ada", "/notes?q=ada"])
def test_long_notes_count_as_many_contacts(full, monkeypatch, path):
    monkeypatch.setattr(books_service, "LARGE", 9)
    contact = full.get("/contacts?limit=1").json["items"][0]["id"]
    notes = f"/contacts/{contact}/notes"
    assert full.post(notes, json={"body": "ada"}).status_code == 201
    assert full.get(path).json["total"] == 1
    assert full.post(notes, json={"body": "ada " * 5000}).status_code == 201
    assert full.get(path).status_code == 503


# RL-8
@pytest.mark.parametrize("path", ["/contacts/search?q=ada", "/notes?q=ada"])
def test_notes_that_are_read_anew_each_time_are_read_with_a_place(full, monkeypatch, path):
    monkeypatch.setattr(books_service, "LARGE", 10**6)
    contact = full.get("/contacts?limit=1").json["items"][0]["id"]
    assert full.post(f"/contacts/{contact}/notes", json={"body": "ada"}).status_code == 201
    with full.app.app_context():
        monkeypatch.setattr(note_views(), "_capacity", 100)
    assert full.get(path).json["total"] == 1  # nobody knew
    assert full.get(path).status_code == 503
