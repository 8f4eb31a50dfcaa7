"""Terms of a payment from a request, made by `services.payments.payment_terms`."""

from dataclasses import dataclass
from datetime import UTC, datetime

from api.deps import Deps
from api.v1.payments.schemas import PaymentCreate, PaymentOptions
from domain.common.access import Actor
from domain.payments.payment.options import Options
from domain.payments.payment.pricing import Order
from domain.payments.payment.purposes import RULES, check_named, rules_for
from domain.payments.payment.purposes.credits import credits_bought
from domain.payments.payment.terms import PaymentTerms, PurposeKind
from domain.payments.topup import Package
from services.payments.payment_terms import TermsMaker
from services.payments.purposes import BOOKS


async def subject_of(deps: Deps, actor: Actor, kind: PurposeKind, named: object) -> object:
    """Return the subject that a request names: an escrow that can be funded, or an invoice that can be paid."""
    books = BOOKS[kind]
    async with deps.session_for(actor) as session:
        subject = await books.subject(session, actor, named)
    async with deps.database.platform() as session:
        await books.refuse(session, subject)
    return subject


@dataclass(frozen=True, slots=True)
class Terms:
    """Makes the terms of a payment of an organization; `key` identifies the sale if it is taxed."""

    deps: Deps
    org_id: str
    options: PaymentOptions
    key: str

    async def of(self, body: PaymentCreate, actor: Actor) -> PaymentTerms:
        named = {kind: getattr(body, rules.named_by) for kind, rules in RULES.items() if rules.named_by is not None}
        subjects = {
            kind: await subject_of(self.deps, actor, kind, value) for kind, value in named.items() if value is not None
        }
        check_named(body.purpose, subjects)
        return await self.ordered(
            body.purpose,
            subjects.get(body.purpose),
            amount=body.amount,
            currency=body.currency,
            description=body.description,
            manual_capture=body.capture_method == "manual",
        )

    async def ordered(
        self,
        kind: PurposeKind,
        subject: object,
        *,
        amount: str | None = None,
        currency: str | None = None,
        description: str | None = None,
        manual_capture: bool = False,
    ) -> PaymentTerms:
        rules, market = rules_for(kind), self._maker.market
        options = self._options(manual_capture=manual_capture)
        order = Order(options=options, amount=amount, currency=currency, subject=subject)
        charge = await self._maker.charged(rules.price(order, market), now=datetime.now(UTC))
        purpose = rules.buys(order, charge, market)
        charge = self._maker.with_fee(kind, options, charge)
        now = datetime.now(UTC)
        tax = await self._maker.taxation(self.org_id, kind, charge, key=self.key, now=now)
        described = description or rules.describe(purpose, subject)
        return self._maker.make(self.org_id, options, charge, purpose, described, now=now, tax=tax)

    async def credits(self, credits_minor: int) -> PaymentTerms:
        return await self._maker.credits(
            self.org_id, self._options(), credits_minor, key=self.key, now=datetime.now(UTC)
        )

    async def package(self, package: Package) -> PaymentTerms:
        bought, now = credits_bought(package.credits_minor, package.name), datetime.now(UTC)
        return await self._maker.sold(
            self.org_id, self._options(), package.price_minor, package.currency, bought, key=self.key, now=now
        )

    @property
    def _maker(self) -> TermsMaker:
        return self.deps.terms

    def _options(self, *, manual_capture: bool = False) -> Options:
        options = self.options
        return Options(
            provider=options.provider.value,
            payment_method=options.payment_method,
            off_session=options.off_session,
            hosted=options.hosted,
            return_url=options.return_url or self.deps.settings.payment_return_url,
            asset=None if options.asset is None else options.asset.value,
            manual_capture=manual_capture,
        )
