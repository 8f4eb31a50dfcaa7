"""Makes the terms of payments by `domain/payments/payment`, with exchange rates and taxes from providers."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from domain.billing.tax.sale import SaleRules, Taxation
from domain.common.errors import PaymentAmountTooLarge, ProviderNotAvailable
from domain.common.money import COINS
from domain.common.quote import Rate
from domain.payments.payment.options import CREDITS, CRYPTO, Options, check_options
from domain.payments.payment.pricing import Charge, Market, Price, charge_for, price_in_money, require_chargeable_coin
from domain.payments.payment.purposes import rules_for
from domain.payments.payment.purposes.base import PurposeRules
from domain.payments.payment.purposes.credits import credits_bought
from domain.payments.payment.rules import PaymentRules
from domain.payments.payment.terms import OwnRefunds, PaymentTerms, Purpose, PurposeKind
from providers.payments.limits import check_chargeable, refund_unit, round_to_chargeable
from providers.payments.registry import Providers
from runtime.database import Database
from runtime.identity import new_id
from services.billing.sale_tax import SaleTaxes
from services.common.provider_errors import provider_errors

#: The placeholder in a return_url for the payment's id, which the client does not know yet.
PAYMENT_ID = "{PAYMENT_ID}"


@dataclass(frozen=True, slots=True)
class TermsMaker:
    """Makes the terms of payments by the settings of this deployment.

    With `taxes`, some purposes are taxed with their payment; the `key` argument then identifies the sale, so a retry
    gets the same tax. Every method may raise a `DomainError`: the arguments do not fit together, or a source of rates
    or an outside tax service does not answer.
    """

    rules: PaymentRules
    providers: Providers
    taxes: SaleTaxes | None = None

    @classmethod
    def of(cls, rules: PaymentRules, providers: Providers, database: Database, sale: SaleRules | None) -> Self:
        """Return the maker of a deployment; `sale` has the settings of taxes that are charged with payments."""
        return cls(rules, providers, None if sale is None else SaleTaxes(database, sale, providers.taxes))

    @property
    def market(self) -> Market:
        return Market(credit=self.rules.credit, slot=self.rules.slot, coins=self.providers.assets)

    async def credits(
        self, org_id: str, options: Options, credits_minor: int, *, key: str, now: datetime
    ) -> PaymentTerms:
        """Return the terms of a payment for that many credits, at the price of one."""
        price, bought = self.market.credit, credits_bought(credits_minor)
        return await self.sold(org_id, options, price.of(credits_minor), price.currency, bought, key=key, now=now)

    async def sold(
        self,
        org_id: str,
        options: Options,
        price_minor: int,
        currency: str,
        credits: Purpose,
        *,
        key: str,
        now: datetime,
    ) -> PaymentTerms:
        """Return the terms of a payment for credits at a price in money."""
        charge = self.with_fee(credits.kind, options, await self.charge(price_minor, currency, options, now=now))
        tax = await self.taxation(org_id, credits.kind, charge, key=key, now=now)
        terms = self.make(org_id, options, charge, credits, now=now, tax=tax)
        list_minor = self.rules.credit.of(credits.goods_minor) if currency == self.rules.credit.currency else 0
        if terms.own_refunds is None or list_minor <= price_minor:
            return terms
        at_list = -(-terms.amount_minor * list_minor // price_minor)
        return replace(terms, own_refunds=replace(terms.own_refunds, at_list_minor=at_list))

    def with_fee(self, kind: PurposeKind, options: Options, charge: Charge) -> Charge:
        """Add the provider's fixed fee to the charge for a small top-up; coins have none."""
        if options.provider in {CRYPTO, CREDITS} or not rules_for(kind).pays_fixed_fee:
            return charge
        currency = charge.currency
        fee = round_to_chargeable(options.provider, self.rules.fee.passed_on(charge.amount_minor, currency), currency)
        return replace(charge, amount_minor=charge.amount_minor + fee, fee_minor=fee)

    async def taxation(
        self, org_id: str, kind: PurposeKind, charge: Charge, *, key: str, now: datetime
    ) -> Taxation | None:
        """Return the tax that is charged with a payment; None if its purpose is not taxed when it is paid."""
        return None if self.taxes is None else await self.taxes.of(org_id, kind, charge, key=key, now=now)

    async def off_session(
        self, org_id: str, method: str, credits_minor: int, *, key: str, now: datetime
    ) -> PaymentTerms:
        """Return the terms of a payment for credits that charges a stored method while the payer is away."""
        options = Options(payment_method=method, off_session=True, return_url=self.rules.return_url)
        return await self.credits(org_id, options, credits_minor, key=key, now=now)

    async def charge(self, price_minor: int, currency: str, options: Options, *, now: datetime) -> Charge:
        """Return what is charged for a price in money: the price, or what it is worth in the chosen coin."""
        return await self.charged(price_in_money(price_minor, currency, options, self.market), now=now)

    async def charged(self, price: Price, *, now: datetime) -> Charge:
        """Return what is charged for a price, at the rate of now where it is in another currency."""
        rate = None if price.exchange is None else await self._rate(*price.exchange)
        return charge_for(price, rate, now=now, valid_for=self.rules.quote_validity)

    def make(
        self,
        org_id: str,
        options: Options,
        charge: Charge,
        purpose: Purpose,
        description: str | None = None,
        *,
        now: datetime,
        tax: Taxation | None = None,
    ) -> PaymentTerms:
        """Return the terms for a charge and its tax, once the options are known to be able to take it."""
        before_tax = charge
        if tax is not None:
            charge = _taxed(charge, tax)
            if not tax.includes_tax:
                # The payer did not choose this sum of price and tax, so the platform bears the decimals that the
                # provider does not take.
                amount = round_to_chargeable(options.provider, charge.amount_minor, charge.currency)
                charge = replace(charge, amount_minor=amount)
            if purpose.goods_asset == charge.currency:
                # The entitlement is the money itself, and all of it is spent.
                purpose = replace(purpose, goods_minor=charge.amount_minor)
        ours, rules = self.rules, rules_for(purpose.kind)
        crypto = options.provider == CRYPTO
        self.providers.named(options.provider)
        check_options(options, takes_credits=rules.takes_credits)
        require_chargeable_coin(charge.currency, options, self.market)
        with provider_errors():
            check_chargeable(options.provider, charge.amount_minor, charge.currency)
        if rules.is_top_up:
            self._check_top_up(before_tax)
        payment_id = new_id("pay")
        return PaymentTerms(
            payment_id=payment_id,
            org_id=org_id,
            provider=options.provider,
            amount_minor=charge.amount_minor,
            currency=charge.currency,
            purpose=purpose,
            description=description or rules.describe(purpose),
            created_at=now,
            expires_at=now + ours.expiry,
            hosted=options.hosted,
            return_url=options.return_url and options.return_url.replace(PAYMENT_ID, payment_id),
            method_ref=options.payment_method,
            off_session=options.off_session,
            manual_capture=options.manual_capture,
            quote=charge.quote,
            refundable=not crypto,
            first_poll_seconds=_seconds(ours.chain_poll if crypto else ours.first_poll),
            longest_poll_seconds=_seconds(ours.chain_poll if crypto else ours.longest_poll),
            late_poll_seconds=_seconds(ours.longest_poll) if crypto else 0,
            open_seconds=_seconds(ours.open),
            tax=None if tax is None else tax.of(charge.amount_minor),
            own_refunds=self._own_refunds(options, charge, rules),
            topup_fee_minor=charge.fee_minor if tax is None else tax.net(charge.fee_minor),
        )

    def _own_refunds(self, options: Options, charge: Charge, rules: PurposeRules) -> OwnRefunds | None:
        """Return the bounds of the payer's own refunds; None where they cost no fee, or the purpose has its own."""
        is_top_up = rules.is_top_up
        if options.provider in {CRYPTO, CREDITS} or not rules.keeps_fee:
            return None
        return OwnRefunds(
            days=self.rules.own_refund_days if is_top_up else None,
            times=self.rules.own_refunds if is_top_up else None,
            keeps_fee=self.rules.keeps_fees,
            unit_minor=refund_unit(options.provider, charge.currency),
        )

    @property
    def largest_top_up_minor(self) -> int:
        """How many credits the largest top-up buys at the list price, in minor units."""
        return self.rules.credit.buys(self.rules.largest_top_up.minor(self.rules.credit.currency))

    def _check_top_up(self, charge: Charge) -> None:
        worth_in = charge.currency if charge.quote is None else charge.quote.currency
        if worth_in in COINS:
            return
        most = self.rules.largest_top_up
        if charge.worth_minor > most.minor(worth_in):
            raise PaymentAmountTooLarge(
                f"The largest top-up is {most.written(worth_in)} {worth_in}. Pay a smaller amount.",
                extra={"field": "amount"},
            )

    async def _rate(self, asset: str, currency: str) -> Rate:
        if self.providers.rates is None:
            raise ProviderNotAvailable("No exchange-rate source is configured.")
        with provider_errors():
            return await self.providers.rates.rate(asset, currency)


def _taxed(charge: Charge, tax: Taxation) -> Charge:
    quote = charge.quote
    if quote is not None:
        # Both amounts are raised, so that their ratio stays the exchange rate.
        quote = replace(quote, asset_minor=tax.charged(quote.asset_minor), amount_minor=tax.charged(quote.amount_minor))
    return replace(charge, amount_minor=tax.charged(charge.amount_minor), quote=quote)


def _seconds(period: timedelta) -> int:
    return max(1, int(period.total_seconds()))
