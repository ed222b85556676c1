"""The `contactapp` command, as an operator types it."""

import pyotp
import pytest
from sqlalchemy import text

from contactapp import startup
from contactapp.database import database
from tests.support.cast import PASSWORD, Person
from tests.support.command import CONTACTAPP, contactapp, finish, start

# What a command does is the same on either engine, and a process costs a second.
once = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
ACCOUNT = ("users", "create", "--password-stdin")


@pytest.fixture(scope="module")
def installed(engine, new_app, new_database, tmp_path_factory):
    """An installation on one engine: its application, its settings, and its folder."""
    folder = tmp_path_factory.mktemp("installed")
    settings = {"DATABASE_URL": new_database(engine), "INSTANCE_PATH": str(folder / "instance")}
    code, out, err = contactapp(folder, settings, "db", "upgrade")
    assert (code, out) == (0, "The database is up to date.\n"), err
    given = {"database": settings["DATABASE_URL"], "INSTANCE_PATH": settings["INSTANCE_PATH"]}
    return new_app(engine, **given), settings, folder


@pytest.fixture
def command(installed):
    """Run a command in that installation: (exit code, output, errors)."""
    _, settings, folder = installed
    return lambda *arguments, given="": contactapp(folder, settings, *arguments, given=given)


def ask(app, statement):
    with app.app_context(), database().engine.connect() as connection:
        return connection.execute(text(statement)).all()


# AU-9
def test_a_fresh_installation_has_no_account(installed):
    app, _, _ = installed
    assert ask(app, "SELECT id FROM users") == []
    assert ask(app, "SELECT id FROM book") == []


# AU-9
@once
def test_an_operator_makes_the_first_admin(installed, command):
    app, _, _ = installed
    email = "root@example.com"
    code, out, err = command(*ACCOUNT, "--email", email, "--admin", given=f"{PASSWORD}\n")
    assert (code, err) == (0, "")
    assert out.startswith(f"Made admin {email} (id ")
    assert PASSWORD not in out
    fields = {"email": email, "password": PASSWORD}
    tokens = app.test_client().post("/api/v1/auth/token", json=fields).json
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    me = app.test_client().get("/api/v1/users/me", headers=bearer).json
    assert (me["role"], me["email_verified"]) == ("admin", True)


@once
def test_accounts_are_listed_promoted_and_deactivated(installed, command):
    app, _, _ = installed
    ann = Person(app, "ann")
    line = f"user   {ann.email}  {ann.name}  address not proven"
    assert line in command("users", "list")[1]
    assert command("users", "promote", ann.name) == (0, f"{ann.name} has the role admin.\n", "")
    assert ann.get("/users").status_code == 200
    other = Person(app, "other", "admin")
    assert command("users", "promote", ann.name, "--to", "user")[0] == 0
    assert ann.get("/users").status_code == 403
    code, out, _ = command("users", "deactivate", ann.email)
    assert (code, out) == (0, f"{ann.email} may no longer sign in.\n")
    assert ann.get("/contacts").status_code == 401
    assert f"{line}  deactivated" in command("users", "list")[1]
    assert command("users", "deactivate", ann.email, "--undo")[0] == 0
    ann.sign_in()
    events = other.get("/audit").json["items"]
    mine = [event for event in events if event["user_id"] == ann.id]
    kinds = ["signed_in", "activated", "deactivated", "refused", "role_changed", "role_changed"]
    assert [event["kind"] for event in mine][:6] == kinds
    assert mine[1]["request_id"] == "cli"


@once
def test_a_link_for_somebody_whose_mail_does_not_arrive(installed, command):
    app, _, _ = installed
    ann = Person(app, "ann")
    code, out, err = command("users", "reset-link", ann.name)
    assert (code, err) == (0, "")
    page, _, token = out.strip().partition("?token=")
    assert page.endswith("/account/reset")
    body = {"token": token, "new_password": "an entirely different phrase"}
    client = app.test_client()
    assert client.post("/api/v1/auth/password/reset", json=body).status_code == 200
    assert client.post("/api/v1/auth/password/reset", json=body).status_code == 400


@once
def test_a_lost_authenticator_is_taken_away(installed, command):
    ann = Person(installed[0], "ann")
    secret = ann.post("/auth/totp", json={"password": PASSWORD}).json["secret"]
    ann.post("/auth/totp/confirm", json={"code": pyotp.TOTP(secret).now()})
    login = {"email": ann.email, "password": PASSWORD}
    client = installed[0].test_client()
    assert client.post("/api/v1/auth/token", json=login).json["code"] == "otp_required"
    told = f"{ann.name} signs in by password alone.\n"
    assert command("users", "disable-totp", ann.name) == (0, told, "")
    ann.sign_in()
    code, out, err = command("users", "disable-totp", ann.name)
    assert (code, out) == (1, "")
    assert "has no second factor" in err


@once
def test_a_book_is_shared_and_unshared(installed, command):
    app, _, _ = installed
    alice, bob = Person(app, "alice"), Person(app, "bob")
    path = f"/contacts?book={alice.book_id}"
    assert bob.get(path).status_code == 404
    code, out, _ = command("books", "share", alice.email, bob.name, "--role", "editor")
    assert (code, out) == (0, f"{bob.name} may use the book of {alice.email} as editor.\n")
    assert bob.post(path, json={"first_name": "Grace"}).status_code == 201
    code, out, _ = command("books", "unshare", alice.email, bob.name)
    assert (code, out) == (0, f"{bob.name} may no longer use the book of {alice.email}.\n")
    assert bob.get(path).status_code == 404


def test_the_doctor_finds_a_new_installation_in_order(command):
    assert command("doctor") == (0, "Everything is in order.\n", "")


@once
def test_the_doctor_names_everything_that_is_wrong(installed, command):
    app, _, folder = installed
    with app.app_context(), database().engine.begin() as connection:
        connection.execute(text("DROP TRIGGER change_no_update"))
    secrets = folder / "instance" / "secrets.env"
    stray = secrets.with_name("other.env")
    stray.write_text("")
    stray.chmod(0o644)
    code, out, err = command("doctor")
    assert (code, err) == (1, "")
    assert out.splitlines() == [
        "problem: the trigger change_no_update is missing: run `contactapp db upgrade`",
        f"problem: other.env can be read by others: chmod go-rwx {stray}",
    ]
    stray.unlink()
    assert command("db", "upgrade")[0] == 0
    assert startup.problems(app) == []


def test_routes_are_listed_with_their_methods(tmp_path):
    code, out, _ = contactapp(tmp_path, {}, "routes")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert ["POST", "/api/v1/auth/token"] in lines
    assert ["DELETE", "/api/v1/contacts/<id:contact_id>"] in lines
    assert [path for _, path in lines] == sorted(path for _, path in lines)


TAKEN = "taken@example.com"
# What was typed, what came on standard input, and what the one sentence says.
MISTAKES = {
    "a taken address": ([*ACCOUNT, "--email", TAKEN], PASSWORD, "An account with this e-mail"),
    "a weak password": ([*ACCOUNT, "--email", "new@example.com"], "12345678", "/password: "),
    "no address": ([*ACCOUNT, "--email", "nobody"], PASSWORD, "/email: "),
    "nobody's book": (["books", "share", "ghost", TAKEN], "", "There is no account ghost."),
    "one's own book": (["books", "share", TAKEN, TAKEN], "", "The owner needs no sharing."),
}


@pytest.fixture(scope="module")
def mistakes(installed):
    """What every mistake is answered with; they are made side by side."""
    app, settings, folder = installed
    answer = app.test_client().post(
        "/api/v1/auth/register", json={"email": TAKEN, "password": PASSWORD}
    )
    assert answer.status_code == 201
    running = {
        name: (start((*CONTACTAPP, *typed), folder, settings, stdin=-1), given)
        for name, (typed, given, _) in MISTAKES.items()
    }
    return {name: finish(process, f"{given}\n") for name, (process, given) in running.items()}


@once
@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_in_a_sentence(mistakes, name):
    code, out, err = mistakes[name]
    assert (code, out) == (1, "")
    assert MISTAKES[name][2] in err
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 2
    assert MISTAKES[name][1] == "" or MISTAKES[name][1] not in err


UNPREPARED = [
    (*ACCOUNT, "--email", "new@example.com"),
    ("books", "share", "ada", "bob"),
]


@pytest.mark.parametrize("typed", UNPREPARED, ids=["users", "books"])
def test_a_database_that_was_not_prepared_is_told(tmp_path, typed):
    code, out, err = contactapp(tmp_path, {}, *typed, given=f"{PASSWORD}\n")
    assert code == 1
    assert "the database is not up to date: run `contactapp db upgrade`" in out + err
    assert "Traceback" not in err


@pytest.mark.parametrize("typed", [("db", "upgrade"), ("doctor",)], ids=["upgrade", "doctor"])
def test_a_database_that_is_away_is_told_without_its_password(tmp_path, typed):
    away = {"DATABASE_URL": "postgresql://nobody:Zq9vpassword@127.0.0.1:1/none"}
    code, out, err = contactapp(tmp_path, away, *typed)
    assert code == 1
    assert "the database is not reachable" in out + err
    assert "Traceback" not in err
    assert "Zq9vpassword" not in out + err


# SC-1
def test_a_wrong_setting_is_told_by_every_command(tmp_path):
    code, out, err = contactapp(tmp_path, {"THREADS": "Zq9vmany"}, "doctor")
    assert (code, out) == (1, "")
    assert "contactapp: CONTACTAPP_THREADS must be a whole number" in err
    assert "Zq9vmany" not in err
