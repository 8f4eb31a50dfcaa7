"""Commands while the provider is away: they end in time, hold nothing up, and have one effect when repeated."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest

from domain.payments.payment.snapshot import DisputeStatus
from domain.payments.payment.state import Payment, PaymentStatus, RefundState
from tests.support.looking import again
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import KEYS, PaymentDriver, new_payment, paid, refused

pytestmark = [pytest.mark.timeskip, pytest.mark.db]
P = PaymentStatus


@pytest.fixture(autouse=True)
async def provider_comes_back(stage: Stage) -> AsyncIterator[None]:
    yield
    back(stage)


def back(stage: Stage) -> None:
    stage.fake.away.clear()
    stage.fake.leaves.clear()
    for hangs in stage.fake.hangs.values():
        hangs.set()
    stage.fake.hangs.clear()
    stage.fake.key_refused = False


async def while_our_key_is_rejected(made: PaymentDriver, call: Awaitable[Any]) -> Any:
    """Skip the time that a call may take, and return its response."""
    fake = made.stage.fake
    fake.key_refused, before = True, len(fake.calls)
    asking = asyncio.ensure_future(call)
    while len(fake.calls) == before:
        await again()
    await made.pass_time(seconds=16)
    answer = await asking
    back(made.stage)
    return answer


class UnansweredCommand:
    """A command that its provider does not answer."""

    def __init__(self, made: PaymentDriver, name: str, **fields: Any) -> None:
        self.made, self.name, self.fields, self.key = made, name, fields, f"away-{next(KEYS)}"

    async def again(self) -> str:
        """Repeat it as a client with its key: a refused command is decided again."""
        return (await self.made.send(self.name, key=self.key, update_id=f"upd-{next(KEYS)}", **self.fields)).status

    async def refused(self) -> str:
        """Give it, and return what it is refused with."""
        return await refused(self.made.send(self.name, key=self.key, **self.fields))

    async def given_up(self) -> None:
        """Give it, and have as much time pass as it may take."""
        asking = asyncio.ensure_future(self.refused())
        while not any(
            name == self.name and self.made.terms.payment_id in key for name, key in self.made.stage.fake.calls
        ):
            await self.made.state()
            await again()
        await self.made.pass_time(seconds=16)
        assert await asking == "provider.unavailable"

    @property
    def calls(self) -> set[str]:
        """The keys that the provider was called with."""
        payment_id = self.made.terms.payment_id
        return {key for name, key in self.made.stage.fake.calls if name == self.name and payment_id in key}


async def looked_up(made: PaymentDriver) -> Payment:
    while (state := await made.state()).unknown:
        await made.pass_time(minutes=1)
    return state


async def authorized(stage: Stage) -> PaymentDriver:
    made = await new_payment(stage, manual_capture=True)
    await made.create()
    await made.send("confirm", method_ref="pm_ok")
    return made


async def asked(stage: Stage, name: str) -> UnansweredCommand:
    if name == "capture":
        return UnansweredCommand(await authorized(stage), name, amount_minor=600)
    made = await new_payment(stage)
    await made.create()
    return UnansweredCommand(made, name)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("confirm", P.REQUIRES_ACTION, P.SUCCEEDED),
        ("capture", P.REQUIRES_CAPTURE, P.SUCCEEDED),
        ("cancel", P.REQUIRES_ACTION, P.CANCELLED),
    ],
)
async def test_a_command_that_did_not_reach_the_provider_is_done_once_it_is_repeated(stage, name, before, after):
    command = await asked(stage, name)
    stage.fake.away.add(name)
    await command.given_up()
    await command.made.refreshed()  # news are booked while the provider is away for the command
    assert (await looked_up(command.made)).status is before
    back(stage)
    assert await command.again() == after.value
    assert len([m for m in command.made.there.movements if m.amount_minor > 0]) == (after is P.SUCCEEDED)


@pytest.mark.parametrize(
    ("name", "after"), [("confirm", P.SUCCEEDED), ("capture", P.SUCCEEDED), ("cancel", P.CANCELLED)]
)
async def test_a_command_waits_while_the_provider_rejects_our_key(stage: Stage, name: str, after: P):
    command = await asked(stage, name)
    assert await while_our_key_is_rejected(command.made, command.refused()) == "provider.unavailable"
    await looked_up(command.made)
    assert await command.again() == after.value


async def test_evidence_waits_while_the_provider_rejects_our_key(stage: Stage):
    made = await paid(stage)
    ref = made.there.dispute(400)
    await made.refreshed()
    command = UnansweredCommand(made, "submit_evidence", dispute_ref=ref, text="It was delivered.")
    assert await while_our_key_is_rejected(made, command.refused()) == "provider.unavailable"
    await looked_up(made)
    await command.again()
    assert stage.fake.evidence[ref] == "It was delivered."


async def test_payment_is_created_once_the_provider_accepts_our_key_again(stage: Stage):
    made = await new_payment(stage)
    assert (await while_our_key_is_rejected(made, made.create())).status == "unknown"
    await made.pass_time(minutes=1)
    assert (await made.until("requires_action")).decline is None
    assert stage.fake.count(made.terms.payment_id) == 1


async def test_refund_is_made_once_the_provider_accepts_our_key_again(stage: Stage):
    made = await paid(stage)
    await while_our_key_is_rejected(made, made.send("refund", amount_minor=400))
    (refund,) = (await made.state()).refunds
    assert (refund.state, refund.failure_code) == (RefundState.UNKNOWN, None)
    assert (await made.money())["wallet"] == 60_000_000
    await made.pass_time(minutes=1)
    await made.happened("refund_booked")
    assert (await made.state()).refunds[0].state is RefundState.SUCCEEDED
    assert made.there.gone == 400


@pytest.mark.parametrize("name", ["confirm", "capture"])
async def test_money_captured_without_a_response_is_found_with_its_chargeback(stage: Stage, name: str):
    command = await asked(stage, name)
    made = command.made
    stage.fake.leaves.add(name)
    await command.given_up()
    assert (await made.state()).status is P.UNKNOWN
    made.there.dispute()
    back(stage)
    state = await looked_up(made)
    assert state == await made.refreshed()
    assert (state.status, state.unknown, state.received_minor) == (P.DISPUTED, False, made.there.received)
    assert await command.again() == "disputed"
    assert len(command.calls) == 1
    assert (await made.kinds()).count("received") == 1


async def test_a_command_ends_in_time_also_when_its_provider_keeps_the_connection_open(stage: Stage):
    command = await asked(stage, "cancel")
    stage.fake.hangs["cancel"] = asyncio.Event()
    await command.given_up()
    assert (await looked_up(command.made)).status is P.REQUIRES_ACTION
    back(stage)
    assert await command.again() == "cancelled"


async def test_cancellation_without_a_response_names_its_actor(stage: Stage):
    command = await asked(stage, "cancel")
    made = command.made
    stage.fake.leaves.add("cancel")
    await command.given_up()
    back(stage)
    state = await looked_up(made)
    assert (state.status, state.cancelled_by) == (P.CANCELLED, made.actor.qualified())
    assert await command.again() == "cancelled"
    assert len(command.calls) == 1
    told = next(event for event in await made.timeline() if event.kind == "outcome_unknown")
    assert (told.actor, told.details["command"]) == (made.actor.qualified(), "cancel")


async def test_payment_whose_cancellation_never_arrived_ends_without_an_actor(stage: Stage):
    command = await asked(stage, "cancel")
    stage.fake.away.add("cancel")
    await command.given_up()
    assert (await looked_up(command.made)).cancelled_by is None
    back(stage)
    await command.made.pass_time(hours=24)
    assert (await command.made.until("expired")).cancelled_by is None


async def test_chargeback_is_booked_while_evidence_for_another_cannot_be_submitted(stage: Stage):
    made = await paid(stage)
    ref = made.there.dispute(400)
    await made.refreshed()
    command = UnansweredCommand(made, "submit_evidence", dispute_ref=ref, text="It was delivered.")
    stage.fake.away.add("submit_evidence")
    await command.given_up()
    made.there.dispute(300)
    assert (await made.refreshed()).disputed_minor == 700
    assert (await looked_up(made)).disputes[0].evidence_submitted_at is None
    back(stage)
    await command.again()
    state = await made.refreshed()
    assert state.disputes[0].evidence_submitted_at is not None
    assert [dispute.status for dispute in state.disputes] == [DisputeStatus.UNDER_REVIEW, DisputeStatus.NEEDS_RESPONSE]


async def test_evidence_submitted_without_a_response_is_not_resubmitted(stage: Stage):
    made = await paid(stage)
    ref = made.there.dispute()
    await made.refreshed()
    command = UnansweredCommand(made, "submit_evidence", dispute_ref=ref, text="It was delivered.")
    stage.fake.leaves.add("submit_evidence")
    await command.given_up()
    back(stage)
    assert (await looked_up(made)).disputes[0].status is DisputeStatus.UNDER_REVIEW
    calls = len([name for name, _ in stage.fake.calls if name == "submit_evidence"])
    await command.again()
    assert len([name for name, _ in stage.fake.calls if name == "submit_evidence"]) == calls
    assert (await made.state()).disputes[0].evidence_submitted_at is not None
    assert await refused(made.send("submit_evidence", dispute_ref=ref, text="Another.")) == "payment.evidence_closed"


async def test_unknown_outcome_is_looked_up_with_growing_pauses(stage: Stage):
    command = await asked(stage, "capture")
    stage.fake.leaves.add("capture")
    await command.given_up()
    looks = [name for name, key in stage.fake.calls if (name, key) == ("retrieve", command.made.there.ref)]
    await command.made.pass_time(minutes=30)
    assert (await command.made.state()).status is P.UNKNOWN
    more = [name for name, key in stage.fake.calls if (name, key) == ("retrieve", command.made.there.ref)]
    assert 5 < len(more) - len(looks) < 60
    back(stage)
    await command.made.pass_time(minutes=15)
    assert (await command.made.until("succeeded")).received_minor == 600
