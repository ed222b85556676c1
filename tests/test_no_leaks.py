"""No secret stands in a file of the project, in what an object says of itself, or in an answer."""

import base64
import logging
import re
import subprocess
from pathlib import Path

import pytest

from contactapp import create_app
from contactapp.config import load
from contactapp.database import write_transaction
from contactapp.keyring import create_key
from tests.auth.test_guard import PUBLIC
from tests.conftest import FAST
from tests.support.cast import PASSWORD, Person

ROOT = Path(__file__).resolve().parents[1]
MARKER = "Zq9vsecretmarker"
# Nothing is opened before it is used, so none of these has to be there.
SETTINGS = {
    **FAST,
    "REDIS_URL": f"redis://:{MARKER}@127.0.0.1:1/0",
    "CELERY_BROKER_URL": f"amqp://user:{MARKER}@127.0.0.1:1",
    "MAIL_SERVER": "127.0.0.1",
    "MAIL_USERNAME": f"{MARKER}name",
    "MAIL_PASSWORD": MARKER,
}
KEYS = ("master_keys", "jwt_secrets", "password_peppers")

# What a secret looks like, and one to show that it is found.
LOOKS = {
    "private key": (r"-----BEGIN [A-Z ]*PRIVATE KEY-----", "-----BEGIN EC PRIVATE " + "KEY-----"),
    "key of ours": (r"\b[a-z0-9]{1,4}:[A-Za-z0-9+/_-]{43}=", "k1:" + "aB3/" * 10 + "xyz="),
    "token of ours": (r"\bca_[A-Za-z0-9_-]{20,}", "ca_" + "aB3" * 12),
    "secret of a webhook": (r"\bwhsec_[A-Za-z0-9+/]{43}=", "whsec_" + "aB3/" * 10 + "xyz="),
    "JWT": (r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{20,}", ".".join(["eyJ" + "aB3_" * 8] * 3)),
    "bcrypt hash": (r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}", "$2b$" + "12$" + "aB3./" * 10 + "aB3"),
    "AWS": (r"\bAKIA[0-9A-Z]{16}\b", "AKIA" + "AB12" * 4),
    "GitHub": (r"\bgh[pousr]_[A-Za-z0-9]{36}\b", "ghp_" + "aB3" * 12),
    "Slack or Google": (r"\bxox[abprs]-[\w-]{10,}|\bAIza[\w-]{35}", "AIza" + "aB3_5" * 7),
}
NEVER_KEPT = re.compile(r"(^|/)(\.env|secrets\.env|.*\.(pem|key|p12|sqlite3?|db|eml|table))$")


def project_files():
    """What a clone of the project holds, by its path; what is new and not ignored too."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a clone")
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def secrets_in(text):
    return {name: found[0] for name, (look, _) in LOOKS.items() if (found := re.search(look, text))}


# SC-2
def test_no_file_of_the_project_holds_a_secret():
    names = project_files()
    assert len(names) > 200
    texts = {name: (ROOT / name).read_bytes().decode("latin-1") for name in names}
    assert {name: found for name, text in texts.items() if (found := secrets_in(text))} == {}
    assert [name for name in names if NEVER_KEPT.search(name)] == []


# SC-2
@pytest.mark.parametrize("name", LOOKS)
def test_a_secret_in_a_file_would_be_noticed(name):
    assert name in secrets_in(f'token = "{LOOKS[name][1]}"\n')


@pytest.fixture(scope="module")
def marked_app(new_app, tmp_path_factory):
    """An application with a marker in each secret that is text."""
    return new_app("sqlite", **SETTINGS)


def forms(key):
    """The ways in which bytes are written down."""
    texts = [repr(key)[2:-1], key.hex(), base64.b64encode(key).decode()]
    return [*texts, base64.urlsafe_b64encode(key).decode().rstrip("="), str(list(key))[1:-1]]


def known_secrets(app):
    """Every secret that an application holds, in every form."""
    given = app.extensions["contactapp.settings"]
    keys = [secret.value for name in KEYS for secret in getattr(given, name)]
    keys += app.extensions["contactapp.tokens"]._keys.values()
    keys += app.extensions["contactapp.keyring"]._purposes.values()
    assert len(keys) > 8
    return [MARKER, *(form for key in keys for form in forms(key))]


def held_by(app):
    """The application's parts, and theirs, as (name, object)."""
    yield from (("application", app), ("configuration", app.config), ("map", app.url_map))
    for name, part in app.extensions.items():
        yield name, part
        for inner, value in getattr(part, "__dict__", {}).items():
            if type(value).__module__.startswith(("contactapp", "sqlalchemy", "flask")):
                yield f"{name}.{inner}", value


# SC-2
def test_nothing_says_a_secret_of_itself(marked_app):
    with marked_app.app_context():
        cipher = write_transaction(create_key)()
        keyring = marked_app.extensions["contactapp.keyring"]
        keyring.cipher(cipher.key_id)
    secrets = known_secrets(marked_app)
    parts = [*held_by(marked_app), ("cipher", cipher), ("held", keyring._ciphers)]
    assert {"contactapp.settings", "contactapp.keyring", "contactapp.hasher"} <= dict(parts).keys()
    for name, part in parts:
        shown = f"{part!r} {part!s} {part}"
        assert not [secret for secret in secrets if secret in shown], name


# SC-2
def test_a_database_password_is_in_no_text_of_the_application(tmp_path):
    url = f"postgresql://user:{MARKER}@127.0.0.1:1/none"
    given = {**SETTINGS, "DATABASE_URL": url, "INSTANCE_PATH": str(tmp_path / "instance")}
    app = create_app(load(given, environ={}))
    for name, part in held_by(app):
        assert MARKER not in f"{part!r} {part!s}", name
    with app.app_context():
        engine = app.extensions["contactapp.database"].engine
    assert MARKER not in f"{engine!r} {engine.url} {engine.pool!r}"
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert MARKER not in answer.text


# SC-2
def test_no_public_page_shows_a_setting(marked_app):
    client, secrets = marked_app.test_client(), known_secrets(marked_app)
    paths = [route.removeprefix("GET ") for route in PUBLIC if route.startswith("GET ")]
    paths += ["/config", "/metrics", "/.env", "/instance/secrets.env", "/api/v1/config", "/console"]
    for path in paths:
        answer = client.get(re.sub("<[^>]+>", "1", path))
        shown = f"{answer.headers} {answer.text}"
        assert not [secret for secret in secrets if secret in shown], path


# SC-2, OB-1
def test_no_log_holds_a_secret_at_any_level(new_app, caplog):
    with caplog.at_level(logging.DEBUG):
        app = new_app("sqlite", **SETTINGS)
        ada = Person(app, "ada")
        ada.contact(first_name="Grace")
        client, wrong = app.test_client(), "a wrong Zq9v password"
        client.post("/api/v1/auth/token", json={"email": ada.email, "password": wrong})
        client.post("/api/v1/auth/refresh", json={"refresh_token": ada.refresh})
        client.post("/api/v1/auth/refresh", json={"refresh_token": ada.access})
        client.get("/api/v1/contacts", headers={"Authorization": f"Bearer {ada.access}x"})
    assert len(caplog.records) > 0
    for secret in (*known_secrets(app), ada.access, ada.refresh, PASSWORD, wrong, ada.email):
        assert secret not in caplog.text
