"""An organization that spends credits under limits, and the sweeps that raise alerts about it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from activities.credits.spend_alerts import SpendAlertActivities
from contracts.common.batch import BatchStep
from domain.common.access import Actor, Role
from domain.common.credits import GrantSource
from domain.common.ids import uuid_id, uuid_of
from domain.credits.spend.control import Limit, LimitTerms, NewControl, SubjectKind
from ledger.controls import Controls
from ledger.spending import Spending
from ledger.spends import NewSpend, Spender, SpendOutcome
from models.messages.alert import Alert
from models.messages.mail import QueuedMail
from models.tenants.organization import Organization
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.credits import credit_lot

CREDIT = 10**6
NOW = datetime.now(UTC)


class World:
    """One organization with credits, a limit on a run, and the sweep."""

    def __init__(self, database: Database) -> None:
        self.database, self.org, self.run = database, new_id("org"), new_id("run")
        self.sweep = SpendAlertActivities(database)

    async def begin(self, credits: int = 1_000_000) -> "World":
        async with self.database.platform() as session:
            session.add(Organization(id=self.org, name="x", created_by="x", command_id=self.org))
            await session.flush()
        await self.give(credits)
        return self

    async def give(self, credits: int) -> None:
        async with self.database.platform() as session:
            await credit_lot.grant(
                session,
                Actor(principal="root", role=Role.OPERATOR),
                org_id=self.org,
                amount_minor=credits * CREDIT,
                source=GrantSource.REWARD,
                expires_at=None,
                note=None,
                command_id=new_id("cmd"),
                now=NOW,
            )

    async def freeze(self, kind: SubjectKind = SubjectKind.ORGANIZATION, subject_id: str | None = None) -> None:
        """Open a control of the organization, or of a part of it, without limits, and freeze it."""
        new = NewControl(subject_kind=kind, subject_id=subject_id or self.org, asset="CREDIT")
        await self.change(await self._open(new, LimitTerms(limits=())), {"status": "frozen"})

    async def limit(
        self,
        *limits: Limit,
        asset: str = "CREDIT",
        kind: SubjectKind = SubjectKind.RUN,
        subject_id: str | None = None,
        **more: Any,
    ) -> str:
        new = NewControl(subject_kind=kind, subject_id=subject_id or self.run, asset=asset)
        return await self._open(new, LimitTerms(limits=limits, **more))

    async def _open(self, new: NewControl, allowance: LimitTerms) -> str:
        wanted = {**new.columns(), **allowance.columns()}
        async with self.database.platform() as session:
            written = await Controls(await driver_connection(session)).write(
                org_id=self.org,
                control_id=None,
                expected_version=None,
                wanted=wanted,
                by="owner",
                reason=None,
                command_id=new_id("cmd"),
                at=NOW,
            )
        return uuid_id("ctl", written.control_id)

    async def change(self, control: str, wanted: dict[str, Any]) -> None:
        async with self.database.platform() as session:
            await Controls(await driver_connection(session)).write(
                org_id=self.org,
                control_id=uuid_of(control),
                expected_version=None,
                wanted={**wanted, "parent_id": None},
                by="owner",
                reason=None,
                command_id=new_id("cmd"),
                at=NOW,
            )

    async def spend(self, credits: int, at: datetime = NOW) -> SpendOutcome:
        spend = NewSpend(
            key=new_id("key"), action="test", amount_minor=credits * CREDIT, spender=Spender(run_id=self.run)
        )
        async with self.database.platform() as session:
            return (await Spending(await driver_connection(session), self.org).charge(spend, at=at)).outcome

    async def raised(self, now: datetime = NOW) -> Sequence[tuple[str, str]]:
        """Sweep twice, and return the kinds and subjects of the organization's alerts, the oldest first."""
        for _ in range(2):
            await self.sweep.raise_spend_alerts(BatchStep(now=now))
        return [(it.kind, it.subject) for it in await self.rows()]

    async def mails(self) -> list[dict[str, str]]:
        async with self.database.platform() as session:
            queued = select(QueuedMail.data).where(QueuedMail.org_id == self.org, QueuedMail.kind == "spend_limit_near")
            return list(await session.scalars(queued))

    async def rows(self) -> Sequence[Alert]:
        async with self.database.tenant(self.org) as session:
            return (await session.scalars(select(Alert).order_by(Alert.id))).all()
