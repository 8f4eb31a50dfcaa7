"""Distinguishes accounts at providers that move real money from test accounts."""

from collections.abc import Collection
from enum import StrEnum
from urllib.parse import urlsplit

_PAYPAL = frozenset({"api.paypal.com", "api-m.paypal.com"})


def stripe_is_live(key: str) -> bool:
    """Return whether a secret or restricted key of Stripe moves real money: `sk_live_…`, `rk_live_…`."""
    return "_live_" in key


def paypal_is_live(address: str) -> bool:
    """Return whether an address is PayPal's live API; keys of PayPal do not show whether they are live."""
    return urlsplit(address).hostname in _PAYPAL


class Environment(StrEnum):
    """What money an installation moves."""

    SANDBOX = "sandbox"  # none: every provider is a stand-in on this machine
    TEST = "test"  # none: the providers' own accounts for tests, coins of test networks
    LIVE = "live"


#: Sepolia, Holesky, Hoodi and Base Sepolia; every other chain may carry coins that are worth something.
_TEST_CHAINS = frozenset({11155111, 17000, 560048, 84532})


def is_local(address: str | None) -> bool:
    """Return whether an address is of this machine, as those of stand-ins are."""
    return urlsplit(address or "").hostname in {"127.0.0.1", "localhost", "::1"}


def coins_are_test(*, btc: str | None, evm_chain_id: int | None, ton: str | None) -> bool:
    """Return whether what takes coins takes those of test networks only; None for a coin that is not taken."""
    return (
        (btc is None or btc.startswith(("tpub", "vpub")))
        and (evm_chain_id is None or evm_chain_id in _TEST_CHAINS)
        and (ton is None or ton.startswith(("kQ", "0Q")))
    )


def environment_of(addresses: Collection[str | None], *, is_live: bool) -> Environment:
    """Return what money an installation moves; one without providers moves none for tests, so it is live.

    Args:
        addresses: of its providers.
        is_live: whether one of them that is no stand-in moves real money.
    """
    if is_live or not addresses:
        return Environment.LIVE
    return Environment.SANDBOX if all(map(is_local, addresses)) else Environment.TEST
