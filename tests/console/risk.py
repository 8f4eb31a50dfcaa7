"""Plants what pages of risk show: decisions, links, a case that waits for an answer, and one that was refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from domain.risk.case import CaseKind, CaseOutcome, CaseResult, HoldKind, NewHold, decide, request_information
from models.risk.decision import RiskDecision, RiskLink
from models.tenants.organization import Organization
from repositories.risk import case as cases
from runtime.database import Database
from runtime.identity import new_id
from services.risk.case import open_case

_OPERATOR = "kim"
#: A rule of the product, which no version replaces.
RULE = "address_declined"


async def decision(database: Database, org_id: str, **changes: Any) -> str:
    """Return the id of a decision that blocked a payment of an organization."""
    facts = {"point": "payment", "amount": 1250, "currency": "USD", "address_declined_1h": 7}
    reasons = [{"sentence": "Seven <declines> of the address in an hour.", "effect_e4": 12_000}]
    row = {
        "id": new_id("rsd"),
        "point": "payment",
        "org_id": org_id,
        "principal": f"{org_id}/buyer",
        "subject": new_id("pay"),
        "command_id": new_id("cmd"),
        "outcome": "block",
        "rule": RULE,
        "rule_version": 0,
        "shadow": {"first_payout": "review"},
        "facts": facts,
        "entities": [f"organization:{org_id}", "address:5f0c"],
        "value_minor": 1250,
        "score": {"version": 3, "score_e4": 8_250, "reasons": reasons},
        "created_at": datetime.now(UTC),
        **changes,
    }
    async with database.platform() as session:
        session.add(RiskDecision(**row))
    return str(row["id"])


async def planted(database: Database, org_id: str) -> dict[str, str]:
    """Return the ids of a decision and of cases of an organization, which shares a device with another one."""
    now = datetime.now(UTC)
    device, address = (f"{kind}:{new_id('x')}" for kind in ("device", "address"))
    ids = {"risk_rule": RULE, "risk_decision": await decision(database, org_id)}
    hold = NewHold(kind=HoldKind.RELEASE, subject=new_id("esc"), org_id=org_id)
    async with database.platform() as session:
        some = select(Organization.id).where(Organization.id != org_id).order_by(Organization.id).limit(3)
        others = (await session.scalars(some)).all()
        linked = [(device, each) for each in (org_id, *others)] + [(address, each) for each in (org_id, *others[:1])]
        session.add_all(RiskLink(entity=entity, org_id=each, first_seen=now, last_seen=now) for entity, each in linked)
        for name, kind in (("risk_case", CaseKind.DELIVERY), ("risk_refused", CaseKind.CARD_TESTING)):
            why, opened_at = "41 of 60 <were> late.", now - timedelta(hours=5)
            ids[name] = await open_case(session, kind, org_id, [org_id], 12_500_00, opened_at, [hold], why, {})
    question = "Which project were these for?"
    asked = {"actor": _OPERATOR, "question": question}
    ruled = {"actor": _OPERATOR, "key_id": None, "result": CaseResult.REFUSE, "reason": "Sixty cards."}
    await _write(database, ids["risk_case"], lambda case: request_information(case, now, **asked))
    await _write(database, ids["risk_refused"], lambda case: decide(case, now, **ruled))
    await decision(database, org_id, outcome="review", case_id=ids["risk_case"])
    return ids


async def _write(database: Database, case_id: str, change: Any) -> None:
    async with database.platform() as session:
        row = await cases.get(session, case_id, lock=True)
        assert row is not None
        outcome: CaseOutcome = change(cases.state_of(row))
        moved = replace(outcome, case=replace(outcome.case, version=outcome.case.version + 1))
        await cases.write(session, moved, command_id=new_id("cmd"), at=datetime.now(UTC))
