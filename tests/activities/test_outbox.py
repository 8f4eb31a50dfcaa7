"""Events of escrows and payments are recorded in the transaction of the change, for their audience."""

from datetime import UTC, datetime

import pytest

from activities.escrow.escrow import EscrowActivities
from domain.common.money import format_amount
from domain.escrow import commands as rules
from domain.escrow.state import Outcome
from models.messages.event import EventRow
from repositories.messages import event as events
from runtime.database import Database
from runtime.identity import new_id
from tests.api.paying import Written
from tests.support.billing import organization
from tests.support.outbox import past_others
from tests.workflows.behind import message_of
from tests.workflows.conftest import Stage

pytestmark = pytest.mark.db


async def recorded_events(database: Database, org_id: str, subject: str | None = None) -> list[EventRow]:
    await past_others(database)
    async with database.platform() as session:
        return await events.page(session, after=None, limit=100, org_id=org_id, subject=subject)


async def test_both_parties_are_notified_once_of_each_escrow_step(database):
    job, now = await Stage(None, None, database, None).award(), datetime.now(UTC)

    async def write(outcome: Outcome) -> None:
        message = await message_of(job, outcome, new_id("cmd"))
        for _ in range(2):
            # What comes again is answered, and told no second time.
            assert (await EscrowActivities(database).record_event(message)).applied

    await write(rules.opened(job.terms, actor=job.procurement, now=now))
    await write(rules.fund(await job.state(), actor=job.procurement, source="credits", now=now))
    await write(rules.deliver(await job.state(), actor=job.bot, artifacts=(), note="secret", milestone=None, now=now))
    await write(rules.validate(await job.state(), actor=job.validator, score_e4=10_000, note=None, now=now))
    escrow_id = job.terms.escrow_id
    for org_id, role in ((job.terms.payer_org_id, "payer"), (job.terms.payee_org_id, "payee")):
        rows = await recorded_events(database, org_id, escrow_id)
        assert [(row.type, row.subject_seq) for row in rows] == [
            *(("escrow.opened", 1), ("escrow.funded", 2), ("escrow.delivered", 3), ("escrow.released", 4))
        ]
        assert {row.data["role"] for row in rows} == {role}
        assert "secret" not in str([row.data for row in rows])
        state = await job.state()
        assert rows[-1].data["released_amount"] == format_amount(state.released_minor, state.terms.currency)


async def test_organization_is_notified_of_payment_and_chargeback_outcomes(database):
    org_id = await organization(database)
    paid = await Written(database, org_id).begin()
    paid.there.pay()
    await paid.look()
    paid.there.dispute()
    await paid.look()
    await paid.look()
    assert paid.payment is not None
    (dispute,) = paid.payment.disputes
    rows = await recorded_events(database, org_id)
    assert [
        (row.type, row.subject, row.subject_seq) for row in rows if row.type.startswith(("payment.", "chargeback."))
    ] == [
        ("payment.created", paid.terms.payment_id, 1),
        ("payment.requires_action", paid.terms.payment_id, 2),
        ("payment.succeeded", paid.terms.payment_id, 3),
        ("chargeback.needs_response", dispute.dispute_id, 1),
        ("payment.disputed", paid.terms.payment_id, 4),
    ]
