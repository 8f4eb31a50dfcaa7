"""People with channels, put into the books past the API."""

from datetime import UTC, datetime
from typing import Any

from domain.common.access import Role
from domain.messages.notification.channel import ChannelKind, digest_of_target
from domain.messages.notification.preferences import recipient_of
from models.tenants.api_key import ApiKey
from models.tenants.organization import Organization
from repositories.messages import notification as notifications
from runtime.database import Database
from runtime.identity import new_id
from runtime.sealing import OF_CHANNELS, Sealer
from tests.support.webhooks import WEBHOOK_KEYS

SEALER = Sealer(WEBHOOK_KEYS, bound=OF_CHANNELS)


async def an_organization(database: Database) -> str:
    org_id = new_id("org")
    async with database.platform() as session:
        session.add(Organization(id=org_id, name="x", created_by="x", command_id=org_id))
    return org_id


async def a_principal(database: Database, org_id: str | None, name: str, role: Role, **more: Any) -> None:
    key_id = new_id("key")
    async with database.platform() as session:
        session.add(
            ApiKey(
                id=key_id,
                org_id=org_id,
                principal=name,
                role=role.value,
                secret_hash=b"0" * 32,
                created_by="tests",
                command_id=key_id,
                **more,
            )
        )


async def a_channel(
    database: Database,
    org_id: str | None,
    principal: str,
    *,
    kind: ChannelKind = ChannelKind.MAIL,
    address: str | None = None,
    verified: bool = True,
) -> str:
    channel_id = new_id("nch")
    is_mail = kind is ChannelKind.MAIL
    target = address or (f"{channel_id}@acme.example" if is_mail else f"https://hooks.slack.com/services/{channel_id}")
    now = datetime.now(UTC)
    async with database.platform() as session:
        await notifications.add_channel(
            session,
            {
                "id": channel_id,
                "org_id": org_id,
                "principal": principal.lower(),
                "recipient": recipient_of(org_id, principal),
                "command_id": channel_id,
                "kind": kind.value,
                "status": "verified" if verified else "pending",
                "address": target if is_mail else None,
                "hook": None if is_mail else SEALER.seal(target),
                "shown": target,
                "target_digest": digest_of_target(kind, target),
                "verified_at": now if verified else None,
            },
        )
    return channel_id


async def a_locale(
    database: Database, org_id: str | None, principal: str, *, locale: str | None = None, zone: str | None = None
) -> None:
    async with database.platform() as session:
        await notifications.put_locale(
            session, org_id=org_id, principal=principal, locale=locale, time_zone=zone, now=datetime.now(UTC)
        )
