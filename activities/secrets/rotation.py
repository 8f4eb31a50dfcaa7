"""Steps of the rotation of secrets. Values are read and made here; none leaves an activity, not even in an error."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import structlog
from temporalio import activity

from activities.common.seals import Seals
from contracts.escrow.escrow import Declined
from contracts.secrets.rotation import (
    CommandRotation,
    FailRotationStep,
    NextRotationStep,
    ReadRotation,
    RotationCommandResult,
    RotationStepResult,
    TakeRotationStep,
)
from domain.common.agenda import Wait
from domain.common.errors import DomainError, Unavailable
from domain.secrets import rotation as rules
from domain.secrets.access import AccessVerb
from domain.secrets.rotation import Rotation, RotationAction, RotationFailed, RotatorName, TargetRefused
from domain.secrets.secret import SecretKind
from models.secrets.secret import Secret
from providers.secrets.base import ValueLocation
from providers.secrets.registry import SecretBackends
from providers.secrets.rotators.base import RotationJob, Rotator
from repositories.secrets import rotation as rotations, secret as rows
from runtime.database import Database
from runtime.heartbeat import heartbeats
from services.secrets import rotation as service, secret as store

log = structlog.get_logger("bursar.secrets")

Due = tuple[RotationAction, int]


@dataclass(frozen=True, slots=True)
class _DueStep:
    """A secret, where its rotation stands, and the step that is due."""

    secret: Secret
    held: Rotation
    due: Due
    now: datetime


class RotationActivities:
    """The activities of `RotationWorkflow`."""

    def __init__(
        self,
        database: Database,
        secrets: SecretBackends,
        rotators: Mapping[RotatorName, Rotator],
        *,
        sealed_signals: bool = False,
        at_once: int = rules.MAX_CONCURRENT_STEPS,
    ) -> None:
        """Take the database, as the platform, what keeps values, and what replaces them at their targets.

        Args:
            database: of the platform.
            secrets: what keeps values.
            rotators: what replaces values at their targets.
            sealed_signals: whether operators' commands must be sealed.
            at_once: how many steps of one organization wait for targets in this process at once.
        """
        self._database = database
        self._secrets = secrets
        self._rotators = rotators
        self._seals = Seals("secret", required=sealed_signals)
        self._at_once = at_once
        self._under_way: Counter[str] = Counter()
        self._steps: Mapping[RotationAction, Callable[[_DueStep], Awaitable[None]]] = {
            RotationAction.ASK: self._ask,
            RotationAction.CREATE: self._create,
            RotationAction.APPLY: self._apply,
            RotationAction.TEST: self._test,
            RotationAction.PROMOTE: self._promote,
            RotationAction.REVOKE: self._end_version,
            RotationAction.ROLL_BACK: self._end_version,
            RotationAction.REPORT: self._report,
        }

    @activity.defn(name="look_at_rotation")
    async def look(self, message: ReadRotation) -> NextRotationStep:
        """Read where a rotation stands.

        Effect: none.
        Idempotent by: changing nothing.
        """
        found = await self._find(message.secret_id)
        if found is None:
            return NextRotationStep(ended=True)
        secret, held = found
        item = rules.agenda(held, message.now)
        seen = NextRotationStep(status=held.status.value, number=held.number, details=rules.details(secret.path, held))
        if isinstance(item, Wait):
            return seen.model_copy(update={"until": item.until, "why": item.why})
        return seen.model_copy(update={"step": item, "at_target": rules.waits_for_target(held, item)})

    @activity.defn(name="take_rotation_step")
    async def take(self, message: TakeRotationStep) -> RotationStepResult:
        """Take one step, if it is still due, and if it is its turn among those of its organization.

        Effect: what the step says at the target; then, in one transaction, what it says in the books. A final refusal
        is written as the step's failure. A refusal of the target is a result, because it may take the step later.
        Idempotent by: the status of the rotation and the number of the version; before that is written, the step is
        taken again with the same value.
        Fails with: an outage of the target, the store or the database, which is retried.
        """
        found = await self._find(message.secret_id)
        due = (message.step, message.number)
        if found is None or not service.is_due(found[1], due, message.now):
            return RotationStepResult()
        at = _DueStep(*found, due, message.now)
        async with self._turn(at) as has_turn:
            if not has_turn:
                return RotationStepResult(waits=True, tried=activity.info().attempt > 1)
            return await self._take(at)

    async def _take(self, at: _DueStep) -> RotationStepResult:
        step = at.due[0]
        try:
            await self._steps[step](at)
        except TargetRefused as refusal:
            return RotationStepResult(refused=refusal.detail)
        except DomainError as refusal:
            if refusal.retryable:
                raise
            async with self._database.platform() as session:
                await service.fail(session, at.secret.id, at.due, refusal.detail, at.now, over_at=at.now)
        except Exception as error:
            # Its text may repeat what was sent, and would be kept in the history.
            log.error("rotation.step_failed", step=step.value, error=type(error).__name__)
            raise Unavailable(f"The step {step.value} met {type(error).__name__}.") from None
        return RotationStepResult()

    @asynccontextmanager
    async def _turn(self, at: _DueStep) -> AsyncIterator[bool]:
        """Count a step that waits for its target, unless its organization has enough of them under way here."""
        org_id = at.secret.org_id
        if not rules.waits_for_target(at.held, at.due[0]):
            yield True
        elif self._under_way[org_id] >= self._at_once:
            yield False
        else:
            self._under_way[org_id] += 1
            try:
                async with heartbeats():
                    yield True
            finally:
                self._under_way[org_id] -= 1
                if not self._under_way[org_id]:
                    del self._under_way[org_id]

    @activity.defn(name="fail_rotation_step")
    async def fail(self, message: FailRotationStep) -> None:
        """Give up a step that had no success in time.

        Effect: the rotation goes back, or tries again later; an alert.
        Idempotent by: the status of the rotation and the number of the version.
        """
        async with self._database.platform() as session:
            due = (message.step, message.number)
            await service.fail(session, message.secret_id, due, message.detail, message.now, over_at=message.over_at)

    @activity.defn(name="command_rotation")
    async def command(self, message: CommandRotation) -> RotationCommandResult:
        """Do what an operator orders.

        Effect: `rotate` begins the next rotation at once; `give_up` destroys the version of what failed, and the next
        step ends it.
        Idempotent by: the status of the rotation.
        Fails with: nothing that is final; a refusal is a result.
        """
        declined = self._seals.declined(message.actor)
        if declined is not None:
            return RotationCommandResult(declined=declined)
        try:
            async with self._database.platform() as session:
                if message.command == "rotate":
                    await service.start_now(session, message.actor, message.secret_id, grace=None, now=message.now)
                else:
                    await service.give_up(session, message.actor, message.secret_id, message.now)
        except DomainError as refusal:
            if refusal.retryable:
                raise
            return RotationCommandResult(declined=Declined.of(refusal))
        return RotationCommandResult()

    # The steps --------------------------------------------------------------------------------------------------------

    async def _ask(self, at: _DueStep) -> None:
        async with self._database.platform() as session:
            await service.ask(session, at.secret.id, at.due, at.now)

    async def _report(self, at: _DueStep) -> None:
        async with self._database.platform() as session:
            await service.report(session, at.secret.id, at.due, at.now)

    async def _promote(self, at: _DueStep) -> None:
        async with self._database.platform() as session:
            await service.promote(session, at.secret.id, at.due, at.now)

    async def _create(self, at: _DueStep) -> None:
        secret, replaced = at.secret, at.secret.current_version
        if replaced is None:
            raise RotationFailed("The secret has no value that could be replaced. Put one.")
        value = await self._rotator(at).make(self._job(at), await self._open(at, replaced))
        wanted = store.SecretChange(org_id=secret.org_id, path=secret.path, kind=SecretKind(secret.kind))
        async with self._database.platform() as session:
            # A number that is not kept is not given again: a try that is killed here leaves a gap.
            command_id = f"rotation:{secret.id}:{secret.last_number + 1}"
            _, number = await store.reserve(
                session, service.ACTOR, wanted, backend=secret.backend, command_id=command_id, now=at.now
            )
        if number is None:
            raise Unavailable("The secret was changed at this moment.")
        place = ValueLocation(secret.org_id, secret.path, number)
        stored = await self._secrets.backend(secret.backend).store(place, value)
        async with self._database.platform() as session:
            await service.create(session, secret.id, at.due, number, replaced, stored, at.now)

    async def _apply(self, at: _DueStep) -> None:
        service.check_unchanged(at.secret, at.held.replaced)
        current, new = await self._open(at, at.held.replaced), await self._open(at, at.held.number)
        await self._rotator(at).apply(self._job(at), current, new)
        await self._record(at, rules.applied)

    async def _test(self, at: _DueStep) -> None:
        service.check_unchanged(at.secret, at.held.replaced)
        await self._rotator(at).test(self._job(at), await self._open(at, at.held.number))
        await self._record(at, rules.tested)

    async def _end_version(self, at: _DueStep) -> None:
        """Revoke the version before, or put back what was begun; then destroy that version."""
        held, revoking = at.held, at.due[0] is RotationAction.REVOKE
        number, other = (held.replaced, held.number) if revoking else (held.number, held.replaced)
        async with self._database.platform() as session:
            version = await rows.version(session, at.secret.id, number)
        # Destroyed in the books, it was ended at the target by an attempt before, or by a person.
        if version is not None and version.destroyed_at is None:
            await self._end_at_target(at, number, at.secret.current_version or other)
        async with self._database.platform() as session:
            place = await store.destroy(session, service.ACTOR, at.secret.id, number, now=at.now)
        # Before the step counts as taken, or an outage here would leave the value in the backend.
        await self._secrets.backend(at.secret.backend).destroy(place)
        async with self._database.platform() as session:
            await service.end_version(session, at.secret.id, at.due, at.now)

    async def _end_at_target(self, at: _DueStep, number: int, used: int) -> None:
        rotator = self._rotator(at)
        current, ended = await self._open(at, used), await self._open(at, number)
        # Somebody may have stored a value meanwhile that opens the same, such as the login of the same role.
        if rotator.subject(current) != rotator.subject(ended):
            act = rotator.revoke if at.due[0] is RotationAction.REVOKE else rotator.put_back
            await act(self._job(at), current, ended)

    # ------------------------------------------------------------------------------------------------------------------

    async def _find(self, secret_id: str) -> tuple[Secret, Rotation] | None:
        async with self._database.platform() as session:
            return await rotations.secret_and_rotation(session, secret_id)

    async def _record(self, at: _DueStep, decide: Callable[[Rotation], Rotation]) -> None:
        async with self._database.platform() as session:
            await service.record(session, at.secret.id, at.due, lambda _, held: decide(held), at.now)

    def _rotator(self, at: _DueStep) -> Rotator:
        return self._rotators[at.held.plan.rotator]

    def _job(self, at: _DueStep) -> RotationJob:
        secret = at.secret

        async def read(path: str, host: str) -> bytes:
            async with self._database.platform() as session:
                other = await rows.at_path(session, secret.org_id, path)
                # Whoever plans a rotation chooses the host, and must not get the value of another secret by it.
                if host not in other.hosts:
                    raise RotationFailed(f"The secret {path} may not be sent to {host}. Add it to its hosts.")
                opened = await store.open(session, self._opening(at, path, None, host), now=at.now)
            return await opened.value(self._secrets)

        return RotationJob(
            org_id=secret.org_id,
            secret_id=secret.id,
            path=secret.path,
            kind=secret.kind,
            hosts=tuple(secret.hosts),
            number=at.held.number,
            target=at.held.plan.target,
            read=read,
        )

    async def _open(self, at: _DueStep, version: int | None) -> bytes:
        async with self._database.platform() as session:
            opened = await store.open(session, self._opening(at, at.secret.path, version), now=at.now)
        return await opened.value(self._secrets)

    def _opening(self, at: _DueStep, path: str, version: int | None, host: str | None = None) -> store.OpenRequest:
        return store.OpenRequest(
            org_id=at.secret.org_id,
            path=path,
            verb=AccessVerb.ROTATE,
            principal=service.ACTOR.principal,
            version=version,
            host=host,
            purpose=f"rotation of {at.secret.path}: {at.due[0].value}",
            reference=at.secret.id,
        )
