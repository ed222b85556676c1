"""Waiting for changes: answered by the first one, or with an empty page, and never in the way."""

import threading

import pytest
import requests

from contactapp import serving
from contactapp.books import service as books_service
from contactapp.changes import feed
from tests.support.cast import Cast, refused
from tests.support.feed import page, told
from tests.support.stored import set_user
from tests.support.waiting import PATIENCE, Waiting


@pytest.fixture(scope="module")
def one_place(engine, new_app):
    """An application in each of whose processes one may wait."""
    return new_app(engine, THREADS="3")


@pytest.fixture
def people(one_place):
    return Cast(one_place)


@pytest.fixture
def waiting(people):
    """Alice, who waits for something to happen in her book."""
    return Waiting(people.alice, "/changes?wait=30")


class Steps:
    """Time that stands still for who waits, and looks that are taken when they are asked for."""

    def __init__(self, monkeypatch):
        self._asleep, self._go = threading.Semaphore(0), threading.Semaphore(0)
        monkeypatch.setattr(feed, "time", self)

    def monotonic(self):
        return 0.0

    def sleep(self, _seconds):
        self._asleep.release()
        assert self._go.acquire(timeout=PATIENCE)

    def look(self):
        """Have who sleeps, or is about to, look."""
        self.sleeps()
        self.go()

    def sleeps(self):
        """Return when who waits sleeps, or is about to: it has looked, and found nothing."""
        assert self._asleep.acquire(timeout=PATIENCE)

    def go(self):
        """Let who sleeps wake up, if anybody does."""
        self._go.release()


@pytest.fixture
def steps(monkeypatch):
    return Steps(monkeypatch)


def test_it_is_answered_by_a_change(people, waiting):
    made = people.alice.contact()
    found = waiting.answer().json
    assert told(found["items"]) == [("contact.created", made["id"], 1)]
    assert page(people.alice, found["next_cursor"])["items"] == []


def test_it_waits_on_over_changes_that_it_did_not_ask_for(people, steps):
    alice = people.alice
    waiting = Waiting(alice, "/changes?wait=30&types=contact.deleted")
    made = alice.contact()
    for number in range(3):
        alice.patch(f"/contacts/{made['id']}", json={"nickname": f"G{number}"})
        steps.look()
    steps.sleeps()  # else its last look may come after what follows
    alice.delete(f"/contacts/{made['id']}")
    steps.go()
    found = waiting.answer().json
    assert told(found["items"]) == [("contact.deleted", made["id"], 5)]
    assert page(alice, found["next_cursor"])["items"] == []


def test_without_any_change_it_gets_an_empty_page_that_goes_on(people, monkeypatch):
    alice = people.alice
    passed = Passed(monkeypatch)
    empty = page(alice, wait=20)
    assert (empty["items"], empty["has_more"]) == ([], False)
    assert passed.seconds >= 20
    assert max(passed.pauses) <= 0.25
    made = alice.contact()
    found = page(alice, empty["next_cursor"], wait=20)
    assert told(found["items"]) == [("contact.created", made["id"], 1)]
    assert len(passed.pauses) <= 82  # what is there already is not waited for


class Passed:
    """A clock that only pauses move on."""

    def __init__(self, monkeypatch):
        self.pauses = []
        monkeypatch.setattr(feed, "time", self)

    @property
    def seconds(self):
        return sum(self.pauses)

    def monotonic(self):
        return self.seconds

    def sleep(self, seconds):
        self.pauses.append(seconds)


def test_who_finds_no_place_is_answered_at_once_and_told_when_to_come_back(people, waiting):
    alice, bob = people.alice, people.bob
    answer = bob.get("/changes?wait=30")
    assert (answer.status_code, answer.json["items"]) == (200, [])
    assert answer.headers["Retry-After"] == "5"
    tag, since = answer.headers["ETag"], answer.json["next_cursor"]
    again = bob.get("/changes?wait=30", headers={"If-None-Match": tag})
    assert (again.status_code, again.headers["Retry-After"]) == (304, "5")
    made = bob.contact()
    found = bob.get(f"/changes?wait=30&since={since}")
    assert told(found.json["items"]) == [("contact.created", made["id"], 1)]
    assert "Retry-After" not in found.headers
    assert waiting.waits
    alice.contact()
    assert "Retry-After" not in waiting.answer().headers
    assert "Retry-After" not in bob.get("/changes?wait=1&types=contact.deleted").headers


@pytest.mark.parametrize(("threads", "places"), [("1", 0), ("2", 1), ("3", 1), ("4", 2), ("8", 6)])
def test_threads_stay_free_of_those_who_wait(new_app, threads, places):
    app = new_app("sqlite", THREADS=threads)
    with app.app_context():
        free = feed.waiting_places()._places
        assert [free.acquire(blocking=False) for _ in range(places + 1)] == [True] * places + [
            False
        ]


def test_nobody_waits_where_there_is_one_thread(new_app):
    alice = Cast(new_app("sqlite", THREADS="1")).alice
    answer = alice.get("/changes?wait=30")
    assert (answer.json["items"], answer.headers["Retry-After"]) == ([], "5")


# AZ-6
def test_a_session_that_ended_meanwhile_is_told_nothing(people, waiting):
    alice, old = people.alice, people.alice.access
    alice.sign_in()
    assert alice.post("/auth/logout?scope=others").status_code == 204
    assert old != alice.access
    refused(waiting.answer(), 401, "invalid_token")


# AZ-6
def test_an_account_that_was_disabled_meanwhile_is_told_nothing(people, waiting):
    set_user(people.app, people.alice.id, active=False)
    refused(waiting.answer(), 401, "invalid_token")


# AZ-6
@pytest.mark.parametrize("then_written", [False, True])
def test_a_member_who_was_removed_meanwhile_is_told_nothing(people, then_written, steps):
    alice, eve = people.alice, people.eve
    waiting = Waiting(eve, f"/changes?wait=30&book={alice.book_id}")
    with people.app.app_context():
        books_service.unshare_book(alice.id, eve.id)
    if then_written:
        alice.contact(first_name="Zaphod-marker")
    steps.look()  # at both at once
    answer = waiting.answer()
    refused(answer, 404, "not_found")
    assert "marker" not in answer.text


def test_an_ending_process_answers_at_once(steps, waiting, monkeypatch):
    steps.look()
    monkeypatch.setattr(serving, "_told", lambda: True)
    steps.go()
    found = waiting.answer()
    assert (found.status_code, found.json["items"]) == (200, [])


def test_a_server_that_is_told_to_end_does_not_wait_for_those_who_wait(engine, new_server):
    """Its graceful timeout is as long as the longest wait: who is still waiting then gets no
    answer."""
    server = new_server(engine, WORKERS="1", THREADS="3")
    visitor, answers = server.person(), []

    def wait():
        for _ in range(1000):
            answer = visitor.get("/changes?wait=30")
            if "Retry-After" not in answer.headers:  # it had the place
                return answers.append(answer)

    thread = threading.Thread(target=wait)
    thread.start()
    other = server.person("bob")
    for _ in range(200):  # until the one place is taken
        if "Retry-After" in other.get("/changes?wait=1").headers:
            break
    else:
        raise AssertionError("nobody waits")
    other.http.close()
    server.end()
    assert server.process.wait(20) == 0
    thread.join(PATIENCE)
    [answer] = answers
    assert (answer.status_code, answer.json()["items"]) == (200, [])
    with pytest.raises(requests.ConnectionError):
        visitor.get("/changes")
