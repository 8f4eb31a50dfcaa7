"""Notifications of the caller: its inbox, its channels, and its preferences. No caller reads those of another."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import Page, SearchText
from api.idempotency import MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest, items_of
from api.routing import Resource
from api.v1.notifications.schemas import (
    ChannelCreate,
    ChannelVerify,
    ChannelView,
    NotificationsRead,
    NotificationsReadView,
    NotificationView,
    PreferencesSet,
    PreferencesView,
)
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.messages.mentions import ids_in
from domain.messages.notification.channel import KeysMissing
from domain.messages.notification.preferences import Preferences
from models.messages.notification import NotificationRow
from providers.formats import formats_of
from repositories.common.required import require_found
from repositories.messages import notification as notifications
from repositories.tenants import name
from services.messages import notification as service
from services.messages.notification import ChannelRequest

router = Resource(tags=["notifications"])


@asynccontextmanager
async def _own(deps: Deps, actor: Actor) -> AsyncIterator[tuple[AsyncSession, str]]:
    """Open a transaction that sees the caller's own rows, and return the caller's name."""
    async with deps.session_for(actor) as session:
        await notifications.as_principal(session, actor)
        yield session, notifications.recipient(actor)


async def _names(session: AsyncSession, actor: Actor, rows: Iterable[NotificationRow]) -> dict[str, str]:
    """Return the names of objects that notifications mention, if the reader may see them."""
    mentioned = ids_in(text for row in rows for text in (row.subject, str(row.data.get("detail", ""))))
    return await name.names_of(session, mentioned, actor.org_id)


_LIST = ListEndpoint(
    "notifications",
    NotificationView,
    *CREATED,
    order=["ntf"],
    unread=Annotated[bool, Query(description="Only unread notifications.")],
    type=Annotated[SearchText | None, Query(description="Only notifications of this type.")],
    subject=Annotated[SearchText | None, Query(description="Only notifications about the object with this id.")],
)


@_LIST.get(router, "/notifications")
async def list_notifications(
    deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.BE_NOTIFIED)
) -> Items:
    """List the notifications in the caller's inbox, newest first, in the caller's language."""
    wanted, unread = asked.wanted(None, without=["unread"], type="kind"), bool(asked.get("unread"))
    async with _own(deps, actor) as (session, own):
        found = await notifications.inbox(session, wanted, recipient=own, unread_only=unread)
        language = (await notifications.preferences(session, own)).language
        names = await _names(session, actor, found.rows)
    formats = formats_of(language)
    return items_of(found, lambda row: NotificationView.of(row, language, formats, names))


@router.post("/notifications/read", response_model=NotificationsReadView, operation_id="notifications.read_many")
async def read_notifications(
    body: NotificationsRead, deps: DepsDep, *, actor: Actor = require(Permission.BE_NOTIFIED), command: MayRepeat
) -> Response:
    """Mark notifications in the caller's inbox as read."""
    async with command, deps.database.platform() as session:
        own = notifications.recipient(actor)
        count = await notifications.read_all(session, own, until=body.until, now=datetime.now(UTC))
        return command.answer(NotificationsReadView(read=count))


@router.get("/notifications/preferences")
async def get_notification_preferences(
    deps: DepsDep, actor: Actor = require(Permission.BE_NOTIFIED)
) -> PreferencesView:
    """Read the caller's preferences: the timing of each notification type by channel."""
    async with _own(deps, actor) as (session, own):
        return await _preferences(session, actor, await notifications.preferences(session, own))


@router.put("/notifications/preferences", response_model=PreferencesView, responses=errors(refusals.OnlyRecipient))
async def set_notification_preferences(
    body: PreferencesSet, deps: DepsDep, *, actor: Actor = require(Permission.BE_NOTIFIED), command: MayRepeat
) -> Response:
    """Replace the caller's preferences: the timing of each notification type by channel.

    A digest collects what happened in one message. It is sent at the full hour, or at the hour and on the weekday that
    are set here. Chargebacks and critical alerts do not wait for the end of quiet hours. All hours are in the time zone
    of `PUT /me/preferences`.
    """
    wanted = body.preferences()
    async with command, deps.database.platform() as session:
        done = await service.set_preferences(session, actor, wanted, now=datetime.now(UTC))
        return command.answer(await _preferences(session, actor, done))


async def _preferences(session: AsyncSession, actor: Actor, wanted: Preferences) -> PreferencesView:
    own = await notifications.channels(session, notifications.recipient(actor))
    return PreferencesView.of(wanted, actor.role, [each.id for each in own])


@router.get("/notifications/channels")
async def list_notification_channels(
    deps: DepsDep, actor: Actor = require(Permission.BE_NOTIFIED)
) -> Page[ChannelView]:
    """List the caller's channels, at most ten. The inbox always exists and is not listed."""
    async with _own(deps, actor) as (session, own):
        rows = await notifications.channels(session, own)
    return Page(data=[ChannelView.of(row) for row in rows])


@router.post(
    "/notifications/channels",
    status_code=201,
    response_model=ChannelView,
    responses=errors(
        KeysMissing,
        refusals.NotificationLimitReached,
        refusals.NotificationChannelExists,
        refusals.NotificationCodesExhausted,
    ),
)
async def create_notification_channel(
    body: ChannelCreate, deps: DepsDep, *, actor: Actor = require(Permission.BE_NOTIFIED), command: MayRepeat
) -> Response:
    """Create a channel, to which a code is sent. The channel is used once the code is confirmed."""
    wanted = ChannelRequest(kind=body.kind, target=body.target, command_id=command.command_id)
    sealer, hooks = deps.notification_sealer, deps.settings.slack_url
    async with command, deps.database.platform() as session:
        row = await service.create_channel(session, actor, wanted, sealer, hooks=hooks, now=datetime.now(UTC))
        return command.answer(ChannelView.of(row))


@router.post("/notifications/channels/{channel_id}/verify", responses=errors(refusals.CodeRefused))
async def verify_notification_channel(
    channel_id: str, body: ChannelVerify, deps: DepsDep, actor: Actor = require(Permission.BE_NOTIFIED)
) -> ChannelView:
    """Confirm the code that was sent to the channel. It is valid for five tries and 30 minutes."""
    async with deps.database.platform() as session:
        row, problem = await service.verify_channel(
            session, actor, channel_id, body.code, deps.notification_sealer, now=datetime.now(UTC)
        )
    if problem is not None:
        # Raised after the commit: a try that rolled back would not have counted.
        raise problem
    return ChannelView.of(row)


@router.post(
    "/notifications/channels/{channel_id}/resend",
    response_model=ChannelView,
    responses=errors(KeysMissing, refusals.NotificationVerified, refusals.NotificationCodesExhausted),
)
async def resend_notification_code(
    channel_id: str, deps: DepsDep, *, actor: Actor = require(Permission.BE_NOTIFIED), command: MayRepeat
) -> Response:
    """Send another code, which replaces the last one. Limits for one address: three an hour and ten a day."""
    async with command, deps.database.platform() as session:
        row = await service.resend_code(session, actor, channel_id, deps.notification_sealer, now=datetime.now(UTC))
        return command.answer(ChannelView.of(row))


@router.delete("/notifications/channels/{channel_id}", status_code=204)
async def delete_notification_channel(
    channel_id: str, deps: DepsDep, actor: Actor = require(Permission.BE_NOTIFIED)
) -> Response:
    """Delete a channel permanently. Nothing more is sent to it."""
    async with deps.database.platform() as session:
        await service.delete_channel(session, actor, channel_id, now=datetime.now(UTC))
    return Response(status_code=204)


@router.post("/notifications/{notification_id}/read", response_model=NotificationView)
async def read_notification(
    notification_id: str, deps: DepsDep, *, actor: Actor = require(Permission.BE_NOTIFIED), command: MayRepeat
) -> Response:
    """Mark a notification in the caller's inbox as read. The first time counts."""
    async with command, deps.database.platform() as session:
        own = notifications.recipient(actor)
        row = require_found(
            await notifications.read(session, own, notification_id, datetime.now(UTC)), notifications.MISSING
        )
        language = (await notifications.preferences(session, own)).language
        names = await _names(session, actor, [row])
        return command.answer(NotificationView.of(row, language, formats_of(language), names))
