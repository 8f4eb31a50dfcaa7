"""Cases of suspected fraud over HTTP with their runs: held, asked, decided, appealed, and ended by time."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, text

from api.app import create_app
from api.bootstrap import operator_key
from domain.common.access import Actor, Role
from domain.common.credits import CreditPrice
from domain.common.errors import RiskBlocked, RiskInReview, RiskOwnOrganization
from domain.common.money import amounts_from
from domain.risk.act import Outcome, Point, RiskAct
from domain.risk.case import ALERT_AFTER, APPEAL_WITHIN, DEFAULT_AFTER, REFUSED_HOLD, CaseKind, CaseResult
from domain.risk.settings import RiskSettings
from models.messages.alert import Alert
from models.risk.case import RiskCase
from models.risk.decision import RiskDecision, RiskLink
from models.risk.rule import RiskListItem
from models.tenants.api_key import ApiKey
from providers.expressions import compile_rule
from repositories.risk import case as cases
from runtime.identity import new_id
from services.risk import case as service
from services.risk.decision import Risk
from tests.api.conftest import Caller, good, new_key, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.histories import replay_and_keep
from tests.support.looking import again, pass_to_the_end
from tests.support.serving import client_of
from tests.workflows.case_driver import KIM, opened
from tests.workflows.conftest import Stage
from tests.workflows.shop import Shop
from workflows.common.sweeps import RiskCaseSweepWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

#: A decision that may take no time reviews what is above an amount, whatever the rules say.
SLOW = RiskSettings(
    key=b"a key of this test",
    enforced=True,
    review_above=amounts_from("100.00"),
    price=CreditPrice(price=Decimal("0.10"), currency="USD"),
    within=timedelta(0),
)


def payment(org_id: str | None, amount_minor: int = 60_000) -> RiskAct:
    actor = Actor(principal="owner", role=Role.OWNER, org_id=org_id)
    ids = {"subject": new_id("pay"), "command_id": new_id("cmd")}
    return RiskAct(actor=actor, org_id=org_id, point=Point.PAYMENT, amount_minor=amount_minor, currency="USD", **ids)


async def asked(stage: Stage, act: RiskAct) -> Outcome:
    async with stage.database.platform() as session:
        return (await Risk(SLOW, compile_rule).require(session, act, datetime.now(UTC))).outcome


async def reviewed(stage: Stage, act: RiskAct) -> str:
    """Ask for an act that is reviewed, and return the id of its case."""
    with pytest.raises(RiskInReview) as held:
        await asked(stage, act)
    return str(held.value.extra["case_id"])


async def blocked(stage: Stage, org_id: str) -> tuple[RiskAct, str]:
    """Ask for an act of an organization that is on the block list, and return it with the id of its decision."""
    now, act = datetime.now(UTC), payment(org_id, 700)
    listed = {"entity": f"organization:{org_id}", "list": "block", "reason": "a test", "created_by": "test"}
    async with stage.database.platform() as session:
        ids = {"id": new_id("rli"), "command_id": new_id("cmd")}
        session.add(RiskListItem(**ids, **listed, created_at=now, ends_at=now + timedelta(days=1)))
    with pytest.raises(RiskBlocked) as refusal:
        async with stage.database.platform() as session:
            await Risk(replace(SLOW, within=timedelta(minutes=1)), compile_rule).require(session, act, now)
    return act, str(refusal.value.extra["decision_id"])


@pytest.fixture
async def other(shop: Shop) -> Caller:
    """Another operator, with a key from before the test."""
    async with shop.stage.database.platform() as session:
        return replace(shop.operator, token=await operator_key(session, f"another-{new_key()}-of-the-cases"))


async def decide(caller: Caller, case_id: str, result: str, **body: Any) -> Any:
    return await caller.post(
        f"/risk/cases/{case_id}/decide", {"result": result, "reason": "seen", **body}, key=new_key()
    )


async def test_held_act_passes_after_its_party_answered_and_the_case_was_released(shop: Shop) -> None:
    stage, org_id = shop.stage, shop.payer.org_id
    act, more = payment(org_id, 20_000), payment(org_id, 30_000)
    case_id = await reviewed(stage, act)
    assert await reviewed(stage, act) == await reviewed(stage, more) == case_id
    path = f"/risk/cases/{case_id}"
    assert good(await shop.operator.post(f"{path}/assign", {"operator": "kim"}))["status"] == "assigned"
    good(await shop.operator.post(f"{path}/note", {"note": "Two large payments."}))
    good(await shop.operator.post(f"{path}/request-information", {"question": "For what?"}))
    seen = good(await shop.payer.get(path))
    assert (seen["status"], seen["reason"], seen["question"]) == ("waiting", "unusual_payment", "For what?")
    assert seen["answer_by"] is not None
    assert len(seen["decisions"]) == 2
    assert (seen["file"], seen["kind"], seen["value"], seen["assigned_to"]) == (None, None, None, None)
    refused(await shop.operator.post(f"{path}/answer", {"answer": "For us."}), 403, "auth.forbidden")
    assert good(await shop.payer.post(f"{path}/answer", {"answer": "For the game."}))["status"] == "assigned"
    refused(await decide(shop.operator, case_id, "release", value="200.00"), 409, "risk.case_changed")
    shown = good(await decide(shop.operator, case_id, "release", value="500.00"))
    assert (shown["result"], shown["value"]) == ("release", "500.00")
    kinds = [each["kind"] for each in shown["file"]["timeline"]]
    assert [each for each in kinds if each not in {"queued", "closed"}] == [
        *("opened", "assigned", "noted", "information_requested", "answered", "decided")
    ]
    assert await asked(stage, act) is await asked(stage, more) is Outcome.ALLOW
    async with stage.database.platform() as session:
        mine = select(RiskDecision.label).where(RiskDecision.case_id == case_id)
        assert list(await session.scalars(mine)) == ["legitimate"] * 2
        told = text("SELECT type FROM events WHERE subject = :id ORDER BY subject_seq")
        assert list(await session.scalars(told, {"id": case_id})) == [
            *("risk.case_opened", "risk.information_requested", "risk.case_decided")
        ]
    # The next act is of a new case.
    assert await reviewed(stage, payment(org_id)) != case_id


async def test_case_is_decided_once_and_the_second_operator_sees_the_first_decision(shop: Shop, other: Caller) -> None:
    act = payment(shop.payer.org_id)
    case_id = await reviewed(shop.stage, act)
    answers = await asyncio.gather(decide(shop.operator, case_id, "refuse"), decide(other, case_id, "release"))
    first = next(good(each) for each in answers if each.status_code == 200)
    second = refused(next(each for each in answers if each.status_code != 200), 409, "risk.case_decided")
    assert second["decision"]["result"] == first["result"]
    refused(await decide(other, case_id, "refuse"), 409, "risk.case_decided")


async def test_refused_act_is_blocked_until_another_operator_overturns_the_decision(shop: Shop, other: Caller) -> None:
    stage, act = shop.stage, payment(shop.payer.org_id)
    case_id = await reviewed(stage, act)
    path = f"/risk/cases/{case_id}"
    listed = f"organization:{shop.payer.org_id}"
    entries = [{"entity": listed, "list": "block", "days": 30}]
    refused(
        await decide(shop.operator, case_id, "refuse", entries=[{**entries[0], "entity": "nothing"}]),
        422,
        "request.invalid",
    )
    shown = good(await decide(shop.operator, case_id, "refuse", entries=entries))
    assert shown["appeal_by"] is not None
    with pytest.raises(RiskBlocked):
        await asked(stage, act)
    good(await shop.payer.post(f"{path}/appeal", {"appeal": "All cards are ours."}))
    refused(await shop.payer.post(f"{path}/appeal", {"appeal": "Once more."}), 409, "risk.wrong_state")
    refused(await decide(shop.operator, case_id, "refuse"), 403, "risk.same_operator")
    good(await decide(other, case_id, "release"))
    assert await asked(stage, act) is Outcome.ALLOW
    async with stage.database.platform() as session:
        rows = (await session.scalars(select(RiskListItem).where(RiskListItem.case_id == case_id))).all()
        assert [(row.entity, row.list, row.removed_at is not None) for row in rows] == [(listed, "block", True)]


async def test_nobody_decides_a_case_of_its_own_organization_or_sees_a_foreign_one(shop: Shop) -> None:
    case_id = await reviewed(shop.stage, payment(shop.payer.org_id))
    refused(await shop.studio.get(f"/risk/cases/{case_id}"), 404, "not_found")
    for command in ("appeal", "answer"):
        refused(await shop.studio.post(f"/risk/cases/{case_id}/{command}", {command: "no"}), 404, "not_found")
    assert good(await shop.studio.get("/risk/cases"))["data"] == []
    assert [each["id"] for each in good(await shop.payer.get("/risk/cases"))["data"]] == [case_id]
    refused(await decide(shop.payer, case_id, "release"), 403, "auth.forbidden")
    # A platform's principal whose key comes from the organization.
    async with shop.stage.database.platform() as session:
        key_id = await session.scalar(select(ApiKey.id).where(ApiKey.org_id == shop.payer.org_id))
        held = cases.state_of(await session.get_one(RiskCase, case_id))
        with pytest.raises(RiskOwnOrganization):
            await service.require_decider(session, held, replace(KIM, key_id=key_id))


async def test_decision_above_the_amount_takes_two_operators(
    shop: Shop, other: Caller, database_urls: DatabaseUrls
) -> None:
    settings = settings_for(database_urls, command_timeout="PT60S", two_operators_above="1000.00")
    app = create_app(settings, database=shop.stage.database, temporal=shop.stage.client)
    case_id = await reviewed(shop.stage, payment(shop.payer.org_id, 200_000))
    async with client_of(app) as http:
        first, second = replace(shop.operator, http=http), replace(other, http=http)
        refused(await decide(first, case_id, "release"), 403, "approval.required")
        assert good(await decide(second, case_id, "release"))["result"] == "release"


async def test_signal_decides_no_case_above_the_amount_without_an_approval(stage: Stage) -> None:
    made = await opened(stage)
    async with stage.database.platform() as session:
        await cases.join(session, await session.get_one(RiskCase, made.case.case_id), (), 200_000)
    await made.opens()
    await made.handle.signal("decide", {"operator": "kim", "result": "release", "reason": "seen"})
    while "command_refused" not in await made.kinds():
        await again()
    assert (await made.timeline())[-1].details["code"] == "approval.required"


async def test_blocked_act_passes_after_its_appeal(shop: Shop, other: Caller) -> None:
    stage, org_id = shop.stage, str(shop.payer.org_id)
    act, decision_id = await blocked(stage, org_id)
    path = f"/risk/decisions/{decision_id}/appeal"
    refused(await shop.studio.post(path, {"appeal": "no"}), 404, "not_found")
    case = good(await shop.payer.post(path, {"appeal": "It is our card."}), 201)
    again_asked = refused(await shop.payer.post(path, {"appeal": "Again."}), 409, "risk.wrong_state")
    assert again_asked["case_id"] == case["id"]
    good(await decide(other, case["id"], "release"))
    assert await asked(stage, act) is Outcome.ALLOW


async def test_operators_see_what_links_a_case_and_cases_like_it(shop: Shop) -> None:
    org_id, other_id, now = str(shop.payer.org_id), str(shop.studio.org_id), datetime.now(UTC)
    device, group = f"device:{new_id('x')}", f"ring:{new_id('x')}"
    async with shop.stage.database.platform() as session:
        for each in (org_id, other_id):
            session.add(RiskLink(entity=device, org_id=each, first_seen=now, last_seen=now))

        async def found(ring: str, *org_ids: str) -> str:
            return await service.open_case(
                session, CaseKind.RING, ring, org_ids, 100, now, [], "Money circles.", {"share": 1}
            )

        case_id = await found(group, org_id)
        assert await found(group, other_id) == case_id
        alike = await found(f"ring:{new_id('x')}", org_id)
    file = good(await shop.operator.get(f"/risk/cases/{case_id}"))["file"]
    assert {(node["id"], node["is_affected"]) for node in file["nodes"]} == {
        (f"organization:{org_id}", True),
        (f"organization:{other_id}", True),
        (device, False),
    }
    assert len(file["edges"]) == 2
    assert alike in [each["id"] for each in file["similar"]]
    assert [each["kind"] for each in file["timeline"]] == ["opened", "joined"]
    shown = good(await shop.studio.get(f"/risk/cases/{case_id}"))
    assert shown["organization_ids"] == [other_id]
    asked_for = await shop.operator.get(f"/risk/cases?kind=ring&organization_id={other_id}&status=open")
    assert [each["id"] for each in good(asked_for)["data"]] == [case_id]


# Time -----------------------------------------------------------------------------------------------------------------


async def test_case_that_nobody_decides_alerts_and_is_decided_by_default(stage: Stage) -> None:
    made = await opened(stage)
    sweep = await stage.client.start_workflow(RiskCaseSweepWorkflow.run, id=new_id("sweep"), task_queue="bursar")
    assert (await sweep.result()).started >= 1
    await replay_and_keep(await sweep.fetch_history(), "risk-case-sweep/completed")
    await made.opens()
    await stage.env.fast_forward(made.handle, ALERT_AFTER + timedelta(hours=1))
    while "overdue" not in await made.kinds():
        await again()
    async with stage.database.platform() as session:
        raised = select(Alert.kind).where(Alert.subject == made.case.case_id)
        assert list(await session.scalars(raised)) == ["risk.case_overdue"]
    await stage.env.fast_forward(made.handle, DEFAULT_AFTER)
    assert (await made.handle.result()).status == "closed"
    state = await made.state()
    assert (state.result, state.ruling and state.ruling.by) == (CaseResult.RELEASE, "timer")
    assert await made.kinds() == ["opened", "queued", "overdue", "decided", "closed"]
    assert [hold.ended_at is not None for hold in await made.holds()] == [True]
    await replay_and_keep(await made.handle.fetch_history(), "risk-case/default")


async def test_unanswered_case_goes_on_and_a_refusal_holds_until_its_appeal_is_over(stage: Stage) -> None:
    made = await opened(stage)
    await made.opens()
    await made.send("assign", made.assign())
    await made.send("request_information", made.ask())
    await stage.env.fast_forward(made.handle, timedelta(days=3, hours=1))
    while "unanswered" not in await made.kinds():
        await again()
    assert (await made.state()).status == "assigned"
    await made.knows()
    await made.send("decide", made.decide(CaseResult.REFUSE))
    ruling = (await made.state()).ruling
    assert ruling is not None
    [hold] = await made.holds()
    assert (hold.ended_at, hold.until) == (None, ruling.at + REFUSED_HOLD)
    assert (await pass_to_the_end(stage.env, made.handle)).status == "closed"
    closed = (await made.timeline())[-1]
    assert closed.at >= ruling.at + APPEAL_WITHIN


async def test_appeal_that_nobody_decides_leaves_the_decision(stage: Stage) -> None:
    made = await opened(stage)
    await made.opens()
    await made.send("decide", made.decide(CaseResult.REFUSE))
    await made.send("appeal", made.appeal())
    assert (await pass_to_the_end(stage.env, made.handle)).status == "closed"
    state = await made.state()
    assert (state.result, state.first and state.first.by) == (CaseResult.REFUSE, KIM.qualified())
    await replay_and_keep(await made.handle.fetch_history(), "risk-case/appealed")
