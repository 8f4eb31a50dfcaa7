"""Check whether the spend that a call in a spend log names has paid for it. Pure.

The caller writes the row of a call, so the name of a spend proves nothing. The Python client's adapter makes a secret
for each call: the spend's metadata has its hash, and the log row the secret. So only the maker of the spend can name
it, and others who can list spends cannot.
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

#: The names of the hash in the spend's metadata, and of the secret in the row's data.
HASHED, SECRET = "call_secret_sha256", "spend_secret"
#: How long after a call its hold may be captured.
CAPTURED_WITHIN = timedelta(hours=1)
#: The delay of the charge for a call that names a spend; it exceeds the time of the adapter's retries.
ADAPTER_ENDS_WITHIN = timedelta(minutes=5)
#: Letters for hexadecimal digits, because a key of digits can look like a card number.
_LETTERS = str.maketrans("0123456789", "ghijklmnop")


class PaymentCheck(Enum):
    """Result of checking whether a spend has paid for a call."""

    YES = "yes"
    #: The captured amount is deducted, and the rest of the cost is charged.
    PART = "part"
    NO = "no"
    #: Its hold may still be captured.
    LATER = "later"


def paying_actions_from(text: str) -> dict[str, int | None]:
    """Parse the JSON object of actions whose spends pay for calls.

    Returns:
        by action, the amount that pays a call in full, in minor units of credits; None: the captured amount is
        deducted.

    Raises:
        Invalid: it is not such an object, or an amount is invalid.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(whole is None or isinstance(whole, str) for whole in found.values()):
        raise Invalid('They must be a JSON object of actions and amounts or null, such as {"llm_call": "1"}.')
    return {action: None if whole is None else parse_amount(whole, CREDIT) for action, whole in found.items()}


def excess_charge_key(secret: str, spend_id: str) -> str:
    """Return the idempotency key with which the adapter charges the cost of a call beyond its hold."""
    digest = hashlib.sha256(json.dumps([secret, spend_id, "beyond"]).encode()).hexdigest()
    return "from-" + digest[:48].translate(_LETTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSpend:
    """A spend that a call names. Amounts are in minor units of credits."""

    agent_id: str | None
    action: str
    captured_minor: int
    is_reserved: bool
    at: datetime
    metadata: Mapping[str, object]


def check_payment(
    event: UsageEvent, spend: NamedSpend, paying: Mapping[str, int | None], *, now: datetime
) -> PaymentCheck:
    """Return whether a spend of the caller's organization has paid for a call.

    The spend must have the hash of the call's secret, and its agent and action, and must not be older than the call.
    The caller ensures that no other call names it.

    Args:
        event: the call.
        spend: the named spend.
        paying: by action, the amount that pays a call in full, in minor units of credits; None: the captured amount is
            deducted.
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
    """Return whether a spend was made with a secret."""
    hashed = spend.metadata.get(HASHED)
    if not isinstance(secret, str) or not isinstance(hashed, str):
        return False
    return hmac.compare_digest(hashlib.sha256(secret.encode()).hexdigest().encode(), hashed.encode())


def _is_of(event: UsageEvent, spend: NamedSpend) -> bool:
    if not is_made_with(event.data.get(SECRET), spend):
        return False
    agent_id = event.get("agent_id")
    return agent_id in {None, spend.agent_id} and event.action == spend.action and spend.at >= event.occurred_at - AHEAD
