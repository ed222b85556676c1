"""Change log, audit trail and checkpoints are append-only in the database too, not only in this
program.

Alembic's batch mode silently drops SQLite's triggers, so they are made anew after every migration
(`install`), and a test compares what is there with what is written here.
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

_KEPT = (
    "stream_id",
    "seq",
    "at",
    "actor_id",
    "token_id",
    "request_id",
    "operation_id",
    "entity",
    "entity_id",
    "op",
    "version",
    "changed_fields",
    "sealed_hash",
    "head",
)
# Only emptying `sealed` is a change that a row may see; the chain covers its hash.
_UPDATE_REFUSED = " OR ".join(
    [f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in _KEPT]
    + ["(NEW.sealed IS NOT NULL AND NEW.sealed IS DISTINCT FROM OLD.sealed)"]
)
_DELETE_REFUSED = (
    "NOT EXISTS (SELECT 1 FROM stream WHERE stream.id = OLD.stream_id AND OLD.seq <= stream.floor)"
)

# An event may see one more change: its place in the chain, given once.
_EVENT = ("id", "uid", "at", "kind", "user_id", "actor_id", "request_id", "count", "sealed_hash")
_EVENT_UPDATE_REFUSED = " OR ".join(
    [f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in _EVENT]
    + ["(NEW.sealed IS NOT NULL AND NEW.sealed IS DISTINCT FROM OLD.sealed)"]
    + [
        f"(OLD.{column} IS NOT NULL AND NEW.{column} IS DISTINCT FROM OLD.{column})"
        for column in ("seq", "head")
    ]
)

# Those of a purged part may go, and with a stream all of its own.
_CHECKPOINT_DELETE_REFUSED = (
    "OLD.stream_id = 0 OR EXISTS (SELECT 1 FROM stream WHERE stream.id = OLD.stream_id "
    "AND OLD.seq >= stream.floor)"
)

SQLITE = {
    "audit_event_no_update": (
        "CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event "
        f"WHEN {_EVENT_UPDATE_REFUSED} "
        "BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END"
    ),
    "audit_event_no_delete": (
        "CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event "
        "BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END"
    ),
    "audit_event_no_replace": (
        "CREATE TRIGGER audit_event_no_replace BEFORE INSERT ON audit_event WHEN EXISTS "
        "(SELECT 1 FROM audit_event WHERE id = NEW.id OR uid = NEW.uid OR seq = NEW.seq) "
        "BEGIN SELECT RAISE(ABORT, 'audit_event is append-only'); END"
    ),
    "change_no_update": (
        f"CREATE TRIGGER change_no_update BEFORE UPDATE ON change WHEN {_UPDATE_REFUSED} "
        "BEGIN SELECT RAISE(ABORT, 'change is append-only'); END"
    ),
    "change_no_delete": (
        f"CREATE TRIGGER change_no_delete BEFORE DELETE ON change WHEN {_DELETE_REFUSED} "
        "BEGIN SELECT RAISE(ABORT, 'change is append-only'); END"
    ),
    # INSERT OR REPLACE deletes the row in its way without asking the trigger on DELETE.
    "change_no_replace": (
        "CREATE TRIGGER change_no_replace BEFORE INSERT ON change WHEN EXISTS "
        "(SELECT 1 FROM change WHERE stream_id = NEW.stream_id AND seq = NEW.seq) "
        "BEGIN SELECT RAISE(ABORT, 'change is append-only'); END"
    ),
    "checkpoint_no_update": (
        "CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint "
        "BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only'); END"
    ),
    "checkpoint_no_delete": (
        "CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint "
        f"WHEN {_CHECKPOINT_DELETE_REFUSED} "
        "BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only'); END"
    ),
    "checkpoint_no_replace": (
        "CREATE TRIGGER checkpoint_no_replace BEFORE INSERT ON checkpoint WHEN EXISTS (SELECT 1 "
        "FROM checkpoint WHERE stream_id = NEW.stream_id AND seq = NEW.seq AND floor = NEW.floor) "
        "BEGIN SELECT RAISE(ABORT, 'checkpoint is append-only'); END"
    ),
}
POSTGRESQL = {
    "audit_event_no_update": (
        "CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event FOR EACH ROW "
        f"WHEN ({_EVENT_UPDATE_REFUSED}) EXECUTE FUNCTION contactapp_append_only()"
    ),
    "audit_event_no_delete": (
        "CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event FOR EACH ROW "
        "EXECUTE FUNCTION contactapp_append_only()"
    ),
    "audit_event_no_truncate": (
        "CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event "
        "EXECUTE FUNCTION contactapp_append_only()"
    ),
    "change_no_update": (
        f"CREATE TRIGGER change_no_update BEFORE UPDATE ON change FOR EACH ROW "
        f"WHEN ({_UPDATE_REFUSED}) EXECUTE FUNCTION contactapp_append_only()"
    ),
    "change_no_delete": (
        "CREATE TRIGGER change_no_delete BEFORE DELETE ON change FOR EACH ROW "
        "EXECUTE FUNCTION contactapp_append_only_delete()"
    ),
    "change_no_truncate": (
        "CREATE TRIGGER change_no_truncate BEFORE TRUNCATE ON change "
        "EXECUTE FUNCTION contactapp_append_only()"
    ),
    "checkpoint_no_update": (
        "CREATE TRIGGER checkpoint_no_update BEFORE UPDATE ON checkpoint FOR EACH ROW "
        "EXECUTE FUNCTION contactapp_append_only()"
    ),
    "checkpoint_no_delete": (
        "CREATE TRIGGER checkpoint_no_delete BEFORE DELETE ON checkpoint FOR EACH ROW "
        "EXECUTE FUNCTION contactapp_checkpoint_delete()"
    ),
    "checkpoint_no_truncate": (
        "CREATE TRIGGER checkpoint_no_truncate BEFORE TRUNCATE ON checkpoint "
        "EXECUTE FUNCTION contactapp_append_only()"
    ),
}
_POSTGRESQL_FUNCTIONS = (
    "CREATE OR REPLACE FUNCTION contactapp_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
    # A trigger's WHEN cannot hold a subquery on PostgreSQL, so these ask inside.
    "CREATE OR REPLACE FUNCTION contactapp_append_only_delete() RETURNS trigger LANGUAGE plpgsql "
    f"AS $$ BEGIN IF {_DELETE_REFUSED} THEN RAISE EXCEPTION 'change is append-only'; END IF; "
    "RETURN OLD; END $$",
    "CREATE OR REPLACE FUNCTION contactapp_checkpoint_delete() RETURNS trigger LANGUAGE plpgsql "
    f"AS $$ BEGIN IF {_CHECKPOINT_DELETE_REFUSED} THEN "
    "RAISE EXCEPTION 'checkpoint is append-only'; END IF; RETURN OLD; END $$",
)


def install(connection: Connection) -> None:
    """Make every trigger anew, in the transaction of the caller."""
    sqlite = connection.dialect.name == "sqlite"
    if not sqlite:
        for function in _POSTGRESQL_FUNCTIONS:
            connection.execute(text(function))
    for name, statement in (SQLITE if sqlite else POSTGRESQL).items():
        table = name.partition("_no_")[0]
        if inspect(connection).has_table(table):  # not so before its migration
            on = "" if sqlite else f" ON {table}"
            connection.execute(text(f"DROP TRIGGER IF EXISTS {name}{on}"))
            connection.execute(text(statement))


def names(sqlite: bool) -> tuple[str, frozenset[str]]:
    """The query that lists an engine's triggers, and the names that must be among them."""
    if sqlite:
        return "SELECT name FROM sqlite_master WHERE type = 'trigger'", frozenset(SQLITE)
    query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
    return query, frozenset(POSTGRESQL)
