"""Commands whose run refuses because it is behind the books, and commands to a busy server, without either."""

from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from contracts.common.catch_up import CatchUp
from contracts.messages.webhook_endpoint import DisableWebhookEndpoint
from contracts.runs import webhook_endpoint_run
from domain.common.access import Actor, Role
from domain.common.errors import Unavailable, WrongState
from runtime.interceptors import application_error_from
from runtime.reach import TRIES, EntityClient

COMMAND = DisableWebhookEndpoint(command_id="cmd_1", actor=Actor(principal="kim", role=Role.OWNER))


def refusal(version: int | None) -> WorkflowUpdateFailedError:
    known = {} if version is None else {"version": version}
    return WorkflowUpdateFailedError(application_error_from(WrongState("no", extra={"state": "x", **known})))


class Run:
    """A workflow that refuses by the state that it knows, and the books, which have moved on."""

    def __init__(self, knows: int, books: int, allows: int = 99) -> None:
        self.knows, self.books, self.allows = knows, books, allows
        self.kept: dict[str, int] = {}
        self.given: list[str] = []
        self.told: list[tuple[str, int]] = []
        self.looked = 0
        self.raises: list[Exception] = []
        self.fails: Exception | None = None
        self.is_older = False
        #: How many versions the books advance with every command.
        self.goes_on = 0

    def get_workflow_handle(self, workflow_id: str) -> "Run":
        assert workflow_id == "webhook-endpoint/whe_1"
        return self

    async def execute_update_with_start_workflow(self, name: str, _command: object, *, id: str, **_: object) -> str:
        assert name == "disable"
        self.given.append(id)
        self.books += self.goes_on
        if self.raises:
            raise self.raises.pop(0)
        if self.fails is not None and self.told:
            self.knows = self.books  # another run has begun with the books
        decided_on = self.kept.get(id, self.knows)
        if decided_on < self.allows:
            raise refusal(None if self.is_older else decided_on)
        return "done"

    async def execute_update(self, name: str, told: CatchUp, *, id: str) -> None:
        assert name == "catch_up"
        self.told.append((id, told.version))
        if self.fails is not None:
            raise self.fails
        self.knows = max(self.knows, told.version)

    async def read(self, _session: object, ids: list[str]) -> dict[str, int]:
        self.looked += 1
        return {ids[0]: self.books}

    async def command(self) -> str:
        client: Any = self
        database: Any = SimpleNamespace(platform=nullcontext)
        read: Any = self.read
        run = webhook_endpoint_run("whe_1", "org_1")
        entity = EntityClient(client, database, run, str, read, "whe_1", limit=timedelta(minutes=1))
        return await entity.command("disable", COMMAND, update_id="cmd_1")


async def test_command_refused_by_a_validator_is_sent_again_under_the_same_id() -> None:
    run = Run(knows=3, books=4, allows=4)
    assert await run.command() == "done"
    assert run.given == ["cmd_1", "cmd_1"]
    assert run.told == [("catch_up:4", 4)]


async def test_command_refused_by_a_handler_is_sent_again_under_another_id() -> None:
    run = Run(knows=3, books=4, allows=4)
    run.kept["cmd_1"] = 3
    assert await run.command() == "done"
    first, again, other = run.given
    assert first == again == "cmd_1" != other


async def test_a_refusal_by_the_state_of_the_books_stands() -> None:
    run = Run(knows=4, books=4)
    with pytest.raises(WrongState) as caught:
        await run.command()
    assert caught.value.extra == {"state": "x"}
    assert (run.given, run.told) == (["cmd_1"], [])


async def test_a_refusal_by_older_code_stands() -> None:
    run = Run(knows=0, books=4)
    run.is_older = True
    with pytest.raises(WrongState):
        await run.command()
    assert (run.looked, run.told) == (0, [])


async def test_retries_end_when_the_books_advance_every_time() -> None:
    run = Run(knows=0, books=0)
    run.goes_on = 1
    with pytest.raises(WrongState) as caught:
        await run.command()
    assert len(run.given) == TRIES
    assert caught.value.extra == {"state": "x"}


async def test_a_completed_workflow_needs_not_catch_up() -> None:
    run = Run(knows=3, books=4, allows=4)
    run.fails = RPCError("over", RPCStatusCode.NOT_FOUND, b"")
    assert await run.command() == "done"


async def test_a_workflow_that_cannot_catch_up_gives_no_final_refusal() -> None:
    run = Run(knows=3, books=4)
    run.fails = WorkflowUpdateFailedError(RuntimeError("Update handler for 'catch_up' expected but not found"))
    with pytest.raises(Unavailable):
        await run.command()


async def test_other_failures_are_not_treated_as_refusals() -> None:
    run = Run(knows=3, books=4)
    run.raises = [WorkflowUpdateFailedError(RuntimeError("x"))]
    with pytest.raises(WorkflowUpdateFailedError):
        await run.command()
    assert run.looked == 0


@pytest.mark.parametrize("status", [RPCStatusCode.UNAVAILABLE, RPCStatusCode.NOT_FOUND])
async def test_command_is_sent_again_under_its_own_id_when_the_server_is_busy_or_the_run_has_ended(
    status: RPCStatusCode,
) -> None:
    run = Run(knows=4, books=4, allows=4)
    run.raises = [RPCError("away", status, b"")]
    assert await run.command() == "done"
    assert run.given == ["cmd_1", "cmd_1"]


async def test_command_is_not_sent_again_when_the_server_refuses_it() -> None:
    run = Run(knows=4, books=4, allows=4)
    run.raises = [RPCError("no", RPCStatusCode.PERMISSION_DENIED, b"")]
    with pytest.raises(RPCError):
        await run.command()
    assert run.given == ["cmd_1"]
