"""Which escrows wait for whom, and how many escrows and payments there are in each state."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from domain.common.access import Actor, Role
from domain.escrow import commands
from repositories.common import listing
from runtime.database import Database
from tests.api.conftest import Caller, NewTenant, Tenant, good, refused
from tests.api.escrowing import NOW, delivered_escrow, escrow_between, funded_escrow, state, write
from tests.api.paying import Written
from tests.support.escrows import FINANCE

pytestmark = pytest.mark.db


async def waiting(caller: Caller, more: str = "") -> list[str]:
    return [row["id"] for row in good(await caller.get(f"/escrows?waits_for=me{more}"))["data"]]


async def counts(caller: Caller, path: str) -> list[tuple[str, str, int, str, bool]]:
    return [tuple(row.values()) for row in good(await caller.get(path))["by_status"]]


async def test_each_side_finds_its_tasks(operator: Caller, database: Database, new_tenant: NewTenant) -> None:
    payer, payee = await new_tenant("owner", "auditor"), await new_tenant("owner", "agent")
    opened = await escrow_between(operator, database, payer, payee)
    funded = await funded_escrow(operator, database, payer, payee)
    assert await waiting(payer.owner) == [opened]
    assert await waiting(payee.owner) == await waiting(payee.agent) == [funded]
    assert await waiting(payer.auditor) == []
    assert await waiting(payer.owner, "&status=delivered") == []


async def test_signature_waits_for_its_signatory_whatever_the_case_and_until_it_is_given(
    operator: Caller, database: Database, new_tenant: NewTenant, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    payer, payee = await new_tenant("owner", "finance"), await new_tenant("owner")
    principal = good(await payer.owner.get("/api-keys?role=finance"))["data"][0]["principal"]
    made = await delivered_escrow(operator, database, payer, payee, "someone", principal.upper(), times=1)
    assert await waiting(payer.finance) == [made]
    assert await waiting(payer.owner) == []
    signer = Actor(principal=principal, role=Role.FINANCE, org_id=payer.org_id)
    escrow = await state(database, made)
    two = replace(escrow, terms=replace(escrow.terms, required_signatures=2))
    await write(database, commands.approve(two, signatory=principal.upper(), actor=signer, now=NOW))
    assert await waiting(payer.finance) == []


async def test_platform_finds_escrows_to_score_and_to_decide(
    operator: Caller, database: Database, new_tenant: NewTenant, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    payer = await new_tenant("owner")
    delivered = await delivered_escrow(operator, database, payer, payer, times=1)
    disputed = await delivered_escrow(operator, database, payer, payer, times=1)
    actor = replace(FINANCE, org_id=payer.org_id)
    await write(database, commands.dispute(await state(database, disputed), actor=actor, reason="x", now=NOW))
    narrowed = f"&organization_id={payer.org_id}"
    assert await waiting(await issue_key("validator"), narrowed) == [delivered]
    assert await waiting(await issue_key("arbiter"), narrowed) == [disputed]
    assert await waiting(operator, narrowed) == [disputed, delivered]


async def test_dispute_waits_for_its_parties_while_evidence_can_come(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer = await new_tenant("owner")
    made = await delivered_escrow(operator, database, payer, payer, times=1)
    actor, later = replace(FINANCE, org_id=payer.org_id), NOW.replace(year=2999)
    await write(database, commands.dispute(await state(database, made), actor=actor, reason="x", now=later), at=later)
    assert await waiting(operator, f"&organization_id={payer.org_id}") == []


async def test_no_other_party_has_a_task(tenant: Tenant) -> None:
    refused(await tenant.owner.get("/escrows?waits_for=you"), 422, "request.invalid")


async def test_escrows_are_counted_by_state_and_currency(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer, payee = await new_tenant("owner"), await new_tenant("owner")
    for _ in range(2):
        await escrow_between(operator, database, payer, payee)
    await escrow_between(operator, database, payer, payee, currency="USD", price="3.00")
    await funded_escrow(operator, database, payer, payee)
    expected = [
        ("funded", "CREDIT", 1, "1.00", False),
        ("open", "CREDIT", 2, "2.00", False),
        ("open", "USD", 1, "3.00", False),
    ]
    assert await counts(payer.owner, "/escrows/summary") == expected
    assert await counts(payee.owner, "/escrows/summary") == expected
    assert await counts(operator, f"/escrows/summary?organization_id={payer.org_id}") == expected
    assert await counts(payer.owner, "/escrows/summary?currency=USD") == expected[2:]
    assert await counts(payer.owner, "/escrows/summary?status=funded") == expected[:1]
    assert await counts(payee.owner, "/escrows/summary?waits_for=me") == expected[:1]


async def test_payments_are_counted_by_state_and_currency(database: Database, new_tenant: NewTenant) -> None:
    payer = await new_tenant("owner")
    for pays in (True, True, False):
        made = await Written(database, payer.org_id).begin()
        if pays:
            made.there.pay()
            await made.look()
    found = await counts(payer.owner, "/payments/summary")
    assert found == [("requires_action", "USD", 1, "10.00", False), ("succeeded", "USD", 2, "20.00", False)]
    assert await counts(payer.owner, "/payments/summary?purpose=invoice") == []
    assert await counts(payer.owner, "/payments/summary?provider=stripe&status=succeeded") == found[1:]


async def test_payments_are_counted_by_provider(database: Database, new_tenant: NewTenant) -> None:
    payer = await new_tenant("owner")
    for provider in ("stripe", "paypal", "stripe"):
        await Written(database, payer.org_id, provider=provider).begin()
    answer = good(await payer.owner.get("/payments/summary"))
    counted = [(each["provider"], each["status"], each["count"], each["amount"]) for each in answer["by_provider"]]
    assert counted == [("paypal", "requires_action", 1, "10.00"), ("stripe", "requires_action", 2, "20.00")]
    assert [(each["count"], each["amount"]) for each in answer["by_status"]] == [(3, "30.00")]


async def test_number_of_scanned_rows_is_bounded(
    database: Database, new_tenant: NewTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer = await new_tenant("owner")
    for _ in range(3):
        await Written(database, payer.org_id).begin()
    monkeypatch.setattr(listing, "SCAN_LIMITS", (1, 2))
    [found] = await counts(payer.owner, "/payments/summary")
    assert found[2:] == (3, "30.00", True)


async def test_strangers_are_not_counted(tenant: Tenant, stranger: Tenant) -> None:
    for path in ("escrows", "payments"):
        refused(await tenant.owner.get(f"/{path}/summary?organization_id={stranger.org_id}"), 404, "not_found")
