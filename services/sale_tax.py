"""Which tax an organization is charged on credits when it buys them."""

from datetime import datetime

from domain.invoice.lines import STANDARD
from domain.invoice.rules import InvoiceRules
from domain.payment.pricing import Charge
from domain.tax.sale import SaleRules, Taxation
from providers.tax.service import TaxedLine, TaxService
from runtime.database import Database
from runtime.identity import new_id
from services import tax
from services.outside_tax import OutsideTaxes


class SaleTaxes:
    """Decides the tax of credits when they are sold: by an outside service, or by the rates of that moment."""

    def __init__(self, database: Database, rules: SaleRules, service: TaxService | None) -> None:
        """Take the database, of which the platform's role reads, how the deployment taxes sales, and who is asked."""
        self._database, self._includes_tax = database, rules.includes_tax
        self._rules = InvoiceRules(seller_country=rules.seller_country, others=rules.others)
        self._outside = OutsideTaxes(database, service, self._rules)

    async def of(self, org_id: str, charge: Charge, now: datetime) -> Taxation:
        """Return the tax that an organization is charged on credits, in a transaction of its own.

        Raises:
            TaxUnavailable, TaxRefused: nothing may be sold.
        """
        currency = charge.currency if charge.quote is None else charge.quote.currency
        treatment = await self._outside.of(
            org_id,
            currency,
            [TaxedLine(product=STANDARD, amount_minor=charge.worth_minor)],
            key=new_id("txq"),
            now=now,
            includes_tax=self._includes_tax,
        )
        if treatment is None:
            async with self._database.platform() as session:
                found = await tax.assessor(session, [org_id], rules=self._rules)
            treatment, _ = found.assess(org_id, [STANDARD], now)
        return Taxation(tax=treatment.taxes[0], is_proven=treatment.is_proven, includes_tax=self._includes_tax)
