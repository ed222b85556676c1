"""Text that means something to a database, a template or a shell means nothing here."""

from urllib.parse import quote

import pytest

from contactapp.contacts.card import LINES
from tests.support.cast import refused
from tests.support.engines import on_one_engine
from tests.support.stored import book_state

HOSTILE = [
    "' OR 1=1 --",
    "'; DROP TABLE contact; --",
    '" OR ""="',
    "name;drop table users",
    "1) UNION SELECT password_hash FROM users --",
    "{{7*7}}",
    "${7*7}#{7*7}<%= 7*7 %>",
    "%s %(id)s ? :id $1 {0}",
    "<script>alert(1)</script>",
    "=HYPERLINK(1)",
    "../../etc/passwd",
    "$(id) `id` | id",
    "%00%0a\\0\\n",
    "\u202egnp.exe",
]


# IV-7
@pytest.mark.parametrize("text", HOSTILE)
def test_every_line_keeps_it_literally(owner, text):
    lines = {name: text for name, size in LINES.items() if size >= 50 and name != "email"}
    lines["phone"] = f"112 {text}"[:50]
    made = owner.contact(**lines, custom_fields={text: text}, additional_info=text)
    assert {name: made[name] for name in lines} == {**lines, "phone": lines["phone"].strip()}
    assert made["custom_fields"] == {text: text, "additional_info": text}
    assert owner.get(f"/contacts/{made['id']}").json == made
    listed = owner.get("/contacts?limit=500&sort=-id&fields=id,name,company").json["items"][0]
    assert listed == {key: made[key] for key in ("id", "name", "company")}


# IV-7
def test_a_template_is_not_run(owner):
    made = owner.contact(first_name="{{7*7}}", last_name="${7*7}")
    assert made["name"] == "{{7*7}} ${7*7}"
    assert "49" not in {made["first_name"], made["last_name"], made["name"]}


# IV-7
@on_one_engine
@pytest.mark.parametrize("text", [*HOSTILE, "name;drop", "name desc", "name,(select 1)", "id--"])
@pytest.mark.parametrize("parameter", ["sort", "fields"])
def test_names_are_taken_from_a_list(owner, parameter, text):
    answer = owner.get("/contacts", query_string={parameter: text})
    problem = refused(answer, 400, "unknown_parameter")
    assert problem["parameter"] == parameter
    assert text not in answer.text


# IV-7
@on_one_engine
@pytest.mark.parametrize("text", HOSTILE)
def test_numbers_and_cursors_are_not_text(owner, text):
    state = book_state(owner)
    for name in ("limit", "skip", "offset", "book"):
        answer = owner.get("/contacts", query_string={name: text})
        refused(answer, 422, "invalid_fields", f"?{name}")
    refused(owner.get("/contacts", query_string={"cursor": text}), 400, "invalid_cursor")
    for method in ("GET", "DELETE"):
        answer = owner.request(method, f"/contacts/{quote(text, safe='')}")
        assert answer.status_code == 404
    assert book_state(owner) == state


# IV-7
@on_one_engine
@pytest.mark.parametrize("text", HOSTILE)
def test_a_parameters_name_is_not_run_either(owner, text):
    answer = owner.get("/contacts", query_string={text: "1"})
    problem = refused(answer, 400, "unknown_parameter")
    assert problem["parameter"] == text
    assert answer.headers["Content-Type"] == "application/problem+json"
