"""Opening of cases on a real database."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from domain.common.access import Actor, Role
from domain.risk.act import Outcome, Point, RiskAct, StoredDecision
from domain.risk.case import CaseKind, HoldKind, NewHold
from models.risk.case import RiskCase, RiskHold
from runtime.database import Database
from runtime.identity import new_id
from services.risk import case as service

pytestmark = pytest.mark.db

NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)


async def test_acts_and_findings_at_once_open_one_case_of_each_kind_and_group(database: Database) -> None:
    org_id = new_id("org")
    hold = NewHold(kind=HoldKind.EARNINGS, subject=org_id, org_id=org_id)

    async def act() -> str:
        actor = Actor(principal="owner", role=Role.OWNER, org_id=org_id)
        ids = {"subject": new_id("po"), "command_id": new_id("cmd")}
        verdict = StoredDecision(decision_id=new_id("rsd"), outcome=Outcome.HOLD_BACK, at=NOW, rule="a_rule")
        async with database.platform() as session:
            made = RiskAct(actor=actor, org_id=org_id, point=Point.PAYOUT, **ids)
            return await service.open_for(session, made, verdict, 100)

    async def finding() -> str:
        async with database.platform() as session:
            given = (CaseKind.RING, f"ring:{org_id}", [org_id], 500, NOW, [hold], "Money circles.", {"share": 1})
            return await service.open_case(session, *given)

    acts = await asyncio.gather(*(act() for _ in range(8)))
    findings = await asyncio.gather(*(finding() for _ in range(8)))
    assert (len(set(acts)), len(set(findings))) == (1, 1)
    async with database.platform() as session:
        rows = (await session.scalars(select(RiskCase).where(RiskCase.org_ids.contains([org_id])))).all()
        assert {(row.id, row.kind, row.value_minor) for row in rows} == {
            (acts[0], "act", 800),
            (findings[0], "ring", 500),
        }
        holds = (await session.scalars(select(RiskHold).where(RiskHold.org_id == org_id))).all()
        assert {(each.case_id, each.subject, each.until) for each in holds} == {
            (case_id, org_id, NOW + timedelta(days=8)) for case_id in (acts[0], findings[0])
        }
