"""Organizations that share a trait are related: evidence between them does not count, including earlier evidence."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest
from structlog.testing import capture_logs

from activities.payments.payment_providers import ProviderActivities
from contracts.payments.payment import ProviderRequest
from dev.stack.postgres import Postgres
from domain.payments.payment.snapshot import CreatePayment, ProviderStatus, Snapshot
from domain.reputation.evidence import ONE_E6, Dimension
from domain.reputation.facts import DimensionShare
from domain.reputation.traits import TraitKind, digest
from domain.risk.act import EntityKind, entity
from providers.payments.registry import Providers
from repositories.reputation import organization_trait as traits
from repositories.reputation.reputation import are_related, record_facts, void
from repositories.reputation.reputation_recalls import recall, refresh, restore_event, stale
from runtime.database import Database, driver_connection, plain_url
from runtime.settings import Settings
from services.reputation.reputation import void_between_related
from tests.conftest import new_database
from tests.repositories import test_reputation as known
from tests.repositories.test_reputation import DAY, about, books, fact, new_agent, rows_of  # noqa: F401
from tests.support.payments import TERMS, FakeProvider
from tests.support.seasoned import seasoned
from worker import log_warnings

pytestmark = pytest.mark.db

KEY = b"a key of the tests"
NIGHT = timedelta(days=1)


@pytest.fixture(scope="module")
def urls(cluster: Postgres):
    with new_database(cluster, "bursar_traits") as made:
        yield made


@pytest.fixture(scope="module")
async def database(urls) -> AsyncIterator[Database]:
    made = Database(urls.tenant, urls.platform)
    yield made
    await made.close()


async def have(database: Database, kind: TraitKind, value: str, *orgs: str, holds: bool | None = None) -> None:
    async with database.platform() as session:
        for org_id in orgs:
            if holds is None:
                await traits.record_trait(session, org_id, kind, digest(KEY, kind, value))
            else:
                await traits.set_trait(session, org_id, kind, digest(KEY, kind, value), holds=holds)


async def related(books, one: str, other: str) -> bool:  # noqa: F811
    async with books.acquire() as connection:
        return await are_related(connection, one, other, ["registrar"])


async def made(books, *orgs: str) -> None:  # noqa: F811
    await books.execute(known.FILL, list(orgs))


async def test_shared_methods_relate_and_earlier_evidence_is_void(books, database) -> None:  # noqa: F811
    await made(books, "org_s1", "org_s2", "org_s3")
    agent_id = await new_agent(books, "org_s1")
    async with books.acquire() as connection:
        for client in ("org_s2", "org_s3"):
            what = about(agent_id, client)
            object.__setattr__(what, "agent_org_id", "org_s1")
            await record_facts(connection, what, [fact(client_good_e4=10_000)])
    assert not await related(books, "org_s1", "org_s2")
    await have(database, TraitKind.CARD, "fp_1", "org_s1", "org_s2")
    await have(database, TraitKind.CARD, "fp_2", "org_s3")
    # The same number is another thing as another kind.
    await have(database, TraitKind.BANK, "fp_1", "org_s3")
    assert await related(books, "org_s2", "org_s1")
    assert not await related(books, "org_s1", "org_s3")
    await void_between_related(database)
    voided = await books.fetch("SELECT counterparty_org_id FROM reputation_events WHERE voided_by = 'bursar'")
    assert [row[0] for row in voided] == ["org_s2"]
    await void_between_related(database)
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
    # New work is no evidence, with the reason.
    what = about(agent_id, "org_s2", day=DAY + NIGHT)
    object.__setattr__(what, "agent_org_id", "org_s1")
    one = fact()
    async with books.acquire() as connection:
        await record_facts(connection, what, [one])
    assert await books.fetchval("SELECT excluded FROM reputation_events WHERE id = $1", one.id) == "related"


async def test_organizations_that_share_a_card_are_one_counterparty(books, database) -> None:  # noqa: F811
    await made(books, "org_r0", *(f"org_r{number}" for number in range(1, 9)))
    await have(database, TraitKind.CARD, "fp_ring", *(f"org_r{number}" for number in range(1, 9)))
    agent_id = await new_agent(books, "org_r0")
    async with books.acquire() as connection:
        for number in range(24):
            what = about(agent_id, f"org_r{number % 8 + 1}")
            object.__setattr__(what, "agent_org_id", "org_r0")
            await record_facts(connection, what, [fact()])
    rows = await rows_of(books, agent_id)
    assert max(row[0] for row in rows.values()) <= 3_000_000


async def test_a_referrer_and_its_referral_are_related(books, database) -> None:  # noqa: F811
    await made(books, "org_f1", "org_f2", "org_f3", "org_f4")
    async with database.platform() as session:
        for referred in ("org_f2", "org_f3"):
            await traits.record_referral(session, referred, "org_f1")
    assert await related(books, "org_f1", "org_f2")
    assert await related(books, "org_f2", "org_f3")
    assert not await related(books, "org_f1", "org_f4")
    agent_id = await new_agent(books, "org_f2")
    for client, why in (("org_f1", "related"), ("org_f3", "related"), ("org_f4", None)):
        said = await deal(books, agent_id, "org_f2", client)
        assert await books.fetchval("SELECT excluded FROM reputation_events WHERE id = $1", said) == why


async def test_probes_do_not_count_until_operators_change_that(books, database) -> None:  # noqa: F811
    await made(books, "org_p1", "org_p2")
    await have(database, TraitKind.PROBE, "org_p1", "org_p1", holds=True)
    assert await related(books, "org_p1", "org_p2")
    await have(database, TraitKind.PROBE, "org_p1", "org_p1", holds=False)
    assert not await related(books, "org_p1", "org_p2")
    # A trait that operators have ended stays ended when it is seen again.
    await have(database, TraitKind.CARD, "fp_3", "org_p1", "org_p2")
    assert await related(books, "org_p1", "org_p2")
    await have(database, TraitKind.CARD, "fp_3", "org_p2", holds=False)
    await have(database, TraitKind.CARD, "fp_3", "org_p2")
    assert not await related(books, "org_p1", "org_p2")


async def test_reading_a_provider_stores_a_digest_and_nothing_else(books, database) -> None:  # noqa: F811
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


async def test_instruments_are_linked_also_if_they_were_declined(books, database) -> None:  # noqa: F811
    fake, linked = FakeProvider(), set()
    for org_id in ("org_link_1", "org_link_2"):
        await made(books, org_id)
        seen = Snapshot(
            ref=org_id,
            status=ProviderStatus.REQUIRES_ACTION,
            amount_minor=1_000,
            currency="USD",
            methods=("card:fp_tried",),
        )

        async def retrieve(ref: str, seen: Snapshot = seen) -> Snapshot:
            return seen

        fake.retrieve = retrieve  # type: ignore[method-assign]
        terms = replace(TERMS, payment_id="pay_link", org_id=org_id, provider="fake")
        asking = ProviderActivities(database, Providers({"fake": fake}), trait_key=KEY, risk_key=b"a key of the tests")
        await asking.retrieve(ProviderRequest(terms=terms, key="k", ref=org_id))
        [row] = await books.fetch("SELECT entity FROM risk_links WHERE org_id = $1", org_id)
        linked.add(row[0])
        assert not await books.fetch("SELECT FROM organization_traits WHERE org_id = $1", org_id)
    assert linked == {entity(EntityKind.INSTRUMENT, "card:fp_tried", b"a key of the tests")}


def test_digests_differ_by_key_and_kind_and_not_by_spelling() -> None:
    one = digest(KEY, TraitKind.TAX_ID, "DE 123 456 789")
    assert one == digest(KEY, TraitKind.TAX_ID, "de123456789")
    assert one != digest(b"another key of the tests", TraitKind.TAX_ID, "DE123456789")
    assert one != digest(KEY, TraitKind.CARD, "DE123456789")


async def states(books, org_id: str, vat_id: str | None) -> None:  # noqa: F811
    await books.execute(
        "INSERT INTO billing_profiles (org_id, vat_id, updated_by) VALUES ($1, $2, 'test')"
        " ON CONFLICT (org_id) DO UPDATE SET vat_id = EXCLUDED.vat_id",
        org_id,
        vat_id,
    )


async def is_paid_out(books, org_id: str, destination: str | None) -> None:  # noqa: F811
    await books.execute(
        "INSERT INTO creator_accounts (org_id, provider, ref, country, details_submitted, transfers_enabled,"
        " payouts_enabled, tax_profile, requirements_due, destination, seen_at, created_by)"
        " VALUES ($1, 'stripe', $1, 'DE', true, true, true, true, '{}', $2, now(), 'test')"
        " ON CONFLICT (org_id) DO UPDATE SET destination = EXCLUDED.destination",
        org_id,
        destination,
    )


SHARE = {TraitKind.TAX_ID: states, TraitKind.PAYOUT_ACCOUNT: is_paid_out}


async def deal(books, agent_id: str, payee: str, payer: str, **more) -> str:  # noqa: F811
    what = replace(about(agent_id, payer, day=more.pop("day", DAY)), agent_org_id=payee)
    one = fact(**more)
    async with books.acquire() as connection:
        await record_facts(connection, what, [one])
    return one.id


async def books_stated_early(urls, *orgs: str) -> None:
    """Set their tax ids before the first contract of these tests."""
    owner = await asyncpg.connect(plain_url(urls.owner))
    await owner.execute("UPDATE organization_traits SET last_seen = '2025-01-01' WHERE org_id = ANY ($1)", list(orgs))
    await owner.close()


async def test_client_that_states_the_sellers_tax_id_afterwards_voids_no_evidence(
    books,  # noqa: F811
    database,
    urls,
) -> None:
    await made(books, "org_y1", "org_y2")
    agent_id = await new_agent(books, "org_y1")
    await states(books, "org_y1", "ATU99999999")
    await books_stated_early(urls, "org_y1")
    said = await deal(books, agent_id, "org_y1", "org_y2", client_good_e4=10_000)
    await states(books, "org_y2", "ATU99999999")
    await void_between_related(database)
    # The contract of this one was made before the client stated the number as well.
    late = await deal(books, agent_id, "org_y1", "org_y2", client_good_e4=10_000, day=DAY + NIGHT)
    found = await books.fetch(
        "SELECT excluded, voided_at, says <> '[]', client_good_e6 > 0 FROM reputation_events WHERE id = ANY ($1)",
        [said, late],
    )
    assert [tuple(row) for row in found] == [(None, None, True, True)] * 2
    async with books.acquire() as connection:
        asked = ("org_y2", "org_y1", ["registrar"])
        assert await are_related(connection, *asked)
        assert not await are_related(connection, *asked, agreed_at=about(agent_id).at)


@pytest.mark.parametrize("kind", SHARE)
async def test_pitfall_43_what_profiles_and_payout_accounts_share_relates_without_a_key(
    books,  # noqa: F811
    database,
    urls,
    kind: TraitKind,
) -> None:
    payee, payer = f"org_{kind}_1", f"org_{kind}_2"
    await made(books, payee, payer)
    agent_id = await new_agent(books, payee)
    before = await deal(books, agent_id, payee, payer, client_good_e4=10_000)
    for org_id in (payee, payer):
        await SHARE[kind](books, org_id, "DE 136695976")
    await books_stated_early(urls, payee, payer)
    assert await related(books, payer, payee)
    after = await deal(books, agent_id, payee, payer, client_good_e4=10_000, day=DAY + NIGHT)
    excluded = "SELECT excluded FROM reputation_events WHERE id = $1"
    assert [await books.fetchval(excluded, each) for each in (before, after)] == [None, "related"]
    await void_between_related(database)
    voided = await books.fetch(
        "SELECT id FROM reputation_events WHERE agent_id = $1 AND voided_at IS NOT NULL", agent_id
    )
    # A tax id is only a statement, and anybody can state another's: it voids nothing, and operators check it.
    is_word = kind is TraitKind.TAX_ID
    assert [row[0] for row in voided] == ([] if is_word else [before])
    good = await books.fetchval("SELECT good_e6 FROM reputation_clients WHERE org_id = $1", payer)
    assert (good > 0) is is_word
    alerts = await books.fetch("SELECT detail FROM alerts WHERE kind = 'fraud_suspected' AND subject = $1", payer)
    assert len(alerts) == 1
    assert ("state the same tax id" in alerts[0]["detail"]) is is_word
    kept = await books.fetch("SELECT DISTINCT digest FROM organization_traits WHERE org_id IN ($1, $2)", payee, payer)
    assert [row[0] for row in kept] == [digest(b"", kind, "de136695976")]


async def test_a_tax_id_relates_while_it_is_stated_and_a_payout_account_permanently(books) -> None:  # noqa: F811
    await made(books, "org_h1", "org_h2", "org_h3")
    for org_id in ("org_h1", "org_h2"):
        await states(books, org_id, "FR40303265045")
    for org_id in ("org_h1", "org_h3"):
        await is_paid_out(books, org_id, "ba_one")
    await states(books, "org_h2", None)
    await is_paid_out(books, "org_h3", "ba_other")
    assert not await related(books, "org_h1", "org_h2")
    assert await related(books, "org_h1", "org_h3")
    await states(books, "org_h2", "FR40303265045")
    assert await related(books, "org_h1", "org_h2")


async def test_bad_evidence_is_not_avoided_by_stating_the_tax_id_of_its_source(
    books,  # noqa: F811
    database,
    urls,
) -> None:
    await made(books, "org_x1", "org_x2")
    agent_id = await new_agent(books, "org_x1")
    old = await deal(books, agent_id, "org_x1", "org_x2", good_e4=0, client_good_e4=10_000)
    for org_id in ("org_x1", "org_x2"):
        await states(books, org_id, "ATU12345675")
    await books_stated_early(urls, "org_x1", "org_x2")
    await void_between_related(database)
    new = await deal(books, agent_id, "org_x1", "org_x2", good_e4=0, client_good_e4=10_000, day=DAY + NIGHT)
    # A lost dispute is bad news of the client, and no way to earn something for the agent.
    more = {"client_bad_e4": 10_000, "is_end": True, "is_success": True}
    lost = await deal(books, agent_id, "org_x1", "org_x2", day=DAY + NIGHT, **more)
    counts = await books.fetch(
        "SELECT excluded, voided_at, client_good_e6 > 0, client_bad_e6 > 0, says <> '[]', is_end"
        " FROM reputation_events WHERE id = ANY ($1) ORDER BY seq",
        [old, new, lost],
    )
    assert [tuple(row) for row in counts] == [
        (None, None, True, False, True, False),
        (None, None, False, False, True, False),
        (None, None, False, True, False, False),
    ]
    async with books.acquire() as connection:
        asked = ("org_x2", "org_x1", ["registrar"])
        assert await are_related(connection, *asked)
        assert not await are_related(connection, *asked, is_bad=True)
        # A card that both pay with is no mere word.
        await have(database, TraitKind.CARD, "fp_x", "org_x1", "org_x2")
        assert await are_related(connection, *asked, is_bad=True)


@pytest.mark.parametrize("meanwhile", ["nothing", "related", "void"])
async def test_recalled_evidence_is_restored_unless_related_or_voided_by_an_operator(
    books,  # noqa: F811
    database,
    meanwhile: str,
) -> None:
    payee, payer, payment = f"org_r1_{meanwhile}", f"org_r2_{meanwhile}", f"pay_{meanwhile}"
    await made(books, payee, payer)
    agent_id = await new_agent(books, payee)
    what, said = replace(about(agent_id, payer), agent_org_id=payee), fact(client_good_e4=10_000)
    async with books.acquire() as connection:
        await record_facts(connection, what, [said])
        assert await recall(connection, payment, [said.subject]) == []
        at = what.at + NIGHT
        if meanwhile == "related":
            await have(database, TraitKind.CARD, f"fp_{payment}", payee, payer)
            await void_between_related(database)
        if meanwhile == "void":
            assert await void(connection, said.id, by="operator", reason="Made up", at=at)
            assert not await void(connection, said.id, by="operator", reason="Once more", at=at)
        for each in await recall(connection, payment, []):
            await restore_event(connection, each, f"{each}_again", at=at)
        counting = "SELECT id FROM reputation_events WHERE agent_id = $1 AND voided_at IS NULL"
        there = [row[0] for row in await connection.fetch(counting, agent_id)]
    assert there == ([f"{said.id}_again"] if meanwhile == "nothing" else [])


async def test_new_trait_reads_events_only_if_others_share_it(
    books,  # noqa: F811
    database,
    urls,
) -> None:
    await made(books, "org_q1", "org_q2", "org_q3", "org_q4")
    agents = {payee: await new_agent(books, payee) for payee in ("org_q1", "org_q3")}
    # There are many others, and the planner knows it.
    for _ in range(300):
        await deal(books, agents["org_q3"], "org_q3", "org_q4")
    mine = [await deal(books, agents["org_q1"], "org_q1", "org_q2") for _ in range(2)]
    async with books.acquire() as connection:
        await void_between_related(database)
        owner = await asyncpg.connect(plain_url(urls.owner))
        await owner.execute("ANALYZE reputation_events")
        await owner.close()

        async def read() -> int:
            counted = (
                "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"
                " WHERE relname = 'reputation_events'"
            )
            async with connection.transaction():
                before = await connection.fetchval(counted)
                assert await connection.fetchval("SELECT reputation_judge_traits(100)") > 0
                return int(await connection.fetchval(counted)) - int(before)

        await have(database, TraitKind.CARD, "fp_q_alone", "org_q1", "org_q4")
        await have(database, TraitKind.CARD, "fp_q_alone", "org_q4", holds=False)
        assert await read() == 0
        await have(database, TraitKind.CARD, "fp_q_both", "org_q1", "org_q2")
        assert await read() < 50
        voided = await connection.fetch(
            "SELECT id FROM reputation_events WHERE agent_id = $1 AND voided_at IS NOT NULL", agents["org_q1"]
        )
        assert {row[0] for row in voided} == set(mine)


async def test_void_of_a_stale_agent_leaves_recalled_evidence_out_of_its_terms(books, database) -> None:  # noqa: F811
    await made(books, "org_v1", "org_v2")
    agent_id, later = await new_agent(books, "org_v1"), DAY + 30 * NIGHT
    bought = replace(about(agent_id, "org_v2"), agent_org_id="org_v1")
    said, rated = fact(), fact(says=(DimensionShare(Dimension.QUALITY, 5_000, 10_000),))
    async with books.acquire() as connection:
        await record_facts(connection, bought, [said])
        # The first event of a later day counts the seasoned one in.
        await record_facts(connection, replace(about(agent_id, "org_a", day=later), agent_org_id="org_v1"), [rated])
        before = await seasoned(connection, agent_id, later)
        await recall(connection, "pay_v", [said.subject])
        # The next step or the night computes its scores again; in the meantime a client changes its feedback.
        assert await void(connection, rated.id, by="client", reason="Changed.", at=bought.at + 30 * NIGHT)
        await refresh(connection, agent_id)
        after = await seasoned(connection, agent_id, later)
    assert (before.evidence_count, after.evidence_count) == (1, 0)
    assert after.stars_e6 == ONE_E6 // 2 < before.stars_e6


async def test_start_logs_organizations_that_are_related_by_their_maker(books, database) -> None:  # noqa: F811
    by = known.FILL.replace("CASE WHEN o LIKE 'org_ring%' THEN 'ringmaster' ELSE 'registrar' END", "$2")
    await books.execute(by, ["org_boss1", "org_boss2"], "root")
    await books.execute(by, ["org_boss3"], "once")
    with capture_logs() as logged:
        for registrars in ("registrar, ringmaster", "registrar, ringmaster, root", "*"):
            await log_warnings(Settings(reputation_registrars=registrars, credit_packages="[]"), database)
    (line,) = logged
    assert (line["event"], line["log_level"]) == ("settings.incomplete", "warning")
    assert line["why"].startswith("2 organizations were made by root, who is not in BURSAR_REPUTATION_REGISTRARS")


async def test_start_continues_if_the_database_does_not_answer() -> None:
    nowhere = "postgresql+asyncpg://nobody@127.0.0.1:1/none"
    database = Database(nowhere, nowhere)
    with capture_logs() as logged:
        await log_warnings(Settings(credit_packages="[]"), database)
    assert [line["event"] for line in logged] == ["settings.not_checked"]
    await database.close()
