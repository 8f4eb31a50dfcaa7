"""Decisions on events of the platform's own, such as a sign-up."""

from collections.abc import Mapping

from domain.common.access import Actor
from domain.risk.act import EntityKind, Point, RiskAct, is_public, written


def act_of(
    actor: Actor,
    event: Point,
    subject: str,
    *,
    org_id: str | None,
    seen: Mapping[EntityKind, str | None],
    command_id: str,
) -> RiskAct:
    """Return the act of an event, with the given entities alone: key and address are the platform's, not the person's.

    Raises:
        Invalid: the address is none.
    """
    given = {kind: written(kind, value, kind.value) for kind, value in seen.items() if value is not None}
    address = given.get(EntityKind.ADDRESS)
    if address is not None and not is_public(address):
        del given[EntityKind.ADDRESS]
    return RiskAct(
        point=event,
        actor=Actor(principal=actor.principal, role=actor.role),
        org_id=org_id,
        subject=subject,
        command_id=command_id,
        seen=given,
    )
