"""Picture files, and the two places where they can be put."""

from __future__ import annotations

from io import BytesIO
from urllib.parse import urlsplit

from PIL import Image

from contactapp.pictures.service import AVATARS, PHOTOS

AVATAR = "/users/me/avatar"
PNG = {"Content-Type": "image/png"}


def encoded(image, kind, **options):
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def picture(kind="PNG", size=(300, 200), colour=(200, 30, 30), **options):
    return encoded(Image.new("RGB", size, colour), kind, **options)


def files(app, album=AVATARS):
    folder = app.extensions["contactapp.settings"].instance_path / album.folder
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def files_at(app, url, album=AVATARS):
    """The files of the picture that has this address."""
    name = urlsplit(url).path.split("/")[-1][:43]
    return {found for found in files(app, album) if found.startswith(name)}


def own_files(person):
    return files_at(person.app, person.get("/users/me").json["avatar_url"])


def load(app, url):
    """What an `<img>` gets: no token, nothing but the address."""
    return app.test_client().get(urlsplit(url).path)


class Frame:
    """Where a person may put a picture: `avatar`, their own, or `photo`, of a contact of theirs."""

    def __init__(self, person, kind):
        self.person, self.app, self.kind = person, person.app, kind
        self.album = {"avatar": AVATARS, "photo": PHOTOS}[kind]
        self.owner = "/users/me"
        if kind == "photo":
            self.owner = f"/contacts/{person.contact()['id']}"
        self.path = f"{self.owner}/{kind}"

    def put(self, data, name="me.png", type_="image/png"):
        return self.person.put(self.path, data={"file": (BytesIO(data), name, type_)})

    def send(self, data, type_="image/png"):
        """The file as the body."""
        return self.person.put(self.path, data=data, headers={"Content-Type": type_})

    def url(self, answer=None):
        """Where the picture is, as an answer says it or whom it belongs to."""
        found = (answer or self.person.get(self.owner)).json
        return found[f"{self.kind}_url"]

    def urls(self, answer):
        return answer.json[f"{self.kind}_urls"]

    def shown(self, url):
        """The picture at an address, decoded."""
        return Image.open(BytesIO(load(self.app, url).data))

    def files(self):
        return files(self.app, self.album)

    def own_files(self):
        return files_at(self.app, self.url(), self.album)
