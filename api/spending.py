"""For what a request spends, by its key and what it names; every endpoint that spends asks here."""

from api.deps import Deps
from domain.common.access import Actor
from domain.credits.spend.scope import RequestedScope, Scope, ScopeObjects, SpendingKey, needs_lookup, scope_of
from repositories.credits import department as departments


async def scope_for(deps: Deps, actor: Actor, key: SpendingKey, named: RequestedScope) -> Scope:
    """Return for what a request of a tenant spends; one that names nothing beyond its key's own looks nothing up."""
    known = ScopeObjects()
    if actor.org_id is not None and needs_lookup(key, named):
        async with deps.session_for(actor) as session:
            known = await departments.find_scope_objects(session, actor.org_id, key, named)
    return scope_of(key, named, known)
