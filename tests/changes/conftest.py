"""Streams of the tests in this folder."""

from __future__ import annotations

import pytest

from tests.support.events import Parts


@pytest.fixture
def opened():
    """Open a stream of a person that is closed when the test ends."""
    found = []

    def open_(person, path="/changes/stream", **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        found.append(Parts(person.get(path, headers=headers)))
        return found[-1]

    open_.found = found
    yield open_
    for parts in found:
        parts.close()
