"""From a request to a spend: its key, its cost, and whom it spends for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends

from api.auth import ActorDep
from api.deps import Deps
from api.idempotency import checked_key, key_header
from api.spending import scope_for
from api.v1.spends.schemas import PooledCreate, SpendCreate
from domain.common import ids
from domain.common.access import Actor
from domain.common.errors import IdempotencyConflict, IdempotencyMissing, Invalid
from domain.common.money import CREDIT, parse_amount
from domain.credits.action_cost import cost_of
from domain.credits.spend.scope import RequestedScope, Scope, SpendingKey
from ledger.spends import NewSpend, OnLimit, Pool, Spender, SpendResult
from repositories.credits.spend import SpendRequest
from services.credits import spend as spends

#: For how many different agents, departments and projects the items of one request may spend.
MAX_SCOPES = 200


def spend_key() -> Any:
    """Return a dependency: the key under which the books have the spend permanently once.

    It is the client's key prefixed with the principal, so principals of an organization cannot collide.
    """

    async def key(
        actor: ActorDep,
        idempotency_key: Annotated[str | None, key_header("7f0c1f3e-call-1", required=True)] = None,
    ) -> str:
        if idempotency_key is None:
            raise IdempotencyMissing("This request moves money: send an Idempotency-Key header.")
        return key_of(actor, checked_key(idempotency_key))

    return Depends(key)


def key_of(actor: Actor, client_key: str) -> str:
    """Write a client's key as the books keep it, within the organization."""
    return ids.spend_key(actor.principal, client_key)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a spend was asked for as, and what the books said."""

    spend: NewSpend
    spent: SpendResult


def read_request(actor: Actor, key: SpendingKey, body: SpendCreate, spend_key: str) -> SpendRequest:
    return SpendRequest(
        key=spend_key,
        action=body.action,
        amount_minor=None if body.amount is None else parse_amount(body.amount, CREDIT),
        quantity=body.quantity,
        spender=Spender(
            agent_id=body.agent_id,
            department_id=body.department_id,
            project_id=body.project_id,
            run_id=body.run_id,
            key_id=key.key_id,
            principal=actor.principal,
        ),
        metadata=body.metadata,
        pool=Pool(body.pool.value) if isinstance(body, PooledCreate) else Pool.OPERATING,
        on_limit=body.on_limit if isinstance(body, PooledCreate) else OnLimit.REFUSE,
    )


class SpendCompleter:
    """Adds to what requests of one key say what they cost and whom they spend for, as it is now.

    What a key may spend for is looked up once for each agent, department and project that is named.
    """

    def __init__(self, deps: Deps, actor: Actor, key: SpendingKey) -> None:
        self._deps = deps
        self._actor = actor
        self._key = key
        self._scopes: dict[RequestedScope, Scope | Invalid] = {}

    async def complete(self, asked: SpendRequest) -> NewSpend:
        """Return the spend with its cost and whom it is for.

        Raises:
            Invalid: the action has no cost, or the key may not spend for what the request names.
        """
        assert self._actor.org_id is not None
        await self._deps.unpaid.check(self._actor.org_id)
        amount_minor = asked.amount_minor
        if amount_minor is None:
            assert asked.action is not None
            amount_minor = cost_of(await self._deps.costs.of(self._actor.org_id), asked.action).of(asked.quantity)
        named = asked.spender
        scope = await self._scope(
            RequestedScope(agent_id=named.agent_id, department_id=named.department_id, project_id=named.project_id)
        )
        attributed = replace(
            named, agent_id=scope.agent_id, department_id=scope.department_id, project_id=scope.project_id
        )
        return replace(asked.spend(amount_minor), spender=attributed)

    async def _scope(self, named: RequestedScope) -> Scope:
        found = self._scopes.get(named)
        if found is None:
            if len(self._scopes) >= MAX_SCOPES:
                raise Invalid(f"A request must not spend for more than {MAX_SCOPES} agents, departments and projects.")
            try:
                found = await scope_for(self._deps, self._actor, self._key, named)
            except Invalid as refusal:
                found = refusal
            self._scopes[named] = found
        if isinstance(found, Invalid):
            raise found
        return found


async def spend_once(
    deps: Deps,
    actor: Actor,
    key: SpendingKey,
    asked: SpendRequest,
    ask: Callable[[str, NewSpend], Awaitable[SpendResult]],
) -> Answer:
    """Ask the books for a spend, by its first terms where the key has been used before.

    Prices and attributions may have changed since, and a repeated request has its first answer all the same.

    Raises:
        Invalid: as `SpendCompleter.complete`.
        refused it.
    """
    org_id = actor.org_id
    assert org_id is not None
    try:
        spend = await SpendCompleter(deps, actor, key).complete(asked)
        spent = await ask(org_id, spend)
    except (Invalid, IdempotencyConflict):
        async with deps.session_for(actor) as session:
            first = await spends.first_request(session, org_id, asked)
        if first is None:
            raise
        spend, spent = first, await ask(org_id, first)
    refusal = spends.refusal_of(spent)
    if refusal is not None:
        raise refusal
    return Answer(spend, spent)
