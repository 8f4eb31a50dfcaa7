"""Operators' signals from the Temporal UI."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from domain.common.errors import Conflict
from domain.escrow.signing import DeliveryRequired
from repositories.common.listing import ListFilter
from repositories.escrow import escrow as escrows
from repositories.tenants import audit
from runtime.database import driver_connection
from tests.support.histories import replay
from tests.support.looking import again
from tests.workflows.conftest import beside_timer

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_an_operator_approves_for_named_signatories(award):
    job = await (await award()).delivered()
    await job.handle.signal("approve", {"signatory": "finance", "operator": "nora"})
    await job.handle.signal("approve", {"signatory": "procurement", "operator": "kim"})
    assert await job.end() == "released"
    events = await job.timeline()
    assert [e.kind for e in events][-2:] == ["approved", "approved"]
    assert events[-1].actor == "temporal-ui:kim"


async def test_a_signature_by_signal_is_the_operators_act_on_behalf_of_the_signatory(award, stage):
    job = await (await award()).delivered()
    await job.send("approve", job.finance)
    await job.handle.signal("approve", {"signatory": "procurement", "operator": "kim"})
    assert await job.end() == "released"
    own, by_signal = (await job.state()).signatures
    assert (own.signatory, own.signed_by, own.on_behalf) == ("finance", f"{job.terms.payer_org_id}/finance", False)
    assert (by_signal.signatory, by_signal.signed_by, by_signal.on_behalf) == ("procurement", "temporal-ui:kim", True)
    signed = [event.details for event in await job.timeline() if event.kind == "approved"]
    assert [(told["signed_by"], told["on_behalf"]) for told in signed] == [
        (own.signed_by, False),
        (by_signal.signed_by, True),
    ]
    async with stage.database.platform() as session:
        entries = await audit.page(
            session, ListFilter(equal={"action": "escrow.approved", "target": job.terms.escrow_id}, limit=10)
        )
    assert [entry.details["on_behalf"] for entry in entries.rows] == [True, False]


async def test_a_contract_may_exclude_approvals_by_operators(award):
    job = await (await award(operator_approvals=False, required_signatures=1)).delivered()
    await job.handle.signal("approve", {"signatory": "finance", "operator": "kim"})
    refused = await job.recorded("command_refused")
    assert (refused.details["code"], refused.actor) == ("escrow.operator_approvals_excluded", "temporal-ui:kim")
    assert (await job.state()).signatures == ()
    assert (await job.send("approve", job.finance)).status == "released"


@pytest.mark.parametrize(
    ("state", "name", "payload"),
    [
        ("disputed", "resolve", {"payee_share": "1"}),
        ("disputed", "resolve", {"payee_share": "1", "operator": "…"}),
        ("disputed", "resolve", {"payee_share": "1", "operator": "\u0000"}),
        ("delivered", "approve", {"signatory": "finance"}),
        ("delivered", "dispute", {"reason": "stop"}),
        ("funded", "cancel", {}),
    ],
)
async def test_signal_without_an_operator_moves_nothing(award, state, name, payload):
    job = await getattr(await award(required_signatures=1), state)()
    await job.handle.signal(name, payload)
    refused = await job.recorded("command_refused")
    assert (refused.status, refused.details["code"]) == (state, "escrow.operator_unnamed")
    assert (await job.money())["escrow"] == 50_000_000


async def test_cancellation_without_an_operator_moves_nothing(award):
    job = await (await award()).funded()
    await job.handle.cancel()
    refused = await job.recorded("command_refused")
    assert (refused.actor, refused.details["code"]) == ("temporal-ui:cancellation", "escrow.operator_unnamed")
    await job.handle.signal("cancel", {"operator": "kim"})
    assert await job.end() == "cancelled"


async def test_a_signal_for_another_escrow_is_refused(award):
    job = await (await award()).funded()
    await job.handle.signal("cancel", {"cancel": "esc_01kar6h2d8e4wvq3r5s7t9x1zy", "operator": "kim"})
    assert (await job.recorded("command_refused")).details["code"] == "escrow.signal_for_another"
    await job.handle.signal("cancel", {"cancel": job.terms.escrow_id, "operator": "kim"})
    assert await job.end() == "cancelled"


async def test_an_operator_freezes_and_resolves(award):
    job = await (await award()).delivered()
    await job.handle.signal("dispute", {"reason": "fraud suspected", "operator": "kim"})
    await job.handle.signal("resolve", {"payee_share": "0.10", "note": "partly", "operator": "kim"})
    assert await job.end() == "split"
    assert (await job.money())["payee"] == 4_750_000


async def test_cancellation_by_an_operator_refunds_the_money(award):
    job = await (await award()).funded()
    await job.handle.signal("cancel", {"operator": "kim"})
    assert await job.end() == "cancelled"
    assert (await job.money())["payer"] == 100_000_000


async def test_refused_signal_is_recorded_and_the_run_continues(award):
    job = await (await award()).funded()
    await job.handle.signal("resolve", {"payee_share": "7", "operator": "kim"})
    await job.handle.signal("approve", {"signatory": "nobody", "operator": "kim"})
    await job.send("deliver", job.bot)
    refused = [e for e in await job.timeline() if e.kind == "command_refused"]
    assert [(e.details["command"], e.details["code"]) for e in refused] == [
        ("resolve", "request.invalid"),
        ("approve", "escrow.not_a_signatory"),
    ]
    assert (await job.state()).status == "delivered"


async def test_the_same_signal_sent_twice_is_one_command(award):
    job = await (await award()).delivered()
    for _ in range(2):
        await job.handle.signal("dispute", {"reason": "once", "operator": "kim", "command_id": "ticket-7"})
    await job.handle.signal("resolve", {"payee_share": "1", "operator": "kim"})
    assert await job.end() == "released"
    assert await job.kinds() == ["opened", "funded", "delivered", "disputed", "resolved"]


@pytest.mark.parametrize(
    ("name", "payload"),
    [
        ("approve", {"no": "signatory"}),
        ("approve", {"signatory": 7}),
        ("approve", {"signatory": "finance", "delivery": "3"}),
        ("dispute", {"reason": "a\u0000b"}),
        ("dispute", {"reason": "x" * 4001}),
        ("dispute", {"reason": ["nested"]}),
        ("resolve", {}),
        ("resolve", {"payee_share": True}),
        ("resolve", {"payee_share": "7", "command_id": "a\u0000b"}),
        ("cancel", {"reason": {"a": 1}, "command_id": 5}),
    ],
)
async def test_a_malformed_signal_is_recorded_and_changes_nothing(award, name, payload):
    job = await (await award()).delivered()
    await job.handle.signal(name, {**payload, "operator": "kim"})
    refused = await job.recorded("command_refused")
    assert (refused.kind, refused.status, refused.details["command"]) == ("command_refused", "delivered", name)
    assert (refused.actor, refused.details["code"]) == ("temporal-ui:kim", "request.invalid")


async def test_share_typed_as_a_number_is_accepted(award):
    job = await (await award()).disputed()
    await job.handle.signal("resolve", {"payee_share": 0.6, "operator": "kim"})
    assert await job.end() == "split"
    assert (await job.money())["payee"] == 28_500_000


async def test_what_an_operator_does_by_signal_is_in_the_audit_trail(award, stage):
    job = await (await award()).delivered()
    await job.handle.signal("dispute", {"reason": "fraud suspected", "operator": "kim"})
    await job.recorded("disputed")
    async with stage.database.platform() as session:
        entries = await audit.page(
            session, ListFilter(equal={"action": "escrow.disputed", "target": job.terms.escrow_id}, limit=10)
        )
    assert [(entry.principal, entry.role) for entry in entries.rows] == [("temporal-ui:kim", "operator")]


async def test_an_approval_for_a_delivery_that_was_replaced_is_refused(award):
    job = await (await award(required_signatures=1)).delivered()
    seen = await job.under_review()
    await job.send("deliver", job.bot)
    for name, actor, fields in (
        ("approve", job.finance, {}),
        ("validate", job.validator, {"score_e4": 10_000}),
    ):
        with pytest.raises(Conflict) as refused:
            await job.send(name, actor, delivery=seen, **fields)
        assert refused.value.error_code == "escrow.delivery_changed"
    assert (await job.send("approve", job.finance, delivery=await job.under_review())).status == "released"


async def test_approval_without_a_delivery_is_refused_after_the_first_one_and_frees_its_key(award):
    job = await (await award(required_signatures=1)).delivered()
    await job.send("deliver", job.bot, note="junk")
    current = await job.under_review()
    for name, actor, fields in (
        ("validate", job.validator, {"score_e4": 10_000}),
        ("approve", job.finance, {}),
    ):
        with pytest.raises(DeliveryRequired) as refused:
            await job.send(name, actor, key=name, **fields)
        assert refused.value.extra["delivery"] == current
    await job.handle.signal("approve", {"signatory": "finance", "operator": "kim"})
    assert (await job.recorded("command_refused")).details["code"] == "escrow.delivery_required"
    assert (await job.state()).signatures == ()
    assert (await job.send("approve", job.finance, key="approve", delivery=current)).status == "released"
    await replay(await job.handle.fetch_history())


async def test_operator_signs_for_a_later_delivery_by_its_number(award):
    job = await (await award(required_signatures=1)).delivered()
    await job.send("deliver", job.bot, note="better")
    signal = {"signatory": "finance", "operator": "kim", "delivery": await job.under_review()}
    await job.handle.signal("approve", signal)
    assert await job.end() == "released"


async def test_approval_does_not_count_for_a_replaced_delivery(award):
    job = await (await award(required_signatures=1)).delivered()
    deliver, approve = await asyncio.gather(
        job.send("deliver", job.bot, note="junk"), job.send("approve", job.finance), return_exceptions=True
    )
    state = await job.state()
    if isinstance(approve, DeliveryRequired):
        assert (state.status, state.delivery.note) == ("delivered", "junk")
    else:
        assert isinstance(deliver, Conflict)
        assert (state.status, state.delivery.note) == ("released", None)


async def test_cancelling_a_run_does_not_interrupt_its_write(award, stage):
    job = await (await award()).funded()
    async with stage.database.platform() as session:
        await escrows.lock(await driver_connection(session), job.terms.escrow_id, "nothing")
        passing = asyncio.create_task(job.pass_time(days=8))
        await someone_waits_for(stage, job)
        await job.handle.cancel()
    await passing
    assert await job.end() == "refunded"
    assert (await job.money())["payer"] == 100_000_000


async def someone_waits_for(stage, job):
    """Return when a statement waits for a lock of this database."""
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%escrows%'")
    while True:
        async with stage.database.platform() as session:
            if await session.scalar(waiting):
                return
        await again()


async def test_timer_describes_its_event(award):
    job = await (await award(review_seconds=999)).delivered()
    words = await beside_timer(job.handle, within=timedelta(seconds=999))
    assert words == "delivered, if nobody decides by then, the money is released"


async def test_an_operator_reads_the_run_without_the_code(award):
    job = await (await award()).delivered()
    description = await job.handle.describe()
    summary = await description.static_summary()
    assert summary is not None
    assert "pays" in summary
    assert "50.00 CREDIT" in summary
    attributes = {pair.key.name: pair.value for pair in description.typed_search_attributes}
    attributes.pop("BuildIds", None)
    assert attributes == {
        "OrgId": job.terms.payer_org_id,
        "PayeeOrgId": job.terms.payee_org_id,
        "AgentId": job.terms.agent_id,
        "State": "delivered",
        "AmountMinor": 50_000_000,
        "Currency": "CREDIT",
    }
    metadata = await job.handle.query("__temporal_workflow_metadata")
    shown = str(metadata)
    assert "held in escrow" in shown
    assert "The delivery is under review." in shown
