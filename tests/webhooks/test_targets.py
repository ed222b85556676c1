"""Where a webhook may lead: public addresses over TLS, and what the operator allows."""

import socket
import time
from ipaddress import ip_address, ip_network

import pytest

from contactapp.database import Sql, lane, write_transaction
from contactapp.keyring import keyring
from contactapp.webhooks import checked, connecting
from contactapp.webhooks.stored import Private
from contactapp.webhooks.target import Refused, check, is_public, parse
from tests.support.cast import Person, refused
from tests.support.engines import on_one_engine
from tests.webhooks.conftest import deliveries, hook, send

_STORED = Sql("UPDATE webhook SET sealed = ? WHERE id = ?")
_WHO = Sql("SELECT w.uid, u.key_id FROM webhook w JOIN users u ON u.id = w.user_id WHERE w.id = ?")
PUBLIC = ("93.184.216.34", "1.1.1.1", "2606:4700::1111", "2002:5db8:d822::1", "64:ff9b::5db8:d822")
NOT_PUBLIC = (
    *("127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "192.0.2.1", "192.0.0.8", "198.18.0.1", "203.0.113.7"),
    *("168.63.129.16", "192.88.99.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::ffff:169.254.169.254", "::ffff:127.0.0.1", "::7f00:1", "64:ff9b::7f00:1"),
    *("64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378::1", "fc00::1"),
    *("fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1", "100::1", "2002:c058:6301::1"),
)
# (address, code): what a browser, curl or a resolver takes for a way to this machine or its likes.
REFUSED = [
    ("https://127.1/", "forbidden_address"),
    ("https://2130706433/", "forbidden_address"),
    ("https://0x7f.1/", "forbidden_address"),
    ("https://0x7f000001/", "forbidden_address"),
    ("https://0177.0.0.1/", "forbidden_address"),
    ("https://127.0.0.1/", "forbidden_address"),
    ("https://127.0.0.1./", "invalid_url"),
    ("https://[::1]/", "forbidden_address"),
    ("https://[::ffff:169.254.169.254]/", "forbidden_address"),
    ("https://[64:ff9b::7f00:1]/", "forbidden_address"),
    ("https://[2002:7f00:1::]/", "forbidden_address"),
    ("https://[fe80::1%25lo]/", "forbidden_address"),
    ("https://100.64.0.1/", "forbidden_address"),
    ("https://224.0.0.1/", "forbidden_address"),
    ("https://169.254.169.254/latest/meta-data", "forbidden_address"),
    ("https://private.example/", "forbidden_address"),
    ("https://mixed.example/", "forbidden_address"),
    ("https://localhost/", "forbidden_address"),
    ("http://public.example/", "not_https"),
    ("ftp://public.example/", "not_https"),
    ("//public.example/", "not_https"),
    ("file:///etc/passwd", "not_https"),
    ("https://user@public.example/", "invalid_url"),
    ("https://user:pass@public.example/", "invalid_url"),
    ("https://public.example\\@127.0.0.1/", "invalid_url"),
    ("https://public.example/#x", "invalid_url"),
    ("https://public.example/\r\nX: y", "invalid_url"),
    ("https://public.example/ x", "invalid_url"),
    ("https://pub‥lic.example/", "invalid_url"),
    ("https://127。0。0。1/", "invalid_url"),
    ("https:///x", "invalid_url"),
    ("https://public.example:0/", "forbidden_port"),
    ("https://public.example:22/", "forbidden_port"),
    ("https://public.example:25/", "forbidden_port"),
    ("https://public.example:6379/", "forbidden_port"),
    ("https://public.example:99999/", "invalid_url"),
    ("https://unknown.example/", "unresolvable_host"),
]


@pytest.fixture(scope="module")
def app(engine, new_app):
    """As it is unless the operator says otherwise."""
    return new_app(engine, WEBHOOK_ALLOWED_NETWORKS="")


@pytest.fixture(autouse=True)
def names(resolver):
    resolver["public.example"] = [["93.184.216.34", "2606:4700::1111"]]
    resolver["private.example"] = [["10.0.0.7"]]
    resolver["mixed.example"] = [["93.184.216.34", "127.0.0.1"]]
    resolver["localhost"] = [["127.0.0.1"]]
    return resolver


# WH-1
def test_only_what_is_one_hosts_on_the_internet_is_public():
    assert [text for text in PUBLIC if not is_public(ip_address(text))] == []
    assert [text for text in NOT_PUBLIC if is_public(ip_address(text))] == []


# WH-1
@on_one_engine
@pytest.mark.parametrize(("url", "code"), REFUSED)
def test_such_an_address_is_refused_when_it_is_saved(alice, url, code):
    problem = refused(alice.post("/webhooks", json={"url": url}), 422, "invalid_fields", "/url")
    assert [error["code"] for error in problem["errors"]] == [code]
    assert alice.get("/webhooks").json["total"] == 0


# WH-1
@on_one_engine
def test_such_an_address_is_refused_when_it_is_connected_to(alice, monkeypatch):
    """As if it had been saved by an earlier version, or by who writes into the database."""
    made = hook(alice, "https://public.example/")
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("it connected"))
    for url, code in REFUSED:
        store(alice, made, url)
        trial = alice.post(f"/webhooks/{made['id']}/test").headers["Location"]
        send(alice, made)
        found = alice.get(trial.removeprefix("/api/v1")).json
        reason = {"unresolvable_host": "dns"}.get(code, code)
        assert (found["status"], found["error"]) == ("pending", reason), url


def store(person, made, url):
    with person.app.app_context():
        uid, key_id = lane().one(_WHO, (made["id"],))
        private = Private(url, None, made["secret"])
        sealed = private.sealed(keyring().cipher(key_id), person.id, uid)
        write_transaction(lane().run)(_STORED, (sealed, made["id"]))


@on_one_engine
@pytest.mark.parametrize("url", ["https://public.example", "https://public.example:8443/a?b=c"])
def test_an_address_on_the_internet_is_taken(alice, url):
    made = hook(alice, url)
    assert made["url"] == url
    answer = alice.patch(f"/webhooks/{made['id']}", json={"url": "https://private.example/"})
    refused(answer, 422, "invalid_fields", "/url")


# WH-1
def test_what_the_operator_allows_is_taken_on_any_port_without_tls():
    allowed = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
    for url in ("http://10.0.0.1:6379/", "https://[fd00::1]:22/", "http://inside.example/"):
        check(parse(url, allowed), [ip_address("::ffff:10.0.0.1")], allowed)
    for addresses in (["127.0.0.1"], ["10.0.0.1", "127.0.0.1"], []):
        with pytest.raises(Refused, match="forbidden_address"):
            check(parse("http://x.example/", allowed), map(ip_address, addresses), allowed)
    public = [ip_address("1.1.1.1")]
    for url, code in (("http://x.example/", "not_https"), ("https://x.example:22/", "_port")):
        with pytest.raises(Refused, match=code):
            check(parse(url, allowed), public, allowed)
    check(parse("https://x.example/", allowed), public, allowed)


# WH-2
def test_a_name_that_leads_elsewhere_by_now_is_not_followed(owner, resolver, receiver):
    """Allowed are loopback and what is public; what the name says last is neither."""
    resolver["moves.example"] = [["127.0.0.1"], ["127.0.0.1"], ["10.0.0.7"], ["169.254.169.254"]]
    made = hook(owner, f"http://moves.example:{receiver.port}/x")
    owner.post(f"/webhooks/{made['id']}/test")
    send(owner, made)
    [got] = receiver.got
    assert got.headers["Host"] == f"moves.example:{receiver.port}"
    for _ in range(2):
        owner.post(f"/webhooks/{made['id']}/test")
        send(owner, made)
    assert [one["error"] for one in deliveries(owner, made)] == ["forbidden_address"] * 2 + [None]
    assert len(receiver.got) == 1


# WH-2
def test_the_address_that_was_judged_is_the_one_connected_to(
    owner, resolver, receiver, monkeypatch
):
    """Nobody asks for the name a second time: it would say something else."""
    resolver["moves.example"] = [["127.0.0.1"], ["127.0.0.1"], ["10.0.0.7"]]
    asked = []
    real = socket.create_connection
    monkeypatch.setattr(
        connecting.socket,
        "create_connection",
        lambda to, left: (asked.append(to), real(to, left))[1],
    )
    made = hook(owner, f"http://moves.example:{receiver.port}/x")
    owner.post(f"/webhooks/{made['id']}/test")
    send(owner, made)
    assert asked == [("127.0.0.1", receiver.port)]


# WH-1
@on_one_engine
def test_a_resolver_that_says_nothing_is_not_waited_for(alice, monkeypatch):
    stuck = connecting.threading.Event()
    monkeypatch.setattr(checked, "LOOKUP_SECONDS", 0.05)
    monkeypatch.setattr(connecting, "lookup", lambda *_: stuck.wait(10) and [])
    problem = refused(
        alice.post("/webhooks", json={"url": "https://x.example/"}), 422, "invalid_fields", "/url"
    )
    stuck.set()
    assert problem["errors"][0]["code"] == "unresolvable_host"


def test_threads_that_could_not_be_begun_take_no_place_for_looking_up(monkeypatch):
    target = parse("https://public.example/", ())

    def failing(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(connecting.threading.Thread, "start", failing)
        for _ in range(40):
            with pytest.raises(connecting.Failed):
                connecting.addresses(target, time.monotonic() + 0.01)
    assert len(connecting.addresses(target, time.monotonic() + 5)) == 2


@on_one_engine
def test_the_setting_names_no_network_that_is_everything(engine, new_app):
    ann = Person(new_app(engine, WEBHOOK_ALLOWED_NETWORKS="10.0.0.0/8"), "ann")
    refused(ann.post("/webhooks", json={"url": "http://127.0.0.1/"}), 422, "invalid_fields")
