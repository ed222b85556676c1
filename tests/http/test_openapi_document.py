"""The OpenAPI document is valid, complete and says who may call what."""

import json
import re

import orjson
import pytest
from jsonschema import Draft202012Validator

from contactapp import openapi

METHODS = {"get", "post", "put", "patch", "delete"}
PUBLIC = {
    ("post", "/api/v1/auth/register"),
    ("post", "/api/v1/auth/token"),
    ("post", "/api/v1/auth/login"),
    ("post", "/api/v1/auth/refresh"),
    ("post", "/api/v1/auth/verify-email"),
    ("post", "/api/v1/auth/verify-email/resend"),
    ("post", "/api/v1/auth/password/forgot"),
    ("post", "/api/v1/auth/password/reset"),
    ("post", "/api/v1/auth/email/confirm"),
    ("get", "/api/v1/feeds/{token}.ics"),
}

# What is answered elsewhere than JSON, by the end of the path.
KINDS = {
    "stream": ["text/event-stream"],
    "export": ["application/zip"],
    "{token}.ics": ["text/calendar"],
}
KINDS["exports"] = KINDS["rejected"] = ["text/vcard", "text/csv", "application/json"]


@pytest.fixture(scope="module")
def plain_app(new_app):
    return new_app("sqlite")


@pytest.fixture(scope="module")
def document(plain_app):
    answer = plain_app.test_client().get("/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json


@pytest.fixture(scope="module")
def operations(document):
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def schemas_in(value, place=""):
    """Every JSON schema of the document, with its place."""
    if isinstance(value, dict):
        for key, member in value.items():
            if key == "schema" or place.endswith("components/schemas"):
                yield f"{place}/{key}", member
            yield from schemas_in(member, f"{place}/{key}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from schemas_in(member, f"{place}/{index}")


def references_in(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for member in value.values():
            yield from references_in(member)
    elif isinstance(value, list):
        for member in value:
            yield from references_in(member)


def test_it_is_openapi_3_1_with_the_members_it_must_have(document):
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert document["info"]["title"]
    assert document["info"]["version"]
    members = {"openapi", "info", "paths", "webhooks", "components", "security", "tags"}
    assert set(document) <= members
    for path, methods in document["paths"].items():
        assert path.startswith("/")
        assert set(methods) <= METHODS | {"parameters", "summary", "description", "servers"}


def test_every_schema_is_a_json_schema(document):
    found = list(schemas_in(document))
    assert len(found) > 30
    for place, schema in found:
        Draft202012Validator.check_schema(schema)
        assert "nullable" not in json.dumps(schema), f"{place} speaks OpenAPI 3.0"


def test_every_reference_leads_somewhere(document):
    found = set(references_in(document))
    assert found
    for reference in found:
        target = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def test_everything_in_the_components_is_used(document):
    used = {reference.rpartition("/")[2] for reference in references_in(document)}
    for kind in ("schemas", "responses", "parameters"):
        assert set(document["components"].get(kind, ())) <= used, kind


def test_the_document_and_the_routes_are_the_same(plain_app, operations):
    routes = {
        (method.lower(), re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule).rstrip("/"))
        for rule in plain_app.url_map.iter_rules()
        for method in rule.methods
        if method.lower() in METHODS and rule.rule.startswith("/api/v1/")
    }
    assert set(operations) == routes


def test_public_operations_and_no_others_need_no_user(plain_app, document, operations):
    assert document["security"]
    schemes = document["components"]["securitySchemes"]
    assert {name for entry in document["security"] for name in entry} <= set(schemes)
    assert {key for key, found in operations.items() if found.get("security") == []} == PUBLIC
    client = plain_app.test_client()
    for (method, path), operation in operations.items():
        if operation.get("security") != []:
            place = re.sub(r"\{[^}]+\}", "1", path)
            assert client.open(place, method=method.upper()).status_code == 401, (method, path)


def test_every_operation_says_what_it_does_and_answers(operations):
    for key, operation in operations.items():
        assert re.fullmatch(r"[A-Z][^\n]{5,119}", operation["summary"]), key
        assert not operation["summary"].endswith("."), key
        answers = operation["responses"]
        assert [s for s in answers if s.startswith("2")], key
        assert {"429", "503"} <= set(answers), key
        if operation.get("security") != []:
            assert "401" in answers, key
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= set(answers), key


def test_every_failure_is_a_problem_and_every_success_has_a_shape(document, operations):
    for key, operation in operations.items():
        for status, answer in operation["responses"].items():
            if "$ref" in answer:
                answer = document["components"]["responses"][answer["$ref"].rpartition("/")[2]]
            assert answer["description"], (key, status)
            content = answer.get("content", {})
            if status.startswith("2"):
                kinds = KINDS.get(key[1].rpartition("/")[2], ["application/json"])
                assert list(content) == ([] if status == "204" else kinds), key
            elif status == "308":  # of what is elsewhere now
                assert list(answer["headers"]) == ["Location"], key
            else:
                assert list(content) == ["application/problem+json"], (key, status)


def test_every_parameter_in_a_path_is_declared(document, operations):
    for (method, path), operation in operations.items():
        shared = document["paths"][path].get("parameters", ())
        declared = [*shared, *operation.get("parameters", ())]
        names = {p["name"] for p in declared if p["in"] == "path"}
        assert names == set(re.findall(r"\{([^}]+)\}", path)), (method, path)
        assert all(p["required"] for p in declared if p["in"] == "path")
        places = [(p["in"], p["name"]) for p in declared]
        assert len(places) == len(set(places)), (method, path)


# RFC 9110 §9.3.5 gives it no meaning of its own; the clients of earlier systems send one.
WITH_PASSWORD = {("delete", "/api/v1/users/me"), ("delete", "/api/v1/auth/totp")}


def test_bodies_are_taken_where_they_have_a_meaning(operations):
    for (method, path), operation in operations.items():
        if method in {"get", "delete"} and (method, path) not in WITH_PASSWORD:
            assert "requestBody" not in operation, (method, path)
        if method in {"put", "patch"}:
            assert operation["requestBody"]["required"], (method, path)


def test_operation_ids_are_unique(operations):
    found = [o["operationId"] for o in operations.values() if "operationId" in o]
    assert len(found) == len(set(found))
    assert len(found) in {0, len(operations)}


def test_every_engine_has_the_same_document(new_app, monkeypatch):
    documents = set()
    for engine in ("sqlite", "postgresql"):
        monkeypatch.setattr(openapi, "_documents", {})  # as in a process of its own
        documents.add(new_app(engine).extensions["contactapp.openapi"])
    assert len(documents) == 1
    assert orjson.loads(documents.pop())


def test_what_the_schemas_say_is_in_it(document):
    schemas = document["components"]["schemas"]
    assert schemas["ContactPatch"]["description"].startswith("A JSON merge patch (RFC 7396)")
    assert "matched_in" in schemas["FoundContact"]["description"]
    unknown = {
        word
        for word in re.findall(r"[Ss]ee the schema `?(\w+)", json.dumps(document))
        if word not in schemas
    }
    assert not unknown


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/api/v1/contacts/bulk", "ContactOperation"),
        ("/api/v1/notes/bulk", "NoteOperation"),
    ],
)
def test_the_operations_of_a_bulk_call_are_described(document, operations, path, schema):
    content = operations["post", path]["requestBody"]["content"]["application/json"]
    name = content["schema"]["$ref"].rpartition("/")[2]
    items = document["components"]["schemas"][name]["properties"]["operations"]["items"]
    assert items == {"$ref": f"#/components/schemas/{schema}"}
    assert set(document["components"]["schemas"][schema]["properties"]) >= {"op", "id", "version"}


@pytest.mark.parametrize("parameter", ["sort", "fields", "has"])
def test_what_a_comma_list_takes_is_said(operations, parameter):
    found = {p["name"]: p for p in operations["get", "/api/v1/contacts"]["parameters"]}
    assert "`last_name`" in found[parameter]["description"]
