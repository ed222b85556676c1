"""The authenticated contacts API, from its first page to the last."""

from datetime import UTC, datetime, timedelta

from tests.compat.frontend import PASSWORD, UNION

ROUTES = [
    *[(method, "/contacts/1/") for method in ("GET", "PUT", "DELETE")],
    *[("GET", "/contacts/"), ("POST", "/contacts/")],
    *[("GET", "/contacts/search/?query=a"), ("GET", "/contacts/birthdays/")],
]


def sign_up(frontend):
    account = {"email": frontend.email, "password": PASSWORD}
    made = frontend.ask("POST", "/register/", 201, json=account).json()
    assert made == {"user_id": made["user_id"], "email": frontend.email}
    told = frontend.ask("POST", "/register", 409, json=account).json()
    assert told["detail"] == "User with this email already exists"
    answer = frontend.ask("POST", "/token/", 401, json={**account, "password": "a wrong one"})
    assert answer.json()["detail"] == "Invalid credentials"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    frontend.ask("POST", "/token/", 400, params=account)
    tokens = frontend.ask("POST", "/token/", 200, json=account).json()
    assert tokens["token_type"] == "bearer"
    frontend.use(tokens["access_token"])


def days_ahead(days, year):
    """The date of a birth whose birthday is so many days from now."""
    day = datetime.now(UTC).date() + timedelta(days)
    return f"{year}-{day:%m-%d}" if (day.month, day.day) != (2, 29) else f"{year}-02-28"


def test_the_authenticated_contacts_api(frontend, another, nobody):
    nobody.assert_shut(*ROUTES)
    sign_up(frontend)
    card = {
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email": "ada@example.com",
        "phone_number": "+44 20 7946 0123",
        "birthday": days_ahead(3, 1987),
        "additional_info": "met in\nLondon",
    }
    ada = frontend.ask("POST", "/contacts/", 201, json=card).json()
    assert ada.keys() == UNION
    assert ada.items() >= card.items()
    grace = {**card, "first_name": "Grace", "last_name": "Hopper", "birthday": days_ahead(40, 1986)}
    grace = frontend.ask("POST", "/contacts", 201, json=grace).json()
    assert frontend.both("GET", "/contacts/", 200) == [ada, grace]
    assert frontend.both("GET", "/contacts/?skip=1&limit=1", 200) == [grace]
    assert frontend.both("GET", f"/contacts/{ada['id']}/", 200) == ada

    for query, found in {
        "query=lovel": [ada],
        "q=LOVELACE": [ada],
        "query=ada%20lond": [ada, grace],
        "query=0123&q=0123": [ada, grace],
        "query=": [ada, grace],
        "query=nobody": [],
    }.items():
        assert frontend.both("GET", f"/contacts/search/?{query}", 200) == found, query
    assert frontend.both("GET", "/contacts/birthdays/", 200) == [ada]

    edited = {**ada, "phone_number": "112", "additional_info": "moved"}
    now = frontend.ask("PUT", f"/contacts/{ada['id']}/", 200, json=edited).json()
    assert now == {**edited, "phone": "112"}
    frontend.ask("PUT", f"/contacts/{ada['id']}/", 422, json={"birthday": "yesterday"})

    sign_up(another)
    assert another.both("GET", "/contacts/", 200) == []
    for method, path in ROUTES[:3]:
        path = path.replace("/1/", f"/{ada['id']}/")
        another.ask(method, path, 404, json={"first_name": "M"} if method == "PUT" else None)
    assert frontend.both("GET", f"/contacts/{ada['id']}/", 200) == now

    gone = frontend.ask("DELETE", f"/contacts/{ada['id']}/", 200).json()
    assert gone.pop("message")
    assert gone == now
    frontend.ask("DELETE", f"/contacts/{ada['id']}/", 404)
    assert frontend.both("GET", "/contacts/birthdays/", 200) == []
