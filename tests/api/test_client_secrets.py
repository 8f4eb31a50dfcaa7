"""Client secrets are stored sealed, once, and only while somebody can pay with them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from api.app import create_app
from runtime.database import Database
from runtime.sealing import Sealer
from tests.api.conftest import Caller, Tenant, good, new_key, settings_for
from tests.api.metering import event, send, statuses
from tests.api.paying import Written
from tests.api.spending import grant
from tests.api.test_idempotency import Bench, keyed, post, serving
from tests.conftest import DatabaseUrls
from tests.runtime.conftest import KEY_ONE

pytestmark = pytest.mark.db

KEYS = SecretStr(KEY_ONE)


@pytest.fixture
async def sealing(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    """The sealing of a process with encryption keys."""
    made = Database(database_urls.tenant, database_urls.platform, sealer=Sealer(KEYS))
    yield made
    await made.close()


async def stored(database: Database, query: str, **values: Any) -> str:
    """Read a column as stored in the table."""
    async with database.platform() as session:
        return str((await session.execute(text(query), values)).scalar_one())


async def row_of(database: Database, made: Written) -> str:
    return await stored(database, "SELECT state::text FROM payments WHERE id = :id", id=made.terms.payment_id)


async def test_secret_of_a_payment_is_sealed_while_it_can_be_paid_and_forgotten_after(
    sealing: Database, tenant: Tenant
) -> None:
    made = await Written(sealing, tenant.org_id).begin()
    secret = f"{made.there.ref}_secret"
    assert secret not in await row_of(sealing, made)
    assert "sealed:k1:" in await row_of(sealing, made)
    assert made.payment is not None
    assert made.payment.action is not None
    assert made.payment.action.client_secret == secret
    made.there.pay()
    await made.look()
    assert "sealed:" not in await row_of(sealing, made)


async def test_payment_that_was_stored_without_keys_reads_with_them(
    database: Database, sealing: Database, database_urls: DatabaseUrls, tenant: Tenant
) -> None:
    made = await Written(database, tenant.org_id).begin()
    app = create_app(settings_for(database_urls, encryption_keys=KEYS), database=sealing)
    async with app.router.lifespan_context(app), serving(app) as http:
        shown = good(await Caller(http, tenant.owner.token).get(f"/payments/{made.terms.payment_id}"))
    assert shown["client_secret"] == f"{made.there.ref}_secret"


async def test_repeated_answer_with_a_secret_is_the_first_one_byte_for_byte(
    bench: Bench, database: Database, tenant: Tenant
) -> None:
    made, key = await Written(database, tenant.org_id).begin(), "repeated-secret"

    async def act() -> dict[str, object]:
        return {"payment_id": made.terms.payment_id, "client_secret": f"{made.there.ref}_secret", "note": "größer"}

    bench.act = act
    async with serving(bench.app) as http:
        caller = Caller(http, tenant.owner.token)
        first, again = [await post(caller, "/acts/a", **keyed(key)) for _ in range(2)]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.content == first.content


async def answered(bench: Bench, tenant: Tenant, key: str, answer: dict[str, object]) -> dict[str, Any]:
    async def act() -> dict[str, object]:
        return answer

    bench.act = act
    async with serving(bench.app) as http:
        replayed: dict[str, Any] = (await post(Caller(http, tenant.owner.token), "/acts/a", **keyed(key))).json()
    return replayed


@pytest.fixture
async def bench(database_urls: DatabaseUrls, sealing: Database) -> AsyncIterator[Bench]:
    made = Bench(create_app(settings_for(database_urls, encryption_keys=KEYS), database=sealing))
    async with made.app.router.lifespan_context(made.app):
        yield made


KEPT = "SELECT convert_from(body, 'UTF8') FROM idempotency_keys WHERE scope = :scope AND key = :key"


@pytest.mark.parametrize("shape", ["id", "payment_id", "nested"])
async def test_answer_about_a_payment_keeps_no_secret_and_replays_it_until_it_is_paid(
    shape: str, bench: Bench, sealing: Database, tenant: Tenant
) -> None:
    made = await Written(sealing, tenant.org_id).begin()
    secret, key = f"{made.there.ref}_secret", f"answer-{shape}-{made.terms.payment_id}"
    inner: dict[str, object] = {"id" if shape == "nested" else shape: made.terms.payment_id, "client_secret": secret}
    answer: dict[str, object] = {"id": "esc_1", "payment": inner} if shape == "nested" else inner
    assert await answered(bench, tenant, key, answer) == answer
    kept = await stored(sealing, KEPT, scope=tenant.org_id, key=key)
    assert secret not in kept
    assert await answered(bench, tenant, key, {}) == answer
    made.there.pay()
    await made.look()
    after = await answered(bench, tenant, key, {})
    assert (after["payment"] if shape == "nested" else after)["client_secret"] is None


async def test_answer_about_something_else_keeps_its_secret_sealed(
    bench: Bench, sealing: Database, tenant: Tenant
) -> None:
    answer: dict[str, object] = {"id": "seti_1", "client_secret": "seti_1_secret_2", "note": "é"}
    key = f"setup-{tenant.org_id}"
    assert await answered(bench, tenant, key, answer) == answer
    assert "secret_2" not in await stored(sealing, KEPT, scope=tenant.org_id, key=key)
    assert await answered(bench, tenant, key, {}) == answer


async def test_answer_that_names_a_payment_of_somebody_else_contains_nothing_of_it(
    bench: Bench, sealing: Database, tenant: Tenant, stranger: Tenant
) -> None:
    theirs = await Written(sealing, stranger.org_id).begin()
    key = f"foreign-{theirs.terms.payment_id}"
    await answered(bench, tenant, key, {"id": theirs.terms.payment_id, "client_secret": "mine"})
    assert (await answered(bench, tenant, key, {}))["client_secret"] is None


async def test_repeated_answer_has_its_metadata_whatever_its_names_and_values_are(
    bench: Bench, sealing: Database, tenant: Tenant
) -> None:
    theirs = await Written(sealing, tenant.org_id).begin()
    for number, value in enumerate(("mine", "sealed:k1:x", f"kept-with:{theirs.terms.payment_id}")):
        key = f"metadata-{number}-{theirs.terms.payment_id}"
        answer = {"id": "agt_1", "metadata": {"client_secret": value, "payment_id": theirs.terms.payment_id}}
        assert await answered(bench, tenant, key, answer) == answer
        assert await answered(bench, tenant, key, {}) == answer


@pytest.mark.parametrize("way", ["spend", "event"])
async def test_sealed_text_sent_by_a_client_is_not_opened(
    way: str, operator: Caller, new_tenant: Any, sealing: Database, database_urls: DatabaseUrls
) -> None:
    # The reader of a backup has no key, and finds only sealed values.
    tenant, stolen = await new_tenant("owner", "agent"), Sealer(KEYS).seal("pi_3Victim_secret_7Xy")
    await grant(operator, tenant.org_id)
    app = create_app(settings_for(database_urls, encryption_keys=KEYS), database=sealing)
    async with app.router.lifespan_context(app), serving(app) as http:
        caller = Caller(http, tenant.owner.token)
        if way == "spend":
            body = {"amount": "1", "metadata": {"client_secret": stolen}}
            made = good(await caller.post("/credits/use", body, key=new_key()), 201)
            shown = good(await caller.get(f"/credits/spends/{made['id']}"))
        else:
            sent = event(data={"client_secret": stolen})
            assert statuses(await send(caller, sent)) == ["accepted"]
            shown = good(await caller.get("/billing/usage/logs"))
    assert stolen in str(shown)
    assert "pi_3Victim_secret_7Xy" not in str(shown)


async def test_metadata_of_a_tenant_is_text_by_whatever_name(
    operator: Caller, tenant: Tenant, sealing: Database, database_urls: DatabaseUrls
) -> None:
    app, pair = create_app(settings_for(database_urls, encryption_keys=KEYS), database=sealing), "sealed:k9:mine"
    async with app.router.lifespan_context(app), serving(app) as http:
        caller, there = Caller(http, tenant.owner.token), f"/agents/{tenant.agent_id}"
        body = {"metadata": {"client_secret": pair}}
        made = good(await caller.ask("PATCH", there, json=body, headers={"If-Match": "*"}))
        assert made["metadata"] == body["metadata"]
        found = good(await caller.get("/agents", params={"metadata[client_secret]": pair}))["data"]
        assert [each["id"] for each in found] == [tenant.agent_id]
        good(await Caller(http, operator.token).get("/agents"))
