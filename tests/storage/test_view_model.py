"""The sealed book against a plain model: random writes from several processes, and after every
step everything that can be asked of it."""

import unicodedata

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from contactapp.crypto import key_id_of, master_id
from contactapp.database import Sql, lane, write_transaction
from contactapp.keyring import keyring
from tests.conftest import FAST
from tests.support.cast import Person
from tests.support.command import key
from tests.support.writer import Writer

KEY_OF_BOOK = Sql(
    "SELECT k.id, k.uid, k.wrapped FROM key k JOIN book b ON b.key_id = k.id WHERE b.id = ?"
)
REWRAP = Sql("UPDATE key SET wrapped = ? WHERE id = ?")
WORDS = ["ada", "Ádám", "bo", "Öl", "zoë", "x1", "straße"]
WORD = st.sampled_from(WORDS)
CARD = st.fixed_dictionaries(
    {"first_name": WORD},
    optional={
        "last_name": st.sampled_from([*WORDS, None]),
        "company": st.sampled_from(["Öl & Co", "bo gmbh", "ADA", None]),
        "birthday": st.sampled_from(["1985-06-15", "--06-30", "1990-12", "1970"]),
        "starred": st.booleans(),
        "custom_fields": st.fixed_dictionaries({"size": st.sampled_from([1, 2.5, "10", "big"])}),
    },
)
DEEDS = st.lists(
    st.tuples(
        st.integers(0, 2),  # which process writes
        st.sampled_from(["create", "create", "create", "replace", "delete"]),
        st.integers(0, 99),
        CARD,
    ),
    min_size=1,
    max_size=14,
)
SORTS = ["id", "first_name", "-company,first_name", "last_name,-starred", "-birthday,-id"]


OLD, NEW = key("old master", name="k1"), key("new master", name="k2")
OTHERS = {"JWT_SECRETS": key("jwt"), "PASSWORD_PEPPERS": key("pepper"), "CONTACT_LIMIT": "0"}


@pytest.fixture(scope="module")
def old_app(engine, new_app):
    """The application before a rotation of its master key."""
    return new_app(engine, MASTER_KEYS=OLD, **OTHERS)


@pytest.fixture(scope="module")
def model_app(engine, new_app, old_app):
    """The same with the new key in front."""
    url = old_app.extensions["contactapp.settings"].database_url
    return new_app(engine, database=url, MASTER_KEYS=f"{NEW},{OLD}", **OTHERS)


@pytest.fixture(scope="module")
def writers(model_app):
    """Two other processes; which person they write as is told later."""
    config = model_app.extensions["contactapp.settings"]
    given = {**FAST, **OTHERS, "DATABASE_URL": config.database_url}
    given["INSTANCE_PATH"] = str(config.instance_path)
    made = [Writer({**given, "MASTER_KEYS": f"{NEW},{OLD}"}, "nobody") for _ in range(2)]
    yield made
    for writer in made:
        writer.stop()


class Here:
    """This process, with the interface of a Writer."""

    def __init__(self, person):
        self._person = person

    def send(self, method, path, body=None):
        answer = self._person.request(method, path, json=body)
        return answer.status_code, answer.json if answer.data else None


# PR-4
@examples(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(DEEDS)
def test_the_book_equals_a_plain_model_after_every_step(old_app, model_app, writers, deeds):
    """Half way through, a rotation wraps the book's key anew."""
    person = Person(old_app, "model")
    person.app = model_app
    for writer in writers:
        writer.use(person.access)
    everywhere, model = [*writers, Here(person)], {}
    for number in range(24):  # in a smaller book one write would have everything made anew
        apply(everywhere[2], "create", 0, {"first_name": WORDS[number % len(WORDS)]}, model)
    for step, (place, deed, choice, card) in enumerate(deeds):
        if step == len(deeds) // 2:
            rotate(model_app, person.book_id)
        apply(everywhere[place], deed, choice, card, model)
        # The same for some steps, so that what was kept of it is patched and not made anew.
        sort = SORTS[(len(deeds) + step // 4) % len(SORTS)]
        for reader in (everywhere[2], everywhere[step % 2]):
            compare(reader, model, sort, 1 + choice % 4)


def rotate(app, book_id):
    """Wrap the book's key with the new master key, and have this process read it again."""

    @write_transaction
    def rewrap():
        ring = keyring()
        key_id, uid, wrapped = lane().one(KEY_OF_BOOK, (book_id,))
        assert key_id_of(wrapped) == master_id("k1")
        again = ring.wrap(ring._unwrap(key_id, uid, wrapped), uid)
        assert lane().run(REWRAP, (again, key_id)) == 1
        ring._ciphers.clear()

    with app.app_context():
        rewrap()


def apply(writer, deed, choice, card, model):
    """Do it in that process and to the model, {contact id: contact as it was answered}."""
    if deed == "create" or not model:
        status, contact = writer.send("POST", "/contacts", card)
        assert status == 201
        model[contact["id"]] = contact
        return
    id_ = sorted(model)[choice % len(model)]
    if deed == "replace":
        status, model[id_] = writer.send("PUT", f"/contacts/{id_}", card)
        assert status == 200
    else:
        assert writer.send("DELETE", f"/contacts/{id_}")[0] == 204
        del model[id_]


def compare(reader, model, sort, limit):
    """Lists, pages, filters and searches against the plain way of doing them."""
    everyone = list(model.values())
    for query, passes in QUESTIONS.items():
        expected = in_order([c for c in everyone if passes(c)], sort)
        status, page = reader.send("GET", f"/contacts?limit=500&sort={sort}{query}")
        assert (status, page["items"], page["total"]) == (200, expected, len(expected)), query
    found, path = [], f"/contacts?limit={limit}&sort={sort}"
    page = {"next_cursor": ""}
    while page["next_cursor"] is not None:
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        _, page = reader.send("GET", path + cursor)
        found += page["items"]
    assert found == in_order(everyone, sort)


def folded(text):
    marked = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in marked if not unicodedata.combining(c)).casefold()


def texts(contact):
    """Every text that search looks through, without punctuation."""
    fields = ("name", "first_name", "last_name", "company")
    values = [contact[field] for field in fields if contact[field]]
    values += [str(value) for value in contact["custom_fields"].values()]
    return [" ".join(folded(value).replace("&", " ").split()) for value in values]


def has_word(*words):
    return lambda c: all(any(folded(word) in text for text in texts(c)) for word in words)


def size_at_least_two(contact):
    size = contact["custom_fields"].get("size")
    return size is not None and size != "big" and float(size) >= 2


QUESTIONS = {
    "": lambda c: True,
    "&q=ADA": has_word("ada"),
    "&q=ol+bo": has_word("ol", "bo"),
    '&q="ol co"': has_word("ol co"),
    "&q=strasse": has_word("strasse"),
    "&company_like=o": lambda c: bool(c["company"]) and "o" in folded(c["company"]),
    "&last_name=adam": lambda c: bool(c["last_name"]) and folded(c["last_name"]) == "adam",
    "&starred=true&has=birthday": lambda c: c["starred"] and bool(c["birthday"]),
    "&birthday_month=6": lambda c: (c["birthday"] or "")[-6:-3] == "-06",
    "&custom.size_min=2": size_at_least_two,
}


def in_order(contacts, sort):
    """One stable sort per key, from the last to the first; what is empty stands at the end."""
    contacts = sorted(contacts, key=lambda c: c["id"])
    for name in reversed(sort.split(",")):
        field = name.removeprefix("-")
        filled = [c for c in contacts if c[field] is not None]
        filled.sort(key=lambda c, f=field: order_of(c[f]), reverse=name != field)
        contacts = filled + [c for c in contacts if c[field] is None]
    return contacts


def order_of(value):
    return (folded(value), value) if isinstance(value, str) else (value,)
