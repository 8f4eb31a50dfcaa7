"""What statements and totals of creators look like over HTTP."""

from collections.abc import Sequence
from typing import Self

from pydantic import Field

from api.fields import ResponseModel
from domain.document.words import STATED_TAX
from domain.money import format_amount
from models.document import StoredDocument
from repositories.statement import QuarterTotal


class StatementLineView(ResponseModel):
    """What one agent earned."""

    description: str
    amount: str


class StatementBalanceView(ResponseModel):
    """A line of the account of the month."""

    kind: str = Field(description="`opening`, `earned`, `taken_back`, `converted`, `paid_out` or `closing`.")
    amount: str


class StatementView(ResponseModel):
    """What a creator earned in a month, worth in one currency, and what became of it."""

    id: str
    number: str
    organization_id: str
    month: str
    currency: str
    earned: str
    tax_code: str | None = Field(
        description="`reverse_charge`, `outside_scope`, `no_profile` or `not_stated`; none of them has an amount."
    )
    tax_text: str | None = Field(description="The same as a sentence, in the language of the statement.")
    lines: list[StatementLineView]
    account: list[StatementBalanceView]

    @classmethod
    def of(cls, stored: StoredDocument) -> Self:
        """Show a statement as it was made."""
        said = stored.content
        currency, tax_code = said["currency"], said.get("stated_tax")
        return cls(
            id=stored.id,
            number=stored.number,
            organization_id=stored.org_id,
            month=said["period"][0][:7],
            currency=currency,
            earned=format_amount(stored.total_minor, currency),
            tax_code=tax_code,
            tax_text=STATED_TAX[tax_code][said["language"]] if tax_code else None,
            lines=[
                StatementLineView(description=line["description"], amount=format_amount(line["net_minor"], currency))
                for line in said["lines"]
            ],
            account=[
                StatementBalanceView(kind=each["kind"], amount=format_amount(each["amount_minor"], currency))
                for each in said["balances"]
            ],
        )


class CreatorTotalView(ResponseModel):
    """What a creator was paid in a quarter or a year, in one currency."""

    organization_id: str
    country: str | None
    currency: str
    period: str = Field(description="`2026-Q1` … `2026-Q4`, and `2026` for all of them.")
    paid_out: str = Field(description="What was sent, before reversals.")
    reversed: str = Field(description="What of payouts was taken back in the period.")
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
    """What creators were paid in a year."""

    year: int
    data: list[CreatorTotalView]
