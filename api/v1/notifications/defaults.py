"""Default timing of notification types, set by operators for people without a preference."""

from datetime import UTC, datetime

from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.fields import Page
from api.idempotency import MayRepeat
from api.routing import Resource
from api.v1.notifications.schemas import DefaultsSet, DefaultsView
from domain.common.access import Actor, Permission
from domain.common.errors import Invalid
from domain.messages.notification.types import TYPES
from repositories.messages import notification as notifications
from services.messages import notification as service

router = Resource(tags=["notification_defaults"])


@router.get("/notifications/defaults")
async def list_notification_defaults(deps: DepsDep, actor: Actor = require(Permission.INSPECT)) -> Page[DefaultsView]:
    """List each notification type with its default timing by role. For operators and auditors of the platform."""
    async with deps.session_for(actor) as session:
        defaults = await notifications.defaults(session)
    return Page(data=[DefaultsView.of(kind, defaults) for kind in TYPES])


@router.put("/notifications/defaults/{notification_type}", response_model=DefaultsView, responses=errors(Invalid))
async def set_notification_defaults(
    notification_type: str,
    body: DefaultsSet,
    deps: DepsDep,
    *,
    actor: Actor = require(Permission.OPERATE),
    command: MayRepeat,
) -> Response:
    """Set the default timing of a notification type by role. Preferences that people have set stay. For operators.

    It applies to future notifications.
    """
    async with command, deps.database.platform() as session:
        kind = service.type_named(notification_type)
        await service.set_defaults(session, actor, kind.name, body.cadences, now=datetime.now(UTC))
        return command.answer(DefaultsView.of(kind, await notifications.defaults(session)))


@router.delete("/notifications/defaults/{notification_type}", status_code=204)
async def reset_notification_defaults(
    notification_type: str, deps: DepsDep, actor: Actor = require(Permission.OPERATE)
) -> Response:
    """Reset a notification type to the built-in defaults. For operators."""
    async with deps.database.platform() as session:
        await service.reset_defaults(session, actor, notification_type)
    return Response(status_code=204)
