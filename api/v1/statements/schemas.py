"""Schemas of creators' statements and totals."""

from collections.abc import Sequence
from typing import Self

from pydantic import Field

from api.fields import Exact, ResponseModel
from domain.billing.billing_run.period import month_text
from domain.billing.document.words import STATED_TAX
from domain.common.money import format_amount
from models.billing.document import StoredDocument
from models.payouts.creator_statement import CreatorCorrection
from repositories.payouts.statement import QuarterTotal


class AccountStatementLineView(ResponseModel):
    """Earnings of an agent."""

    description: str
    amount: Exact


class StatementBalanceView(ResponseModel):
    """One line of the month's balance of earnings."""

    kind: str = Field(description="`opening`, `earned`, `taken_back`, `converted`, `paid_out`, `waived` or `closing`.")
    amount: Exact


class CorrectionView(ResponseModel):
    """A correction: what a later month took back of a statement."""

    id: str
    number: str
    month: str = Field(description="The month that took it back.")
    amount: Exact
    tax: Exact = Field(description="The tax in `amount`.")

    @classmethod
    def of(cls, row: CreatorCorrection) -> Self:
        return cls.from_row(
            row,
            month=month_text(row.month),
            amount=format_amount(row.total_minor, row.currency),
            tax=format_amount(row.tax_minor, row.currency),
        )


class StatementView(ResponseModel):
    """A creator's earnings of a month, valued in one currency, and their status."""

    id: str
    number: str
    organization_id: str
    month: str
    currency: str
    earned: Exact = Field(description="The amount earned, less what was taken back in the same month, with tax.")
    tax: Exact = Field(description="The tax in `earned`.")
    tax_code: str | None = Field(
        description="`charged`, with the amount in `tax`; otherwise `reverse_charge`, `outside_scope`, `no_profile`, "
        "`not_registered` or `not_stated`."
    )
    tax_text: str | None = Field(
        description="The reason in words, in the statement's language; null if tax is charged."
    )
    lines: list[AccountStatementLineView]
    account: list[StatementBalanceView]
    corrections: list[CorrectionView] = Field(description="What later months took back of the statement.")

    @classmethod
    def of(cls, stored: StoredDocument, corrections: Sequence[CreatorCorrection]) -> Self:
        said = stored.content
        currency, tax_code = said["currency"], said.get("stated_tax")
        return cls.from_row(
            stored,
            month=said["period"][0][:7],
            currency=currency,
            earned=format_amount(stored.total_minor, currency),
            tax_code=tax_code,
            tax=format_amount(sum(each["tax_minor"] for each in said.get("taxes", ())), currency),
            tax_text=STATED_TAX[tax_code][said["language"]] if tax_code and tax_code in STATED_TAX else None,
            lines=[
                AccountStatementLineView(
                    description=line["description"],
                    amount=format_amount(
                        line["net_minor"] if line.get("shown_minor") is None else line["shown_minor"], currency
                    ),
                )
                for line in said["lines"]
            ],
            corrections=[CorrectionView.of(each) for each in corrections],
            account=[
                StatementBalanceView(kind=each["kind"], amount=format_amount(each["amount_minor"], currency))
                for each in said["balances"]
            ],
        )


class CreatorTotalView(ResponseModel):
    """Payouts to a creator in a quarter or a year, in one currency."""

    organization_id: str
    country: str | None
    currency: str
    period: str = Field(description="The quarter, such as `2026-Q1`, or the year, such as `2026`.")
    paid_out: Exact = Field(description="The amount paid out, before reversals.")
    reversed: Exact = Field(description="The amount of payouts reversed in the period.")
    payouts: int


def totals(year: int, found: Sequence[QuarterTotal]) -> list[CreatorTotalView]:
    """Return quarters in their order, and after those of each creator and currency the year."""
    views: list[CreatorTotalView] = []
    places = list(dict.fromkeys((each.org_id, each.currency) for each in found))
    for place in places:
        quarters = [each for each in found if (each.org_id, each.currency) == place]
        views += [_total(f"{year}-Q{each.quarter}", [each]) for each in quarters]
        views.append(_total(str(year), quarters))
    return views


def _total(period: str, parts: Sequence[QuarterTotal]) -> CreatorTotalView:
    currency = parts[0].currency
    return CreatorTotalView(
        organization_id=parts[0].org_id,
        country=parts[0].country,
        currency=currency,
        period=period,
        paid_out=format_amount(sum(each.paid_minor for each in parts), currency),
        reversed=format_amount(sum(each.reversed_minor for each in parts), currency),
        payouts=sum(each.payouts for each in parts),
    )


class CreatorTotals(ResponseModel):
    """Payouts to creators in a year."""

    year: int
    data: list[CreatorTotalView]
