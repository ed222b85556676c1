"""Figures from inside a process that has the measured server's settings; prints one JSON line.

`durability`; `view BOOK`, the time of a cold view and its bytes per contact; `query BOOK`, the
slowest of some queries on a warm view; `duplicates BOOK`, the time to find them on a warm view;
`refresh BOOK URL CONTACT TOKEN`, the time to follow a write of the running server; `note BOOK`, the
times of creating a contact and a note, in turns.
"""

from __future__ import annotations

import gc
import json
import sys
import time
import tracemalloc
from collections import defaultdict
from typing import Any

import requests
from flask import Flask

from contactapp import create_app
from contactapp.actor import Actor, Book
from contactapp.books.service import book_at, views
from contactapp.config import load
from contactapp.contacts.dismissals import list_duplicates
from contactapp.contacts.queries import DuplicatesQuery, ListQuery
from contactapp.contacts.service import create_contact, list_contacts
from contactapp.database import Sql, database, lane, write_transaction
from contactapp.incoming import parsed_query
from contactapp.notes.service import create_note

from .people import TEXT, card
from .samples import undisturbed

LIST, DUPLICATES = ListQuery(), DuplicatesQuery()
QUERIES = (
    b"limit=20",
    b"limit=20&sort=-company,first_name",
    b"limit=20&sort=name&q=anna",
    b"limit=20&q=%2249+151%22+ltd",
    b"limit=20&q=nowhere",
    b"limit=20&sort=name&q=jean-luc",
    b"limit=20&phone_like=151",
    b"limit=20&company_like=wind&birthday_month=6",
    b"limit=20&has=phone,birthday&sort=-updated_at",
    b"limit=20&custom.floor_min=2",
    b"limit=20&sort=-custom.floor,last_name&custom.floor_like=1",
    b"limit=20&sort=company,-birthday,last_name&email_like=9&created_min=2020-01-01",
)
TIMES = 24
WRITES = 40
FEW = 10
PAUSE = 0.1  # seconds; what disturbs comes in spells


def durability() -> dict[str, str]:
    """What the connection of a write transaction says, and one that reads."""
    if database().is_sqlite:
        asked = ["PRAGMA synchronous"]
    else:
        asked = ["SHOW fsync", "SHOW synchronous_commit"]

    def told() -> str:
        return " ".join(str(lane().one(Sql(sql))[0]) for sql in asked)

    return {"write": write_transaction(told)(), "read": told()}


def _book(book_id: int) -> Book:
    book = book_at(book_id)
    assert book
    return book


def cold_seconds(app: Flask, book_id: int) -> float:
    """The first view of the book in an application that has read nothing yet but its state."""
    with app.app_context():
        book = _book(book_id)  # also opens the connection
        gc.collect()
        start = time.perf_counter()
        views().current(book)
        return time.perf_counter() - start


def bytes_per_contact(app: Flask, book_id: int) -> float:
    """What stays allocated, per contact, when every row was served and the book was searched,
    sorted by name and filtered."""
    with app.app_context():
        book = _book(book_id)
        gc.collect()
        tracemalloc.start()
        view = views().current(book)
        for query in QUERIES:
            _answer(book, query)
        for row in view.rows.values():
            assert row.body
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return grown / len(view)


def _answer(book: Book, query: bytes) -> bytes:
    """The body of a list, as its route makes it."""
    return list_contacts(_owner(book), parsed_query(LIST, query))[1].body()


def _owner(book: Book) -> Actor:
    return Actor(book.owner_id, 0, "user", 0, "bench", book)


def slowest_query(app: Flask, book_id: int) -> dict[str, Any]:
    """The processor time of each query on a warm view: the longest one."""
    with app.app_context():
        book, taken = _book(book_id), defaultdict(list)
        for query in QUERIES:
            _answer(book, query)
        for _ in range(TIMES):
            time.sleep(PAUSE)
            for query in QUERIES:
                _answer(book, query)  # a view keeps what a dozen queries need
                start = time.process_time()
                _answer(book, query)
                taken[query.decode()].append(time.process_time() - start)
        slowest = max(taken, key=lambda query: undisturbed(taken[query]))
        return {"query": slowest, "seconds": undisturbed(taken[slowest])}


def refresh_seconds(book_id: int, url: str, contact: str, token: str) -> float:
    """The time to follow one write that the server made."""
    views().current(_book(book_id))
    taken = []
    with requests.Session() as http:
        http.headers["Authorization"] = f"Bearer {token}"
        for number in range(WRITES):
            path = f"{url}/api/v1/contacts/{contact}"
            changed = http.patch(path, json={"title": f"Title {number % 10}"}, timeout=30)
            changed.raise_for_status()
            book = _book(book_id)
            start = time.perf_counter()
            views().current(book)
            taken.append(time.perf_counter() - start)
    return undisturbed(taken)


def created_seconds(book_id: int) -> dict[str, list[float]]:
    """The times of creating contacts and notes, a few of each in turns."""
    book = _book(book_id)
    actor = _owner(book)
    about = create_contact(actor, book, card(0)).meta.id
    taken: dict[str, list[float]] = {"contact": [], "note": []}
    for _ in range(TIMES):
        time.sleep(PAUSE)
        start = time.perf_counter()
        for number in range(FEW):
            create_contact(actor, book, card(number))
        between = time.perf_counter()
        for number in range(FEW):
            create_note(actor, book, about, f"Met at the conference. {TEXT} {number}")
        taken["contact"].append((between - start) / FEW)
        taken["note"].append((time.perf_counter() - between) / FEW)
    return taken


def duplicates_seconds(book_id: int) -> float:
    """The time of the first look for duplicates in an application with a warm view."""
    with create_app(load()).app_context():
        book = _book(book_id)
        views().current(book)
        start = time.perf_counter()
        list_duplicates(_owner(book), parsed_query(DUPLICATES, b"limit=20"), frozenset())
        return time.perf_counter() - start


def main(figure: str, *arguments: str) -> dict[str, Any]:
    """The figure asked for."""
    app = create_app(load())
    if figure == "view":
        book_id = int(arguments[0])
        cold = [cold_seconds(create_app(load()), book_id) for _ in range(TIMES)]
        return {"cold": undisturbed(cold), "bytes": bytes_per_contact(app, book_id)}
    if figure == "duplicates":
        return {"duplicates": min(duplicates_seconds(int(arguments[0])) for _ in range(3))}
    if figure == "query":
        return slowest_query(app, int(arguments[0]))
    with app.app_context():
        if figure == "refresh":
            return {"refresh": refresh_seconds(int(arguments[0]), *arguments[1:])}
        if figure == "note":
            return created_seconds(int(arguments[0]))
        return durability()


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
