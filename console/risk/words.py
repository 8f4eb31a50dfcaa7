"""Words for acts, kinds of cases, holds and entities, and for reasons that organizations see."""

from collections.abc import Mapping

from console.format import titled
from console.lists import Options
from console.texts import N_, gettext
from domain.risk.act import EntityKind, Point
from domain.risk.case import CaseKind, HoldKind, ReasonClass

#: By noun, then by the word of the API.
WORDS: Mapping[str, Mapping[str, str]] = {
    "act": {
        Point.PAYMENT: N_("Payment"),
        Point.TOPUP: N_("Top-up"),
        Point.AWARD: N_("Contract award"),
        Point.FUND: N_("Escrow funding"),
        Point.DELIVER: N_("Delivery of work"),
        Point.VALIDATE: N_("Validation score"),
        Point.FEEDBACK: N_("Rating"),
        Point.PAYOUT: N_("Payout"),
        Point.KEY: N_("New API key"),
        Point.PAYOUT_ACCOUNT: N_("Change of the payout account"),
        Point.REFUND: N_("Refund"),
        Point.SIGNUP: N_("Sign-up"),
        Point.LOGIN: N_("Sign-in"),
        Point.LOGIN_FAILED: N_("Failed sign-in"),
    },
    "kind": {
        CaseKind.ACT: N_("Waiting actions"),
        CaseKind.CARD_TESTING: N_("Card testing"),
        CaseKind.TAKEOVER: N_("Account takeover"),
        CaseKind.SYBIL: N_("Connected accounts"),
        CaseKind.RING: N_("Ring"),
        CaseKind.DELIVERY: N_("Suspicious deliveries"),
        CaseKind.REFUND_ABUSE: N_("Refund abuse"),
        CaseKind.REPUTATION: N_("Reputation anomaly"),
        CaseKind.APPEAL: N_("Appeal of a blocked action"),
    },
    "hold": {
        HoldKind.RELEASE: N_("Release of an escrow without approval"),
        HoldKind.EARNINGS: N_("Payouts"),
        HoldKind.SCORE: N_("Effect of an agent's score on prices"),
        HoldKind.PREPAY: N_("Paying later"),
    },
    "entity": {
        EntityKind.ORGANIZATION: N_("Organization"),
        EntityKind.PRINCIPAL: N_("Principal"),
        EntityKind.AGENT: N_("Agent"),
        EntityKind.KEY: N_("API key"),
        EntityKind.ADDRESS: N_("IP address"),
        EntityKind.NETWORK: N_("Network"),
        EntityKind.DEVICE: N_("Device"),
        EntityKind.INSTRUMENT: N_("Payment instrument"),
        EntityKind.MAIL_DOMAIN: N_("Mail domain"),
        EntityKind.PAYOUT_ACCOUNT: N_("Payout account"),
        EntityKind.ARTIFACT: N_("Delivered file"),
    },
    "reason": {
        ReasonClass.UNUSUAL_PAYMENT: N_("Unusual payments"),
        ReasonClass.UNUSUAL_PAYOUT: N_("Unusual payout"),
        ReasonClass.RELATED_PARTIES: N_("Possibly connected parties"),
        ReasonClass.DELIVERY_CHECK: N_("Check of delivered work"),
        ReasonClass.ACCOUNT_SAFETY: N_("Safety of the account"),
    },
}


def word(noun: str, value: str) -> str:
    """Return the word for a value of the API in the reader's language; an unknown value is written unchanged."""
    return gettext(WORDS[noun].get(value) or titled(value))


def any_of(noun: str) -> Options:
    """Return all values of a noun as options of a filter."""
    return (("", N_("Any")), *WORDS[noun].items())
