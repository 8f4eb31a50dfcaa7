"""Records evidence of reputation from escrows, from clients' feedback and from operators' reports."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import errors as refusals
from domain.common.access import Actor, Role
from domain.common.errors import Forbidden, NotFound, other_request
from domain.common.ids import escrow_id_of
from domain.common.money import CREDIT, parse_ratio
from domain.common.text import rfc3339
from domain.escrow.state import Escrow, Outcome
from domain.messages.alert.rules import FRAUD_SUSPECTED
from domain.payments.payment.state import Payment
from domain.reputation import conduct, facts
from domain.reputation.escrow_evidence import EventEvidence, evidence_of_event, value_at_stake
from domain.reputation.facts import DimensionShare, FactKind
from domain.reputation.policy import EvidencePolicy
from domain.reputation.recall import (
    downstream_escrows,
    is_all_lost,
    is_funding_unchanged,
    unfunded_escrows,
    unfunded_escrows_of_bill,
    was_charged_back,
)
from models.escrow.contract import Contract
from models.reputation.reputation import ReputationEventRow, ReputationFeedbackRow
from repositories.common.command import lock_command
from repositories.escrow import contract as contracts, escrow as escrows
from repositories.reputation import reputation, reputation_client as clients, reputation_recalls as recalls
from repositories.reputation.reputation import FactContext, ReputationFact
from repositories.tenants import audit, organization as organizations
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.messages.alert_evaluation import raise_built_in

NO_CONTRACT = "There is no such contract."


async def record_settled(
    connection: asyncpg.Connection, before: Escrow | None, outcome: Outcome, policy: EvidencePolicy, *, at: datetime
) -> None:
    """Record the evidence of an escrow's event, in its transaction; most events have none and cost nothing.

    Needs the platform's connection. `before` is the state that the books held, None before the first event.
    """
    if (cancelled := conduct.of_cancellation(before, outcome.escrow)) is not None:
        await clients.record_act(connection, new_id("rev"), cancelled, at=at, policy=policy)
        return
    score = outcome.details.get("score") if outcome.event == "validated" else None
    score_e4 = None if score is None else parse_ratio(str(score), "score")
    found = (
        None
        if before is None
        else evidence_of_event(before, outcome.escrow, outcome.event, score_e4, actor=outcome.actor)
    )
    if found is None:
        return
    about = _about(outcome.escrow, found, "escrow", outcome.actor, at, policy)
    escrow_id, number = outcome.escrow.terms.escrow_id, outcome.escrow.version
    events = [
        ReputationFact(
            id=new_id("rev"),
            kind=each.kind.value,
            key=f"{escrow_id}:{number}:{each.kind}",
            subject=escrow_id,
            says=each.says,
            is_rated=each.is_rated,
            client_good_e4=each.client_good_e4,
            client_bad_e4=each.client_bad_e4,
            is_end=each.is_end,
            is_success=each.is_success,
        )
        for each in found.facts
    ]
    await reputation.record_facts(connection, about, events)


def _about(
    escrow: Escrow, found: EventEvidence, source: str, actor: str, at: datetime, policy: EvidencePolicy
) -> FactContext:
    terms = escrow.terms
    stakes = found.stakes(terms.currency, policy.credit)
    return FactContext(
        agent_id=terms.agent_id,
        agent_org_id=terms.payee_org_id,
        counterparty_org_id=terms.payer_org_id,
        source=source,
        actor=actor,
        at=at,
        value_minor=found.value_minor if stakes else 0,
        commission_minor=found.commission_minor if stakes else 0,
        bad_commission_minor=found.bad_commission_minor if stakes else 0,
        stakes=stakes or reputation.STAKES,
        escrow_id=terms.escrow_id if terms.currency == CREDIT else None,
        list_price=policy.sharing.list_price_terms() or None,
        exempt=policy.registrars,
        seasons_days=policy.chargeback_days,
        settles=terms.escrow_id,
    )


async def void_or_restore_for_payment(
    session: AsyncSession, before: Payment | None, after: Payment, *, at: datetime
) -> None:
    """Void the evidence of escrows whose payment was refunded or charged back, and restore it once it is paid again.

    A refund leaves what is mostly bad of an agent: it may be for bad work that the money went back.
    The evidence about its payer as a client is recorded too. The scores of agents are computed again afterwards, by
    `recompute_stale`.
    """
    if before is not None and not is_funding_unchanged(before, after):
        invoice_id = after.terms.purpose.invoice_id
        if invoice_id is None:
            connection, payment_id = await driver_connection(session), after.terms.payment_id
            gone = unfunded_escrows(after, await recalls.funded_by(connection, payment_id))
            is_lost = is_all_lost(after)
            if (gone or is_lost) and (passed := await recalls.downstream_escrows(connection, payment_id)):
                # Payees may have earned them by sales and uses, too.
                sellers = {each.payer for each in passed} if is_lost else set()
                gone += downstream_escrows(await recalls.payees_of(connection, gone) | sellers, passed)
            await _recall(connection, payment_id, gone, at, by_bank=was_charged_back(after))
        else:
            await void_or_restore_for_bill(session, invoice_id, at=at)
    for fact in conduct.of_payment(before, after):
        await clients.record_act(await driver_connection(session), new_id("rev"), fact, at=at)


async def void_or_restore_for_bill(session: AsyncSession, invoice_id: str, *, at: datetime) -> None:
    """Void the evidence of escrows that unpaid credits of a subscription funded, and restore it once they are paid.

    It does not matter which payments paid the bill. Invoices of other things have granted no credits.
    """
    bill = await recalls.bill(session, invoice_id)
    if bill is not None:
        connection = await driver_connection(session)
        funded = await recalls.funded_by_bill(connection, invoice_id)
        await _recall(
            connection, invoice_id, unfunded_escrows_of_bill(bill, funded), at, by_bank=not bill.was_only_refunded
        )


async def _recall(
    connection: asyncpg.Connection, cause: str, escrow_ids: Sequence[str], at: datetime, *, by_bank: bool
) -> None:
    for event_id in await recalls.recall(connection, cause, escrow_ids, by_bank=by_bank):
        await recalls.restore_event(connection, event_id, new_id("rev"), at=at)


async def void_between_related(database: Database) -> None:
    """Void evidence between organizations that turned out to be related; scores follow by `recompute_stale`.

    Operators are alerted to each pair, once.
    """
    while True:
        async with database.platform() as session:
            connection = await driver_connection(session)
            for client, creator in await reputation.related_by_tax_id(connection, 100):
                await raise_built_in(
                    session,
                    FRAUD_SUSPECTED,
                    subject=client,
                    detail=f"{client} and {creator} state the same tax id and did business with each other. What they "
                    "said of each other before counts. Look whether money was moved for its own sake; if so, void it.",
                    window=creator,
                    org_id=client,
                )
            judged = await reputation.void_between_related(connection, 100)
            for client, creator, kinds in await reputation.voided_of_related(connection):
                await raise_built_in(
                    session,
                    FRAUD_SUSPECTED,
                    subject=client,
                    detail=f"{client} and {creator} share {', '.join(kinds)} and did business with each other. What "
                    "they said of each other is void. Look whether money was moved for its own sake.",
                    window=creator,
                    org_id=client,
                )
        if not judged:
            return


async def recompute_stale(database: Database, *, limit: int) -> int:
    """Compute the scores of stale agents again, each in a transaction of its own, and return how many were due."""
    done, last = 0, ""
    while done < limit:
        async with database.platform() as session:
            found = await recalls.stale(await driver_connection(session), after=last, limit=min(100, limit - done))
        for agent_id in found:
            async with database.platform() as session:
                await recalls.refresh(await driver_connection(session), agent_id)
        if not found:
            break
        done, last = done + len(found), found[-1]
    return done


async def give_feedback(
    session: AsyncSession,
    actor: Actor,
    contract_id: str,
    ratings: Mapping[str, int],
    comment: str | None,
    *,
    command_id: str,
    now: datetime,
    window: timedelta,
    policy: EvidencePolicy,
) -> ReputationFeedbackRow:
    """Record a client's feedback on a settled contract, once. Needs the platform's session.

    Raises:
        NotFound: there is no such contract for the actor, or an agent's key is not named in it.
    """
    said = facts.feedback(ratings)
    contract = await contracts.find(session, contract_id)
    if contract is None or actor.org_id not in {contract.org_id, contract.payee_org_id}:
        raise NotFound(NO_CONTRACT)
    if actor.org_id == contract.payee_org_id:
        raise refusals.ReputationOwnAgent("An organization cannot rate its own agents.")
    if not _is_of(actor, contract):
        raise NotFound(NO_CONTRACT)
    # Concurrent feedback on the contract waits here, and then finds that it was given.
    await lock_command(session, f"feedback:{contract_id}")
    made = await reputation.feedback_by(session, command_id)
    if made is not None:
        # Feedback that was changed since cannot be compared with the command's request.
        is_same = made.changed_at is not None or _is_as(made, ratings, comment)
        if made.contract_id != contract_id or not is_same:
            raise other_request()
        return made
    await organizations.refuse_stopped(session, contract.org_id)
    await _refuse_second(session, contract_id)
    escrow, found = await _settled(session, contract)
    _refuse_late(escrow, now, window)
    connection = await driver_connection(session)
    if await reputation.are_related(
        connection,
        contract.org_id,
        contract.payee_org_id,
        policy.registrars,
        is_bad=facts.is_bad(said),
        agreed_at=contract.created_at,
    ):
        raise refusals.ReputationRelated("The two organizations are related, so feedback between them does not count.")
    event = _feedback(contract_id, 1, said, comment, escrow, found)
    await reputation.record_facts(
        connection, _about(escrow, found, "feedback", actor.qualified(), now, policy), [event]
    )
    feedback = ReputationFeedbackRow(
        id=new_id("fbk"),
        contract_id=contract_id,
        agent_id=contract.agent_id,
        agent_org_id=contract.payee_org_id,
        org_id=contract.org_id,
        ratings=dict(ratings),
        comment=comment,
        event_id=event.id,
        given_by=actor.qualified(),
        by_agent=actor.role is Role.AGENT,
        command_id=command_id,
        created_at=now,
    )
    session.add(feedback)
    await session.flush()
    return feedback


async def void_event(
    session: AsyncSession, actor: Actor, row: ReputationEventRow, *, reason: str, now: datetime
) -> None:
    """Void an event, so that scores are computed as if it had never happened; a void event stays as it is."""
    connection = await driver_connection(session)
    if await reputation.void(connection, row.id, by=actor.qualified(), reason=reason, at=now):
        await audit.record(session, actor, "reputation.void", row.id, {"reason": reason}, row.agent_org_id)
        await session.refresh(row)


async def change_feedback(
    session: AsyncSession,
    actor: Actor,
    feedback_id: str,
    ratings: Mapping[str, int],
    comment: str | None,
    *,
    command_id: str,
    now: datetime,
    window: timedelta,
    policy: EvidencePolicy,
) -> ReputationFeedbackRow:
    """Change feedback, once: the earlier feedback is voided. Needs the platform's session.

    A person replaces an agent's feedback also after the agent changed it.

    Raises:
        NotFound: there is no such feedback of the actor's organization, or an agent's key is not named in its contract.
        Forbidden: an agent's key would replace a person's feedback.
    """
    said = facts.feedback(ratings)
    row = await reputation.feedback(session, feedback_id)
    contract = await contracts.get(session, row.contract_id)
    if row.org_id != actor.org_id or not _is_of(actor, contract):
        raise NotFound(reputation.NO_FEEDBACK)
    connection, by = await driver_connection(session), actor.qualified()
    await recalls.lock_escrow(connection, escrow_id_of(row.contract_id))
    await session.refresh(row, with_for_update=True)
    if row.change_command_id == command_id:
        if not _is_as(row, ratings, comment):
            raise other_request()
        return row
    await organizations.refuse_stopped(session, row.org_id)
    by_agent = actor.role is Role.AGENT
    if by_agent and not row.by_agent:
        raise Forbidden("A person gave this feedback, so an agent's key cannot change it.")
    if row.changed_at is not None and (by_agent or not row.by_agent):
        raise refusals.ReputationWindowClosed("This feedback was changed before. It can be changed only once.")
    escrow, found = await _settled(session, contract)
    _refuse_late(escrow, now, window)
    voided = await reputation.void(connection, row.event_id, by=by, reason="The client changed its feedback.", at=now)
    if not voided:
        event_row = await reputation.event(session, row.event_id)
        if not (event_row.voided_by or "").startswith(("payment:", "invoice:")):
            # Feedback that was voided because of a lost payment is restored when the money is back. Any other void is
            # final.
            raise refusals.ReputationWindowClosed("This feedback was voided and cannot be changed.")
    event = _feedback(row.contract_id, 2 if row.changed_at is None else 3, said, comment, escrow, found)
    await reputation.record_facts(connection, _about(escrow, found, "feedback", by, now, policy), [event])
    row.ratings, row.comment, row.event_id, row.given_by = dict(ratings), comment, event.id, by
    row.by_agent, row.changed_at, row.change_command_id = by_agent, now, command_id
    await session.flush()
    return row


async def report(
    session: AsyncSession, actor: Actor, agent_id: str, agent_org_id: str, fact: ReputationFact, *, at: datetime
) -> ReputationEventRow:
    """Record an operator's report about an agent, once by its key. Needs the platform's session."""
    about = FactContext(
        agent_id=agent_id,
        agent_org_id=agent_org_id,
        counterparty_org_id=None,
        source="operator",
        actor=actor.qualified(),
        at=at,
        is_weighed=False,
    )
    await reputation.record_facts(await driver_connection(session), about, [fact])
    found = await reputation.reported(session, fact.key)
    asked = (agent_id, fact.kind, fact.subject, fact.note, fact.response_ms)
    if (found.agent_id, found.kind, found.subject, found.note, found.response_ms) != asked:
        raise other_request()
    said = [(each["dimension"], each["good_e6"], each["bad_e6"]) for each in found.says]
    if said != [(each.dimension, each.good_e6, each.bad_e6) for each in facts.increments(fact.says, found.weight_e6)]:
        raise other_request()
    if found.id == fact.id:
        details = {"event_type": fact.subject, "agent_id": agent_id}
        await audit.record(session, actor, "reputation.report", found.id, details, agent_org_id)
    return found


def _is_of(actor: Actor, contract: Contract) -> bool:
    """Return whether an agent's key of the client is named in the contract; people act for their organization."""
    named = {f"{contract.org_id}/{each}" for each in contract.signatories} | {contract.created_by}
    return actor.role is not Role.AGENT or actor.qualified().lower() in {each.lower() for each in named}


async def _refuse_second(session: AsyncSession, contract_id: str) -> None:
    given = await reputation.feedback_on(session, contract_id)
    if given is not None:
        raise refusals.ReputationAlreadyGiven(
            "Feedback on this contract already exists. Change it instead.", extra={"feedback_id": given.id}
        )


def _feedback(
    contract_id: str,
    number: int,
    said: tuple[DimensionShare, ...],
    comment: str | None,
    escrow: Escrow,
    found: EventEvidence,
) -> ReputationFact:
    """Return feedback on a contract as evidence: the first is 1, each change has the next number."""
    return ReputationFact(
        id=new_id("rev"),
        kind=FactKind.FEEDBACK.value,
        key=f"{contract_id}:{number}",
        subject=contract_id,
        says=facts.scale_to_paid(said, escrow.paid_minor, found.value_minor),
        # The event stays when the feedback is changed.
        note=comment,
        is_rated=True,
    )


def _is_as(row: ReputationFeedbackRow, ratings: Mapping[str, int], comment: str | None) -> bool:
    return (row.ratings, row.comment) == (dict(ratings), comment)


async def _settled(session: AsyncSession, contract: Contract) -> tuple[Escrow, EventEvidence]:
    escrow = await escrows.of_contract(session, contract.id)
    found = None if escrow is None else value_at_stake(escrow)
    if escrow is None or found is None:
        raise refusals.ReputationNotSettled("Feedback can be given only when the work is settled.")
    return escrow, found


def _refuse_late(escrow: Escrow, now: datetime, window: timedelta) -> None:
    closed_at = escrow.updated_at + window
    if now >= closed_at:
        raise refusals.ReputationWindowClosed(
            "The time for feedback on this contract is over.", extra={"closed_at": rfc3339(closed_at)}
        )
