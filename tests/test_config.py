"""Settings: where they come from, what is refused, and that no value is ever shown."""

import base64
import contextlib
import dataclasses
import hashlib
import os
import re
import stat
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from contactapp.config import (
    SETTINGS,
    ConfigError,
    Settings,
    Window,
    load,
    settings_table,
)
from contactapp.setting_values import Unfit, parse_windows
from tests.support.zygote import Process

ROOT = Path(__file__).resolve().parent.parent
MARKER = "Zq9vMarkerThatMustNotBeShown"


def key(text, size=32):
    """A key that looks random and is the same on every run."""
    return hashlib.shake_256(text.encode()).digest(size)


def written(text, size=32, name="k1"):
    return f"{name}:{base64.b64encode(key(text, size)).decode()}"


SECRETS = {
    "MASTER_KEYS": written("master"),
    "JWT_SECRETS": written("jwt"),
    "PASSWORD_PEPPERS": written("pepper"),
}
PRODUCTION = {"ENV": "production", "BASE_URL": "https://contacts.example.org", **SECRETS}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Every test starts in an empty folder of its own, without a .env and without an instance."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def env(**settings):
    return {f"CONTACTAPP_{name}": text for name, text in settings.items()}


def read(**settings):
    return load(settings, environ={})


def refusal(variable, /, environ=None, **overrides):
    """The message of a start that must fail and name `variable`."""
    with pytest.raises(ConfigError) as caught:
        load(overrides, environ=environ or {})
    assert caught.value.variable == variable
    assert variable in str(caught.value)
    return str(caught.value)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def inherited():
    return {name: text for name, text in os.environ.items() if not name.startswith("CONTACTAPP_")}


def start(folder, **variables):
    return subprocess.run(
        [sys.executable, "-c", "import contactapp.config as c; c.load()"],
        cwd=folder,
        env={**inherited(), "PYTHONPATH": str(ROOT), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )


# ---- where settings come from


def test_defaults_start_a_development_server(folder):
    settings = load(environ={})
    assert settings.env == "development"
    assert not settings.is_production
    assert settings.instance_path == folder / "instance"
    assert settings.database_url == f"sqlite:///{folder}/instance/contactapp.sqlite3"
    assert settings.base_url == "http://127.0.0.1:8000"
    assert (settings.workers, settings.threads, settings.contact_limit) == (2, 4, 100)
    assert settings.rate_limits == (Window(300, 60), Window(10000, 3600))
    assert settings.redis_url is None
    assert settings.mail_use_tls is True


def test_later_sources_win(folder):
    load(environ={})
    (folder / "instance/config.py").write_text(
        "WORKERS = 3\nTHREADS = 3\nCONTACT_LIMIT = 3\nBCRYPT_COST = 11\n"
    )
    (folder / ".env").write_text(
        "CONTACTAPP_THREADS=5\nCONTACTAPP_CONTACT_LIMIT=5\nCONTACTAPP_BCRYPT_COST=9\nPATH=/nowhere\n"
    )
    settings = load({"BCRYPT_COST": "6"}, environ=env(CONTACT_LIMIT="7", BCRYPT_COST="8"))
    assert (settings.workers, settings.threads) == (3, 5)
    assert (settings.contact_limit, settings.bcrypt_cost) == (7, 6)


def test_overrides_take_names_with_and_without_prefix():
    assert load({"CONTACTAPP_WORKERS": "9", "THREADS": "9"}, environ={}).workers == 9


def test_a_later_file_wins_over_an_earlier_value(folder):
    (folder / ".env").write_text("CONTACTAPP_MAIL_SERVER=one.example.org\n")
    (folder / "server").write_text("two.example.org\n")
    assert load(environ=env(MAIL_SERVER_FILE="server")).mail_server == "two.example.org"


def test_instance_config_holds_numbers_booleans_and_lists(folder):
    load(environ={})
    (folder / "instance/config.py").write_text(
        "import os\n_HOST = 'x'\nMAIL_USE_TLS = False\nCONTACTAPP_CONTACT_LIMIT = 5\n"
        "CORS_ORIGINS = ['https://a.example', 'https://b.example']\n"
    )
    settings = load(environ={})
    assert settings.mail_use_tls is False
    assert settings.contact_limit == 5
    assert settings.cors_origins == ("https://a.example", "https://b.example")


def test_a_dollar_sign_in_dotenv_is_a_dollar_sign(folder):
    (folder / ".env").write_text(
        "CONTACTAPP_MAIL_USERNAME=a\nCONTACTAPP_MAIL_PASSWORD='a${HOME}$b'\n"
    )
    assert load(environ={}).mail_password == "a${HOME}$b"


def test_a_file_gives_the_value_without_its_last_line_end(folder):
    (folder / "db").write_text("postgres://u:p@localhost/name\n")
    assert (
        load(environ=env(DATABASE_URL_FILE="db")).database_url
        == "postgresql+psycopg://u:p@localhost/name"
    )


def test_test_settings_are_left_to_the_tests():
    assert load(environ=env(TEST_REQUIRE_ALL="1")).workers == 2


# ---- sources that cannot be trusted


def test_an_unknown_name_is_refused_with_the_nearest_one():  # SC-1
    message = refusal("CONTACTAPP_MASTER_KEY", env(MASTER_KEY=MARKER))
    assert "CONTACTAPP_MASTER_KEYS" in message
    assert MARKER not in message


@pytest.mark.parametrize("source", [".env", "instance/config.py", "overrides"])
def test_an_unknown_name_is_refused_in_every_source(folder, source):  # SC-1
    load(environ={})
    if source == "overrides":
        refusal("CONTACTAPP_WROKERS", WROKERS="2")
        return
    prefix = "CONTACTAPP_" if source == ".env" else ""
    (folder / source).write_text(f"{prefix}WROKERS='{MARKER}'\n")
    assert MARKER not in refusal("CONTACTAPP_WROKERS")


def test_a_value_and_its_file_in_one_source_are_refused(folder):
    (folder / "limit").write_text("5")
    refusal("CONTACTAPP_CONTACT_LIMIT", env(CONTACT_LIMIT="5", CONTACT_LIMIT_FILE="limit"))


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_secret_file_that_cannot_be_read_is_refused(folder, content):  # SC-1
    if content is not None:
        (folder / MARKER).write_bytes(content)
    assert MARKER not in refusal("CONTACTAPP_JWT_SECRETS_FILE", env(JWT_SECRETS_FILE=MARKER))


@pytest.mark.parametrize(
    "line",
    ["CONTACTAPP_WORKERS", "CONTACTAPP_WORKERS='2", "CONTACTAPP_WORKERS=2\nCONTACTAPP_WORKERS=3"],
)
def test_a_malformed_dotenv_line_is_refused(folder, line):  # SC-1
    (folder / ".env").write_text(line + "\n")
    with pytest.raises(ConfigError, match=r"line \d"):
        load(environ={})


@pytest.mark.parametrize("content", [f"WORKERS = '{MARKER}", f"raise ValueError('{MARKER}')"])
def test_an_instance_config_that_fails_is_named_without_its_text(folder, content):  # SC-1
    load(environ={})
    path = folder / "instance/config.py"
    path.write_text(content)
    assert MARKER not in refusal(str(path))


@pytest.mark.parametrize(
    ("line", "name"), [("WORKERS = {}", "WORKERS"), ("INSTANCE_PATH = 'x'", "INSTANCE_PATH")]
)
def test_an_instance_config_value_of_no_use_is_refused(folder, line, name):
    load(environ={})
    (folder / "instance/config.py").write_text(line)
    refusal(f"CONTACTAPP_{name}")


# ---- the instance folder


def test_the_instance_folder_is_closed_to_others(folder):  # SC-3
    load(environ={})
    assert mode(folder / "instance") == 0o700


def test_the_folder_of_a_fresh_clone_is_closed_on_start(folder):  # SC-3
    (folder / "instance").mkdir(mode=0o755)
    (folder / "instance/.gitkeep").touch()
    load(environ={})
    assert mode(folder / "instance") == 0o700


def test_a_foreign_open_folder_is_refused_and_left_as_it_is(folder):  # SC-3
    shared = folder / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "somebody").touch()
    assert "chmod 700" in refusal("CONTACTAPP_INSTANCE_PATH", INSTANCE_PATH=str(shared))
    assert mode(shared) == 0o755


def test_an_instance_path_that_is_a_file_is_refused(folder):
    (folder / "file").touch()
    refusal("CONTACTAPP_INSTANCE_PATH", INSTANCE_PATH="file")


# ---- wrong values


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ENV", "prod"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite:///file:x?mode=memory&uri=true"),
        ("DATABASE_URL", "mysql://u:p@h/n"),
        ("DATABASE_URL", "postgresql+psycopg2://u:p@h/n"),
        ("DATABASE_URL", "postgresql://u:p@h"),
        ("DATABASE_URL", "postgresql://u:p@h:port/n"),
        ("DATABASE_URL", ""),
        ("BIND", "8000"),
        ("BIND", "127.0.0.1:0"),
        ("BIND", "127.0.0.1:65536"),
        ("BIND", "a b:80"),
        ("WORKERS", "0"),
        ("WORKERS", "two"),
        ("WORKERS", " 2"),
        ("WORKERS", "1_0"),
        ("WORKERS", "٣"),
        ("WORKERS", ""),
        ("BASE_URL", "https://x.example/"),
        ("BASE_URL", "ftp://x.example"),
        ("BASE_URL", "https://u:p@x.example"),
        ("BASE_URL", "https://x.example\n.evil.example"),
        ("BASE_URL", "https://"),
        ("REDIS_URL", "http://localhost"),
        ("CELERY_BROKER_URL", "memory://"),
        ("MAIL_USE_TLS", "1"),
        ("MAIL_USE_TLS", "maybe"),
        ("MAIL_PORT", "70000"),
        ("MAIL_SENDER", "a@b.example\nBcc: c@d.example"),
        ("MAIL_SERVER", "a\nb"),
        ("PHONE_REGION", "de"),
        ("PHONE_REGION", "UK"),  # which is GB
        ("PHONE_REGION", "800"),  # numbers of no country
        ("PHONE_REGION", "../../DE"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "null"),
        ("CORS_ORIGINS", "https://a.example/"),
        ("CORS_ORIGINS", "https://a.example:443"),
        ("CORS_ORIGINS", "https://a.example:70000"),
        ("CORS_ORIGINS", "https://a.example,"),
        ("CORS_ORIGINS", "https://A.example"),
        ("CORS_ORIGINS", "https://*.example"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "0.0.0.0/0"),
        ("TRUSTED_PROXIES", "proxy"),
        ("RATE_LIMITS", "300"),
        ("RATE_LIMITS", "0 per minute"),
        ("RATE_LIMITS", "1 per minute;2 per 60 seconds"),
        ("RATE_LIMITS", "1 per 32 days"),
        ("RATE_LIMITS", "1 per second;1 per minute;1 per hour;1 per day;1 per 2 days"),
        ("METRICS_TOKEN", "x" * 31),
        ("METRICS_TOKEN", "x" * 64),
        ("METRICS_TOKEN", "change-me-Jx3k9Qw7zVb2nLp5sTt8yRr4mHh1d"),
        ("METRICS_TOKEN", "Jx3k9 Qw7zVb2nLp5sTt8yRr4mHh1dJx3k9Qw7z"),
        ("REQUEST_LOG", "yes"),
        ("TLS_CERT", "/nowhere/cert.pem"),
        ("BCRYPT_COST", "3"),
        ("BCRYPT_COST", "17"),
        ("BUSY_TIMEOUT_SECONDS", "4"),
        ("ACCESS_TOKEN_SECONDS", "-1"),
        ("SESSION_SECONDS", "60"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name, text):  # SC-1
    message = refusal(f"CONTACTAPP_{name}", **{name: text})
    assert message.endswith(".")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
@given(text=st.text(max_size=60))
@examples(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
def test_any_text_is_taken_or_refused_in_our_own_words(setting, text):  # SC-1
    # Whatever is not Unfit could carry the text in its message; it escapes here and fails the test.
    with contextlib.suppress(Unfit):
        setting.parse(text)


def test_no_refusal_prints_the_value():  # SC-1
    optional = {"INSTANCE_PATH", "MAIL_SERVER", "MAIL_USERNAME", "MAIL_PASSWORD"}
    for setting in SETTINGS:
        if setting.name not in optional:
            text = f"{MARKER} {MARKER}"
            assert MARKER not in refusal(f"CONTACTAPP_{setting.name}", **{setting.name: text})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("DATABASE_URL", "sqlite:////srv/a.db", "sqlite:////srv/a.db"),
        ("DATABASE_URL", "postgresql://u:p%40@h:5432/n", "postgresql+psycopg://u:p%40@h:5432/n"),
        ("DATABASE_URL", "postgresql:///n?host=/run/pg", "postgresql+psycopg:///n?host=/run/pg"),
        ("BIND", "[::1]:80", "[::1]:80"),
        ("CONTACT_LIMIT", "0", 0),
        ("PHONE_REGION", "GB", "GB"),
        ("PHONE_REGION", "", None),
        ("MAIL_USE_TLS", "False", False),
        ("REDIS_URL", "rediss://:p@h:6379/0", "rediss://:p@h:6379/0"),
        ("METRICS_TOKEN", "Jx3k9-Qw7z_Vb2n~Lp5s.Tt8y+Rr4m/H", "Jx3k9-Qw7z_Vb2n~Lp5s.Tt8y+Rr4m/H"),
        ("METRICS_TOKEN", "", None),
        ("REQUEST_LOG", "", False),
        ("REQUEST_LOG", "true", True),
        ("CELERY_BROKER_URL", "amqp://h", "amqp://h"),
        (
            "CORS_ORIGINS",
            "http://localhost:5173, https://a.example",
            ("http://localhost:5173", "https://a.example"),
        ),
        ("TRUSTED_PROXIES", "10.0.0.0/8,::1", (ip_network("10.0.0.0/8"), ip_network("::1"))),
        ("RATE_LIMITS", "", ()),
        ("BASE_URL", "https://a.example/contacts", "https://a.example/contacts"),
    ],
)
def test_a_right_value_is_taken(name, text, value):
    assert getattr(read(**{name: text}), name.lower()) == value


def test_a_relative_database_path_is_made_absolute(folder):
    assert read(DATABASE_URL="sqlite:///a.db").database_url == f"sqlite:///{folder}/a.db"


def test_windows_are_read_in_every_unit():
    assert parse_windows("1 per second; 2 per minute;3 per 2 hours;4 per day") == (
        Window(1, 1),
        Window(2, 60),
        Window(3, 7200),
        Window(4, 86400),
    )
    assert parse_windows("10 per 30 seconds") == (Window(10, 30),)
    assert parse_windows("") == ()


def test_tls_needs_both_files(folder):
    (folder / "cert.pem").write_text("x")
    refusal("CONTACTAPP_TLS_KEY", TLS_CERT="cert.pem")
    refusal("CONTACTAPP_TLS_CERT", TLS_KEY="cert.pem")
    settings = read(TLS_CERT="cert.pem", TLS_KEY="cert.pem", BIND="0.0.0.0:8443")
    assert settings.tls_cert == folder / "cert.pem"
    assert settings.base_url == "https://127.0.0.1:8443"


def test_mail_user_and_password_go_together():
    refusal("CONTACTAPP_MAIL_PASSWORD", MAIL_USERNAME="a")


# ---- secrets


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "k1",
        base64.b64encode(key("a")).decode(),
        "K1:" + base64.b64encode(key("a")).decode(),
        "k1234:" + base64.b64encode(key("a")).decode(),
        "k1:" + base64.b64encode(b"short").decode(),  # five bytes, TK-7
        "k1:" + base64.b64encode(key("a", 31)).decode(),
        "k1:" + base64.b64encode(b"\0" * 32).decode(),
        "k1:" + base64.b64encode(bytes(range(32))).decode(),
        "k1:" + base64.b64encode(b"changeme" + key("a", 24)).decode(),
        "k1:" + base64.b64encode(b"abababab" * 4).decode(),
        "k1:not base64",
        "k1:A",
        written("a") + "," + written("b"),
        written("a", name="k2") + "," + written("a"),
        written("a") + ",",
    ],
)
def test_a_weak_secret_is_refused(name, text):  # SC-1, TK-7
    message = refusal(f"CONTACTAPP_{name}", **{**SECRETS, name: text})
    assert len(text) < 8 or text.removeprefix("k1:") not in message


def test_a_master_key_is_exactly_32_bytes():
    refusal("CONTACTAPP_MASTER_KEYS", **{**SECRETS, "MASTER_KEYS": written("master", 33)})
    assert read(**{**SECRETS, "JWT_SECRETS": written("jwt", 64)}).jwt_secrets[0].value == key(
        "jwt", 64
    )


@pytest.mark.parametrize("one", SECRETS)
@pytest.mark.parametrize("other", SECRETS)
def test_one_key_never_serves_two_purposes(one, other):  # TK-7
    if one == other:
        return
    chosen = {**SECRETS, one: f"{written('same', name='n')},{written('old', name='o')}"}
    chosen[other] = f"{SECRETS[other]},{written('same', name='m')}"
    message = refusal(f"CONTACTAPP_{max(one, other, key=list(SECRETS).index)}", **chosen)
    assert "CONTACTAPP_" + min(one, other, key=list(SECRETS).index) in message


def test_a_key_padded_with_zeros_is_the_same_key():  # TK-7
    padded = "k1:" + base64.b64encode(key("master") + b"\0").decode()
    refusal("CONTACTAPP_JWT_SECRETS", **{**SECRETS, "JWT_SECRETS": padded})


def test_secrets_keep_their_order_and_ids():
    text = f"{written('new', name='k2')}, {written('old', name='k1')}"
    keys = read(**{**SECRETS, "MASTER_KEYS": text}).master_keys
    assert [(each.id, each.value) for each in keys] == [("k2", key("new")), ("k1", key("old"))]


def test_url_safe_base64_without_padding_is_taken():
    text = "k1:" + base64.urlsafe_b64encode(key("url")).decode().rstrip("=")
    assert read(**{**SECRETS, "MASTER_KEYS": text}).master_keys[0].value == key("url")


def test_the_repr_shows_no_secret_and_no_password():  # SC-1
    settings = read(
        **SECRETS,
        DATABASE_URL=f"postgresql://u:{MARKER}@h/n",
        REDIS_URL=f"redis://:{MARKER}@h",
        CELERY_BROKER_URL=f"amqp://u:{MARKER}@h",
        MAIL_USERNAME=MARKER,
        MAIL_PASSWORD=MARKER,
        METRICS_TOKEN=f"Jx3k9Qw7{MARKER}",
    )
    shown = repr(settings) + str(settings) + repr(settings.master_keys)
    assert MARKER not in shown
    assert repr(key("master")) not in shown
    assert "k1" in repr(settings.master_keys)


def test_what_the_table_calls_secret_is_what_the_repr_leaves_out():
    hidden = {each.name for each in dataclasses.fields(Settings) if not each.repr}
    assert hidden == {setting.name.lower() for setting in SETTINGS if setting.secret}


def test_the_settings_are_exactly_the_table_and_frozen():
    assert [each.name for each in dataclasses.fields(Settings)] == [
        s.name.lower() for s in SETTINGS
    ]
    with pytest.raises(dataclasses.FrozenInstanceError):
        read().workers = 3


# ---- development secrets


def test_development_makes_its_secrets_once_and_says_so(folder, caplog):
    first = load(environ={})
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "secrets.env" in caplog.text
    assert first.master_keys[0].value.hex() not in caplog.text
    caplog.clear()
    assert load(environ={}).master_keys == first.master_keys
    assert caplog.text == ""
    assert mode(folder / "instance/secrets.env") == 0o600  # SC-3
    assert {path.name for path in (folder / "instance").iterdir()} == {"secrets.env"}


def test_development_says_it_on_stderr_of_a_bare_process(folder):
    done = start(folder)
    assert done.returncode == 0
    assert done.stderr.count("secrets.env") == 1
    assert start(folder).stderr == ""


def test_processes_that_start_together_agree_on_their_secrets(folder):
    code = """if True:
        import sys
        from contactapp.config import load
        print("ready", flush=True)
        for line in sys.stdin:
            settings = load({"INSTANCE_PATH": line.strip()}, environ={})
            keys = settings.master_keys + settings.jwt_secrets
            print(*(key.value.hex() for key in keys), flush=True)
    """
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [sys.executable, "-c", code]
    starting = [Process(command, folder, inherited(), **pipes) for _ in range(3)]
    assert [process.stdout.readline() for process in starting] == ["ready\n"] * 3
    rounds = [folder / f"instance{number}" for number in range(3)]
    for instance in rounds:
        for process in starting:
            process.stdin.write(f"{instance}\n")
            process.stdin.flush()
        seen = {process.stdout.readline() for process in starting}
        assert len(seen) == 1
        assert len(seen.pop()) > 128
        assert [path.name for path in instance.iterdir()] == ["secrets.env"]
    said = [process.communicate(timeout=30)[1] for process in starting]
    assert sum(text.count("made development secrets") for text in said) == len(rounds)


def test_secrets_that_others_can_open_are_refused(folder):  # SC-3
    load(environ={})
    (folder / "instance/secrets.env").chmod(0o644)
    assert "chmod 600" in refusal("CONTACTAPP_MASTER_KEYS")


def test_half_a_secrets_file_is_refused(folder):
    load(environ={})
    path = folder / "instance/secrets.env"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    refusal("CONTACTAPP_JWT_SECRETS")


def test_secrets_of_ones_own_leave_no_file(folder):
    read(**SECRETS)
    assert list((folder / "instance").iterdir()) == []


@pytest.mark.parametrize("missing", SECRETS)
def test_some_secrets_without_the_others_are_refused(folder, missing):
    refusal(
        f"CONTACTAPP_{missing}", **{name: text for name, text in SECRETS.items() if name != missing}
    )
    assert list((folder / "instance").iterdir()) == []


# ---- production


def test_production_starts_with_secrets_and_an_address():
    settings = read(**PRODUCTION)
    assert settings.is_production
    assert settings.base_url == "https://contacts.example.org"


@pytest.mark.parametrize("missing", [*SECRETS, "BASE_URL"])
def test_production_refuses_to_start_without(missing):  # SC-1
    refusal(
        f"CONTACTAPP_{missing}",
        **{name: text for name, text in PRODUCTION.items() if name != missing},
    )


def test_production_neither_reads_nor_makes_the_development_file(folder):  # SC-1
    refusal("CONTACTAPP_MASTER_KEYS", ENV="production", BASE_URL="https://a.example")
    assert list((folder / "instance").iterdir()) == []
    load(environ={})
    refusal("CONTACTAPP_MASTER_KEYS", ENV="production", BASE_URL="https://a.example")


def test_production_refuses_debug():  # SC-1
    refusal("FLASK_DEBUG", {"FLASK_DEBUG": "1"}, **PRODUCTION)
    assert load(PRODUCTION, environ={"FLASK_DEBUG": "0"}).is_production


def test_production_refuses_cheap_hashes():  # SC-1
    refusal("CONTACTAPP_BCRYPT_COST", **PRODUCTION, BCRYPT_COST="9")


@pytest.mark.parametrize(
    "url", ["http://a.example", "HTTP://a.example", "http://127.0.0.1.a.example"]
)
def test_production_refuses_links_in_the_open(url):
    refusal("CONTACTAPP_BASE_URL", **{**PRODUCTION, "BASE_URL": url})


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://[::1]:8000", "http://localhost"])
def test_production_takes_plain_http_on_this_machine(url):
    assert read(**{**PRODUCTION, "BASE_URL": url}).base_url == url


def test_a_refused_start_ends_the_process_and_prints_no_value(folder):  # SC-1
    done = start(folder, **env(ENV="production", MASTER_KEYS=f"k1:{MARKER}"))
    assert done.returncode != 0
    assert "CONTACTAPP_MASTER_KEYS" in done.stderr
    assert MARKER not in done.stderr + done.stdout


# ---- the documentation


def test_the_example_documents_every_setting_with_its_default():
    documented = dict(
        re.findall(r"^#(CONTACTAPP_[A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.M)
    )
    assert documented == {name: default for name, default, _ in settings_table()}
    assert all(doc for _, _, doc in settings_table())


def test_the_example_starts_as_it_is(folder):
    (folder / ".env").write_text((ROOT / ".env.example").read_text())
    assert load(environ={}).workers == 2
