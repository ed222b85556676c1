"""Passwords without an app: storage, verification, policy, the cap on parallel hashes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import bcrypt
import pytest

from contactapp.auth import passwords
from contactapp.auth.passwords import PasswordHasher, check_policy
from contactapp.bounded import Busy

COST = 4


class Secret(NamedTuple):
    id: str
    value: bytes


OLD = Secret("p1", b"the pepper of last year")
NEW = Secret("p2", b"the pepper of this year")


@pytest.fixture
def hasher():
    return PasswordHasher((OLD,), COST)


@pytest.fixture
def checked(monkeypatch):
    """The hashes that bcrypt was asked to compare with."""
    seen = []
    genuine = bcrypt.checkpw

    def spy(password, hashed):
        seen.append(hashed)
        return genuine(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", spy)
    return seen


def codes(password, *personal):
    return [problem.code for problem in check_policy(password, personal=personal)]


# AU-4
ANY_LENGTH = {
    "72 bytes": "a" * 72,
    "73 bytes": "a" * 73,
    "200 bytes": "a" * 200,
    "24 euros": "€" * 24,
    "25 euros": "€" * 25,
    "64 emoji": "🦔" * 64,
    "the maximum": "🦔" * passwords.MAX_LENGTH,
    "a NUL inside": "correct\0horse",
}


@pytest.mark.parametrize("password", ANY_LENGTH.values(), ids=ANY_LENGTH)
def test_a_password_of_any_byte_length_works(hasher, password):
    stored = hasher.hash(password)
    assert stored.startswith("p1$$2b$04$")
    assert hasher.verify(password, stored)
    assert not hasher.verify(password + "!", stored)
    assert not hasher.verify(password[:-1], stored)


# AU-4
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a" * 72 + "one", "a" * 72 + "other"),
        ("a" * 72, "a" * 73),
        ("€" * 24, "€" * 25),
        ("correct\0horse", "correct\0battery"),
    ],
)
def test_passwords_with_a_common_start_never_both_work(hasher, one, other):
    assert not hasher.verify(other, hasher.hash(one))
    assert not hasher.verify(one, hasher.hash(other))


def test_one_letter_spelt_in_two_ways_is_one_password(hasher):
    stored = hasher.hash("Ga\u0308rtnerei")
    assert hasher.verify("G\u00e4rtnerei", stored)


def test_a_long_decomposed_password_is_as_good_as_its_short_form(hasher):
    composed = "각" * passwords.MAX_LENGTH
    decomposed = "\u1100\u1161\u11a8" * passwords.MAX_LENGTH
    assert codes(decomposed) == []
    assert hasher.verify(decomposed, hasher.hash(composed))


def test_the_same_password_is_stored_differently_each_time(hasher):
    assert hasher.hash("correct horse") != hasher.hash("correct horse")


def test_the_pepper_is_needed(hasher):
    stored = hasher.hash("correct horse")
    stranger = PasswordHasher((Secret("p1", b"a guess"),), COST)
    assert not stranger.verify("correct horse", stored)


def test_an_over_long_password_is_not_hashed(hasher):
    with pytest.raises(ValueError, match="at most 256"):
        hasher.hash("a" * 257)


UNUSABLE = {
    "no user": None,
    "empty": "",
    "a pepper alone": "p1",
    "an unknown pepper": "p9$$2b$04$" + "a" * 53,
    "no hash": "p1$not a hash",
    "a short hash": "p1$$2b$04$short",
    "an absurd cost": "p1$$2b$99$" + "a" * 53,
    "not ASCII": "p1$$2b$04$" + "é" * 53,
}


# AU-2
@pytest.mark.parametrize("stored", UNUSABLE.values(), ids=UNUSABLE)
def test_an_unknown_user_costs_one_hash_of_the_current_cost(checked, stored):
    hasher = PasswordHasher((OLD,), 5)
    assert hasher.verify("correct horse", stored) is False
    assert [hashed[:7] for hashed in checked] == [b"$2b$05$"]


# AU-2
def test_a_known_user_costs_one_hash(hasher, checked):
    stored = hasher.hash("correct horse")
    hasher.verify("correct horse", stored)
    hasher.verify("wrong horse", stored)
    assert [hashed[:7] for hashed in checked] == [b"$2b$04$"] * 2


# AU-2, AU-4
@pytest.mark.parametrize(
    "password",
    ["a" * 257, "a" * 10_000_000, "a\0" * 5_000_000, "\ud800" * 10_000_000],
    ids=["one over", "10 MB", "NULs", "surrogates"],
)
def test_an_over_long_password_costs_one_hash_and_is_wrong(hasher, checked, password):
    stored = hasher.hash("a" * 256)
    assert hasher.verify(password, stored) is False
    assert len(checked) == 1


# AU-4
@pytest.mark.parametrize(
    "password",
    ["", "\0", "\ud800", "a\udfffb", "\ud83e\udd94", " " * 8],
    ids=["empty", "NUL", "high half", "low half", "two halves", "spaces"],
)
def test_no_text_is_too_strange_to_verify(hasher, password):
    assert hasher.verify(password, hasher.hash("correct horse")) is False
    assert hasher.verify(password, None) is False


def test_nothing_opens_the_dummy(hasher, checked):
    hasher.verify("x", None)
    dummy = checked[0].decode()
    assert not hasher.verify("x", f"p1${dummy}")
    assert dummy not in hasher.hash("x")


def test_a_new_pepper_signs_and_the_old_one_still_verifies(hasher):
    both = PasswordHasher((NEW, OLD), COST)
    stored = hasher.hash("correct horse")
    assert both.verify("correct horse", stored)
    assert both.needs_rehash(stored)
    renewed = both.hash("correct horse")
    assert renewed.startswith("p2$")
    assert not both.needs_rehash(renewed)


# AU-5
def test_another_cost_asks_for_a_new_hash(hasher):
    stored = hasher.hash("correct horse")
    stronger = PasswordHasher((OLD,), COST + 1)
    assert not hasher.needs_rehash(stored)
    assert stronger.needs_rehash(stored)
    assert stronger.verify("correct horse", stored)
    assert hasher.needs_rehash("p1$damaged")


@pytest.mark.parametrize(
    ("peppers", "cost"),
    [((), 4), ((OLD, OLD), 4), ((Secret("", b"x"),), 4), ((Secret("p$", b"x"),), 4), ((OLD,), 3)],
)
def test_it_refuses_a_setting_that_cannot_work(peppers, cost):
    with pytest.raises(ValueError, match=r"pepper|cost"):
        PasswordHasher(peppers, cost)


def test_it_refuses_to_hash_nothing_at_a_time():
    with pytest.raises(ValueError, match="at least one"):
        PasswordHasher((OLD,), COST, 0)


class Gate:
    """Stands in for a slow hash: counts who is inside, lets them out when told."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = self.most = 0
        self.entered = threading.Semaphore(0)
        self.open = threading.Event()

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.entered.release()
        assert self.open.wait(20)
        with self.lock:
            self.inside -= 1
        return True


@pytest.fixture
def gate(monkeypatch):
    gate = Gate()
    monkeypatch.setattr(bcrypt, "checkpw", gate)
    yield gate
    gate.open.set()


# RL-8
def test_no_more_hashes_run_at_once_than_allowed(gate):
    hasher = PasswordHasher((OLD,), COST, 3, max_wait=20)
    with ThreadPoolExecutor(12) as pool:
        tries = [pool.submit(hasher.verify, "correct horse", None) for _ in range(12)]
        for _ in range(3):
            assert gate.entered.acquire(timeout=20)
        assert not gate.entered.acquire(timeout=0.1)
        gate.open.set()
        assert [each.result(20) for each in tries] == [False] * 12
    assert gate.most == 3


# RL-8
def test_whoever_waits_too_long_is_told_when_to_come_back(gate):
    hasher = PasswordHasher((OLD,), COST, 1, max_wait=0.01)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(hasher.verify, "correct horse", None)
        assert gate.entered.acquire(timeout=20)
        with pytest.raises(Busy) as busy:
            hasher.hash("correct horse")
        assert busy.value.retry_after == 1
        gate.open.set()
        first.result(20)
    assert hasher.hash("correct horse")


# RL-8
def test_a_full_line_turns_newcomers_away_at_once(gate):
    hasher = PasswordHasher((OLD,), COST, 1, max_wait=60, max_waiting=0)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(hasher.verify, "correct horse", None)
        assert gate.entered.acquire(timeout=20)
        with pytest.raises(Busy):
            hasher.verify("correct horse", None)
        gate.open.set()
        first.result(20)
    assert hasher.hash("correct horse")


def test_a_failing_hash_gives_its_turn_back(monkeypatch):
    hasher = PasswordHasher((OLD,), COST, 1, max_wait=0.01)
    with monkeypatch.context() as patch:
        patch.setattr(bcrypt, "checkpw", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            hasher.verify("correct horse", None)
    assert hasher.verify("correct horse", None) is False


def test_bcrypt_lets_other_threads_run():
    """One hash of about 50 ms; a thread that held the lock would let nobody count."""
    done = threading.Event()

    def work():
        bcrypt.hashpw(b"correct horse", bcrypt.gensalt(10))
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    steps = 0
    while not done.is_set():
        steps += 1
        time.sleep(0)
    worker.join()
    assert steps > 50


# AU-5
def test_it_refuses_seven_characters():
    assert codes("kR4!x9z") == ["password_too_short"]
    assert codes("kR4!x9zq") == []


def test_it_counts_characters_not_bytes():
    assert codes("€" * 7) == ["password_too_short"]
    assert codes("e\u0301" * 7) == ["password_too_short"]
    assert codes("🦔" * 64) == []


def test_it_accepts_the_maximum_and_refuses_one_more():
    assert codes("ab" * 128) == []
    assert codes("ab" * 128 + "c") == ["password_too_long"]
    assert codes("a" * 10_000_000) == ["password_too_long"]


# AU-5
@pytest.mark.parametrize("password", ["password", "12345678", "QwertyUiop", "PASSWORD123"])
def test_it_refuses_the_commonest(password):
    assert codes(password) == ["password_too_common"]


# AU-5
def test_the_list_holds_three_thousand_that_the_length_rule_lets_through():
    common = passwords._common_passwords()
    assert len(common) >= 3000
    assert all(len(word) >= passwords.MIN_LENGTH and word == word.casefold() for word in common)
    assert not any(word.startswith("#") for word in common)


# AU-5
@pytest.mark.parametrize(
    "password",
    [
        "contactapp",
        "ContactApp2026!",
        "alice@example.org",
        "ALICE@EXAMPLE.ORG",
        "alice.liddell",
        "alice.liddell#1",
        "1865-Alice.Liddell",
        "the_white_rabbit",
        "The_White_Rabbit 99",
    ],
)
def test_it_refuses_the_words_of_the_context(password):
    personal = ("alice@example.org", "alice.liddell@example.org", "the_white_rabbit")
    assert codes(password, *personal) == ["password_too_personal"]


@pytest.mark.parametrize(
    "password", ["alice likes the hatter", "contactapp is a fine place", "al-13579-x", "13-57-9-1"]
)
def test_a_context_word_inside_a_longer_text_is_fine(password):
    assert codes(password, "alice@example.org", "al", "9", "", None) == []


# AU-5
@pytest.mark.parametrize(
    "password",
    [
        "a b" * 40,
        "        x",
        "onlylowercase",
        "ONLYUPPERCASE",
        "86420975318642",
        "парольный",
        "密码很长也可以的",
        "!§$%&/()",
    ],
)
def test_any_composition_is_welcome(password):
    assert codes(password) == []


@pytest.mark.parametrize(
    "password", ["correct\0horse", "correct\ud800horse"], ids=["NUL", "half a pair"]
)
def test_it_refuses_what_is_not_text(password):
    assert codes(password) == ["password_not_text"]


def test_every_reason_is_given_at_once_with_a_sentence():
    problems = check_policy("bob\0", personal=["bob"])
    assert [problem.code for problem in problems] == [
        "password_too_short",
        "password_not_text",
        "password_too_personal",
    ]
    assert all(problem.message.endswith(".") for problem in problems)
