"""POST /imports: small files, done in the request."""

import base64
import csv
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from io import BytesIO
from time import perf_counter
from types import SimpleNamespace

import pytest

from contactapp.imports import pictures, service
from tests.imports.conftest import card, counts, export, send, sent, work
from tests.support.cast import Person, refused
from tests.support.pictures import PHOTOS, files, picture
from tests.support.stored import book_state, set_user

THREE = b"".join(map(card, range(3)))
ABSENT = 2**52


def rows(person, found, action="create,update,skip,reject"):
    return person.get(f"/imports/{found['id']}?action={action}&limit=500").json["rows"]


# OB-2
def test_a_file_is_imported_as_one_operation_and_undone(owner):
    found = sent(owner, THREE)
    assert (found["status"], found["format"], found["mode"]) == ("done", "vcard", "commit")
    assert (counts(found), found["progress"]) == ((3, 3, 0, 0, 0), 1.0)
    items = owner.get("/contacts?sort=email").json["items"]
    assert [item["email"] for item in items] == [f"ada{n}@example.com" for n in range(3)]
    assert [row["contact_id"] for row in rows(owner, found)] == [item["id"] for item in items]
    operation = owner.get(f"/operations/{found['operation_id']}").json
    assert (operation["kind"], operation["count"]) == ("import", 3)
    assert owner.post(f"/operations/{found['operation_id']}/undo").status_code == 200
    assert book_state(owner).live == 0


def test_the_same_file_again_changes_nothing(owner):
    sent(owner, THREE)
    before = book_state(owner)
    for policy in ("skip", "update", "create"):
        found = sent(owner, THREE, on_duplicate=policy)
        assert counts(found) == (3, 0, 0, 3, 0), policy
        assert found["operation_id"] is None
    assert book_state(owner) == before


def test_the_same_file_without_uids_changes_nothing_either(owner):
    file = b"First Name,E-mail\nAda,ada@example.com\nEve,eve@example.com\nEve,eve@example.com\n"
    assert counts(sent(owner, file, name="a.csv")) == (3, 2, 0, 1, 0)
    assert counts(sent(owner, file, name="a.csv", on_duplicate="update")) == (3, 0, 0, 3, 0)
    assert owner.get("/contacts").json["total"] == 2


def test_contacts_that_are_alike_but_for_their_uids_are_all_made(owner):
    alike = card(1, EMAIL="a@example.com", FN="A", N="A;;;;")
    alike += card(2, EMAIL="a@example.com", FN="A", N="A;;;;")
    assert counts(sent(owner, alike)) == (2, 2, 0, 0, 0)
    assert counts(sent(owner, alike, on_duplicate="create")) == (2, 0, 0, 2, 0)


def test_a_duplicate_is_skipped_updated_or_made_anew_as_asked(owner):
    sent(owner, card(1, TITLE="old", NOTE="one"))
    new = card(1, TITLE="new", NOTE="two")
    assert counts(sent(owner, new)) == (1, 0, 0, 1, 0)
    found = sent(owner, new, on_duplicate="update")
    assert counts(found) == (1, 0, 1, 0, 0)
    [contact] = owner.get("/contacts").json["items"]
    assert (contact["title"], contact["version"]) == ("new", 2)
    notes = owner.get(f"/contacts/{contact['id']}/notes?sort=id").json["items"]
    assert [note["body"] for note in notes] == ["one", "two"]
    assert counts(sent(owner, new, on_duplicate="update")) == (1, 0, 0, 1, 0)
    assert counts(sent(owner, card(1, TITLE="third"), on_duplicate="create")) == (1, 1, 0, 0, 0)
    assert owner.get("/contacts").json["total"] == 2
    assert owner.post(f"/operations/{found['operation_id']}/undo").status_code == 200
    assert owner.get(f"/contacts/{contact['id']}").json["title"] == "old"


def test_an_update_clears_nothing_that_the_file_does_not_have(owner):
    sent(owner, card(1, TITLE="here", ROLE="kept"))
    made = owner.get("/contacts").json["items"][0]
    owner.patch(f"/contacts/{made['id']}", json={"starred": True, "custom_fields": {"a": 1}})
    sent(owner, card(1, ORG="Acme"), on_duplicate="update")
    [now] = owner.get("/contacts").json["items"]
    assert (now["title"], now["starred"], now["custom_fields"]) == ("here", True, {"a": 1})
    assert now["company"] == "Acme"
    assert b"ROLE:kept" in export(owner)


# CC-2
def test_the_limit_is_honoured_exactly(owner):
    set_user(owner.app, owner.id, contact_limit=4)
    owner.contact()
    found = sent(owner, b"".join(map(card, range(5))))
    assert counts(found) == (5, 3, 0, 0, 2)
    assert [row["reason"] for row in found["rows"]] == ["contact_limit_reached"] * 2
    assert book_state(owner)[2:] == (4, 4)
    assert owner.get(f"/imports/{found['id']}/rejected").data == card(3) + card(4)
    # A photo is drawn before it shows that there is no room.
    before = files(owner.app, PHOTOS)
    photo = base64.b64encode(picture()).decode()
    found = sent(owner, card(5, **{"PHOTO;ENCODING=b;TYPE=PNG": photo}))
    assert (found["rejected"], files(owner.app, PHOTOS)) == (1, before)


def at_once(*deeds):
    """What each of them returns, when all are done side by side."""
    with ThreadPoolExecutor(len(deeds)) as pool:
        return [one.result() for one in [pool.submit(deed) for deed in deeds]]


# CC-2
def test_the_limit_is_exact_when_many_import_and_create_at_once(owner):
    set_user(owner.app, owner.id, contact_limit=10)
    files = [b"".join(card(10 * n + m, UID="") for m in range(4)) for n in range(3)]
    imports = [partial(sent, owner, file) for file in files]
    creates = [partial(owner.post, "/contacts", json={"nickname": "n"})] * 5
    found = at_once(*imports, *creates)
    created = sum(one["created"] for one in found[:3])
    assert created + [answer.status_code for answer in found[3:]].count(201) == 10
    assert created + sum(one["rejected"] for one in found[:3]) == 12
    assert book_state(owner)[2:] == (10, 10)


# FI-6
def test_the_same_file_twice_at_once_is_there_once(owner, app):
    other = Person(app, "otto")
    found = at_once(*[partial(sent, person, THREE) for person in (owner, owner, other)])
    assert sorted(map(counts, found[:2])) == [(3, 0, 0, 3, 0), (3, 3, 0, 0, 0)]
    assert counts(found[2]) == (3, 3, 0, 0, 0)
    assert book_state(owner)[2:] == book_state(other)[2:] == (3, 3)
    # A UID is one contact's alone; the other keeps it for its files.
    assert export(owner) == export(other)


def test_what_is_wrong_is_told_with_its_line_and_field(owner):
    file = card(0) + card(1, EMAIL="nobody", TEL="x") + b"nonsense\r\n" + card(2, UID="")
    found = sent(owner, file)
    assert counts(found) == (4, 2, 0, 0, 2)
    wrong, outside = found["rows"]
    assert (wrong["line"], wrong["end"], wrong["name"]) == (8, 15, "1")
    told = {(problem["pointer"], problem["code"]) for problem in wrong["problems"]}
    assert told == {("/emails/0/value", "invalid_email"), ("/phones/0/value", "invalid_phone")}
    assert (outside["line"], outside["reason"]) == (16, "outside_card")
    rejected = owner.get(f"/imports/{found['id']}/rejected")
    assert b"EMAIL:nobody" in rejected.data
    assert b"ada0" not in rejected.data
    mended = rejected.data.replace(b"nobody", b"a@b.example").replace(b"TEL:x", b"TEL:123")
    assert counts(sent(owner, mended))[:2] == (2, 1)


@pytest.mark.parametrize(
    ("name", "file", "rejected"),
    [
        (
            "a.csv",
            b'First Name,E-mail,Street\nAda,a@b.example,"x\ny"\nEve,eve,"1\n2"\n',
            b'\xef\xbb\xbfFirst Name,E-mail,Street\nEve,eve,"1\n2"\n',
        ),
        (
            "a.csv",
            b"sep=;\nFirst Name;E-mail\nAda;a@b.example\nEve;eve\n",
            b"\xef\xbb\xbfsep=;\nFirst Name;E-mail\nEve;eve\n",
        ),
        (
            "a.json",
            b'[{"first_name":"Ada"},{"email":"eve"},{"first_name":"Bob"}]',
            b'[\n{"email":"eve"}\n]\n',
        ),
    ],
)
def test_the_rejected_rows_are_a_file_of_the_same_format(owner, name, file, rejected):
    found = sent(owner, file, name=name)
    assert found["rejected"] == 1
    assert owner.get(f"/imports/{found['id']}/rejected").data == rejected


def test_what_is_left_out_of_a_row_is_told(owner):
    people = [
        {"nickname": "a", "uid": "x" * 300},
        {"nickname": "b", "uid": "x\u0007"},
        {"nickname": "c", "vcard": [f"X-A:{'a' * 70_000}", "ROLE:kept", "UID:other"]},
        {"nickname": "d", "notes": ["n"] * 1001},
    ]
    found = sent(owner, json.dumps(people).encode(), name="a.json")
    assert counts(found) == (4, 3, 0, 0, 1)
    told = [[one["pointer"] for one in row["problems"]] for row in rows(owner, found)]
    assert told == [["/uid"], ["/uid"], ["/vcard"], ["/notes"]]
    assert b"ROLE:kept" in export(owner)
    assert b"UID:other" not in export(owner)
    assert b"X-A" not in export(owner)


def test_nothing_that_was_rejected_is_404(owner):
    refused(owner.get(f"/imports/{sent(owner, THREE)['id']}/rejected"), 404, "not_found")


def test_a_preview_changes_nothing_and_says_what_would_happen(owner):
    sent(owner, card(1))
    known = owner.contact(first_name="Ada", last_name="5", email="ADA5@example.com")
    before = book_state(owner)
    file = card(1, TITLE="new") + card(5, UID="") + card(6) + card(7, EMAIL="x")
    found = sent(owner, file, "?dry_run=true", on_duplicate="update")
    assert (found["status"], found["mode"]) == ("previewed", "preview")
    assert counts(found) == (4, 2, 1, 0, 1)
    assert book_state(owner) == before
    assert [row["action"] for row in found["rows"]] == ["update", "create", "create", "reject"]
    assert (found["rows"][0]["reason"], found["rows"][0]["duplicates"]) == ("same_uid", [])
    [alike] = found["rows"][1]["duplicates"]
    assert alike["contact_id"] == known["id"]
    assert {"same_email", "same_name"} <= set(alike["reasons"])


def test_a_preview_is_committed_row_by_row(owner):
    known = owner.contact(first_name="Known")
    found = sent(owner, b"".join(map(card, range(4))), mode="preview")
    decisions = [
        {"row": 1, "action": "skip"},
        {"row": 2, "action": "update", "contact_id": known["id"]},
        {"row": 3, "action": "update", "contact_id": ABSENT},
    ]
    answer = owner.post(f"/imports/{found['id']}/commit", json={"decisions": decisions})
    assert counts(answer.json) == (4, 1, 1, 1, 1), answer.text
    assert counts(owner.get(f"/imports/{found['id']}").json) == (4, 1, 1, 1, 1)
    assert answer.json["rows"][0]["reason"] == "not_found"
    assert owner.get(f"/contacts/{known['id']}").json["email"] == "ada1@example.com"
    again = owner.post(f"/imports/{found['id']}/commit", json={})
    refused(again, 409, "not_previewed")
    refused(owner.post(f"/imports/{found['id']}/cancel"), 409, "import_is_over")


def test_of_two_who_commit_a_preview_at_once_one_does(owner, monkeypatch):
    path = f"/imports/{sent(owner, THREE, mode='preview')['id']}/commit"
    inner, others = service.check_decisions, []

    def meanwhile(*arguments):
        if not others:
            others.append(None)
            assert owner.post(path, json={}).json["created"] == 3
        inner(*arguments)

    monkeypatch.setattr(service, "check_decisions", meanwhile)
    refused(owner.post(path, json={}), 409, "not_previewed")
    assert counts(owner.get(path.removesuffix("/commit")).json) == (3, 3, 0, 0, 0)


def test_a_decision_is_about_a_row_and_there_is_one(owner):
    path = f"/imports/{sent(owner, THREE, mode='preview')['id']}/commit"
    decisions = [{"row": row, "action": "skip"} for row in (3, 4, 3)]
    answer = owner.post(path, json={"decisions": decisions})
    refused(answer, 422, "invalid_fields")
    told = [(error["pointer"], error["code"]) for error in answer.json["errors"]]
    assert told == [("/decisions/1/row", "not_found"), ("/decisions/2/row", "repeated")]
    assert counts(owner.post(path, json={"decisions": decisions[:1]}).json) == (3, 2, 0, 1, 0)


def test_a_cancelled_preview_is_not_committed(owner):
    path = f"/imports/{sent(owner, THREE, mode='preview')['id']}"
    assert owner.post(f"{path}/cancel").json["status"] == "cancelled"
    refused(owner.post(f"{path}/commit", json={}), 409, "not_previewed")
    assert book_state(owner).live == 0


def test_what_no_field_holds_comes_back_and_is_shown_to_nobody(owner):
    file = card(1, **{"X-KIND": "rare", "IMPP": "xmpp:a@b"})
    found = sent(owner, file)
    path = f"/contacts/{rows(owner, found)[0]['contact_id']}"
    for shown in (path, f"{path}/history", "/changes", "/audit?entity=contact"):
        assert "rare" not in owner.get(shown).text, shown
    assert b"X-KIND:rare\r\nIMPP:xmpp:a@b\r\n" in export(owner)


def test_the_files_own_uid_is_the_contacts_where_it_is_free(owner, bob):
    sent(owner, card(77) + card(78, UID="not-a-uuid"))
    first, second = owner.get("/contacts?sort=email").json["items"]
    assert first["uid"] == "11111111-0000-4000-8000-000000000077"
    assert second["uid"] != "not-a-uuid"
    assert b"UID:not-a-uuid\r\n" in export(owner)
    sent(bob, card(77))
    [taken] = bob.get("/contacts").json["items"]
    assert taken["uid"] != first["uid"]
    assert b"UID:11111111-0000-4000-8000-000000000077\r\n" in export(bob)
    assert counts(sent(bob, card(77))) == (1, 0, 0, 1, 0)


def test_photos_are_redrawn_and_a_wrong_one_keeps_nobody_out(owner):
    photo = base64.b64encode(picture(size=(30, 20))).decode()
    good = card(1, **{"PHOTO;ENCODING=b;TYPE=PNG": photo})
    found = sent(owner, good + card(2, **{"PHOTO;ENCODING=b;TYPE=PNG": "bm9uZQ=="}))
    assert counts(found) == (2, 2, 0, 0, 0)
    first, second = rows(owner, found)
    assert owner.get(f"/contacts/{first['contact_id']}/photo").status_code == 200
    assert owner.get(f"/contacts/{second['contact_id']}/photo").status_code == 404
    assert [problem["pointer"] for problem in second["problems"]] == ["/photo"]
    assert counts(sent(owner, good, on_duplicate="update")) == (1, 0, 0, 1, 0)
    other = base64.b64encode(picture(colour=(0, 0, 99))).decode()
    again = good.replace(photo.encode(), other.encode())
    before = owner.get(f"/contacts/{first['contact_id']}").json["photo_url"]
    assert counts(sent(owner, again, on_duplicate="update")) == (1, 0, 1, 0, 0)
    now = owner.get(f"/contacts/{first['contact_id']}").json["photo_url"]
    assert now not in (None, before)
    assert counts(sent(owner, export(owner), on_duplicate="update")) == (2, 0, 0, 2, 0)


def test_a_photo_that_is_too_large_is_left_out(owner, monkeypatch):
    monkeypatch.setattr(pictures, "settings", lambda: SimpleNamespace(avatar_bytes=20))
    photo = base64.b64encode(picture()).decode()
    found = sent(owner, card(1, **{"PHOTO;ENCODING=b;TYPE=PNG": photo}))
    [row] = rows(owner, found)
    assert [(one["pointer"], one["code"]) for one in row["problems"]] == [
        ("/photo", "image_too_large")
    ]
    assert owner.get(f"/contacts/{row['contact_id']}").json["photo_url"] is None


def test_no_two_contacts_of_a_file_have_one_uid(owner):
    for title in ("one", "other"):
        sent(owner, card(1, UID="not-a-uuid", TITLE=title), on_duplicate="create")
    uids = [line for line in export(owner).splitlines() if line.startswith(b"UID:")]
    assert len(set(uids)) == 2
    assert b"UID:not-a-uuid" in uids


def test_columns_may_be_mapped(owner):
    file = b"Wer;Mail;Ort\nAda;ada@example.com;Bern\n"
    mapping = '{"Wer": "first_name", "Mail": "email:work", "Ort": "address.city:home"}'
    sent(owner, file, name="a.csv", mapping=mapping)
    [ada] = owner.get("/contacts").json["items"]
    assert (ada["first_name"], ada["emails"][0]["label"]) == ("Ada", "work")
    assert ada["addresses"][0]["city"] == "Bern"


@pytest.mark.parametrize(
    ("form", "status", "code", "pointer"),
    [
        ({"mode": "try"}, 422, "invalid_fields", "/mode"),
        ({"on_duplicate": "merge"}, 422, "invalid_fields", "/on_duplicate"),
        ({"format": "xml"}, 422, "invalid_fields", "/format"),
        ({"mapping": "[]"}, 422, "invalid_fields", "/mapping"),
        ({"mapping": "{", "format": "csv"}, 422, "invalid_fields", "/mapping"),
        ({"mapping": '{"x": "y"}', "format": "csv"}, 422, "invalid_fields", "/file"),
        ({"mapping": "{}"}, 422, "invalid_fields", "/mapping"),
        ({"other": "1"}, 422, "invalid_fields", "/other"),
        ({"format": "json"}, 422, "invalid_fields", "/file"),
    ],
)
def test_what_cannot_be_is_refused_and_named(owner, form, status, code, pointer):
    refused(send(owner, THREE, **form), status, code, pointer)
    assert owner.get("/imports").json["total"] == 0


def test_a_file_that_tells_nothing_must_say_its_format(owner):
    refused(send(owner, b"hello", name="x"), 422, "invalid_fields", "/format")
    refused(send(owner, b"", name="x"), 422, "invalid_fields", "/format")
    refused(owner.post("/imports", data={"mode": "commit"}), 415, "unsupported_media_type")
    refused(owner.post("/imports", json={}), 415, "unsupported_media_type")


# AZ-2, AZ-3, AZ-4
def test_imports_are_their_uploaders_alone(cast):
    book = f"?book={cast.alice.book_id}"
    made = sent(cast.carol, THREE, book, mode="preview")
    one = f"/imports/{made['id']}"
    assert cast.carol.get(f"{one}{book}").json["rows_total"] == 3
    for person in (cast.alice, cast.bob, cast.admin):
        for method, end in (("GET", ""), ("GET", "/rejected"), ("POST", "/cancel")):
            refused(person.request(method, f"{one}{end}"), 404, "not_found")
        refused(person.post(f"{one}/commit", json={}), 404, "not_found")
    for person in (cast.bob, cast.admin):
        refused(send(person, THREE, book), 404, "not_found")
    refused(send(cast.eve, THREE, book), 403, "read_only_book")
    refused(cast.carol.get(one), 404, "not_found")  # not in her own book
    assert cast.alice.get("/imports").json["items"] == []
    assert book_state(cast.alice).live == 0
    done = cast.carol.post(f"{one}/commit{book}", json={})
    assert counts(done.json) == (3, 3, 0, 0, 0)
    assert book_state(cast.alice)[2:] == (3, 3)
    assert cast.alice.get("/contacts").json["items"][0]["created_by"] == cast.carol.id


@cache
def packed():
    """A gigabyte of zeros in a megabyte."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("../contacts.vcf", "w") as entry:
            for _ in range(64):
                entry.write(bytes(2**20))
        archive.writestr("contacts.vcf", THREE)
    return out.getvalue()


# FI-5, which says 422: nothing is unpacked here, so there is nothing in it to judge
@pytest.mark.parametrize("format_", [{}, {"format": "vcard"}, {"format": "csv"}])
@pytest.mark.parametrize("name", ["contacts.vcf", "contacts.zip", "../../x.csv"])
def test_an_archive_is_not_unpacked(owner, name, format_):
    tar = b"a.vcf" + bytes(252) + b"ustar\x0000" + bytes(250) + THREE
    for start in (packed(), tar, b"\x1f\x8b\x08\x00" + bytes(99), b"7z\xbc\xaf\x27\x1c"):
        refused(send(owner, start, name=name, **format_), 415, "unsupported_media_type")
    assert owner.get("/imports").json["total"] == 0


# FI-6
@pytest.mark.parametrize("start", [b"\r\n", b"\r", b"\n", b"\r\n--"])
def test_a_part_of_line_ends_takes_no_time(owner, start):
    before = perf_counter()
    answer = send(owner, start + start[:1] * 600_000, name="x.vcf", format="vcard")
    assert perf_counter() - before < 5
    assert answer.json["created"] == 0


# FI-6
def test_rows_that_are_no_csv_are_told_and_the_others_taken(owner):
    file = b'First Name,E-mail\nAda,ada@example.com\n"half,a@b\n'
    file += b"x" * 200_000 + b",b@c\nEve,e@f.example\n"
    found = sent(owner, file, name="a.csv")
    assert found["rejected"] >= 1
    assert found["created"] >= 1


# FI-6
def test_utf_16_is_read(owner):
    file = "First Name\tE-mail\nÄda\tada@example.com\n".encode("utf-16")
    assert counts(sent(owner, file, name="a.csv")) == (1, 1, 0, 0, 0)
    assert owner.get("/contacts").json["items"][0]["first_name"] == "Äda"


# FI-7
@pytest.mark.parametrize(
    "line",
    [
        b"X" + b";A=1" * 24,
        b"PHOTO;VALUE=uri:http://169.254.169.254/",
        b"NOTE;CHARSET=idna:x" + b"-" * 9000,
        b"BEGIN:VCARD\r\n" * 20_000,
    ],
)
def test_a_hostile_card_costs_nothing_and_fetches_nothing(owner, line):
    before = perf_counter()
    file = card(1) + b"BEGIN:VCARD\r\nN:Eve;;;;\r\n" + line + b"\r\nEND:VCARD\r\n"
    answer = send(owner, file)
    work(owner.app)
    assert perf_counter() - before < 10
    found = owner.get(f"/imports/{answer.json['id']}").json
    assert (found["status"], found["created"] >= 1) == ("done", True)


# FI-8
@pytest.mark.parametrize("start", ["=1+1", "+49 151", "-1", "@SUM(1)", "'quoted", "＝1"])
def test_a_cell_that_a_spreadsheet_would_run_is_neutralised_and_restored(owner, bob, start):
    owner.contact(first_name=start, phone="+49 151 1234567", custom_fields={"=key": start})
    written = export(owner, "format=csv")
    for cells in csv.reader(written.decode("utf-8-sig").splitlines()):
        assert not any(cell[:1] in "=+-@＝" for cell in cells if cell)
    sent(bob, written, name="contacts.csv")
    contact = bob.get("/contacts?sort=-id&limit=1").json["items"][0]
    assert (contact["first_name"], contact["phone"]) == (start, "+49 151 1234567")
    assert contact["custom_fields"] == {"=key": start}


def test_a_keyed_upload_is_done_once(owner):
    key = {"Idempotency-Key": "once"}
    first = send(owner, THREE, headers=key)
    again = send(owner, THREE, headers=key)
    assert (again.json, again.headers["Idempotency-Replayed"]) == (first.json, "true")
    assert owner.get("/imports").json["total"] == 1
    refused(send(owner, card(9), headers=key), 422, "idempotency_key_reused")


def test_the_newest_twenty_are_kept(owner):
    for n in range(22):
        sent(owner, card(n), mode="preview")
    page = owner.get("/imports?limit=5").json
    assert (page["total"], len(page["items"])) == (20, 5)
    rest = owner.get(f"/imports?limit=50&cursor={page['next_cursor']}").json["items"]
    assert len(rest) == 15


def test_uploads_are_limited(new_app, engine):
    app = new_app(engine, IMPORT_RATE_LIMITS="1 per hour", EXPORT_RATE_LIMITS="1 per hour")
    person = Person(app, "ann")
    sent(person, THREE)
    refused(send(person, THREE), 429, "rate_limited")
    export(person)
    refused(person.get("/exports"), 429, "rate_limited")
