"""How a request becomes the terms of a payment: what is charged, in what, by whom, and what for."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api.deps import Deps
from api.provider_errors import provider_errors
from api.v1.payments.schemas import PaymentCreate, PaymentOptions, ProviderName
from domain.access import Actor
from domain.credits import CreditPrice, credit_price
from domain.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable, WrongState
from domain.escrow.state import Escrow, EscrowStatus, is_payer
from domain.invoice import require_payable
from domain.money import CREDIT, SLOT, format_amount, parse_amount
from domain.payment.quote import Quote, Rate, currency_value, quote
from domain.payment.terms import PaymentTerms, Purpose, PurposeKind
from domain.project import slot_price
from providers.payments.limits import COINS, check_chargeable
from repositories import escrow as escrows
from repositories import invoice as invoices
from runtime.identity import new_id

MISSING_ESCROW = "There is no such escrow."


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What the payer is charged, in minor units; for coins with the quote that the number was made with."""

    amount_minor: int
    currency: str
    quote: Quote | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payable:
    """An invoice that can be paid: what is due of it, in minor units."""

    invoice_id: str
    number: str
    due_minor: int
    currency: str

    @property
    def description(self) -> str:
        """What the payer reads that the payment is for."""
        return f"Invoice {self.number}"


@dataclass(frozen=True, slots=True)
class Terms:
    """Makes the terms of one payment of an organization."""

    deps: Deps
    org_id: str
    means: PaymentOptions

    async def of(self, body: PaymentCreate, escrow: Escrow | None, invoice: Payable | None = None) -> PaymentTerms:
        """Return the terms of a payment that was asked for as such.

        Raises:
            Invalid: the parts of the request do not go together.
            Conflict: the escrow or the invoice is for another amount or currency.
        """
        _check_named(body)
        match body.purpose:
            case PurposeKind.CREDITS:
                charge, credits_minor = await self._credits_for(body)
                entitlement = Purpose(kind=PurposeKind.CREDITS, goods_asset=CREDIT, goods_minor=credits_minor)
            case PurposeKind.ESCROW:
                if escrow is None:
                    raise _invalid("escrow_id", "A payment for an escrow names it.")
                charge = await self.escrow_charge(escrow, body.amount, body.currency)
                entitlement = escrow_purpose(escrow)
            case PurposeKind.INVOICE:
                if invoice is None:
                    raise _invalid("invoice_id", "A payment for an invoice names it.")
                charge = self.invoice_charge(invoice, body.amount, body.currency)
                entitlement = invoice_purpose(invoice)
            case PurposeKind.SLOT:
                charge, entitlement = self._slots(body)
            case PurposeKind.BALANCE:
                charge = self._balance_charge(body)
                entitlement = Purpose(
                    kind=PurposeKind.BALANCE, goods_asset=charge.currency, goods_minor=charge.amount_minor
                )
        described = body.description or (None if invoice is None else invoice.description)
        return self.make(charge, entitlement, described, manual_capture=body.capture_method == "manual")

    def make(
        self, charge: Charge, purpose: Purpose, description: str | None = None, *, manual_capture: bool = False
    ) -> PaymentTerms:
        """Return the terms for a charge, once the means are known to be able to take it."""
        settings, now, crypto = self.deps.settings, datetime.now(UTC), self.means.provider is ProviderName.CRYPTO
        self._check_means(purpose, manual_capture=manual_capture)
        if crypto and charge.currency in COINS:
            self._asset(charge.currency)
        with provider_errors():
            check_chargeable(self.means.provider.value, charge.amount_minor, charge.currency)
        return PaymentTerms(
            payment_id=new_id("pay"),
            org_id=self.org_id,
            provider=self.means.provider.value,
            amount_minor=charge.amount_minor,
            currency=charge.currency,
            purpose=purpose,
            description=description or _described(purpose),
            created_at=now,
            expires_at=now + settings.payment_expiry,
            hosted=self.means.hosted,
            return_url=self.means.return_url or settings.payment_return_url,
            method_ref=self.means.payment_method,
            off_session=self.means.off_session,
            manual_capture=manual_capture,
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

    async def price(self, price_minor: int, currency: str) -> Charge:
        """Return what is charged for a price in money: the price, or what it is worth in the chosen coin."""
        if self.means.provider is ProviderName.CREDITS:
            raise _invalid("provider", "Credits do not pay for what has a price in money.")
        if self.means.provider is not ProviderName.CRYPTO:
            return Charge(amount_minor=price_minor, currency=currency)
        if self.means.asset is None:
            raise _invalid("asset", "Say with asset which coin pays.")
        asset = self._asset(self.means.asset.value)
        rate = await self._rate(asset, currency)
        valid_for = self.deps.settings.quote_validity
        promised = quote(price_minor, rate, now=datetime.now(UTC), valid_for=valid_for)
        return Charge(amount_minor=promised.asset_minor, currency=asset, quote=promised)

    async def escrow_charge(self, escrow: Escrow, amount: str | None, currency: str | None) -> Charge:
        """Return what is charged for an escrow; an amount that the request names must be that."""
        terms = escrow.terms
        coin = self.means.provider is ProviderName.CRYPTO
        sold = terms.currency == CREDIT and self.means.provider is not ProviderName.CREDITS
        if sold:
            price = self._credit_price()
            due, due_in = price.of(terms.amount_minor), price.currency
        else:
            due, due_in = terms.amount_minor, terms.currency
        if not sold and self.means.asset not in {None, due_in}:
            raise _mismatch(f"This escrow is in {terms.currency}.")
        if (currency or due_in) != due_in or (amount is not None and parse_amount(amount, due_in) != due):
            raise _mismatch(f"This escrow takes {format_amount(due, due_in)} {due_in}, whole.")
        if not sold and coin and due_in not in COINS:
            raise _mismatch(f"This escrow is in {due_in}, which no coin pays.")
        return await self.price(due, due_in) if sold else Charge(amount_minor=due, currency=due_in)

    def invoice_charge(self, invoice: Payable, amount: str | None, currency: str | None) -> Charge:
        """Return what is charged for an invoice: all that is due. An amount that the request names must be that."""
        due, due_in = invoice.due_minor, invoice.currency
        if self.means.provider is ProviderName.CREDITS:
            raise _invalid("provider", "Credits do not pay for what has a price in money.")
        other = self.means.asset not in {None, due_in} or (currency or due_in) != due_in
        if other or (self.means.provider is ProviderName.CRYPTO and due_in not in COINS):
            raise _mismatch(f"This invoice is in {due_in}.", code="invoice.amount_mismatch")
        if amount is not None and parse_amount(amount, due_in) != due:
            raise _mismatch(
                f"Of this invoice {format_amount(due, due_in)} {due_in} are due.", code="invoice.amount_mismatch"
            )
        return Charge(amount_minor=due, currency=due_in)

    def _slots(self, body: PaymentCreate) -> tuple[Charge, Purpose]:
        """Return the charge for slots. A slot has no parts, so what may come in parts does not pay for it."""
        settings = self.deps.settings
        price = slot_price(settings.slot_price, settings.slot_currency)
        if self.means.provider not in {ProviderName.STRIPE, ProviderName.PAYPAL}:
            raise _invalid("provider", "Slots are paid by card, by bank or by PayPal.")
        if body.capture_method == "manual":
            raise _invalid("capture_method", "Slots are not authorized first.")
        slots = body.slots or 1
        due = price.of(slots)
        if (body.currency or price.currency) != price.currency:
            raise _invalid("currency", f"Slots are sold for {price.currency}.")
        if body.amount is not None and parse_amount(body.amount, price.currency) != due:
            raise _invalid("amount", f"Slots: {slots}, for {format_amount(due, price.currency)} {price.currency}.")
        purpose = Purpose(kind=PurposeKind.SLOT, goods_asset=SLOT, goods_minor=slots)
        return Charge(amount_minor=due, currency=price.currency), purpose

    async def _credits_for(self, body: PaymentCreate) -> tuple[Charge, int]:
        """Return the charge for credits, and how many of them an amount of money or coins buys."""
        price = self._credit_price()
        amount, currency = self._asked(body)
        if currency == price.currency:
            return await self.price(amount, currency), price.buys(amount)
        if self.means.provider is not ProviderName.CRYPTO or currency not in COINS:
            raise _invalid("currency", f"Credits are sold for {price.currency}.")
        if self.means.asset not in {None, currency}:
            raise _invalid("asset", f"The amount is in {currency}: give it in money, or leave asset out.")
        rate = await self._rate(self._asset(currency), price.currency)
        worth = currency_value(amount, rate)
        credits_minor = price.buys(worth)
        now = datetime.now(UTC)
        promised = Quote(
            amount_minor=worth,
            currency=price.currency,
            asset_minor=amount,
            asset=currency,
            price=f"{rate.price:f}",
            source=rate.source,
            quoted_at=now,
            expires_at=now + self.deps.settings.quote_validity,
        )
        return Charge(amount_minor=amount, currency=currency, quote=promised), credits_minor

    def _balance_charge(self, body: PaymentCreate) -> Charge:
        amount, currency = self._asked(body)
        if currency == CREDIT or self.means.provider is ProviderName.CREDITS:
            raise _invalid("currency", "A balance is of money; credits have their own.")
        if self.means.asset not in {None, currency}:
            raise _invalid("asset", "A balance is in what was paid: give the amount in the coin itself.")
        return Charge(amount_minor=amount, currency=currency)

    def _asked(self, body: PaymentCreate) -> tuple[int, str]:
        if body.amount is None:
            raise _invalid("amount", "Say how much is paid.")
        if body.currency is None:
            raise _invalid("currency", "Say in which currency.")
        return parse_amount(body.amount, body.currency), body.currency

    def _check_means(self, purpose: Purpose, *, manual_capture: bool) -> None:
        means, by_stripe = self.means, self.means.provider is ProviderName.STRIPE
        self.deps.providers.named(means.provider.value)
        if means.payment_method is not None and not by_stripe:
            raise _invalid("payment_method", "Only Stripe keeps payment methods.")
        if means.off_session and means.payment_method is None:
            raise _invalid("off_session", "Without the payer, a stored payment_method has to be named.")
        if means.hosted and (means.payment_method is not None or means.provider in {"crypto", "credits"}):
            raise _invalid("hosted", "A hosted page is for payers without a stored method, at Stripe or PayPal.")
        if means.hosted and by_stripe and not (means.return_url or self.deps.settings.payment_return_url):
            raise _invalid("return_url", "A hosted page needs a return_url.")
        if means.asset is not None and means.provider is not ProviderName.CRYPTO:
            raise _invalid("asset", "Only payments by crypto are made in coins.")
        if manual_capture and means.provider in {"crypto", "credits"}:
            raise _invalid("capture_method", f"Payments by {means.provider.value} cannot be authorized first.")
        if means.provider is ProviderName.CREDITS and purpose.kind is not PurposeKind.ESCROW:
            raise _invalid("provider", "Credits pay for escrows; they buy neither credits nor money.")

    def _asset(self, asset: str) -> str:
        if asset not in self.deps.providers.assets:
            raise _invalid("asset", f"Payments in {asset} are not taken here.")
        return asset

    def _credit_price(self) -> CreditPrice:
        settings = self.deps.settings
        return credit_price(settings.credit_price, settings.credit_currency)

    async def _rate(self, asset: str, currency: str) -> Rate:
        if self.deps.providers.rates is None:
            raise Unavailable("Nobody tells here what coins cost.", code="provider.unavailable")
        with provider_errors():
            return await self.deps.providers.rates.rate(asset, currency)


async def payable_invoice(deps: Deps, actor: Actor, invoice_id: str) -> Payable:
    """Return an invoice of the actor's organization on which something is due.

    Raises:
        NotFound: there is none that the actor sees.
        Conflict: `invoice.wrong_state`, nothing is due.
    """
    async with deps.session_for(actor) as session:
        row = await invoices.get(session, invoice_id)
        due = require_payable(invoices.standing_of(row))
        return Payable(invoice_id=row.id, number=row.number, due_minor=due, currency=row.currency)


def invoice_purpose(invoice: Payable) -> Purpose:
    """Return what a payment for an invoice is for: what is due of it."""
    return Purpose(
        kind=PurposeKind.INVOICE,
        goods_asset=invoice.currency,
        goods_minor=invoice.due_minor,
        invoice_id=invoice.invoice_id,
    )


async def fundable_escrow(deps: Deps, actor: Actor, escrow_id: str) -> Escrow:
    """Return an escrow that the actor can pay for now.

    Raises:
        NotFound: there is none that the actor sees.
        Forbidden: others pay for it.
        WrongState: it is not open.
    """
    async with deps.session_for(actor) as session:
        row = await escrows.get(session, escrow_id)
        escrow = None if row is None else escrows.state_of(row)
    if escrow is None:
        raise NotFound(MISSING_ESCROW)
    require_fundable(escrow, actor)
    return escrow


def require_fundable(escrow: Escrow, actor: Actor) -> None:
    """Refuse an escrow that others pay for, or that is not open."""
    if not is_payer(escrow, actor):
        raise Forbidden("Only the paying organization funds an escrow.")
    if escrow.status is not EscrowStatus.OPEN:
        raise WrongState(
            f"This escrow is {escrow.status.value}. Only an open escrow can be funded.",
            extra={"state": escrow.status.value},
        )


def escrow_purpose(escrow: Escrow) -> Purpose:
    """Return what a payment for an escrow is for: its money, whole."""
    terms = escrow.terms
    return Purpose(
        kind=PurposeKind.ESCROW,
        goods_asset=terms.currency,
        goods_minor=terms.amount_minor,
        escrow_id=terms.escrow_id,
        contract_id=terms.contract_id,
    )


def _check_named(body: PaymentCreate) -> None:
    """Refuse what belongs to another purpose."""
    named = ((PurposeKind.ESCROW, "escrow_id"), (PurposeKind.INVOICE, "invoice_id"), (PurposeKind.SLOT, "slots"))
    for purpose, field in named:
        if body.purpose is not purpose and getattr(body, field) is not None:
            raise _invalid(field, f"Only a payment with the purpose {purpose.value} names this.")


def _described(purpose: Purpose) -> str:
    if purpose.kind is PurposeKind.ESCROW:
        return f"Escrow {purpose.escrow_id}"
    if purpose.kind is PurposeKind.SLOT:
        return f"{purpose.goods_minor} deployment slot" + ("s" if purpose.goods_minor > 1 else "")
    amount = format_amount(purpose.goods_minor, purpose.goods_asset)
    return f"{amount} credits" if purpose.goods_asset == CREDIT else f"Balance of {amount} {purpose.goods_asset}"


def _seconds(period: timedelta) -> int:
    return max(1, int(period.total_seconds()))


def _invalid(field: str, why: str) -> Invalid:
    return Invalid(why, extra={"field": field})


def _mismatch(why: str, *, code: str = "escrow.amount_mismatch") -> Conflict:
    return Conflict(why, code=code)
