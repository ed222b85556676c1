"""Files of contacts: how fast they are read, imported and exported. Run inside as `inside` is:

python -m benchmarks.files [BOOK_ID]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
import warnings
from typing import Any

from contactapp import create_app
from contactapp.books.service import actor_in, book_at
from contactapp.config import load
from contactapp.exchange.service import Record, read, write
from contactapp.exports.schemas import ExportQuery
from contactapp.exports.service import export_contacts
from contactapp.imports.service import finish, start_import
from contactapp.imports.stored import PART
from contactapp.incoming import parsed_query
from contactapp.multipart import Upload

from .load import ROOT
from .other import Figure
from .people import card
from .samples import undisturbed
from .seed import Seeded

CONTACTS = 10_000
COMPARED = 500  # cards that vobject reads too
TURNS = 5
MIB = 2**20


def vcards(count: int) -> bytes:
    """A file as an address book of so many people is written."""
    return b"".join(write("vcard", lambda: map(_record, range(count))))


def _record(number: int) -> Record:
    fields = card(number)
    emails, phones = ([{"value": fields.pop(name)}] for name in ("email", "phone"))
    fields |= {"emails": emails, "phones": phones}
    return Record(fields=fields, uid=f"00000000-0000-4000-8000-{number:012}")


def parsing() -> dict[str, float]:
    """Seconds that reading a card takes us, and vobject."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses what Python means to drop
        import vobject

        data, taken = vcards(COMPARED), {"ours": [], "vobject": []}  # type: dict[str, list[float]]
        text = data.decode()
        for _ in range(TURNS):
            start = time.perf_counter()
            assert len(list(read("vcard", [data]))) == COMPARED
            between = time.perf_counter()
            assert len(list(vobject.readComponents(text))) == COMPARED
            taken["ours"].append((between - start) / COMPARED)
            taken["vobject"].append((time.perf_counter() - between) / COMPARED)
    return {name: undisturbed(seconds) for name, seconds in taken.items()}


def moving(book_id: int, count: int = CONTACTS) -> dict[str, float]:
    """Seconds of importing a file of vCards into an empty book and of exporting them, and the most
    memory that this process had."""
    data = vcards(count)
    pieces = [data[at : at + PART] for at in range(0, len(data), PART)]
    with create_app(load()).app_context():
        book = book_at(book_id)
        assert book
        actor = actor_in(book.owner_id, book_id, "bench")
        assert actor
        start = time.perf_counter()
        upload = Upload("bench.vcf", pieces, len(data))
        one = start_import(actor, upload, {"mode": "commit", "on_duplicate": "skip"}).one
        one = finish(actor, one, lambda _: None)
        between = time.perf_counter()
        assert (one.status, one.created) == ("done", count), one
        again = actor_in(book.owner_id, book_id, "bench")
        assert again
        made = export_contacts(again, parsed_query(ExportQuery(), b""))
        assert sum(map(len, made.parts)) >= len(data)
        exported = time.perf_counter() - between
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB
    return {"import": between - start, "export": exported, "memory": most}


def files(seeded: Seeded) -> list[Figure]:
    """The lines of the second table; the last of a server, because a book is full afterwards."""
    name = seeded.server.name
    found = _asked(seeded, str(seeded.books["files"]))
    seconds = 15 if name.endswith("sqlite") else 25
    times = found["vobject"] / found["ours"]
    many = f"{CONTACTS:,}".replace(",", " ")
    return [
        Figure(name, "reading vCards to vobject's reading them",
               f"{times:.1f} × as fast ({found['ours'] * 1e6:.0f} µs a card)", "≥ 3 ×", times >= 3),
        Figure(name, f"importing {many} vCards",
               f"{found['import']:.1f} s", f"≤ {seconds} s", found["import"] <= seconds),
        Figure(name, "memory of who imports and exports them",
               f"{found['memory']:.0f} MiB", "≤ 150 MiB", found["memory"] <= 150),
        Figure(name, f"exporting {many} vCards",
               f"{found['export']:.2f} s", "≤ 2 s", found["export"] <= 2),
    ]  # fmt: skip


def _asked(seeded: Seeded, *arguments: str) -> dict[str, float]:
    out = subprocess.run(
        [sys.executable, "-m", "benchmarks.files", *arguments],
        env={**seeded.server.environment, "PYTHONPATH": str(ROOT)},
        cwd=seeded.server.log.parent,  # no `.env` of the repository's folder
        capture_output=True,
        text=True,
    )
    if out.returncode:
        raise SystemExit(f"benchmarks.files failed:\n{out.stderr[-3000:]}")
    return json.loads(out.stdout.splitlines()[-1])


def main(arguments: list[str]) -> dict[str, Any]:
    """All figures. The memory first: what vobject takes is not ours."""
    moved = moving(*map(int, arguments)) if arguments else {}
    return {**moved, **parsing()}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
