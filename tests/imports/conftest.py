"""Files, and how they are sent."""

from io import BytesIO

import pytest
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from contactapp.database import Sql, lane
from contactapp.jobs import service as jobs
from contactapp.jobs.worker import do
from contactapp.worker import HANDLERS, LAST_WORDS
from tests.support.cast import Person
from tests.support.stored import set_user

_PENDING = Sql("SELECT id FROM job WHERE kind = 'import.run' AND status = 'pending' ORDER BY id")


def send(person, data, query="", name="contacts.vcf", **form):
    """POST a file."""
    options = {name: form.pop(name, None) for name in ("headers", "environ_overrides")}
    # The client's own encoder puts a large file into one on the disk.
    boundary, body = encode_multipart({**form, "file": FileStorage(BytesIO(data), name)})
    kind = f"multipart/form-data; boundary={boundary}"
    return person.post(f"/imports{query}", data=body, content_type=kind, **options)


def sent(person, data, *arguments, **form):
    """What became of a file that is done in the request."""
    answer = send(person, data, *arguments, **form)
    assert answer.status_code == 200, answer.text
    return answer.json


def counts(found):
    return tuple(found[name] for name in ("read", "created", "updated", "skipped", "rejected"))


def card(n, **more):
    """A vCard: of a person with this number."""
    lines = {"UID": f"11111111-0000-4000-8000-{n:012}", "FN": f"Ada {n}", "N": f"{n};Ada;;;"}
    lines |= {"EMAIL": f"ada{n}@example.com", **more}
    text = "".join(f"{name}:{value}\r\n" for name, value in lines.items() if value)
    return f"BEGIN:VCARD\r\nVERSION:3.0\r\n{text}END:VCARD\r\n".encode()


def work(app):
    """Do the imports that wait."""
    with app.app_context():
        while rows := lane().all(_PENDING):
            for (job_id,) in rows:
                if job := jobs.claim(job_id):
                    do(job, HANDLERS, LAST_WORDS)


def export(person, query="format=vcard"):
    answer = person.get(f"/exports?{query}")
    assert answer.status_code == 200, answer.text
    return answer.data


@pytest.fixture
def owner(app):
    """Somebody with an empty book and no limit."""
    person = Person(app, "olga")
    set_user(app, person.id, contact_limit=0)
    return person
