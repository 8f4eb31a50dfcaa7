"""Every catalogued event type is written by the product, and shows each organization only what it may see.

The stories change things through the statements that the product writes them with; where a table tells by itself, also
by a statement of the test. They have a database of their own, because not every state that they write is a sum of the
books.
"""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jsonschema
import pytest
from sqlalchemy import insert, select, text
from temporalio.testing import ActivityEnvironment

from activities.escrow.contract import ContractActivities
from activities.escrow.escrow import EscrowActivities
from activities.insight.report import ReportActivities
from activities.payouts.payout import PayoutActivities
from contracts.escrow.expiry import ExpireContracts
from contracts.insight.report import MakeReport
from contracts.payouts.payout import RecordPayout
from domain.billing.subscription.state import SubscriptionStatus, Transition as SubscriptionOutcome
from domain.budgets.purchase_order import PurchaseOrderStatus
from domain.budgets.purchase_rules import PurchaseRules
from domain.common.access import Actor, Role
from domain.common.calendar import Window
from domain.common.credits import GrantSource
from domain.common.ids import uuid_id
from domain.common.state_hash import state_hash
from domain.credits.spend.control import ControlStatus, Limit, LimitTerms, NewControl, SubjectKind
from domain.escrow import commands as escrow_rules
from domain.escrow.state import EscrowStatus, Outcome as EscrowOutcome
from domain.insight.report import ReportDefinition
from domain.messages.events.catalogue import CATALOGUE
from domain.messages.events.escrow import STEPS
from domain.messages.events.rows import CHANGEABLE
from domain.messages.webhook.endpoint import Ordering
from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind, Decline, DisputeStatus
from domain.payments.payment.state import Dispute, Outcome as PaymentOutcome, PaymentStatus, Refund, RefundState
from domain.payouts.payout.state import Outcome as PayoutOutcome, PayoutStatus
from domain.risk.case import CaseKind, CaseResult, answer, decide, request_information
from domain.tenants.metadata import NO_METADATA, Precondition
from ledger.gateway import Ledger
from ledger.spending import Spending
from ledger.spends import NewSpend, Spender
from models.billing.project import Project
from models.marketplace.agent import Agent
from models.messages.event import EventRow
from repositories.messages import alert as alerts
from repositories.risk import case as stored_cases
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.billing import credit_note, invoice, invoice_end
from services.budgets import purchase_order, purchase_record
from services.credits import credit_lot, spend_control
from services.marketplace import agent as agents
from services.messages import webhook_endpoint as webhook_endpoints
from services.risk import case as risk_case
from services.tenants import organization as organizations
from services.tenants.metadata import ObjectChange, change as change_object
from tests.activities.recording import record
from tests.activities.test_purchase_books import Sold, sold
from tests.api.paying import Written
from tests.conftest import DatabaseUrls
from tests.support.billing import KIM, draft, finalise, number_all, organization
from tests.support.reports import LATE, Figures, a_report
from tests.support.spend_world import CREDIT, World
from tests.support.subscription_books import subscribed
from tests.support.webhooks import SEALER
from tests.workflows.behind import message_of
from tests.workflows.conftest import Job, Stage
from tests.workflows.payout_driver import HOLD_BACK, taken_out

pytestmark = pytest.mark.db

#: Fixtures of a module of their own.
__all__ = ["sold"]

#: Which organizations have events of a subject, and in which role; None where there is only one.
Audiences = dict[str, dict[str, str | None]]

NOW = datetime.now(UTC)
#: What somebody has written, which no event may hold.
Hand = Callable[..., Awaitable[None]]
WRITTEN = "Private words"


@pytest.fixture
def database(fresh_database: Database) -> Database:
    return fresh_database


@pytest.fixture
async def by_hand(fresh_database_urls: DatabaseUrls) -> AsyncIterator[Hand]:
    """Run a statement as the owner of the tables."""
    owner = Database(fresh_database_urls.tenant, fresh_database_urls.owner)

    async def run(statement: str, **values: Any) -> None:
        async with owner.platform() as session:
            await session.execute(text(statement), values)

    yield run
    await owner.close()


async def of_escrows(database: Database, _by_hand: Hand) -> Audiences:
    """Move escrows without money through every state and every step that has an event."""
    first = await Stage(None, None, database, None).award()
    S = EscrowStatus

    async def walk(job: Job, *steps: tuple[str, EscrowStatus]) -> None:
        opened = escrow_rules.opened(job.terms, actor=job.procurement, now=NOW)
        for event, status in (("opened", S.OPEN), *steps):
            state = opened.escrow if event == "opened" else await job.state()
            outcome = EscrowOutcome(escrow=replace(state, status=status), event=event, actor=WRITTEN)
            if event == "opened":
                outcome = opened
            message = await message_of(job, outcome, new_id("cmd"), NOW)
            recorded = await EscrowActivities(database).record_event(message)
            assert recorded.applied, (event, recorded)

    begun = ("moved", S.FUNDED)
    of_state = {"validated": S.DELIVERED, "approved": S.DELIVERED, "evidence_submitted": S.DISPUTED}
    of_state |= {"review_extended": S.DELIVERED}
    of_state |= {"decision_overdue": S.DISPUTED, "default_extended": S.DISPUTED}
    of_state |= {"funding_extended": S.OPEN}
    steps = [(name, of_state.get(name, S.FUNDED)) for name in STEPS if name != "delivered"]
    opened, funded, delivered, disputed = (
        [each for each in steps if each[1] is at] for at in (S.OPEN, S.FUNDED, S.DELIVERED, S.DISPUTED)
    )
    ways = [
        (
            *(*opened, begun, *funded, ("moved", S.DELIVERED), *delivered, ("moved", S.FUNDED), ("moved", S.DELIVERED)),
            *(("moved", S.DISPUTED), *disputed, ("moved", S.SPLIT)),
        ),
        *((begun, ("moved", end)) for end in (S.RELEASED, S.REFUNDED, S.CANCELLED, S.EXPIRED)),
    ]
    parties = {first.terms.contract_id: first.terms}
    for way in ways:
        job = await first.stage.award(of=first)
        await walk(job, *way)
        parties[job.terms.escrow_id] = parties[job.terms.contract_id] = job.terms
    return {subject: {terms.payer_org_id: "payer", terms.payee_org_id: "payee"} for subject, terms in parties.items()}


async def of_contracts(database: Database, by_hand: Hand) -> Audiences:
    terms = (await Stage(None, None, database, None).award(accept_by=NOW + timedelta(days=1))).terms
    accepted = "UPDATE contracts SET accepted_at = now(), accepted_by = :by WHERE id = :id"
    await by_hand(accepted, id=terms.contract_id, by=WRITTEN)
    signs, signed = await organization(database), new_id("ctr")
    change = {"id": signed, "command_id": signed, "signatory_org_ids": [signs, terms.payee_org_id]}
    copied = "INSERT INTO contracts SELECT (jsonb_populate_record(c, CAST(:change AS jsonb))).* FROM contracts c"
    await by_hand(f"{copied} WHERE c.id = :id", id=terms.contract_id, change=json.dumps(change))
    lapsed = new_id("ctr")
    never = {"accepted_at": None, "accepted_by": None, "accept_by": (NOW - timedelta(hours=1)).isoformat()}
    never |= {"id": lapsed, "command_id": lapsed}
    await by_hand(f"{copied} WHERE c.id = :id", id=terms.contract_id, change=json.dumps(never))
    assert (await ContractActivities(database).expire_contracts(ExpireContracts(limit=10))).count == 1
    both: dict[str, str | None] = {terms.payer_org_id: "payer", terms.payee_org_id: "payee"}
    return {terms.contract_id: both, signed: {**both, signs: "signatory"}, lapsed: both}


async def of_payments(database: Database, _by_hand: Hand) -> Audiences:
    """Give a payment, its refund and its chargeback every state."""
    org_id = await organization(database)
    paid = await Written(database, org_id, description=WRITTEN).begin()
    refund = Refund(
        refund_id=new_id("rfd"), amount_minor=1, goods_minor=1, state=RefundState.REQUESTED, requested_by=WRITTEN,
        requested_at=NOW, reason=WRITTEN, failure=WRITTEN, failure_code="insufficient_funds", given_up=True,
    )  # fmt: skip
    dispute = Dispute(
        dispute_id=new_id("dsp"), ref="du_1", status=DisputeStatus.INQUIRY, amount_minor=1, goods_minor=1,
        reason="fraudulent", opened_at=NOW, evidence_due_at=NOW,
    )  # fmt: skip
    changes: list[dict[str, Any]] = [{"status": each} for each in PaymentStatus]
    changes += [{"refunds": (replace(refund, state=each),)} for each in RefundState]
    changes += [{"disputes": (replace(dispute, status=each),)} for each in DisputeStatus]
    for change in changes:
        held = paid.payment
        assert held is not None
        after = replace(held, version=held.version + 1, decline=Decline(code="card_declined", detail=WRITTEN), **change)
        recorded = await record(database, PaymentOutcome(payment=after, event="moved", actor=WRITTEN))
        assert recorded.applied, (change, recorded)
        paid.payment = recorded.stored
    return {}


async def of_subscriptions(database: Database, _by_hand: Hand) -> Audiences:
    one = await subscribed(database)
    for status in SubscriptionStatus:
        after = replace(one.state, status=status)
        await one.write(SubscriptionOutcome(subscription=after, event="moved", actor=WRITTEN), at=NOW)
        after = replace(one.state, cancel_at_period_end=not one.state.cancel_at_period_end)
        await one.write(SubscriptionOutcome(subscription=after, event="moved", actor=WRITTEN), at=NOW)
    return {one.state.subscription_id: {one.org_id: None}}


async def of_payouts(database: Database, _by_hand: Hand) -> Audiences:
    P = PayoutStatus
    for ways in ((P.WAITING_FOR_FUNDS, P.UNKNOWN, P.PAID), (P.FAILED,)):
        made = await taken_out(Stage(None, None, database, None))
        for status in ways:
            held = await made.state()
            movement = BalanceTransaction(
                key=held.payout_id, kind=BalanceTransactionKind.PAYOUT, amount_minor=-held.amount_minor, fee_minor=0,
                currency=held.currency, occurred_at=NOW, ref=held.payout_id,
            )  # fmt: skip
            code = "account_closed" if status is P.FAILED else None
            message = RecordPayout(
                outcome=PayoutOutcome(
                    payout=replace(held, status=status, version=held.version + 1, failure_code=code),
                    event="moved",
                    actor=WRITTEN,
                ),
                command_id=new_id("cmd"),
                at=NOW,
                decided_from=state_hash(held),
                movement=movement if status is P.PAID else None,
            )
            environment = ActivityEnvironment()
            environment.info = replace(environment.info, is_local=True)
            assert (
                await environment.run(PayoutActivities(database, None, hold_back=HOLD_BACK).record, message)
            ).applied
    return {}


async def of_purchases(database: Database, by_hand: Hand, sold: Sold) -> Audiences:
    made = await sold.purchase(await sold.bought())
    for status in ("suspended", "active", "ended", "refunded"):
        statement = "UPDATE marketplace_purchases SET status = :status, refunded_at = :at WHERE id = :id"
        await by_hand(statement, id=made.id, status=status, at=NOW if status == "refunded" else None)
    return {made.id: {sold.buyer: "buyer", sold.studio: "seller"}}


async def of_invoices(database: Database, by_hand: Hand) -> Audiences:
    org_id = await organization(database)
    dropped, noted, voided, lost = [await draft(database, org_id, note=WRITTEN) for _ in range(4)]
    for each in (noted, voided, lost):
        await finalise(database, each)
    await number_all(database)
    async with database.platform() as session:
        await invoice.discard(session, KIM, dropped.id, NOW)
        await invoice_end.void(session, KIM, voided.id, new_id("cmd"), NOW)
        await invoice_end.mark_uncollectible(session, KIM, lost.id, new_id("cmd"), NOW)
        command_id = new_id("cmd")
        await credit_note.issue(
            session, KIM, noted.id, amount_minor=None, reason=WRITTEN, command_id=command_id, now=NOW
        )
    reopen = "UPDATE invoices SET status = 'open', paused_for = 'chargeback', credited_minor = 0 WHERE id = :id"
    await by_hand(reopen, id=noted.id)
    return {each.id: {org_id: None} for each in (dropped, noted, voided, lost)}


async def of_spends(database: Database, _by_hand: Hand) -> Audiences:
    """Reserve and end each reservation differently; exceed a limit; let credits expire."""
    world = await World(database).begin()
    await world.limit(Limit(window=Window.LIFETIME, amount_minor=100 * CREDIT))
    await world.spend(60)
    assert await world.raised()
    operator = Actor(principal=WRITTEN, role=Role.OPERATOR)
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        spending = Spending(await driver_connection(session), world.org)
        soon = NOW + timedelta(minutes=10)

        async def reserved() -> UUID:
            spend = NewSpend(key=new_id("key"), action="research", amount_minor=CREDIT)
            spent = await spending.authorize(spend, expires_at=soon, at=NOW)
            assert spent.spend_id is not None
            return spent.spend_id

        await spending.settle(key=new_id("key"), spend_id=await reserved(), at=NOW)
        await spending.release(key=new_id("key"), spend_id=await reserved(), at=NOW)
        back = await reserved()
        await spending.settle(key=new_id("key"), spend_id=back, amount_minor=CREDIT // 2, more=True, at=NOW)
        await spending.refund(key=new_id("key"), spend_id=back, at=NOW)
        await spending.release(key=new_id("key"), spend_id=back, at=NOW)
        await reserved()
        await ledger.expire_holds(now=soon + timedelta(hours=1))
        await credit_lot.grant(
            session, operator, org_id=world.org, amount_minor=CREDIT, source=GrantSource.REWARD, expires_at=soon,
            note=WRITTEN, command_id=new_id("cmd"), now=NOW,
        )  # fmt: skip
        await ledger.expire_lots(now=soon + timedelta(hours=1))
    return {}


async def of_spend_controls(database: Database, _by_hand: Hand) -> Audiences:
    """Open, change, freeze, unfreeze and close a named limit of a run."""
    world = await World(database).begin()
    owner = Actor(principal=WRITTEN, role=Role.OWNER, org_id=world.org)
    allowed = LimitTerms(limits=(Limit(window=Window.DAY, amount_minor=CREDIT),))

    def order() -> spend_control.ControlCommand:
        return spend_control.ControlCommand(
            actor=owner, org_id=world.org, command_id=new_id("cmd"), at=NOW, reason=WRITTEN
        )

    async with database.platform() as session:
        new = NewControl(subject_kind=SubjectKind.RUN, subject_id="Private-words", asset="CREDIT")
        made = (await spend_control.create(session, order(), new, allowed, None)).id
        await spend_control.change(session, order(), made, allowed, None)
        for status in (ControlStatus.FROZEN, ControlStatus.ACTIVE, ControlStatus.CLOSED):
            await spend_control.set_status(session, order(), made, status)
    return {uuid_id("ctl", made): {world.org: None}}


async def of_purchase_orders(database: Database, sold: Sold) -> Audiences:
    """Create an order that waits for a person, and give it every other status."""
    spender = Spender(agent_id=sold.agent, principal=WRITTEN)
    words = dict.fromkeys(("item", "vendor", "category", "why"), WRITTEN)
    asked = purchase_order.Proposal(
        org_id=sold.studio, spender=spender, session_id=None, amount_minor=1_000, currency="USD", **words
    )
    async with database.platform() as session:
        made = await purchase_order.propose(
            session, asked, command_id=new_id("cmd"), rules=PurchaseRules(hold=timedelta(days=1)), now=NOW
        )  # fmt: skip
        # Its row stays as it is: what belongs to the other statuses is not written here.
        await session.flush()
        session.expunge(made)
        for status in set(PurchaseOrderStatus) - {PurchaseOrderStatus(made.status)}:
            made.status = status.value
            await purchase_record.record_status_event(session, made, at=NOW)
    return {made.id: {sold.studio: None}}


async def of_reports(database: Database) -> Audiences:
    org_id, client = await organization(database), None
    report = await a_report(database, org_id, now=NOW, name=WRITTEN)
    assert report.due_at is not None
    period = ReportDefinition.kept(report.definition).period_at(report.period_from).name
    make = ReportActivities(database, client, Figures(), late=LATE).make
    await ActivityEnvironment().run(make, MakeReport(report_id=report.id, period=period, now=report.due_at))
    return {report.id: {org_id: None}}


async def of_risk_cases(database: Database) -> Audiences:
    """Open, ask about and decide a case."""
    org_id, operator = await organization(database), Actor(principal=WRITTEN, role=Role.OPERATOR)
    async with database.platform() as session:
        opened = await risk_case.open_case(session, CaseKind.TAKEOVER, org_id, [org_id], 100, NOW, [], WRITTEN, {})
        row = await stored_cases.get(session, opened)
        assert row is not None
        asked = request_information(stored_cases.state_of(row), NOW, actor=WRITTEN, question=WRITTEN)
        said = answer(asked.case, actor=WRITTEN, text=WRITTEN).case
        release = CaseResult.RELEASE
        decided = decide(said, NOW, actor=WRITTEN, key_id=None, result=release, reason=WRITTEN)
        for outcome in (asked, decided):
            await risk_case.take_effect(session, outcome, command_id=new_id("cmd"), actor=operator, at=NOW)
    return {opened: {org_id: None}}


async def of_the_rest(database: Database, by_hand: Hand, sold: Sold) -> Audiences:
    """Deploy a project, raise an alert, test a webhook endpoint, and compute a score."""
    org_id = await organization(database)
    owner = Actor(principal=WRITTEN, role=Role.OWNER, org_id=org_id)
    project = {"id": new_id("prj"), "org_id": org_id, "slug": "private-words", "name": WRITTEN}
    async with database.platform() as session:
        await session.execute(insert(Project).values(**project, occupies_slot=False, created_by="x", command_id="x"))
        await alerts.raise_alert(session, kind="test", subject=org_id, detail=WRITTEN, org_id=org_id, shared=True)
        alert_id = await session.scalar(text("SELECT id FROM alerts WHERE subject = :org"), {"org": org_id})
    async with database.tenant(org_id) as session:
        await alerts.snooze(session, alert_id, NOW, for_organization=True)
    async with database.platform() as session:
        await alerts.resolve_one(session, alert_id, WRITTEN)
        wanted = webhook_endpoints.EndpointRequest(
            org_id=org_id, url="https://private.example.com/", types=("*",), description=WRITTEN,
            ordering=Ordering.NONE, asymmetric=False, command_id=new_id("cmd"),
        )  # fmt: skip
        made, _ = await webhook_endpoints.create(session, owner, wanted, SEALER, now=NOW)
        await webhook_endpoints.send_test_event(session, owner, made.id, command_id=new_id("cmd"), now=NOW)
        await session.execute(text("SELECT open_reputation_months(:day, :day)"), {"day": NOW.date()})
    for noun, (prefix, names) in CHANGEABLE.items():
        subject = org_id if prefix == "org" else new_id(prefix)
        async with database.platform() as session:
            asked = ObjectChange(
                noun=noun, object_id=subject, org_id=org_id, expected=Precondition(), command_id=new_id("cmd"),
                written={"external_id": "order-6735", "metadata": {"words": WRITTEN}},
            )  # fmt: skip
            assert set((await change_object(session, owner, asked)).names) <= set(names)
    for at in (NOW, None):
        await by_hand("UPDATE projects SET deployed_at = :at WHERE id = :id", at=at, id=project["id"])
    stopped, operator = await organization(database), Actor(principal=WRITTEN, role=Role.OPERATOR)
    named = "INSERT INTO object_metadata (object_id, org_id, external_id, command_id) VALUES (:id, :org, :theirs, :id)"
    await by_hand(named, id=sold.agent, org=sold.studio, theirs=f"id-of-{sold.agent}")
    await by_hand(named, id=stopped, org=stopped, theirs=f"id-of-{stopped}")
    night = {"day": NOW.date(), "agent": sold.agent}
    history = (
        "INSERT INTO reputation_history VALUES"
        " (:day, :agent, 4200000, 4100000, 4300000, 1, -150000, 3, false, ARRAY[1, 1, 1, 1, 1])"
    )
    await by_hand(history, **night)
    new = Agent(
        id=new_id("agt"), org_id=sold.studio, name=WRITTEN, visibility="private", pricing_model="free",
        created_by=WRITTEN, command_id=new_id("cmd"),
    )  # fmt: skip
    async with database.platform() as session:
        await agents.create(session, owner, new, NO_METADATA)
        await agents.retire(session, owner, sold.agent, now=NOW)
    async with database.platform() as session:
        await organizations.suspend(session, operator, stopped, reason=WRITTEN, now=NOW)
        await organizations.resume(session, operator, stopped, now=NOW)
        await organizations.close(session, operator, stopped, reason=WRITTEN, now=NOW)
    told = select(EventRow.type, EventRow.data["external_id"].astext).where(EventRow.subject.in_([sold.agent, stopped]))
    async with database.platform() as session:
        rows = (await session.execute(told)).all()
    ours = {"score.changed": sold.agent, "agent.retired": sold.agent}
    ours |= dict.fromkeys(("organization.suspended", "organization.resumed", "organization.closed"), stopped)
    assert {type: theirs for type, theirs in rows if type in ours} == {
        type: f"id-of-{id_}" for type, id_ in ours.items()
    }
    return {project["id"]: {org_id: None}, made.id: {org_id: None}, sold.agent: {sold.studio: None}}


async def test_every_event_type_is_written_as_described_for_its_audience(
    database: Database, by_hand: Hand, sold: Sold
) -> None:
    known: Audiences = {}
    for story in (of_escrows, of_contracts, of_payments, of_subscriptions, of_payouts, of_invoices, of_spends):
        known |= await story(database, by_hand)
    known |= await of_spend_controls(database, by_hand)
    known |= await of_reports(database)
    known |= await of_risk_cases(database)
    known |= await of_purchase_orders(database, sold)
    known |= await of_purchases(database, by_hand, sold)
    known |= await of_the_rest(database, by_hand, sold)
    async with database.platform() as session:
        rows = (await session.scalars(select(EventRow))).all()
    assert {row.type for row in rows} == set(CATALOGUE)
    audiences: Audiences = defaultdict(dict)
    for row in rows:
        jsonschema.validate(row.data, {**CATALOGUE[row.type].schema, "additionalProperties": False})
        audiences[row.subject][row.org_id] = row.data.get("role")
        # No words, and no other organization: who the other side is stands in the object, for who may read it.
        assert "rivate" not in json.dumps(row.data)
        assert "org_" not in json.dumps(row.data).replace(row.org_id, "")
    assert {subject: audiences[subject] for subject in known} == known
    assert {tuple(orgs.values()) for subject, orgs in audiences.items() if subject not in known} <= {(None,)}
