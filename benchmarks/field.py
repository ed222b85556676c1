"""The servers of a run, what they hold, and the ceiling with contactapp's bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import proofs, seed, servers
from .rows import BY_KEY
from .seed import Seeded

ENGINES = ("sqlite", "postgresql")


class Field:
    """The servers of a run and what they hold."""

    def __init__(self, folder: Path, postgres: servers.Postgres) -> None:
        self.folder = folder
        self.postgres = postgres
        self.running: list[servers.Server] = []
        self.seeded: dict[str, Seeded] = {}
        self.ceiling: servers.Server | None = None

    def start(self) -> None:
        """Start contactapp and the reference on both engines."""
        pg = self.postgres
        urls = {
            "sqlite": f"sqlite:///{self.folder}/contactapp.sqlite3",
            "postgresql": pg.new_database("contactapp_bench", "postgresql+psycopg"),
        }
        theirs = {
            "sqlite": f"sqlite+aiosqlite:///{self.folder}/reference.sqlite3",
            "postgresql": pg.new_database("reference_bench", "postgresql+asyncpg"),
        }
        for engine in ENGINES:
            self.running.append(
                servers.contactapp(f"contactapp-{engine}", urls[engine], self.folder)
            )
        for engine in ENGINES:
            self.running.append(
                servers.reference(f"reference-{engine}", theirs[engine], self.folder)
            )

    def fill(self, big: int, told: Callable[[int], None]) -> None:
        """The same books everywhere, side by side."""
        total = sum(seed.SMALL + big + (seed.COLD if is_ours(s.name) else 0) for s in self.running)
        with ThreadPoolExecutor(len(self.running)) as pool:
            filled = pool.map(
                lambda s: seed.fill(s, big, lambda _: told(total), is_ours(s.name)),
                self.running,
            )
            self.seeded = {found.server.name: found for found in filled}

    def raise_ceiling(self) -> None:
        """Start the bare views with the bytes that contactapp answers now."""
        answers, number = {}, 0
        for engine in ENGINES:
            found = self.seeded[f"contactapp-{engine}"]
            talk = seed.Talk(found.server)
            for key, request in found.requests.items():
                answer = talk.send(request)
                proofs.good(answer, BY_KEY[key])
                number += 1
                (self.folder / f"{number}.body").write_bytes(answer.body)
                answers[constant_path(engine, key)] = {
                    "method": request.method,
                    "status": answer.status,
                    "file": f"{number}.body",
                }
        (self.folder / "answers.json").write_text(json.dumps(answers))
        self.ceiling = servers.ceiling(self.folder, self.folder)
        self.running.append(self.ceiling)

    def stop(self) -> None:
        """Stop every server."""
        for server in self.running:
            server.stop()


def is_ours(name: str) -> bool:
    """Whether the server is contactapp."""
    return name.startswith("contactapp")


def constant_path(engine: str, key: str) -> str:
    """Where the ceiling answers a row's bytes."""
    return f"/api/v1/{engine}/{key}"
