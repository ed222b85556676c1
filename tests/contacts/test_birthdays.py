"""GET /contacts/birthdays, and the days that it counts with."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contactapp import clock
from contactapp.contacts.birthdays import Coming, Day, coming, day_of
from tests.contacts.test_list_etag import at
from tests.contacts.test_list_pages import walk
from tests.support.books import fill, opened
from tests.support.cast import Person, refused
from tests.support.engines import on_one_engine

URL = "/contacts/birthdays"
EVERY_DAY = [date(2028, 1, 1) + timedelta(n) for n in range(366)]  # of a leap year
BORN = [(n, Day(1980, day.month, day.day)) for n, day in enumerate(EVERY_DAY)]
WEEKS_OF_FEBRUARY = [date(year, 2, 20) + timedelta(n) for year in (2027, 2100) for n in range(12)]


FEBRUARY, MARCH = (2, 28), (3, 1)


def kept_in(year, born, leap_day):
    """The day on which a birthday is kept in a year, told without a calendar of days."""
    try:
        return date(year, born.month, born.day)
    except ValueError:
        return date(year, *leap_day)


def by_hand(births, first, days, leap_day=FEBRUARY):
    """The oracle: the first of this and next year's birthdays that has not passed."""
    found = []
    for id_, born in births:
        later = [kept_in(first.year + n, born, leap_day) for n in (0, 1)]
        day = min(day for day in later if day >= first)
        if (day - first).days <= days:
            turns = day.year - born.year if born.year and day.year >= born.year else None
            found.append((day, id_, turns))
    return sorted(found)


@pytest.mark.parametrize("leap_day", [FEBRUARY, MARCH])
@pytest.mark.parametrize("days", [0, 1, 7, 31, 365, 366])
def test_it_finds_who_a_search_by_hand_finds(days, leap_day):
    for first in EVERY_DAY[::5] + WEEKS_OF_FEBRUARY + EVERY_DAY[-9:]:
        found = coming(BORN, first, days, leap_day)
        assert found == by_hand(BORN, first, days, leap_day), first


@given(
    st.dates(date(1, 1, 1), date(9998, 12, 30)),
    st.integers(0, 366),
    st.lists(st.dates() | st.just(date(1984, 2, 29)), max_size=20),
)
def test_any_day_and_any_birth_is_counted_right(first, days, births):
    born = [(n, Day(day.year, day.month, day.day)) for n, day in enumerate(births)]
    for leap_day in (FEBRUARY, MARCH):
        found = coming(born, first, days, leap_day)
        assert found == by_hand(born, first, days, leap_day)


def test_everybody_has_one_birthday_within_a_year():
    for first in (date(2027, 3, 1), date(2028, 2, 29), date(2028, 12, 31)):
        assert len(coming(BORN, first, 366, FEBRUARY)) == 366


def test_who_was_born_in_a_leap_day_has_their_birthday_in_every_year():
    born = [(1, Day(2004, 2, 29))]
    assert coming(born, date(2027, 2, 28), 0, FEBRUARY) == [Coming(date(2027, 2, 28), 1, 23)]
    assert coming(born, date(2028, 2, 28), 0, FEBRUARY) == []
    assert coming(born, date(2028, 2, 29), 0, FEBRUARY) == [Coming(date(2028, 2, 29), 1, 24)]
    assert coming(born, date(2027, 3, 1), 365, FEBRUARY) == [Coming(date(2028, 2, 29), 1, 24)]
    assert coming(born, date(2027, 2, 28), 1, MARCH) == [Coming(date(2027, 3, 1), 1, 23)]
    assert coming(born, date(2028, 3, 1), 0, MARCH) == []


def test_nobody_turns_less_than_nothing():
    today = date(2026, 11, 21)
    born = [(1, Day(2026, 11, 21)), (2, Day(2030, 11, 21)), (3, Day(None, 11, 21))]
    assert [one.turns for one in coming(born, today, 0, FEBRUARY)] == [0, None, None]


@pytest.mark.parametrize("text", [None, "", "1985", "1985-06", "--1-2", "x"])
def test_what_is_no_day_has_no_birthday(text):
    assert day_of(text) is None


@pytest.fixture
def noon(monkeypatch):
    """It is noon in UTC on 21 November 2026, and later a day in Kiritimati."""
    now = int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp() * 1000)
    monkeypatch.setattr(clock, "now_ms", lambda: now)


@pytest.fixture
def alice(noon, cast):
    return cast.alice


def told(person, query=""):
    """[(first name, next birthday, turns)]."""
    answer = person.get(f"{URL}{query}")
    assert answer.status_code == 200, answer.text
    return [(i["first_name"], i["next_birthday"], i["turns"]) for i in answer.json["items"]]


def test_it_lists_who_has_a_birthday_within_a_week_the_next_first(alice):
    for name, birthday in {
        "yesterday": "1980-11-20",
        "last day": "1980-11-28",
        "today": "1906-11-21",
        "too late": "1980-11-29",
        "no year": "--11-22",
        "no day": "1980-11",
        "also today": "--11-21",
    }.items():
        made = alice.contact(first_name=name, birthday=birthday)
        if name == "today":
            whole = made
    alice.contact(first_name="unknown")
    assert told(alice) == [
        ("today", "2026-11-21", 120),
        ("also today", "2026-11-21", None),
        ("no year", "2026-11-22", None),
        ("last day", "2026-11-28", 46),
    ]
    first = alice.get(f"{URL}?limit=1").json["items"]
    assert first == [{**whole, "next_birthday": "2026-11-21", "turns": 120}]
    assert [name for name, *_ in told(alice, "?days=0")] == ["today", "also today"]
    assert [name for name, *_ in told(alice, "?days=366")][-1] == "yesterday"


def test_the_first_day_may_be_given(alice):
    alice.contact(first_name="Ada", birthday="2004-02-29")
    assert told(alice, "?date=2027-02-22&days=6") == [("Ada", "2027-02-28", 23)]
    assert told(alice, "?date=2028-02-22&days=6") == []
    assert told(alice, "?date=2027-12-31&days=366") == [("Ada", "2028-02-29", 24)]


def test_today_is_that_of_the_users_own_time_zone(alice):
    alice.contact(first_name="Ada", birthday="--11-21")
    alice.contact(first_name="Grace", birthday="--11-22")
    for zone, name in {"Pacific/Kiritimati": "Grace", "Etc/GMT+12": "Ada", None: "Ada"}.items():
        alice.patch("/users/me", json={"timezone": zone})
        assert [found for found, *_ in told(alice, "?days=0")] == [name], zone


def test_the_tag_counts_the_day_in(alice, monkeypatch):
    alice.contact(first_name="Ada", birthday="--11-22")
    tag = alice.get(URL).headers["ETag"]
    same = {"headers": {"If-None-Match": tag}}
    assert alice.get(URL, **same).status_code == 304
    assert alice.get(f"{URL}?days=8", **same).status_code == 200
    now = clock.now_ms()
    monkeypatch.setattr(clock, "now_ms", lambda: now + 11 * 3_600_000)
    alice.sign_in()
    assert alice.get(URL, **same).status_code == 304
    alice.patch("/users/me", json={"timezone": "Pacific/Kiritimati"})
    assert alice.get(URL, **same).status_code == 200
    alice.patch("/users/me", json={"timezone": None})
    monkeypatch.setattr(clock, "now_ms", lambda: now + 12 * 3_600_000)
    alice.sign_in()
    assert alice.get(URL, **same).status_code == 200


def test_its_pages_go_on_while_somebody_writes(alice):
    made = [alice.contact(first_name=f"n{n}", birthday=f"--11-{22 + n % 3}") for n in range(9)]
    whole = [name for name, *_ in told(alice)]

    def write(page):
        if page["next_cursor"]:
            gone = page["items"][-1]["id"]
            alice.delete(f"/contacts/{gone}")

    pages = walk(alice, f"/api/v1{URL}?limit=2", write)
    assert [item["first_name"] for page in pages for item in page] == whole
    assert len(whole) == len(made)


def test_other_workers_and_later_writes_are_seen(alice, engine, new_app):
    other = at(
        alice, new_app(engine, database=alice.app.extensions["contactapp.settings"].database_url)
    )
    made = alice.contact(first_name="Ada", birthday="--11-22")
    assert len(told(other)) == 1
    alice.patch(f"/contacts/{made['id']}", json={"birthday": "--11-23"})
    assert told(other) == [("Ada", "2026-11-23", None)]
    alice.delete(f"/contacts/{made['id']}")
    assert told(other) == []


def test_a_book_is_opened_once_for_all_its_birthdays(alice):
    fill(alice.app, alice.book_id, 40)
    assert opened(alice, lambda: told(alice, "?days=366"))[0] == 40
    assert opened(alice, lambda: told(alice, "?days=30"))[0] == 0


@on_one_engine
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        *[(f"days={text}", "?days") for text in ("-1", "367", "a", "", "1_0", "%D9%A3", "9" * 400)],
        *[
            (f"date={text}", "?date")
            for text in (
                "today",
                "2027-02-29",
                "20270101",
                "2027-W01-1",
                "9998-12-31",
                "",
                "0000-01-01",
            )
        ],
    ],
)
def test_a_wrong_day_is_422(alice, query, pointer):
    refused(alice.get(f"{URL}?{query}"), 422, "invalid_fields", pointer)


def test_an_unlisted_name_is_400(alice):
    refused(alice.get(f"{URL}?sort=name"), 400, "unknown_parameter")


def test_the_day_of_who_was_born_on_29_february_is_a_setting(new_app, noon):
    for day in ("02-28", "03-01"):
        ada = Person(new_app("sqlite", LEAP_DAY_BIRTHDAYS=day), "ada")
        ada.contact(first_name="Ada", birthday="2004-02-29")
        answer = ada.get(f"{URL}?date=2027-02-28&days=1")
        assert [i["next_birthday"] for i in answer.json["items"]] == [f"2027-{day}"]
        feed = ada.post("/feeds", json={"kind": "birthdays"}).json["url"]
        rule = "BYMONTHDAY=-1" if day == "02-28" else "BYYEARDAY=60"
        assert rule in ada.app.test_client().get(feed).text
