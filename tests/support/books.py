"""Books as several instances of the application see them."""

from __future__ import annotations

import copy
import uuid

import orjson

from benchmarks.people import card
from contactapp import clock
from contactapp.books.cache import ViewCache
from contactapp.books.service import CONTACTS, book_at, views
from contactapp.contacts.card import Meta
from contactapp.contacts.row import Row
from contactapp.database import Sql, database, lane, write_transaction
from contactapp.engine import sqlite3 as driver
from contactapp.keyring import keyring

AMPLE = 2**20


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
    return book_at(person.book_id)


def cache(capacity=AMPLE):
    """A cold cache over the current application's database."""
    return ViewCache(database().lane, keyring().cipher, CONTACTS, Row, capacity)


def firsts(view):
    return [orjson.loads(view.get(id_).body)["first_name"] for id_ in view.ids]


def fill(app, book_id, count):
    """Put many contacts into a book, straight into its table: the log knows nothing of them, so
    it must be done before anybody reads the book."""

    @write_transaction
    def insert():
        (key_id,) = lane().one(Sql("SELECT key_id FROM book WHERE id = ?"), (book_id,))
        cipher, now = keyring().cipher(key_id), clock.now_ms()
        for number in range(count):
            uid, text = str(uuid.uuid4()), orjson.dumps(card(number))
            meta = Meta(0, uid, book_id, 1, now, now, 1, 1)._asdict()
            del meta["id"]
            sealed = cipher.seal(text, "contact", "sealed", book_id, uid)
            lane().insert("contact", {**meta, "sealed": sealed})

    with app.app_context():
        insert()


def copy_database(source, target):
    """Copy a database (a path or an open connection) over another one."""
    ends = [driver.connect(end) if isinstance(end, str) else end for end in (source, target)]
    ends[0].backup(ends[1])
    for end, given_as in zip(ends, (source, target), strict=True):
        if isinstance(given_as, str):
            end.close()
