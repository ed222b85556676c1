"""POST, GET, PUT, PATCH and DELETE of notes, under a contact and by themselves."""

import pytest

from contactapp.database import Sql, lane
from tests.notes.conftest import work
from tests.support.cast import refused
from tests.support.stored import book_state

ABSENT = 2**52
EMPTY = {kind: [] for kind in ("emails", "phones", "urls", "hashtags", "mentions", "dates")}


@pytest.fixture(params=["flat", "nested"])
def path(request, contact):
    """Where a note is: `path(note)`, or the list without one."""
    start = "" if request.param == "flat" else f"/contacts/{contact['id']}"
    return lambda note=None: f"{start}/notes{'' if note is None else '/' + str(note['id'])}"


def test_it_answers_at_once_and_says_where_the_note_is(owner, contact, path):
    body = {"contact_id": contact["id"], "body": "  Likes #tea \r\n"}
    answer = owner.post(path(), json=body)
    made = answer.json
    assert answer.status_code == 201
    assert (made["body"], made["contact_id"]) == ("Likes #tea", contact["id"])
    assert (made["author"], made["version"]) == (owner.id, 1)
    assert (made["processing_status"], made["word_count"]) == ("pending", None)
    assert made["extracted"] == EMPTY
    assert answer.headers["Location"] == f"/api/v1{path(made)}"
    shown = owner.get(path(made))
    assert (shown.json, shown.headers["ETag"]) == (made, answer.headers["ETag"])
    assert owner.get(path()).json["items"][0] == made


def test_a_note_needs_a_text_and_a_contact(owner, contact):
    refused(owner.post("/notes", json={"body": "x"}), 422, "invalid_fields", "/contact_id")
    refused(owner.post("/notes", json={"contact_id": 1}), 422, "invalid_fields", "/body")
    answer = owner.post(f"/contacts/{contact['id']}/notes", json={})
    refused(answer, 422, "invalid_fields", "/body")
    refused(owner.post("/notes", json=[]), 400, "malformed_body")


# AZ-3
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_contact_that_is_not_there_is_404(owner, note, method):
    made = note()
    gone = owner.contact(nickname="gone")["id"]
    owner.delete(f"/contacts/{gone}")
    target = "/notes" if method == "POST" else f"/notes/{made['id']}"
    before = book_state(owner)
    for missing in (ABSENT, gone):
        body = {"contact_id": missing, "body": "x"}
        refused(owner.request(method, target, json=body), 404, "not_found")
        refused(owner.post(f"/contacts/{missing}/notes", json={"body": "x"}), 404, "not_found")
        refused(owner.get(f"/contacts/{missing}/notes"), 404, "not_found")
    assert book_state(owner) == before
    assert owner.get(f"/notes/{made['id']}").json == made


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_another_text_is_another_version_and_pending_again(owner, note, path, method):
    made = note("one")
    work(owner.app)
    assert owner.get(path(made)).json["processing_status"] == "processed"
    answer = owner.request(method, path(made), json={"text": "two words"})
    now = answer.json
    assert (now["body"], now["version"]) == ("two words", 2)
    assert (now["processing_status"], now["word_count"]) == ("pending", None)
    assert owner.get(path(made)).headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_what_was_read_can_be_sent_back_and_changes_nothing(owner, note, path, method):
    made = note("same")
    work(owner.app)
    shown, state = owner.get(path(made)), book_state(owner)
    answer = owner.request(method, path(made), json=shown.json)
    assert (answer.status_code, answer.json) == (200, shown.json)
    assert answer.headers["ETag"] == shown.headers["ETag"]
    assert book_state(owner) == state


def test_a_moved_note_keeps_what_was_found_in_it(owner, note):
    made = note("call 0151 1234567")
    work(owner.app)
    other = owner.contact(nickname="other")
    now = owner.patch(f"/notes/{made['id']}", json={"personId": other["id"]}).json
    assert (now["contact_id"], now["version"]) == (other["id"], 2)
    assert now["processing_status"] == "processed"
    assert now["extracted"]["phones"] == ["0151 1234567"]
    assert work(owner.app) == 0
    refused(owner.get(f"/contacts/{made['contact_id']}/notes/{made['id']}"), 404, "not_found")


def test_a_deleted_note_is_gone(owner, note, path):
    made = note()
    assert owner.delete(path(made)).status_code == 204
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        refused(owner.request(method, path(made), json={"body": "x"}), 404, "not_found")
    assert owner.get(path()).json["items"] == [] or path() == "/notes"
    assert made["id"] not in [item["id"] for item in owner.get(path()).json["items"]]


# AZ-2
def test_under_another_contact_it_is_404(owner, note):
    made, other = note(), owner.contact(nickname="other")
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
        path = f"/contacts/{other['id']}/notes/{made['id']}"
        answer = owner.request(
            method, path, json=None if method in {"GET", "HEAD"} else {"body": "x"}
        )
        assert answer.status_code == 404
    assert owner.get(f"/notes/{made['id']}").json == made


# CC-3
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_stale_version_is_412(owner, note, path, method):
    made = note()
    old = owner.get(path(made)).headers["ETag"]
    work(owner.app)
    processed = owner.get(path(made)).headers["ETag"]
    assert processed != old  # but its version is the same, and that alone counts
    answer = owner.patch(path(made), json={"body": "mine"}, headers={"If-Match": old})
    assert answer.status_code == 200
    body = None if method == "DELETE" else {"body": "theirs"}
    problem = owner.request(method, path(made), json=body, headers={"If-Match": processed})
    assert refused(problem, 412, "version_mismatch")["current_version"] == 2
    assert owner.get(path(made)).json["body"] == "mine"
    answer = owner.request(method, path(made), json=body, headers={"If-Match": '"v2-0"'})
    assert answer.status_code in {200, 204}


def test_304_for_who_has_it(owner, note, path):
    made = note()
    tag = owner.get(path(made)).headers["ETag"]
    assert owner.get(path(made), headers={"If-None-Match": tag}).status_code == 304
    work(owner.app)
    assert owner.get(path(made), headers={"If-None-Match": tag}).status_code == 200


def test_notes_go_with_their_contact_into_the_trash_and_back(owner, contact, note):
    made = note("Zanzibar")
    assert owner.get("/notes?q=zanzibar").json["total"] == 1
    owner.delete(f"/contacts/{contact['id']}")
    refused(owner.get(f"/notes/{made['id']}"), 404, "not_found")
    refused(owner.patch(f"/notes/{made['id']}", json={"body": "x"}), 404, "not_found")
    assert owner.get("/notes?q=zanzibar").json["total"] == 0
    assert made["id"] not in [item["id"] for item in owner.get("/notes").json["items"]]
    assert work(owner.app) >= 1  # what was queued is done all the same
    with owner.app.app_context():
        assert lane().one(_STATUS, (made["id"],)) == ("processed", None)


_STATUS = Sql("SELECT status, deleted_at FROM note WHERE id = ?")


def test_who_shares_a_book_writes_in_their_own_name(cast):
    contact = cast.alice.contact()
    book = f"?book={cast.alice.book_id}"
    answer = cast.carol.post(f"/contacts/{contact['id']}/notes{book}", json={"body": "Carol's"})
    assert answer.json["author"] == cast.carol.id
    assert answer.headers["Location"].endswith(f"/notes/{answer.json['id']}{book}")
    changed = cast.alice.patch(f"/notes/{answer.json['id']}", json={"body": "Alice's"}).json
    assert (changed["author"], changed["updated_by"]) == (cast.carol.id, cast.alice.id)
    refused(
        cast.eve.post(f"/contacts/{contact['id']}/notes{book}", json={"body": "x"}),
        403,
        "read_only_book",
    )


@pytest.fixture
def several(owner, note):
    return [note(f"number {number}") for number in range(5)]


def ids(answer):
    return [item["id"] for item in answer.json["items"]]


def test_lists_are_sorted_filtered_and_sparse(owner, contact, several):
    numbers = [made["id"] for made in several]
    about = f"contact_id={contact['id']}"
    assert ids(owner.get(f"/notes?{about}")) == numbers[::-1]
    assert ids(owner.get(f"/notes?{about}&sort=id")) == numbers
    assert ids(owner.get(f"/contacts/{contact['id']}/notes?sort=created_at")) == numbers
    assert ids(owner.get(f"/notes?{about}&processing_status=processed")) == []
    assert owner.get(f"/notes?{about}&processing_status=pending").json["total"] == 5
    page = owner.get(f"/notes?{about}&fields=id,body&limit=2&sort=-created_at").json
    assert page["items"] == [
        {"id": made["id"], "body": made["body"]} for made in (several[4], several[3])
    ]
    found = ids(owner.get(f"/notes?{about}&limit=2&sort=-id&cursor={page['next_cursor']}"))
    assert found == numbers[2:0:-1]


@pytest.mark.parametrize("words", ["", "&q=number"])
def test_pages_without_ids_lead_on_too(owner, contact, several, words):
    path = f"/notes?contact_id={contact['id']}&fields=body{words}"
    whole = owner.get(path).json["items"]
    page = owner.get(f"{path}&limit=2").json
    assert whole[:2] == page["items"] == [{"body": "number 4"}, {"body": "number 3"}]
    rest = owner.get(f"{path}&cursor={page['next_cursor']}").json
    assert page["items"] + rest["items"] == whole


# AZ-7
def test_a_cursor_is_of_its_list(owner, contact, several):
    cursor = owner.get(f"/notes?contact_id={contact['id']}&limit=2").json["next_cursor"]
    nested = f"/contacts/{contact['id']}/notes?cursor={cursor}"
    assert len(ids(owner.get(nested))) == 3  # the same list by another path
    for other in ("", "&q=number", "&processing_status=pending", "&sort=id"):
        about = f"&contact_id={contact['id']}" if other else ""
        answer = owner.get(f"/notes?cursor={cursor}{about}{other}")
        refused(answer, 400, "cursor_mismatch")


# IV-5, AZ-5
@pytest.mark.parametrize(
    ("query", "status"),
    [
        *(("sort=body", 400), ("sort=id,-id", 400), ("fields=sealed", 400), ("fields=found", 400)),
        *(("status=pending", 400), ("processing_status=done", 422), ("contact_id=0", 422)),
        *(("contact_id=a", 422), ("q=", 422), ("q=%00", 422), ("limit=0", 422), ("author=1", 400)),
    ],
)
def test_a_wrong_query_is_refused(owner, query, status):
    assert owner.get(f"/notes?{query}").status_code == status
