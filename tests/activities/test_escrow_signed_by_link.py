"""A signature in a session that somebody else's link opened counts as an operator's approval and raises an alert."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from activities.escrow.escrow import EscrowActivities
from domain.common.access import Actor, Role
from domain.common.errors import Forbidden
from domain.escrow import commands as rules
from models.messages.alert import Alert
from models.tenants.audit import AuditEntry
from runtime.database import Database
from runtime.identity import new_id
from services.messages.alert import refuse_own_key
from tests.workflows.behind import message_of
from tests.workflows.conftest import Stage

pytestmark = pytest.mark.db


async def test_signature_by_link_is_on_behalf_and_raises_an_alert(database: Database) -> None:
    job = await Stage(None, None, database, None).award(balance=100_000_000)
    activities = EscrowActivities(database)
    by_link = replace(job.finance, session_id=new_id("ses"), made_by="kim")
    now = datetime.now(UTC)
    steps = [
        rules.opened(job.terms, actor=job.procurement, now=now),
        lambda state: rules.fund(state, actor=job.procurement, source="credits", now=now),
        lambda state: rules.deliver(state, actor=job.bot, artifacts=(), note=None, milestone=None, now=now),
        lambda state: rules.approve(state, signatory="finance", actor=by_link, now=now),
    ]
    for step in steps:
        outcome = step(await job.state()) if callable(step) else step
        actor = by_link if outcome.event == "approved" else job.procurement
        message = (await message_of(job, outcome, new_id("cmd"))).model_copy(update={"actor": actor})
        assert (await activities.record_event(message)).applied
    (signature,) = (await job.state()).signatures or [None]
    assert signature is not None
    assert (signature.signatory, signature.signed_by, signature.on_behalf) == ("finance", "kim", True)
    async with database.platform() as session:
        (told,) = await session.scalars(select(Alert).where(Alert.subject == job.terms.escrow_id))
        entry = (
            await session.scalars(
                select(AuditEntry).where(
                    AuditEntry.action == "escrow.approved", AuditEntry.target == job.terms.escrow_id
                )
            )
        ).one()
    assert (told.kind, told.org_id, told.shared) == ("escrow.signed_by_link", job.terms.payer_org_id, True)
    assert (entry.principal, entry.made_by, entry.session_id) == ("finance", "kim", by_link.session_id)
    # Whoever made the link does not close the alert about it.
    async with database.platform() as session:
        with pytest.raises(Forbidden):
            await refuse_own_key(session, Actor(principal="Kim", role=Role.OPERATOR), told)
        await refuse_own_key(session, Actor(principal="nora", role=Role.OPERATOR), told)


async def test_contract_can_exclude_signatures_by_link(database: Database) -> None:
    job = await Stage(None, None, database, None).award(balance=100_000_000, operator_approvals=False)
    now = datetime.now(UTC)
    state = rules.opened(job.terms, actor=job.procurement, now=now).escrow
    state = rules.fund(state, actor=job.procurement, source="credits", now=now).escrow
    state = rules.deliver(state, actor=job.bot, artifacts=(), note=None, milestone=None, now=now).escrow
    with pytest.raises(Forbidden) as refused:
        rules.approve(state, signatory="finance", actor=replace(job.finance, made_by="kim"), now=now)
    assert refused.value.error_code == "escrow.operator_approvals_excluded"
    assert rules.approve(state, signatory="finance", actor=job.finance, now=now).escrow.signatures
