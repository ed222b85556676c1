"""A backup of an older revision is restored and brought up to date."""

import hashlib

import flask_migrate
from flask import has_app_context
from sqlalchemy import MetaData

from contactapp.backup import scratch
from contactapp.backup.packing import packed, unpacked
from contactapp.database import Sql, database, lane
from tests.support.backups import person_of, rewritten
from tests.support.ledger import read_ledger

REVISION = "0014"


def columns_at(revision, settings, folder):
    """{table: names of its columns} at a revision."""
    with scratch.opened(settings, f"sqlite:///{folder}/old.sqlite3"):
        flask_migrate.upgrade(revision=revision)
        found = MetaData()
        found.reflect(database().engine, resolve_fks=False)
    return {table.name: [column.name for column in table.columns] for table in found.sorted_tables}


def aged(home, place, folder):
    """The backup as the program of that revision would have made it."""
    known = columns_at(REVISION, place.settings, folder)
    digests = {}

    def older(head, body):
        if head["kind"] == "rows":
            if head["table"] not in known:
                return
            here = known[head["table"]]
            kept = [n for n, (name, _) in enumerate(head["columns"]) if name in here]
            rows = unpacked(head["columns"], head["rows"], memoryview(body))
            columns = [head["columns"][n] for n in kept]
            parts = packed(columns, [[row[n] for n in kept] for row in rows])
            digest = digests.setdefault(head["table"], hashlib.sha256())
            digest.update(b"".join(part for row in parts for part in row))
            new = [[*map(_length, [row[n] for n in kept])] for row in rows]
            yield {**head, "columns": columns, "rows": new}, b"".join(blobs for _, blobs in parts)
            return
        if head["kind"] == "manifest":
            tables = {name: told for name, told in head["tables"].items() if name in known}
            for name, told in tables.items():
                told["columns"] = [c for c in told["columns"] if c[0] in known[name]]
                if name in digests:
                    told["sha256"] = digests[name].hexdigest()
            numbers = {name: last for name, last in head["sequences"].items() if name in known}
            head = {**head, "tables": tables, "sequences": numbers}
        yield head, body

    return rewritten(
        place.settings, home.archive, folder, lambda h: {**h, "revision": REVISION}, older
    )


def _length(value):
    return len(value) if isinstance(value, bytes) else value


# BR-2, DU-6
def test_one_of_an_older_revision_is_brought_up_to_date(home, place, reopened, tmp_path):
    seen = set()

    def look(_bytes):
        if has_app_context():  # rows are put into the new database
            seen.add(lane().one(Sql("SELECT version_num FROM alembic_version"))[0])

    report = place.restore(aged(home, place, tmp_path), progress=look)
    assert (report.problems, seen) == ([], {REVISION})
    assert "idempotent_answer" not in report.rows
    app = reopened(place)
    assert read_ledger(app) == read_ledger(home.app)
    alice = person_of(app, home.cast.alice)
    card = {"first_name": "Mary"}
    assert alice.post("/contacts", json=card, headers={"Idempotency-Key": "a"}).status_code == 201
    assert app.test_client().get("/readyz").status_code == 200
