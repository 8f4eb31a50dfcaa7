"""What makes room at a limit of projects: larger plans, a slot, and what is deployed and need not be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Prefs, amount, count
from console.gateway import Answer
from console.problems import answered
from console.widgets import Failed, Link, Page

EVERY = {"month": "a month", "year": "a year"}
#: How many projects that could be undeployed are named.
NAMED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A plan with more room; `prices` is empty for one that costs nothing."""

    name: str
    prices: tuple[tuple[Amount, str], ...]
    projects: str
    deployments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeable:
    name: str
    slug: str
    undeploy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Room(Page):
    """The dialog, and the page in its place without scripts.

    Attributes:
        text: how much there is.
        tiers: the plans that have more room.
        plans: where they are compared; empty if there is no such page.
        slot: the price of one slot.
        buy: where slots are bought; empty for a role that may not.
        stays: whether projects alone are used up, which undeploying does not change.
        deployed: what could be undeployed, the newest projects first.
        rest: where the others are; empty if all are named.
        failed: shown in place of the tiers if the API did not answer.
    """

    back: str
    text: str
    tiers: tuple[Tier, ...]
    plans: str
    slot: Amount
    buy: str
    stays: bool
    deployed: tuple[Freeable, ...]
    rest: str
    failed: Failed | None


def left(limit: Mapping[str, Any]) -> int | None:
    """Return how many more a limit has room for; None for any number."""
    return None if limit["limit"] is None else max(0, limit["limit"] - limit["used"])


def full(limits: Mapping[str, Any]) -> tuple[bool, bool]:
    return left(limits["projects"]) == 0, left(limits["deployments"]) == 0


def used(limits: Mapping[str, Any], prefs: Prefs) -> str:
    return f"{_used(limits['projects'], prefs)} projects, {_used(limits['deployments'], prefs)} deployed."


def room(
    limits: Mapping[str, Any], answers: Mapping[str, Answer], prefs: Prefs, here: str, ways: Mapping[str, str]
) -> Room:
    """Return what makes room."""
    no_project, no_deployment = full(limits)
    config, running, price = answers["config"], answers["deployed"], limits["slot_price"]
    tiers_known, running_known = answered(config), answered(running)
    failed = None
    if not (tiers_known and running_known):
        silent = running if tiers_known else config
        failed = Failed(title="Raise the limit", request_id=silent.request_id, again=f"{here}/room")
    return Room(
        title=_title(no_project, no_deployment),
        crumbs=(Link(label="Projects", href=here),),
        back=here,
        text=used(limits, prefs),
        tiers=_tiers(config.body["plans"], limits, prefs) if tiers_known else (),
        plans=ways["plans"],
        slot=amount(price["amount"], price["currency"], prefs),
        buy=ways["slots"],
        stays=no_project and not no_deployment,
        deployed=tuple(
            Freeable(name=each["name"], slug=each["slug"], undeploy=f"{here}/{each['slug']}/undeploy")
            for each in (running.body["data"] if running_known and no_deployment else ())
        ),
        rest=here if running_known and running.body["next_cursor"] else "",
        failed=failed,
    )


def _title(no_project: bool, no_deployment: bool) -> str:
    if no_project and no_deployment:
        return "Project limit reached"
    if no_project:
        return "Project limit reached, deployments available"
    return "Deployment limit reached" if no_deployment else "Available"


def _tiers(plans: list[Mapping[str, Any]], limits: Mapping[str, Any], prefs: Prefs) -> tuple[Tier, ...]:
    slots, own = limits["slots"]["free"] + limits["slots"]["in_use"], limits["slot_price"]["currency"]
    parts = (("projects", "projects"), ("deployments", "deploys"))
    wanted = [(part, of_plan) for part, of_plan in parts if left(limits[part]) == 0]

    def has_more(plan: Mapping[str, Any]) -> bool:
        shares = ((plan["limits"][of_plan], limits[part]["limit"] - slots) for part, of_plan in wanted)
        return all(share is None or share > had for share, had in shares)

    return tuple(
        Tier(
            name=plan["name"],
            prices=tuple(
                (amount(each["price"]["amount"], own, prefs), EVERY[each["interval"]])
                for each in plan["prices"]
                if each["price"]["currency"] == own
            ),
            projects=_any(plan["limits"]["projects"], prefs),
            deployments=_any(plan["limits"]["deploys"], prefs),
        )
        for plan in (plans if wanted else ())
        if has_more(plan)
    )


def _any(limit: int | None, prefs: Prefs) -> str:
    return "Any number" if limit is None else count(limit, prefs)


def _used(limit: Mapping[str, Any], prefs: Prefs) -> str:
    of = count(limit["used"], prefs)
    return of if limit["limit"] is None else f"{of} of {count(limit['limit'], prefs)}"
