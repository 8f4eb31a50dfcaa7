"""The settings of invoices: the seller's country and entity, and the value of a credit on an invoice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, Decimal
from typing import Self

from domain.billing.invoice.lines import InvoiceLine
from domain.billing.legal_entity import chosen
from domain.common.credits import CreditPrice

#: Decimals of the value of a credit. It is rounded down, so that credits never bring less than the cost.
_STEP = Decimal("0.000000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceRules:
    """The settings of invoices.

    Attributes:
        seller_country: ISO 3166-1; None charges no tax.
        entity: the code of the legal entity that invoices; None for the deployment's first one.
        others: the tax countries of the other legal entities, by code; None charges no tax.
        credit: the value of a credit on invoices in that currency; None if credits do not pay invoices.
        cost_credit: how much of a line of cost a credit pays, in the same currency; None for as much as of others.
        cost_markup_e6: what such a line charges beyond the cost, in 10^-6 of it.
        credit_includes_tax: whether that price includes tax, if credits are taxed when they are sold.
        taxes_what_was_paid: whether tax on an invoice that credits pay is on what was paid for them, and not on their
            value, if they are taxed when they are used.
        needs_answer: whether an outside tax service decides, so no invoice is finalised without its answer.
    """

    seller_country: str | None = None
    entity: str | None = None
    others: Mapping[str, str | None] = field(default_factory=dict)
    credit: CreditPrice | None = None
    cost_credit: CreditPrice | None = None
    cost_markup_e6: int = 0
    credit_includes_tax: bool = False
    taxes_what_was_paid: bool = False
    needs_answer: bool = False

    def of(self, code: str | None) -> Self:
        """Return the settings of a legal entity; None for these.

        Raises:
            UnknownEntity: the settings have none of that code.
        """
        entity, country = chosen(code, (self.entity, self.seller_country), self.others)
        return replace(self, entity=entity, seller_country=country)

    def on(self, lines: Sequence[InvoiceLine]) -> Self:
        """Return the settings of an invoice, with the value of a credit on it.

        What credits pay is shared out over all lines. So if some of them are cost, the value is the one at which the
        credits that pay the whole invoice are those that would pay each line.
        """
        cost = sum(line.amount_minor for line in lines if line.is_cost)
        if self.credit is None or self.cost_credit is None or not cost:
            return self
        total = sum(line.amount_minor for line in lines)
        credits = (total - cost) / self.credit.price + cost / self.cost_credit.price
        return replace(self, credit=replace(self.credit, price=(total / credits).quantize(_STEP, ROUND_DOWN)))

    def worth(self, credits_minor: int, currency: str) -> int:
        """Return the value of credits on an invoice in a currency, in its minor units, rounded down."""
        if self.credit is None or self.credit.currency != currency:
            return 0
        credits_of, money = self.credit.rate()
        return credits_minor * money // credits_of

    def credits_for(self, amount_minor: int) -> int:
        """Return the smallest number of credits whose value is an amount, in the currency of `credit`."""
        if self.credit is None or not amount_minor:
            return 0
        credits_of, money = self.credit.rate()
        return -(-amount_minor * credits_of // money)


UNTAXED = InvoiceRules()
