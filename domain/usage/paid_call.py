"""Whether a call in a spend log was paid for by the spend that it names. Pure.

The row of a call is written by whoever makes the call, so what it names proves nothing. The Python client's adapter
keeps a secret for each call: the spend has its hash in its metadata, and the row of the log the secret. So only who has
made the spend can name it, and others who can list spends cannot.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from domain.common.errors import Invalid
from domain.common.money import CREDIT, parse_amount
from domain.usage.event import AHEAD, UsageEvent

#: The member of a spend's metadata that has the hash, and that of the row's data that has the secret.
HASHED, SECRET = "call_secret_sha256", "spend_secret"
#: How long a call that has ended may wait for the capture of what was held for it.
CAPTURED_WITHIN = timedelta(hours=1)
#: How long a call that names a spend is counted before it is charged: the adapter sends its own charges again for less.
ADAPTER_ENDS_WITHIN = timedelta(minutes=5)
#: What hexadecimal is written in, because a key of digits can look like a card's.
_LETTERS = str.maketrans("0123456789", "ghijklmnop")


class PaymentCheck(Enum):
    """The result of checking whether a spend has paid for a call."""

    YES = "yes"
    #: What the spend has captured counts, and the rest of what the call costs is charged.
    PART = "part"
    NO = "no"
    #: What was held for it may still be captured.
    LATER = "later"


def paying_actions_from(text: str) -> dict[str, int | None]:
    """Read the actions whose spends pay for calls from a JSON object: what settles a call whole, by action.

    Returns:
        minor units of credits by action; None where the captured amount counts for what it is.

    Raises:
        Invalid: it is not such an object, or an amount is not valid.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(whole is None or isinstance(whole, str) for whole in found.values()):
        raise Invalid('They must be a JSON object of actions and amounts or null, such as {"llm_call": "1"}.')
    return {action: None if whole is None else parse_amount(whole, CREDIT) for action, whole in found.items()}


def excess_charge_key(secret: str, spend_id: str) -> str:
    """Return the client's key by which the adapter charges what a call cost beyond its hold."""
    digest = hashlib.sha256(json.dumps([secret, spend_id, "beyond"]).encode()).hexdigest()
    return "from-" + digest[:48].translate(_LETTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSpend:
    """What is read of a spend that a call names. Amounts are in minor units of credits."""

    agent_id: str | None
    action: str
    captured_minor: int
    is_reserved: bool
    at: datetime
    metadata: Mapping[str, object]


def check_payment(
    event: UsageEvent, spend: NamedSpend, paying: Mapping[str, int | None], *, now: datetime
) -> PaymentCheck:
    """Return whether a spend of the caller's organization has paid for a call, by what the two say of each other.

    The spend has the call's secret, is of its agent and action, and is no older than the call. That no other call has
    named it is for the caller to hold.

    Args:
        event: the call.
        spend: that it names.
        paying: the actions that pay for calls, each with what settles a call whole, in minor units of credits; None
            where the captured amount counts for what it is.
        now: the time.
    """
    if spend.action not in paying or not _is_of(event, spend):
        return PaymentCheck.NO
    if "usage" not in event.data:
        # No provider has served it, so there is nothing to pay.
        return PaymentCheck.YES
    whole_minor = paying[spend.action]
    if whole_minor is not None and spend.captured_minor >= whole_minor:
        return PaymentCheck.YES
    return PaymentCheck.LATER if spend.is_reserved and now - event.occurred_at < CAPTURED_WITHIN else PaymentCheck.PART


def is_made_with(secret: object, spend: NamedSpend) -> bool:
    """Return whether a secret is the one that a spend was made with."""
    hashed = spend.metadata.get(HASHED)
    if not isinstance(secret, str) or not isinstance(hashed, str):
        return False
    return hmac.compare_digest(hashlib.sha256(secret.encode()).hexdigest().encode(), hashed.encode())


def _is_of(event: UsageEvent, spend: NamedSpend) -> bool:
    if not is_made_with(event.data.get(SECRET), spend):
        return False
    agent_id = event.get("agent_id")
    return agent_id in {None, spend.agent_id} and event.action == spend.action and spend.at >= event.occurred_at - AHEAD
