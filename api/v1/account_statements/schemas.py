"""HTTP schemas of statements of accounts."""

from datetime import datetime
from typing import Self

from pydantic import Field

from api.fields import Exact, ResponseModel
from domain.books.account_statement import StatementLine
from domain.common.money import format_amount
from repositories.books.account_statement import AccountBalance


class CounterpartyView(ResponseModel):
    """The other side of a transfer."""

    type: str = Field(description="`own` for another account of the organization, `organization` or `platform`.")
    account: str | None = Field(description="The account; null unless it is the organization's own.")

    @classmethod
    def of(cls, name: str) -> Self:
        return cls(type="own", account=name) if "/" in name else cls(type=name, account=None)


class CreditCostView(ResponseModel):
    """The money paid for credits."""

    amount: Exact
    currency: str


class StatementLineView(ResponseModel):
    """A transfer on the account."""

    id: str = Field(description="The id of the transfer.")
    kind: str
    purpose: str | None = Field(
        description="The cause: a contract's title, an invoice's number, an action or a payment."
    )
    reference: str | None
    counterparties: list[CounterpartyView]
    amount: Exact = Field(description="Positive into the account, negative out of it.")
    balance: Exact = Field(description="The balance after the transfer.")
    paid: list[CreditCostView] = Field(description="The amounts that the organization paid for these credits.")
    booked_at: datetime
    effective_at: datetime = Field(description="The effective time.")

    @classmethod
    def of(cls, line: StatementLine, asset: str) -> Self:
        return cls.from_row(
            line,
            id=line.transfer_id,
            counterparties=[CounterpartyView.of(name) for name in line.counterparties],
            amount=format_amount(line.amount_minor, asset),
            balance=format_amount(line.balance_minor, asset),
            paid=[CreditCostView(amount=format_amount(amount, paid), currency=paid) for paid, amount in line.paid],
            booked_at=line.recorded_at,
        )


class AccountStatementView(ResponseModel):
    """An account over a period, by time of booking. `opening_balance` and all lines add up to `closing_balance`."""

    organization_id: str
    account: str
    currency: str
    since: datetime = Field(serialization_alias="from")
    until: datetime = Field(serialization_alias="to", description="The first moment after the period.")
    zone: str = Field(description="The time zone in which `from` and `to` were read.")
    opening_balance: Exact
    closing_balance: Exact
    data: list[StatementLineView] = Field(description="In the order of booking, oldest first.")
    next_cursor: str | None = Field(
        default=None, description="Pass it as `cursor` for the next page; null on the last page."
    )


class AccountBalanceView(ResponseModel):
    """The balance of an account."""

    account: str
    currency: str
    balance: Exact

    @classmethod
    def of(cls, found: AccountBalance) -> Self:
        return cls(account=found.path, currency=found.asset, balance=format_amount(found.balance, found.asset))


class AccountBalancesView(ResponseModel):
    """The balances of an organization's accounts at a moment, by time of booking."""

    organization_id: str
    at: datetime
    zone: str
    data: list[AccountBalanceView]
    next_cursor: str | None = Field(
        default=None, description="Pass it as `cursor` for the next page; null on the last page."
    )
