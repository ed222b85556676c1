"""Letters: how they are made, what they refuse, and that they arrive in the end."""

import email
from email import policy

import pytest

from contactapp import mail
from contactapp.auth import links, mails
from contactapp.database import Sql, lane, write_transaction
from contactapp.jobs import service as jobs_service
from tests.mail.conftest import idle
from tests.support.cast import Person
from tests.support.command import contactapp
from tests.support.post import PostOffice

once = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
ABOUT = {"name": "Ann", "link": "https://x", "code": "123456", "minutes": 30, "code_minutes": 15}
ABOUT |= {"host": "x.example", "reason": "gone"}


@pytest.fixture
def composing(app):
    with app.app_context():
        yield app


def read(letter):
    return email.message_from_bytes(letter.as_bytes(), policy=policy.default)


@once
@pytest.mark.parametrize("name", mail.names())
def test_every_template_makes_a_letter(composing, name):
    letter = read(mail.compose(name, "ann@example.com", **ABOUT))
    assert letter["To"] == "ann@example.com"
    assert letter["From"] == "contactapp@example.org"
    assert letter["Subject"]
    body = letter.get_body(("plain",)).get_content()
    assert body.startswith("Hello Ann,")
    assert "{" not in body


# EM-4
@once
def test_what_people_call_themselves_is_text_in_a_letter(composing):
    name = '<b>Ann</b>\r\nBcc: evil@example.com\n"{{ 7 * 7 }}"'
    letter = mail.compose("reset_password", "ann@example.com", **{**ABOUT, "name": name})
    raw = read(letter)
    assert raw["Bcc"] is None
    assert "&lt;b&gt;Ann&lt;/b&gt;" in raw.get_body(("html",)).get_content()
    assert "{{ 7 * 7 }}" in raw.get_body(("plain",)).get_content()


# EM-4
@once
@pytest.mark.parametrize(
    "to",
    ["a@b.example, evil@x.example", "a@b.example\r\nBcc: evil@x.example", "", "a@b.example;c@d"],
)
def test_a_letter_has_exactly_one_recipient(composing, to, post_office):
    before = len(post_office._letters)
    with pytest.raises(mail.SeveralRecipients):
        mail.send(mail.compose("reset_password", to, **ABOUT))
    assert len(post_office._letters) == before


@once
@pytest.mark.parametrize("to", ["jos\u00e9@example.com", "m\u0131ke@b\u00fccher.example"])
def test_a_letter_reaches_a_mailbox_whose_name_is_not_ascii(composing, to, post_office):
    letter = mail.compose("reset_password", to, **{**ABOUT, "name": "Jos\u00e9"})
    assert read(letter)["To"] == to
    mail.send(letter)
    arrived = post_office.wait(to)
    assert arrived.message["To"] == to
    assert arrived.subject == read(letter)["Subject"]
    assert "Jos\u00e9" in arrived.text
    assert "Jos\u00e9" in arrived.html


def test_a_template_of_the_installation_takes_the_place_of_ours(new_app, mailing):
    app = new_app("sqlite", **mailing)
    folder = app.extensions["contactapp.settings"].instance_path / "templates" / "mail"
    folder.mkdir(parents=True)
    (folder / "reset_password.txt").write_text("Subject: Neu\n\n{{ link }} für {{ name }}\n")
    (folder / "reset_password.html").write_text("<p>{{ name }}</p>")
    with app.app_context():
        letter = read(mail.compose("reset_password", "ann@example.com", **{**ABOUT, "name": "<A>"}))
    assert letter["Subject"] == "Neu"
    body = letter.get_body(("plain",)).get_content()
    assert body.splitlines() == ["https://x für <A>"]
    assert letter.get_body(("html",)).get_content().strip() == "<p>&lt;A&gt;</p>"


def test_without_a_mail_server_letters_are_files(new_app, start_worker):
    app = new_app("sqlite")
    worker = start_worker(app)
    person = Person(app, "ann")
    idle(app)
    outbox = app.extensions["contactapp.settings"].instance_path / "outbox"
    [path] = outbox.glob("*.eml")
    letter = email.message_from_bytes(path.read_bytes(), policy=policy.default)
    assert letter["To"] == person.email
    assert path.stat().st_mode & 0o077 == 0
    worker.terminate()
    _, err = worker.communicate(timeout=30)
    [line] = [line for line in err.splitlines() if "/account/verify?token=" in line]
    assert str(path) in line


# EM-3
def test_a_mail_server_that_is_down_holds_nobody_up(engine, new_app, mailing, start_worker):
    office = PostOffice()
    office.refuses = True
    app = new_app(engine, **{**mailing, "MAIL_PORT": str(office.port)})
    start_worker(app, **{**mailing, "MAIL_PORT": str(office.port)})
    person = Person(app, "ann")
    with app.app_context():
        idle(app)
        [row] = lane().all(Sql("SELECT status, error FROM job WHERE kind = 'mail.verify'"))
        assert row == ("pending", "SMTPDataError")
    office.refuses = False
    assert office.wait(person.email).token
    office.close()


# EM-3
def test_a_registration_that_is_undone_mails_nobody(app, ann, visitor):
    with app.app_context():
        before = lane().one(Sql("SELECT count(*) FROM job"))
        fields = {"email": ann.email, "password": "a long enough phrase"}
        assert visitor.post("/auth/register", fields).status_code == 409
        assert lane().one(Sql("SELECT count(*) FROM job")) == before


# EM-3, TK-2
def test_a_link_that_was_spent_before_it_was_mailed_is_not_mailed(engine, new_app, mailing):
    app = new_app(engine, **{**mailing, "MAIL_PORT": "9"})  # nothing may be sent
    person = Person(app, "ann")
    with app.app_context():
        job = jobs_service.claim()
        assert (job.kind, job.user_id) == ("mail.verify", person.id)
        with pytest.raises(ConnectionRefusedError):
            mails.mail_link(job)
        write_transaction(links.end)(person.id)
        assert mails.mail_link(job) is None


def test_the_command_shows_a_letter(tmp_path, new_app):
    app = new_app("sqlite")
    given = app.extensions["contactapp.settings"]
    settings = {"DATABASE_URL": given.database_url, "INSTANCE_PATH": str(given.instance_path)}
    code, out, _ = contactapp(tmp_path, settings, "mail", "preview", "reset_password")
    assert code == 0
    assert out.startswith("Subject: Set a new password\n")
    assert "/account/reset?token=" in out
    code, out, _ = contactapp(tmp_path, settings, "mail", "preview")
    assert out.split() == mail.names()
