"""`contactapp import` and `contactapp export`."""

import pytest
from click import ClickException

from contactapp import exchange_commands
from contactapp.books.service import book_at
from contactapp.imports.stored import read_import
from tests.imports.conftest import card, sent
from tests.jobs.test_worker import settings_of
from tests.support.cast import Person
from tests.support.command import contactapp

# What a command does is the same on either engine, and a process costs a second.
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def command(app, tmp_path):
    """Run a command in a folder: (exit code, output, errors)."""
    return lambda *arguments: contactapp(tmp_path, settings_of(app), *arguments)


def test_a_file_goes_in_and_out_again(app, command, tmp_path):
    ann = Person(app, "ann")
    (tmp_path / "a.vcf").write_bytes(b"".join(card(n + 4000) for n in range(60)))
    code, out, _ = command("import", "a.vcf", "--user", ann.name, "--preview")
    assert code == 0
    assert out.startswith("A preview, nothing was changed: 60 read, 60 created")
    assert ann.get("/contacts").json["total"] == 0
    code, out, _ = command("import", "a.vcf", "--user", ann.email)
    assert (code, out.splitlines()[0]) == (
        0,
        "60 read, 60 created, 0 updated, 0 skipped, 0 rejected.",
    )
    assert "undo operation" in out
    code, out, _ = command("import", "a.vcf", "--user", ann.name)
    assert out == "60 read, 0 created, 0 updated, 60 skipped, 0 rejected.\n"
    code, out, _ = command("export", "--user", ann.name, "--output", "b.vcf")
    assert (code, out) == (0, "60 contacts in b.vcf.\n")
    written = (tmp_path / "b.vcf").read_bytes()
    assert written == ann.get("/exports").data
    assert (tmp_path / "b.vcf").stat().st_mode & 0o077 == 0
    code, out, _ = command("export", "--user", ann.name, "--format", "csv")
    assert (code, out.count("@example.com")) == (0, 60)


def test_a_large_file_is_done_here_and_now(app, command, tmp_path):
    ann = Person(app, "ann")
    (tmp_path / "a.vcf").write_bytes(b"".join(card(n + 9000) for n in range(300)))
    code, out, err = command("import", "a.vcf", "--user", ann.name)
    assert code == 3
    assert out.startswith("300 read, 100 created, 0 updated, 0 skipped, 200 rejected.")
    assert "100 of 100 contacts are used." in err
    assert "and 180 more" in err


def test_an_export_that_is_interrupted_leaves_nothing(engine, tmp_path):
    def parts():
        yield b"BEGIN:VCARD"
        raise KeyboardInterrupt

    kept = tmp_path / "b.vcf"
    kept.write_bytes(b"kept")
    with pytest.raises(KeyboardInterrupt):
        exchange_commands._write(kept, parts())
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("b.vcf", b"kept")]


def test_an_import_that_was_cancelled_is_no_success(app, capsys):
    ann = Person(app, "ann")
    one = sent(ann, card(1), mode="preview")
    ann.post(f"/imports/{one['id']}/cancel")
    with app.app_context():
        found = read_import(book_at(ann.book_id), ann.id, one["id"])
    with pytest.raises(ClickException, match="cancelled"):
        exchange_commands._summarise(found._replace(mode="commit"), [])
    assert capsys.readouterr().out.startswith("1 read")


def test_what_cannot_be_done_is_one_sentence(app, command, tmp_path):
    ann = Person(app, "ann")
    (tmp_path / "a.json").write_bytes(b"{")
    code, _, err = command("import", "a.json", "--user", ann.name)
    assert code == 1
    assert "The file ends too soon." in err
    code, _, err = command("import", "a.json", "--user", "nobody")
    assert (code, err.splitlines()[-1]) == (1, "Error: There is no account nobody.")
    assert command("import", "none.vcf", "--user", ann.name)[0] == 2
    code, _, err = command("export", "--user", ann.name, "--output", "none/b.vcf")
    assert (code, "cannot be written" in err) == (1, True)
