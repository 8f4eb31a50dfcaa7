"""Decisions against fraud, in the transaction of the act.

`decide` comes first in the act's transaction: its counters wait for those of concurrent acts of the same entities, and
nothing that waits for it may hold what the act waits for. So what follows from an act, such as a decline, is counted by
the reader of events (`services.risk.outcomes`), never in the transaction of a payment or escrow.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import Invalid, RiskBlocked, RiskBusy, RiskInReview
from domain.risk.act import LINKING, EntityKind, Outcome, Point, RiskAct, StoredDecision
from domain.risk.case import CaseResult
from domain.risk.facts import COUNTED, COUNTED_KINDS, Counter, Facts
from domain.risk.rule import UNAVAILABLE, Compile, Compiled, Decision, Rule, compiled, decide as decide_by_rules
from domain.risk.score import Model, Score, evaluate, model_of, stored
from domain.risk.settings import RiskSettings
from repositories.messages import alert
from repositories.risk import decision as decisions, model as models, rule as rules
from runtime.database import driver_connection
from runtime.identity import new_id
from services.risk import case as cases

log = structlog.get_logger("bursar.risk")

#: Acts of these outcomes do not take place now.
STOPPING = frozenset({Outcome.REVIEW, Outcome.BLOCK})


class Risk:
    """Decides acts by lists, rules and the champion model, which it keeps compiled.

    The challenger's score is stored with the decision and has no effect.
    """

    def __init__(self, settings: RiskSettings, compiler: Compile) -> None:
        """Compile rules with `compiler` when they are first needed, and after each change."""
        self.settings = settings
        self._compiler = compiler
        self._rules: tuple[Compiled, ...] = ()
        self._number = -1
        #: The champion and the challenger, of which the rules see the first.
        self._models: tuple[Model | None, Model | None] = (None, None)
        self._versions = (0, 0)

    async def require(self, session: AsyncSession, act: RiskAct, now: datetime) -> StoredDecision:
        """Decide an act and raise if it may not take place now.

        The refusal is committed with the decision (`DomainError.commits`), so call this first in the transaction.

        Raises:
            RiskBlocked: the act is blocked; `decision_id` names the decision.
            RiskInReview: a case holds the act; the request can be repeated after its release.
        """
        verdict = await self.decide(session, act, now)
        if self.settings.enforced:
            refuse(verdict)
        return verdict

    async def decide(self, session: AsyncSession, act: RiskAct, now: datetime) -> StoredDecision:
        """Decide an act, store the decision, and open a case for a review; a repeated command gets its first decision.

        An act whose case was decided is allowed or blocked by the result.
        """
        connection = await driver_connection(session)
        known = await decisions.of_command(connection, act)
        if known is not None:
            return _with_result(known)
        if act.actor.org_id is None and act.point not in _OF_PLATFORM:
            # Operators' acts have permissions and approvals of their own.
            return StoredDecision(decision_id="", outcome=Outcome.ALLOW, at=now)
        await self._refresh(session, connection)
        entities, value_minor = act.entities(self.settings.key), self.value_of(act)
        seen, scores, decision = await self._judge(session, connection, act, entities, now)
        verdict = StoredDecision(decision_id=new_id("rsd"), outcome=decision.outcome, at=now, rule=decision.rule)
        if self.settings.enforced and decision.outcome in {Outcome.REVIEW, Outcome.HOLD_BACK}:
            verdict = replace(verdict, case_id=await cases.open_for(session, act, verdict, value_minor))
        is_stored = await decisions.store(
            connection,
            act,
            verdict,
            version=decision.version,
            shadow=decision.shadow,
            facts=seen,
            entities=sorted(entities.values()),
            value_minor=value_minor,
            score=stored(*scores),
        )
        if not is_stored:
            known = await decisions.of_command(connection, act)
            assert known is not None
            return _with_result(known)
        return verdict

    def value_of(self, act: RiskAct) -> int:
        """Return an act's amount in minor units of its currency; credits count at their price."""
        return self.settings.value_minor(act.amount_minor, act.currency)

    async def _judge(
        self,
        session: AsyncSession,
        connection: asyncpg.Connection,
        act: RiskAct,
        entities: Mapping[EntityKind, str],
        now: datetime,
    ) -> tuple[Facts, tuple[Score | None, Score | None], Decision]:
        """Count the act, gather its facts and decide; by its amount alone if that takes too long."""
        within = self.settings.within
        try:
            async with (
                decisions.savepoint(connection, lock_timeout=self.settings.lock_wait or within * 2 / 3),
                asyncio.timeout(within.total_seconds()),
            ):
                seen = await self._see(connection, act, entities, now)
                listed = await decisions.listed(connection, sorted(entities.values()), now)
                champion, challenger = (None if each is None else evaluate(each, seen) for each in self._models)
                if champion is not None:
                    seen["model_score"] = champion.score_e4
                decision = decide_by_rules(self._rules, act.point, seen, listed)
            return seen, (champion, challenger), decision
        except asyncpg.LockNotAvailableError:
            # Acts at once must not let each other pass undecided.
            if self.settings.enforced:
                raise RiskBusy(
                    "Other acts of this organization, address or device are being decided. Repeat the request."
                ) from None
            return (
                {"point": act.point.value},
                (None, None),
                Decision(outcome=Outcome.ALLOW, rule=UNAVAILABLE, shadow={}),
            )
        except TimeoutError as error:
            log.warning("risk.unavailable", point=act.point.value, error=f"{type(error).__name__}: {error}"[:300])
            above = act.amount_minor > self.settings.review_above.minor(act.currency)
            await alert.raise_alert(
                session,
                kind="risk.unavailable",
                subject=act.point.value,
                detail=f"Decisions on {act.point.value} took longer than allowed. Acts above the amount of "
                "BURSAR_RISK_REVIEW_ABOVE are reviewed, others are allowed. Check the load of the database.",
                window=f"{now:%Y-%m-%d %H}",
            )
            outcome = Outcome.REVIEW if above else Outcome.ALLOW
            return {"point": act.point.value}, (None, None), Decision(outcome=outcome, rule=UNAVAILABLE, shadow={})

    async def _see(
        self, connection: asyncpg.Connection, act: RiskAct, entities: Mapping[EntityKind, str], now: datetime
    ) -> dict[str, int | str]:
        counted, value_minor = counted_entities(entities), self.value_of(act)
        await decisions.count(connection, counted, counts_of(act.point, value_minor), now)
        if act.org_id is not None:
            linking = [each for kind, each in entities.items() if kind in LINKING]
            await decisions.link(connection, linking, act.org_id, now)
        found: dict[str, int | str] = dict(await decisions.facts(connection, act, entities, counted, now))
        texts = {
            "point": act.point.value,
            "currency": act.currency,
            "provider": act.provider,
            "role": act.actor.role.value,
        }
        return {
            **found,
            **{name: text for name, text in texts.items() if text},
            "amount": value_minor,
            **act.facts,
        }

    async def _refresh(self, session: AsyncSession, connection: asyncpg.Connection) -> None:
        """Compile the rules and load the models again after a change, which costs one statement otherwise."""
        number, versions = await models.versions(connection)
        if number != self._number:
            self._rules = tuple(self._compiled(rule) for rule in (await rules.current(session)).values())
            self._number = number
        if versions != self._versions:
            champion, challenger = [
                model_of(version, await models.document(connection, version)) if version else None
                for version in versions
            ]
            self._models, self._versions = (champion, challenger), versions

    def _compiled(self, rule: Rule) -> Compiled:
        """Compile a rule. One whose facts no longer exist matches nothing, so that it does not stop every act."""
        try:
            return compiled(rule, self._compiler)
        except Invalid as refusal:
            log.error("risk.rule_invalid", rule=rule.name, error=refusal.detail)
            return Compiled(rule, frozenset(), lambda _: None)


_OF_PLATFORM = frozenset({Point.SIGNUP, Point.LOGIN, Point.LOGIN_FAILED})


def counted_entities(entities: Mapping[EntityKind, str]) -> list[str]:
    """Return the entities with counters, in the order of their rows."""
    left_out = {EntityKind.PRINCIPAL} if EntityKind.KEY in entities else set[EntityKind]()
    return sorted(entities[kind] for kind in COUNTED_KINDS if kind in entities and kind not in left_out)


def counts_of(point: Point, value_minor: int) -> dict[Counter, int]:
    """Return what an act counts."""
    acts, values = COUNTED.get(point, ((), ()))
    return {**dict.fromkeys(acts, 1), **(dict.fromkeys(values, value_minor) if value_minor else {})}


def refuse(verdict: StoredDecision) -> None:
    """Raise if an act may not take place now."""
    if verdict.outcome is Outcome.BLOCK:
        raise RiskBlocked(
            "A check against fraud stopped this. If that is a mistake, appeal with the id of the decision.",
            extra={"decision_id": verdict.decision_id},
        )
    if verdict.outcome is Outcome.REVIEW:
        raise RiskInReview(
            "This is being reviewed. Repeat the request with the same Idempotency-Key once the case is decided.",
            extra={"decision_id": verdict.decision_id, "case_id": verdict.case_id},
        )


def _with_result(known: decisions.Known) -> StoredDecision:
    """Return the decision of a command, as its case decided."""
    match known.result:
        case CaseResult.RELEASE:
            return replace(known.verdict, outcome=Outcome.ALLOW)
        case CaseResult.REFUSE:
            return replace(known.verdict, outcome=Outcome.BLOCK)
    return known.verdict
