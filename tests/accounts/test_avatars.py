"""One's own picture, and initials where there is none."""

import pytest
import requests

from tests.support.pictures import AVATAR, Frame, files, load, own_files, picture


@pytest.fixture
def avatar(alice):
    return Frame(alice, "avatar")


def test_a_new_picture_takes_the_old_ones_place(avatar):
    first = avatar.url(avatar.put(picture()))
    second = avatar.url(avatar.put(picture(colour=(0, 0, 200))))
    assert first != second
    assert load(avatar.app, first).status_code == 404
    assert load(avatar.app, second).status_code == 200
    assert len(avatar.own_files()) == 3


def test_without_a_picture_there_are_initials(alice, avatar):
    alice.patch("/users/me", json={"full_name": "Élodie van den Berg"})
    shown = load(alice.app, avatar.url())
    assert (shown.status_code, shown.headers["Content-Type"]) == (
        200,
        "image/svg+xml; charset=utf-8",
    )
    assert ">ÉB</text>" in shown.text
    avatar.put(picture())
    kept = own_files(alice)
    assert alice.delete(AVATAR).status_code == 204
    assert not kept & files(alice.app)
    assert "initials" in avatar.url()
    assert alice.delete(AVATAR).status_code == 204


def test_initials_of_any_script_are_sent_by_the_real_server(live_server):
    ann = live_server.person("ann")
    ann.request("PATCH", "/users/me", json={"full_name": "Жанна Žižková 漢"})
    url = ann.get("/users/me").json()["avatar_url"]
    shown = requests.get(url, timeout=30)
    assert (shown.status_code, "Ж漢</text>" in shown.text) == (200, True)
    assert shown.headers["ETag"].isascii()


@pytest.mark.parametrize("text", ["%3Cs", "%22%3E", "abc", "%26"])
def test_initials_are_letters(client, text):
    assert client.get(f"/media/initials/{text}-1.svg").status_code == 404
