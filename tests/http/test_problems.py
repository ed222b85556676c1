"""One shape for every failure, one table for every code."""

import ast
import html
import logging
import re
from pathlib import Path

import pytest

import contactapp
from contactapp import errors
from contactapp.database import database, lane
from contactapp.errors import CODES, AppError
from tests.http.conftest import SECRET
from tests.support.cast import Cast, refused
from tests.support.stored import tell_writer

SOURCE = Path(contactapp.__file__).parent
TABLE = SOURCE.parent / "docs" / "errors.md"
MEMBERS = {"type", "title", "status", "detail", "code", "errors", "request_id"}
CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, AppError)
}


def nodes():
    for path in SOURCE.rglob("*.py"):
        yield from ast.walk(ast.parse(path.read_text()))


def named(node):
    return getattr(node, "attr", None) or getattr(node, "id", None)


def used_codes():
    """The code of each construction of an error in the source, and of each class handed on."""
    found = set()
    for node in nodes():
        if isinstance(node, ast.Call) and named(node.func) in CLASSES:
            first = node.args[0] if node.args else None
            given = isinstance(first, ast.Constant) and isinstance(first.value, str)
            found.add(first.value if given else CLASSES[named(node.func)].default)
        elif isinstance(node, ast.Dict | ast.IfExp):
            choices = node.values if isinstance(node, ast.Dict) else (node.body, node.orelse)
            found |= {CLASSES[named(n)].default for n in choices if named(n) in CLASSES}
    return found


def test_every_code_that_is_used_is_in_the_table():
    assert used_codes() <= set(CODES)
    assert {kind.default for kind in CLASSES.values()} <= set(CODES)


def test_every_code_in_the_table_is_used():
    assert set(CODES) == used_codes()


def test_a_codes_status_is_its_classs():
    for name, kind in CLASSES.items():
        stated = re.search(rf"── {name} (\d+)", errors.__doc__)
        if stated:
            assert CODES[kind.default].status == int(stated[1]), name


def test_the_document_lists_every_code():
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in TABLE.read_text().splitlines()
        if line.startswith("| `")
    ]
    by_status = sorted(CODES.items(), key=lambda item: (item[1].status, item[0]))
    assert rows == [(f"`{c}`", str(row.status), row.title, row.meaning) for c, row in by_status]


def test_the_page_lists_every_code(client):
    page = client.get("/docs/errors").text
    for code, (status, title, meaning) in CODES.items():
        row = re.search(rf'<tr id="{code}">.*?</tr>', page, re.DOTALL)
        assert row, code
        assert all(text in html.unescape(row[0]) for text in (str(status), title, meaning))


def test_a_problem_has_the_members_of_rfc_9457(client):
    answer = client.get("/api/v1/nowhere")
    body = refused(answer, 404, "not_found")
    assert body.keys() == MEMBERS
    assert body["type"] == "/docs/errors#not_found"
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert body["errors"] == []


def test_every_wrong_field_is_named_at_once(client):
    body = {"email": "nobody", "password": 1, "age": -1, "unknown": 1}
    answer = client.post("/api/v1/auth/register", json=body)
    found = refused(answer, 422, "invalid_fields")["errors"]
    assert {error["pointer"] for error in found} == {"/email", "/password", "/age", "/unknown"}
    assert all(error.keys() == {"pointer", "code", "detail"} for error in found)


# IV-4
def test_an_answer_names_at_most_100_errors(client):
    answer = client.post("/api/v1/auth/register", json={f"unknown-{n}": 1 for n in range(900)})
    assert len(refused(answer, 422, "invalid_fields")["errors"]) == errors.MAX_ERRORS == 100


# OB-3
def test_an_unforeseen_failure_says_nothing_internal(broken_app, caplog):
    answer = broken_app.test_client().get("/broken", headers={"X-Request-ID": "find-me"})
    body = refused(answer, 500, "internal_error")
    assert body.keys() == MEMBERS
    assert body["request_id"] == "find-me"
    for word in (SECRET, "RuntimeError", "Traceback", "contactapp/", "broken"):
        assert word not in answer.text
    [record] = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert "find-me" in record.getMessage()
    assert "in broken" in caplog.text
    assert "RuntimeError" in caplog.text
    assert SECRET not in caplog.text  # a message may quote what a person wrote


# OB-1
def test_the_log_of_a_failure_has_no_query(broken_app, caplog):
    broken_app.test_client().get("/broken?token=ca_marker")
    assert "ca_marker" not in caplog.text


@pytest.fixture
def stuck(own_app):
    return Cast(own_app).alice


def write_protect(app, on):
    """As a standby or a disk mounted read-only is; reading goes on."""
    with app.app_context():
        if database().is_sqlite:
            if on == "on":  # a failed BEGIN closes the connection, and its settings go with it
                tell_writer(app, "query_only = on")
            return
        name = database().engine.url.database
        value = f'ALTER DATABASE "{name}" SET default_transaction_read_only = {on}'
        with database().engine.connect() as connection:
            connection.exec_driver_sql("SET TRANSACTION READ WRITE")
            connection.exec_driver_sql(value)
            connection.commit()
        lane().close()  # the next connection finds the new setting


# DU-4
def test_a_database_that_takes_no_writes_is_507(stuck):
    stuck.contact(first_name="Ada")
    write_protect(stuck.app, "on")
    answer = stuck.post("/contacts", json={"first_name": "Grace"})
    refused(answer, 507, "storage_full")
    assert int(answer.headers["Retry-After"]) > 0
    assert stuck.get("/contacts").json["total"] == 1
    write_protect(stuck.app, "off")
    stuck.contact(first_name="Grace")


# DU-4
def test_a_full_sqlite_file_is_507_and_recovers(new_app):
    alice = Cast(new_app("sqlite")).alice
    tell_writer(alice.app, "max_page_count = 1")
    large = {"first_name": "Ada", "additional_info": "x" * 5000}
    answers = [alice.post("/contacts", json=large) for _ in range(9)]
    refused(answers[-1], 507, "storage_full")
    assert int(answers[-1].headers["Retry-After"]) > 0
    kept = alice.get("/contacts").json["total"]
    assert kept == sum(answer.status_code == 201 for answer in answers)
    tell_writer(alice.app, "max_page_count = 1000000")
    alice.contact(**large)


# DU-5
@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_a_postgresql_that_refuses_connections_is_503_until_it_is_back(stuck, engine):
    with stuck.app.app_context():
        url = database().engine.url
    name = url.database
    other = url.set(database="postgres", drivername="postgresql")
    allow_connections(other, name, "false")
    for method, path in (("GET", "/contacts"), ("POST", "/contacts")):
        answer = stuck.request(method, path, json={"first_name": "Ada"})
        refused(answer, 503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    ready = stuck.app.test_client().get("/readyz")
    assert (ready.status_code, ready.json["status"]) == (503, "unready")
    assert stuck.app.test_client().get("/healthz").status_code == 200
    allow_connections(other, name, "true")
    stuck.contact()


def allow_connections(url, name, value):
    import psycopg

    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as server:
        server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {value}')
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        server.execute(end, [name])
