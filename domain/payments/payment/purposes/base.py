"""Protocol of the rules of a payment's purpose. Each purpose is a module; no other code distinguishes purposes."""

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
    """Whether a payment can be fulfilled.

    Attributes:
        NONE: nothing to fulfil: it was fulfilled, it never will be, or nothing was received.
        SHORT: too little was received so far.
        WAITS: enough was received, and an open refund or dispute decides whether enough of it stays.
        READY: it can be fulfilled now.
        FAILED: too much was refunded or charged back, so it never will be.
    """

    NONE = "none"
    SHORT = "short"
    WAITS = "waits"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeAccounts:
    """Accounts of a purpose.

    Attributes:
        wallet: gets the entitlement.
        revenue: gets the money for an entitlement that is issued.
        issuance: issues the entitlement; None if the money itself is the entitlement.
        refunds: pays refunds, and gets money for which nothing is issued. Differs from `revenue` where that is
            deferred: by then the entitlement may be used, and its price no longer deferred.
    """

    wallet: Account
    revenue: Account
    issuance: Account
    refunds: Account


@dataclass(frozen=True, slots=True)
class AskEscrow:
    """Ask the escrow to take the money, in a task of its own, because the answer may take long."""


@dataclass(frozen=True, slots=True)
class BookFulfilment:
    """Fulfil the payment by booking this event; if the books refuse it with the code `refused_by`, return the money."""

    event: Outcome
    refused_by: str


@dataclass(frozen=True, slots=True)
class ReturnMoney:
    """Return the money of an unfulfillable payment; `failed`: too much was refunded or charged back before."""

    why: str = ""
    failed: bool = False


#: Ways to fulfil a payment; the run handles each of them.
Fulfil = AskEscrow | BookFulfilment | ReturnMoney


class PurposeRules(Protocol):
    """Rules of a purpose. All are pure, because the workflow decides by them and must replay."""

    @property
    def kind(self) -> PurposeKind:
        """The purpose."""

    # Price ------------------------------------------------------------------------------------------------------------

    @property
    def named_by(self) -> str | None:
        """The field of a request that names the subject; None without a subject. Other purposes refuse the field."""

    @property
    def takes_credits(self) -> bool:
        """Whether it can be paid with credits."""

    def price(self, order: Order, market: Market) -> Price:
        """Return the price of an order, or refuse it."""

    def buys(self, order: Order, charge: Charge, market: Market) -> Purpose:
        """Return the purpose with its entitlement."""

    # Accounts ---------------------------------------------------------------------------------------------------------

    def accounts(self, terms: PaymentTerms) -> PurposeAccounts:
        """Return the accounts of the purpose."""

    # Ready and fulfil -------------------------------------------------------------------------------------------------

    @property
    def at_once(self) -> bool:
        """Whether each received part buys its share immediately; otherwise the money waits for fulfilment."""

    def readiness(self, payment: Payment) -> Readiness:
        """Return whether the payment can be fulfilled; called from the first receipt until fulfilment is decided."""

    def fulfil(self, payment: Payment, *, at: datetime, in_part: bool = False) -> Fulfil:
        """Return how to fulfil the payment; with `in_part`, how to use a partial amount after the payer's deadline."""

    # Reverse ----------------------------------------------------------------------------------------------------------

    @property
    def refunded_with(self) -> Permission:
        """The permission that requesting a refund requires."""

    @property
    def is_top_up(self) -> bool:
        """Whether it is a prepayment of the organization: there is a maximum amount, and a deadline for own refunds."""

    @property
    def keeps_fee(self) -> bool:
        """Whether the provider's fee is kept of refunds that the payer requests itself."""

    @property
    def pays_fixed_fee(self) -> bool:
        """Whether payers of small amounts also pay the provider's fixed fee."""

    def check_refund(self, payment: Payment, amount_minor: int) -> None:
        """Refuse a refund of an amount that the entitlement cannot be divided by."""

    def refunds_of_parts(self, payment: Payment, unit: int) -> Sequence[int] | None:
        """Return the possible partial refunds that are multiples of `unit`, ascending; None for any amount."""

    def taken_for(self, payment: Payment, amount_minor: int) -> int:
        """Return the entitlement that a refund of `amount_minor` claws back."""

    def waiting_minor(self, payment: Payment) -> int:
        """Return the amount that waits for fulfilment, which refunds take first."""

    def taken_from_waiting(self, payment: Payment, goods_minor: int) -> int:
        """Return the part of a clawback that comes from the amount that waits for fulfilment."""

    def held_minor(self, payment: Payment) -> int:
        """Return the amount left on the payment's account when it cannot be fulfilled."""

    def is_refunded_when_gone(self, payment: Payment) -> bool:
        """Return whether an unfulfillable payment is refunded; otherwise the organization gets the money."""

    def must_freeze_escrow(self, payment: Payment) -> bool:
        """Return whether an escrow that holds clawed-back or disputed money is not frozen yet."""

    # Describe ---------------------------------------------------------------------------------------------------------

    def subject(self, purpose: Purpose) -> Mapping[str, str | None]:
        """Return the subject's id under its field name in events; empty without a subject."""

    def describe(self, purpose: Purpose, subject: object = None) -> str:
        """Return the default description for the payer."""


class CommonRules:
    """Default rules: the organization gets the entitlement in parts, as money is received."""

    named_by: str | None = None
    takes_credits = False
    at_once = True
    is_top_up = False
    keeps_fee = False
    pays_fixed_fee = False
    refunded_with = Permission.REFUND_PAYMENT

    def accounts(self, terms: PaymentTerms) -> PurposeAccounts:
        """Return the organization's wallet; issued credits are deferred revenue."""
        asset = terms.purpose.goods_asset
        return PurposeAccounts(
            wallet=accounts.org_wallet(terms.org_id, asset),
            revenue=accounts.platform("deferred_revenue", terms.currency),
            issuance=accounts.platform("credit_issuance", asset),
            refunds=accounts.platform("revenue/credits", terms.currency),
        )

    def readiness(self, payment: Payment) -> Readiness:  # noqa: ARG002
        """Return NONE: the entitlement is granted as money is received."""
        return Readiness.NONE

    def fulfil(self, payment: Payment, *, at: datetime, in_part: bool = False) -> Fulfil:  # noqa: ARG002
        """Raise: a payment is never ready to be fulfilled."""
        raise TypeError(f"what {payment.terms.purpose.kind.value} buys is granted as money is received")

    def check_refund(self, payment: Payment, amount_minor: int) -> None:
        """Allow any amount."""

    def refunds_of_parts(self, payment: Payment, unit: int) -> Sequence[int] | None:  # noqa: ARG002
        """Allow any amount."""
        return None

    def taken_for(self, payment: Payment, amount_minor: int) -> int:
        """Return the cumulative share of the amount; the last part takes the remainder exactly.

        If a bank charges back money that was refunded already, more is clawed back than was bought: the organization
        owes the excess. If the refund fails or the dispute is won, its share is restored.
        """
        if not payment.terms.issues_entitlement:
            return amount_minor
        if not payment.received_minor:
            return 0
        due = payment.granted_minor * (not_kept_minor(payment) + amount_minor) // payment.received_minor
        return max(0, due - clawed_back_minor(payment))

    def waiting_minor(self, payment: Payment) -> int:  # noqa: ARG002
        """Return 0: the organization has the entitlement."""
        return 0

    def taken_from_waiting(self, payment: Payment, goods_minor: int) -> int:  # noqa: ARG002
        """Return 0: refunds are taken from the organization."""
        return 0

    def held_minor(self, payment: Payment) -> int:  # noqa: ARG002
        """Return 0: the organization has the entitlement."""
        return 0

    def is_refunded_when_gone(self, payment: Payment) -> bool:  # noqa: ARG002
        """Return False: the purpose can always be fulfilled."""
        return False

    def must_freeze_escrow(self, payment: Payment) -> bool:  # noqa: ARG002
        """Return False: no escrow is funded."""
        return False

    def subject(self, purpose: Purpose) -> Mapping[str, str | None]:  # noqa: ARG002
        """Return no subject: the organization gets the entitlement."""
        return {}


def fulfilled_with(
    payment: Payment, amount_minor: int, event: str, subject: Mapping[str, str | None], *, at: datetime
) -> Outcome:
    """Fulfil a payment with `amount_minor` of the money on its account; the event names the subject."""
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
