"""Database side of payments for agents: a payment makes the sale; refunds and disputes change its shares."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.payments.payment import PaymentEvent
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.accounts import Account
from domain.common.errors import NotForSale
from domain.common.money import format_amount
from domain.marketplace.offer import OfferModel, OfferStatus
from domain.marketplace.renewal import is_past
from domain.marketplace.sale import PurchaseStatus, shares_between, shares_of, status_after
from domain.payments.payment import booking
from domain.payments.payment.purposes.purchase import (
    SALE_POSTING_KINDS,
    borne_minor,
    is_disputed,
    lost_price_minor,
    net_of_tax,
)
from domain.payments.payment.state import Fulfilment, Payment, PaymentPosting, PaymentPostingKind, RefundState
from domain.payments.payment.terms import PaymentTerms
from domain.payouts.payable import HoldBack
from ledger.gateway import Ledger
from models.marketplace.marketplace import MarketplacePurchase
from repositories.marketplace import marketplace
from repositories.messages import alert
from repositories.payments import payment
from repositories.payouts import transfer_reversal as transfer_reversals
from repositories.reputation.organization_trait import share_an_owner
from repositories.tenants import audit, organization
from runtime.database import driver_connection
from services.billing.tax_receipt import TaxedMovement
from services.books.debt import close_paid_debts, owed_minor
from services.marketplace.marketplace import (
    blocks_purchase,
    current_purchase,
    effective_status,
    is_charged_back,
    mark_renewed,
    new_purchase,
)
from services.payments.purposes.base import WithoutSubject, refuse_concurrent_payments
from services.payouts import recovery, transfer_reversal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parties:
    """Parties of a sale, and the accounts of their shares."""

    payee_org_id: str
    creator_bps: int
    earnings: Account
    commission: Account
    debt: Account
    tax: Account | None

    @classmethod
    def of(cls, terms: PaymentTerms) -> "_Parties":
        purpose = terms.purpose
        assert purpose.agent_id is not None
        assert purpose.payee_org_id is not None
        assert purpose.creator_bps is not None
        return cls(
            payee_org_id=purpose.payee_org_id,
            creator_bps=purpose.creator_bps,
            earnings=accounts.agent_earnings(purpose.agent_id, purpose.goods_asset, purpose.payee_org_id),
            commission=accounts.platform("commission", purpose.goods_asset),
            debt=accounts.org_debt(purpose.payee_org_id, purpose.goods_asset),
            tax=None if terms.tax is None else booking.sale_tax(terms),
        )


@dataclass(slots=True)
class PurchaseShare:
    """Shares of a marketplace sale in an event's postings.

    Attributes:
        purchase: None until the event makes the sale.
        taken: the part of the price that was taken from the shares.
        borne: chargebacks after the creator's liability period, which only the payer owes.
        stays_refunded: whether the organization bought the agent again, so that it gets returned money.
        other: another purchase by which the organization has the agent now.
        owed_minor: the debt of the creator's organization, because earnings were spent.
        came_minor: the event's change of shares and tax; negative for refunds.
        tax_minor: its tax part.
        reverses: whether payouts are reversed for the creator's debt from a refund.
    """

    purchase: MarketplacePurchase | None
    taken: int
    borne: int = 0
    stays_refunded: bool = False
    other: MarketplacePurchase | None = None
    owed_minor: int = 0
    came_minor: int = 0
    tax_minor: int = 0
    reverses: bool = False

    def takes_part_in(self, move: PaymentPosting) -> bool:
        """Return whether the posting can make the sale, or reduce or restore its shares."""
        return move.kind in SALE_POSTING_KINDS

    async def share(
        self, ledger: Ledger, event: PaymentEvent, move: PaymentPosting
    ) -> tuple[PaymentPosting, list[booking.AccountMovement]]:
        """Share the parts of creator, platform and tax.

        A clawback from spent earnings becomes a debt of the creator's organization; a restored share pays debts first.
        """
        terms, price = event.payment.terms, event.payment.terms.purpose.goods_minor
        own, parties = booking.entitlement_account(terms), _Parties.of(terms)
        gives = move.kind is PaymentPostingKind.RELEASE
        if event.event == "agent_bought":
            part, net = price, net_of_tax(terms, price)
            shares = shares_of(net, parties.creator_bps)
        else:
            moved = lost_price_minor(event.payment, self.borne) - self.taken
            part = 0 if self.stays_refunded else min(move.amount_minor, max(0, -moved if gives else moved))
            before, self.taken = self.taken, self.taken + (-part if gives else part)
            whole, gone = net_of_tax(terms, price), sorted((before, self.taken))
            most, least = (whole - net_of_tax(terms, each) for each in gone)
            net, shares = most - least, shares_between(least, most, parties.creator_bps)
        self.came_minor += part if gives else -part
        self.tax_minor += part - net if gives else net - part
        if gives:
            paid = min(shares.creator_minor, await owed_minor(ledger, parties.payee_org_id, own.asset))
            postings = [
                (own, parties.debt, paid),
                (own, parties.earnings, shares.creator_minor - paid),
                (own, parties.commission, shares.commission_minor),
            ]
        else:
            there = min(shares.creator_minor, max(0, (await ledger.balance(parties.earnings)).available_minor))
            self.owed_minor += shares.creator_minor - there
            postings = [
                (parties.earnings, own, there),
                (parties.debt, own, shares.creator_minor - there),
                (parties.commission, own, shares.commission_minor),
            ]
        if parties.tax is not None:
            postings.append((own, parties.tax, part - net) if gives else (parties.tax, own, part - net))
        return replace(move, amount_minor=move.amount_minor - part), [posting for posting in postings if posting[2]]

    def taxed(self, event: PaymentEvent, transfer_id: UUID) -> Sequence[TaxedMovement]:
        """Return the taxed amounts of the sale."""
        if not self.came_minor:
            return ()
        key = f"{event.event}:{event.payment.version}"
        return [
            TaxedMovement(
                key=key, gross_minor=self.came_minor, tax_minor=self.tax_minor, transfer_id=transfer_id, at=event.at
            )
        ]

    def posts_to(self) -> Sequence[Account]:
        """Return no accounts: there are no further transfers."""
        return ()

    async def write(self, session: AsyncSession, event: PaymentEvent, transfer_id: UUID | None) -> None:
        """Write the sale, or its new state."""
        terms = event.payment.terms
        if event.event == "agent_bought":
            assert transfer_id is not None
            await _make(session, event, transfer_id)
        elif self.purchase is not None:
            row = self.purchase
            before = status = effective_status(row)
            row.taken_minor, used = self.taken, _used(row, event.payment)
            if not self.stays_refunded:
                assert row.price_minor is not None
                # The used part of the price stays in the shares. An event that does not reduce them refunds nothing.
                gone = self.taken > 0 and self.taken >= row.price_minor - used
                has_other, disputed = self.other is not None, is_disputed(event.payment)
                status = status_after(status, gone=gone, disputed=disputed, has_other=has_other)
            if status is not before:
                refunded = status is PurchaseStatus.REFUNDED
                row.status, row.refunded_at = status.value, event.at if refunded else None
                row.renews_at, row.renewed = None, False
                row.refunded_by = event.actor if refunded else None
                row.used_minor = used if refunded else row.used_minor
            if self.other is not None and is_disputed(event.payment):
                # Otherwise the next renewal would charge a method whose holder has just charged the payment back.
                self.other.renews_at = None
            await session.flush()
        payee, asset = _Parties.of(terms).payee_org_id, terms.purpose.goods_asset
        if self.owed_minor and self.reverses and transfer_id is not None:
            await _take_back(session, event, f"refund:{event.payment.version}", self.owed_minor, transfer_id)
        if self.owed_minor:
            # The seller must not learn who the buyer is.
            sale = terms.purpose.agent_id if self.purchase is None else self.purchase.id
            assert sale is not None
            await alert.raise_alert(
                session,
                kind="payment.debt",
                subject=sale,
                detail=f"{payee} owes {format_amount(self.owed_minor, asset)} {asset}: its agent's share of "
                f"{sale} was refunded, and was already spent.",
                org_id=payee,
                key=f"payment.debt:{terms.payment_id}:{event.payment.version}:creator",
                shared=True,
            )
        else:
            await close_paid_debts(session, Ledger(await driver_connection(session)), payee, asset)


class LostDisputeShare(PurchaseShare):
    """Shares of a sale when a chargeback is lost: payouts are reversed for the creator's debt.

    The opening of the chargeback has taken the share; until it is lost, the share may be restored.
    """

    async def write(self, session: AsyncSession, event: PaymentEvent, transfer_id: UUID | None) -> None:  # noqa: ARG002
        """Request reversals for debts from the payment's chargebacks that earnings have not paid."""
        debts = _Parties.of(event.payment.terms).debt
        booked = await transfer_reversals.owed_by_chargebacks(session, debts, event.payment.terms.payment_id)
        if booked is None:
            return
        owed, opened_by = booked
        payee = event.payment.terms.purpose.payee_org_id or ""
        owed = min(owed, await owed_minor(Ledger(await driver_connection(session)), payee, debts.asset))
        if owed > 0:
            await _take_back(session, event, f"lost:{event.payment.version}", owed, opened_by)


async def _take_back(
    session: AsyncSession, event: PaymentEvent, cause: str, owed_minor: int, transfer_id: UUID
) -> None:
    """Request reversals of the creator's payouts for the debt that a transfer has created."""
    purpose = event.payment.terms.purpose
    assert purpose.agent_id is not None
    assert purpose.payee_org_id is not None
    await transfer_reversal.plan_sale(
        session,
        payment_id=event.payment.terms.payment_id,
        cause=cause,
        asset=purpose.goods_asset,
        agent_id=purpose.agent_id,
        org_id=purpose.payee_org_id,
        owed_minor=owed_minor,
        transfer_id=transfer_id,
        now=event.at,
    )


def _used(row: MarketplacePurchase, payment: Payment) -> int:
    """Return the used part of a purchase at its latest refund; refused and failed refunds do not count."""
    made = [refund.refund_id for refund in payment.refunds if refund.state is not RefundState.FAILED]
    noted = [row.used_by[refund_id] for refund_id in made if refund_id in row.used_by]
    return noted[-1] if noted else 0


async def _make(session: AsyncSession, event: PaymentEvent, transfer_id: UUID) -> None:
    terms, purpose = event.payment.terms, event.payment.terms.purpose
    assert purpose.agent_id is not None
    assert purpose.creator_bps is not None
    assert purpose.sold_as is not None
    offer = (await marketplace.get(session, purpose.agent_id)).as_offer()
    offer = replace(
        offer,
        model=OfferModel(purpose.sold_as),
        price_minor=purpose.goods_minor,
        currency=purpose.goods_asset,
        included_uses=purpose.included_uses or None,
    )
    before = None if purpose.renews is None else await marketplace.get_purchase(session, purpose.renews, lock=True)
    if before is not None:
        mark_renewed(before, event.at)
        await session.flush()
    purchase = new_purchase(
        offer,
        purpose.creator_bps,
        org_id=terms.org_id,
        by=await payment.requester_of(session, terms.payment_id),
        command_id=terms.payment_id,
        now=event.at,
        before=before,
        tax_minor=0 if terms.tax is None else terms.tax.amount_minor,
    )
    purchase.payment_id, purchase.transfer_id = terms.payment_id, transfer_id
    session.add(purchase)
    await session.flush()
    actor, details = Actor(principal=purchase.bought_by, role=Role.OPERATOR), {"agent_id": purpose.agent_id}
    await audit.record(session, actor, "marketplace.purchase", purchase.id, details, terms.org_id)


class PurchaseBooks(WithoutSubject):
    """Database side of buying an agent."""

    shares = True
    # The share itself claws the price back from the creator, so no recovery follows. Only the payer owes the rest.
    is_followed = False

    async def begin(self, session: AsyncSession, terms: PaymentTerms) -> None:
        """Lock the agent's sale to the organization, and refuse a second payment; a renewal is allowed."""
        agent_id = terms.purpose.agent_id
        if agent_id is None or terms.purpose.renews is not None:
            return
        await marketplace.lock_purchases(session, terms.org_id, agent_id)
        await refuse_concurrent_payments(session, terms.org_id, {"agent_id": agent_id}, besides=terms.payment_id)

    async def gone(self, session: AsyncSession, terms: PaymentTerms, now: datetime) -> str | None:
        """Return why the agent can no longer be sold to the payer; None if it can, or was sold by this payment."""
        if await marketplace.paid_by(session, terms.payment_id) is not None:
            return None
        try:
            await _check_for_sale(session, terms, now)
        except NotForSale as refusal:
            return refusal.detail
        return None

    async def share(self, session: AsyncSession, event: PaymentEvent, hold_back: HoldBack) -> PurchaseShare | None:
        """Lock the sale that the event makes or changes.

        Raises:
            NotForSale: the event makes a sale, but the agent can no longer be sold to the organization.
        """
        terms = event.payment.terms
        purpose = terms.purpose
        fulfilled = event.payment.fulfilment is Fulfilment.DONE
        if fulfilled and event.event == "dispute_lost":
            return LostDisputeShare(purchase=None, taken=0)
        if (
            not fulfilled
            or purpose.agent_id is None
            or not any(move.kind in SALE_POSTING_KINDS for move in event.moves)
        ):
            return None
        await marketplace.lock_purchases(session, terms.org_id, purpose.agent_id)
        if event.event == "agent_bought":
            await _require_for_sale(session, terms, event.at)
            return PurchaseShare(purchase=None, taken=0)
        row = await marketplace.lock_paid_by(session, terms.payment_id)
        if row is None:
            return None
        owned = await marketplace.owned(session, terms.org_id, purpose.agent_id)
        other, borne = None if owned is None or owned.id == row.id else owned, 0
        if event.payment.disputes:
            liability_period = await recovery.liability_period(session, hold_back, row.agent_id)
            borne = borne_minor(event.payment, row.bought_at, liability_period)
        return PurchaseShare(
            purchase=row,
            taken=row.taken_minor,
            borne=borne,
            stays_refunded=other is not None and row.status == PurchaseStatus.REFUNDED.value,
            other=other,
            reverses=event.event == "reversed"
            or (hold_back.reverses_refunds and event.event in {"refund_requested", "refund_taken_over"}),
        )

    def shared_accounts(self, terms: PaymentTerms, move: PaymentPosting) -> Sequence[Account]:
        """Return the accounts of the shares."""
        if move.kind not in SALE_POSTING_KINDS:
            return []
        parties = _Parties.of(terms)
        return [parties.earnings, parties.commission, *([] if parties.tax is None else [parties.tax])]

    def debtors(self, terms: PaymentTerms, move: PaymentPosting) -> Sequence[str]:
        """Return the payer and the organization of the agent."""
        payee = terms.purpose.payee_org_id
        return [terms.org_id, *([payee] if payee else [])] if move.kind in SALE_POSTING_KINDS else []

    def pays_debts(self, event: PaymentEvent) -> Sequence[Account]:
        """Return the creator's debt, which the reversals after a lost chargeback pay."""
        return [_Parties.of(event.payment.terms).debt] if event.event == "dispute_lost" else []


async def _require_for_sale(session: AsyncSession, terms: PaymentTerms, at: datetime) -> None:
    """Check again that the agent can be sold; end and lock an earlier purchase whose period is over."""
    purpose = terms.purpose
    assert purpose.agent_id is not None
    if purpose.renews is None:
        await current_purchase(session, terms.org_id, purpose.agent_id, at)
    else:
        await marketplace.get_purchase(session, purpose.renews, lock=True)
    await _check_for_sale(session, terms, at)


async def _check_for_sale(session: AsyncSession, terms: PaymentTerms, at: datetime) -> None:
    """Refuse the sale if the organization has the agent, the offer ended, or both sides are related; only reads.

    Raises:
        NotForSale: it cannot be sold to the organization.
    """
    purpose = terms.purpose
    assert purpose.agent_id is not None
    assert purpose.payee_org_id is not None
    if purpose.renews is None:
        owned = await marketplace.owned(session, terms.org_id, purpose.agent_id)
        if owned is not None and blocks_purchase(owned, at):
            raise NotForSale("The organization has this agent already.")
        if await is_charged_back(session, terms.org_id, purpose.agent_id):
            raise NotForSale("A chargeback of an earlier purchase of this agent is open or lost.")
    else:
        before = await marketplace.get_purchase(session, purpose.renews)
        if before.renews_at is None:
            raise NotForSale("The purchase is not renewed any more.")
        assert before.anchor_at is not None
        assert before.period is not None
        if is_past(before.anchor_at, before.period, at):
            raise NotForSale("The month that was to be paid is over.")
    listing = await marketplace.get(session, purpose.agent_id)
    if listing.offer.status != OfferStatus.LISTED.value:
        raise NotForSale("This agent is no longer for sale.")
    # A purchase that was begun is completed if the seller is suspended. A closed seller could not be paid out.
    if await organization.is_closed(session, purpose.payee_org_id):
        raise NotForSale("The organization that sells this agent is closed.")
    # Common ownership was checked when the payment was requested; payment methods may have related the two
    # since.
    if await share_an_owner(session, terms.org_id, purpose.payee_org_id, ("*",)):
        raise NotForSale("The two organizations are related.")
