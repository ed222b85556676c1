"""Reading and writing: one lane, one write transaction.

Both go through `lane()`; writes in functions marked `@write_transaction`: BEGIN IMMEDIATE on
SQLite, READ COMMITTED on PostgreSQL. SQLAlchemy describes the tables and migrates them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

from flask import Flask, current_app
from sqlalchemy import BigInteger, Engine, Integer, make_url

from . import engine as engines
from .engine import ConstraintViolated
from .extensions import db
from .lane import Lane
from .sql import Sql
from .writer import PostgresWriter, SqliteWriter, Writer

if TYPE_CHECKING:
    from sqlalchemy.orm import DeclarativeBase as Model
else:
    Model = db.Model

P = ParamSpec("P")
R = TypeVar("R")

# SQLite gives AUTOINCREMENT only to a column declared INTEGER, which holds 64 bits there.
BigId = BigInteger().with_variant(Integer(), "sqlite")


class Database(NamedTuple):
    """What belongs to one application's database besides SQLAlchemy's engine."""

    engine: Engine
    lane: Lane
    writer: Writer

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"


def init_database(app: Flask, url: str, busy_timeout: int) -> None:
    """Bind Flask-SQLAlchemy and the lane to the application's database."""
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engines.engine_options(make_url(url), busy_timeout)
    db.init_app(app)
    # It would end a session after every request, and nothing here begins one.
    app.teardown_appcontext_funcs.clear()
    with app.app_context():
        engine = db.engine
    engines.bind_events(engine, busy_timeout)
    lane = Lane(engine, busy_timeout)
    sqlite = engine.dialect.name == "sqlite"
    writer = SqliteWriter(lane, busy_timeout) if sqlite else PostgresWriter(lane)
    app.extensions["contactapp.database"] = Database(engine, lane, writer)


def database() -> Database:
    """The database of the current application."""
    return current_app.extensions["contactapp.database"]


def lane() -> Lane:
    """The lane of the current application."""
    return database().lane


def write_transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Run a service function as one transaction: commit when it returns, roll back when it raises.

    A deadlock or serialisation failure runs it again, so it must not change its arguments.
    What it returns is on the disk (see `writer`).
    Raises DatabaseBusy, DatabaseFull or DatabaseUnavailable where the database cannot do it.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        own = database()
        if own.lane.in_transaction:
            raise RuntimeError(f"{function.__name__} would commit inside another transaction")
        return own.writer.write(partial(function, *args, **kwargs))

    return run


__all__ = [
    "BigId",
    "ConstraintViolated",
    "Database",
    "Lane",
    "Model",
    "Sql",
    "database",
    "init_database",
    "lane",
    "write_transaction",
]
