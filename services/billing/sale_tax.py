"""The tax of sales that are taxed when they are paid: credits, agents, slots."""

from datetime import datetime

from domain.billing.invoice.lines import STANDARD
from domain.billing.invoice.rules import InvoiceRules
from domain.billing.tax.sale import SaleRules, Taxation
from domain.payments.payment.pricing import Charge
from domain.payments.payment.terms import PurposeKind
from providers.tax.service import TaxedLine, TaxService
from runtime.database import Database
from services.billing import tax
from services.billing.outside_tax import OutsideTaxes


class SaleTaxes:
    """Computes the tax of what payments buy: by an outside service, or by the rates at that time."""

    def __init__(self, database: Database, rules: SaleRules, service: TaxService | None) -> None:
        """Take the database, read with the platform's role, the settings, and the outside service."""
        self._database, self._includes_tax = database, rules.includes_tax
        self._rules = InvoiceRules(seller_country=rules.seller_country, others=rules.others)
        self._outside = OutsideTaxes(database, service, self._rules)

    async def of(self, org_id: str, kind: PurposeKind, charge: Charge, *, key: str, now: datetime) -> Taxation | None:
        """Return the tax that an organization is charged for a sale; read in its own transaction.

        None if the purpose is not taxed on payment. `key` identifies the sale, so that a retry sends the same question.
        """
        includes_tax = self._includes_tax.get(kind.value)
        if includes_tax is None:
            return None
        currency = charge.currency if charge.quote is None else charge.quote.currency
        async with self._database.platform() as session:
            found = await tax.assessor(session, [org_id], rules=self._rules)
        rules, profile = found.rules_of(org_id), found.profiles.get(org_id)
        treatment, party = found.assess(org_id, [(STANDARD, now)], rules=rules)
        external = await self._outside.of(
            org_id,
            currency,
            [TaxedLine(product=STANDARD, amount_minor=charge.worth_minor)],
            key=key,
            now=now,
            includes_tax=includes_tax,
            rules=rules,
            party=tax.party_of(profile),
        )
        treatment = external or treatment
        return Taxation(
            tax=treatment.taxes[0],
            is_proven=treatment.is_proven,
            includes_tax=includes_tax,
            entity=None if profile is None else profile.legal_entity,
            party=tuple((party or {}).items()),
        )
