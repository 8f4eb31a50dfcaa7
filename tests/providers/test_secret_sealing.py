"""Each value is sealed for one place under its own key, and keys of wallets are found in any layout."""

import os
import re
import unicodedata
from dataclasses import replace

import pytest
import wallycore
from hypothesis import given, strategies as st

from providers.secrets import wallets
from providers.secrets.base import Stored, Unopened, ValueLocation
from providers.secrets.sealing import LocalKeyWrapper, PostgresBackend
from tests.support.cases import for_each

PLACE = ValueLocation("org_1", "api_keys/model", 1)
K1, K2 = ("k1", b"1" * 32), ("k2", b"2" * 32)


def backend(*keys: tuple[str, bytes]) -> PostgresBackend:
    return PostgresBackend(LocalKeyWrapper(keys or (K1,)))


@for_each("value", [b"", b"s", b"x" * 65_536, bytes(range(256))])
async def test_a_value_opens_only_at_its_place_and_is_not_in_the_stored_bytes(value: bytes):
    stored = await backend().store(PLACE, value)
    assert await backend().read(PLACE, stored) == value
    assert stored.key_id == "k1"
    assert len(value) < 8 or value not in (stored.sealed or b"") + (stored.wrapped_key or b"")
    assert value == b"" or repr(value) not in repr(stored)


async def test_each_version_has_a_key_of_its_own():
    first, second = [await backend().store(PLACE, b"same") for _ in range(2)]
    assert first.sealed != second.sealed
    with pytest.raises(Unopened):
        await backend().read(PLACE, replace(first, wrapped_key=second.wrapped_key))


@for_each(
    "place",
    [
        ValueLocation("org_2", "api_keys/model", 1),
        ValueLocation("org_1", "api_keys/other", 1),
        ValueLocation("org_1", "api_keys/model", 2),
    ],
)
async def test_a_value_that_is_moved_does_not_open(place: ValueLocation):
    stored = await backend().store(PLACE, b"value")
    with pytest.raises(Unopened):
        await backend().read(place, stored)
    # Neither by the key of the other place.
    other = await backend().store(place, b"other")
    with pytest.raises(Unopened):
        await backend().read(place, Stored(stored.sealed, other.wrapped_key, other.key_id))


@given(st.data())
async def test_a_value_of_which_one_bit_is_changed_does_not_open(data: st.DataObject):
    stored = await backend().store(PLACE, b"value")
    name = data.draw(st.sampled_from(["sealed", "wrapped_key"]))
    content = bytearray(getattr(stored, name))
    at = data.draw(st.integers(0, len(content) * 8 - 1))
    content[at // 8] ^= 1 << at % 8
    with pytest.raises(Unopened):
        await backend().read(PLACE, replace(stored, **{name: bytes(content)}))


async def test_the_first_key_wraps_and_each_unwraps_until_it_is_gone():
    old = await backend(K1).store(PLACE, b"value")
    both = backend(K2, K1)
    assert await both.read(PLACE, old) == b"value"
    assert (await both.store(PLACE, b"new")).key_id == "k2"
    with pytest.raises(Unopened, match="k1"):
        await backend(K2).read(PLACE, old)
    with pytest.raises(Unopened):
        await backend(("k1", b"3" * 32)).read(PLACE, old)


@for_each("language", wallycore.bip39_get_languages().split())
@for_each("size", [16, 20, 24, 28, 32])
def test_a_mnemonic_is_found_in_each_language_length_and_layout(language: str, size: int):
    words = wallycore.bip39_mnemonic_from_bytes(wallycore.bip39_get_wordlist(language), os.urandom(size))
    for text in (
        words,
        words.upper(),
        words.replace(" ", "\n1. "),
        f'{{"seed": "{words.replace(" ", ", ")}"}} and more',
    ):
        assert wallets.wallet_secret_in(text) == "a wallet's mnemonic", text


def test_private_keys_of_wallets_are_found_and_public_data_is_not():
    for version in (wallycore.BIP32_VER_MAIN_PRIVATE, wallycore.BIP32_VER_TEST_PRIVATE):
        key = wallycore.bip32_key_from_seed(os.urandom(32), version, 0)
        assert wallets.wallet_secret_in(f"key={wallycore.bip32_key_to_base58(key, 0)}\n") == "an extended private key"
        assert wallets.wallet_secret_in(wallycore.bip32_key_to_base58(key, wallycore.BIP32_FLAG_KEY_PUBLIC)) is None
    for prefix in (0x80, 0xEF):
        for flags in (wallycore.WALLY_WIF_FLAG_COMPRESSED, wallycore.WALLY_WIF_FLAG_UNCOMPRESSED):
            key = wallycore.wif_from_bytes(os.urandom(32), prefix, flags)
            assert wallets.wallet_secret_in(f"x {key}") == "a private key of a wallet"


@for_each(
    "text",
    [
        "",
        "legal winner thank year wave sausage worth useful legal winner thank",
        "sk-" + "A" * 51,
        "的" * 3_000,
        "2" * 60_000,
        "The quick brown fox jumps over the lazy dog and runs away. " * 50,
    ],
)
def test_other_texts_than_keys_are_accepted(text: str):
    assert wallets.wallet_secret_in(text) is None


def test_a_long_text_of_a_lists_signs_takes_few_checksums(monkeypatch: pytest.MonkeyPatch):
    of = wallycore.bip39_get_wordlist("zhs")
    signs = [wallycore.bip39_get_word(of, number) for number in range(wallycore.BIP39_WORDLIST_LEN)]
    tried = list[str]()

    def fails(_: object, words: str) -> None:
        tried.append(words)
        raise ValueError

    monkeypatch.setattr(wallycore, "bip39_mnemonic_validate", fails)
    assert wallets.wallet_secret_in("".join(signs) * 10) == "a wallet's mnemonic"
    assert len(tried) == wallets.MAX_CHECKSUMS
    tried.clear()
    assert wallets.wallet_secret_in(signs[0] * 20_000) is None
    # Five lengths in each of the two lists of Chinese.
    assert len(tried) <= 10


def test_signs_that_combine_are_put_in_order_a_few_at_a_time():
    text = "e" + "\u0301\u0316" * 20_000
    ordered = unicodedata.normalize("NFC", wallets._divided(text))
    rows = re.split(r"[^\u0301\u0316]+", ordered)
    assert max(map(len, rows)) <= 30
    assert wallets._divided("Ame\u0301lie 각") == "Ame\u0301lie 각"
