"""Policies, free options and methods on PostgreSQL: the nearest policy, quotas by window, and visibility."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.policy import FreeFirst, FreeOption, MethodKind, Policy, PolicyScope
from domain.common.access import Actor, Role
from domain.common.errors import Conflict, Invalid, NotFound
from models.budgets.free_option import FreeOptionRow
from models.budgets.payment_policy import PaymentPolicy
from models.budgets.purchase_method import PurchaseMethod
from models.marketplace.agent import Agent
from models.messages.alert import Alert
from repositories.budgets import free_option as options
from runtime.database import Database
from runtime.identity import new_id
from services.budgets import policy as service
from services.budgets.policy import MethodDeclaration
from tests.support.notifications import an_organization

pytestmark = pytest.mark.db

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def owner(org_id: str) -> Actor:
    return Actor(principal="ada", role=Role.OWNER, org_id=org_id)


async def an_agent(session: AsyncSession, org_id: str) -> str:
    agent_id = new_id("agt")
    agent = Agent(id=agent_id, org_id=org_id, name="x", created_by="x", command_id=agent_id)
    agent.visibility, agent.pricing_model = "private", "free"
    session.add(agent)
    await session.flush()
    return agent_id


async def put(
    session: AsyncSession, org_id: str, policy: Policy, agent_id: str | None = None, **more: int
) -> PaymentPolicy:
    scope = PolicyScope.ORGANIZATION if agent_id is None else PolicyScope.AGENT
    expected = more.get("expected_version")
    return await service.set_policy(
        session, owner(org_id), org_id, scope, agent_id, policy, expected_version=expected, now=NOW
    )


async def test_nearest_policy_applies_as_a_whole(db: Database) -> None:
    org_id = await an_organization(db)
    whole = Policy(currency="CAD", free_first=FreeFirst.REQUIRE, vendors_refused=("Casino",), per_purchase_minor=500)
    own = Policy(methods=(MethodKind.TON, MethodKind.CARD), answer_within=timedelta(hours=3))
    async with db.platform() as session:
        agent_id = await an_agent(session, org_id)
        found = await service.policy_for(session, org_id, agent_id=agent_id, project_id=None)
        assert found == Policy()
        await put(session, org_id, whole)
        assert await service.policy_for(session, org_id, agent_id=agent_id, project_id="prj_x") == whole
        row = await put(session, org_id, own, agent_id)
        assert await service.policy_for(session, org_id, agent_id=agent_id, project_id=None) == own
        assert await service.policy_for(session, org_id, agent_id=None, project_id=None) == whole
        await service.delete_policy(session, owner(org_id), row.id)
        assert await service.policy_for(session, org_id, agent_id=agent_id, project_id=None) == whole


async def test_a_policy_that_was_changed_meanwhile_is_not_replaced(db: Database) -> None:
    org_id = await an_organization(db)
    async with db.platform() as session:
        first = await put(session, org_id, Policy(), expected_version=0)
        assert (await put(session, org_id, Policy(), expected_version=0)).version == first.version == 1
        assert (await put(session, org_id, Policy(currency="CAD"), expected_version=1)).version == 2
        with pytest.raises(Conflict) as refused:
            await put(session, org_id, Policy(currency="EUR"), expected_version=1)
    assert (refused.value.error_code, refused.value.extra) == ("payment_policy.version", {"version": 2})


async def test_a_policy_of_another_organizations_agent_does_not_exist(db: Database) -> None:
    org_id, other = await an_organization(db), await an_organization(db)
    async with db.platform() as session:
        agent_id = await an_agent(session, other)
        with pytest.raises(NotFound):
            await put(session, org_id, Policy(), agent_id)


async def test_a_quota_counts_by_window_and_warns_once(db: Database) -> None:
    org_id = await an_organization(db)
    option = FreeOption(name="Codeium", category="coding", quota=5, quota_window="day")
    async with db.platform() as session:
        row = await service.set_option(session, owner(org_id), org_id, option, now=NOW)
        used = []
        for _ in range(5):
            await service.count_free_use(session, org_id, " CODEIUM ", at=NOW)
            found = await service.options_for(session, org_id, "Coding", at=NOW)
            alerts = (await session.scalars(select(Alert).where(Alert.subject == row.id))).all()
            used.append((found[0].used, len(alerts)))
        assert used == [(1, 0), (2, 0), (3, 0), (4, 1), (5, 1)]
        assert (alerts[0].shared, alerts[0].for_operators) == (True, False)
        tomorrow = NOW + timedelta(days=1)
        assert (await service.options_for(session, org_id, "coding", at=tomorrow))[0].used == 0
        # What comes late counts in the window that has begun since.
        await service.count_free_use(session, org_id, "Codeium", at=tomorrow)
        await service.count_free_use(session, org_id, "Codeium", at=NOW)
        assert (await service.options_for(session, org_id, "coding", at=tomorrow))[0].used == 2
        await session.refresh(alerts[0])
        assert alerts[0].resolved_at is not None
        await service.count_free_use(session, org_id, "unknown", at=NOW)


async def test_changed_window_resets_a_quota_and_other_changes_keep_it(db: Database) -> None:
    org_id = await an_organization(db)
    async with db.platform() as session:
        for window, quota, left in (("day", 5, 1), ("day", 9, 1), ("week", 9, 0)):
            option = FreeOption(name="Codeium", category="coding", quota=quota, quota_window=window)
            row = await service.set_option(session, owner(org_id), org_id, option, now=NOW)
            if quota == 5:
                await service.count_free_use(session, org_id, "Codeium", at=NOW)
            assert options.option_of(row, NOW).used == left
        assert len(await options.listed(session, org_id)) == 1


async def test_measured_failures_and_fees_order_methods_of_one_kind(db: Database) -> None:
    org_id = await an_organization(db)
    cards = {"dear": (300, 0, "USD"), "foreign": (100, 30, "CAD"), "cheap": (290, 0, "USD"), "undeclared": (None,) * 3}
    async with db.platform() as session:
        for name, (share, fixed, currency) in cards.items():
            declared = MethodDeclaration(
                **{"name": name, "label": f"Card {name}", "kind": MethodKind.CARD},
                **{"fee_share_e4": share, "fee_fixed_minor": fixed, "fee_currency": currency},
            )
            await service.set_method(session, owner(org_id), org_id, declared, now=NOW)

        async def names() -> list[str]:
            found = await service.methods_of(session, org_id, Policy(), amount_minor=1000, currency="USD")
            assert all((each.available, each.why_not) == (False, "not_connected") for each in found)
            return [each.name for each in found]

        assert await names() == ["cheap", "dear", "foreign", "undeclared"]
        for _ in range(19):
            await service.count_attempt(session, org_id, "cheap", succeeded=False)
        assert (await names())[0] == "cheap"
        await service.count_attempt(session, org_id, "cheap", succeeded=True)
        await service.count_attempt(session, org_id, "nothing", succeeded=True)
        assert await names() == ["dear", "cheap", "foreign", "undeclared"]


async def test_a_secret_in_a_label_is_not_stored(db: Database) -> None:
    org_id = await an_organization(db)
    declared = MethodDeclaration(name="card", label="ghp_0123456789abcdef0123456789abcdef0123", kind=MethodKind.CARD)
    async with db.platform() as session:
        with pytest.raises(Invalid):
            await service.set_method(session, owner(org_id), org_id, declared, now=NOW)


async def test_a_tenant_reads_its_own_rows_and_writes_none(db: Database) -> None:
    org_id, other = await an_organization(db), await an_organization(db)
    async with db.platform() as session:
        for each in (org_id, other):
            await put(session, each, Policy())
            option = FreeOption(name="Codeium", category="coding")
            await service.set_option(session, owner(each), each, option, now=NOW)
            card = MethodDeclaration(name="card", label="Card ending in 1234", kind=MethodKind.CARD)
            await service.set_method(session, owner(each), each, card, now=NOW)
    rows: tuple[Any, ...] = (PaymentPolicy, FreeOptionRow, PurchaseMethod)
    for row in rows:
        async with db.tenant(org_id) as session:
            assert [each.org_id for each in await session.scalars(select(row))] == [org_id]
        async with db.tenant(org_id) as session:
            with pytest.raises(DBAPIError, match="permission denied"):
                await session.execute(update(row).values(updated_by="somebody else"))
            await session.rollback()
