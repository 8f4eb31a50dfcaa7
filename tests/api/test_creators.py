"""The account for payouts over HTTP, against the sandbox of Stripe, and what its events do."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.payments.inbox import InboxActivities
from activities.payouts.creator import CreatorActivities
from api.app import create_app
from api.keyring import new_secret
from contracts.payments.payment import DispatchProviderEvent, ProviderEventInput
from dev.sandbox.stripe.app import build
from dev.sandbox.stripe.core import Sandbox
from dev.sandbox.stripe.store import Store
from domain.common.access import Actor, Role
from domain.common.errors import Conflict
from domain.messages.notification.preferences import recipient_of
from domain.payments.payment.snapshot import ProviderEvent
from domain.payouts import creator as rules
from domain.payouts.creator import CreatorAccount
from domain.tenants.token import hash_of, split_token, token_of
from models.tenants.session import Session, SessionLink
from providers.payments.base import OutcomeUnknown
from providers.payments.registry import Providers
from providers.payments.stripe import make_client
from providers.payouts.base import AccountSnapshot, NewAccount
from providers.payouts.stripe import StripeConnect
from repositories.messages import notification as notifications
from repositories.payments import provider_event
from repositories.payouts import creator_account
from runtime.identity import new_id
from services.messages.notification import delete_channel
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.notifications import a_channel, a_principal
from tests.support.sandboxes import STRIPE_KEY, serving
from tests.support.serving import client_of
from tests.support.starts import Starts

pytestmark = pytest.mark.db

OTHER_BANK = "DE89370400440532013000"
HOLD = timedelta(hours=72)
ASKED = {"country": "US", "return_url": "https://example.com/earnings"}


def payable_to(account: CreatorAccount, now: datetime) -> CreatorAccount:
    return rules.payable_to(account, now, HOLD)


class Bureau:
    """An app with Stripe Connect, and hands for what happens at Stripe."""

    def __init__(self, deps: Any, http: httpx2.AsyncClient, url: str, payouts: StripeConnect) -> None:
        self.deps, self.http, self.url, self.payouts = deps, http, url, payouts

    def at(self, caller: Caller) -> Caller:
        return Caller(self.http, caller.token, caller.org_id)

    async def control(self, path: str, **body: Any) -> Any:
        async with httpx2.AsyncClient(timeout=60) as http:
            return good(await http.post(f"{self.url}/_control/{path}", json=body))

    async def delete(self, ref: str) -> None:
        client = make_client(STRIPE_KEY, api_base=self.url, timeout_seconds=60)
        await client.v1.accounts.delete_async(ref)
        await client.aclose()

    async def connected(self, tenant: Tenant) -> str:
        """Onboards an organization, and returns the id of its account."""
        made = good(await self.at(tenant.owner).post("/billing/connect", ASKED))
        async with httpx2.AsyncClient(timeout=60) as http:
            await http.get(made["onboarding_url"])
            assert (await http.post(made["onboarding_url"], data={"number": "000123456789"})).status_code == 303
        await self.deliver("account.updated", made["account"]["account_id"])
        return str(made["account"]["account_id"])

    async def noticed(self, tenant: Tenant) -> None:
        """Has a destination that is new be as old as owners have time to notice it."""
        aged = """
            UPDATE creator_accounts SET destination_changed_at = destination_changed_at - CAST(:hold AS interval)
            WHERE org_id = :org
        """
        async with self.deps.database.platform() as session:
            await session.execute(text(aged), {"hold": HOLD, "org": tenant.org_id})

    async def deliver(self, type: str, ref: str, *, last_try: bool = False) -> str:
        """Has an event about an account come in and be worked off, and returns its outcome."""
        event = ProviderEvent(
            event_id=new_id("evt"),
            type=type,
            occurred_at=datetime.now(UTC),
            payment_id=None,
            refs=(ref,),
            livemode=False,
            payload={},
        )
        pool = self.deps.platform_pool
        await pool.read(lambda held: provider_event.store(held, "stripe", event, "received", handled=False))
        inbox = InboxActivities(self.deps.database, None)
        asked_of = DispatchProviderEvent(provider="stripe", event_id=event.event_id, last_try=last_try)
        found = await inbox.dispatch(asked_of)
        if found.outcome != "creator":
            return found.outcome
        acts = CreatorActivities(self.deps.database, self.payouts, self.deps.risk, hold=HOLD)
        asked = ProviderEventInput(provider="stripe", event_id=event.event_id)
        return str((await ActivityEnvironment().run(acts.refresh_creator, asked)).outcome)

    async def account(self, tenant: Tenant) -> CreatorAccount:
        async with self.deps.database.platform() as session:
            found = await creator_account.find(session, tenant.org_id)
        assert found is not None
        return found


@pytest.fixture(scope="module")
async def bureau(database_urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bureau]:
    sandbox = Sandbox(Store(tmp_path_factory.mktemp("connect") / "stripe.sqlite"), check_answers=True)
    temporal: Any = Starts()
    with serving(build(sandbox)) as url:
        sandbox.base_url = url
        client = make_client(STRIPE_KEY, api_base=url, timeout_seconds=60)
        payouts = StripeConnect(client)
        app = create_app(settings_for(database_urls), temporal=temporal, providers=Providers({}, payouts=payouts))
        async with client_of(app) as http:
            yield Bureau(app.state.deps, http, url, payouts)
        await client.aclose()
    sandbox.store.close()


@pytest.fixture
async def studio(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner", "finance", "admin", "agent", "auditor")


async def test_account_is_made_once_and_ready_after_its_page(bureau: Bureau, studio: Tenant) -> None:
    owner = bureau.at(studio.owner)
    refused(await owner.get("/billing/connect"), 404, "not_found")
    key = new_key()
    first = good(await owner.post("/billing/connect", ASKED, key=key))
    assert good(await owner.post("/billing/connect", ASKED, key=key)) == first
    assert first["account"]["status"] == "onboarding"
    assert "external_account" in first["account"]["requirements"]
    again = good(await bureau.at(studio.finance).post("/billing/connect", ASKED))
    assert again["account"]["account_id"] == first["account"]["account_id"]
    assert again["onboarding_url"] != first["onboarding_url"]
    await bureau.connected(studio)
    shown = good(await bureau.at(studio.auditor).get("/billing/connect"))
    assert (shown["status"], shown["tax_profile"], shown["destination_last4"]) == ("ready", True, "6789")
    changed_at, until = (datetime.fromisoformat(shown[name]) for name in ("destination_changed_at", "held_until"))
    assert until - changed_at == HOLD


async def test_first_destination_is_held_with_an_alert(bureau: Bureau, studio: Tenant) -> None:
    database = bureau.deps.database
    await a_principal(database, studio.org_id, "ann", Role.OWNER)
    await a_channel(database, studio.org_id, "ann", address=f"ann-{studio.org_id}@owners.example")
    # A thief revokes the other owners' keys first. Who left long ago has nothing to do with it.
    for name, days in (("ben", 1), ("old", 31)):
        revoked_at = datetime.now(UTC) - timedelta(days=days)
        await a_principal(database, studio.org_id, name, Role.OWNER, revoked_at=revoked_at)
        await a_channel(database, studio.org_id, name, address=f"{name}-{studio.org_id}@owners.example")
    ref = await bureau.connected(studio)
    account = await bureau.account(studio)
    assert account.destination_changed_at is not None
    with pytest.raises(Conflict) as refusal:
        payable_to(account, account.destination_changed_at + HOLD - timedelta(seconds=1))
    assert refusal.value.error_code == "payout.destination_held"
    assert payable_to(account, account.destination_changed_at + HOLD).ref == ref
    (alert,) = good(await bureau.at(studio.owner).get("/alerts"))["data"]
    assert (alert["kind"], "6789" in alert["detail"]) == ("payout.destination_added", True)
    mails = "SELECT kind, recipients FROM mails WHERE org_id = :org_id"
    async with database.platform() as session:
        [(kind, recipients)] = (await session.execute(text(mails), {"org_id": studio.org_id})).all()
    owners = [f"{name}-{studio.org_id}@owners.example" for name in ("ann", "ben")]
    assert (kind, recipients) == ("payout_destination_changed", owners)
    # Reported again, it is as old as it was.
    await bureau.deliver("account.updated", ref)
    assert (await bureau.account(studio)).destination_changed_at == account.destination_changed_at
    assert [each["status"] for each in good(await bureau.at(studio.owner).get("/alerts"))["data"]] == ["firing"]
    await bureau.noticed(studio)
    await bureau.deliver("account.updated", ref)
    assert [each["status"] for each in good(await bureau.at(studio.owner).get("/alerts"))["data"]] == ["resolved"]


async def test_new_destination_reaches_owners_whose_keys_and_channels_a_thief_replaced(
    bureau: Bureau, studio: Tenant
) -> None:
    database, now = bureau.deps.database, datetime.now(UTC)
    addresses = {name: f"{name}-{studio.org_id}@owners.example" for name in ("ann", "ben", "eve")}
    channels = {}
    for name in addresses:
        revoked_at = now if name == "ben" else None
        await a_principal(database, studio.org_id, name, Role.OWNER, revoked_at=revoked_at)
        channels[name] = await a_channel(database, studio.org_id, name, address=addresses[name])
    # The thief issues the key of one owner anew, and deletes the channel of another one, whose key it has taken.
    await a_principal(database, studio.org_id, "Ben", Role.OWNER)
    for name in ("ann", "eve"):
        thief = Actor(principal=name, role=Role.OWNER, org_id=studio.org_id)
        async with database.platform() as session:
            await delete_channel(session, thief, channels[name], now=now)
    async with database.platform() as session:
        long_ago = {"id": channels["eve"], "removed_at": now - timedelta(days=31)}
        await session.execute(
            text("UPDATE notification_channels SET removed_at = :removed_at WHERE id = :id"), long_ago
        )
        assert await notifications.channels(session, recipient_of(studio.org_id, "ben")) == []
    await bureau.connected(studio)
    async with database.platform() as session:
        told = await session.scalar(
            text("SELECT recipients FROM mails WHERE org_id = :org_id"), {"org_id": studio.org_id}
        )
    assert told == [addresses["ann"], addresses["ben"]]
    async with database.platform() as session:
        assert await notifications.forget_addresses(session, now - timedelta(days=30), limit=10) == 1
        assert await notifications.forget_addresses(session, now - timedelta(days=30), limit=10) == 0


async def test_changed_destination_holds_payouts_with_an_alert(bureau: Bureau, studio: Tenant) -> None:
    database = bureau.deps.database
    for name in ("ann", "ben"):
        await a_principal(database, studio.org_id, name, Role.OWNER)
        await a_channel(database, studio.org_id, name, address=f"{name}-{studio.org_id}@owners.example")
    # A finance officer is no owner, and nobody has shown to have a channel that is not verified.
    await a_principal(database, studio.org_id, "flo", Role.FINANCE)
    await a_channel(database, studio.org_id, "flo")
    await a_channel(database, studio.org_id, "ben", verified=False)
    ref = await bureau.connected(studio)
    await bureau.noticed(studio)
    now = datetime.now(UTC)
    assert payable_to(await bureau.account(studio), now).ref == ref
    await bureau.control("account", account=ref, number=OTHER_BANK)
    assert await bureau.deliver("account.external_account.created", ref) == "handled"
    held = good(await bureau.at(studio.owner).get("/billing/connect"))
    assert held["destination_changed_at"] is not None
    with pytest.raises(Conflict) as refusal:
        payable_to(await bureau.account(studio), now)
    assert refusal.value.error_code == "payout.destination_held"
    kinds = {alert["kind"] for alert in good(await bureau.at(studio.owner).get("/alerts"))["data"]}
    assert kinds == {"payout.destination_added", "payout.destination_changed"}
    mails = "SELECT kind, recipients FROM mails WHERE org_id = :org_id"
    async with database.platform() as session:
        found = (await session.execute(text(mails), {"org_id": studio.org_id})).all()
    owners = [f"{name}-{studio.org_id}@owners.example" for name in ("ann", "ben")]
    assert [tuple(each) for each in found] == [("payout_destination_changed", owners)] * 2
    # Changed back is changed once more, and what was held stays held.
    await bureau.control("account", account=ref, number="000123456789")
    await bureau.deliver("account.updated", ref)
    account = await bureau.account(studio)
    assert account.destination_changed_at is not None
    with pytest.raises(Conflict):
        payable_to(account, account.destination_changed_at + HOLD - timedelta(seconds=1))
    assert payable_to(account, account.destination_changed_at + HOLD)


async def test_deleted_account_is_replaced_and_held_like_a_new_bank_account(bureau: Bureau, studio: Tenant) -> None:
    gone, owner = await bureau.connected(studio), bureau.at(studio.owner)
    await bureau.delete(gone)
    ref = good(await owner.post("/billing/connect", ASKED))["account"]["account_id"]
    assert ref != gone
    (alert,) = good(await owner.get("/alerts?kind=payout.destination_changed"))["data"]
    assert ref in alert["detail"]
    held = await bureau.account(studio)
    assert (held.status, held.destination_last4) == ("onboarding", None)
    # The bank of before, at another account, is no further change.
    assert await bureau.connected(studio) == ref
    ready = await bureau.account(studio)
    assert ready.destination_changed_at is not None
    assert ready.destination_changed_at == held.destination_changed_at
    with pytest.raises(Conflict) as refusal:
        payable_to(ready, datetime.now(UTC))
    assert refusal.value.error_code == "payout.destination_held"
    assert payable_to(ready, ready.destination_changed_at + HOLD).ref == ref
    # Once more, and the books remember neither of them.
    await bureau.delete(ref)
    assert good(await owner.post("/billing/connect", ASKED))["account"]["account_id"] not in (gone, ref)


async def test_country_that_was_refused_is_corrected_at_once(bureau: Bureau, studio: Tenant) -> None:
    owner = bureau.at(studio.owner)
    refused(await owner.post("/billing/connect", ASKED | {"country": "BR"}), 422, "provider.refused")
    good(await owner.post("/billing/connect", ASKED))


async def test_account_with_a_lost_response_is_found(
    bureau: Bureau, studio: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = bureau.payouts.create_account, list[str]()

    async def crash(account: NewAccount, *, idempotency_key: str) -> AccountSnapshot:
        made.append((await make(account, idempotency_key=idempotency_key)).ref)
        raise OutcomeUnknown("cut off")

    owner = bureau.at(studio.owner)
    monkeypatch.setattr(bureau.payouts, "create_account", crash)
    refused(await owner.post("/billing/connect", ASKED), 503, "provider.unavailable")
    monkeypatch.undo()
    found = good(await owner.post("/billing/connect", ASKED | {"country": "DE"}))["account"]
    assert [found["account_id"]] == made


async def test_account_that_never_had_a_bank_is_replaced_without_an_alert(bureau: Bureau, studio: Tenant) -> None:
    owner = bureau.at(studio.owner)
    gone = good(await owner.post("/billing/connect", ASKED))["account"]["account_id"]
    await bureau.delete(gone)
    assert good(await owner.post("/billing/connect", ASKED))["account"]["account_id"] != gone
    assert good(await owner.get("/alerts"))["data"] == []


async def test_account_with_open_requirements_cannot_be_paid_out(bureau: Bureau, studio: Tenant) -> None:
    ref = await bureau.connected(studio)
    await bureau.control("account", account=ref, requirement="individual.id_number")
    await bureau.deliver("account.updated", ref)
    account = await bureau.account(studio)
    assert (account.status, account.tax_profile) == ("restricted", False)
    with pytest.raises(Conflict) as refusal:
        payable_to(account, datetime.now(UTC))
    assert refusal.value.error_code == "payout.account_not_ready"


async def test_nothing_is_paid_out_before_the_provider_knows_how_a_creator_is_taxed(
    bureau: Bureau, studio: Tenant
) -> None:
    """Stripe asks with a deadline, until which it would pay out all the same."""
    ref = await bureau.connected(studio)
    await bureau.noticed(studio)
    in_a_month = int((datetime.now(UTC) + timedelta(days=30)).timestamp())
    await bureau.control("account", account=ref, requirement="individual.id_number", deadline=in_a_month)
    await bureau.deliver("account.updated", ref)
    account = await bureau.account(studio)
    assert (account.payouts_enabled, account.tax_profile, account.status) == (True, False, "restricted")
    owner = bureau.at(studio.owner)
    answer = refused(await owner.post("/billing/payouts", {}, key=new_key()), 409, "payout.tax_profile_missing")
    assert answer["requirements"] == ["individual.id_number"]
    assert good(await owner.get("/billing/payouts/preview"))["refused"] == "payout.tax_profile_missing"
    await bureau.control("account", account=ref, number="000123456789")
    await bureau.deliver("account.updated", ref)
    refused(await owner.post("/billing/payouts", {}, key=new_key()), 409, "payout.below_minimum")


async def test_event_of_an_unknown_account_is_awaited_and_then_unmatched(bureau: Bureau) -> None:
    assert await bureau.deliver("account.updated", "acct_of_nobody") == "too_early"
    assert await bureau.deliver("account.updated", "acct_of_nobody", last_try=True) == "unmatched"


async def test_outdated_read_does_not_overwrite_a_newer_one(bureau: Bureau, studio: Tenant) -> None:
    from services.payouts import creator

    ref = await bureau.connected(studio)
    old = await bureau.payouts.retrieve_account(ref)
    earlier = datetime.now(UTC)
    await bureau.control("account", account=ref, number=OTHER_BANK)
    await creator.refresh(bureau.deps.database, bureau.payouts, ref, hold=HOLD, asked_at=datetime.now(UTC))
    known = await bureau.account(studio)
    async with bureau.deps.database.platform() as session:
        await creator.save_account(session, "stripe", old, hold=HOLD, asked_at=earlier)
    assert await bureau.account(studio) == known


async def test_session_by_link_does_not_change_where_money_goes(bureau: Bureau, studio: Tenant) -> None:
    browser = await session_by_link(bureau.deps, studio, Role.OWNER)
    refused(await Caller(bureau.http, browser).post("/billing/connect", ASKED), 403, "session.by_link")
    refused(await bureau.at(studio.owner).get("/billing/connect"), 404, "not_found")


async def session_by_link(deps: Any, tenant: Tenant, role: Role) -> str:
    """Opens a session as a link of the owner would, and returns its token."""
    parts = split_token(tenant.owner.token or "")
    assert parts is not None
    secret = new_secret()
    shared = {"secret_hash": hash_of(secret), "key_id": parts[0], "org_id": tenant.org_id, "principal": "by-link"}
    until = {"role": role.value, "made_by": "owner", "expires_at": datetime.now(UTC) + timedelta(hours=1)}
    link = SessionLink(id=new_id("lnk"), path="/console", **shared, **until)
    row = Session(id=new_id("ses"), link_id=link.id, browser="a", idle_seconds=3600, **shared, **until)
    async with deps.database.platform() as session:
        session.add(link)
        await session.flush()
        session.add(row)
    return token_of(row.id, secret)
