"""The terms of a payment: the rules are in `domain/payment`; here is what they need of the books and of providers."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api.deps import Deps
from api.provider_errors import provider_errors
from api.v1.payments.schemas import PaymentCreate, PaymentOptions
from domain.access import Actor
from domain.credits import credit_price
from domain.errors import Unavailable
from domain.payment.options import CRYPTO, Options, check_options
from domain.payment.pricing import Charge, Market, Order, Price, charged, in_money, require_chargeable_coin
from domain.payment.purposes import RULES, check_named, rules_for
from domain.payment.quote import Rate
from domain.payment.terms import PaymentTerms, Purpose, PurposeKind
from domain.project import slot_price
from providers.payments.limits import check_chargeable
from runtime.identity import new_id
from services.purposes import BOOKS


async def subject_of(deps: Deps, actor: Actor, kind: PurposeKind, named: object) -> object:
    """Return what a request names, as the actor sees it: an escrow that can be funded, an invoice that can be paid.

    Raises:
        DomainError: there is none that the actor sees, or it cannot be paid now.
    """
    async with deps.session_for(actor) as session:
        return await BOOKS[kind].subject(session, actor, named)


@dataclass(frozen=True, slots=True)
class Terms:
    """Makes the terms of one payment of an organization."""

    deps: Deps
    org_id: str
    means: PaymentOptions

    async def of(self, body: PaymentCreate, actor: Actor) -> PaymentTerms:
        """Return the terms of a payment that was asked for as such.

        Raises:
            DomainError: what it is for cannot be paid by the actor now, or the parts of the request do not go together.
        """
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
        """Return the terms of a payment for a subject, at the price that its purpose has.

        Raises:
            Invalid: the parts of the request do not go together.
            Conflict: the subject is for another amount or currency.
        """
        rules, market = rules_for(kind), self._market()
        options = self._options(manual_capture=manual_capture)
        order = Order(options=options, amount=amount, currency=currency, subject=subject)
        charge = await self._charged(rules.price(order, market))
        purpose = rules.buys(order, charge, market)
        return self.make(charge, purpose, description or rules.describe(purpose, subject), options)

    async def charge(self, price_minor: int, currency: str) -> Charge:
        """Return what is charged for a price in money: the price, or what it is worth in the chosen coin."""
        return await self._charged(in_money(price_minor, currency, self._options(), self._market()))

    def make(
        self, charge: Charge, purpose: Purpose, description: str | None = None, options: Options | None = None
    ) -> PaymentTerms:
        """Return the terms for a charge, once the options are known to be able to take it."""
        settings, now, rules = self.deps.settings, datetime.now(UTC), rules_for(purpose.kind)
        options = options or self._options()
        crypto = options.provider == CRYPTO
        self.deps.providers.named(options.provider)
        check_options(options, takes_credits=rules.takes_credits)
        require_chargeable_coin(charge.currency, options, self._market())
        with provider_errors():
            check_chargeable(options.provider, charge.amount_minor, charge.currency)
        return PaymentTerms(
            payment_id=new_id("pay"),
            org_id=self.org_id,
            provider=options.provider,
            amount_minor=charge.amount_minor,
            currency=charge.currency,
            purpose=purpose,
            description=description or rules.describe(purpose),
            created_at=now,
            expires_at=now + settings.payment_expiry,
            hosted=options.hosted,
            return_url=options.return_url,
            method_ref=options.payment_method,
            off_session=options.off_session,
            manual_capture=options.manual_capture,
            quote=charge.quote,
            refundable=not crypto,
            first_poll_seconds=_seconds(settings.chain_poll if crypto else settings.first_poll),
            longest_poll_seconds=_seconds(settings.chain_poll if crypto else settings.longest_poll),
            late_poll_seconds=_seconds(settings.longest_poll) if crypto else 0,
            open_seconds=_seconds(settings.payment_open),
            fulfils_net=True,
            named_operators=True,
            takes_waiting_first=True,
        )

    def _options(self, *, manual_capture: bool = False) -> Options:
        means = self.means
        return Options(
            provider=means.provider.value,
            payment_method=means.payment_method,
            off_session=means.off_session,
            hosted=means.hosted,
            return_url=means.return_url or self.deps.settings.payment_return_url,
            asset=None if means.asset is None else means.asset.value,
            manual_capture=manual_capture,
        )

    def _market(self) -> Market:
        settings = self.deps.settings
        return Market(
            credit=credit_price(settings.credit_price, settings.credit_currency),
            slot=slot_price(settings.slot_price, settings.slot_currency),
            coins=self.deps.providers.assets,
        )

    async def _charged(self, price: Price) -> Charge:
        rate = None if price.exchange is None else await self._rate(*price.exchange)
        return charged(price, rate, now=datetime.now(UTC), valid_for=self.deps.settings.quote_validity)

    async def _rate(self, asset: str, currency: str) -> Rate:
        if self.deps.providers.rates is None:
            raise Unavailable("No exchange-rate source is configured.", code="provider.unavailable")
        with provider_errors():
            return await self.deps.providers.rates.rate(asset, currency)


def _seconds(period: timedelta) -> int:
    return max(1, int(period.total_seconds()))
