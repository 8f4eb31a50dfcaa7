"""What may be the value of a secret, and what never is. Pure; `providers.secrets.wallets` finds keys of wallets."""

import json
import re

from domain.common.errors import Invalid, SecretRefused
from domain.privacy import card_numbers
from domain.secrets.secret import PAYMENTS, SecretKind

_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
#: A raw key of 32 or 64 bytes. An address of TON has its workchain and a colon before as many digits.
_HEX = re.compile(r"(?<![0-9A-Za-z:])(?:0x)?(?:[0-9A-Fa-f]{64}|[0-9A-Fa-f]{128})(?![0-9A-Za-z])")


def refused(what: str) -> Invalid:
    """Return the refusal of a value that looks like something, with the way to do it."""
    return SecretRefused(
        f"The value looks like {what}, and nothing of it was stored. Leave it with the provider or in the wallet, and "
        "store its reference here: the id of the payment method, or the address of the wallet.",
        extra={"field": "value"},
    )


def check_value(path: str, kind: SecretKind, value: str) -> None:
    """Refuse what is never a value at a path; what only a vendor's library can tell is not looked for.

    Raises:
        SecretRefused: it holds a card number or, below `payments/`, a private key.
        Invalid: a login that is not JSON with a username and a password.
    """
    if card_numbers.contains_card_number(value):
        raise refused("a card number")
    if path.startswith(PAYMENTS) and (_PEM.search(value) or _HEX.search(value)):
        raise refused("a private key")
    if kind is SecretKind.LOGIN and not _is_login(value):
        raise Invalid('A login is JSON with two texts: {"username": "…", "password": "…"}.', extra={"field": "value"})


def _is_login(value: str) -> bool:
    try:
        document = json.loads(value)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(document, dict)
        and set(document) == {"username", "password"}
        and all(isinstance(each, str) and each for each in document.values())
    )
