"""What the pages of an organization's own agents show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Ident, Moment, Prefs, amount, ident, moment, money
from console.forms import FormState, written
from console.gateway import Answer
from console.lists import ListPage, ListResult
from console.reputation.view import rating
from console.sections import unanswered
from console.status import Status, status_of
from console.widgets import Confirmation, Failed, FormPage, Link, Tab
from domain.common.money import CREDIT

#: The list of an organization's own, beside the directory of those of others.
OWN = "Your agents"
FILTERS = ("q", "visibility", "active")
LABELS = {"q": "Name", "visibility": "Visible to", "from": "From", "to": "To"}
VISIBILITIES = (("public", "Everybody"), ("private", "Your organization"))
#: How an agent can be paid for.
MODELS = (
    ("free", "Free"),
    ("monthly", "Monthly"),
    ("one_time", "One-time"),
    ("usage", "Usage-based"),
)
Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    href: str
    name: str
    status: Status
    price: str
    visibility: str
    category: str
    made: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Agents(ListPage):
    states: tuple[Tab, ...]
    active: str
    visibilities: Options
    create: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(FormPage):
    visibilities: Options
    models: Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One escrow of the agent; `href` is empty where escrows have no page."""

    title: str
    href: str
    status: Status
    amount: Amount
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    earned: Amount
    available: Amount
    pending: Amount
    paid_out: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent(FormPage):
    status: Status
    id: Ident
    description: str
    visibility: str
    category: str
    granted: str
    made: Moment
    price: str
    reputation: str
    stars: str
    profile: str
    purchases: str
    log: str
    change: str
    offer: str
    retire: str
    may_change: bool
    version: str
    models: Options
    jobs: tuple[Job, ...]
    asks_jobs: bool
    jobs_failed: Failed | None
    earned: tuple[Earned, ...]
    earned_failed: Failed | None


def page(found: ListResult, prefs: Prefs, create: str) -> Agents:
    """Return the list for what the API answered to `GET /agents`; `create` is empty if the reader may not."""
    asked = found.asked
    active = asked.given.get("active", "")
    return Agents(
        title=OWN,
        listed=found.listed("Agents", LABELS),
        states=(
            Tab(label="All", href=asked.address(active=""), current=not active),
            Tab(label="Active", href=asked.address(active="true"), current=active == "true"),
        ),
        active=active,
        visibilities=(("", "Any"), *VISIBILITIES),
        create=create,
        rows=tuple(row(each, prefs, asked.path) for each in found.rows),
    )


def state_of(agent: Mapping[str, Any]) -> Status:
    return status_of("agent", "retired" if agent["retired_at"] else "active")


def price_of(pricing: Mapping[str, Any], prefs: Prefs) -> str:
    written = money(pricing["amount"], pricing["currency"], prefs) if pricing["amount"] is not None else ""
    match pricing["model"]:
        case "monthly":
            return f"{written} a month"
        case "one_time":
            return f"{written} once"
        case "usage":
            return f"{written} by use" if written else "Usage-based"
        case _:
            return "Free"


def granted_of(shown: Mapping[str, Any]) -> str:
    return "accepted, not paid out" if shown["accepts_granted_credits"] else "not accepted"


def row(agent: Mapping[str, Any], prefs: Prefs, path: str) -> Row:
    return Row(
        href=f"{path}/{agent['id']}",
        name=agent["name"],
        status=state_of(agent),
        price=price_of(agent["pricing"], prefs),
        visibility=dict(VISIBILITIES).get(agent["visibility"], agent["visibility"]),
        category=agent["category"] or "",
        made=moment(agent["created_at"], prefs),
    )


def create(form: FormState, listed: str) -> Create:
    return Create(
        title="Create agent",
        crumbs=(Link(label=OWN, href=listed),),
        action=f"{listed}/new",
        form=form,
        visibilities=VISIBILITIES,
        models=MODELS,
    )


def one(
    answers: Mapping[str, Answer],
    form: FormState | None,
    key: FormState,
    prefs: Prefs,
    listed: str,
    *,
    may_change: bool,
    may_sell: bool,
    jobs: str,
) -> Agent:
    """Return the page of one agent."""
    agent, again = answers["agent"].need(), f"{listed}/{answers['agent'].body['id']}"
    pricing, base = agent["pricing"], listed.removesuffix("/agents")
    price = written(pricing["amount"] or "")
    values = {"model": pricing["model"], "amount": price, "currency": pricing["currency"] or CREDIT}
    active = agent["retired_at"] is None
    escrows, earnings, score = answers.get("escrows"), answers["earnings"], answers["score"]
    return Agent(
        title=agent["name"],
        crumbs=(Link(label=OWN, href=listed),),
        status=state_of(agent),
        id=ident(agent["id"]),
        description=agent["description"] or "",
        visibility=dict(VISIBILITIES).get(agent["visibility"], agent["visibility"]),
        category=agent["category"] or "",
        granted=granted_of(agent),
        made=moment(agent["created_at"], prefs),
        price=price_of(pricing, prefs),
        reputation=f"{again}/reputation",
        stars=_stars(score, prefs),
        profile=f"{base}/marketplace/{agent['id']}",
        purchases=f"{base}/purchases?agent_id={agent['id']}",
        log=f"{base}/economics?agent_id={agent['id']}" if "escrows" in answers else "",
        change=f"{again}/change" if may_change and active else "",
        offer=f"{again}/offer" if may_sell and active else "",
        retire=f"{again}/retire" if may_change and active else "",
        may_change=may_change and active,
        form=form or FormState(key=key.key, values=values),
        action=f"{again}/price",
        version=answers["agent"].etag or "",
        models=MODELS,
        jobs=tuple(_job(each, prefs, jobs) for each in (escrows.body["data"] if escrows and escrows.ok else ())),
        asks_jobs=escrows is not None,
        jobs_failed=unanswered("Jobs", escrows, again) if escrows else None,
        earned=_earned(earnings.body["data"], agent["id"], prefs) if earnings.ok else (),
        earned_failed=unanswered("Earnings", earnings, again),
    )


def _job(escrow: Mapping[str, Any], prefs: Prefs, jobs: str) -> Job:
    return Job(
        title=escrow["title"],
        href=jobs.replace("{id}", escrow["id"]),
        status=status_of("escrow", escrow["status"]),
        amount=amount(escrow["amount"], escrow["currency"], prefs),
        at=moment(escrow["created_at"], prefs),
    )


def _earned(rows: Sequence[Mapping[str, Any]], agent_id: str, prefs: Prefs) -> tuple[Earned, ...]:
    parts = ("earned", "available", "pending", "paid_out")
    return tuple(
        Earned(**{part: amount(each[part], each["asset"], prefs) for part in parts})
        for each in rows
        if each["agent_id"] == agent_id
    )


def retiring(agent: Mapping[str, Any], form: FormState, prefs: Prefs, listed: str) -> Confirmation:
    back = f"{listed}/{agent['id']}"
    return Confirmation(
        title="Retire this agent?",
        back=back,
        action=f"{back}/retire",
        label="Retire agent",
        form=form,
        facts=(("Agent", agent["name"]), ("Price", price_of(agent["pricing"], prefs))),
        effect=(
            "It can no longer be hired or bought. Running contracts continue, and its earnings are kept.",
            "This cannot be undone.",
        ),
    )


def _stars(score: Answer, prefs: Prefs) -> str:
    if not score.ok or not score.body["evidence_count"]:
        return "Reputation"
    return f"{rating(score.body['stars'], prefs)} of 5 stars"
