"""Addresses against what BIP-84, BIP-44, EIP-55 and their URIs publish."""

import hashlib

import pytest
import wallycore

from dev.sandbox.chains.accounts import BTC_XPUB, ETH_XPUB, TON_ADDRESS
from providers.chains.addresses import (
    AccountKey,
    BadAccount,
    BitcoinAccount,
    DepositAddress,
    EthereumAccount,
    TonAccount,
    checksummed,
    ton_raw,
)

#: BIP-84's own vectors, account 0: the extended keys, and the first two receiving addresses.
BIP84_PRIVATE = (
    "zprvAdG4iTXWBoARxkkzNpNh8r6Qag3irQB8PzEMkAFeTRXxHpbF9z4QgEvBRmfvqWvGp42t42nvgGpNgYSJA9iefm1yYNZKEm7z6qUWCroSQnE"
)
BIP84_ROOT = (
    "zprvAWgYBBk7JR8Gjrh4UJQ2uJdG1r3WNRRfURiABBE3RvMXYSrRJL62XuezvGdPvG6GFBZduosCc1YP5wixPox7zhZLfiUm8aunE96BBa4Kei5"
)
BIP84_ADDRESSES = ["bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu", "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"]
#: The first master key of BIP-32's test vector 1, public and private.
BIP32_PUBLIC = (
    "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8"
)
BIP32_PRIVATE = (
    "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"
)
XPUB = bytes.fromhex("0488b21e")
#: BIP-32's test vector 1 where it derives public keys from an account's depth: the key, the path, the child.
BIP32_CHILDREN = [
    (
        "xpub6D4BDPcP2GT577Vvch3R8wDkScZWzQzMMUm3PWbmWvVJrZwQY4VUNgqFJPMM3No2dFDFGTsxxpG5uJh7n7epu4trkrX7x7DogT5Uv6fcLW5",
        (2,),
        "xpub6FHa3pjLCk84BayeJxFW2SP4XRrFd1JYnxeLeU8EqN3vDfZmbqBqaGJAyiLjTAwm6ZLRQUMv1ZACTj37sR62cfN7fe5JnJ7dh8zL4fiyLHV",
    ),
    (
        "xpub6D4BDPcP2GT577Vvch3R8wDkScZWzQzMMUm3PWbmWvVJrZwQY4VUNgqFJPMM3No2dFDFGTsxxpG5uJh7n7epu4trkrX7x7DogT5Uv6fcLW5",
        (2, 1_000_000_000),
        "xpub6H1LXWLaKsWFhvm6RVpEL9P4KfRZSW7abD2ttkWP3SSQvnyA8FSVqNTEcYFgJS2UaFcxupHiYkro49S8yGasTvXEYBVPamhGW6cFJodrTHy",
    ),
]
#: BIP-49's vector on a test network: the account m/49'/1'/0' written as tpub, and the hash of the public key at 0/0.
BIP49_ACCOUNT = (
    "tpubDD7tXK8KeQ3YY83yWq755fHY2JW8Ha8Q765tknUM5rSvjPcGWfUppDFMpQ1ScziKfW3ZNtZvAD7M3u7bSs7HofjTD3KP3YxPK7X6hwV8Rk2"
)
BIP49_KEY = "03a1af804ac108a8a51782198c2d034b28bf90c8803f5a53f76276fa69a4eae77f"
BIP49_HASH = "38971f73930f6c141d977ac4fd4a727c854935b3"
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
EIP55 = [
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xde709f2102306220921060314715629080e2fb77",
]


def test_bitcoin_addresses_are_those_that_bip_84_publishes():
    account = BitcoinAccount(BTC_XPUB)
    assert [account.address_at(index).address for index in range(2)] == BIP84_ADDRESSES


def test_ethereum_addresses_are_those_that_wallets_derive_from_the_same_seed():
    account = EthereumAccount(ETH_XPUB, usdc_contract=USDC)
    assert account.address_at(0) == DepositAddress("0x9858EfFD232B4033E47d90003D41EC34EcaEda94")
    assert account.address_at(1) == DepositAddress("0x6Fac4D18c912343BF86fa7049364Dd4E424Ab9C0")


@pytest.mark.parametrize(("account", "path", "child"), BIP32_CHILDREN)
def test_public_keys_are_those_that_bip_32_derives(account, path, child):
    assert AccountKey(account, {XPUB}).derive(*path) == bytes(wallycore.base58check_to_bytes(child))[-33:]


def test_a_test_network_has_the_keys_that_bip_49_publishes_and_addresses_of_its_own():
    account = BitcoinAccount(BIP49_ACCOUNT)
    address = account.address_at(0).address
    assert AccountKey(BIP49_ACCOUNT, {bytes.fromhex("043587cf")}).derive(0, 0).hex() == BIP49_KEY
    assert bytes(wallycore.addr_segwit_to_bytes(address, "tb", 0)).hex() == f"0014{BIP49_HASH}"


def test_derived_addresses_never_change():
    """The digests are of addresses that an independent library derived, which was used before."""
    digests = []
    for account in (BitcoinAccount(BTC_XPUB), EthereumAccount(ETH_XPUB, usdc_contract=USDC)):
        addresses = "\n".join(account.address_at(index).address for index in [*range(1000), 2**31 - 1])
        digests.append((account.key, hashlib.sha256(addresses.encode()).hexdigest()))
    assert digests == [
        ("bitcoin:b190ca6438307b2e", "25c89566cd8ae41003fbc5a22f857a1f64dc14229a5c95d73d091f9ccef9099b"),
        ("ethereum:4a285382fb348d81", "a4babb6b8f224c14887aaec25cb4bd25e73954ace0c5af0a19c4ea8a5ec0dd31"),
    ]


def test_a_thousand_indexes_are_a_thousand_places():
    for account in (BitcoinAccount(BTC_XPUB), EthereumAccount(ETH_XPUB, usdc_contract=USDC), TonAccount(TON_ADDRESS)):
        places = [account.address_at(index) for index in range(1000)]
        assert len(set(places)) == 1000
        assert places[:10] == [account.address_at(index) for index in range(10)]


@pytest.mark.parametrize("key", [BIP84_PRIVATE, BIP84_ROOT, BIP32_PRIVATE])
def test_a_private_key_is_refused_and_not_repeated(key):
    for make in (BitcoinAccount, lambda key: EthereumAccount(key, usdc_contract=USDC)):
        with pytest.raises(BadAccount, match="private key") as refused:
            make(key)
        assert key not in str(refused.value)
        assert refused.value.__cause__ is None


@pytest.mark.parametrize("key", ["", "xpub", BTC_XPUB[:-1] + "t", BTC_XPUB + "1", "0" * 111, "ü" * 111])
def test_a_damaged_key_is_refused(key):
    with pytest.raises(BadAccount, match="damaged"):
        BitcoinAccount(key)


@pytest.mark.parametrize(
    "point",
    ["04" + BIP49_KEY[2:], "00" + BIP49_KEY[2:], "02" + "00" * 31 + "07", "02" + "ff" * 32],
    ids=["uncompressed", "private", "not on the curve", "beyond the field"],
)
def test_key_off_the_curve_is_refused(point):
    raw = bytes(wallycore.base58check_to_bytes(BTC_XPUB))[:45] + bytes.fromhex(point)
    with pytest.raises(BadAccount, match="damaged"):
        BitcoinAccount(wallycore.base58check_from_bytes(raw))


@pytest.mark.parametrize("length", [0, 4, 77, 79])
def test_a_key_of_another_length_is_refused(length):
    raw = (bytes(wallycore.base58check_to_bytes(ETH_XPUB)) + b"\0")[:length]
    with pytest.raises(BadAccount, match=r"damaged|kind"):
        BitcoinAccount(wallycore.base58check_from_bytes(raw) if raw else "3QJmnh")


def test_a_key_that_is_not_an_accounts_is_refused():
    with pytest.raises(BadAccount, match="account"):
        BitcoinAccount(BIP32_PUBLIC)


def test_bip_84_key_is_refused_for_ethereum():
    with pytest.raises(BadAccount, match="kind"):
        EthereumAccount(BTC_XPUB, usdc_contract=USDC)


def test_an_index_beyond_what_public_keys_derive_is_an_error():
    account = BitcoinAccount(BTC_XPUB)
    for index in (-1, 2**31):
        with pytest.raises(ValueError, match="index"):
            account.address_at(index)


def test_two_forms_of_one_public_key_count_their_indexes_together():
    assert BitcoinAccount(BTC_XPUB).key == BitcoinAccount(BTC_XPUB).key
    assert BitcoinAccount(BTC_XPUB).key != EthereumAccount(ETH_XPUB, usdc_contract=USDC).key
    assert BTC_XPUB not in BitcoinAccount(BTC_XPUB).key


@pytest.mark.parametrize("address", EIP55)
def test_checksums_are_those_of_eip_55(address):
    assert checksummed(address.lower()) == address
    assert checksummed("0x" + address[2:].upper()) == address
    assert checksummed(address) == address
    if any(letter in "ABCDEF" for letter in address) and any(letter in "abcdef" for letter in address[2:]):
        with pytest.raises(BadAccount, match="checksum"):
            checksummed("0x" + address[2:].swapcase())


@pytest.mark.parametrize("address", ["", "0x", EIP55[0][:-1], EIP55[0] + "0", "0x" + "g" * 40])
def test_invalid_ethereum_address_is_refused(address):
    with pytest.raises(BadAccount):
        checksummed(address)


def test_uris_name_the_place_and_the_amount():
    bitcoin, ethereum, ton = (
        BitcoinAccount(BTC_XPUB),
        EthereumAccount(ETH_XPUB, usdc_contract=USDC),
        TonAccount(TON_ADDRESS),
    )
    place = ethereum.address_at(0)
    assert bitcoin.uri("BTC", bitcoin.address_at(0), 150_000) == f"bitcoin:{BIP84_ADDRESSES[0]}?amount=0.0015"
    assert ethereum.uri("ETH", place, 20_000_000) == f"ethereum:{place.address}@1?value=20000000000000000"
    assert (
        ethereum.uri("USDC", place, 25_000_000)
        == f"ethereum:{USDC}@1/transfer?address={place.address}&uint256=25000000"
    )
    memo = ton.address_at(7).memo
    assert (
        ton.uri("TON", ton.address_at(7), 3_000_000_000)
        == f"ton://transfer/{TON_ADDRESS}?amount=3000000000&text={memo}"
    )


def test_comments_of_ton_are_short_and_far_apart():
    memos = [TonAccount(TON_ADDRESS).address_at(index).memo or "" for index in range(1000)]
    assert {len(memo) for memo in memos} == {10}

    def differences(one: str, other: str) -> int:
        return sum(a != b for a, b in zip(one, other, strict=True))

    assert min(differences(memos[0], other) for other in memos[1:]) > 2


def test_an_address_of_ton_has_one_raw_form():
    raw = ton_raw(TON_ADDRESS)
    assert raw.startswith("0:")
    assert ton_raw(raw.lower()) == raw
    assert ton_raw(TON_ADDRESS.replace("-", "+").replace("_", "/")) == raw


@pytest.mark.parametrize("address", ["", TON_ADDRESS[:-1], TON_ADDRESS[:-1] + "A", "0:" + "f" * 63, "ü" * 48, "A" * 48])
def test_invalid_ton_address_is_refused(address):
    with pytest.raises(BadAccount):
        TonAccount(address)
