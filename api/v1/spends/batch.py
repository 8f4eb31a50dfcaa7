"""Many uses of credits in one request: each is judged, charged and answered by itself."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError, WithJsonSchema

from api.deps import Deps
from api.errors import field_in, message_of
from api.fields import Exact, RequestModel, ResponseModel, example
from api.idempotency import checked_key
from api.v1.spends.agents import complete_use
from api.v1.spends.requests import SpendCompleter, key_of, read_request
from api.v1.spends.schemas import SpendCreate, spent_document
from domain.common.access import Actor
from domain.common.errors import (
    DomainError,
    IdempotencyConflict,
    InsufficientFunds,
    Invalid,
    SpendLimitExceeded,
    Unavailable,
    other_request,
)
from domain.common.ids import MAX_CLIENT_KEY_LENGTH
from domain.credits.spend.scope import SpendingKey
from ledger.spending import MAX_SPENDS
from ledger.spends import NewSpend, SpendOutcome, SpendResult
from repositories.credits.spend import SpendRequest
from services.credits import spend as spends


class UseItem(SpendCreate):
    """One use of a batch."""

    model_config = example(key="call-1", action="api_call")

    key: str = Field(max_length=MAX_CLIENT_KEY_LENGTH, description="The idempotency key of this use.")


_ITEM: TypeAdapter[UseItem] = TypeAdapter(UseItem)
#: What the refusals of an agent's use are answered as; all others make the item invalid.
_REFUSED = {
    SpendLimitExceeded: SpendOutcome.REFUSED,
    InsufficientFunds: SpendOutcome.INSUFFICIENT,
    IdempotencyConflict: SpendOutcome.CONFLICT,
}
#: An item is judged by itself, so that one that makes no sense spoils no other.
Item = Annotated[Any, WithJsonSchema(UseItem.model_json_schema(ref_template="#/components/schemas/{model}"))]


class UseBatch(RequestModel):
    """Uses of credits, each under its own idempotency key."""

    model_config = example(items=[{"key": "call-1", "action": "api_call"}, {"key": "call-2", "amount": "0.25"}])

    items: list[Item] = Field(min_length=1, max_length=MAX_SPENDS)


class ItemAnswer(ResponseModel):
    """The answer to one use: that of `POST /credits/use`, or why it was refused."""

    key: str | None
    status: str = Field(description="`charged`, `refused`, `insufficient`, `conflict` or `invalid`.")
    replayed: bool = Field(description="Whether this is the response that the key got before.")
    id: str | None = None
    amount: Exact | None = None
    available: Exact | None = None
    error: dict[str, Any] | None = Field(
        default=None, description="`code`, `detail` and the further members of the problem document."
    )


class BatchAnswer(ResponseModel):
    """One answer for each item, in the order given."""

    data: list[ItemAnswer]


@dataclass(slots=True)
class _Entry:
    """One item on its way: what it asks for, what goes to the books, and what is answered.

    `agent_id` is the agent of the marketplace of whose use it is.
    """

    key: str | None = None
    agent_id: str | None = None
    asked: SpendRequest | None = None
    spend: NewSpend | None = None
    answer: dict[str, Any] | None = None


async def use_many(deps: Deps, actor: Actor, key: SpendingKey, body: UseBatch) -> bytes:
    """Charge the items of a batch and return the answer as JSON."""
    completing = SpendCompleter(deps, actor, key)
    entries = [_judged(actor, key, item) for item in body.items]
    # In the order given: what is together charges together, and each use of an agent is a sale of its own.
    for is_use, together in groupby(entries, lambda entry: entry.agent_id is not None):
        if is_use:
            for entry in together:
                await _use_agent(deps, actor, completing, entry)
        else:
            await _charge_plainly(deps, actor, completing, list(together))
    return json.dumps({"data": [entry.answer for entry in entries]}, ensure_ascii=False).encode()


async def _charge_plainly(deps: Deps, actor: Actor, completing: SpendCompleter, entries: Sequence[_Entry]) -> None:
    for entry in entries:
        if entry.asked is not None:
            try:
                entry.spend = await completing.complete(entry.asked)
            except Invalid as error:
                _refuse(entry, "invalid", error)
    await _charge(deps, actor, entries)
    again = [entry for entry in entries if entry.asked is not None and _may_be_repeated(entry)]
    if again:
        await _repeat(deps, actor, again)


async def _use_agent(deps: Deps, actor: Actor, completing: SpendCompleter, entry: _Entry) -> None:
    assert entry.asked is not None
    try:
        document, replayed = await complete_use(deps, actor, completing, entry.agent_id, entry.asked)
    except Unavailable:
        raise
    except DomainError as error:
        status = next((status.value for kind, status in _REFUSED.items() if isinstance(error, kind)), "invalid")
        _refuse(entry, status, error)
        return
    entry.answer = {"key": entry.key, "replayed": replayed, **document}


def _judged(actor: Actor, key: SpendingKey, item: object) -> _Entry:
    named = item.get("key") if isinstance(item, dict) else None
    entry = _Entry(named if isinstance(named, str) else None)
    try:
        use = _ITEM.validate_python(item)
        entry.asked = read_request(actor, key, use, key_of(actor, checked_key(use.key)))
        entry.agent_id = use.payee_agent_id
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        field, message = field_in(item, wrong["loc"], wrong["type"]), message_of(wrong)
        _refuse(entry, "invalid", Invalid(f"{field}: {message}" if field else message, extra={"field": field}))
    except Invalid as error:
        _refuse(entry, "invalid", error)
    return entry


async def _charge(deps: Deps, actor: Actor, entries: Sequence[_Entry]) -> None:
    assert actor.org_id is not None
    ready = [(entry, entry.spend) for entry in entries if entry.spend is not None]
    if not ready:
        return
    wanted = [spend for _, spend in ready]
    answers = await deps.charges.run(actor.org_id, lambda books: books.charge_many(wanted))
    for (entry, spend), spent in zip(ready, answers, strict=True):
        _show(entry, spend, spent)


def _may_be_repeated(entry: _Entry) -> bool:
    return entry.answer is not None and entry.answer["status"] in {"conflict", "invalid"}


async def _repeat(deps: Deps, actor: Actor, entries: Sequence[_Entry]) -> None:
    """Ask once more by the first terms of each key that has been used before; see `asking.answered`."""
    assert actor.org_id is not None
    known = []
    async with deps.session_for(actor) as session:
        for entry in entries:
            assert entry.asked is not None
            entry.spend = await spends.first_request(session, actor.org_id, entry.asked)
            known += [entry] if entry.spend is not None else []
    await _charge(deps, actor, known)


def _show(entry: _Entry, spend: NewSpend, spent: SpendResult) -> None:
    refusal = other_request() if spent.outcome is SpendOutcome.CONFLICT else spends.refusal_of(spent)
    if refusal is not None:
        _refuse(entry, spent.outcome.value, refusal, replayed=spent.replayed)
        return
    entry.answer = {"key": entry.key, "replayed": spent.replayed, **spent_document(spent, spend)}


def _refuse(entry: _Entry, status: str, error: DomainError, *, replayed: bool = False) -> None:
    problem = {"code": error.error_code, "detail": error.detail, **error.extra}
    entry.answer = {"key": entry.key, "status": status, "replayed": replayed, "error": problem}
