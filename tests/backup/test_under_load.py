"""BR-1: a backup that is made while people write, carried to an empty machine."""

import shutil

from tests.support.backups import SECRETS, read_manifest
from tests.support.chaos import Crowd
from tests.support.command import contactapp
from tests.support.ledger import read_ledger
from tests.support.pictures import PNG, picture
from tests.support.traffic import Hand


class Keen(Hand):
    """Somebody who writes, also photos."""

    deeds = {"add": 4, "change": 4, "trash": 1, "photo": 1}

    def photo(self):
        path = f"/{self.random.choice(self.mine)}/photo"
        answer = self.http.put(self.url + path, data=picture(size=(64, 64)), headers=PNG)
        assert answer.status_code in {200, 201, 503}, answer.text  # too many draw at once


# BR-1
def test_what_was_acknowledged_before_it_began_is_there(
    engine, new_server, place, reopened, tmp_path
):
    server = new_server(engine, CONTACT_LIMIT="0", **SECRETS)
    people = [server.person(f"person{n}") for n in range(2)]
    hands = [Keen(people[n % 2], n) for n in range(4)]
    archive = tmp_path / "x.backup"
    with Crowd(hands) as crowd:
        crowd.wait_for(40)
        before = [dict(hand.acknowledged) for hand in hands]
        words = ("backup", "create", "--output", str(archive))
        code, _, err = contactapp(tmp_path, {**server.settings, **SECRETS}, *words)
        assert code == 0, err
        crowd.wait_for(12)
    assert set().union(*(hand.statuses for hand in hands)) <= {200, 201, 204}
    server.kill()
    shutil.rmtree(server.instance)
    report = place.restore(archive)  # which follows every chain
    assert (report.problems, report.missing) == ([], 0)
    manifest = read_manifest(place.settings, archive)
    assert manifest["pictures"]["missing"] == 0
    assert len(list((place.instance / "photos").iterdir())) == manifest["pictures"]["count"]
    ledger = read_ledger(reopened(place))
    cards = {id_: card for book in ledger.values() for id_, card in book.items()}
    for hand, known in zip(hands, before, strict=True):
        for id_, nickname in known.items():
            now = hand.acknowledged.get(id_)
            if nickname is None:
                assert id_ not in cards
            elif now == nickname:  # nobody wrote to it since
                assert cards[id_]["nickname"] == nickname
