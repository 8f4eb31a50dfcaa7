"""The trust in clients over HTTP: what it follows, who sees how much of it, and that no silence mends it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api.v1.escrows.commands import terms_of
from domain.common.access import Actor, Role
from domain.escrow import commands
from repositories.escrow import contract as contracts
from runtime.database import driver_connection
from tests.api import escrowing
from tests.api.conftest import Caller, Tenant, good, refused
from tests.api.paying import Written
from tests.api.test_reputation import buy, parties, settle, site, work  # noqa: F401

pytestmark = pytest.mark.db


async def trust_in(client: Tenant, reader: Caller) -> dict[str, Any]:
    found: dict[str, Any] = good(await reader.get(f"/reputation/clients/{client.org_id}"))
    return found


async def test_newcomer_is_in_the_middle_and_hidden_without_a_contract(
    operator,
    parties,  # noqa: F811
    issue_key,
) -> None:
    client, studio = parties
    for reader in (client.owner, client.auditor, operator):
        found = await trust_in(client, reader)
        shown = ("trust", "evidence_count", "is_new", "counts", "events")
        assert [found[name] for name in shown] == [5.0, 0, True, {}, []]
    path = f"/reputation/clients/{client.org_id}"
    refused(await studio.owner.get(path), 404, "not_found")
    refused(await (await issue_key("arbiter")).get(path), 403, "auth.forbidden")
    await escrowing.contract_between(operator, client, studio, signatories=["procurement"])
    found = await trust_in(client, studio.owner)
    assert [found[name] for name in ("trust", "evidence_count", "counts", "events")] == [5.0, 0, None, None]
    # The client does not see its payee's in turn.
    refused(await client.owner.get(f"/reputation/clients/{studio.org_id}"), 404, "not_found")


async def test_paid_out_work_is_good_evidence_of_a_client_and_its_payee_sees_no_events(
    operator,
    database,
    parties,  # noqa: F811
) -> None:
    client, studio = parties
    await settle(operator, database, client, studio, at=datetime.now(UTC))
    found = await trust_in(client, client.owner)
    assert found["trust"] > 5.5
    assert found["low"] < found["trust"] < found["high"]
    assert (found["evidence_count"], found["counts"], found["is_new"]) == (1, {"paid": 1}, False)
    [event] = found["events"]
    assert "A contract was paid out (esc_" in event["sentence"]
    seen = await trust_in(client, studio.owner)
    assert seen == found | {"counts": None, "events": None}


async def test_declined_payments_and_lost_chargebacks_lower_trust_and_silence_mends_nothing(
    operator,
    database,
    parties,  # noqa: F811
) -> None:
    client, studio = parties
    bought = await buy(database, client)
    await work(operator, database, client, studio, at=datetime.now(UTC))
    good_of_it = await trust_in(client, client.owner)
    declined = await Written(database, client.org_id).begin()
    declined.there.fail()
    await declined.look()
    one = await trust_in(client, client.owner)
    assert one["trust"] < good_of_it["trust"]
    assert one["counts"] == {"paid": 1, "payment_failed": 1}

    ref = bought.there.dispute()
    await bought.look()
    # Evidence that the payment paid for is void; the open dispute itself is no evidence yet.
    opened = await trust_in(client, client.owner)
    assert opened["counts"] == {"payment_failed": 1}
    bought.there.close_dispute(ref, won=False)
    await bought.look()
    await bought.look()
    lost = await trust_in(client, operator)
    assert lost["trust"] < opened["trust"] < 5.0
    assert lost["counts"] == {"payment_failed": 1, "charged_back": 1}
    assert [(event["kind"], event["is_void"]) for event in lost["events"]] == [
        ("charged_back", False),
        ("payment_failed", False),
        ("paid", True),
    ]
    assert "bad evidence" in lost["events"][0]["sentence"]

    async with database.platform() as session:
        connection = await driver_connection(session)
        await connection.execute(
            "UPDATE reputation_clients SET through = through + 60 WHERE org_id = $1", client.org_id
        )
    later = await trust_in(client, operator)
    assert later["trust"] <= lost["trust"]


async def test_a_cancellation_that_the_client_asked_for_counts_and_the_payees_own_does_not(
    operator,
    database,
    parties,  # noqa: F811
) -> None:
    client, studio = parties
    await buy(database, client)
    buyer = Actor(principal="procurement", role=Role.OWNER, org_id=client.org_id)
    worker = Actor(principal="studio", role=Role.OWNER, org_id=studio.org_id)
    for actors, count in (([worker], 0), ([buyer, worker], 1)):
        at = datetime.now(UTC)
        contract_id = await work(operator, database, client, studio, at=at, score=None)
        async with database.platform() as session:
            escrow_id = terms_of(await contracts.get(session, contract_id)).escrow_id
        for actor in actors:
            held = await escrowing.state(database, escrow_id)
            await escrowing.write(database, commands.cancel(held, actor=actor, reason=None), at=at)
        found = await trust_in(client, client.owner)
        assert found["evidence_count"] == count
    assert found["counts"] == {"cancelled": 1}
    assert found["trust"] < 5.0
    assert found["events"][0]["subject"] == escrow_id
