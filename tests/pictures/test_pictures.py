"""Pictures, wherever they are put: judged by decoding, redrawn, served where an `<img>` can load
them."""

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
from PIL import Image, PngImagePlugin

from contactapp.contacts import photo_rows, photos
from contactapp.pictures.service import ORPHAN_SECONDS
from contactapp.users import avatars
from tests.support.cast import Person, refused
from tests.support.pictures import Frame, encoded, load, picture

# What a picture is has nothing to do with the database.
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture(params=["avatar", "photo"])
def frame(request, alice):
    """Where Alice may put a picture, each place in turn."""
    return Frame(alice, request.param)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_shown_in_three_sizes(frame, kind):
    answer = frame.put(picture(kind))
    assert answer.status_code == 201, answer.text
    assert set(frame.urls(answer)) == {"64", "256", "512"}
    for size, url in frame.urls(answer).items():
        shown = load(frame.app, url)
        assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/webp")
        drawn = Image.open(BytesIO(shown.data))
        assert (drawn.size, drawn.format) == ((int(size), int(size)), "WEBP")
        red, green, _ = drawn.convert("RGB").getpixel((10, 10))
        assert red > 150
        assert green < 80
    assert frame.url() == frame.url(answer) == frame.urls(answer)["256"]


def test_the_file_may_be_the_body(frame):
    for type_ in ("image/png", "application/octet-stream"):
        assert frame.send(picture(), type_).status_code == 201
    answer = frame.person.put(frame.path, json={"file": "x"})
    assert refused(answer, 415, "unsupported_media_type")


# FI-4
def test_how_it_is_served(frame):
    url = frame.url(frame.put(picture(), name='q"uo\r\nte../../x' + "n" * 300))
    shown = load(frame.app, url)
    headers = shown.headers
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]
    assert headers["Content-Disposition"] == f'inline; filename="{frame.kind}.webp"'
    again = frame.app.test_client().get(
        urlsplit(url).path, headers={"If-None-Match": headers["ETag"], "Accept": "text/html"}
    )
    assert (again.status_code, again.data) == (304, b"")
    assert len(urlsplit(url).path.split("/")[-1]) == len("-256.webp") + 43


# FI-4
@pytest.mark.parametrize("name", ["x", "a" * 43 + "-64.webp", "..%2F..%2Fsecrets.env", "a-64.webp"])
def test_nothing_else_is_served(frame, name):
    assert frame.app.test_client().get(f"{frame.album.path}/{name}").status_code == 404


# FI-4
def test_a_picture_is_only_in_its_own_place(frame):
    name = urlsplit(frame.url(frame.put(picture()))).path.split("/")[-1]
    [other] = {"/media", "/media/photos"} - {frame.album.path}
    assert load(frame.app, f"{other}/{name}").status_code == 404


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
def test_a_flood_of_pixels_is_refused_by_its_header(frame, size):
    data = flood(*size)
    assert len(data) < 60_000
    frame.put(picture())  # Pillow is there
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = refused(frame.put(data), 422, "invalid_fields", "/file")
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
def test_what_is_compressed_beside_the_pixels_is_not_unfolded(frame, text, count):
    data = bloated(text, count)
    frame.put(picture())  # Pillow is there
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    assert frame.send(data).status_code == 201
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # KiB
    assert time.process_time() - begun < 1


# FI-1
def test_of_an_animation_the_first_frame_is_drawn(frame):
    frames = [Image.new("RGB", (50, 50), (250, 0, 0))]
    frames += [Image.new("RGB", (50, 50), (0, n % 256, 250)) for n in range(50)]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    shown = frame.shown(frame.url(frame.put(data)))
    assert getattr(shown, "n_frames", 1) == 1
    assert shown.convert("RGB").getpixel((20, 20))[0] > 200


# FI-2
@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "ICO", "PPM", "EPS", "PDF", "TGA"])
def test_other_formats_are_refused_whatever_they_are_called(frame, kind):
    body = refused(frame.put(picture(kind, (32, 32))), 422, "invalid_fields", "/file")
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
def test_what_is_no_picture_is_refused(frame, data):
    before = frame.files()
    refused(frame.put(data), 422, "invalid_fields", "/file")
    assert frame.files() == before


# FI-3
def test_nothing_of_the_file_but_the_picture_is_served(frame):
    marker = b"<script>alert('marker-77')</script>"
    exif = Image.Exif()
    exif[0x010E] = "marker-77"
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0)}
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "marker-77")
    uploads = [
        picture("JPEG", comment=marker, exif=exif, icc_profile=marker) + marker,
        picture("PNG", pnginfo=info, exif=exif) + marker,
        picture("WEBP", exif=exif, xmp=marker) + marker,
    ]
    for data in uploads:
        assert b"marker-77" in data
        for url in frame.urls(frame.put(data)).values():
            shown = load(frame.app, url).data
            assert b"marker-77" not in shown
            drawn = Image.open(BytesIO(shown))
            assert not drawn.getexif()
            assert not set(drawn.info) & {"exif", "xmp", "icc_profile", "comment"}


# FI-3
def test_the_orientation_is_applied(frame):
    image = Image.new("RGB", (100, 100), (0, 0, 250))
    image.paste((250, 0, 0), (0, 0, 100, 50))  # the upper half is red
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise: then the right half is
    url = frame.url(frame.put(encoded(image, "JPEG", quality=95, exif=exif)))
    drawn = frame.shown(url).convert("RGB")
    assert drawn.getpixel((230, 128))[0] > 200
    assert drawn.getpixel((20, 128))[2] > 200


# FI-3
def test_hostile_exif_is_no_500(frame):
    exif = Image.Exif()
    exif[0x0112] = 6
    raw = exif.tobytes()
    # Make, which is text, as a RATIONAL: the library cannot write it again.
    entry = struct.pack("<HHII", 0x010F, 5, 1, 8)
    data = picture("JPEG", exif=raw)
    hostile = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entry
    hostile += struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + bytes(4)
    head = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(hostile) + 2) + hostile
    assert frame.put(head + data[2:]).status_code == 201


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
def test_every_kind_of_pixel(frame, mode):
    image = Image.new(mode, (40, 40))
    data = encoded(image, "JPEG" if mode == "CMYK" else "PNG")
    assert frame.put(data).status_code == 201


# FI-6
@pytest.mark.parametrize("kind", ["avatar", "photo"])
def test_sizes_and_parts(engine, new_app, kind):
    frame = Frame(Person(new_app(engine, AVATAR_BYTES="20000"), "ann"), kind)
    big = picture() + bytes(30_000)
    refused(frame.put(big), 413, "body_too_large")
    refused(frame.send(big), 413, "body_too_large")
    two = {"file": [(BytesIO(picture()), "a.png"), (BytesIO(picture()), "b.png")]}
    refused(frame.person.put(frame.path, data=two), 422, "invalid_fields", "/file")
    none = {"other": (BytesIO(picture()), "a.png")}
    refused(frame.person.put(frame.path, data=none), 422, "invalid_fields", "/file")


# FI-6
def test_a_part_of_line_breaks_takes_no_time(alice):
    begun = time.monotonic()
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body = head + b"\r" + b"\r\n" * 2_000_000 + b"\r\n--b--\r\n"
    frame = Frame(alice, "avatar")
    answer = frame.send(body, "multipart/form-data; boundary=b")
    refused(answer, 422, "invalid_fields", "/file")
    assert time.monotonic() - begun < 20  # a quadratic parser takes minutes


def test_there_is_one_place_at_a_time_for_both(frame, monkeypatch):
    pool = frame.app.extensions["contactapp.pictures"]
    monkeypatch.setattr(pool, "_max_wait", 0.0)
    before = frame.files()
    with pool.place():
        refused(frame.put(picture()), 503, "unavailable")
    assert frame.files() == before


_CRASH = """
import os, sys
from io import BytesIO
from PIL import Image
from contactapp import create_app
from contactapp.books.service import book_at
from contactapp.config import load
from contactapp.contacts import photos
from contactapp.users import avatars
sys.path.insert(0, os.getcwd())
app = create_app(load(dict(pair.split("=", 1) for pair in sys.argv[5:]), environ={}))
killed = lambda *_: os._exit(9)  # between the files and the commit
avatars._store = photos.edit_contact = killed
out = BytesIO()
Image.new("RGB", (50, 50)).save(out, "PNG")
kind, user_id, book_id, contact_id = sys.argv[1], *map(int, sys.argv[2:5])
class Actor: user_id = user_id; key_id = 0; request_id = "x"
with app.app_context():
    if kind == "avatar":
        avatars.set_avatar(Actor, out.getvalue())
    else:
        photos.set_photo(Actor, book_at(book_id), contact_id, out.getvalue(), None)
"""


# FI-8
def test_a_crash_between_files_and_commit_leaves_the_old_picture(frame):
    app, alice = frame.app, frame.person
    url, before = frame.url(frame.put(picture())), frame.files()
    settings = app.extensions["contactapp.settings"]
    given = [
        f"INSTANCE_PATH={settings.instance_path}",
        f"DATABASE_URL={settings.database_url}",
    ]
    contact_id = frame.owner.rpartition("/")[2].replace("me", "0")
    whose = [frame.kind, str(alice.id), str(alice.book_id), contact_id]
    command = [sys.executable, "-c", _CRASH, *whose, *given]
    assert subprocess.run(command, check=False).returncode == 9
    orphans = frame.files() - before
    assert len(orphans) == 3
    assert frame.url() == url
    assert load(app, url).status_code == 200
    sweep = {"avatar": avatars.sweep, "photo": photo_rows.sweep}[frame.kind]
    with app.app_context():
        sweep()
        assert orphans <= frame.files()  # they could be those of somebody who is about to commit
        make_old(frame)
        assert sweep() >= 3
    assert not frame.files() & orphans
    assert load(app, url).status_code == 200


def make_old(frame):
    """As if all files of the kind had been written long ago."""
    folder = frame.app.extensions["contactapp.settings"].instance_path / frame.album.folder
    long_ago = time.time() - ORPHAN_SECONDS - 60
    for name in frame.files():
        os.utime(folder / name, (long_ago, long_ago))


def test_a_failing_commit_leaves_no_files(frame, monkeypatch):
    before = frame.files()

    def fail(*_):
        raise RuntimeError("no")

    monkeypatch.setattr(avatars, "_store", fail)
    monkeypatch.setattr(photos, "edit_contact", fail)
    assert frame.put(picture()).status_code == 500
    assert frame.files() == before
