"""What comes back is what there was, on the same engine and on the other one."""

import pytest

from tests.support.backups import Place, back_up, export, person_of
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
