"""The test cards and test bank accounts that Stripe publishes, and what each of them does: a table.

Facts from docs.stripe.com/testing, docs.stripe.com/payments/ach-direct-debit and docs.stripe.com/payments/sepa-debit.
Several ids can belong to one number; they behave the same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256


class Authentication(StrEnum):
    """When the bank requires 3-D Secure."""

    NEVER = "never"
    OPTIONAL = "optional"  # possible, and not asked for unless the caller wants it
    ALWAYS = "always"  # even when the card was set up, so never off session
    UNLESS_SET_UP = "unless_set_up"
    ON_SESSION = "on_session"  # already set up for off-session payments


class RefundCourse(StrEnum):
    """Outcome of a refund."""

    SUCCEEDS = "succeeds"
    PENDING = "pending"  # and succeeds later
    FAILS = "fails"  # after it had succeeded


class DebitCourse(StrEnum):
    """Outcome of a bank debit."""

    SETTLES = "settles"
    FAILS = "fails"
    STAYS = "stays"  # processing, until it is cancelled or settled
    DISPUTED = "disputed"  # settles, and is charged back


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A test payment method: what it looks like and how it behaves.

    Attributes:
        id: the id that Stripe publishes for server-side tests, such as `pm_card_visa`.
        number: what a payer types: a card number, an account number or an IBAN.
        decline: `decline_code` of every charge; None where charges succeed.
        attaches: whether it can be attached to a customer.
        dispute: the reason that a charge is disputed for right after it succeeded.
        delay_seconds: how long a bank debit is processing, on the sandbox's clock: days, so that only a clock that is
            moved or the control surface ends it.
    """

    id: str
    number: str
    type: str = "card"
    brand: str = "visa"
    funding: str = "credit"
    country: str = "US"
    decline: str | None = None
    attaches: bool = True
    authentication: Authentication = Authentication.NEVER
    dispute: str | None = None
    inquiry: bool = False
    refund: RefundCourse = RefundCourse.SUCCEEDS
    available_at_once: bool = False
    debit: DebitCourse = DebitCourse.SETTLES
    delay_seconds: int = 4 * 86_400
    risk_level: str = "normal"
    cvc_check: str = "pass"
    postal_check: str = "pass"

    @property
    def last4(self) -> str:
        """The last four digits."""
        return self.number[-4:]

    @property
    def fingerprint(self) -> str:
        """The same for the same number, and for no other."""
        return sha256(f"{self.type}:{self.number}".encode()).hexdigest()[:16]


def _declining(
    code: str, number: str, *names: str, authentication: Authentication = Authentication.NEVER
) -> list[Card]:
    return [Card(id=name, number=number, decline=code, attaches=False, authentication=authentication) for name in names]


def _cards() -> Iterator[Card]:
    for name, number, brand, funding in (
        ("visa", "4242424242424242", "visa", "credit"),
        ("visa_debit", "4000056655665556", "visa", "debit"),
        ("mastercard", "5555555555554444", "mastercard", "credit"),
        ("mastercard_debit", "5200828282828210", "mastercard", "debit"),
        ("mastercard_prepaid", "5105105105105100", "mastercard", "prepaid"),
        ("amex", "378282246310005", "amex", "credit"),
        ("discover", "6011111111111117", "discover", "credit"),
        ("diners", "3056930009020004", "diners", "credit"),
        ("jcb", "3566002020360505", "jcb", "credit"),
        ("unionpay", "6200000000000005", "unionpay", "credit"),
    ):
        yield Card(id=f"pm_card_{name}", number=number, brand=brand, funding=funding)
    for country, number in (
        ("us", "4242424242424242"),
        ("gb", "4000008260000000"),
        ("de", "4000002760000016"),
        ("fr", "4000002500000003"),
        ("ca", "4000001240000000"),
        ("au", "4000000360000006"),
        ("jp", "4000003920000003"),
    ):
        yield Card(id=f"pm_card_{country}", number=number, country=country.upper())
    yield from _declines()
    yield from _authenticating()
    yield from _risky()
    yield from _disputed_and_refunded()


def _declines() -> Iterator[Card]:
    yield from _declining(
        "generic_decline", "4000000000000002", "pm_card_visa_chargeDeclined", "pm_card_chargeDeclined"
    )
    for code, number, name in (
        ("insufficient_funds", "4000000000009995", "InsufficientFunds"),
        ("lost_card", "4000000000009987", "LostCard"),
        ("stolen_card", "4000000000009979", "StolenCard"),
        ("expired_card", "4000000000000069", "ExpiredCard"),
        ("incorrect_cvc", "4000000000000127", "IncorrectCvc"),
        ("processing_error", "4000000000000119", "ProcessingError"),
        ("card_velocity_exceeded", "4000000000006975", "VelocityLimitExceeded"),
    ):
        yield from _declining(code, number, f"pm_card_visa_chargeDeclined{name}", f"pm_card_chargeDeclined{name}")
    yield Card(id="pm_card_chargeCustomerFail", number="4000000000000341", decline="generic_decline")
    yield Card(id="pm_card_visa_chargeCustomerFail", number="4000000000000341", decline="generic_decline")


def _authenticating() -> Iterator[Card]:
    always, unless = Authentication.ALWAYS, Authentication.UNLESS_SET_UP
    yield Card(id="pm_card_authenticationRequiredOnSetup", number="4000002500003155", authentication=unless)
    yield Card(id="pm_card_authenticationRequired", number="4000002760003184", authentication=always)
    yield Card(
        id="pm_card_authenticationRequiredSetupForOffSession",
        number="4000003800000446",
        authentication=Authentication.ON_SESSION,
    )
    name = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"
    yield Card(id=name, number="4000008260003178", authentication=always, decline="insufficient_funds")
    yield Card(id="pm_card_threeDSecure2Required", number="4000000000003220", authentication=always)
    yield Card(id="pm_card_threeDSecureRequired", number="4000000000003063", authentication=always)
    yield from _declining(
        "generic_decline", "4000008400001629", "pm_card_threeDSecureRequiredChargeDeclined", authentication=always
    )
    yield from _declining(
        "processing_error", "4000008400001280", "pm_card_threeDSecureRequiredProcessingError", authentication=always
    )
    yield Card(id="pm_card_threeDSecureOptional", number="4000000000003055", authentication=Authentication.OPTIONAL)
    yield Card(id="pm_card_amex_threeDSecureNotSupported", number="378282246310005", brand="amex")


def _risky() -> Iterator[Card]:
    for name, number in (
        ("radarBlock", "4100000000000019"),
        ("chargeDeclinedFraudulent", "4100000000000019"),
        ("visa_chargeDeclinedFraudulent", "4100000000000019"),
        ("riskLevelHighest", "4000000000004954"),
    ):
        yield Card(id=f"pm_card_{name}", number=number, decline="fraudulent", attaches=False, risk_level="highest")
    yield Card(id="pm_card_riskLevelElevated", number="4000000000009235", risk_level="elevated")
    yield Card(id="pm_card_cvcCheckFail", number="4000000000000101", cvc_check="fail")
    yield Card(id="pm_card_avsZipFail", number="4000000000000036", postal_check="fail")


def _disputed_and_refunded() -> Iterator[Card]:
    yield Card(id="pm_card_createDispute", number="4000000000000259", dispute="fraudulent")
    yield Card(id="pm_card_createDisputeProductNotReceived", number="4000000000002685", dispute="product_not_received")
    yield Card(id="pm_card_createDisputeInquiry", number="4000000000001976", dispute="fraudulent", inquiry=True)
    yield Card(id="pm_card_bypassPending", number="4000000000000077", available_at_once=True)
    yield Card(id="pm_card_pendingRefund", number="4000000000007726", refund=RefundCourse.PENDING)
    yield Card(id="pm_card_refundFail", number="4000000000005126", refund=RefundCourse.FAILS)


def _bank_accounts() -> Iterator[Card]:
    for name, number, course, decline in (
        ("success", "000123456789", DebitCourse.SETTLES, None),
        ("accountClosed", "000111111113", DebitCourse.FAILS, "account_closed"),
        ("noAccount", "000111111116", DebitCourse.FAILS, "no_account"),
        ("insufficientFunds", "000222222227", DebitCourse.FAILS, "insufficient_funds"),
        ("debitNotAuthorized", "000333333335", DebitCourse.FAILS, "debit_not_authorized"),
        ("invalidCurrency", "000444444440", DebitCourse.FAILS, "invalid_currency"),
        ("dispute", "000555555559", DebitCourse.DISPUTED, None),
        ("processing", "000000000009", DebitCourse.STAYS, None),
        ("weeklyLimitExceeded", "000777777771", DebitCourse.FAILS, "charge_exceeds_weekly_limit"),
    ):
        dispute = "insufficient_funds" if course is DebitCourse.DISPUTED else None
        yield Card(
            id=f"pm_usBankAccount_{name}",
            number=number,
            type="us_bank_account",
            debit=course,
            decline=decline,
            dispute=dispute,
        )
    for name, number, course, decline in (
        ("success", "AT611904300234573201", DebitCourse.SETTLES, None),
        ("successDelayed", "AT321904300235473204", DebitCourse.SETTLES, None),
        ("failed", "AT861904300235473202", DebitCourse.FAILS, "generic_decline"),
        ("failedDelayed", "AT051904300235473205", DebitCourse.FAILS, "generic_decline"),
        ("disputed", "AT591904300235473203", DebitCourse.DISPUTED, None),
        ("exceedsWeeklyVolumeLimit", "AT981904300000343434", DebitCourse.FAILS, "charge_exceeds_source_limit"),
        ("exceedsWeeklyTransactionLimit", "AT601904300000121212", DebitCourse.FAILS, "charge_exceeds_weekly_limit"),
        ("insufficientFunds", "AT981904300002222227", DebitCourse.FAILS, "insufficient_funds"),
        ("success", "DE89370400440532013000", DebitCourse.SETTLES, None),
        ("successDelayed", "DE08370400440532013003", DebitCourse.SETTLES, None),
        ("failed", "DE62370400440532013001", DebitCourse.FAILS, "generic_decline"),
        ("failedDelayed", "DE78370400440532013004", DebitCourse.FAILS, "generic_decline"),
        ("disputed", "DE35370400440532013002", DebitCourse.DISPUTED, None),
        ("insufficientFunds", "DE65370400440002222227", DebitCourse.FAILS, "insufficient_funds"),
        # The one that Stripe's command line fails with.
        ("failed", "IT60X0542811101000000123456", DebitCourse.FAILS, "generic_decline"),
    ):
        yield Card(
            id=f"pm_{name}_{number[:2].lower()}",
            number=number,
            type="sepa_debit",
            country=number[:2],
            debit=course,
            decline=decline,
            dispute="debit_not_authorized" if course is DebitCourse.DISPUTED else None,
        )


CARDS: Mapping[str, Card] = {card.id: card for card in (*_cards(), *_bank_accounts())}
