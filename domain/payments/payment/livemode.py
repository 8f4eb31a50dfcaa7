"""Detection of provider accounts that move real money, as opposed to test accounts."""

from collections.abc import Collection
from enum import StrEnum
from urllib.parse import urlsplit

_PAYPAL = frozenset({"api.paypal.com", "api-m.paypal.com"})


def stripe_is_live(key: str) -> bool:
    """Return whether a secret or restricted key of Stripe moves real money: `sk_live_…`, `rk_live_…`."""
    return "_live_" in key


def paypal_is_live(address: str) -> bool:
    """Return whether an address is PayPal's live API; PayPal's keys do not show whether they are live."""
    return urlsplit(address).hostname in _PAYPAL


class Environment(StrEnum):
    """Kind of money that an installation moves."""

    SANDBOX = "sandbox"  # none: all providers are sandboxes on this machine
    TEST = "test"  # none: test accounts of providers, coins of test networks
    LIVE = "live"


#: Sepolia, Holesky, Hoodi and Base Sepolia; coins of any other chain may have a value.
_TEST_CHAINS = frozenset({11155111, 17000, 560048, 84532})


def is_local(address: str | None) -> bool:
    """Return whether an address is on this machine, as the sandboxes of providers are."""
    return urlsplit(address or "").hostname in {"127.0.0.1", "localhost", "::1"}


def coins_are_test(*, btc: str | None, evm_chain_id: int | None, ton: str | None) -> bool:
    """Return whether every configured chain is a test network; None for one that is not configured."""
    return (
        (btc is None or btc.startswith(("tpub", "vpub")))
        and (evm_chain_id is None or evm_chain_id in _TEST_CHAINS)
        and (ton is None or ton.startswith(("kQ", "0Q")))
    )


def environment_of(addresses: Collection[str | None], *, is_live: bool) -> Environment:
    """Return the kind of money that an installation moves; without providers it is live.

    Args:
        addresses: of its providers' APIs.
        is_live: whether a provider that is not a sandbox moves real money.
    """
    if is_live or not addresses:
        return Environment.LIVE
    return Environment.SANDBOX if all(map(is_local, addresses)) else Environment.TEST
