"""Numbers that one engine or parser takes and another does not."""

from urllib.parse import quote

import pytest

from tests.support.cast import refused

JSON = "application/json"
MALFORMED = ["-1", "1e3", "1_000", "٣", "1" * 5000, "+1", "1.0", "0x1", " 1", "1%20", "%00", "NaN"]
HUGE = [str(2**63 - 1), str(2**63), str(2**64), str(2**53)]
BY_ID = [
    ("GET", "/contacts/{}"),
    ("PUT", "/contacts/{}"),
    ("PATCH", "/contacts/{}"),
    ("DELETE", "/contacts/{}"),
    ("GET", "/contacts/{}/history"),
    ("POST", "/contacts/{}/revert"),
    ("DELETE", "/auth/sessions/{}"),
    ("DELETE", "/feeds/{}"),
    ("GET", "/webhooks/{}"),
    ("POST", "/webhooks/1/deliveries/{}/replay"),
]


# IV-2
@pytest.mark.parametrize("number", [*MALFORMED, *HUGE, "0", "007", str(2**31), str(2**53 - 1)])
def test_an_id_that_nothing_has_is_404(on_both, number):
    for method, path in BY_ID:
        body = {"first_name": "Ada"} if method in {"PUT", "PATCH"} else None
        body = {"version": 1} if method == "POST" else body
        refused(on_both(method, path.format(number), json=body), 404, "not_found")


# IV-2
@pytest.mark.parametrize("number", [*MALFORMED, *HUGE, "0", "501", str(2**31), ""])
def test_a_wrong_limit_is_422_and_not_clamped(on_both, number):
    answer = on_both("GET", f"/contacts?limit={quote(number, safe='%')}")
    refused(answer, 422, "invalid_fields", "?limit")


# IV-2
@pytest.mark.parametrize("name", ["skip", "offset"])
@pytest.mark.parametrize("number", [*MALFORMED, *HUGE, ""])
def test_a_wrong_offset_is_422(on_both, name, number):
    answer = on_both("GET", f"/contacts?{name}={quote(number, safe='%')}")
    refused(answer, 422, "invalid_fields", f"?{name}")


# IV-2
@pytest.mark.parametrize("number", ["0", "007", str(2**31), str(2**53 - 1)])
def test_an_offset_may_be_past_the_end(on_both, number):
    assert on_both("GET", f"/contacts?skip={number}&limit=1").json["items"] == []


# IV-2
@pytest.mark.parametrize("number", [*MALFORMED, *HUGE, "0", ""])
def test_a_wrong_book_is_422(on_both, number):
    for method, path in (("GET", "/contacts"), ("POST", "/contacts"), ("GET", "/contacts/1")):
        place = f"{path}?book={quote(number, safe='%')}"
        answer = on_both(method, place, json={"first_name": "Ada"})
        refused(answer, 422, "invalid_fields", "?book")


# IV-2
@pytest.mark.parametrize("number", [str(2**31), str(2**53 - 1)])
def test_a_book_that_nobody_has_is_404(on_both, number):
    for path in ("/contacts", "/contacts/1"):
        for name in ("book", "%62ook", "b%6Fok"):  # one name, however it is written
            refused(on_both("GET", f"{path}?{name}={number}"), 404, "not_found")


# IV-2
@pytest.mark.parametrize("number", ["-1", "151", str(2**31), str(2**53 - 1), "1e3", "1.0", '"7"'])
def test_a_wrong_age_is_422(on_both, number):
    answer = on_both("PATCH", "/users/me", data=f'{{"age": {number}}}', content_type=JSON)
    refused(answer, 422, "invalid_fields", "/age")


# IV-2
@pytest.mark.parametrize("number", [2**53, -(2**53), 2**63, 2**64, 10**40])
def test_an_integer_that_loses_digits_elsewhere_is_422(on_both, number):
    for method, path in (("POST", "/contacts"), ("PATCH", "/users/me")):
        answer = on_both(method, path, json={"custom_fields": {"n": number}})
        refused(answer, 422, "invalid_fields", "/custom_fields/n")


# IV-2
@pytest.mark.parametrize("number", [0, -1, 2**31, 2**53 - 1, 1 - 2**53, 0.1, -1.5e300, 5e-324])
def test_other_numbers_come_back_as_they_were(on_both, number):
    sent = {"nickname": "n", "custom_fields": {"n": number}}
    answer = on_both("POST", "/contacts", json=sent)
    assert answer.status_code == 201
    assert answer.json["custom_fields"] == {"n": number}


# IV-2
@pytest.mark.parametrize("number", [*HUGE, "0", "-1", "1e3", "٣", "1" * 5000])
def test_a_version_that_nothing_has_is_412(on_both, number):
    tag = f'"v{number}-0"'.encode().decode("latin-1")
    answer = on_both("PATCH", "/users/me", json={}, headers={"If-Match": tag})
    refused(answer, 412, "version_mismatch")
