"""The page of plans says what the plans are."""

from domain.billing.entitlement import Entitlement
from domain.billing.plan import DEFAULT_PLANS, Interval, Plan, plans_from
from domain.common.money import CREDIT, format_amount
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/guides/subscriptions.md").read_text("utf-8")


def table(first: str) -> list[list[str]]:
    """Return the rows of the table whose first column has that head."""
    lines = PAGE.split(f"\n| {first} |")[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def row_of(plan: Plan) -> list[str]:
    def number(limit: int | None) -> str:
        return "unlimited" if limit is None else str(limit)

    def answer(there: bool) -> str:
        return "yes" if there else "no"

    prices = [plan.price(each, "USD").amount_minor for each in Interval] if plan.prices else []
    projects = {number(plan.projects), number(plan.deployments)}
    return [
        f"`{plan.name}`",
        *([format_amount(price, "USD") for price in prices] or ["0", "0"]),
        format_amount(plan.credits_minor, CREDIT).removesuffix(".00"),
        ", ".join(projects) if projects == {"unlimited"} else f"{plan.projects}, {plan.deployments}",
        answer(plan.api_access),
        answer(plan.custom_integrations),
        number(plan.seats),
    ]


def test_plans_are_those_of_the_defaults() -> None:
    assert table("plan") == [row_of(plan) for plan in plans_from(DEFAULT_PLANS).all]


def test_every_entitlement_is_listed() -> None:
    assert [row[0] for row in table("entitlement")] == [f"`{each.value}`" for each in Entitlement]
