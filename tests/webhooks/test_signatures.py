"""Signatures are those of Standard Webhooks, and receivers know them by what our page says."""

import base64
import hashlib
import hmac
import re
from pathlib import Path

import pytest

from contactapp import clock
from contactapp.webhooks.signature import signatures
from contactapp.webhooks.stored import BOTH_MS
from tests.support.engines import on_one_engine
from tests.webhooks.conftest import hook, send

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"
# The specification's own example.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def documented():
    """`verified` of the page, which receivers copy."""
    found = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(code, found)
    return found["verified"]


def worked_out(secret, got):
    """A signature by the specification's words, by nothing of ours."""
    key = base64.b64decode(secret[6:])
    text = f"{got.id}.{got.headers['Webhook-Timestamp']}.".encode() + got.body
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


# WH-4
def test_the_specifications_example_is_signed_as_it_says():
    assert signatures([SECRET], *MESSAGE) == SIGNATURE
    assert signatures(["whsec_bWluZQ==", SECRET], *MESSAGE).split()[1] == SIGNATURE


# WH-4
def test_a_receiver_built_from_our_page_takes_ours_and_no_others(owner, receiver):
    verified = documented()
    made = hook(owner, receiver)
    owner.contact(first_name="Grace")
    send(owner, made)
    [got] = receiver.got
    assert verified(made["secret"], got.headers, got.body)["data"]["data"]["first_name"] == "Grace"
    headers = dict(got.headers)
    later = str(int(headers["Webhook-Timestamp"]) + 301)
    for secret, changed, body in (
        ("whsec_bWluZQ==", {}, got.body),
        (made["secret"], {}, got.body + b" "),
        (made["secret"], {"Webhook-Id": "msg_other"}, got.body),
        (made["secret"], {"Webhook-Timestamp": later}, got.body),
        (made["secret"], {"Webhook-Signature": "v1,"}, got.body),
        (made["secret"], {"Webhook-Signature": "v2" + headers["Webhook-Signature"][2:]}, got.body),
    ):
        with pytest.raises(ValueError, match="not from"):
            verified(secret, {**headers, **changed}, body)
    old = {**headers, "Webhook-Timestamp": "1614265330"}
    old["Webhook-Signature"] = signatures([made["secret"]], got.id, 1614265330, got.body)
    with pytest.raises(ValueError, match="old"):
        verified(made["secret"], old, got.body)


# WH-4
@on_one_engine
def test_two_secrets_sign_for_a_day_after_a_rotation(owner, receiver, monkeypatch):
    made = hook(owner, receiver)
    path = f"/webhooks/{made['id']}"
    answer = owner.post(f"{path}/secret")
    assert answer.status_code == 201
    secret = answer.json["secret"]
    assert secret != made["secret"]
    assert owner.get(path).json["former_secret_until"] == answer.json["former_secret_until"]
    sent = [signed(owner, made, receiver)]
    real = clock.now_ms
    monkeypatch.setattr(clock, "now_ms", lambda: real() + BOTH_MS + 1000)
    owner.sign_in()
    sent.append(signed(owner, made, receiver))
    assert owner.get(path).json["former_secret_until"] is None
    (both, first), (one, second) = sent
    assert both == [worked_out(secret, first), worked_out(made["secret"], first)]
    assert one == [worked_out(secret, second)]


def signed(owner, made, receiver):
    owner.post(f"/webhooks/{made['id']}/test")
    send(owner, made)
    got = receiver.got[-1]
    return got.headers["Webhook-Signature"].split(), got


# WH-4
@on_one_engine
def test_every_try_has_the_same_id_and_a_time_of_its_own(owner, receiver, monkeypatch):
    made = hook(owner, receiver)
    receiver.answers = lambda number, handler: handler.say(500 if number == 1 else 200)
    owner.contact()
    now = clock.now_ms()
    for seconds in (0, 10):
        monkeypatch.setattr(clock, "now_ms", lambda at=now + 1000 * seconds: at)
        send(owner, made)
    first, second = receiver.got
    assert first.id == second.id
    assert first.body == second.body
    times = [int(got.headers["Webhook-Timestamp"]) for got in (first, second)]
    assert times[1] - times[0] == 10
    for got in (first, second):
        assert got.headers["Webhook-Signature"] == worked_out(made["secret"], got)
