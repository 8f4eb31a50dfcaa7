"""The bounds that a contract is compared with, made from the settings and the agent's listing; the domain compares."""

from api.fields import period_text
from domain.common.errors import Invalid
from domain.common.money import format_ratio, parse_ratio
from domain.escrow.contract import Bounds, OfferedTerms, Term, auto_accepted_bounds, out_of_bounds
from models.escrow.contract import Contract
from models.marketplace.agent import Agent
from runtime.settings import Settings

#: The periods of a contract: by their name in requests and settings, the column.
PERIODS = {
    Term.FUND_WITHIN: "fund_seconds",
    Term.DELIVER_WITHIN: "deliver_seconds",
    Term.REVIEW_PERIOD: "review_seconds",
    Term.EVIDENCE_PERIOD: "evidence_seconds",
    Term.DECISION_PERIOD: "decision_seconds",
    Term.DEFAULT_GRACE: "grace_seconds",
}


def offer_of(contract: Contract, price_minor: int) -> OfferedTerms:
    """Return what a contract says of each term; `price_minor` is the price that the payee is paid as for."""
    values = {term: int(getattr(contract, column)) for term, column in PERIODS.items()}
    return OfferedTerms.of(
        contract.currency,
        {
            **values,
            Term.PRICE: price_minor,
            Term.DEFAULT_SHARE: contract.dispute_default_share_e4,
            Term.THRESHOLD: contract.validation_threshold_e4,
            Term.REQUIRED_SIGNATURES: contract.required_signatures,
            Term.MILESTONES: len(contract.milestones),
            Term.COMMISSION: contract.commission_bps,
        },
    )


def require_within_floors(contract: Contract, settings: Settings) -> None:
    """Refuse terms that are not allowed on this platform.

    Raises:
        Invalid: a period is shorter than its minimum or longer than its maximum, or the default of a dispute is outside
            of its bounds.
    """
    bounds = {term: Bounds(least=_seconds(settings, f"min_{term.value}")) for term in PERIODS}
    fund = Term.FUND_WITHIN
    bounds[fund] = Bounds(bounds[fund].least, _seconds(settings, f"max_{fund.value}"))
    share = Term.DEFAULT_SHARE.value
    least, most = (parse_ratio(getattr(settings, f"{bound}_{share}"), share) for bound in ("min", "max"))
    bounds[Term.DEFAULT_SHARE] = Bounds(least, most)
    offer = offer_of(contract, contract.price_minor)
    for term in out_of_bounds(offer, bounds):
        longest = bounds[term].most
        if term is Term.DEFAULT_SHARE:
            why = f"{share} must be between {format_ratio(least)} and {format_ratio(most)} on this platform."
        elif longest is not None and not Bounds(most=longest).hold(offer.values[term]):
            why = f"{term.value} must be at most {period_text(longest)} on this platform."
        else:
            why = f"{term.value} must be at least {period_text(bounds[term].least or 0)} on this platform."
        raise Invalid(why, extra={"field": term.value})


def outside_listing(
    contract: Contract, agent: Agent, settings: Settings, commission_bps: int, price_minor: int
) -> list[str]:
    """Return the terms that the agent does not accept unasked, by their names in the API.

    Args:
        contract: the contract.
        agent: whose listing states bounds.
        settings: the platform's defaults.
        commission_bps: the commission that the agent has by the platform's rules.
        price_minor: the price that the payee is paid as for.
    """
    defaults = {term: _seconds(settings, term.value) for term in PERIODS}
    defaults[Term.DEFAULT_SHARE] = parse_ratio(settings.dispute_default_payee_share, Term.DEFAULT_SHARE.value)
    defaults[Term.COMMISSION] = commission_bps
    listed = {Term(name): Bounds(**bounds) for name, bounds in agent.terms.items()}
    return [
        term.value for term in out_of_bounds(offer_of(contract, price_minor), auto_accepted_bounds(defaults, listed))
    ]


def _seconds(settings: Settings, name: str) -> int:
    return int(getattr(settings, name).total_seconds())
