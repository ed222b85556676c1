"""The pieces of `make bench` count, divide and print rightly. Nothing is timed here."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from benchmarks import inside, load, plot, table
from benchmarks.bench import FULL
from benchmarks.field import ENGINES
from benchmarks.load import Request
from benchmarks.other import Figure
from benchmarks.rows import BY_KEY, ROWS, chosen
from benchmarks.samples import CEILING, Sample, Samples, ratio, verdicts
from benchmarks.servers import HERE
from tests.support.cast import Person


def samples_of(*rounds, key="list", connections=16):
    """Samples of contactapp and the reference on SQLite and of the ceiling, as CPU and rate."""
    made = Samples()
    for ceiling, ours, theirs in rounds:
        for name, (cpu, rate) in (
            (CEILING, ceiling),
            ("contactapp-sqlite", ours),
            ("reference-sqlite", theirs),
        ):
            made.add(key, connections, name, Sample(cpu, 0.0, rate, 1))
    return made


THREE = samples_of(
    ((100, 9000), (180, 5000), (900, 1000)),
    ((200, 8000), (300, 4000), (999, 500)),
    ((100, 9000), (500, 3000), (900, 1000)),
)


def results(samples=THREE):
    figures = [Figure("contactapp-sqlite", "idle worker", "95 MiB", "≤ 90 MiB", False)]
    return table.Results((BY_KEY["list"],), samples, {"Python": "3"}, ["it holds"], figures)


def test_a_ratio_is_taken_within_each_round_before_the_median():
    assert THREE.cpu_ratios("list", 16, "contactapp-sqlite") == pytest.approx([1.8, 1.5, 5])
    ratios = THREE.rate_ratios("list", 16, "contactapp-sqlite", "reference-sqlite")
    assert ratios == pytest.approx([5, 8, 3])
    assert [v.found for v in verdicts(THREE, ROWS)] == ["1.80 ×", "5.0 ×"]
    assert THREE.median("list", 16, CEILING) == Sample(100, 0, 9000, 3)


def test_what_was_not_measured_has_no_figure():
    assert THREE.median("get", 16, CEILING) is None
    assert THREE.cpu_ratios("get", 16, "contactapp-sqlite") == []


def test_a_target_is_met_or_not_and_never_hidden():
    assert [v.met for v in verdicts(THREE, ROWS)] == [True, True]
    worse = samples_of(((100, 9000), (201, 500), (900, 1000)))
    assert [v.met for v in verdicts(worse, ROWS)] == [False, False]
    assert table.render(results(worse)).count("**not met**") == 4


def test_of_many_rounds_the_middle_half_is_told():
    assert ratio([1.5, 9.0, 1.7, 1.6, 1.8]) == "1.70 × (1.60–1.80)"


def test_unknown_rows_are_named():
    with pytest.raises(SystemExit, match="lst"):
        chosen("lst")


def test_the_plot_is_well_formed():
    assert ET.fromstring(plot.draw(THREE, ROWS, 16)).tag.endswith("svg")


def test_lua_gets_every_byte():
    assert load._lua('a"é\\') == '"a\\034\\195\\169\\092"'


def test_the_bundled_client_counts_what_a_server_answers(live_server):
    found = load.bundled(live_server.port, Request("GET", "/healthz", {}), 2, 0.2)
    assert found.good > 0
    assert found.refused == 0
    refused = load.bundled(live_server.port, Request("GET", "/api/v1/contacts", {}), 1, 0.1)
    assert refused.good == 0
    assert refused.refused > 0


def test_the_figures_from_inside_a_process_are_told(app, engine, monkeypatch):
    """Of a small book and few tries: whether they come, not what they are."""
    for name, value in {"TIMES": 2, "FEW": 2, "PAUSE": 0}.items():
        monkeypatch.setattr(inside, name, value)
    book = Person(app, "bench").book_id
    with app.app_context():
        assert set(inside.durability()) == {"write", "read"}
        assert {len(times) for times in inside.created_seconds(book).values()} == {2}
    assert inside.bytes_per_contact(app, book) > 0
    assert inside.cold_seconds(app, book) > 0
    assert inside.slowest_query(app, book)["seconds"] > 0


@pytest.fixture(scope="module")
def kept():
    """The results of the last full run, as they are in the repository."""
    return (HERE / "results.md").read_text(encoding="utf-8")


def test_the_kept_results_are_those_of_a_full_run(kept):
    for connections in ("1 connection", "16 connections", "64 connections"):
        found = kept.split(f"\n## {connections}\n")[1].split("\n## ")[0]
        for row in ROWS:
            if row.key == "sign-in" and connections == "64 connections":
                continue
            for name in (CEILING, "contactapp-sqlite", "contactapp-postgresql"):
                assert f"| {row.label} | {name} | " in found
    assert f"| rounds | {FULL.told()} |" in kept


def test_the_kept_results_say_what_was_proved_and_which_targets_hold(kept):
    for engine in ENGINES:
        assert f"* contactapp-{engine}: a revoked token gets 401; an over-limit caller 429" in kept
    targets = kept.split("\n## Targets\n")[1].split("\n## ")[0]
    lines = [line for line in targets.splitlines() if line.startswith("| ")][1:]
    assert len(lines) > 20
    assert all(line.endswith(("| met |", "| **not met** |")) for line in lines)
    assert ET.parse(HERE / "results.svg").getroot().tag.endswith("svg")
