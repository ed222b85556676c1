"""Sealed blobs: their layout, and that they open only unchanged, in their place, with their key."""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from contactapp import crypto
from contactapp.crypto import Cipher, SealError

KEY = bytes(range(7, 39))
OTHER_KEY = bytes(range(8, 40))
PLACE = ("contact", "sealed", 12, "6d0b1c1e-0000-4000-8000-000000000001")

contents = st.binary(max_size=300)
key_ids = st.integers(0, 2**32 - 1)


@given(contents, key_ids)
def test_a_blob_is_version_key_id_nonce_ciphertext_and_tag(content, key_id):
    blob = Cipher(key_id, KEY).seal(content, *PLACE)
    assert blob[0] == crypto.VERSION == 1
    assert blob[1:5] == key_id.to_bytes(4, "big")
    assert len(blob) == 1 + 4 + 12 + len(content) + 16
    place = f"contact|sealed|12|{PLACE[3]}|{key_id}".encode()
    assert AESGCM(KEY).decrypt(blob[5:17], blob[17:], place) == content


@given(contents, key_ids)
def test_what_was_sealed_opens_again(content, key_id):
    cipher = Cipher(key_id, KEY)
    assert cipher.open(cipher.seal(content, *PLACE), *PLACE) == content


def test_the_same_content_never_gives_the_same_blob():
    cipher = Cipher(1, KEY)
    blobs = {cipher.seal(b"Ada", *PLACE) for _ in range(100)}
    assert len({blob[5:17] for blob in blobs}) == len(blobs) == 100


# PR-3
@given(contents, st.data())
def test_a_blob_with_any_bit_changed_does_not_open(content, data):
    cipher = Cipher(3, KEY)
    blob = bytearray(cipher.seal(content, *PLACE))
    bit = data.draw(st.integers(0, len(blob) * 8 - 1))
    blob[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealError):
        cipher.open(bytes(blob), *PLACE)


# PR-3
@pytest.mark.parametrize("position", range(len(PLACE)))
def test_a_blob_moved_to_another_place_does_not_open(position):
    blob = Cipher(3, KEY).seal(b"Ada", *PLACE)
    place = [*PLACE]
    place[position] = f"{place[position]}x"
    with pytest.raises(SealError):
        Cipher(3, KEY).open(blob, *place)


@pytest.mark.parametrize("cipher", [Cipher(3, OTHER_KEY), Cipher(4, KEY)])
def test_another_key_or_key_id_does_not_open_it(cipher):
    with pytest.raises(SealError):
        cipher.open(Cipher(3, KEY).seal(b"Ada", *PLACE), *PLACE)


def test_the_key_id_is_authenticated_and_not_only_compared():
    blob = Cipher(3, KEY).seal(b"Ada", *PLACE)
    renamed = blob[:1] + (4).to_bytes(4, "big") + blob[5:]
    with pytest.raises(SealError):
        Cipher(4, KEY).open(renamed, *PLACE)


@given(st.binary(max_size=60))
def test_arbitrary_bytes_do_not_open(blob):
    with pytest.raises(SealError):
        Cipher(3, KEY).open(blob, *PLACE)


@given(contents, st.data())
def test_a_shortened_blob_does_not_open(content, data):
    blob = Cipher(3, KEY).seal(content, *PLACE)
    with pytest.raises(SealError):
        Cipher(3, KEY).open(blob[: data.draw(st.integers(0, len(blob) - 1))], *PLACE)


def test_the_error_says_nothing_about_the_content():
    blob = Cipher(3, KEY).seal(b"Marianne Kowalczyk", *PLACE)
    with pytest.raises(SealError) as caught:
        Cipher(3, OTHER_KEY).open(blob, *PLACE)
    told = repr(caught.value) + str(caught.value) + repr(caught.value.__cause__)
    assert not [word for word in ("Marianne", "Kowalczyk", KEY.hex()) if word in told]


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_has_exactly_32_bytes(size):
    with pytest.raises(ValueError, match="32 bytes"):
        Cipher(1, bytes(size))


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=4))
def test_a_blob_names_its_master_key(name):
    blob = crypto.master_cipher(name, KEY).seal(bytes(32), "key", "wrapped", "x")
    assert crypto.key_id_of(blob) == crypto.master_id(name)
    assert crypto.master_id(name).to_bytes(4, "big").rstrip(b"\0").decode() == name


@pytest.mark.parametrize("name", ["", "abcde"])
def test_a_master_keys_name_has_one_to_four_characters(name):
    with pytest.raises(ValueError, match="1 to 4"):
        crypto.master_id(name)


@pytest.mark.parametrize("blob", [b"", b"\x01" * 32, b"\x02" + bytes(40)])
def test_what_is_no_blob_names_no_key(blob):
    with pytest.raises(SealError):
        crypto.key_id_of(blob)


def test_a_new_key_is_random_and_long():
    keys = {crypto.new_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {32}


def test_a_blind_index_depends_on_key_kind_and_value():
    index = crypto.blind_index
    found = {index(k, kind, v) for k in (KEY, OTHER_KEY) for kind in "ab" for v in ("x", "y")}
    assert len(found) == 8
    assert index(KEY, "email", "ada@example.com") == hmac.digest(
        KEY, b"email|ada@example.com", hashlib.sha256
    )


def test_derived_keys_differ_by_label_and_follow_rfc_5869():
    assert crypto.derive(KEY, "access") != crypto.derive(KEY, "refresh")
    assert crypto.derive(KEY, "access") == hmac.digest(KEY, b"access\x01", hashlib.sha256)
