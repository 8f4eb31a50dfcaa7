"""Payment options that a payer chose, and which of them can be combined. Pure."""

from dataclasses import dataclass

from domain.common.errors import Invalid

STRIPE, PAYPAL, CRYPTO, CREDITS = "stripe", "paypal", "crypto", "credits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options that the payer chose.

    Attributes:
        provider: the adapter's name.
        payment_method: a stored method to charge now.
        off_session: charge without the payer present.
        hosted: the payer pays on a page of the provider, which redirects to `return_url`.
        asset: with `crypto`, the coin that pays a price in money.
        manual_capture: authorize only.
    """

    provider: str = STRIPE
    payment_method: str | None = None
    off_session: bool = False
    hosted: bool = False
    return_url: str | None = None
    asset: str | None = None
    manual_capture: bool = False


def check_options(options: Options, *, takes_credits: bool) -> None:
    """Refuse options that cannot be combined; `takes_credits`: whether the purpose can be paid with credits.

    Raises:
        Invalid: names the field to change.
    """
    by_stripe, hosts = options.provider == STRIPE, options.provider in {STRIPE, PAYPAL}
    if options.payment_method is not None and not by_stripe:
        raise invalid("payment_method", "A stored payment method can be used with Stripe only.")
    if options.off_session and options.payment_method is None:
        raise invalid("off_session", "An off-session payment needs a stored payment_method.")
    if options.hosted and (options.payment_method is not None or not hosts):
        raise invalid("hosted", "A hosted page is offered by Stripe and PayPal only, and not with a payment_method.")
    if options.hosted and by_stripe and not options.return_url:
        raise invalid("return_url", "A hosted page needs a return_url.")
    if options.asset is not None and options.provider != CRYPTO:
        raise invalid("asset", "An asset can be named with the provider crypto only.")
    if options.manual_capture and not hosts:
        raise invalid("capture_method", f"Payments by {options.provider} cannot be captured manually.")
    if options.provider == CREDITS and not takes_credits:
        raise invalid("provider", "Credits can pay for escrows only.")


def invalid(field: str, why: str) -> Invalid:
    """Return the refusal of a field of a request."""
    return Invalid(why, extra={"field": field})
