"""Who makes feeds, and what a calendar program makes of them."""

import re
from urllib.parse import urlsplit

import pytest
from icalendar import Calendar


class Subscription:
    """A feed, and a calendar program that only knows its address."""

    def __init__(self, person, query="", **fields):
        answer = person.post(f"/feeds{query}", json={"kind": "birthdays", **fields})
        assert answer.status_code == 201, answer.text
        self.feed = answer.json
        self.id = self.feed["id"]
        self.path = urlsplit(self.feed["url"]).path
        self.token = re.fullmatch(r"/api/v1/feeds/(.+)\.ics", self.path)[1]
        self.client = person.app.test_client()

    def get(self, **headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(self.path, headers=names)

    def calendar(self):
        """What icalendar reads in it, all of it understood."""
        answer = self.get()
        assert answer.status_code == 200, answer.text
        return read(answer.data)

    def events(self):
        """{summary: event}."""
        return {str(event["SUMMARY"]): event for event in self.calendar().walk("VEVENT")}


def read(raw):
    found = Calendar.from_ical(raw)
    assert [part.errors for part in found.walk() if part.errors] == []
    return found


def name_of(calendar):
    """What a calendar is called. The library hands these two out as they were written, so it is
    given them again as a property that it knows to be a text."""
    [written] = {str(calendar[name]) for name in ("X-WR-CALNAME", "NAME")}
    return str(read(f"BEGIN:VCALENDAR\r\nCOMMENT:{written}\r\nEND:VCALENDAR\r\n")["COMMENT"])


@pytest.fixture
def subscribe():
    return Subscription
