"""Whose data a request is for."""

from dataclasses import replace

from api.auth import permit
from api.deps import Deps
from domain.common.access import Actor, Permission
from domain.common.errors import Invalid, NotFound
from repositories.common.listing import ListFilter
from repositories.marketplace import agent as agents
from repositories.tenants import organization as organizations


def acting_organization(actor: Actor, organization_id: str | None) -> str:
    """Return the organization that a request is for: a tenant's own, or the one that the platform names.

    Raises:
        NotFound: a tenant named another one.
        Invalid: the platform named none.
    """
    if actor.org_id is None:
        if organization_id is None:
            raise Invalid("Name the organization with organization_id.", extra={"field": "organization_id"})
        return organization_id
    if organization_id not in {None, actor.org_id}:
        raise NotFound(organizations.MISSING)
    return actor.org_id


def named_agent(actor: Actor, agent_id: str | None) -> str:
    """Return the agent that a request is about: the one that it names, or that of an agent's key.

    Raises:
        Invalid: it names none, and the key is of no agent.
    """
    found = agent_id or actor.agent_id
    if found is None:
        raise Invalid("Name the agent with agent_id: this key is of no agent.", extra={"field": "agent_id"})
    return found


async def known_organization(deps: Deps, actor: Actor, organization_id: str | None) -> str:
    """Return the organization that a request is for, and judge what only operators may name.

    Raises:
        NotFound: a tenant named another one, or the platform one that does not exist.
        Invalid: the platform named none.
    """
    org_id = acting_organization(actor, organization_id)
    if actor.is_platform:
        permit(actor, Permission.INSPECT)
        async with deps.session_for(actor) as session:
            await organizations.get(session, org_id)
    return org_id


async def known_organization_or_all(deps: Deps, actor: Actor, organization_id: str | None) -> str | None:
    """Return the organization that figures are of, as `known_organization`; None where the platform names none.

    Raises:
        NotFound, Forbidden: as `known_organization`.
    """
    if actor.is_platform and organization_id is None:
        return listed_organization(actor, None)
    return await known_organization(deps, actor, organization_id)


def visible_organization(actor: Actor, organization_id: str | None) -> str | None:
    """Return the organization that a list is narrowed to: a tenant's own, the named one, or None for all.

    Raises:
        NotFound: a tenant named another one.
    """
    if actor.org_id is not None and organization_id not in {None, actor.org_id}:
        raise NotFound(organizations.MISSING)
    return actor.org_id or organization_id


def listed_organization(actor: Actor, organization_id: str | None) -> str | None:
    """Return what `visible_organization` does, where only operators may see the lists of others.

    Raises:
        NotFound: a tenant named another one.
    """
    if actor.is_platform:
        permit(actor, Permission.INSPECT)
    return visible_organization(actor, organization_id)


def refuse_other_agent(actor: Actor, agent_id: str | None, missing: str) -> None:
    """Refuse an agent's key an object of another agent: it does not exist for it.

    Raises:
        NotFound: the object is not of the key's agent.
    """
    if actor.agent_id not in {None, agent_id}:
        raise NotFound(missing)


def of_own_agent(actor: Actor, wanted: ListFilter) -> ListFilter:
    """Narrow a list to the agent of an agent's key.

    Raises:
        NotFound: an agent's key named another one.
    """
    if actor.agent_id is None:
        return wanted
    if wanted.equal.get("agent_id", actor.agent_id) != actor.agent_id:
        raise NotFound(agents.MISSING)
    return replace(wanted, equal={**wanted.equal, "agent_id": actor.agent_id})


def visible_agent(actor: Actor, agent_id: str | None) -> str | None:
    """Return the agent that a list is narrowed to: that of an agent's key, the named one, or None for all.

    Raises:
        NotFound: an agent's key named another one.
    """
    if actor.agent_id is not None and agent_id not in {None, actor.agent_id}:
        raise NotFound(agents.MISSING)
    return actor.agent_id or agent_id
