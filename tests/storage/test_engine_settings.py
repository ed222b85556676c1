"""Every connection is durable, and what is not stops the start."""

import threading

import pytest
from sqlalchemy import create_engine, text

from contactapp import engine as engines
from contactapp import startup
from contactapp.connection import open_connection
from contactapp.database import Sql, database, lane, write_transaction

PRAGMAS = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "busy_timeout": 5000,
    "secure_delete": 1,
    "mmap_size": 0,
}
SHOWN = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "server_encoding": "UTF8",
    "TimeZone": "UTC",
    "lock_timeout": "5s",
    "statement_timeout": "1min",
    "idle_in_transaction_session_timeout": "1min",
}
HEALTHY = {
    "SHOW server_version_num": "160004",
    "SHOW fsync": "on",
    "SHOW full_page_writes": "on",
    "SHOW synchronous_commit": "on",
    "SHOW server_encoding": "UTF8",
}
SAFE = {
    "PRAGMA journal_mode": "wal",
    "PRAGMA synchronous": 2,
    "PRAGMA foreign_keys": 1,
    "PRAGMA secure_delete": 1,
    "PRAGMA busy_timeout": 5000,
}


def expected(engine):
    return PRAGMAS if engine == "sqlite" else SHOWN


def asked(engine):
    return [f"{'PRAGMA' if engine == 'sqlite' else 'SHOW'} {name}" for name in expected(engine)]


# DU-2
def test_each_pooled_connection_is_durable(app, engine):
    with app.app_context():
        pool = database().engine
        held = [pool.raw_connection() for _ in range(6)]
    try:
        for connection in held:
            cursor = connection.cursor()
            found = [cursor.execute(question).fetchone()[0] for question in asked(engine)]
            assert dict(zip(expected(engine), found, strict=True)) == expected(engine)
    finally:
        for connection in held:
            connection.close()


# DU-2
def test_the_connection_of_a_write_is_durable(app, engine):
    @write_transaction
    def write():
        return [lane().one(Sql(question))[0] for question in asked(engine)]

    # A writer waits for SQLite's lock in a loop of its own, up to the same time.
    wanted = {**expected(engine), **({"busy_timeout": 0} if engine == "sqlite" else {})}
    with app.app_context():
        assert dict(zip(expected(engine), write(), strict=True)) == wanted


# DU-2
def test_the_reading_connection_of_each_thread_is_durable(app, engine):
    found, together = [], threading.Barrier(4, timeout=30)

    def read():
        with app.app_context():
            found.append([lane().one(Sql(question))[0] for question in asked(engine)])
            together.wait()
            lane().close()

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [list(expected(engine).values())] * 4


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize(("wish", "most"), [({}, "30000"), ({"tcp_user_timeout": "7"}, "7")])
def test_a_server_that_fell_silent_is_given_up(app, wish, most):
    url = app.config["SQLALCHEMY_DATABASE_URI"].update_query_dict(wish)
    bound = create_engine(url, **engines.engine_options(url, 5))
    pooled, own = bound.raw_connection(), open_connection(bound, 5)
    for driver in (pooled.driver_connection, own.connection):
        told = driver.info.get_parameters()
        assert (told["tcp_user_timeout"], told["keepalives_idle"]) == (most, "15")
    own.close()
    pooled.close()
    bound.dispose()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_write_begins_by_taking_the_lock(app):
    """A deferred transaction would fail without waiting when it came to write."""
    with app.app_context():
        own = database()
        with own.engine.begin() as first:
            first.execute(text("SELECT 1"))
            second = own.engine.raw_connection()
            second.execute("PRAGMA busy_timeout=0")
            with pytest.raises(own.engine.dialect.loaded_dbapi.OperationalError, match="locked"):
                second.execute("BEGIN IMMEDIATE")
            second.invalidate()


# DU-2
def test_a_healthy_database_has_no_problems(app):
    assert startup.problems(app) == []


# DU-2
@pytest.mark.parametrize("question", [q for q in SAFE if "timeout" not in q])
def test_a_sqlite_connection_that_differs_is_named(question, tmp_path):
    answers = {**SAFE, question: "off" if "journal" in question else 0}
    [problem] = engines._sqlite_problems(answers.get, str(tmp_path / "x.sqlite3"))
    assert f"SQLite {question.removeprefix('PRAGMA ')} is " in problem


# DU-2
def test_a_short_busy_timeout_is_named(tmp_path):
    answers = {**SAFE, "PRAGMA busy_timeout": 4999}
    [problem] = engines._sqlite_problems(answers.get, str(tmp_path / "x.sqlite3"))
    assert problem == "SQLite busy_timeout is under 5 s"


# DU-2
def test_a_database_without_wal_is_found_on_a_real_connection(tmp_path):
    plain = create_engine(f"sqlite:///{tmp_path}/plain.sqlite3")
    with plain.connect() as connection:
        found = engines.problems(plain, lambda q: connection.execute(text(q)).scalar())
    plain.dispose()
    assert "SQLite journal_mode is delete, not wal" in found
    assert "SQLite foreign_keys is 0, not 1" in found


# DU-2
@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_postgresql_that_may_lose_writes_is_named(name):
    [problem] = engines._postgresql_problems({**HEALTHY, f"SHOW {name}": "off"}.get)
    assert problem == f"PostgreSQL {name} is off: a crash could lose acknowledged writes"


# DU-2
@pytest.mark.parametrize("value", ["local", "remote_write", "remote_apply", "on"])
def test_waiting_for_the_own_disk_is_durable_enough(value):
    """Each of these flushes the commit on this server before it is acknowledged."""
    answers = {**HEALTHY, "SHOW synchronous_commit": value}
    assert engines._postgresql_problems(answers.get) == []


# DU-2
def test_a_session_whose_commits_are_not_flushed_is_found_on_the_real_server(new_app):
    app = new_app("postgresql")
    with app.app_context():
        lane().one(Sql("SELECT set_config('synchronous_commit', 'off', false)"))
        [problem] = startup.problems(app)
        lane().close()
    assert problem.startswith("PostgreSQL synchronous_commit is off")


@pytest.mark.parametrize("version", range(12, 21))
def test_only_postgresql_15_to_18_is_supported(version):
    answers = {**HEALTHY, "SHOW server_version_num": f"{version}0004"}
    told = f"PostgreSQL {version} is not supported (15 to 18 are)"
    assert engines._postgresql_problems(answers.get) == ([told] if not 15 <= version <= 18 else [])


def test_another_encoding_is_named():
    [problem] = engines._postgresql_problems({**HEALTHY, "SHOW server_encoding": "LATIN1"}.get)
    assert "UTF8" in problem


# DU-2
@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs"])
def test_a_network_file_system_is_recognised(tmp_path, kind):
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda1 / ext4 rw 0 0\n"
        f"server:/export /srv/contact\\040app {kind} rw 0 0\n"
        "tmpfs /srv/contact\\040app/fast tmpfs rw 0 0\n"
    )
    place = {
        "/srv/contact app/contactapp.sqlite3": kind,
        "/srv/contact app/fast/contactapp.sqlite3": "tmpfs",
        "/srv/contact application/contactapp.sqlite3": "ext4",
    }
    assert {path: engines.file_system_of(path, str(mounts)) for path in place} == place


# DU-2
def test_a_database_on_a_network_file_system_is_refused(monkeypatch, tmp_path):
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/sda1 / ext4 rw 0 0\nserver:/export /srv/shared nfs4 rw 0 0\n")
    real = engines.file_system_of
    monkeypatch.setattr(engines, "file_system_of", lambda path: real(path, str(mounts)))
    [problem] = engines._sqlite_problems(SAFE.get, "/srv/shared/contactapp.sqlite3")
    assert "network file system (nfs4)" in problem
    assert engines._sqlite_problems(SAFE.get, "/srv/local/contactapp.sqlite3") == []


def test_a_system_that_does_not_tell_its_mounts_is_not_refused():
    assert engines.file_system_of("/srv/x", "/nonexistent/mounts") is None


# DU-2
@pytest.mark.parametrize(
    ("version", "warned"), [((3, 40, 1), True), ((3, 51, 2), True), ((3, 51, 3), False)]
)
def test_an_old_sqlite_is_warned_of(monkeypatch, version, warned):
    monkeypatch.setattr(engines.sqlite3, "sqlite_version_info", version)
    monkeypatch.setattr(engines.sqlite3, "sqlite_version", ".".join(map(str, version)))
    sentence = engines.warn_of_old_sqlite()
    assert (sentence is not None) == warned
    assert not warned or ".".join(map(str, version)) in sentence


# DU-2
def test_the_warning_is_logged_at_the_start_and_only_where_sqlite_is_used(
    app, engine, monkeypatch, caplog
):
    monkeypatch.setattr(engines.sqlite3, "sqlite_version_info", (3, 40, 1))
    startup.check(app)
    assert ("can corrupt" in caplog.text) == (engine == "sqlite")
