"""Pictures: judged by decoding, redrawn, served where an `<img>` can load them."""

import os
import resource
import struct
import subprocess
import sys
import time
import zlib
from io import BytesIO
from urllib.parse import urlsplit

import pytest
import requests
from PIL import Image, PngImagePlugin

from contactapp.users import avatars
from tests.support.cast import Person, refused

AVATAR = "/users/me/avatar"


def encoded(image, kind, **options):
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def picture(kind="PNG", size=(300, 200), colour=(200, 30, 30), **options):
    return encoded(Image.new("RGB", size, colour), kind, **options)


def put(person, data, name="me.png", type_="image/png"):
    return person.put(AVATAR, data={"file": (BytesIO(data), name, type_)})


def files(app):
    folder = app.extensions["contactapp.settings"].instance_path / avatars.FOLDER
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def own_files(person):
    name = urlsplit(person.get("/users/me").json["avatar_url"]).path.split("/")[-1][:43]
    return {found for found in files(person.app) if found.startswith(name)}


def load(app, url):
    """What an `<img>` gets: no token, nothing but the address."""
    return app.test_client().get(urlsplit(url).path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_shown_in_three_sizes(alice, kind):
    answer = put(alice, picture(kind))
    assert answer.status_code == 201, answer.text
    assert set(answer.json["avatar_urls"]) == {"64", "256", "512"}
    for size, url in answer.json["avatar_urls"].items():
        shown = load(alice.app, url)
        assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/webp")
        drawn = Image.open(BytesIO(shown.data))
        assert (drawn.size, drawn.format) == ((int(size), int(size)), "WEBP")
        red, green, _ = drawn.convert("RGB").getpixel((10, 10))
        assert red > 150
        assert green < 80
    assert alice.get("/users/me").json["avatar_urls"] == answer.json["avatar_urls"]


def test_the_file_may_be_the_body(alice):
    for type_ in ("image/png", "application/octet-stream"):
        answer = alice.put(AVATAR, data=picture(), headers={"Content-Type": type_})
        assert answer.status_code == 201
    assert refused(alice.put(AVATAR, json={"file": "x"}), 415, "unsupported_media_type")


# FI-4
def test_how_it_is_served(alice):
    url = put(alice, picture(), name='q"uo\r\nte../../x' + "n" * 300).json["avatar_url"]
    shown = load(alice.app, url)
    headers = shown.headers
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert headers["Content-Disposition"] == 'inline; filename="avatar.webp"'
    again = alice.app.test_client().get(
        urlsplit(url).path, headers={"If-None-Match": headers["ETag"], "Accept": "text/html"}
    )
    assert (again.status_code, again.data) == (304, b"")
    assert len(urlsplit(url).path.split("/")[-1]) == len("-256.webp") + 43


# FI-4
@pytest.mark.parametrize("name", ["x", "a" * 43 + "-64.webp", "..%2F..%2Fsecrets.env", "a-64.webp"])
def test_nothing_else_is_served(alice, name):
    assert alice.app.test_client().get(f"/media/{name}").status_code == 404


def test_a_new_picture_takes_the_old_ones_place(alice):
    first = put(alice, picture()).json["avatar_url"]
    second = put(alice, picture(colour=(0, 0, 200))).json["avatar_url"]
    assert first != second
    assert load(alice.app, first).status_code == 404
    assert load(alice.app, second).status_code == 200
    assert len(own_files(alice)) == 3


def test_without_a_picture_there_are_initials(alice):
    alice.patch("/users/me", json={"full_name": "Élodie van den Berg"})
    shown = load(alice.app, alice.get("/users/me").json["avatar_url"])
    assert (shown.status_code, shown.headers["Content-Type"]) == (
        200,
        "image/svg+xml; charset=utf-8",
    )
    assert ">ÉB</text>" in shown.text
    put(alice, picture())
    kept = own_files(alice)
    assert alice.delete(AVATAR).status_code == 204
    assert not kept & files(alice.app)
    assert "initials" in alice.get("/users/me").json["avatar_url"]
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


def chunk(kind, data):
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def flood(width, height):
    """A tiny PNG that unfolds to width × height."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width // 8 + 2) * height), 9)
    png = b"\x89PNG\r\n\x1a\n"
    return png + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


# FI-1
@pytest.mark.parametrize("size", [(9400, 9500), (13_000, 13_000), (20_000, 700)])
def test_a_flood_of_pixels_is_refused_by_its_header(alice, size):
    data = flood(*size)
    assert len(data) < 60_000
    put(alice, picture())  # Pillow is there
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = refused(put(alice, data), 422, "invalid_fields", "/file")
    assert answer["errors"][0]["code"] == "image_too_large"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


def bloated(text, count):
    """A PNG of one small picture and many compressed texts."""
    whole = picture(size=(8, 8))
    itxt = b"\0\1\0\0\0" + zlib.compress(text, 9)
    texts = [chunk(b"iTXt", b"k%d" % n + itxt) for n in range(count)]
    return whole[:33] + b"".join(texts) + whole[33:]


# FI-1
@pytest.mark.parametrize(
    ("text", "count"),
    [("🜚".encode() + bytes(2**20 - 4), 64), (bytes(2**20 - 1) + b"\xff", 2000)],
    ids=["memory", "time"],
)
def test_what_is_compressed_beside_the_pixels_is_not_unfolded(alice, text, count):
    data = bloated(text, count)
    put(alice, picture())  # Pillow is there
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    answer = alice.put(AVATAR, data=data, headers={"Content-Type": "image/png"})
    assert answer.status_code == 201
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # KiB
    assert time.process_time() - begun < 1


# FI-1
def test_of_an_animation_the_first_frame_is_drawn(alice):
    frames = [Image.new("RGB", (50, 50), (250, 0, 0))]
    frames += [Image.new("RGB", (50, 50), (0, n % 256, 250)) for n in range(50)]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    shown = Image.open(BytesIO(load(alice.app, put(alice, data).json["avatar_url"]).data))
    assert getattr(shown, "n_frames", 1) == 1
    assert shown.convert("RGB").getpixel((20, 20))[0] > 200


# FI-2
@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "ICO", "PPM", "EPS", "PDF", "TGA"])
def test_other_formats_are_refused_whatever_they_are_called(alice, kind):
    body = refused(put(alice, picture(kind, (32, 32))), 422, "invalid_fields", "/file")
    assert body["errors"][0]["code"] == "invalid_image"


# FI-2
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<html><script>alert(1)</script></html>",
        b"8BPS" + bytes(100),
        picture()[:60],
        picture("JPEG", (400, 400))[:300],
        picture("WEBP", (400, 400))[:80],
        b"\xff\xd8\xff\xe0" + bytes(50),
    ],
)
def test_what_is_no_picture_is_refused(alice, data):
    before = files(alice.app)
    refused(put(alice, data), 422, "invalid_fields", "/file")
    assert files(alice.app) == before


# FI-3
def test_nothing_of_the_file_but_the_picture_is_served(alice):
    marker = b"<script>alert('marker-77')</script>"
    exif = Image.Exif()
    exif[0x010E] = "marker-77"
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0)}
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "marker-77")
    uploads = [
        picture("JPEG", comment=marker, exif=exif) + marker,
        picture("PNG", pnginfo=info, exif=exif) + marker,
        picture("WEBP", exif=exif, xmp=marker) + marker,
    ]
    for data in uploads:
        assert b"marker-77" in data
        for url in put(alice, data).json["avatar_urls"].values():
            shown = load(alice.app, url).data
            assert b"marker-77" not in shown
            drawn = Image.open(BytesIO(shown))
            assert not drawn.getexif()
            assert not set(drawn.info) & {"exif", "xmp", "icc_profile", "comment"}


# FI-3
def test_the_orientation_is_applied(alice):
    image = Image.new("RGB", (100, 100), (0, 0, 250))
    image.paste((250, 0, 0), (0, 0, 100, 50))  # the upper half is red
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise: then the right half is
    url = put(alice, encoded(image, "JPEG", quality=95, exif=exif)).json["avatar_url"]
    drawn = Image.open(BytesIO(load(alice.app, url).data)).convert("RGB")
    assert drawn.getpixel((230, 128))[0] > 200
    assert drawn.getpixel((20, 128))[2] > 200


# FI-3
def test_hostile_exif_is_no_500(alice):
    exif = Image.Exif()
    exif[0x0112] = 6
    raw = exif.tobytes()
    # Make, which is text, as a RATIONAL: the library cannot write it again.
    entry = struct.pack("<HHII", 0x010F, 5, 1, 8)
    data = picture("JPEG", exif=raw)
    hostile = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entry
    hostile += struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + bytes(4)
    head = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(hostile) + 2) + hostile
    assert put(alice, head + data[2:]).status_code == 201


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
def test_every_kind_of_pixel(alice, mode):
    image = Image.new(mode, (40, 40))
    data = encoded(image, "JPEG" if mode == "CMYK" else "PNG")
    assert put(alice, data).status_code == 201


# FI-6
def test_sizes_and_parts(engine, new_app):
    person = Person(new_app(engine, AVATAR_BYTES="20000"), "ann")
    big = picture() + bytes(30_000)
    refused(put(person, big), 413, "body_too_large")
    refused(
        person.put(AVATAR, data=big, headers={"Content-Type": "image/png"}), 413, "body_too_large"
    )
    two = {"file": [(BytesIO(picture()), "a.png"), (BytesIO(picture()), "b.png")]}
    refused(person.put(AVATAR, data=two), 422, "invalid_fields", "/file")
    none = {"other": (BytesIO(picture()), "a.png")}
    refused(person.put(AVATAR, data=none), 422, "invalid_fields", "/file")


# FI-6
def test_a_part_of_line_breaks_takes_no_time(alice):
    begun = time.monotonic()
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body = head + b"\r" + b"\r\n" * 2_000_000 + b"\r\n--b--\r\n"
    answer = alice.put(AVATAR, data=body, content_type="multipart/form-data; boundary=b")
    refused(answer, 422, "invalid_fields", "/file")
    assert time.monotonic() - begun < 20  # a quadratic parser takes minutes


_CRASH = """
import os, sys
from io import BytesIO
from PIL import Image
from contactapp import create_app
from contactapp.config import load
from contactapp.users import avatars
sys.path.insert(0, os.getcwd())
app = create_app(load(dict(pair.split("=", 1) for pair in sys.argv[3:]), environ={}))
avatars._store = lambda *_: os._exit(9)  # killed between the files and the commit
out = BytesIO()
Image.new("RGB", (50, 50)).save(out, "PNG")
class Actor: user_id = int(sys.argv[1]); key_id = 0; request_id = "x"
with app.app_context():
    avatars.set_avatar(Actor, out.getvalue())
"""


# FI-8
def test_a_crash_between_files_and_commit_leaves_the_old_picture(alice):
    app = alice.app
    url, before = put(alice, picture()).json["avatar_url"], files(alice.app)
    settings = app.extensions["contactapp.settings"]
    given = [
        f"INSTANCE_PATH={settings.instance_path}",
        f"DATABASE_URL={settings.database_url}",
    ]
    command = [sys.executable, "-c", _CRASH, str(alice.id), "x", *given]
    assert subprocess.run(command, check=False).returncode == 9
    orphans = files(app) - before
    assert len(orphans) == 3
    assert load(app, url).status_code == 200
    folder = settings.instance_path / avatars.FOLDER
    long_ago = time.time() - avatars.ORPHAN_SECONDS - 60
    with app.app_context():
        avatars.sweep()
        assert orphans <= files(app)  # they could be those of somebody who is about to commit
        for name in files(app):
            os.utime(folder / name, (long_ago, long_ago))
        assert avatars.sweep() >= 3
    assert not files(app) & orphans
    assert load(app, url).status_code == 200


def test_a_failing_commit_leaves_no_files(alice, monkeypatch):
    before = files(alice.app)

    def fail(*_):
        raise RuntimeError("no")

    monkeypatch.setattr(avatars, "_store", fail)
    assert put(alice, picture()).status_code == 500
    assert files(alice.app) == before
