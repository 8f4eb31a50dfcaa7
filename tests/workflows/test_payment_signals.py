"""What operators send to a payment's run: whatever it is, it is refused into the timeline or done, and time goes on."""

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowUpdateFailedError
from temporalio.common import RawValue

from tests.workflows.conftest import Stage
from tests.workflows.tills import till

pytestmark = [pytest.mark.timeskip, pytest.mark.db]

NOT_JSON = RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{"))
UNKNOWN = RawValue(Payload(metadata={"encoding": b"binary/unheard-of"}, data=b"\x00"))
MALFORMED = ((), (None,), ([],), ("now",), (7,), (True,), ({}, {}), (NOT_JSON,), (UNKNOWN,), (RawValue(Payload()),))


@pytest.mark.parametrize("name", ["refund", "give_up", "cancel", "look", "provider_event"])
async def test_pitfall_32_a_payments_signal_without_a_message_is_refused_and_its_time_still_ends(
    stage: Stage, name: str
):
    made = await till(stage)
    await made.create()
    with stage.env.with_time_skipping_disabled():
        for given in MALFORMED:
            await made.handle.signal(name, args=given)
        state = await made.happened("command_refused", len(MALFORMED))
    assert state.status == "requires_action"
    refused = [event.details for event in await made.timeline() if event.kind == "command_refused"]
    assert {(each["command"], each["code"]) for each in refused} == {(name, "request.invalid")}
    await made.pass_time(hours=24)
    assert (await made.until("expired")).received_minor == 0


async def test_pitfall_32_a_payments_commands_without_a_message_are_refused_and_its_time_still_ends(stage: Stage):
    made = await till(stage)
    await made.create()
    updates = ("create", "confirm", "capture", "cancel", "refund", "give_up", "submit_evidence", "catch_up")
    with stage.env.with_time_skipping_disabled():
        for name in updates:
            for given in ((), (None,), ([],), ({}, {})):
                with pytest.raises(WorkflowUpdateFailedError):
                    await made.handle.execute_update(name, args=given)
    await made.pass_time(hours=24)
    assert (await made.until("expired")).received_minor == 0
