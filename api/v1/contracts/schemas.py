"""Schemas of contracts, and rows from requests."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field, StringConstraints

from api.fields import (
    AgentId,
    Amount,
    Currency,
    Exact,
    Flag,
    Name,
    OrganizationId,
    Period,
    QuoteId,
    RequestModel,
    ResponseModel,
    Share,
    Storable,
    Whole,
    example,
    period_text,
)
from api.metadata import MetadataUpdate, WithMetadata
from api.parties import NamedView, named
from api.v1.agents.schemas import PricingModel
from api.v1.payments.schemas import MoneyView, money
from domain.common.access import Actor
from domain.common.errors import Invalid
from domain.common.ids import SUFFIX
from domain.common.money import CREDIT, format_amount, format_ratio, parse_amount, parse_ratio
from domain.escrow.contract import ContractStatus, status_of
from domain.marketplace.least_payout import least_payout
from domain.reputation.levels import commission_rule
from models.escrow.contract import Contract
from models.marketplace.agent import Agent
from models.marketplace.pricing import PricingQuote
from repositories.escrow.party import Parties
from runtime.settings import Settings
from services.marketplace.pricing import quote_mismatch

MAX_SIGNATORIES = 20
MAX_MILESTONES = 50

#: A principal of the client's organization, or `org_…/principal` for one of another organization.
Signatory = Annotated[str, StringConstraints(pattern=rf"^(org_{SUFFIX}/)?[A-Za-z0-9][A-Za-z0-9._@+-]{{0,99}}$")]


class MilestoneBody(RequestModel):
    """A milestone: a part of the work with its own price."""

    name: Name
    amount: Amount


class ContractCreate(WithMetadata):
    """A contract to award.

    Periods and the dispute default come from the settings when left out. The commission comes from the quote, the
    agent's level or the settings.
    """

    model_config = example(
        agent_id="agt_01kar6h2d8e4wvq3r5s7t9x1zy",
        title="Summarise the quarter",
        price="50.00",
        currency="CREDIT",
        validation_threshold="0.80",
        signatories=["procurement", "finance"],
        required_signatures=2,
        deliver_within="P7D",
        review_period="P3D",
        external_id="order-6735",
        metadata={"cost_centre": "reports"},
    )

    agent_id: AgentId
    title: Name
    price: Amount | None = Field(
        default=None,
        description="When left out, the quote's, or the price that an agent priced `one_time` lists, in its currency.",
    )
    currency: Currency = CREDIT
    quote_id: QuoteId | None = Field(
        default=None, description="A quote of the client for this agent. Its price, currency and commission apply."
    )
    quantity: Storable | None = Field(
        default=None, description="The quantity of the quote. It is refused if the quote is for another one."
    )
    organization_id: OrganizationId | None = Field(default=None, description="The client; for operators only.")
    validation_threshold: Share | None = Field(
        default="0.80", description="A validator's score at or above it releases the money. With null, no score does."
    )
    signatories: Annotated[list[Signatory], Field(min_length=1, max_length=MAX_SIGNATORIES)] | None = Field(
        default=None,
        description="The signatories, who may approve; the caller when left out.",
        examples=[["procurement", "finance"]],
    )
    required_signatures: Whole | None = Field(
        default=None,
        ge=1,
        le=MAX_SIGNATORIES,
        description="The number of signatories that must approve; all when left out.",
    )
    operator_approvals: Flag = Field(
        default=True,
        description=(
            "Whether an operator (in the Temporal UI) or a session link's creator may sign on behalf of a signatory."
        ),
    )
    fund_within: Period | None = None
    deliver_within: Period | None = None
    review_period: Period | None = None
    evidence_period: Period | None = None
    decision_period: Period | None = None
    default_grace: Period | None = None
    dispute_default_payee_share: Share | None = Field(
        default=None, description="The payee's share if a dispute is not decided in time."
    )
    milestones: Annotated[list[MilestoneBody], Field(max_length=MAX_MILESTONES)] = Field(default_factory=list)
    commission_bps: Whole | None = Field(default=None, ge=0, le=10_000, description="For operators only.")


class ContractMilestoneView(ResponseModel):
    """A milestone: a part of the work with its own price."""

    name: str
    amount: Exact


class ContractUpdate(MetadataUpdate):
    """Your own `external_id` and `metadata` of a contract.

    Fields that are left out stay as they are. The terms of a contract never change.
    """

    model_config = example(external_id="order-6735", metadata={"cost_centre": "reports"})


class ContractView(NamedView):
    """A contract, with every term that applies to its escrow."""

    id: str
    organization_id: str
    payee_org_id: str
    agent_id: str
    price: Exact
    currency: str
    validation_threshold: Exact | None
    signatories: list[str]
    required_signatures: int
    operator_approvals: bool
    fund_within: str
    deliver_within: str
    review_period: str
    evidence_period: str
    decision_period: str
    default_grace: str
    dispute_default_payee_share: Exact
    commission_bps: int
    commission_rule: str = Field(description="The rule that set the commission.")
    level: str | None = Field(description="The level that the agent's reputation gave it; null if there are no levels.")
    milestones: list[ContractMilestoneView]
    status: ContractStatus = Field(description="Only an accepted contract can get an escrow.")
    outside_listing: list[str] = Field(description="The terms outside of the agent's listing.")
    accept_by: datetime | None = Field(description="Until when the payee can accept; null if no acceptance is needed.")
    accepted_at: datetime | None
    accepted_by: str | None
    open_by: datetime = Field(description="The deadline for opening its escrow.")
    accepts_granted_credits: bool = Field(
        description=(
            "Whether granted credits may fund its escrow, by the agent's listing. The escrow's `granted_amount` is the "
            "part in such credits, which are not paid out, unless the platform pays out granted credits."
        )
    )
    least_payout: MoneyView | None = Field(
        description=(
            "The least that is paid out to the payee of the whole price: of credits its share of what they cost where "
            "they are sold cheapest. What a payer's discount or the tax in that price takes off is not paid out, nor "
            "are granted credits. Null for work for one's own organization."
        )
    )
    quote_id: str | None = Field(description="The quote that set the price and the commission.")
    created_at: datetime

    @classmethod
    def of(cls, row: Contract, found: Parties, settings: Settings) -> "ContractView":
        """Show a contract with the names of its parties and the caller's metadata."""
        least = least_payout(
            row.price_minor,
            row.currency,
            row.commission_bps,
            lowest=settings.lowest_price_of_credits,
            sharing=settings.sharing,
        )
        threshold = row.validation_threshold_e4
        return cls.from_row(
            row,
            price=format_amount(row.price_minor, row.currency),
            validation_threshold=None if threshold is None else format_ratio(threshold),
            fund_within=period_text(row.fund_seconds),
            deliver_within=period_text(row.deliver_seconds),
            review_period=period_text(row.review_seconds),
            evidence_period=period_text(row.evidence_seconds),
            decision_period=period_text(row.decision_seconds),
            default_grace=period_text(row.grace_seconds),
            dispute_default_payee_share=format_ratio(row.dispute_default_share_e4),
            commission_rule=commission_rule(row.commission_from, row.level_version, row.level_name, row.quote_id),
            level=row.level_name,
            milestones=[
                ContractMilestoneView(name=item["name"], amount=format_amount(item["amount_minor"], row.currency))
                for item in row.milestones
            ],
            status=status_of(row.accept_by, row.accepted_at, datetime.now(UTC)),
            accepts_granted_credits=row.accepts_granted,
            least_payout=None if row.org_id == row.payee_org_id else money(*least),
            **named(found),
        )


@dataclass(frozen=True, slots=True)
class Signing:
    """Signatories, their other organizations, and the required number of signatures."""

    signatories: list[str]
    org_ids: list[str]
    required: int


def signing_of(body: ContractCreate, actor: Actor, client_org_id: str) -> Signing:
    """Determine the signatories of a request.

    Raises:
        Invalid: a duplicate name, more signatures than names, or no name if the caller is not of the client.
    """
    given = body.signatories
    if given is None and actor.org_id != client_org_id:
        raise Invalid(
            "signatories is required, because the caller does not belong to the client's organization.",
            extra={"field": "signatories"},
        )
    names = [name.removeprefix(f"{client_org_id}/") for name in given or [actor.principal]]
    _refuse_duplicates([name.lower() for name in names], "signatories")
    required = body.required_signatures if body.required_signatures is not None else len(names)
    if required > len(names):
        raise Invalid(
            f"{required} signatures are required, but there are only {len(names)} signatories.",
            extra={"field": "required_signatures"},
        )
    return Signing(names, sorted({name.partition("/")[0] for name in names if "/" in name}), required)


def milestones_of(body: ContractCreate, price_minor: int) -> list[dict[str, str | int]]:
    """Determine the milestones of a request.

    Raises:
        Invalid: a duplicate name, or amounts that do not add up to the price.
    """
    if not body.milestones:
        return []
    _refuse_duplicates([item.name for item in body.milestones], "milestones")
    amounts = [parse_amount(item.amount, body.currency) for item in body.milestones]
    if sum(amounts) != price_minor:
        total, price = (format_amount(value, body.currency) for value in (sum(amounts), price_minor))
        raise Invalid(f"The milestones add up to {total}, but the price is {price}.", extra={"field": "milestones"})
    return [{"name": item.name, "amount_minor": amount} for item, amount in zip(body.milestones, amounts, strict=True)]


def _refuse_duplicates(names: Sequence[str], field: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise Invalid(f"{twice[0]!r} appears twice in {field}.", extra={"field": field})


def quoted(body: ContractCreate, quote: PricingQuote) -> ContractCreate:
    """Return the request with the quote's price and currency.

    Raises:
        Invalid: `pricing.quote_mismatch`, the request names another price or currency, or a commission.
    """
    price = format_amount(quote.price_minor, quote.currency)
    if "currency" in body.model_fields_set and body.currency != quote.currency:
        raise quote_mismatch("currency", f"The quote is in {quote.currency}. Send that currency, or leave it out.")
    if body.price is not None and parse_amount(body.price, quote.currency) != quote.price_minor:
        raise quote_mismatch(
            "price", f"The quote's price is {price} {quote.currency}. Send that price, or leave it out."
        )
    if body.commission_bps is not None:
        raise quote_mismatch(
            "commission_bps", "The quote sets the commission of the contract. Leave commission_bps out."
        )
    return body.model_copy(update={"price": price, "currency": quote.currency})


def listed(body: ContractCreate, agent: Agent) -> ContractCreate:
    """Fill in the agent's listed price for a job, if the request has no price.

    Raises:
        Invalid: the request has another currency than the price.
    """
    is_priced = agent.pricing_model == PricingModel.ONE_TIME.value
    if body.price is not None or not is_priced or agent.price_minor is None or agent.price_currency is None:
        return body
    currency = agent.price_currency
    if "currency" in body.model_fields_set and body.currency != currency:
        why = f"The agent lists its price in {currency}. Send that currency, or name a price."
        raise Invalid(why, extra={"field": "currency"})
    return body.model_copy(update={"price": format_amount(agent.price_minor, currency), "currency": currency})


#: Fields with defaults in the settings, and their columns.
_DEFAULTED = {
    "fund_within": "fund_seconds",
    "deliver_within": "deliver_seconds",
    "review_period": "review_seconds",
    "evidence_period": "evidence_seconds",
    "decision_period": "decision_seconds",
    "default_grace": "grace_seconds",
    "dispute_default_payee_share": "dispute_default_share_e4",
    "commission_bps": "commission_bps",
}
_SETTLED = (
    *("org_id", "agent_id", "title", "price_minor", "currency", "validation_threshold_e4", "signatories"),
    *("required_signatures", "operator_approvals", "milestones", "quote_id", "created_by"),
)


def asked_columns(body: ContractCreate) -> tuple[str, ...]:
    """Return the columns that the request determines, by which a repeated command is compared."""
    # The price that an agent lists may have changed since.
    unnamed = {"price_minor", "currency"} if body.price is None and body.quote_id is None else set()
    settled = (column for column in _SETTLED if column not in unnamed)
    return *settled, *(column for field, column in _DEFAULTED.items() if getattr(body, field) is not None)


def contract_of(
    body: ContractCreate,
    settings: Settings,
    actor: Actor,
    *,
    contract_id: str,
    client_org_id: str,
    payee_org_id: str,
    command_id: str,
) -> Contract:
    """Make the row of a request, with defaults from the settings.

    Raises:
        Invalid: the request violates a rule.
    """
    if body.price is None:
        raise Invalid(
            "price is required, unless quote_id names a quote or the agent lists a price of a job.",
            extra={"field": "price"},
        )
    price_minor = parse_amount(body.price, body.currency)
    signing = signing_of(body, actor, client_org_id)
    threshold, share = body.validation_threshold, body.dispute_default_payee_share

    def seconds(given: timedelta | None, default: timedelta) -> int:
        return int((given or default).total_seconds())

    return Contract(
        id=contract_id,
        org_id=client_org_id,
        payee_org_id=payee_org_id,
        agent_id=body.agent_id,
        title=body.title,
        price_minor=price_minor,
        currency=body.currency,
        validation_threshold_e4=None if threshold is None else parse_ratio(threshold, "validation_threshold"),
        signatories=signing.signatories,
        signatory_org_ids=signing.org_ids,
        required_signatures=signing.required,
        operator_approvals=body.operator_approvals,
        fund_seconds=seconds(body.fund_within, settings.fund_within),
        deliver_seconds=seconds(body.deliver_within, settings.deliver_within),
        review_seconds=seconds(body.review_period, settings.review_period),
        evidence_seconds=seconds(body.evidence_period, settings.evidence_period),
        decision_seconds=seconds(body.decision_period, settings.decision_period),
        grace_seconds=seconds(body.default_grace, settings.default_grace),
        dispute_default_share_e4=parse_ratio(
            share or settings.dispute_default_payee_share, "dispute_default_payee_share"
        ),
        commission_bps=settings.commission_bps if body.commission_bps is None else body.commission_bps,
        milestones=milestones_of(body, price_minor),
        outside_listing=[],
        quote_id=body.quote_id,
        created_by=actor.qualified(),
        command_id=command_id,
    )
