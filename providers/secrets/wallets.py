"""Finds what opens a wallet in a text: a mnemonic (BIP-39), an extended private key (BIP-32), a private key in WIF."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

import wallycore

_WORD = re.compile(r"[\u3400-\u9fff]|[^\W\d_]+")
_BASE58 = re.compile(r"(?<![1-9A-HJ-NP-Za-km-z])[1-9A-HJ-NP-Za-km-z]{51,112}(?![1-9A-HJ-NP-Za-km-z])")
#: How many words a mnemonic has.
_LENGTHS = (24, 21, 18, 15, 12)
#: How many rows of 12 to 24 words of a list are tried. One of 16 to 256 has a valid checksum by chance, so a text with
#: more of them may be taken to hold one.
MAX_CHECKSUMS = 500
#: How many signs that combine with one before are put in order, in time that grows with their square (UAX 15, 13).
_MAX_COMBINING = 30
_JOINER = "\u034f"
_EXTENDED_BYTES, _KEY_AT = 78, 45
_WIF = (wallycore.WALLY_ADDRESS_VERSION_WIF_MAINNET, wallycore.WALLY_ADDRESS_VERSION_WIF_TESTNET)


def wallet_secret_in(text: str) -> str | None:
    """Return what opens a wallet and is in the text, in words; None if there is nothing."""
    for match in _BASE58.finditer(text):
        if (what := _key(match.group())) is not None:
            return what
    words = [_plain(word) for word in _WORD.findall(unicodedata.normalize("NFC", _divided(text)))]
    if len(words) >= _LENGTHS[-1] and any(_holds_mnemonic(each, words) for each in _lists()):
        return "a wallet's mnemonic"
    return None


def _divided(text: str) -> str:
    """Return a text in which at most so many combining signs follow each other."""
    done, row = list[str](), 0
    for sign in text:
        row = row + 1 if unicodedata.combining(sign) else 0
        if row > _MAX_COMBINING:
            done.append(_JOINER)
            row = 1
        done.append(sign)
    return "".join(done)


def _plain(word: str) -> str:
    return unicodedata.normalize("NFKD", word.lower())


def _key(text: str) -> str | None:
    try:
        content = bytes(wallycore.base58check_to_bytes(text))
    except ValueError:
        return None
    if len(content) == _EXTENDED_BYTES and content[_KEY_AT] == 0:
        return "an extended private key"
    return "a private key of a wallet" if len(content) in (33, 34) and content[0] in _WIF else None


def _holds_mnemonic(known: tuple[object, frozenset[str]], words: list[str]) -> bool:
    of, of_list = known
    tried = set[str]()
    for run in _runs(words, of_list):
        # Twelve words of the list in a row may be the mnemonic of another standard, which has another checksum. Signs
        # of Chinese are words of its list by chance.
        if len(run[0]) > 1:
            return True
        for length in _LENGTHS:
            for start in range(len(run) - length + 1):
                words_in_row = " ".join(run[start : start + length])
                if words_in_row in tried:
                    continue
                tried.add(words_in_row)
                if len(tried) > MAX_CHECKSUMS or _is_valid(of, words_in_row):
                    return True
    return False


def _runs(words: list[str], of_list: frozenset[str]) -> Iterator[list[str]]:
    run: list[str] = []
    for word in [*words, ""]:
        if word in of_list:
            run.append(word)
        else:
            if len(run) >= _LENGTHS[-1]:
                yield run
            run = []


def _is_valid(of: object, words: str) -> bool:
    try:
        wallycore.bip39_mnemonic_validate(of, words)
    except ValueError:
        return False
    return True


@cache
def _lists() -> tuple[tuple[object, frozenset[str]], ...]:
    lists = [wallycore.bip39_get_wordlist(language) for language in wallycore.bip39_get_languages().split()]
    size = wallycore.BIP39_WORDLIST_LEN
    return tuple(
        (each, frozenset(_plain(wallycore.bip39_get_word(each, number)) for number in range(size))) for each in lists
    )
