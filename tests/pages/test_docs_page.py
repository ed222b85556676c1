"""The documentation pages in a real browser, against the real server."""

from __future__ import annotations

import json
import re
import secrets
from urllib.parse import urlsplit

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support import expected_conditions as ec
from selenium.webdriver.support.ui import WebDriverWait

from contactapp.errors import CODES

SECONDS = 30
USERS = "#operations-tag-users"
ME = ".opblock-get:has([data-path$='/users/me'])"


class Browser:
    """Chromium as a person uses it: look for a thing, click it, type into it."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver = driver
        self.url = url

    def open(self, path: str) -> None:
        self.driver.get(self.url + path)

    def _wait(self, condition):
        return WebDriverWait(self.driver, SECONDS).until(condition)

    def see(self, css: str):
        return self._wait(ec.visibility_of_element_located((By.CSS_SELECTOR, css)))

    def all(self, css: str) -> list:
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def click(self, css: str) -> None:
        element = self._wait(ec.element_to_be_clickable((By.CSS_SELECTOR, css)))
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def type(self, css: str, text: str) -> None:
        self.see(css).send_keys(text)

    def paste(self, css: str, text: str) -> None:
        self.see(css).click()
        self.driver.execute_cdp_cmd("Input.insertText", {"text": text})

    def authorize(self, filled: dict[str, str], by=None) -> None:
        """Fill inputs of Authorize, all of one form, by typing or otherwise, and send that form."""
        self.click(".auth-wrapper .btn.authorize")
        for css, text in filled.items():
            (by or self.type)(f".dialog-ux {css}", text)
        form = f".dialog-ux .auth-container:has({css})"
        self.click(f"{form} .btn.authorize")
        self.see(".dialog-ux button[aria-label='Remove authorization']")
        self.click(".dialog-ux .btn-done")

    def execute_users_me(self) -> str:
        """Execute the unfolded GET /users/me; return the status that the page shows."""
        self.click(f"{ME} .execute")
        return self.see(f"{ME} .live-responses-table tbody .response-col_status").text

    def assert_quiet(self) -> None:
        """Assert that the page broke no policy of its own and asked no other host."""
        assert self.driver.get_log("browser") == []
        messages = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        asked = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        addresses = [urlsplit(each["request"]["url"]) for each in asked]
        hosts = {each.netloc for each in addresses if each.scheme in {"http", "https", "ws", "wss"}}
        assert hosts == {urlsplit(self.url).netloc}


@pytest.fixture(scope="session")
def live_server(new_server):
    """The pages do not know the database, so one engine is enough."""
    return new_server("sqlite")


@pytest.fixture
def browser(live_server, chromium):
    chromium.get("about:blank")  # a page of another test may still ask its server for something
    everything = {"origin": live_server.url, "storageTypes": "all"}
    chromium.execute_cdp_cmd("Storage.clearDataForOrigin", everything)
    for log in ("browser", "performance"):
        chromium.get_log(log)  # of the test before
    yield Browser(chromium, live_server.url)
    chromium.get("about:blank")


@pytest.fixture
def account(live_server):
    """Someone who has registered: what they would type to sign in."""
    name = "reader" + secrets.token_hex(4)
    person = {
        "username": name,
        "email": f"{name}@example.org",
        "password": "a hedgehog reads " + secrets.token_hex(4),
    }
    answer = requests.post(f"{live_server.url}/api/v1/auth/register", json=person, timeout=SECONDS)
    assert answer.status_code == 201
    return person


# Each load of the page takes seconds of a processor.
def test_a_sign_in_survives_a_reload_by_the_token_and_not_the_password(browser, account):
    browser.open("/docs")
    browser.authorize(
        {"#oauth_username": account["username"], "#oauth_password": account["password"]}
    )
    browser.click(USERS)
    browser.click(f"{ME} .opblock-summary-control")
    assert len(browser.all(".opblock-tag")) > 10
    assert browser.driver.title == "contactapp API"
    assert browser.execute_users_me() == "200"
    browser.driver.refresh()  # the address names the operation, so it unfolds by itself
    assert browser.execute_users_me() == "200"
    browser.assert_quiet()
    kept = browser.driver.execute_script("return JSON.stringify({...localStorage})")
    assert "access_token" in kept
    assert account["password"] not in kept


def test_a_token_can_be_pasted(browser, live_server, account):
    answer = requests.post(
        f"{live_server.url}/api/v1/auth/token",
        json={"email": account["email"], "password": account["password"]},
        timeout=SECONDS,
    )
    browser.open("/docs")
    token = " bearer  Bearer " + answer.json()["access_token"]  # as people paste it, at worst
    browser.authorize({"#auth-bearer-value": token}, by=browser.paste)
    browser.click(USERS)
    browser.click(f"{ME} .opblock-summary-control")
    assert browser.execute_users_me() == "200"
    browser.driver.refresh()
    assert browser.execute_users_me() == "200"
    browser.assert_quiet()


def test_the_error_page_names_every_code(browser):
    browser.open("/docs/errors")
    browser.see("table")
    assert {row.get_attribute("id") for row in browser.all("tbody tr")} == set(CODES)
    browser.assert_quiet()


# HD-1
@pytest.mark.parametrize("path", ["/docs", "/docs/", "/docs/errors", "/docs/errors/"])
def test_a_page_brings_a_policy_without_inline_code(live_server, path):
    answer = requests.get(live_server.url + path, allow_redirects=False, timeout=SECONDS)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_files_of_a_page_are_kept_for_good(live_server):
    page = requests.get(f"{live_server.url}/docs", timeout=SECONDS).text
    files = re.findall(r'"(/docs/static/[^"]+)"', page)
    assert len(files) == 5
    for file in files:
        answer = requests.get(live_server.url + file, timeout=SECONDS)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Type"].partition(";")[0] in {
            "text/javascript",
            "text/css",
            "image/png",
        }


@pytest.mark.parametrize("path", ["0000000000000000/docs.js", "x/routes.py", "x/..%2Froutes.py"])
def test_nothing_else_is_served_as_a_file(live_server, path):
    answer = requests.get(f"{live_server.url}/docs/static/{path}", timeout=SECONDS)
    assert answer.status_code == 404
