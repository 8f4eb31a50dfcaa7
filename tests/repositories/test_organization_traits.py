"""Organizations that share something are related: nothing counts between them, also not what they had said before."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from activities.payment_providers import ProviderActivities
from contracts.payment import ProviderRequest
from dev.stack.postgres import Postgres
from domain.payment.snapshot import CreatePayment, Snapshot
from domain.reputation.traits import TraitKind, digest
from providers.payments.registry import Providers
from repositories import organization_trait as traits
from repositories.reputation import are_related, take
from repositories.reputation_recalls import refresh, stale
from runtime.database import Database, driver_connection
from services.reputation import judge_traits
from tests.conftest import new_database
from tests.repositories import test_reputation as known
from tests.repositories.test_reputation import DAY, about, books, fact, new_agent, rows_of  # noqa: F401
from tests.support.payments import TERMS, FakeProvider

pytestmark = pytest.mark.db

KEY = b"a key of the tests"
NIGHT = timedelta(days=1)


@pytest.fixture(scope="module")
def urls(cluster: Postgres):
    with new_database(cluster, "bursar_traits") as made:
        yield made


@pytest.fixture
async def database(urls) -> AsyncIterator[Database]:
    made = Database(urls.tenant, urls.platform)
    yield made
    await made.close()


async def have(database: Database, kind: TraitKind, value: str, *orgs: str, holds: bool | None = None) -> None:
    async with database.platform() as session:
        for org_id in orgs:
            if holds is None:
                await traits.seen(session, org_id, kind, digest(KEY, kind, value))
            else:
                await traits.put(session, org_id, kind, digest(KEY, kind, value), holds=holds)


async def related(books, one: str, other: str) -> bool:  # noqa: F811
    async with books.acquire() as connection:
        return await are_related(connection, one, other, ["registrar"])


async def made(books, *orgs: str) -> None:  # noqa: F811
    await books.execute(known.FILL, list(orgs))


async def test_shared_methods_relate_and_what_was_said_before_is_void(books, database) -> None:  # noqa: F811
    await made(books, "org_s1", "org_s2", "org_s3")
    agent_id = await new_agent(books, "org_s1")
    async with books.acquire() as connection:
        for client in ("org_s2", "org_s3"):
            what = about(agent_id, client)
            object.__setattr__(what, "agent_org_id", "org_s1")
            await take(connection, what, [fact(client_good_e4=10_000)])
    assert not await related(books, "org_s1", "org_s2")
    await have(database, TraitKind.CARD, "fp_1", "org_s1", "org_s2")
    await have(database, TraitKind.CARD, "fp_2", "org_s3")
    # The same number is another thing as another kind.
    await have(database, TraitKind.BANK, "fp_1", "org_s3")
    assert await related(books, "org_s2", "org_s1")
    assert not await related(books, "org_s1", "org_s3")
    await judge_traits(database)
    voided = await books.fetch("SELECT counterparty_org_id FROM reputation_events WHERE voided_by = 'bursar'")
    assert [row[0] for row in voided] == ["org_s2"]
    await judge_traits(database)
    raised = await books.fetch("SELECT subject, detail, severity FROM alerts WHERE kind = 'fraud_suspected'")
    assert [(row["subject"], row["severity"]) for row in raised] == [("org_s2", "critical")]
    assert raised[0]["detail"].startswith("org_s2 and org_s1 share card and did business")
    async with database.platform() as session:
        connection = await driver_connection(session)
        assert await stale(connection, limit=10) == [agent_id]
        assert await refresh(connection, agent_id)
        assert not await refresh(connection, agent_id)
    [count] = await books.fetchrow("SELECT evidence_count FROM reputation_agents WHERE agent_id = $1", agent_id)
    assert count == 1
    [good] = await books.fetchrow("SELECT good_e6 FROM reputation_clients WHERE org_id = 'org_s2'")
    assert good == 0
    # New work says nothing, and says why.
    what = about(agent_id, "org_s2", day=DAY + NIGHT)
    object.__setattr__(what, "agent_org_id", "org_s1")
    one = fact()
    async with books.acquire() as connection:
        await take(connection, what, [one])
    assert await books.fetchval("SELECT excluded FROM reputation_events WHERE id = $1", one.id) == "related"


async def test_organizations_that_share_a_card_are_one_counterparty(books, database) -> None:  # noqa: F811
    await made(books, "org_r0", *(f"org_r{number}" for number in range(1, 9)))
    await have(database, TraitKind.CARD, "fp_ring", *(f"org_r{number}" for number in range(1, 9)))
    agent_id = await new_agent(books, "org_r0")
    async with books.acquire() as connection:
        for number in range(24):
            what = about(agent_id, f"org_r{number % 8 + 1}")
            object.__setattr__(what, "agent_org_id", "org_r0")
            await take(connection, what, [fact()])
    rows = await rows_of(books, agent_id)
    assert max(row[0] for row in rows.values()) <= 3_000_000


async def test_probes_count_for_nothing_until_operators_say_that_they_are_none(books, database) -> None:  # noqa: F811
    await made(books, "org_p1", "org_p2")
    await have(database, TraitKind.PROBE, "org_p1", "org_p1", holds=True)
    assert await related(books, "org_p1", "org_p2")
    await have(database, TraitKind.PROBE, "org_p1", "org_p1", holds=False)
    assert not await related(books, "org_p1", "org_p2")
    # What operators have ended stays ended when it is seen again.
    await have(database, TraitKind.CARD, "fp_3", "org_p1", "org_p2")
    assert await related(books, "org_p1", "org_p2")
    await have(database, TraitKind.CARD, "fp_3", "org_p2", holds=False)
    await have(database, TraitKind.CARD, "fp_3", "org_p2")
    assert not await related(books, "org_p1", "org_p2")


async def test_the_look_at_a_provider_keeps_a_digest_and_passes_nothing_on(books, database) -> None:  # noqa: F811
    await made(books, "org_look")
    fake = FakeProvider()
    asked = CreatePayment(
        payment_id="pay_look",
        org_id="org_look",
        amount_minor=1000,
        currency="USD",
        description="d",
        expires_at=TERMS.expires_at,
    )
    await fake.create(asked, idempotency_key="k")
    there = fake.of("pay_look")
    there.pay()
    seen = replace(there.snapshot(), methods=("card:fp_look",))

    async def retrieve(ref: str) -> Snapshot:
        return seen

    fake.retrieve = retrieve  # type: ignore[method-assign]
    terms = replace(TERMS, payment_id="pay_look", org_id="org_look", provider="fake")
    message = ProviderRequest(terms=terms, key="k", ref=there.ref)
    for key, kept in ((None, []), (KEY, [digest(KEY, TraitKind.CARD, "fp_look")])):
        asking = ProviderActivities(database, Providers({"fake": fake}), trait_key=key)
        answer = await asking.retrieve(message)
        assert answer.snapshot == replace(seen, methods=())
        found = await books.fetch("SELECT digest FROM organization_traits WHERE org_id = 'org_look'")
        assert [row[0] for row in found] == kept


def test_digests_differ_by_key_and_kind_and_not_by_spelling() -> None:
    one = digest(KEY, TraitKind.TAX_ID, "DE 123 456 789")
    assert one == digest(KEY, TraitKind.TAX_ID, "de123456789")
    assert one != digest(b"another key of the tests", TraitKind.TAX_ID, "DE123456789")
    assert one != digest(KEY, TraitKind.CARD, "DE123456789")
