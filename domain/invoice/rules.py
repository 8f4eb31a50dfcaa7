"""How a deployment invoices: where the seller is, who it is, and what a credit is worth on an invoice."""

from dataclasses import dataclass

from domain.credits import CreditPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceRules:
    """What settings say of invoices.

    Attributes:
        seller_country: ISO 3166-1; None charges no tax.
        entity: the code of the legal entity that invoices; None for the deployment's first one.
        credit: what credits pay of an invoice in that currency; None where none are applied.
        credit_includes_tax: whether that price includes tax, where credits are taxed when they are sold.
    """

    seller_country: str | None = None
    entity: str | None = None
    credit: CreditPrice | None = None
    credit_includes_tax: bool = False

    def worth(self, credits_minor: int, currency: str) -> int:
        """Return what credits pay of an invoice in a currency, in its minor units, rounded down."""
        if self.credit is None or self.credit.currency != currency:
            return 0
        credits_of, money = self.credit.rate()
        return credits_minor * money // credits_of

    def credits_for(self, amount_minor: int) -> int:
        """Return the fewest credits whose worth is an amount of the currency of `credit`."""
        if self.credit is None or not amount_minor:
            return 0
        credits_of, money = self.credit.rate()
        return -(-amount_minor * credits_of // money)


UNTAXED = InvoiceRules()
