"""What comes back is what there was, on the same engine and on the other one."""

import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contactapp.backup.archive import FORMAT, Reader, Writer
from contactapp.backup.packing import packed, unpacked
from contactapp.keyring import keyring
from tests.support.backups import Place, back_up, export, person_of
from tests.support.chains import count_chains, follow_all
from tests.support.ledger import read_ledger


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def moved(request, home, new_database, reopened, tmp_path_factory):
    """The installation, restored on an engine."""
    place = Place(new_database(request.param), tmp_path_factory.mktemp("moved"))
    report = place.restore(home.archive)
    return SimpleNamespace(app=reopened(place, request.param), report=report)


# BR-1
def test_exports_are_the_same_bytes_on_either_engine(home, moved):
    report = moved.report
    assert (report.problems, report.missing, report.rows) == ([], 0, home.made.rows)
    assert read_ledger(moved.app) == read_ledger(home.app)
    for name, before in home.exports.items():
        twin = person_of(moved.app, getattr(home.cast, name))
        assert export(twin) == before
    with moved.app.app_context():
        assert [chain for chain in follow_all() if chain.broken] == []
        assert count_chains() > 3


# BR-1
def test_and_so_they_are_when_it_goes_back(home, moved, place, reopened):
    again = back_up(moved.app)
    assert again.rows["contact"] == home.made.rows["contact"]
    place.restore(again.path)
    app = reopened(place)
    twin = person_of(app, home.cast.alice)
    assert export(twin) == home.exports["alice"]
    epochs = set()
    for each in (home.app, moved.app, app):
        with each.app_context():
            epochs.add(keyring().epoch())
    assert len(epochs) == 3


# BR-3
def test_a_number_that_was_given_is_not_given_again(home, moved):
    twin = person_of(moved.app, home.cast.bob)
    assert twin.contact(first_name="Hedy")["id"] == home.last + 1


KINDS = {
    "bytes": st.none() | st.binary(max_size=60),
    "boolean": st.none() | st.booleans(),
    "plain": st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(codec="utf-8"), max_size=20),
}


@st.composite
def pages(draw):
    """The columns of a table, and rows that fit them."""
    kinds = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5))
    columns = [[f"c{n}", kind] for n, kind in enumerate(kinds)]
    return columns, draw(st.lists(st.tuples(*(KINDS[kind] for kind in kinds)), max_size=20))


HEADER = {
    "format": FORMAT,
    "made_at": 0,
    "engine": "sqlite",
    "revision": "0001",
    "master_keys": ["k1"],
    "wrapped": [["uid", "00"]],
    "peppers": [],
}


@settings(max_examples=20, deadline=None)
@given(st.lists(pages(), max_size=4), st.binary(max_size=300))
def test_any_rows_and_files_come_out_of_an_archive_as_they_went_in(tables, content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.backup")
        with path.open("wb") as file:
            writer = Writer(file, HEADER, bytes(32))
            for columns, rows in tables:
                writer.rows("t", columns, packed(columns, rows))
            writer.file("avatars/x", content)
            writer.close({"tables": {}})
        reader = Reader(path)
        reader.check()
        *found, (head, body), (end, _) = reader.frames(bytes(32))
        assert (head["name"], bytes(body)) == ("avatars/x", content)
        assert reader.manifest(bytes(32)) == end
        for (columns, rows), (told, blobs) in zip(tables, found, strict=True):
            assert told["columns"] == columns
            assert [*map(tuple, unpacked(columns, told["rows"], blobs))] == rows
