"""Asks the outside tax service, before the transaction that charges the tax.

While the service does not answer, nothing is issued or sold: the request is refused and can be repeated.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.billing.invoice.lines import InvoiceLine
from domain.billing.invoice.rules import InvoiceRules
from domain.billing.tax.treatment import TaxParty, Treatment
from domain.common.errors import TaxRefused, TaxUnavailable
from providers.payments.base import ProviderRefused, ProviderUnavailable
from providers.tax.service import REFUSED, UNAVAILABLE, TaxedLine, TaxQuestion, TaxService
from repositories.billing import billing_profile
from runtime.database import Database
from services.billing import tax

#: How long an outside tax service has for an answer, whatever it says itself.
TIMEOUT = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class TaxAnswer:
    """The service's answer for lines, in their order."""

    lines: tuple[TaxedLine, ...]
    treatment: Treatment

    def of(self, lines: Sequence[InvoiceLine]) -> Treatment:
        """Return the tax of each line.

        Raises:
            TaxUnavailable: the answer is for other lines.
        """
        if taxed_lines(lines) != self.lines:
            raise TaxUnavailable("The invoice was changed while its tax was asked for. Repeat the request.")
        return self.treatment


def taxed_lines(lines: Sequence[InvoiceLine]) -> tuple[TaxedLine, ...]:
    """Return the part of an invoice's lines that is sent to the service."""
    return tuple(TaxedLine(product=line.tax_code, amount_minor=line.amount_minor) for line in lines)


async def ask_service(service: TaxService, question: TaxQuestion, *, within: timedelta | None = None) -> Treatment:
    """Return the tax of each line of a question; call it outside of any transaction.

    Raises:
        ProviderUnavailable: it did not answer in time.
        ProviderRefused: it will not answer, or its answer is of other lines.
    """
    try:
        async with asyncio.timeout((within or TIMEOUT).total_seconds()):
            treatment = await service.treat(question)
    except TimeoutError:
        raise ProviderUnavailable("The tax service did not answer in time.", code=UNAVAILABLE) from None
    if len(treatment.taxes) != len(question.lines):
        raise ProviderRefused("The tax service answered for other lines.", code=REFUSED)
    return treatment


@dataclass(frozen=True, slots=True)
class OutsideTaxes:
    """Asks the service for the tax of one sale or invoice.

    Attributes:
        database: of which the platform's role reads whom the question is about.
        service: the service; None if the stored rates decide.
        rules: where the legal entities are.
    """

    database: Database
    service: TaxService | None
    rules: InvoiceRules

    async def of_invoice(
        self,
        org_id: str,
        currency: str,
        lines: Sequence[InvoiceLine],
        *,
        key: str,
        now: datetime,
        includes_tax: bool,
        rules: InvoiceRules | None = None,
        within: timedelta | None = None,
    ) -> TaxAnswer | None:
        """Return the service's answer for an invoice's lines; None if there is no service.

        `rules` are those of the legal entity that issues it, if that is known already: a draft keeps its entity.

        Raises:
            TaxUnavailable, TaxRefused: nothing may be issued.
        """
        asked = taxed_lines(lines)
        # A question has one time for all of its lines: that of the last one.
        at = max((at for _, at in tax.tax_points(lines, now)), default=now)
        treatment = await self.of(
            org_id, currency, asked, key=key, now=at, includes_tax=includes_tax, rules=rules, within=within
        )
        return None if treatment is None else TaxAnswer(asked, treatment)

    async def of(
        self,
        org_id: str,
        currency: str,
        lines: Sequence[TaxedLine],
        *,
        key: str,
        now: datetime,
        includes_tax: bool,
        rules: InvoiceRules | None = None,
        party: TaxParty | None = None,
        within: timedelta | None = None,
    ) -> Treatment | None:
        """Return the tax of each line; None where there is no service. Arguments and errors as for `of_invoice`.

        `party` is the buyer where somebody has read that already.
        """
        if self.service is None:
            return None
        if rules is None or party is None:
            async with self.database.platform() as session:
                profile = await billing_profile.find(session, org_id)
            party = party or tax.party_of(profile)
            rules = rules or tax.rules_of(profile, self.rules)
        question = TaxQuestion(
            key=key,
            org_id=org_id,
            party=party,
            seller_country=rules.seller_country,
            currency=currency,
            lines=lines,
            at=now,
            includes_tax=includes_tax,
        )
        try:
            return await ask_service(self.service, question, within=within)
        except ProviderUnavailable as error:
            raise TaxUnavailable(f"{error.detail} Repeat the request with the same Idempotency-Key.") from error
        except ProviderRefused as error:
            raise TaxRefused(error.detail) from error
