"""Somebody's account from the first day to the last, in a browser and with real letters."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import pytest
import requests
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import (
    staleness_of,
    visibility_of_element_located,
)
from selenium.webdriver.support.ui import WebDriverWait

from tests.support.server import Visitor

NEW = "an entirely different phrase"
SIZE = "return document.images.length && document.images[0].naturalWidth"


@pytest.fixture(scope="module")
def server(new_server, mailing):
    """As an operator runs it: with the job worker beside it, and links to itself."""
    given = {name: value for name, value in mailing.items() if name != "BASE_URL"}
    return new_server("sqlite", JOB_WORKER="true", **given)


@pytest.fixture
def frontend(tmp_path):
    """Serve a page from another origin; its address."""
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()

        def serve(html):
            (tmp_path / "page.html").write_text(html)
            return f"http://127.0.0.1:{web.server_port}/page.html"

        yield serve
        web.shutdown()
        thread.join()


def press(browser, password):
    """Type a password into the page and press its button; what the next page says."""
    field = browser.find_element(By.ID, "password")
    field.send_keys(password)
    browser.find_element(By.CSS_SELECTOR, "button").click()
    waiting = WebDriverWait(browser, 30)
    waiting.until(staleness_of(field))
    return waiting.until(visibility_of_element_located((By.CSS_SELECTOR, "[role]"))).text


def test_from_registration_to_deletion(server, post_office, chromium, frontend):
    browser, ann = chromium, Visitor(server.url, "ann")
    assert not ann.get("/users/me").json()["email_verified"]

    browser.get(post_office.wait(ann.user["email"]).link)
    assert not ann.get("/users/me").json()["email_verified"]  # opening it changes nothing
    assert press(browser, ann.password) == "Your address is confirmed. You can sign in."
    assert ann.get("/users/me").json()["email_verified"]

    picture = BytesIO()
    Image.new("RGB", (640, 480), (0, 120, 200)).save(picture, "JPEG")
    files = {"file": ("me.jpg", picture.getvalue(), "image/jpeg")}
    url = ann.request("PUT", "/users/me/avatar", files=files).json()["avatar_url"]
    browser.get(frontend(f"<img src='{url}'>"))
    WebDriverWait(browser, 30).until(lambda b: b.execute_script(SIZE) == 256)

    forgotten = {"email": ann.user["email"]}
    assert requests.post(f"{ann.url}/auth/password/forgot", json=forgotten, timeout=30).ok
    link = post_office.wait(ann.user["email"], subject="new password").link
    assert link.startswith(server.url)
    browser.get(link)
    assert press(browser, "12345678").startswith("This is one of the most used passwords.")
    told = press(browser, NEW)
    assert told.startswith("Your password was changed and all devices were signed out.")
    assert ann.get("/users/me").status_code == 401
    old = {"username": ann.name, "password": ann.password}
    assert requests.post(f"{ann.url}/auth/token", json=old, timeout=30).status_code == 401
    ann.password = NEW
    ann.sign_in()

    assert ann.request("DELETE", "/users/me", json={"password": NEW}).status_code == 204
    assert ann.get("/users/me").status_code == 401
    assert requests.get(url, timeout=30).status_code == 404
    again = requests.post(f"{ann.url}/auth/token", json={**old, "password": NEW}, timeout=30)
    assert again.status_code == 401
