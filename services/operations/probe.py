"""The probe's two organizations: created once, marked as the platform's own traffic, with one credit between them.

In each run one organization pays the credit to the other's agent and converts the earnings back into a credit, which
pays for the next run. So all runs together need one grant, and a missing credit means that a run has lost it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.credits import GrantSource
from domain.common.ids import probe_command_id
from domain.common.money import CREDIT, parse_amount
from domain.escrow.state import Terms
from domain.messages.alert.rules import PROBE_FAILED
from domain.payouts.earnings import EarningsKind, account_of, renew_days_of
from domain.payouts.payable import HoldBack
from domain.reputation.traits import TraitKind
from ledger.gateway import Ledger
from models.escrow.contract import Contract
from models.marketplace.agent import Agent
from models.tenants.organization import Organization
from repositories.common.listing import ListFilter
from repositories.escrow import contract as contracts
from repositories.marketplace import agent as agents
from repositories.messages import alert
from repositories.payouts import earnings as earnings_read
from repositories.reputation import organization_trait
from runtime.database import driver_connection
from runtime.identity import new_id
from services.credits import credit_lot
from services.messages.alert_evaluation import raise_built_in
from services.payouts import earnings
from services.tenants import organization

PRINCIPAL = "probe"
OPERATOR = Actor(principal=PRINCIPAL, role=Role.OPERATOR)
#: The price of a run, and the only grant that the probe gets.
ONE_CREDIT = parse_amount("1", CREDIT)
#: `renew_days` of a conversion; it has no effect, because the probe's credits do not expire.
RENEW_DAYS = 30
_NAMES = ("Probe A", "Probe B")
_HOUR, _DAY = 3_600, 86_400
_ASKED = ("org_id", "payee_org_id", "agent_id", "title", "price_minor", "currency")


@dataclass(frozen=True, slots=True)
class ProbeParty:
    """One of the two organizations, and its agent."""

    org_id: str
    agent_id: str

    @property
    def owner(self) -> Actor:
        return Actor(principal=PRINCIPAL, role=Role.OWNER, org_id=self.org_id)

    @property
    def agent(self) -> Actor:
        return Actor(principal=PRINCIPAL, role=Role.AGENT, org_id=self.org_id, agent_id=self.agent_id)


async def ensure(session: AsyncSession, *, now: datetime) -> tuple[ProbeParty, ProbeParty]:
    """Return the two organizations, created if needed, with the one credit.

    Their agents are private, so nobody else finds or hires them. The trait `probe` excludes their work from reputation,
    leaderboards and demand.
    """
    first, second = [await _party(session, name) for name in _NAMES]
    await credit_lot.grant(
        session,
        OPERATOR,
        org_id=first.org_id,
        amount_minor=ONE_CREDIT,
        source=GrantSource.PROMOTION,
        expires_at=None,
        note="What the probe pays, to and fro",
        command_id=probe_command_id("credit"),
        now=now,
    )
    return first, second


async def _party(session: AsyncSession, name: str) -> ProbeParty:
    made_by = OPERATOR.qualified()
    org, is_new = await organization.add(
        session,
        OPERATOR,
        Organization(
            id=new_id("org"), name=name, tier="free", created_by=made_by, command_id=probe_command_id(f"{name} org")
        ),
    )
    if is_new:
        await organization_trait.set_trait(session, org.id, TraitKind.PROBE, org.id, holds=True)
    agent, _ = await agents.add(
        session,
        Agent(
            id=new_id("agt"),
            org_id=org.id,
            name=name,
            visibility="private",
            pricing_model="free",
            terms={},
            created_by=made_by,
            command_id=probe_command_id(f"{name} agent"),
        ),
    )
    return ProbeParty(org.id, agent.id)


async def party_with_credit(
    session: AsyncSession, parties: Sequence[ProbeParty], *, now: datetime
) -> ProbeParty | None:
    """Return the party that has the credit; None if neither has."""
    ledger = Ledger(await driver_connection(session))
    available = await ledger.available([accounts.org_credits(party.org_id) for party in parties], now)
    return next((party for party, minor in zip(parties, available, strict=True) if minor >= ONE_CREDIT), None)


async def award(session: AsyncSession, payer: ProbeParty, payee: ProbeParty, run: str) -> Contract:
    """Return the contract of a run: one credit, no commission, released by the payer's signature."""
    contract = Contract(
        id=new_id("ctr"),
        org_id=payer.org_id,
        payee_org_id=payee.org_id,
        agent_id=payee.agent_id,
        title="Probe",
        price_minor=ONE_CREDIT,
        currency=CREDIT,
        validation_threshold_e4=None,
        signatories=[PRINCIPAL],
        signatory_org_ids=[],
        required_signatures=1,
        operator_approvals=False,
        fund_seconds=_HOUR,
        deliver_seconds=_HOUR,
        review_seconds=_HOUR,
        evidence_seconds=_DAY,
        decision_seconds=_DAY,
        grace_seconds=_HOUR,
        dispute_default_share_e4=5_000,
        commission_bps=0,
        commission_from="operator",
        milestones=[],
        outside_listing=[],
        created_by=payer.owner.qualified(),
        command_id=probe_command_id(f"{run} award"),
    )
    row, _ = await contracts.add(session, contract, _ASKED)
    return row


async def escrow_terms(session: AsyncSession, contract_id: str) -> Terms:
    """Return the terms of the escrow of a contract of the probe."""
    return Terms(**contracts.terms_of(await contracts.get(session, contract_id)), names_shown=False)


async def convert(session: AsyncSession, party: ProbeParty, key: str, *, now: datetime) -> int:
    """Convert what the party's agent has earned, once for the key; returns how many kinds of earnings it had."""
    count = 0
    for kind in (EarningsKind.GRANTED, EarningsKind.PAID):
        account = account_of(kind, party.agent_id, party.org_id)
        days = renew_days_of(kind, RENEW_DAYS)
        if not await earnings_read.convertible(session, account, days=days, at=now, sold_until=now):
            continue
        await earnings.convert(
            session,
            party.owner,
            org_id=party.org_id,
            agent_id=party.agent_id,
            kind=kind,
            amount_minor=None,
            renew_days=RENEW_DAYS,
            # The probe does not sell agents and has no payments, so nothing has to be held back.
            hold_back=HoldBack(usual=timedelta(0), floor=timedelta(0)),
            command_id=probe_command_id(f"{key} {party.org_id} {kind.value}"),
            now=now,
        )
        count += 1
    return count


async def report(session: AsyncSession, run: str, step: str | None, why: str | None) -> bool:
    """Raise the alert about a failed step, unless one is firing; resolve firing ones if none failed.

    The alert is for the platform, not for an organization.
    """
    if step is None:
        await alert.close_cases(session, PRINCIPAL, (PROBE_FAILED,))
        return False
    wanted = ListFilter(equal={"kind": PROBE_FAILED, "subject": PRINCIPAL}, limit=100)
    known = (await alert.page(session, wanted, open_only=False)).rows
    if any(one.resolved_at is None and one.window is not None and one.window.startswith(f"{step}:") for one in known):
        return False
    return await raise_built_in(
        session,
        PROBE_FAILED,
        subject=PRINCIPAL,
        detail=f"The probe failed at the step {step}: {why}",
        window=f"{step}:{run}",
        org_id=None,
    )
