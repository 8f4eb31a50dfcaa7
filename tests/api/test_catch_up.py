"""What the API does with refusals by a run that may be behind the books, without a run."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from domain.common.errors import Unavailable, WrongState
from runtime.catch_up import TRIES, catching_up
from runtime.interceptors import application_error_from


def refusal(version: int | None) -> WorkflowUpdateFailedError:
    known = {} if version is None else {"version": version}
    return WorkflowUpdateFailedError(application_error_from(WrongState("no", extra={"state": "x", **known})))


class Run:
    """A run that refuses by what it knows, and the books beside it."""

    def __init__(self, knows: int, books: int, allows: int = 99) -> None:
        self.knows, self.books, self.allows = knows, books, allows
        self.kept: dict[str, int] = {}
        self.given: list[str] = []
        self.told: list[tuple[str, int]] = []
        self.looked = 0
        self.fails: Exception | None = None

    async def give(self, update_id: str) -> str:
        self.given.append(update_id)
        decided_on = self.kept.get(update_id, self.knows)
        if decided_on < self.allows:
            raise refusal(decided_on)
        return "done"

    async def read(self) -> int:
        self.looked += 1
        return self.books

    async def execute_update(self, name: str, told: Any, *, id: str, result_type: None) -> None:
        assert name == "catch_up"
        self.told.append((id, told.version))
        if self.fails is not None:
            raise self.fails
        self.knows = max(self.knows, told.version)

    def attempt(self, give: Callable[[str], Any] | None = None) -> Callable[[], Any]:
        client: Any = SimpleNamespace(get_workflow_handle=lambda _id: self)
        return catching_up(client, "escrow/ctr_1", "cmd_1", give or self.give, self.read)


async def test_what_a_validator_refused_is_given_again_under_its_own_id() -> None:
    run = Run(knows=3, books=4, allows=4)
    assert await run.attempt()() == "done"
    assert run.given == ["cmd_1", "cmd_1"]
    assert run.told == [("catch_up:4", 4)]


async def test_what_a_handler_refused_is_given_again_under_another_id_from_then_on() -> None:
    run = Run(knows=3, books=4, allows=4)
    run.kept["cmd_1"] = 3
    attempt = run.attempt()
    assert [await attempt(), await attempt()] == ["done", "done"]
    first, again, *others = run.given
    assert first == again == "cmd_1"
    assert len(others) == 2
    assert len({*others, "cmd_1"}) == 2


async def test_a_refusal_by_the_state_of_the_books_stands() -> None:
    run = Run(knows=4, books=4)
    with pytest.raises(WrongState) as caught:
        await run.attempt()()
    assert caught.value.extra == {"state": "x"}
    assert (run.given, run.told) == (["cmd_1"], [])


async def test_a_refusal_by_older_code_stands() -> None:
    run = Run(knows=0, books=4)

    async def give(_update_id: str) -> str:
        raise refusal(None)

    with pytest.raises(WrongState):
        await run.attempt(give)()
    assert (run.looked, run.told) == (0, [])


async def test_books_that_go_on_every_time_are_not_followed_for_ever() -> None:
    run = Run(knows=0, books=0)

    async def give(update_id: str) -> str:
        run.books += 1
        return await run.give(update_id)

    with pytest.raises(WrongState) as caught:
        await run.attempt(give)()
    assert len(run.given) == TRIES
    assert caught.value.extra == {"state": "x"}


async def test_a_run_that_is_over_needs_not_catch_up() -> None:
    run = Run(knows=3, books=4, allows=4)
    run.fails = RPCError("over", RPCStatusCode.NOT_FOUND, b"")

    async def give(update_id: str) -> str:
        if run.told:
            run.knows = run.books  # another run has begun with the books
        return await run.give(update_id)

    assert await run.attempt(give)() == "done"


async def test_a_run_that_cannot_catch_up_refuses_nothing_for_good() -> None:
    run = Run(knows=3, books=4)
    run.fails = WorkflowUpdateFailedError(RuntimeError("Update handler for 'catch_up' expected but not found"))
    with pytest.raises(Unavailable):
        await run.attempt()()


async def test_what_is_no_refusal_is_not_taken_for_one() -> None:
    run = Run(knows=3, books=4)
    broken = WorkflowUpdateFailedError(RuntimeError("x"))

    async def give(_update_id: str) -> str:
        raise broken

    with pytest.raises(WorkflowUpdateFailedError):
        await run.attempt(give)()
    assert run.looked == 0
