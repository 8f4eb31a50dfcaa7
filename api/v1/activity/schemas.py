"""Schemas of activity."""

from datetime import datetime
from typing import Self

from pydantic import Field

from api.fields import Exact, ResponseModel
from api.v1.transfers.schemas import CAUSES
from domain.common.ids import transfer_id
from domain.common.money import format_amount
from domain.payouts.activity import AssetChange, Category, FactStatus
from domain.payouts.summary import SummaryPart
from repositories.payouts.activity import Cause, Fact


class ChangeOfAssetView(ResponseModel):
    """Change of the organization's balances in one currency, with the fields of `GET /billing/summary`.

    `total` = `available` + `in_use` + `in_escrow` + `in_payments` + `in_payouts` + `earnings` - `owed` - `invoiced`.
    """

    currency: str
    total: Exact
    available: Exact = Field(description="Credits, money or slots that can be spent; also what reservations hold.")
    in_use: Exact
    in_escrow: Exact
    in_payments: Exact
    in_payouts: Exact
    earnings: Exact
    owed: Exact
    invoiced: Exact

    @classmethod
    def of(cls, change: AssetChange) -> Self:
        def shown(amount_minor: int) -> str:
            return format_amount(amount_minor, change.asset)

        return cls(
            currency=change.asset,
            total=shown(change.total),
            available=shown(change.of(SummaryPart.WALLET)),
            in_use=shown(change.of(SummaryPart.IN_USE)),
            in_escrow=shown(change.of(SummaryPart.IN_ESCROW)),
            in_payments=shown(change.of(SummaryPart.IN_PAYMENTS)),
            in_payouts=shown(change.of(SummaryPart.IN_PAYOUTS)),
            earnings=shown(change.of(SummaryPart.EARNINGS, SummaryPart.GRANTED_EARNINGS, SummaryPart.OWN_WORK)),
            owed=shown(-change.of(SummaryPart.OWED)),
            invoiced=shown(-change.of(SummaryPart.INVOICED)),
        )


class FactObjectView(ResponseModel):
    """The object of a fact, as far as the organization may read it."""

    type: str = Field(description="The kind of object, such as `escrow`, `payment`, `invoice` or `spend`.")
    id: str
    name: str | None = Field(
        description="The title of an escrow, the action or meter of a spend, the agent of a purchase, the first line "
        "of an invoice, the plan of a subscription, what a payment was for (`credits`, `invoice`, …), or the source of "
        "a grant."
    )
    amount: Exact | None = Field(description="The object's total amount; null if it has none.")
    currency: str | None

    @classmethod
    def of(cls, cause: Cause) -> Self:
        priced = cause.amount_minor is not None and cause.currency is not None
        return cls.from_row(
            cause,
            type=CAUSES[cause.id.rpartition("_")[0]],
            amount=format_amount(cause.amount_minor or 0, cause.currency or "") if priced else None,
        )


class FactView(ResponseModel):
    """A fact: a transfer as the organization sees it, or all transfers of an escrow or a payout.

    `GET /ledger/transfers/{id}` has the entries of the last transfer.
    """

    id: str = Field(description="The id of the last transfer.")
    kind: str = Field(description="The kind of the last transfer, such as `escrow.released` or `use`.")
    category: Category
    status: FactStatus = Field(
        description="`pending` while an escrow or a payout holds money, `reversed` if it returned all of it, otherwise "
        "`completed`."
    )
    object: FactObjectView | None = Field(
        description="The object. A seller gets its agent in place of the buyer's purchase, use or payment."
    )
    agent_id: str | None = Field(description="The agent that spent credits.")
    agent_name: str | None
    payee_agent_id: str | None = Field(description="The agent that is paid: of an escrow, a purchase or a use.")
    payee_agent_name: str | None
    principal: str | None = Field(
        description="The principal that last caused it; null for another organization, a provider, an operator or a "
        "deadline."
    )
    changes: list[ChangeOfAssetView] = Field(description="Of all its transfers together, one for each currency.")
    started_at: datetime = Field(description="The effective time of the first transfer.")
    effective_at: datetime = Field(description="The effective time of the last transfer.")
    recorded_at: datetime

    @classmethod
    def of(cls, fact: Fact) -> Self:
        payee = None if fact.cause is None else fact.cause.payee_agent_id
        return cls.from_row(
            fact,
            id=transfer_id(fact.transfer_id),
            object=None if fact.cause is None else FactObjectView.of(fact.cause),
            agent_name=fact.agents.get(fact.agent_id or ""),
            payee_agent_id=payee,
            payee_agent_name=fact.agents.get(payee or ""),
            changes=[ChangeOfAssetView.of(change) for change in fact.changes],
        )
