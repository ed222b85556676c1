"""Old changes are deleted where CHANGE_RETENTION_DAYS says so, and nothing breaks by that."""

import pytest

from contactapp import clock
from contactapp.audit import retention
from contactapp.database import Sql, lane
from contactapp.jobs import service as jobs
from contactapp.jobs.service import Job
from tests.support.books import names, opened
from tests.support.chains import Story, do_job, stream_of

DAY = retention.DAY_MS
JOB = Job(1, "purge.changes", None, None, 1, None, "lease")
_KEPT = Sql("SELECT seq, sealed IS NULL FROM change WHERE stream_id = ? ORDER BY seq")
_FLOOR = Sql("SELECT floor FROM stream WHERE id = ?")


class Clock:
    """The time, which a test turns; it begins at the true one, by which tokens are good."""

    def __init__(self):
        self.start = self.now = clock.now_ms()

    def turn(self, days):
        """So many days from the start."""
        self.now = self.start + round(days * DAY)


@pytest.fixture
def time(monkeypatch):
    turned = Clock()
    monkeypatch.setattr(clock, "now_ms", lambda: turned.now)
    return turned


@pytest.fixture
def story(engine, new_app):
    """A book of five changes, of which a month is kept."""
    app = new_app(
        engine,
        CHANGE_RETENTION_DAYS="30",
        SESSION_SECONDS=str(3650 * 86400),
        SESSION_IDLE_SECONDS=str(3650 * 86400),
    )
    return Story(app)


def change_at(story, time, days):
    time.turn(days)
    story.ann.sign_in()
    story.change()


def purge(story):
    do_job(story.app, "purge.changes")


def kept(story):
    """The numbers of the rows that are left, in the order of the log."""
    with story.app.app_context():
        return [row[0] for row in lane().all(_KEPT, (stream_of(story.ann),))]


def floor(story):
    with story.app.app_context():
        return lane().one(_FLOOR, (stream_of(story.ann),))[0]


def listed(story):
    """The changes that the trail shows."""
    story.ann.sign_in()
    items = story.ann.get("/audit?entity=contact").json["items"]
    return [item["id"] for item in items]


def test_what_is_older_goes_and_the_row_at_the_floor_stays_empty(story, time):
    change_at(story, time, 20)
    time.turn(29)
    purge(story)
    assert (kept(story), floor(story)) == ([1, 2, 3, 4, 5, 6], 0)
    time.turn(31)
    purge(story)
    assert (kept(story), floor(story)) == ([5, 6], 5)
    with story.app.app_context():
        rows = lane().all(_KEPT, (stream_of(story.ann),))
    assert [bool(empty) for _, empty in rows] == [True, False]
    assert listed(story) == [6]
    assert story.broken() == {}
    assert story.checkpoints() == [(6, 5)]
    story.change()
    assert (listed(story), story.broken()) == ([7, 6], {})


def test_a_book_of_old_changes_alone_keeps_its_head(story, time):
    time.turn(31)
    purge(story)
    assert (kept(story), floor(story), listed(story)) == ([5], 5, [])
    assert story.broken() == {}
    purge(story)
    assert story.checkpoints() == [(5, 5)]
    story.change(2)
    assert (listed(story), story.broken()) == ([7, 6], {})


def test_nothing_goes_where_nothing_is_said(engine, new_app, time):
    story = Story(new_app(engine))
    time.turn(36_000)
    purge(story)
    assert (kept(story), floor(story), story.checkpoints()) == ([1, 2, 3, 4, 5], 0, [])


# DU-5
def test_where_the_clock_jumped_the_order_of_the_log_decides(story, time):
    for days in (1, 61, 2, 3, 60):  # it stood wrong twice
        change_at(story, time, days)
    time.turn(40)
    purge(story)
    assert (kept(story), floor(story)) == ([6, 7, 8, 9, 10], 6)
    time.turn(90.5)
    purge(story)
    assert (kept(story), floor(story)) == ([6, 7, 8, 9, 10], 6)
    assert (listed(story), story.broken()) == ([10, 9, 8, 7], {})
    time.turn(92)
    purge(story)
    assert (kept(story), floor(story), story.broken()) == ([10], 10, {})


# DU-5
def test_a_clock_that_goes_back_deletes_nothing(story, time):
    time.turn(31)
    purge(story)
    change_at(story, time, 31)
    time.turn(-31)
    purge(story)
    assert (kept(story), floor(story), story.broken()) == ([5, 6], 5, {})


def test_old_checkpoints_go_with_what_they_saw(story, time):
    story.mark()
    change_at(story, time, 20)
    story.mark()
    assert story.checkpoints() == [(5, 0), (6, 0)]
    time.turn(31)
    purge(story)
    assert story.checkpoints() == [(5, 0), (6, 0), (6, 5)]
    change_at(story, time, 40)
    time.turn(51)
    purge(story)
    assert story.checkpoints() == [(6, 0), (6, 5), (7, 6)]
    assert story.broken() == {}


def test_a_purge_that_was_killed_is_finished_by_the_next(story, time, monkeypatch):
    change_at(story, time, 20)
    time.turn(31)
    monkeypatch.setattr(retention, "_BATCH", 2)
    genuine, renewed = retention._delete_some, []

    def stops(*about):
        if kept(story) == [3, 4, 5, 6]:
            raise RuntimeError("killed")
        return genuine(*about)

    monkeypatch.setattr(retention, "renew", renewed.append)
    monkeypatch.setattr(retention, "_delete_some", stops)
    with story.app.app_context(), pytest.raises(RuntimeError, match="killed"):
        retention.purge(JOB)
    assert (kept(story), floor(story)) == ([3, 4, 5, 6], 5)
    assert (listed(story), story.broken()) == ([6], {})
    monkeypatch.setattr(retention, "_delete_some", genuine)
    with story.app.app_context():
        retention.purge(JOB)
    assert (kept(story), story.broken()) == ([5, 6], {})
    assert renewed == [JOB] * 3  # for the floors, and after each batch of two


def test_who_lost_the_lease_stops(story, time, monkeypatch):
    time.turn(31)
    monkeypatch.setattr(retention, "_BATCH", 2)
    with story.app.app_context(), pytest.raises(jobs.LeaseLost):
        retention.purge(JOB)
    assert len(kept(story)) > 1


def test_views_are_followed_from_the_floor_and_loaded_anew_from_below_it(engine, new_app, time):
    days, long = {"CHANGE_RETENTION_DAYS": "30"}, {"SESSION_SECONDS": str(3650 * 86400)}
    first = new_app(engine, **days, **long)
    url = first.extensions["contactapp.settings"].database_url
    behind, at_floor, ahead = (new_app(engine, database=url, **days, **long) for _ in range(3))
    story = Story(first)
    ann = story.ann

    def reads(app):
        ann.sign_in()
        ann.app = app
        return opened(ann, lambda: names(ann))

    def writes(**fields):
        ann.app = first
        ann.sign_in()
        ann.contact(**fields)

    assert reads(behind) == (1, ["Grace"])
    writes(first_name="Ada")
    assert reads(at_floor) == (2, ["Grace", "Ada"])
    time.turn(20)
    writes(first_name="Hedy")
    assert reads(ahead) == (3, ["Grace", "Ada", "Hedy"])
    time.turn(31)
    purge(story)
    assert (kept(story), floor(story)) == ([6, 7], 6)
    writes(first_name="Joan")
    everybody = ["Grace", "Ada", "Hedy", "Joan"]
    assert reads(ahead) == (1, everybody)
    assert reads(at_floor) == (2, everybody)
    assert reads(behind) == (4, everybody)  # what it would have to follow is gone


def test_an_erased_account_is_no_matter_for_a_purge(story, time):
    with story.app.app_context():
        retention.raise_floor(10**6)
        retention.raise_floor(stream_of(story.ann), 0)
        retention.raise_floor(stream_of(story.ann), 6)
    assert (floor(story), story.checkpoints()) == (0, [])
