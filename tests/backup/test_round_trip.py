"""What comes back is what there was, on the same engine and on the other one."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contactapp.backup.archive import FORMAT, Reader, Writer
from contactapp.backup.packing import packed, unpacked
from tests.support.backups import SECRETS, Place, back_up, export, person_of
from tests.support.cast import Person
from tests.support.chains import count_chains, follow_all
from tests.support.ledger import read_ledger

ENGINES = ("sqlite", "postgresql")


# BR-1
@pytest.mark.parametrize("onto", ENGINES)
def test_exports_are_the_same_bytes_on_either_engine(home, onto, new_database, reopened, tmp_path):
    place = Place(new_database(onto), tmp_path / "instance")
    report = place.restore(home.archive)
    assert (report.problems, report.missing, report.rows) == ([], 0, home.made.rows)
    app = reopened(place)
    assert read_ledger(app) == read_ledger(home.app)
    for name, before in home.exports.items():
        twin = person_of(app, getattr(home.cast, name))
        assert export(twin) == before
    with app.app_context():
        assert [chain for chain in follow_all() if chain.broken] == []
        assert count_chains() > 3
    again = back_up(app)
    assert again.rows["contact"] == home.made.rows["contact"]


# BR-3
@pytest.mark.parametrize("onto", ENGINES)
def test_a_number_that_was_given_is_not_given_again(
    engine, onto, new_app, new_database, reopened, tmp_path
):
    app = new_app(engine, **SECRETS)
    ann = Person(app, "ann")
    last = [ann.contact(first_name=name)["id"] for name in ("Grace", "Ada")][-1]
    assert ann.delete(f"/contacts/{last}?permanent=true").status_code == 204
    place = Place(new_database(onto), tmp_path / "instance")
    place.restore(back_up(app).path)
    twin = person_of(reopened(place), ann)
    assert twin.contact(first_name="Hedy")["id"] == last + 1


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


@settings(max_examples=60, deadline=None)
@given(st.lists(pages(), max_size=4), st.binary(max_size=300))
def test_any_rows_and_files_come_out_of_an_archive_as_they_went_in(tables, content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.backup")
        with path.open("wb") as file:
            writer = Writer(file, {"format": FORMAT}, bytes(32))
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
