"""Facts that decisions see: their names, types and sentences. Pure.

A fact that is not stored with a decision was 0, or an empty text. Values are in minor units of their currency, and
credits at their price.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from domain.risk.act import EntityKind, Point


class Counter(StrEnum):
    """The counters of each entity of an act, by minute, hour and day."""

    ATTEMPTS = "attempts"  # payments and top-ups that were requested
    ATTEMPTED_VALUE = "attempted_value"
    PAID = "paid"
    PAID_VALUE = "paid_value"
    DECLINED = "declined"
    REFUNDS = "refunds"
    REFUNDED_VALUE = "refunded_value"
    DISPUTES = "disputes"
    DISPUTES_LOST = "disputes_lost"
    AWARDS = "awards"
    FUNDINGS = "fundings"  # of escrows
    SPENT_VALUE = "spent_value"  # of payments, top-ups and fundings
    DELIVERIES = "deliveries"
    SILENT_RELEASES = "silent_releases"
    FEEDBACK = "feedback"
    PAYOUTS = "payouts"
    PAYOUT_VALUE = "payout_value"
    KEYS = "keys"
    AGENTS = "agents"
    SIGNUPS = "signups"
    LOGINS_FAILED = "logins_failed"


#: What a decision counts: the number of acts, and their value in cents.
COUNTED: Mapping[Point, tuple[Sequence[Counter], Sequence[Counter]]] = {
    Point.PAYMENT: ((Counter.ATTEMPTS,), (Counter.ATTEMPTED_VALUE, Counter.SPENT_VALUE)),
    Point.TOPUP: ((Counter.ATTEMPTS,), (Counter.ATTEMPTED_VALUE, Counter.SPENT_VALUE)),
    Point.AWARD: ((Counter.AWARDS,), ()),
    Point.FUND: ((Counter.FUNDINGS,), (Counter.SPENT_VALUE,)),
    Point.DELIVER: ((Counter.DELIVERIES,), ()),
    Point.FEEDBACK: ((Counter.FEEDBACK,), ()),
    Point.PAYOUT: ((Counter.PAYOUTS,), (Counter.PAYOUT_VALUE,)),
    Point.KEY: ((Counter.KEYS,), ()),
    Point.REFUND: ((Counter.REFUNDS,), (Counter.REFUNDED_VALUE,)),
    Point.SIGNUP: ((Counter.SIGNUPS,), ()),
    Point.LOGIN_FAILED: ((Counter.LOGINS_FAILED,), ()),
}

#: Kinds of entities with counters. A principal is counted only without a key.
COUNTED_KINDS = (
    EntityKind.ORGANIZATION,
    EntityKind.PRINCIPAL,
    EntityKind.AGENT,
    EntityKind.KEY,
    EntityKind.ADDRESS,
    EntityKind.NETWORK,
    EntityKind.DEVICE,
    EntityKind.INSTRUMENT,
)
#: Windows of counters, with their words. They end now and begin with a whole minute, hour or day.
WINDOWS: Mapping[str, str] = {"10m": "ten minutes", "1h": "an hour", "1d": "a day", "30d": "30 days"}

Facts = Mapping[str, int | str]


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact; `sentence` says what it is, for people."""

    kind: type
    sentence: str


_OTHERS: Mapping[str, Fact] = {
    "point": Fact(str, "The act."),
    "amount": Fact(int, "The amount in cents."),
    "currency": Fact(str, "The currency of the amount."),
    "provider": Fact(str, "The payment provider."),
    "role": Fact(str, "The role of the key."),
    "method": Fact(str, "The kind of payment: on_session or off_session."),
    "organization_age_hours": Fact(int, "Hours since the organization was created."),
    "agent_age_hours": Fact(int, "Hours since the agent was created."),
    "key_age_minutes": Fact(int, "Minutes since the key was issued."),
    "newest_key_minutes": Fact(int, "Minutes since the organization's newest key was issued."),
    "spent_peak_1h_30d": Fact(int, "The organization's highest spending of an hour in 30 days before, in cents."),
    "instruments_1h": Fact(int, "Payment instruments that the organization used for the first time in an hour."),
    "instruments_1d": Fact(int, "Payment instruments that the organization used for the first time in a day."),
    "instrument_organizations_1d": Fact(int, "Organizations that used the instrument in a day."),
    "address_organizations_1d": Fact(int, "Organizations that acted from the address in a day."),
    "device_organizations_1d": Fact(int, "Organizations that acted on the device in a day."),
    "payout_account_organizations": Fact(int, "Organizations with the payout account."),
    "artifact_organizations": Fact(int, "Organizations that delivered the same artifact."),
    "linked": Fact(int, "1 if payer and payee share an owner or a cluster."),
    "cluster_organizations": Fact(int, "Organizations in the cluster of linked organizations."),
    "first_earning_hours": Fact(int, "Hours since the organization's first earning."),
    "payouts_before": Fact(int, "Payouts of the organization before, up to ten."),
    "destination_age_hours": Fact(int, "Hours since the destination of payouts was set."),
    "delivered_minutes": Fact(int, "Minutes from funding to delivery."),
    "model_score": Fact(int, "The score of the champion model, in ten-thousandths."),
}
#: All facts by name.
FACTS: Mapping[str, Fact] = {
    **_OTHERS,
    **{
        f"{kind.value}_{counter.value}_{window}": Fact(
            int, f"{counter.value.replace('_', ' ').capitalize()} of the {kind.value} within {words}."
        )
        for kind in COUNTED_KINDS
        for counter in Counter
        for window, words in WINDOWS.items()
    },
}


def value_of(facts: Facts, name: str) -> int | str:
    """Return a fact; one that is not there is 0 or an empty text."""
    default = cast("int | str", FACTS[name].kind())
    return facts.get(name, default)


def counter_fact(kind: str, counter: str, window: str) -> str:
    """Return the name of a counter's fact."""
    return f"{kind}_{counter}_{window}"
