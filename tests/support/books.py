"""Books as several instances of the application see them."""

from __future__ import annotations

import copy

import orjson

from contactapp.actor import Book
from contactapp.books.cache import ViewCache
from contactapp.books.service import views
from contactapp.contacts.row import Row
from contactapp.database import Sql, database, lane
from contactapp.engine import sqlite3 as driver
from contactapp.keyring import keyring

AMPLE = 2**20
_BOOK = Sql(
    "SELECT b.id, b.owner_id, b.key_id, b.stream_id, s.seq, s.head, 'owner' FROM book b "
    "JOIN stream s ON s.id = b.stream_id WHERE b.id = ?"
)


def at(app, person):
    """The same person at another instance."""
    other = copy.copy(person)
    other.app = app
    return other


def names(person):
    """The first names of the person's contacts, as the API lists them."""
    return [contact["first_name"] for contact in listed(person)]


def listed(person):
    answer = person.get("/contacts?limit=500")
    assert answer.status_code == 200, answer.text
    return answer.json["items"]


def opened(person, reading):
    """How many blobs the person's instance opens while `reading`; and what that gives."""
    with person.app.app_context():
        before = views().opened
        result = reading()
        return views().opened - before, result


def book_of(person):
    return Book(*lane().one(_BOOK, (person.book_id,)))


def cache(capacity=AMPLE):
    """A cold cache over the current application's database."""
    return ViewCache(database().lane, keyring().cipher, Row, capacity)


def firsts(view):
    return [orjson.loads(view.get(id_).body)["first_name"] for id_ in view.ids]


def copy_database(source, target):
    """Copy a database (a path or an open connection) over another one."""
    ends = [driver.connect(end) if isinstance(end, str) else end for end in (source, target)]
    ends[0].backup(ends[1])
    for end, given_as in zip(ends, (source, target), strict=True):
        if isinstance(given_as, str):
            end.close()
