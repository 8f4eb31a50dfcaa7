"""The interface of a payment's purpose. Each purpose is a module; no other code distinguishes purposes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from domain.common import accounts
from domain.common.access import Permission
from domain.common.accounts import Account
from domain.common.money import format_amount
from domain.payments.payment.entitlement import clawed_back_minor, not_kept_minor
from domain.payments.payment.pricing import Charge, Market, Order, Price
from domain.payments.payment.state import (
    WORKFLOW,
    Fulfilment,
    Outcome,
    Payment,
    PaymentPosting,
    PaymentPostingKind,
    with_number,
)
from domain.payments.payment.terms import PaymentTerms, Purpose, PurposeKind


class Readiness(StrEnum):
    """How far the payment is from being fulfilled.

    Attributes:
        NONE: there is nothing to fulfil: it was, it never will be, or nothing came.
        SHORT: too little came so far.
        WAITS: enough came, and a refund or dispute that is under way decides whether enough of it stays.
        READY: it is fulfilled now.
        FAILED: so much went back for good that it never will be.
    """

    NONE = "none"
    SHORT = "short"
    WAITS = "waits"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeAccounts:
    """Where what was bought goes (`wallet`), and where it is issued for a revenue, if it is issued at all.

    `refunds` is where money is returned from, and where money comes in for which nothing is issued. It differs from
    `revenue` where that is deferred: what was bought may be used by then, and the books know what of its price is left.
    """

    wallet: Account
    revenue: Account
    issuance: Account
    refunds: Account


@dataclass(frozen=True, slots=True)
class AskEscrow:
    """The escrow takes the money. It is asked beside the run, because it may not answer for long."""


@dataclass(frozen=True, slots=True)
class BookFulfilment:
    """The books take the money with this event, or refuse it with the code `refused_by`: then it is returned."""

    event: Outcome
    refused_by: str


@dataclass(frozen=True, slots=True)
class ReturnMoney:
    """The payment cannot be fulfilled and is returned; `failed` says that too much of it went back before."""

    why: str = ""
    failed: bool = False


#: How the payment is fulfilled. The run acts on each of these; another purpose may need another one.
Fulfil = AskEscrow | BookFulfilment | ReturnMoney


class PurposeRules(Protocol):
    """The rules of one purpose. All are pure: a payment's run decides by them, so its replay decides the same."""

    @property
    def kind(self) -> PurposeKind:
        """Which purpose it is."""

    # Price ------------------------------------------------------------------------------------------------------------

    @property
    def named_by(self) -> str | None:
        """The field of a request that names the subject; None where there is none. Other purposes refuse it."""

    @property
    def takes_credits(self) -> bool:
        """Whether credits may pay for it."""

    def price(self, order: Order, market: Market) -> Price:
        """Return what is due for an order, or refuse it."""

    def buys(self, order: Order, charge: Charge, market: Market) -> Purpose:
        """Return what the charge buys."""

    # Accounts ---------------------------------------------------------------------------------------------------------

    def accounts(self, terms: PaymentTerms) -> PurposeAccounts:
        """Return the accounts that are the purpose's own."""

    # Ready and fulfil -------------------------------------------------------------------------------------------------

    @property
    def at_once(self) -> bool:
        """Whether each part of the money buys its share as it comes; otherwise it waits for fulfilment."""

    def readiness(self, payment: Payment) -> Readiness:
        """Return how far the payment is from being fulfilled; called once money came, until the outcome is decided."""

    def fulfil(self, payment: Payment, *, at: datetime, in_part: bool = False) -> Fulfil:
        """Return how to fulfil the payment; with `in_part`, how to use a part once the payer's time is over."""

    # Reverse ----------------------------------------------------------------------------------------------------------

    @property
    def refunded_with(self) -> Permission:
        """What whoever asks for a refund must be allowed to do."""

    @property
    def is_top_up(self) -> bool:
        """Whether an organization buys for itself what it has not used yet: it has a largest amount, and an end."""

    @property
    def keeps_fee(self) -> bool:
        """Whether the provider's fee is kept of what the payer refunds itself."""

    @property
    def pays_fixed_fee(self) -> bool:
        """Whether the payer of a small amount pays the provider's fixed fee as well."""

    def check_refund(self, payment: Payment, amount_minor: int) -> None:
        """Refuse a refund whose amount the purpose cannot divide by."""

    def refunds_of_parts(self, payment: Payment, unit: int) -> Sequence[int] | None:
        """Return the partial refunds that are possible in multiples of `unit`, the least first; None for any."""

    def taken_for(self, payment: Payment, amount_minor: int) -> int:
        """Return how much of what was bought is clawed back when `amount_minor` is refunded."""

    def waiting_minor(self, payment: Payment) -> int:
        """Return how much waits for fulfilment and is returned first."""

    def taken_from_waiting(self, payment: Payment, goods_minor: int) -> int:
        """Return how much of what the provider takes back comes from what waits for fulfilment."""

    def held_minor(self, payment: Payment) -> int:
        """Return how much is left on the payment's account when it cannot be fulfilled."""

    def is_refunded_when_gone(self, payment: Payment) -> bool:
        """Return whether what cannot be fulfilled is refunded; otherwise the organization gets it."""

    def must_freeze_escrow(self, payment: Payment) -> bool:
        """Return whether an escrow has money that is being clawed back, and has not been frozen yet."""

    # Describe ---------------------------------------------------------------------------------------------------------

    def subject(self, purpose: Purpose) -> Mapping[str, str | None]:
        """Return the id of what the money is handed to, by the name that events use; empty where it is nothing."""

    def describe(self, purpose: Purpose, subject: object = None) -> str:
        """Return the description for the payer, used if the request has none."""


class CommonRules:
    """What most purposes share: the organization gets what was bought, in parts, and nothing waits."""

    named_by: str | None = None
    takes_credits = False
    at_once = True
    is_top_up = False
    keeps_fee = False
    pays_fixed_fee = False
    refunded_with = Permission.REFUND_PAYMENT

    def accounts(self, terms: PaymentTerms) -> PurposeAccounts:
        """Return the organization's wallet; what is issued is credits, which are paid for in advance."""
        asset = terms.purpose.goods_asset
        return PurposeAccounts(
            wallet=accounts.org_wallet(terms.org_id, asset),
            revenue=accounts.platform("deferred_revenue", terms.currency),
            issuance=accounts.platform("credit_issuance", asset),
            refunds=accounts.platform("revenue/credits", terms.currency),
        )

    def readiness(self, payment: Payment) -> Readiness:  # noqa: ARG002
        """Hand nothing over: it is given as the money comes."""
        return Readiness.NONE

    def fulfil(self, payment: Payment, *, at: datetime, in_part: bool = False) -> Fulfil:  # noqa: ARG002
        """Refuse: nothing is ever ready."""
        raise TypeError(f"what {payment.terms.purpose.kind.value} buys is given as the money comes")

    def check_refund(self, payment: Payment, amount_minor: int) -> None:
        """Refuse no amount."""

    def refunds_of_parts(self, payment: Payment, unit: int) -> Sequence[int] | None:  # noqa: ARG002
        """Refund any."""
        return None

    def taken_for(self, payment: Payment, amount_minor: int) -> int:
        """Return the cumulative share of the amount; the last part takes what is left, to the unit.

        Where more is returned than came, because a bank takes what was refunded already, more goes than was bought:
        the organization owes them, and whichever of the two turns out void restores its own share.
        """
        if not payment.terms.issues_entitlement:
            return amount_minor
        if not payment.received_minor:
            return 0
        due = payment.granted_minor * (not_kept_minor(payment) + amount_minor) // payment.received_minor
        return max(0, due - clawed_back_minor(payment))

    def waiting_minor(self, payment: Payment) -> int:  # noqa: ARG002
        """Return nothing: what was bought is with the organization."""
        return 0

    def taken_from_waiting(self, payment: Payment, goods_minor: int) -> int:  # noqa: ARG002
        """Return nothing: refunds come from the organization."""
        return 0

    def held_minor(self, payment: Payment) -> int:  # noqa: ARG002
        """Return nothing: what was bought is with the organization."""
        return 0

    def is_refunded_when_gone(self, payment: Payment) -> bool:  # noqa: ARG002
        """Refund nothing: what was bought cannot be gone."""
        return False

    def must_freeze_escrow(self, payment: Payment) -> bool:  # noqa: ARG002
        """Freeze nothing."""
        return False

    def subject(self, purpose: Purpose) -> Mapping[str, str | None]:  # noqa: ARG002
        """Return nothing: the organization gets what was bought."""
        return {}


def fulfilled_with(
    payment: Payment, amount_minor: int, event: str, subject: Mapping[str, str | None], *, at: datetime
) -> Outcome:
    """Fulfil a payment with `amount_minor` of what waits on its account, and name in the event what it was spent on."""
    asset = payment.terms.purpose.goods_asset
    release = PaymentPosting(kind=PaymentPostingKind.RELEASE, amount_minor=amount_minor, asset=asset)
    return with_number(
        Outcome(
            payment=replace(payment, fulfilment=Fulfilment.DONE),
            event=event,
            actor=WORKFLOW,
            moves=(release,) if amount_minor else (),
            details={**subject, "amount": format_amount(amount_minor, asset), "currency": asset},
        ),
        at,
    )
