"""Buys credits for organizations whose balance fell below their threshold: one payment for each fall.

Every web process looks every few seconds. A fall is noted in one transaction, which locks the organization's row, and
the payment is named by it; so however many processes work on it, and whenever one of them dies, there is one payment.
It is an ordinary one with a workflow of its own. A decline switches the whole thing off, because a second try is for a
person to decide.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from api.deps import Deps
from api.v1.auto_topups.terms import make_terms, month_of, terms_for
from api.v1.payments import commands
from api.v1.topups.methods import default_method
from domain.access import Actor, Role
from domain.errors import DomainError
from domain.ids import auto_topup_command_id
from domain.money import CREDIT, format_amount
from domain.payment.state import Payment, PaymentStatus
from domain.payment.terms import PaymentTerms
from models.auto_topup import AutoTopUpCrossing
from repositories import alert
from repositories import auto_topup as auto_topups

log = structlog.get_logger("bursar.api")

EVERY_SECONDS = 5.0
#: The most falls that one round takes up.
PAGE = 100
#: Who the payments are made by.
PRINCIPAL = "auto-topup"
_DONE = frozenset(
    {
        *(PaymentStatus.SUCCEEDED, PaymentStatus.PARTIALLY_REFUNDED, PaymentStatus.REFUNDED),
        *(PaymentStatus.DISPUTED, PaymentStatus.CHARGED_BACK),
    }
)


@dataclass(frozen=True, slots=True)
class Intent:
    """The command of a payment that nobody sent."""

    command_id: str
    request_hash: bytes


class AutoTopUps:
    """Looks for falls and makes their payments; `start` begins, `close` ends."""

    def __init__(self, deps: Deps) -> None:
        """Take the parts of the app."""
        self._deps = deps
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin the background work."""
        self._task = asyncio.create_task(self._forever())

    async def close(self) -> None:
        """End the background work; what is open goes on elsewhere, or after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def run_once(self, now: datetime | None = None) -> int:
        """Note falls, and go on with every payment that is not answered; returns how many falls were open."""
        await self._note_falls(now or datetime.now(UTC))
        async with self._deps.database.platform() as session:
            crossings = await auto_topups.open_crossings(session, limit=PAGE)
        for crossing in crossings:
            try:
                await self._pay(crossing)
            except DomainError as error:
                # The provider or a part of ours does not answer: the next round asks again for the same payment.
                log.warning("auto_topup.not_answered", org_id=crossing.org_id, error=error.detail[:300])
        return len(crossings)

    async def _note_falls(self, now: datetime) -> None:
        async with self._deps.database.platform() as session:
            await auto_topups.rearm(session)
            for wanted, available_minor in await auto_topups.fallen(session, limit=PAGE):
                bought = await auto_topups.bought_since(session, wanted.org_id, month_of(now))
                if bought + wanted.credits_minor <= wanted.monthly_cap_minor:
                    await auto_topups.cross(session, wanted, available_minor=available_minor, at=now)
                    continue
                wanted.armed = False
                cap = format_amount(wanted.monthly_cap_minor, CREDIT)
                await alert.raise_alert(
                    session,
                    kind="credits.auto_topup_cap",
                    subject=wanted.org_id,
                    detail=f"The balance is low, and another top-up would pass the monthly cap of {cap} credits.",
                    org_id=wanted.org_id,
                    key=f"credits.auto_topup_cap:{wanted.org_id}:{month_of(now):%Y-%m}",
                    shared=True,
                )

    async def _pay(self, crossing: AutoTopUpCrossing) -> None:
        actor = Actor(principal=PRINCIPAL, role=Role.OWNER, org_id=crossing.org_id)
        named = auto_topup_command_id(crossing.org_id, crossing.number)
        intent = Intent(named, hashlib.sha256(named.encode()).digest())

        async def wanted() -> PaymentTerms:
            method = crossing.payment_method or await default_method(self._deps, actor)
            return await make_terms(terms_for(self._deps, crossing.org_id, method), crossing.credits_minor)

        temporal = self._deps.temporal
        if temporal is None:
            return
        try:
            payment = await commands.create(self._deps, temporal, actor, intent, wanted)
        except DomainError as refusal:
            if refusal.retryable or refusal.status >= 500:
                raise
            payment_id = refusal.extra.get("payment_id")
            await self._decline(crossing, None if payment_id is None else str(payment_id), refusal.detail)
            return
        await self._settle(crossing, payment)

    async def _settle(self, crossing: AutoTopUpCrossing, payment: Payment) -> None:
        payment_id = payment.terms.payment_id
        if payment.status in _DONE:
            async with self._deps.database.platform() as session:
                await auto_topups.settle(session, crossing, payment_id=payment_id, outcome=auto_topups.SUCCEEDED)
                # At once, or a fall before the next round would not count.
                await auto_topups.rearm(session)
        elif payment.status in {PaymentStatus.FAILED, PaymentStatus.CANCELLED, PaymentStatus.EXPIRED}:
            await self._decline(crossing, payment_id, f"The payment ended as {payment.status.value}.")

    async def _decline(self, crossing: AutoTopUpCrossing, payment_id: str | None, why: str) -> None:
        async with self._deps.database.platform() as session:
            if not await auto_topups.settle(session, crossing, payment_id=payment_id, outcome=auto_topups.DECLINED):
                return
            await auto_topups.switch_off(session, crossing.org_id, why)
            await alert.raise_alert(
                session,
                kind="credits.auto_topup_off",
                subject=crossing.org_id,
                detail=f"The automatic top-up was declined and is switched off: {why}",
                org_id=crossing.org_id,
                key=f"credits.auto_topup_off:{crossing.org_id}:{crossing.number}",
                shared=True,
            )

    async def _forever(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.run_once()
            except Exception as exc:
                log.warning("auto_topup.failed", error=f"{type(exc).__name__}: {exc}"[:300])
