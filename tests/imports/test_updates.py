"""What a contact gets that an import updates: nothing that it had is cleared."""

from contactapp.exchange.service import united
from tests.imports.conftest import card, counts, export, sent


def only(person):
    [contact] = person.get("/contacts").json["items"]
    return contact


def test_lists_are_united_and_the_file_goes_before(owner):
    phone = {"TEL;TYPE=WORK": "0151 2345678"}
    sent(owner, card(1, EMAIL="Ada@example.com", CATEGORIES="One", **phone))
    made = only(owner)
    emails = [{"value": "Ada@example.com", "label": "mine"}, {"value": "b@example.com"}]
    emails.append({"value": "c@example.com", "primary": True})
    urls = [{"value": "https://example.com"}]
    changed = {"emails": emails, "urls": urls, "labels": ["One", "Two"]}
    owner.patch(f"/contacts/{made['id']}", json=changed)
    more = {"EMAIL;TYPE=HOME": "d@example.com", "CATEGORIES": "three,TWO"}
    file = card(1, EMAIL="ada@example.com", **more, **phone)
    assert counts(sent(owner, file, on_duplicate="update"))[2] == 1
    now = only(owner)
    told = [(one["value"], one["label"], one["primary"]) for one in now["emails"]]
    assert told == [
        ("ada@example.com", "mine", True),
        ("b@example.com", None, False),
        ("c@example.com", None, False),
        ("d@example.com", "home", False),
    ]
    assert [one["value"] for one in now["phones"]] == ["0151 2345678"]
    assert (now["urls"][0]["value"], now["labels"]) == (urls[0]["value"], ["One", "Two", "three"])
    assert counts(sent(owner, file, on_duplicate="update")) == (1, 0, 0, 1, 0)
    sent(owner, card(1, EMAIL="e@example.com"), on_duplicate="update")
    primary = [one["value"] for one in only(owner)["emails"] if one["primary"]]
    assert (primary, only(owner)["email"]) == (["e@example.com"], "e@example.com")


def test_what_is_exported_and_imported_again_changes_nothing(owner):
    emails = [{"value": "a@example.com"}, {"value": "b@example.com", "primary": True}]
    custom = {"n": 1, "text": "=1"}
    owner.contact(first_name="Ada", emails=emails, labels=["z", "a"], custom_fields=custom)
    for format_ in ("csv", "json", "vcard"):
        found = sent(owner, export(owner, f"format={format_}"), name="x", on_duplicate="update")
        assert counts(found) == (1, 0, 0, 1, 0), format_


def test_what_is_empty_in_a_file_clears_nothing(owner):
    made = owner.contact(first_name="Ada", title="T", custom_fields={"a": "b"}, labels=["x"])
    empty = b'[{"uid":"%s","title":null,"labels":[],"emails":null,"custom_fields":{"a":null}}]'
    file = (empty % made["uid"].encode()).replace(b"[{", b'[{"first_name":"Ada",')
    assert counts(sent(owner, file, on_duplicate="update")) == (1, 0, 0, 1, 0)


def test_a_list_that_would_be_too_long_rejects_the_row(owner):
    sent(owner, card(1, EMAIL=""))
    many = {f"EMAIL;X={n}": f"a{n}@example.com" for n in range(20)}
    assert counts(sent(owner, card(1, EMAIL="", **many), on_duplicate="update"))[2] == 1
    found = sent(owner, card(1, EMAIL="b@example.com"), on_duplicate="update")
    assert (counts(found), found["rows"][0]["reason"]) == ((1, 0, 0, 0, 1), "too_many")


def test_lines_that_no_field_holds_are_united_too(owner):
    sent(owner, card(1, UID="no uuid", ROLE="old", IMPP="xmpp:a@b"))
    found = sent(owner, card(1, UID="no uuid", ROLE="new", TZ="Z"), on_duplicate="update")
    assert counts(found)[2] == 1
    assert b"\r\nROLE:new\r\nTZ:Z\r\nIMPP:xmpp:a@b\r\n" in export(owner)
    assert b"\r\nUID:no uuid\r\n" in export(owner)


def test_a_group_stays_together_and_gets_a_name_of_its_own():
    before = ["A:1", "item1.X-DAY:2", "item1.X-ABLabel:b", "ITEM2.X-OLD:3", "item2.X-ABLabel:c"]
    row = ["item1.X-NEW:4", "item1.X-ABLabel:d", "item3.X-Old:5"]
    found = united(before, row, 1000)
    assert found == [*row, "A:1", "item4.X-DAY:2", "item4.X-ABLabel:b"]
    assert united(found, row, 1000) == found
    assert united(before, row, len("".join(row)) + 3) == [*row, "A:1"]
    assert united(["B:" + "1" * 99, *before], row, len("".join(row)) + 3) == [*row, "A:1"]
