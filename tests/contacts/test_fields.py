"""What each field of a contact takes, on POST, PUT and PATCH alike."""

import unicodedata

import pytest

from contactapp.contacts.card import LINES
from tests.support.cast import refused
from tests.support.engines import on_one_engine
from tests.support.stored import book_state, contact_row

TEXT = [name for name in LINES if name not in {"email", "phone", "birthday", "anniversary"}]
NO_DATES = ["2023-02-29", "1900-02-29", "--02-30", "1985-13", "1985-00", "1985-06-00", "1985-6-15"]
NO_DATES += ["85", "-02-29", "--02", "--06-1", "-", "--", "---01", "0000", "0000-01-01", "1985-"]
NO_DATES += ["1985-06-15T00:00:00Z", "15.06.1985", "1985/06/15", "19850615", "1985-06-15-01"]
NO_DATES += ["today", "١٩٨٥", "+1985", "10000-01-01"]
NFD = unicodedata.normalize("NFD", "Émile Škoda")


@pytest.fixture(scope="module")
def target(owner):
    """A contact that every refused write is tried on."""
    return owner.contact(first_name="Ada", custom_fields={"a": 1})


def takes(owner, field, value):
    """The value as it is kept."""
    body = {"first_name": "Ada", field: value}
    made = owner.contact(**body)
    path = f"/contacts/{made['id']}"
    assert owner.patch(path, json={field: value}).json == made  # the same rule, so no change
    assert owner.put(path, json=body).json == made
    return made[field]


def refuses(owner, target, field, value, code=None, pointer=None):
    """All three ways of writing refuse it and write nothing."""
    state, row = book_state(owner), contact_row(owner.app, target["id"])
    path, body = f"/contacts/{target['id']}", {"first_name": "Ada", field: value}
    for method, where in (("POST", "/contacts"), ("PUT", path), ("PATCH", path)):
        answer = owner.request(method, where, json=body)
        problem = refused(answer, 422, "invalid_fields", pointer or f"/{field}")
        if code:
            assert code in [error["code"] for error in problem["errors"]]
    assert (book_state(owner), contact_row(owner.app, target["id"])) == (state, row)


@pytest.mark.parametrize("field", TEXT)
def test_a_line_takes_its_length_and_not_one_more(owner, target, field):
    longest = "é" * LINES[field]
    assert takes(owner, field, longest) == longest
    refuses(owner, target, field, longest + "e", "too_long")


@pytest.mark.parametrize("field", TEXT)
def test_a_line_is_composed_and_trimmed_and_empty_is_null(owner, field):
    assert takes(owner, field, f" \n{NFD}\t ") == unicodedata.normalize("NFC", NFD)
    if field != "first_name":
        assert takes(owner, field, "   ") is None
        assert takes(owner, field, "") is None


@on_one_engine
@pytest.mark.parametrize("field", LINES)
@pytest.mark.parametrize("value", [1, False, ["a"], {"a": "b"}])
def test_a_line_is_a_string(owner, target, field, value):
    refuses(owner, target, field, value, "wrong_type")


@pytest.mark.parametrize("character", ["\x00", "\x07", "\n", "\r", "\t", "\x1b", "\x7f", "\x85"])
def test_a_line_has_no_control_characters_inside(owner, target, character):
    refuses(owner, target, "company", f"a{character}b", "invalid_text")


@on_one_engine
@pytest.mark.parametrize("field", [*LINES, "name", "phone_number"])
def test_no_line_has_control_characters_inside(owner, target, field):
    refuses(owner, target, field, "19\n85", "invalid_text")


@pytest.mark.parametrize("field", ["birthday", "anniversary"])
@pytest.mark.parametrize(
    "date",
    ["1985-06-15", "2000-02-29", "--02-29", "--12-31", "1985", "1985-06", "0001-01-01", "9999"],
)
def test_a_date_may_be_partial(owner, field, date):
    assert takes(owner, field, date) == date


@on_one_engine
@pytest.mark.parametrize("date", NO_DATES)
def test_what_is_no_date_is_refused(owner, target, date):
    refuses(owner, target, "birthday", date, "invalid_date")


@pytest.mark.parametrize(
    "email", ["a@b", "Ada.L+x@Example.COM", "ü@ñ.example", "e" * 248 + "@b.com"]
)
def test_an_email_is_kept_as_it_was_written(owner, email):
    assert takes(owner, "email", email) == email


@pytest.mark.parametrize("email", ["a", "@", "a@", "@b", "a@b@c", "a b@c", "e" * 249 + "@b.com"])
def test_what_is_no_email_is_refused(owner, target, email):
    refuses(owner, target, "email", email)


@pytest.mark.parametrize(
    "phone", ["112", "+49 (0)151 / 23-45 x9", "1-800-FLOWERS", "٠١٥١", "1" * 50]
)
def test_a_phone_is_kept_as_it_was_written(owner, phone):
    assert takes(owner, "phone", phone) == phone


@pytest.mark.parametrize("phone", ["x", "12", "none", "+-()", "1" * 51])
def test_what_is_no_phone_is_refused(owner, target, phone):
    refuses(owner, target, "phone", phone)


@pytest.mark.parametrize("value", ["true", "yes", "", 2, [], {}, 0.5])
def test_starred_is_a_boolean(owner, target, value):
    refuses(owner, target, "starred", value)


def test_every_error_is_named_at_once(owner, target):
    body = {
        "first_name": "x" * 101,
        "email": "nobody",
        "birthday": "soon",
        "starred": "maybe",
        "custom_fields": {"deep": {}, "": 1},
        "surname": "unknown",
        "a/b~c": 1,
    }
    for method, path in (("POST", "/contacts"), ("PATCH", f"/contacts/{target['id']}")):
        answer = owner.request(method, path, json=body)
        errors = {e["pointer"]: e["code"] for e in refused(answer, 422, "invalid_fields")["errors"]}
        assert errors == {
            "/first_name": "too_long",
            "/email": "invalid_email",
            "/birthday": "invalid_date",
            "/starred": "wrong_type",
            "/custom_fields/deep": "wrong_type",
            "/custom_fields/": "invalid_key",
            "/surname": "unknown_field",
            "/a~1b~0c": "unknown_field",
        }
