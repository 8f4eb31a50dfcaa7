"""The steps of a rotation on real books, and at a real server, with a worker that is killed at every place."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from contracts.secrets.rotation import FailRotationStep, RotationStepResult
from domain.common.errors import RotationUnderWay, Unavailable
from domain.secrets.rotation import RotationAction, RotationStatus
from domain.secrets.rotation_plan import OFF
from domain.secrets.secret import SecretKind
from providers.secrets.base import BackendUnavailable, Stored, ValueLocation
from providers.secrets.rotators.base import ManualRotator, RotationJob
from repositories.secrets import secret as rows
from runtime.database import Database
from services.secrets import rotation as service, rotation_plan, secret as store
from services.secrets.secret import SecretChange
from tests.support.looking import again
from tests.support.receivers import receiving
from tests.support.rotations import DAY, FIRST, SCHEDULE, Killed, Rotated, Target
from tests.support.secrets import NOW

pytestmark = pytest.mark.db

DUE = NOW + 30 * DAY
OVER = DUE + DAY


@asynccontextmanager
async def rotated(database: Database, target: Target, **more: Any) -> AsyncIterator[Rotated]:
    async with receiving(target.reply) as receiver:
        yield await Rotated.of(database, target.document(receiver), hosts=(receiver.url.split("/")[2],), **more)


async def usable(one: Rotated, target: Target, now: datetime) -> None:
    """Check that the target works with a value that is kept; with the current one where it takes several."""
    values = await one.values(now)
    assert target.keys & {values.get("current"), values.get("pending")}
    if not target.one_only:
        assert values["current"] in target.keys


async def test_a_value_is_replaced_when_it_is_due_and_the_one_before_ends_with_its_grace(database: Database) -> None:
    target = Target()
    async with rotated(database, target) as one:
        assert (await one.until_waiting(NOW)).until == DUE
        assert (await one.until_waiting(DUE)).until == OVER
        assert await one.versions() == {1: "previous", 2: "current"}
        values = await one.values(DUE)
        assert values["previous"] == FIRST.decode()
        assert target.keys == set(values.values())
        seen = await one.until_waiting(OVER)
        assert (seen.status, seen.until) == ("idle", DUE + 30 * DAY)
        assert await one.versions() == {1: "destroyed", 2: "current"}
        assert target.keys == {values["current"]}
        assert await one.alerts() == {}


PLACES = [
    f"{when} {name}" for name in ("make", "store", "apply", "test", "revoke", "destroy") for when in ("before", "after")
]


@pytest.mark.parametrize("one_only", [False, True])
@pytest.mark.parametrize("place", PLACES)
async def test_a_worker_killed_at_any_place_leaves_a_usable_version_and_the_next_one_goes_on(
    database: Database, place: str, one_only: bool
) -> None:
    target = Target(one_only=one_only)
    async with rotated(database, target) as one:
        one.dying.at = place
        for now in (DUE, OVER):
            while True:
                try:
                    seen = await one.step(now)
                except Killed:
                    await usable(one, target, now)
                    continue
                await usable(one, target, now)
                if seen.step is None:
                    break
        assert one.dying.at is None
        values = await one.values(OVER)
        assert target.keys == {values["current"]}
        assert values["current"] != FIRST.decode()
        assert await one.alerts() == {}
        # One value was made, or two if the first was lost before it was stored.
        assert one.dying.places.count("after apply") == 1 + (place == "after apply")
        assert sorted((await one.versions()).values()) == ["current", "destroyed"]


PUTTING_BACK = [f"{when} {name}" for name in ("put_back", "destroy") for when in ("before", "after")]


@pytest.mark.parametrize("one_only", [False, True])
@pytest.mark.parametrize("place", [None, *PUTTING_BACK])
async def test_a_failed_test_restores_the_target_and_the_next_try_makes_a_new_value(
    database: Database, place: str | None, one_only: bool
) -> None:
    target = Target(one_only=one_only, check=403)
    async with rotated(database, target) as one:
        one.dying.at = place
        seen = await one.until_waiting(DUE)
        assert one.dying.at is None
        assert target.keys == {FIRST.decode()}
        assert await one.versions() == {1: "current", 2: "destroyed"}
        assert await one.alerts() == {"secret_rotation_failed": True}
        assert seen.until is not None
        assert "answered 403" in seen.details
        target.check = None
        assert (await one.until_waiting(seen.until)).status == "promoted"
        assert await one.versions() == {1: "previous", 2: "destroyed", 3: "current"}
        assert await one.alerts() == {"secret_rotation_failed": False}


async def test_an_unrestorable_target_keeps_its_value_until_restored_or_given_up(database: Database) -> None:
    target = Target(one_only=True, check=403)
    async with rotated(database, target) as one:
        await one.until(RotationStatus.FAILED, DUE)
        target.keys = {"somebody's"}
        seen = await one.until_waiting(DUE)
        assert (await one.versions())[2] == "pending"
        with pytest.raises(RotationUnderWay, match="The rotation is failed"):
            await hurry(one)
        async with database.platform() as session:
            await service.give_up(session, service.ACTOR, one.secret.id, DUE)
        assert (await one.versions())[2] == "destroyed"
        assert (await one.until_waiting(DUE)).status == "idle"
        assert "`give_up`" in seen.details


async def test_a_target_with_one_value_and_no_way_back_keeps_the_only_value_that_works(database: Database) -> None:
    target = Target(one_only=True, check=401)
    async with receiving(target.reply) as receiver:
        document = target.document(receiver)
        del document["http"]["put_back"]
        one = await Rotated.of(database, document, hosts=(receiver.url.split("/")[2],))
        assert (await one.until_waiting(DUE)).status == "failed"
        values = await one.values(DUE)
        assert target.keys == {values["pending"]}
        # Its owner reads the value at the target, and stores it.
        await one.vaulted.put(one.secret.path, values["pending"].encode())
        target.check = None
        again = (await one.held()).next_at
        assert (await one.until_waiting(again)).status == "idle"
        assert target.keys == {(await one.values(again))["current"]}


@dataclass
class Keeping:
    """A backend that keeps the values itself, and is away for some of the calls that destroy one."""

    values: dict[ValueLocation, bytes] = field(default_factory=dict)
    away: int = 0
    name = "postgres"

    async def store(self, place: ValueLocation, value: bytes) -> Stored:
        self.values[place] = value
        return Stored()

    async def read(self, place: ValueLocation, _: Stored) -> bytes:
        return self.values[place]

    async def destroy(self, place: ValueLocation) -> None:
        if self.away:
            self.away -= 1
            raise BackendUnavailable("Vault does not answer.")
        self.values.pop(place, None)


@pytest.mark.parametrize("ended", ["revoked", "put back", "given up"])
async def test_an_outage_of_the_backend_leaves_no_ended_value(database: Database, ended: str) -> None:
    target = Target(check=None if ended == "revoked" else 403)
    async with rotated(database, target) as one:
        first = ValueLocation(one.vaulted.org_id, one.secret.path, 1)
        one.dying.backend = keeping = Keeping({first: FIRST})
        if ended == "revoked":
            await one.until_waiting(DUE)
        else:
            await one.until(RotationStatus.FAILED, DUE)
        now = OVER if ended == "revoked" else DUE
        keeping.away = 2
        if ended == "given up":
            target.keys = {FIRST.decode()}
            async with database.platform() as session:
                await service.give_up(session, service.ACTOR, one.secret.id, now)
        for _ in range(2):
            with pytest.raises(BackendUnavailable):
                await one.step(now)
        assert (await one.until_waiting(now)).status == "idle"
        assert len(keeping.values) == 1
        assert {value.decode() for value in keeping.values.values()} == target.keys


async def test_an_owner_who_destroys_a_value_in_its_grace_has_it_revoked_at_once(database: Database) -> None:
    target = Target()
    async with rotated(database, target) as one:
        await one.step(DUE)
        for number in (1, 2):
            with pytest.raises(RotationUnderWay, match=f"no other value than version {number}"):
                await destroy(one, number)
        await one.until_waiting(DUE)
        with pytest.raises(RotationUnderWay, match="Destroy that one first"):
            await destroy(one, 2)
        for _ in range(2):
            await destroy(one, 1)
        assert (await one.versions())[1] == "retired"
        assert (await one.until_waiting(DUE)).status == "idle"
        assert await one.versions() == {1: "destroyed", 2: "current"}
        assert target.keys == {(await one.values(DUE))["current"]}


async def destroy(one: Rotated, number: int) -> None:
    async with one.database.platform() as session:
        await service.destroy(session, one.vaulted.owner, one.secret.id, number, now=DUE)


async def test_a_value_stored_during_a_rotation_stays_and_the_rotation_is_given_up(database: Database) -> None:
    target = Target()
    async with rotated(database, target) as one:
        await one.until(RotationStatus.APPLIED, DUE)
        target.keys.add("by hand")
        await one.vaulted.put(one.secret.path, b"by hand")
        await one.until_waiting(DUE)
        assert (await one.values(DUE))["current"] == "by hand"
        assert target.keys == {FIRST.decode(), "by hand"}
        assert await one.alerts() == {"secret_rotation_failed": True}


async def test_a_stored_value_is_not_revoked_with_an_earlier_version_of_the_same_value(database: Database) -> None:
    target = Target()
    async with rotated(database, target) as one:
        await one.until(RotationStatus.APPLIED, DUE)
        pending = (await one.values(DUE))["pending"]
        await one.vaulted.put(one.secret.path, pending.encode())
        await one.until_waiting(DUE)
        assert (await one.values(DUE))["current"] == pending
        assert pending in target.keys


async def test_an_immediate_rotation_ends_a_running_grace(database: Database) -> None:
    target = Target()
    async with rotated(database, target) as one:
        await hurry(one)
        await one.until_waiting(NOW)
        first = (await one.values(NOW))["current"]
        await hurry(one)
        await one.until_waiting(NOW)
        assert await one.versions() == {1: "destroyed", 2: "previous", 3: "current"}
        assert target.keys == {first, (await one.values(NOW))["current"]}


async def hurry(one: Rotated) -> None:
    async with one.database.platform() as session:
        await service.start_now(session, one.vaulted.owner, one.secret.id, grace=None, now=NOW)


async def test_a_person_is_asked_and_reminded_and_the_value_sent_is_promoted(database: Database) -> None:
    document = {"rotator": "manual", **SCHEDULE}
    one = await Rotated.of(database, document)
    assert (await one.until_waiting(DUE)).status == "waiting"
    assert await one.alerts() == {"secret_rotation_waits": True}
    late = DUE + 2 * DAY
    await one.until_waiting(late)
    assert await one.alerts() == {"secret_rotation_waits": True, "secret_rotation_overdue": True}
    await supply(one, b"by hand", late)
    assert (await one.until_waiting(late)).status == "promoted"
    assert await one.values(late) == {"current": "by hand", "previous": FIRST.decode()}
    assert await one.alerts() == {"secret_rotation_waits": False, "secret_rotation_overdue": False}
    assert (await one.until_waiting(late + DAY)).until == late + 30 * DAY


async def test_a_value_that_a_person_stores_counts_as_the_rotation_that_waits_for_it(database: Database) -> None:
    one = await Rotated.of(database, {"rotator": "manual", **SCHEDULE})
    late = DUE + 2 * DAY
    await one.until_waiting(DUE)
    await one.until_waiting(late)
    vaulted = one.vaulted
    wanted = SecretChange(org_id=vaulted.org_id, path=one.secret.path, kind=SecretKind.API_KEY)
    asked: dict[str, Any] = {"grace": timedelta(0), "command_id": f"put:{one.secret.id}", "now": late}
    await store.put(database, vaulted.secrets, vaulted.owner, wanted, "by hand", **asked)
    seen = await one.until_waiting(late)
    assert (seen.status, seen.until) == ("idle", late + 30 * DAY)
    assert await one.alerts() == {"secret_rotation_waits": False, "secret_rotation_overdue": False}


async def supply(one: Rotated, value: bytes, now: datetime) -> None:
    vaulted, command = one.vaulted, f"cmd:{one.secret.id}"
    for _ in range(2):  # a command that is repeated changes nothing
        await service.supply(
            one.database, vaulted.secrets, vaulted.owner, one.secret, value, grace=None, command_id=command, now=now
        )


async def test_steps_that_wait_for_targets_are_bounded_for_each_organization(database: Database) -> None:
    hanging, free = Target(), Target()
    async with receiving(hanging.reply) as receiver, rotated(database, free) as other:
        document, hosts = hanging.document(receiver), (receiver.url.split("/")[2],)
        one = await Rotated.of(database, document, hosts=hosts, at_once=1)
        second = await one.another("api_keys/another", document, hosts=hosts)
        for each in (one, second, other):
            await each.until(RotationStatus.CREATED, DUE)
        hanging.answering = asyncio.Event()
        begun = asyncio.create_task(one.step(DUE))
        while not receiver.received:
            await again()
        await second.step(DUE)
        assert second.taken == RotationStepResult(waits=True)
        other.work = one.work
        await other.step(DUE)
        assert (await other.held()).status is RotationStatus.APPLIED
        hanging.answering.set()
        await begun
        await second.step(DUE)
        assert (await second.held()).status is (await one.held()).status is RotationStatus.APPLIED


async def test_steps_that_call_no_target_wait_for_no_turn(database: Database) -> None:
    target = Target()
    async with rotated(database, target, at_once=0) as one:
        assert not (await one.look(DUE)).at_target
        await one.step(DUE)
        assert (await one.look(DUE)).at_target
        await one.step(DUE)
        assert (one.taken.waits, (await one.held()).status) == (True, RotationStatus.CREATED)


async def test_a_step_without_an_answer_is_given_up_and_rolled_back(database: Database) -> None:
    target = Target(check=503)
    async with rotated(database, target) as one:
        with pytest.raises(Unavailable, match="answered 503"):
            await one.until_waiting(DUE)
        target.check = None
        over_at = DUE + timedelta(minutes=2)
        given_up = FailRotationStep(
            secret_id=one.secret.id, number=2, step=RotationAction.TEST, detail="No answer.", now=DUE, over_at=over_at
        )
        for _ in range(2):
            await one.work.fail(given_up)
        assert (await one.until_waiting(DUE)).until == over_at
        assert len(target.keys) == 2
        await one.until_waiting(over_at)
        assert target.keys == {FIRST.decode()}
        assert (await one.held()).failures == 1


class Borrowing(ManualRotator):
    """Reads another secret to set the new value, as the rotator of databases does."""

    async def make(self, job: RotationJob, current: bytes) -> bytes:
        return b"new-value"

    async def apply(self, job: RotationJob, current: bytes, new: bytes) -> None:
        assert await job.read("access_credentials/dba", "db.example.com:5432") == b"dba-value"


@pytest.mark.parametrize("hosts", [(), ("db.example.com",), ("db.example.com:5432",)])
async def test_another_secret_is_read_only_for_a_host_that_it_names(database: Database, hosts: tuple[str, ...]) -> None:
    one = await Rotated.of(database, {"rotator": "bursar", **SCHEDULE}, rotator=Borrowing())
    await one.vaulted.put("access_credentials/dba", b"dba-value", hosts=hosts)
    seen = await one.until_waiting(DUE)
    if hosts == ("db.example.com:5432",):
        assert seen.status == "promoted"
    else:
        assert "may not be sent to db.example.com:5432" in seen.details.replace("\\", "")


async def test_the_schedule_is_not_changed_while_a_rotation_sets_a_value(database: Database) -> None:
    target = Target()
    async with rotated(database, target) as one:
        await one.step(DUE)

        async def plan(document: Mapping[str, Any]) -> None:
            async with database.platform() as session:
                await rotation_plan.plan(session, await rows.locked(session, one.secret.id), document, DUE)

        same = (await one.held()).plan
        document = {
            "rotator": "http",
            **SCHEDULE,
            "http": same.target,
        }
        await plan(document)
        for other in (OFF, document | {"every_seconds": 5_184_000}):
            with pytest.raises(RotationUnderWay):
                await plan(other)
        await one.until_waiting(DUE)
        await one.until_waiting(OVER)
        await plan(OFF)
        assert (await one.look(OVER)).ended
