"""Secrets that are rotated at a server of the test's own, on real books, by a worker that can be killed anywhere."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from temporalio.testing import ActivityEnvironment

from activities.secrets.rotation import RotationActivities
from contracts.secrets.rotation import (
    FailRotationStep,
    NextRotationStep,
    ReadRotation,
    RotationStepResult,
    TakeRotationStep,
)
from domain.secrets.access import AccessVerb
from domain.secrets.rotation import Rotation, RotationStatus, RotatorName
from models.messages.alert import Alert
from models.secrets.secret import Secret, SecretVersion
from providers.judged import Receivers
from providers.secrets.base import Stored, ValueLocation
from providers.secrets.registry import SecretBackends
from providers.secrets.rotators.base import ManualRotator, RotationJob, Rotator
from providers.secrets.rotators.http import HttpRotator
from repositories.secrets import rotation as rotations, secret as rows
from runtime.database import Database
from services.secrets import rotation_plan
from tests.support.receivers import Receiver, answers
from tests.support.secrets import NOW, Vaulted

FIRST = b"first-value"
DAY = timedelta(days=1)
#: Every thirty days with a grace of one, overdue after two.
SCHEDULE = {"every_seconds": 2_592_000, "grace_seconds": 86_400, "deadline_seconds": 172_800}


class Killed(BaseException):
    """The worker has died."""


@dataclass
class Target:
    """A server with several keys, or with one; a bearer of a key sets the next, checks it and deletes it."""

    one_only: bool = False
    keys: set[str] = field(default_factory=lambda: {FIRST.decode()})
    #: The status of every check of another value than the first, if not that of the key.
    check: int | None = None
    #: How often each other value is refused before it works.
    late: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    #: Holds every answer back until it is set.
    answering: asyncio.Event | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def reply(self, request: Any, writer: Any) -> None:
        if self.answering is not None:
            self.asked.set()
            await self.answering.wait()
        bearer = request.headers["authorization"].removeprefix("Bearer ")
        status = 204 if bearer in self.keys else 401
        if bearer != FIRST.decode() and self.refusals[bearer] < self.late:
            self.refusals[bearer] += 1
            status = 401
        given = json.loads(request.body)["key"] if request.body else ""
        if request.line.startswith("GET") and self.check is not None and bearer != FIRST.decode():
            status = self.check
        elif status == 204 and request.line.startswith("PUT"):
            self.keys = {given} if self.one_only else self.keys | {given}
        elif request.line.startswith("DELETE") and status == 204:
            self.keys -= {given}
        await answers(status)(request, writer)

    def document(self, receiver: Receiver, **more: Any) -> dict[str, Any]:
        """Return the rotation of a secret at this server, every thirty days with a grace of one."""
        of_new, of_current = {"authorization": "Bearer {{new}}"}, {"authorization": "Bearer {{current}}"}
        new, current = {"key": "{{new}}"}, {"key": "{{current}}"}
        url = receiver.url
        steps: dict[str, Any] = {
            "apply": {"method": "PUT", "url": url, "headers": of_current, "body": new},
            "test": {"method": "GET", "url": url, "headers": of_new},
            "put_back": {"method": "DELETE", "url": url, "headers": of_current, "body": new},
            "revoke": {"method": "DELETE", "url": url, "headers": of_new, "body": current},
        }
        if self.one_only:
            del steps["revoke"]
            steps["put_back"] = {"method": "PUT", "url": url, "headers": of_new, "body": current}
        return {
            "rotator": "http",
            "every_seconds": 2_592_000,
            "grace_seconds": 86_400,
            "deadline_seconds": 172_800,
            "http": steps,
            **more,
        }


@dataclass
class Dying:
    """Stands before a rotator and a backend, and dies once at a place that is named."""

    rotator: Rotator
    backend: Any
    at: str | None = None
    places: list[str] = field(default_factory=list)
    name = "postgres"

    def _pass(self, place: str) -> None:
        self.places.append(place)
        if place == self.at:
            self.at = None
            raise Killed(place)

    async def _around(self, name: str, act: Callable[..., Any], *given: Any) -> Any:
        self._pass(f"before {name}")
        done = await act(*given)
        self._pass(f"after {name}")
        return done

    async def make(self, job: RotationJob, current: bytes) -> Any:
        return await self._around("make", self.rotator.make, job, current)

    async def apply(self, job: RotationJob, current: bytes, new: bytes) -> None:
        await self._around("apply", self.rotator.apply, job, current, new)

    async def test(self, job: RotationJob, new: bytes) -> None:
        await self._around("test", self.rotator.test, job, new)

    async def put_back(self, job: RotationJob, current: bytes, new: bytes) -> None:
        await self._around("put_back", self.rotator.put_back, job, current, new)

    async def revoke(self, job: RotationJob, current: bytes, old: bytes) -> None:
        await self._around("revoke", self.rotator.revoke, job, current, old)

    def subject(self, value: bytes) -> Any:
        return self.rotator.subject(value)

    async def store(self, place: ValueLocation, value: bytes) -> Stored:
        done: Stored = await self._around("store", self.backend.store, place, value)
        return done

    async def read(self, place: ValueLocation, stored: Stored) -> bytes:
        value: bytes = await self.backend.read(place, stored)
        return value

    async def destroy(self, place: ValueLocation) -> None:
        await self._around("destroy", self.backend.destroy, place)


@dataclass
class Rotated:
    """One secret with a schedule, and the activities of its run."""

    vaulted: Vaulted
    secret: Secret
    dying: Dying
    work: RotationActivities
    #: The outcome of the step that was taken last.
    taken: RotationStepResult = field(default_factory=RotationStepResult)

    @classmethod
    async def of(
        cls,
        database: Database,
        document: dict[str, Any],
        *,
        hosts: tuple[str, ...] = (),
        value: bytes = FIRST,
        now: datetime = NOW,
        rotator: Rotator | None = None,
        at_once: int = 10,
    ) -> "Rotated":
        vaulted = await Vaulted.of(database)
        secret = await vaulted.put("api_keys/rotated", value, hosts=hosts)
        backend = vaulted.secrets.backend("postgres")
        dying = Dying(rotator or HttpRotator(lambda _: Receivers(local=True), local=True), backend)
        by_name = {RotatorName(document["rotator"]): dying, RotatorName.MANUAL: ManualRotator()}
        work = RotationActivities(database, SecretBackends({"postgres": dying}), by_name, at_once=at_once)
        return await cls(vaulted, secret, dying, work)._planned(document, now)

    async def another(
        self, path: str, document: dict[str, Any], *, hosts: tuple[str, ...], now: datetime = NOW
    ) -> "Rotated":
        """Return another secret of the organization, with the same activities."""
        secret = await self.vaulted.put(path, FIRST, hosts=hosts)
        return await Rotated(self.vaulted, secret, self.dying, self.work)._planned(document, now)

    async def _planned(self, document: dict[str, Any], now: datetime) -> "Rotated":
        async with self.database.platform() as session:
            await rotation_plan.plan(session, await rows.locked(session, self.secret.id), document, now)
        return self

    @property
    def database(self) -> Database:
        return self.vaulted.database

    async def held(self) -> Rotation:
        async with self.database.platform() as session:
            found = await rotations.secret_and_rotation(session, self.secret.id)
        assert found is not None
        return found[1]

    async def look(self, now: datetime) -> NextRotationStep:
        return await self.work.look(ReadRotation(secret_id=self.secret.id, now=now))

    async def step(self, now: datetime) -> NextRotationStep:
        """Take the step that is due, as the run does; returns what was seen before."""
        seen = await self.look(now)
        if seen.step is not None:
            message = TakeRotationStep(secret_id=self.secret.id, number=seen.number, step=seen.step, now=now)
            self.taken = await ActivityEnvironment().run(self.work.take, message)
        return seen

    async def fail(self, seen: NextRotationStep, detail: str, now: datetime) -> None:
        """Give the step up that was seen, as the run does when its time is over."""
        self.taken = RotationStepResult()
        given_up = {"secret_id": self.secret.id, "number": seen.number, "step": seen.step, "detail": detail}
        await self.work.fail(FailRotationStep.model_validate({**given_up, "now": now, "over_at": now}))

    async def until_waiting(self, now: datetime) -> NextRotationStep:
        """Take every step that is due; a worker that dies is followed by another one, and a refusal counts at once."""
        for _ in range(30):
            with suppress(Killed):
                seen = await self.counted_step(now)
                if seen.step is None:
                    return seen
        raise AssertionError("the rotation takes steps without end")

    async def until(self, status: RotationStatus, now: datetime) -> None:
        """Take steps until the rotation has a status; a refusal counts at once."""
        while (await self.held()).status is not status:
            assert (await self.counted_step(now)).step is not None

    async def counted_step(self, now: datetime) -> NextRotationStep:
        """Take the step that is due; a refusal counts at once."""
        seen = await self.step(now)
        if self.taken.refused is not None:
            await self.fail(seen, self.taken.refused, now)
        return seen

    async def versions(self) -> dict[int, str]:
        async with self.database.platform() as session:
            found: list[SecretVersion] = list(await rows.versions(session, self.secret.id))
        return {row.number: row.status for row in reversed(found)}

    async def values(self, now: datetime) -> dict[str, str]:
        """Return the values that can be opened to use, by status."""
        opened = {}
        async with self.database.platform() as session:
            kept = [row for row in await rows.versions(session, self.secret.id) if row.status != "destroyed"]
        for row in kept:
            found = await self.vaulted.open(
                now,
                path=self.secret.path,
                verb=AccessVerb.ROTATE,
                version=row.number,
                agent_id=None,
                host=None,
                method=None,
            )
            opened[row.status] = (await found.value(self.vaulted.secrets)).decode()
        return opened

    async def alerts(self) -> dict[str, bool]:
        """Return the alerts of the secret by kind, and whether each is open."""
        async with self.database.platform() as session:
            query = select(Alert).where(Alert.subject == self.secret.id).order_by(Alert.id)
            return {row.kind: row.resolved_at is None for row in await session.scalars(query)}
