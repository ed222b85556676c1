"""The contact management app, from its first page to the last."""

from tests.compat.frontend import PASSWORD, UNION

ROUTES = [
    ("GET", "/api/users/info"),
    ("GET", "/api/contacts/"),
    ("POST", "/api/contacts"),
    *[(method, "/api/contacts/1") for method in ("GET", "PUT", "DELETE")],
    *[(method, "/contacts/1") for method in ("PUT", "DELETE")],
]


def sign_up(frontend):
    account = {"username": frontend.name, "email": frontend.email, "password": PASSWORD}
    made = frontend.ask("POST", "/api/users/register", 201, json=account).json()
    assert (made["username"], made["email"]) == (frontend.name, frontend.email)
    told = frontend.ask("POST", "/api/users/register/", 409, json=account).json()
    assert "exists" in told["message"]
    login = {"email": frontend.email, "password": PASSWORD}
    token = frontend.ask("POST", "/api/users/login", 200, json=login).json()["accessToken"]
    frontend.ask("POST", "/api/users/login/", 401, json={**login, "password": "a wrong one"})
    frontend.use(token)
    info = frontend.both("GET", "/api/users/info", 200)
    assert (info["username"], info["email"]) == (frontend.name, frontend.email)
    assert PASSWORD not in str(info)


def test_the_contact_management_app(frontend, another, nobody):
    nobody.assert_shut(*ROUTES)
    sign_up(frontend)
    assert frontend.both("GET", "/api/contacts/", 200) == []

    card = {
        "name": "Mary  Ann van Dyke",
        "email": "mary@example.com",
        "phone": "1234567890",
        "custom_fields": {"Nickname": "MA", "Shoe size": 38},
    }
    made = frontend.ask("POST", "/api/contacts", 201, json=card).json()
    assert made.keys() == UNION
    assert made.items() >= card.items()
    one = f"/api/contacts/{made['id']}"
    assert frontend.both("GET", one, 200) == made
    second = frontend.ask("POST", "/api/contacts/", 201, json={"name": "Madonna"}).json()
    assert frontend.both("GET", "/api/contacts/", 200) == [made, second]

    # It sends the whole contact back, with what was typed over.
    card = {**made, "name": "Mary van Dyke", "custom_fields": {"Nickname": "M"}}
    now = frontend.ask("PUT", one, 200, json=card).json()
    assert now == {**card, "first_name": "Mary van", "last_name": "Dyke"}
    now = frontend.ask("PUT", f"/contacts/{made['id']}/", 200, json={"phone": "555"}).json()
    assert (now["phone"], now["name"], now["email"]) == ("555", "Mary van Dyke", card["email"])
    assert frontend.ask("GET", one, 200).json() == now

    sign_up(another)
    for method, path in ROUTES[3:]:
        path = path.replace("/1", f"/{made['id']}")
        another.ask(method, path, 404, json={"name": "Mallory"} if method == "PUT" else None)
    assert frontend.ask("GET", one, 200).json() == now

    gone = frontend.ask("DELETE", one, 200).json()
    assert gone.pop("message")
    assert gone == now
    frontend.ask("DELETE", f"/contacts/{second['id']}", 200)
    frontend.ask("GET", one, 404)
    frontend.ask("PUT", one, 404, json={"name": "Mary"})
    assert frontend.both("GET", "/api/contacts/", 200) == []
    told = frontend.ask("POST", "/api/contacts", 422, json={"email": "no address"}).json()
    assert told["message"].startswith("email: ")
