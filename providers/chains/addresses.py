"""Deposit addresses derived from an account-level public key, and payment URIs for wallets.

Private keys are refused, and their text is in no message. The account is that of BIP-44's path
`purpose' / coin' / account'`; receiving addresses are `0/index` below it, which can be derived from the public key.

Sources: BIP-32, BIP-44, BIP-84 and SLIP-132 for keys, BIP-21, EIP-681 and TON's deep links for URIs, EIP-55 for the
checksum of Ethereum's addresses, TEP-2 for TON's.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

import wallycore
from Crypto.Hash import keccak

from domain.common.money import format_amount

#: Version bytes of public keys (SLIP-132), and the human-readable part of the SegWit addresses on their network.
_PUBLIC = {
    bytes.fromhex("0488b21e"): "bc",  # xpub
    bytes.fromhex("04b24746"): "bc",  # zpub, the key of BIP-84
    bytes.fromhex("043587cf"): "tb",  # tpub
    bytes.fromhex("045f1cf6"): "tb",  # vpub, BIP-84 on test networks
}
_LEGACY = {bytes.fromhex(version) for version in ("0488b21e", "043587cf")}
_XPUB = bytes.fromhex("0488b21e")
#: xprv, yprv, zprv, Yprv, Zprv, tprv, uprv, vprv, Uprv, Vprv.
_PRIVATE = {
    bytes.fromhex(version)
    for version in (
        *("0488ade4", "049d7878", "04b2430c", "0295b005", "02aa7a99"),
        *("04358394", "044a4e28", "045f18bc", "024285b5", "02575048"),
    )
}
_ACCOUNT_DEPTH = 3
_RECEIVING = 0
_WEI_PER_GWEI = 10**9
_BASE32 = "abcdefghjkmnpqrstvwxyz0123456789"


class BadAccount(ValueError):
    """The setting is not an account's public key, or not an address."""


@dataclass(frozen=True, slots=True)
class DepositAddress:
    """A deposit address, with the comment that a payment needs if the address is shared."""

    address: str
    memo: str | None = None


class Account(Protocol):
    """Derives deposit addresses.

    Attributes:
        key: identifies the public key without revealing it; indexes are counted for each key.
        chain: the chain's name for payers.
        assets: the assets that can be sent to its addresses.
    """

    key: str
    chain: str
    assets: frozenset[str]

    def address_at(self, index: int) -> DepositAddress:
        """Return the deposit address of an index; always the same for the same index."""

    def uri(self, asset: str, place: DepositAddress, amount_minor: int) -> str:
        """Return the URI for wallets, with the address, the asset and the amount."""


class AccountKey:
    """The public key of an account, from which public keys below it are derived (BIP-32)."""

    def __init__(self, extended_key: str, versions: set[bytes]) -> None:
        """Read the key; `BadAccount` when it is damaged, private, of another kind, or not that of an account."""
        try:
            raw = bytes(wallycore.base58check_to_bytes(extended_key))
        except ValueError:
            raise BadAccount("The extended public key is damaged.") from None
        version = raw[:4]
        if version in _PRIVATE:
            raise BadAccount(
                "This is a private key. Set the public key of the account; private keys must not be configured."
            )
        if version not in versions:
            raise BadAccount("This is not an extended public key of a supported kind.")
        try:
            # The library knows the versions of BIP-32 only; SLIP-132's differ from them in nothing else.
            self._key = wallycore.bip32_key_unserialize(_XPUB + raw[4:])
        except ValueError:
            raise BadAccount("The extended public key is damaged.") from None
        if wallycore.bip32_key_get_depth(self._key) != _ACCOUNT_DEPTH:
            raise BadAccount("The key must be an account's: three levels below the seed, m/purpose'/coin'/0'.")
        self.network = _PUBLIC[version]
        self.fingerprint = hashlib.sha256(bytes(wallycore.bip32_key_get_pub_key(self._key))).hexdigest()[:16]

    def derive(self, *path: int) -> bytes:
        """Return the compressed public key at a path below the account."""
        if not all(0 <= index < 2**31 for index in path):
            raise ValueError("the index of a public key must be below 2**31")
        key = wallycore.bip32_key_from_parent_path(self._key, list(path), wallycore.BIP32_FLAG_KEY_PUBLIC)
        return bytes(wallycore.bip32_key_get_pub_key(key))


def _keccak(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


class BitcoinAccount:
    """BIP-84: native SegWit addresses from an xpub or zpub; tpub and vpub are those of test networks."""

    chain = "bitcoin"
    assets = frozenset({"BTC"})

    def __init__(self, extended_key: str) -> None:
        """Take the account's public key (m/84'/0'/0'); `BadAccount` for anything else."""
        self._public = AccountKey(extended_key, set(_PUBLIC))
        self.key = f"bitcoin:{self._public.fingerprint}"

    def address_at(self, index: int) -> DepositAddress:
        """Derive `0/index`."""
        program = b"\x00\x14" + bytes(wallycore.hash160(self._public.derive(_RECEIVING, index)))
        return DepositAddress(wallycore.addr_segwit_from_bytes(program, self._public.network, 0))

    def uri(self, asset: str, place: DepositAddress, amount_minor: int) -> str:
        """Write BIP-21."""
        return f"bitcoin:{place.address}?amount={format_amount(amount_minor, asset)}"


class EthereumAccount:
    """BIP-44: addresses of Ethereum from an xpub; a token is sent to the same kind of address."""

    chain = "ethereum"
    assets = frozenset({"ETH", "USDC"})

    def __init__(self, extended_key: str, *, usdc_contract: str, chain_id: int = 1) -> None:
        """Take the account's public key (m/44'/60'/0'), the token's contract and the chain that URIs name."""
        self._public = AccountKey(extended_key, _LEGACY)
        self.key = f"ethereum:{self._public.fingerprint}"
        self._usdc = checksummed(usdc_contract)
        self._chain_id = chain_id

    def address_at(self, index: int) -> DepositAddress:
        """Derive `0/index`, with the checksum of EIP-55."""
        point = bytes(wallycore.ec_public_key_decompress(self._public.derive(_RECEIVING, index)))
        return DepositAddress(checksummed(f"0x{_keccak(point[1:])[-20:].hex()}"))

    def uri(self, asset: str, place: DepositAddress, amount_minor: int) -> str:
        """Write EIP-681: a plain transfer in wei, or a call of the token's `transfer`."""
        if asset == "USDC":
            return f"ethereum:{self._usdc}@{self._chain_id}/transfer?address={place.address}&uint256={amount_minor}"
        return f"ethereum:{place.address}@{self._chain_id}?value={amount_minor * _WEI_PER_GWEI}"


def checksummed(address: str) -> str:
    """Return an address of Ethereum with its checksum; a mixed-case one whose checksum is wrong is `BadAccount`."""
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", address):
        raise BadAccount("An Ethereum address must have 40 hexadecimal digits after 0x.")
    plain = address[2:].lower()
    digest = _keccak(plain.encode()).hex()
    mixed = "0x" + "".join(letter.upper() if digest[i] >= "8" else letter for i, letter in enumerate(plain))
    if address[2:] not in (plain, plain.upper()) and address != mixed:
        raise BadAccount("The checksum of the Ethereum address is wrong.")
    return mixed


class TonAccount:
    """One address for everyone, and a comment for each payment."""

    chain = "ton"
    assets = frozenset({"TON"})

    def __init__(self, address: str) -> None:
        """Take the address that coins are collected at; `BadAccount` when it is none."""
        self._raw = ton_raw(address)
        self._address = address
        self.key = f"ton:{self._raw.lower()}"

    def address_at(self, index: int) -> DepositAddress:
        """Return the shared address with an index's comment: ten letters and digits, so a typo matches no payment."""
        number = int.from_bytes(hashlib.sha256(f"{self.key}/{index}".encode()).digest()[:7], "big")
        return DepositAddress(self._address, "".join(_BASE32[number >> shift & 31] for shift in range(0, 50, 5)))

    def uri(self, asset: str, place: DepositAddress, amount_minor: int) -> str:
        """Write a deep link with the amount in nanotons and the comment."""
        del asset
        return f"ton://transfer/{place.address}?amount={amount_minor}&text={quote(place.memo or '', safe='')}"


def ton_raw(address: str) -> str:
    """Return an address of TON as `workchain:HEX`, from that form or from one with tag and checksum (TEP-2)."""
    if re.fullmatch(r"(0|-1):[0-9a-fA-F]{64}", address):
        return address.upper()
    try:
        raw = base64.urlsafe_b64decode(address.replace("+", "-").replace("/", "_"))
    except (binascii.Error, ValueError):
        raw = b""
    # The tag says bounceable or not, and 0x80 on top of it that the address is for test networks only.
    sound = len(address) == 48 and len(raw) == 36 and raw[0] & 0x7F in (0x11, 0x51)
    if not sound or binascii.crc_hqx(raw[:34], 0) != int.from_bytes(raw[34:], "big"):
        raise BadAccount("This is not a TON address, or its checksum is wrong.")
    return f"{int.from_bytes(raw[1:2], 'big', signed=True)}:{raw[2:34].hex().upper()}"
