"""What a statement says of tax: who owes it, or that none is stated. A creator's own rate is never guessed."""

from enum import StrEnum

from domain.tax.treatment import EU, TaxParty


class StatedTax(StrEnum):
    """What is stated; none of them comes with an amount.

    `reverse_charge`: the platform owes the tax. `outside_scope`: the creator is in another country, outside of the
    European Union. `no_profile`: nobody said where the creator is. `not_stated`: which tax it charges is not known.
    """

    REVERSE_CHARGE = "reverse_charge"
    OUTSIDE_SCOPE = "outside_scope"
    NO_PROFILE = "no_profile"
    NOT_STATED = "not_stated"


def stated_tax(creator: TaxParty, platform_country: str | None) -> StatedTax:
    """Tell what to state of a creator's tax.

    Args:
        creator: who sells; where an operator found it counts before the address that it gave.
        platform_country: where the platform is, which buys; None where nobody said so.
    """
    country = creator.confirmed_country or creator.billing_country
    if country is None:
        return StatedTax.NO_PROFILE
    if platform_country is None or country == platform_country:
        return StatedTax.NOT_STATED
    if country not in EU:
        return StatedTax.OUTSIDE_SCOPE
    is_confirmed = platform_country in EU and creator.vat_country == country
    return StatedTax.REVERSE_CHARGE if is_confirmed else StatedTax.NOT_STATED
