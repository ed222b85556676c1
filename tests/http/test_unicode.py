"""NUL and lone surrogates wherever text comes in, by the OpenAPI document and on both engines."""

from __future__ import annotations

import re

import orjson
import pytest

from tests.support.cast import refused

BROKEN = {"NUL": "\\u0000", "a high surrogate": "a\\ud800", "a low surrogate": "\\udfffz"}
# %ED%A0%80 would be a surrogate if UTF-8 had any.
KEYED = ("/data/", "/data-history/", "/custom-fields/", "/labels/")
ENCODED = {"NUL": "%00", "NUL within": "a%00b", "a surrogate": "%ED%A0%80", "a byte": "%FF"}


@pytest.fixture(scope="module")
def document(apps):
    documents = [orjson.loads(app.extensions["contactapp.openapi"]) for app in apps.values()]
    assert documents[0] == documents[1]
    return documents[0]


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in {"get", "post", "put", "patch", "delete"}:
                yield method.upper(), path.removeprefix("/api/v1"), operation


def bodies(document, media_type):
    """(method, path, schema) of every operation with a body of this type."""
    for method, path, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {})
        if media_type in content:
            reference = content[media_type]["schema"]["$ref"]
            schema = document["components"]["schemas"][reference.rpartition("/")[2]]
            yield method, filled(path), schema


def filled(path, value="1"):
    return re.sub(r"\{[^}]+\}", value, path)


def takes(schema, kind):
    return kind in schema.get("type", ()) or any(takes(s, kind) for s in schema.get("anyOf", ()))


def broken_members(schema, text):
    """(body, pointer) with the broken text in each string, and below each object."""
    for name, member in schema["properties"].items():
        if takes(member, "string"):
            yield f'{{"{name}": "{text}"}}', f"/{name}"
        if takes(member, "object"):
            yield f'{{"{name}": {{"k": "{text}"}}}}', f"/{name}/k"
            yield f'{{"{name}": {{"{text}": "v"}}}}', f"/{name}/"


def assert_broken_text(answer, encoded, unreadable):
    """A NUL can be read and is a wrong value; what is not UTF-8 cannot be read at all."""
    if "%00" in encoded:
        errors = refused(answer, 422, "invalid_fields")["errors"]
        assert [error["code"] for error in errors] == ["invalid_text"]
    else:
        refused(answer, 400, unreadable)


# IV-1
@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_every_field_of_every_body_refuses(document, on_both, text):
    tried = 0
    for method, path, schema in bodies(document, "application/json"):
        for body, pointer in broken_members(schema, text):
            answer = on_both(method, path, data=body, content_type="application/json")
            problem = refused(answer, 422, "invalid_fields")
            [error] = problem["errors"]
            assert error["code"] == "invalid_text"
            assert error["pointer"].startswith(pointer), (method, path, body)
            tried += 1
    assert tried > 50


# IV-1
@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_an_unknown_field_and_its_name_refuse(document, on_both, text):
    for method, path, _schema in bodies(document, "application/json"):
        for body in (f'{{"unknown": ["{text}"]}}', f'{{"{text}": 1}}'):
            answer = on_both(method, path, data=body, content_type="application/json")
            assert refused(answer, 422, "invalid_fields")["errors"][0]["code"] == "invalid_text"


# IV-1
@pytest.mark.parametrize("text", ENCODED.values(), ids=ENCODED)
def test_every_field_of_every_form_refuses(document, on_both, text):
    kind = "application/x-www-form-urlencoded"
    tried = 0
    for method, path, schema in bodies(document, kind):
        for name in (*schema["properties"], text):
            others = "&".join(f"{other}=a" for other in schema["properties"] if other != name)
            for body in (f"{name}={text}&{others}", f"{others}&{name}={text}"):
                answer = on_both(method, path, data=body, content_type=kind)
                assert_broken_text(answer, text, "malformed_body")
                tried += 1
    assert tried > 10


# IV-1
def test_a_form_that_is_no_utf_8_is_400(on_both):
    kind = "application/x-www-form-urlencoded"
    for body in (b"username=\xff&password=a", "username=é&password=a".encode("utf-16")):
        refused(on_both("POST", "/auth/token", data=body, content_type=kind), 400, "malformed_body")


# IV-1
@pytest.mark.parametrize("text", ENCODED.values(), ids=ENCODED)
def test_every_query_parameter_refuses(document, on_both, text):
    tried = 0
    for method, path, operation in operations(document):
        names = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"]
        for name in names:
            answer = on_both(method, f"{filled(path)}?{name}={text}", json={"first_name": "Ada"})
            assert_broken_text(answer, text, "bad_request")
            tried += 1
    assert tried > 10


# IV-1
@pytest.mark.parametrize("text", ENCODED.values(), ids=ENCODED)
def test_every_query_parameters_name_refuses(document, on_both, text):
    for method, path, _operation in operations(document):
        if "/auth/re" in path or path in {"/auth/token", "/auth/login"}:
            continue  # these count; the next test has one of them
        answer = on_both(method, f"{filled(path)}?{text}=1", json={"first_name": "Ada"})
        assert answer.status_code == 400, (method, path)


# IV-1
def test_a_public_route_refuses_a_broken_query_too(on_both):
    refused(on_both("POST", "/auth/token?%00=1", json={}), 400, "unknown_parameter")


# IV-1
@pytest.mark.parametrize("text", ENCODED.values(), ids=ENCODED)
def test_every_path_refuses(document, on_both, text):
    for method, path, _operation in operations(document):
        places = [filled(path, text), filled(path, f"1{text}"), f"{filled(path)}/{text}"]
        for place in places if "{" in path else places[2:]:
            answer = on_both(method, place, json={"first_name": "Ada"})
            if any(start in place for start in KEYED):  # a key may hold nearly everything
                assert answer.status_code in {404, 405, 422}
            else:
                refused(answer, 404, "not_found")


# IV-1
def test_headers_of_any_bytes_are_no_fault(on_both):
    for name in ("User-Agent", "Accept", "If-None-Match", "X-Request-ID", "X-Forwarded-For"):
        answer = on_both("GET", "/users/me", headers={name: "\u00ff\u00ed\u00a0\u0080 \x7f"})
        assert answer.status_code == 200
    odd = {"If-Match": "\u00ff"}
    refused(on_both("PATCH", "/users/me", headers=odd, json={}), 412, "version_mismatch")
    odd = {"Authorization": "Bearer \u00ff"}
    refused(on_both("GET", "/users/me", headers=odd), 401, "invalid_token")
