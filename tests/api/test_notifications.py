"""Channels, preferences and the inbox over HTTP, and access of others."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, text, update

from domain.messages.notification.channel import CODE_TRIES, CODES_AN_HOUR, MAX_CHANNELS
from domain.messages.notification.types import CODE
from models.messages.notification import NotificationChannel, NotificationRow
from repositories.messages import notification as notifications
from repositories.messages.notification import NewNotification
from runtime.database import Database
from runtime.identity import new_id
from runtime.sealing import OF_CHANNELS, Sealer
from services.messages import notification as service
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.support.webhooks import WEBHOOK_KEYS

pytestmark = pytest.mark.db

SEALER = Sealer(WEBHOOK_KEYS, bound=OF_CHANNELS)
HOOK = "https://hooks.slack.com/services/T000/B000/secretsecret"
CHANNELS, PREFERENCES = "/notifications/channels", "/notifications/preferences"


@pytest.fixture
async def own(new_tenant: NewTenant, sealing: httpx2.AsyncClient) -> Tenant:
    return (await new_tenant("owner", "admin", "member")).through(sealing)


def an_address() -> str:
    return f"{new_id('kim')}@acme.example"


async def made(caller: Caller, **body: Any) -> dict[str, Any]:
    body = body or {"kind": "mail", "address": an_address()}
    found: dict[str, Any] = good(await caller.post(CHANNELS, body), 201)
    return found


async def row_of(database: Database, channel_id: str) -> NotificationChannel:
    async with database.platform() as session:
        return await session.get_one(NotificationChannel, channel_id)


async def code_of(database: Database, channel_id: str) -> str:
    sealed = (await row_of(database, channel_id)).code
    return SEALER.open(sealed or "") or ""


async def verified(database: Database, caller: Caller, **body: Any) -> str:
    channel = await made(caller, **body)
    code = await code_of(database, channel["id"])
    assert good(await caller.post(f"{CHANNELS}/{channel['id']}/verify", {"code": code}))["status"] == "verified"
    return str(channel["id"])


async def principal_of(database: Database, caller: Caller) -> str:
    found = good(await caller.get("/notifications/channels"))["data"]
    async with database.platform() as session:
        return str(
            await session.scalar(select(NotificationChannel.principal).where(NotificationChannel.id == found[0]["id"]))
        )


async def add_notification(database: Database, org_id: str, principal: str) -> str:
    """Add a notification to an inbox, and return its id."""
    made, now = new_id("ntf"), datetime.now(UTC)
    data = {"kind": "a.kind", "subject": "esc_1", "severity": "warning", "detail": "Look at it."}
    row = NewNotification(
        id=made,
        source=made,
        org_id=org_id,
        principal=principal,
        channel="inbox",
        kind="alert_warning",
        fact="alert",
        subject="esc_1",
        data=data,
        status="sent",
        due_at=now,
        created_at=now,
    )
    async with database.platform() as session:
        await notifications.add(session, [row])
    return made


async def test_channel_is_used_once_its_code_was_confirmed(own: Tenant, database: Database) -> None:
    key, address = new_key(), an_address()
    body = {"kind": "mail", "address": address}
    first = good(await own.owner.post(CHANNELS, body, key=key), 201)
    assert (first["status"], first["target"]) == ("pending", address)
    assert good(await own.owner.post(CHANNELS, body, key=key), 201) == first
    async with database.platform() as session:
        queued = (await session.scalars(select(NotificationRow).where(NotificationRow.channel == first["id"]))).all()
    code = await code_of(database, first["id"])
    assert [(row.kind, row.status) for row in queued] == [(CODE, "queued")]
    assert code not in str(queued[0].data)
    assert code not in str((await row_of(database, first["id"])).code)
    done = good(await own.owner.post(f"{CHANNELS}/{first['id']}/verify", {"code": code}))
    assert done["status"] == "verified"
    assert (await row_of(database, first["id"])).code is None
    refused(await own.owner.post(f"{CHANNELS}/{first['id']}/resend"), 409, "notification.verified")
    refused(await own.owner.post(CHANNELS, body), 409, "notification.channel_exists")


async def test_url_of_slack_is_kept_sealed_and_shown_by_its_end(own: Tenant, database: Database) -> None:
    channel = await made(own.owner, kind="slack", url=HOOK)
    assert channel["target"] == "https://hooks.slack.com/…cret"
    row = await row_of(database, channel["id"])
    assert (row.address, SEALER.open(row.hook or "")) == (None, HOOK)
    assert "secretsecret" not in str(row.hook)
    good_delete = await own.owner.delete(f"{CHANNELS}/{channel['id']}")
    assert good_delete.status_code == 204
    row = await row_of(database, channel["id"])
    assert (row.status, row.hook, row.code, row.shown) == ("deleted", None, None, "")
    refused(await own.owner.delete(f"{CHANNELS}/{channel['id']}"), 404, "not_found")


async def test_guessing_a_code_ends_after_five_tries_that_count_although_they_are_refused(
    own: Tenant, database: Database
) -> None:
    channel = await made(own.owner)
    code = await code_of(database, channel["id"])
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    path = f"{CHANNELS}/{channel['id']}/verify"
    left = [
        refused(await own.owner.post(path, {"code": wrong}), 409, "notification.code_refused")["tries_left"]
        for _ in range(CODE_TRIES)
    ]
    assert left == [4, 3, 2, 1, 0]
    answer = refused(await own.owner.post(path, {"code": code}), 409, "notification.code_refused")
    assert answer["reason"] == "tries"
    for _ in range(CODES_AN_HOUR - 1):
        good(await own.owner.post(f"{CHANNELS}/{channel['id']}/resend"))
    limited = await own.owner.post(f"{CHANNELS}/{channel['id']}/resend")
    refused(limited, 429, "notification.codes_exhausted")
    assert int(limited.headers["retry-after"]) > 3000
    # Neither a new channel nor a colleague gets more codes for the same address.
    address = {"kind": "mail", "address": channel["target"].upper().replace("ACME.EXAMPLE", "acme.example")}
    refused(await own.admin.post(CHANNELS, address), 429, "notification.codes_exhausted")
    assert (await own.owner.delete(f"{CHANNELS}/{channel['id']}")).status_code == 204
    refused(await own.owner.post(CHANNELS, address), 429, "notification.codes_exhausted")


async def test_expired_code_and_code_of_another_channel_are_refused(own: Tenant, database: Database) -> None:
    channel, other = await made(own.owner), await made(own.owner)
    code, path = await code_of(database, channel["id"]), f"{CHANNELS}/{channel['id']}/verify"
    refused(await own.owner.post(f"{CHANNELS}/{other['id']}/verify", {"code": code}), 409, "notification.code_refused")
    refused(await own.admin.post(path, {"code": code}), 404, "not_found")
    async with database.platform() as session:
        past = update(NotificationChannel).where(NotificationChannel.id == channel["id"])
        await session.execute(past.values(code_sent_at=datetime.now(UTC) - timedelta(minutes=31)))
    assert refused(await own.owner.post(path, {"code": code}), 409, "notification.code_refused")["reason"] == "expired"


async def test_no_more_than_ten_channels(own: Tenant, database: Database) -> None:
    first = await made(own.owner)
    async with database.platform() as session:
        row = (await session.scalars(select(NotificationChannel).where(NotificationChannel.id == first["id"]))).one()
        names = [column.key for column in NotificationChannel.__table__.columns]
        for number in range(MAX_CHANNELS - 1):
            values = {name: getattr(row, name) for name in names}
            values |= {"id": new_id("nch"), "command_id": new_id("cmd"), "target_digest": str(number)}
            await notifications.add_channel(session, {**values, "codes_sent_at": []})
    refused(
        await own.owner.post(CHANNELS, {"kind": "mail", "address": an_address()}), 409, "notification.limit_reached"
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "mail"}, "address"),
        ({"kind": "mail", "address": "kim@acme.example\r\nBcc: x@acme.example"}, "address"),
        ({"kind": "mail", "address": "kim@acme.example", "url": HOOK}, "address"),
        ({"kind": "slack", "address": "kim@acme.example"}, "url"),
        ({"kind": "slack", "url": "https://hooks.slack.com.evil.example/services/T0/B0/x"}, "url"),
    ],
)
async def test_channel_with_an_invalid_address_is_refused_with_its_field(
    own: Tenant, body: dict[str, Any], field: str
) -> None:
    assert refused(await own.owner.post(CHANNELS, body), 422, "request.invalid")["field"] == field


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"quiet_hours": {"starts": "08:00", "ends": "08:00"}}, "quiet_hours"),
        ({"types": {"nothing": {}}}, "types.nothing"),
        (
            {"types": {"payout": {"nch_01kar6x0qmf9rv4w7n2h8d3s5c": "off"}}},
            "types.payout.nch_01kar6x0qmf9rv4w7n2h8d3s5c",
        ),
        ({"types": {"payout": {"inbox": "daily"}}}, "types.payout.inbox"),
    ],
)
async def test_invalid_preferences_are_refused_with_their_field(own: Tenant, body: dict[str, Any], field: str) -> None:
    assert refused(await own.owner.ask("PUT", PREFERENCES, json=body), 422, "request.invalid")["field"] == field


async def test_preferences_show_what_applies(own: Tenant, database: Database) -> None:
    channel = await verified(database, own.owner)
    body = {
        "quiet_hours": {"starts": "22:00", "ends": "07:00"},
        "digest_hour": 9,
        "types": {"payout": {channel: "weekly"}},
    }
    found = good(await own.owner.ask("PUT", PREFERENCES, json=body))
    assert good(await own.owner.get(PREFERENCES)) == found
    assert {name: found[name] for name in body if name != "types"} == {
        name: value for name, value in body.items() if name != "types"
    }
    ways = {each["type"]: each["channels"] for each in found["types"]}
    assert ways["payout"] == {"inbox": "instant", channel: "weekly"}
    chosen = {each["type"]: each["chosen"] for each in found["types"] if each["chosen"]}
    assert chosen == {"payout": {channel: "weekly"}}
    assert ways["refund"] == {"inbox": "off", channel: "off"}
    # A member has other types, and its own preferences.
    other = good(await own.member.get(PREFERENCES))
    assert "chargeback" not in {each["type"] for each in other["types"]}


async def test_last_recipient_of_chargeback_notifications_cannot_be_removed(own: Tenant, database: Database) -> None:
    off = {"types": {"chargeback": {"inbox": "off"}}}
    good(await own.owner.ask("PUT", PREFERENCES, json=off))
    answer = refused(await own.admin.ask("PUT", PREFERENCES, json=off), 409, "notification.only_recipient")
    assert answer["notification_type"] == "chargeback"
    # Whoever has a mail of it is the only one who has, although the admin has it in the inbox.
    channel = await verified(database, own.owner)
    principal = await principal_of(database, own.owner)

    async def unsubscribe(kind: str, channel_id: str = channel) -> None:
        async with database.platform() as session:
            await service.unsubscribe(
                session,
                org_id=own.org_id,
                principal=principal,
                channel_id=channel_id,
                kind=kind,
                now=datetime.now(UTC),
            )

    await unsubscribe("payout")
    await unsubscribe("payout")
    ways = {each["type"]: each["channels"] for each in good(await own.owner.get(PREFERENCES))["types"]}
    assert ways["payout"] == {"inbox": "instant", channel: "off"}
    assert ways["chargeback"] == {"inbox": "off", channel: "instant"}
    with pytest.raises(Exception, match="Nobody else of the organization"):
        await unsubscribe("chargeback")
    with pytest.raises(Exception, match="no such channel"):
        await unsubscribe("payout", await verified(database, own.admin))


async def test_inbox_shows_only_the_callers_notifications(own: Tenant, database: Database) -> None:
    await made(own.owner)
    principal = await principal_of(database, own.owner)
    first, second = (
        await add_notification(database, own.org_id, principal),
        await add_notification(database, own.org_id, principal),
    )
    listed = good(await own.owner.get("/notifications"))["data"]
    assert [each["id"] for each in listed] == [second, first]
    assert (listed[0]["title"], listed[0]["read_at"]) == ("Warning: a.kind", None)
    page = good(await own.owner.get("/notifications?limit=1"))
    following = await own.owner.get(f"/notifications?limit=1&cursor={page['next_cursor']}")
    assert [each["id"] for each in good(following)["data"]] == [first]
    assert good(await own.admin.get("/notifications"))["data"] == []
    refused(await own.admin.post(f"/notifications/{first}/read"), 404, "not_found")
    refused(await own.owner.post("/notifications/nonsense/read"), 404, "not_found")
    read = good(await own.owner.post(f"/notifications/{first}/read"))
    assert read["read_at"] is not None
    assert good(await own.owner.post(f"/notifications/{first}/read")) == read
    unread = good(await own.owner.get("/notifications?unread=true"))["data"]
    assert [each["id"] for each in unread] == [second]
    assert good(await own.owner.post("/notifications/read", {"until": first})) == {"read": 0}
    assert good(await own.owner.post("/notifications/read", {})) == {"read": 1}
    assert good(await own.owner.get("/notifications?unread=true"))["data"] == []


async def test_me_counts_unread_notifications(own: Tenant, database: Database, operator: Caller) -> None:
    asked = {"params": {"unread": "true"}}
    principal = str(good(await own.owner.get("/me"))["principal"])
    for _ in range(2):
        last = await add_notification(database, own.org_id, principal)
    assert good(await own.owner.get("/me", **asked))["unread"] == 2
    assert good(await own.owner.get("/me"))["unread"] is None
    assert good(await own.member.get("/me", **asked))["unread"] == 0
    assert isinstance(good(await operator.get("/me", **asked))["unread"], int)
    good(await own.owner.post(f"/notifications/{last}/read"))
    assert good(await own.owner.get("/me", **asked))["unread"] == 1


async def test_database_shows_a_tenant_only_notifications_of_its_principals(own: Tenant, database: Database) -> None:
    channel = await made(own.owner)
    principal = await principal_of(database, own.owner)
    await add_notification(database, own.org_id, principal)
    await good_preferences(own)
    seen = {}
    for name in ("", "somebody", principal.upper()):
        async with database.tenant(own.org_id) as session:
            await session.execute(text("SELECT set_config('bursar.principal', :name, true)"), {"name": name})
            seen[name] = [
                (await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()
                for table in ("notifications", "notification_channels", "notification_preferences")
            ]
    assert seen == {"": [0, 0, 0], "somebody": [0, 0, 0], principal.upper(): [1, 1, 1]}
    assert channel["status"] == "pending"


async def good_preferences(own: Tenant) -> None:
    good(await own.owner.ask("PUT", PREFERENCES, json={}))


async def test_new_principal_with_a_reused_name_starts_with_an_empty_inbox(
    own: Tenant, operator: Caller, sealing: httpx2.AsyncClient, database: Database
) -> None:
    async def issued(name: str) -> tuple[str, Caller]:
        body = {"principal": name, "role": "finance", "organization_id": own.org_id}
        key = good(await operator.post("/api-keys", body), 201)
        return key["id"], Caller(sealing, key["secret"], own.org_id)

    first_key, first = await issued("Bo")
    channel = await verified(database, first)
    await add_notification(database, own.org_id, "bo")
    good(await first.ask("PUT", "/me/preferences", json={"locale": "de"}))
    # A second key takes over from the first: it is the same person.
    second_key, second = await issued("bo")
    assert (await operator.delete(f"/api-keys/{first_key}")).status_code == 200
    assert len(good(await second.get(CHANNELS))["data"]) == 1
    async with database.platform() as session:
        assert "bo" in {each.principal for each in (await notifications.people(session, [own.org_id]))[own.org_id]}
    assert (await operator.delete(f"/api-keys/{second_key}")).status_code == 200
    async with database.platform() as session:
        assert "bo" not in {each.principal for each in (await notifications.people(session, [own.org_id]))[own.org_id]}
    _, third = await issued("BO")
    assert good(await third.get(CHANNELS))["data"] == []
    assert good(await third.get("/notifications"))["data"] == []
    assert good(await third.get("/me"))["locale"] is None
    assert (await row_of(database, channel)).status == "deleted"


async def test_channels_are_refused_without_an_encryption_key(tenant: Tenant) -> None:
    body = {"kind": "mail", "address": an_address()}
    refused(await tenant.owner.post(CHANNELS, body), 409, "notification.keys_missing")
