"""Payments, refunds, chargebacks and lots that the books hold, as each caller may see them."""

import csv
import io
from datetime import datetime
from typing import Any

import httpx2
import pytest

from api.pagination import encode_cursor
from domain.common import accounts
from domain.common.cells import cell_text
from domain.payments.payment.terms import Purpose, PurposeKind
from ledger.gateway import Ledger
from runtime.database import Database, driver_connection
from tests.api.conftest import TENANT_ROLES, Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.listing import check_range
from tests.api.paying import NOW, Written
from tests.support.cases import for_each
from tests.support.outbox import past_others
from tests.support.payments import EPOCH

pytestmark = pytest.mark.db

BALANCE = Purpose(kind=PurposeKind.BALANCE, goods_asset="USD", goods_minor=1000)
NOBODY = "0" * 26


@pytest.fixture(scope="module")
async def payer(new_tenant: NewTenant, paying: httpx2.AsyncClient) -> Tenant:
    return (await new_tenant(*TENANT_ROLES)).through(paying)


@pytest.fixture
async def paid(payer: Tenant, database: Database) -> Written:
    made = await Written(database, payer.org_id).begin()
    made.there.pay()
    return await made.look()


async def test_payment_that_waits_tells_the_payer_what_to_do_and_nobody_else(
    payer: Tenant, database: Database, operator: Caller
) -> None:
    made = await Written(database, payer.org_id).begin()
    path = f"/payments/{made.terms.payment_id}"
    secrets = {
        role: good(await getattr(payer, role).get(path))["client_secret"] for role in TENANT_ROLES if role != "agent"
    }
    secret = f"{made.there.ref}_secret"
    assert {role for role, shown in secrets.items() if shown == secret} == {"owner", "admin", "finance", "member"}
    assert {secrets["auditor"], good(await operator.get(path))["client_secret"]} == {None}


async def test_payment_is_shown_with_all_that_became_of_it(payer: Tenant, paid: Written) -> None:
    paid.there.refund(250)
    await paid.look()
    shown = good(await payer.auditor.get(f"/payments/{paid.terms.payment_id}"))
    assert (shown["status"], shown["provider"], shown["purpose"]) == ("partially_refunded", "stripe", "credits")
    amounts = ("amount", "received_amount", "refunded_amount", "disputed_amount", "refundable_amount")
    assert [shown[name] for name in amounts] == ["10.00", "10.00", "2.50", "0.00", "7.50"]
    assert shown["granted"] == shown["goods"] == {"amount": "100.00", "currency": "CREDIT"}
    assert shown["owed"]["amount"] == "0.00"
    assert shown["workflow_id"] == f"payment/{paid.terms.payment_id}"
    (refund,) = shown["refunds"]
    assert (refund["amount"], refund["status"], refund["taken"]["amount"]) == ("2.50", "succeeded", "25.00")
    listed = good(await payer.auditor.get(f"/payments/{paid.terms.payment_id}/refunds"))
    assert listed == {"data": [refund], "next_cursor": None}
    path = f"/payments/{paid.terms.payment_id}/refunds"
    answer = await payer.auditor.get(path, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert list(csv.DictReader(io.StringIO(answer.text))) == [
        {name: cell_text(value) for name, value in refund.items()}
    ]


async def test_timeline_names_each_step_and_its_transfer(payer: Tenant, paid: Written) -> None:
    steps = good(await payer.auditor.get(f"/payments/{paid.terms.payment_id}/timeline"))["data"]
    assert [step["kind"] for step in steps] == ["created", "submitted", "received"]
    assert [bool(step["transfer_id"]) for step in steps] == [False, False, True]
    assert steps[0]["actor"] == f"{payer.org_id}/procurement"


async def test_timeline_has_pages(payer: Tenant, paid: Written) -> None:
    path = f"/payments/{paid.terms.payment_id}/timeline"
    whole = good(await payer.auditor.get(path))
    assert (len(whole["data"]), whole["next_cursor"]) == (3, None)
    first = good(await payer.auditor.get(f"{path}?limit=2"))
    second = good(await payer.auditor.get(f"{path}?limit=2&cursor={first['next_cursor']}"))
    assert first["data"] + second["data"] == whole["data"]
    assert second["next_cursor"] is None
    await check_range(payer.auditor, path, "at")


async def test_list_is_narrowed_by_state_and_purpose_and_turned_page_by_page(
    new_tenant: Any, paying: httpx2.AsyncClient, database: Database
) -> None:
    tenant: Tenant = await new_tenant("auditor")
    caller = Caller(paying, tenant.auditor.token)
    made = [await Written(database, tenant.org_id).begin() for _ in range(2)]
    made.append(await Written(database, tenant.org_id, purpose=BALANCE).begin())
    made[0].there.pay()
    await made[0].look()
    newest_first = [each.terms.payment_id for each in reversed(made)]

    async def listed(query: str, path: str = "/payments") -> list[str]:
        return [item["id"] for item in good(await caller.get(f"{path}?{query}"))["data"]]

    assert await listed("") == await listed("", "/billing/payments") == newest_first
    assert await listed("status=succeeded") == newest_first[2:]
    assert await listed("purpose=balance&status=requires_action") == newest_first[:1]
    assert await listed("purpose=escrow") == []
    seen, cursor = [], ""
    while True:
        page = good(await caller.get(f"/payments?limit=1{cursor}"))
        seen += [item["id"] for item in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == newest_first
    for query in ("status=paid", "purpose=", "cursor=x", "limit=0", "limit=201", "status=%00"):
        refused(await caller.get(f"/payments?{query}"), 422, "request.invalid")


async def test_payment_of_somebody_else_does_not_exist(payer: Tenant, paid: Written, new_tenant: Any) -> None:
    stranger: Tenant = await new_tenant("owner", "auditor")
    known, dispute = paid.terms.payment_id, "dsp_" + NOBODY
    for payment_id in (known, "pay_" + NOBODY, "pay_1", known.upper(), "esc_" + NOBODY, "%00", "x" * 500):
        for path in ("", "/timeline", "/refunds"):
            refused(await stranger.owner.get(f"/payments/{payment_id}{path}"), 404, "not_found")
        for command in ("confirm", "capture", "cancel", "refunds"):
            answer = await stranger.auditor.post(f"/payments/{payment_id}/{command}", {}, key=new_key())
            refused(answer, 404, "not_found")
    for path in ("", "?status=succeeded"):
        assert good(await stranger.owner.get(f"/payments{path}"))["data"] == []
    refused(await stranger.owner.get(f"/payments?organization_id={payer.org_id}"), 404, "not_found")
    refused(await stranger.owner.get(f"/disputes/{dispute}"), 404, "not_found")
    refused(await stranger.owner.post(f"/disputes/{dispute}/evidence", {"text": "x"}, key=new_key()), 404, "not_found")


COMMANDS: dict[str, set[str]] = {
    "confirm": {"owner", "admin", "finance", "member"},
    "capture": {"owner", "admin", "finance", "member"},
    "cancel": {"owner", "admin", "finance", "member"},
    "refunds": {"owner", "admin", "finance", "operator"},
}


@pytest.mark.parametrize("command", COMMANDS)
async def test_only_who_may_gives_a_command(
    command: str, payer: Tenant, paid: Written, paying: httpx2.AsyncClient, operator: Caller, issue_key: Any
) -> None:
    platform = {"operator": operator, "arbiter": await issue_key("arbiter"), "validator": await issue_key("validator")}
    callers = payer.callers | {role: Caller(paying, caller.token) for role, caller in platform.items()}
    path, allowed = f"/payments/{paid.terms.payment_id}/{command}", set()
    for role, caller in callers.items():
        answer = await caller.post(path, {}, key=new_key())
        if answer.status_code == 503:
            allowed.add(role)
        else:
            refused(answer, 403, "auth.forbidden")
    assert allowed == COMMANDS[command]
    refused(await payer.owner.post(path, {}), 400, "idempotency.missing")


async def test_only_operators_give_a_refund_up(payer: Tenant, paid: Written, operator: Caller) -> None:
    paid.there.refund(250)
    (refund,) = (await paid.look()).payment.refunds
    path, said = f"/payments/{paid.terms.payment_id}/refunds", {"at_provider": False, "reason": "not there"}
    for caller in payer.callers.values():
        refused(await caller.post(f"{path}/{refund.refund_id}/give-up", said, key=new_key()), 403, "auth.forbidden")
    refused(await operator.post(f"{path}/rfd_{NOBODY}/give-up", said, key=new_key()), 404, "not_found")
    for changed in (
        {"at_provider": None},
        {"at_provider": 0},
        {"at_provider": True},
        {"provider_ref": "re_1"},
        {"reason": ""},
    ):
        answer = await operator.post(f"{path}/{refund.refund_id}/give-up", said | changed, key=new_key())
        refused(answer, 422, "request.invalid")
    # Nothing answers for the run here: it is the run that knows whether the outcome is unknown.
    answer = await operator.post(f"{path}/{refund.refund_id}/give-up", said, key=new_key())
    refused(answer, 503, "service.unavailable")


@for_each(
    "command, body",
    [
        ("capture", {"amount": "0"}),
        ("capture", {"amount": "1.001"}),
        ("refunds", {"amount": "-1"}),
        ("refunds", {"amount": "0.001"}),
        ("refunds", {"amount": "9" * 20}),
        ("refunds", {"amount": []}),
        ("refunds", {"reason": ""}),
        ("refunds", {"reason": "r" * 501}),
        ("refunds", {"reason": "a\x00"}),
        ("refunds", {"currency": "EUR"}),
        ("confirm", {"payment_method": ""}),
        ("confirm", {"payment_method": {"id": "pm_1"}}),
        ("cancel", {"reason": "x"}),
    ],
)
async def test_command_that_makes_no_sense_is_refused(
    command: str, body: dict[str, Any], payer: Tenant, paid: Written
) -> None:
    path = f"/payments/{paid.terms.payment_id}/{command}"
    refused(await payer.owner.post(path, body, key=new_key()), 422, "request.invalid")


async def test_platform_roles_other_than_operators_see_no_payments(
    payer: Tenant, paid: Written, operator: Caller, issue_key: Any
) -> None:
    for role in ("arbiter", "validator"):
        caller = await issue_key(role)
        for path in ("/payments", f"/payments/{paid.terms.payment_id}", "/disputes", "/billing/credits/history"):
            refused(await caller.get(path), 403, "auth.forbidden")
    narrowed = good(await operator.get(f"/payments?organization_id={payer.org_id}&limit=200"))["data"]
    assert paid.terms.payment_id in {item["id"] for item in narrowed}
    assert {item["organization_id"] for item in narrowed} == {payer.org_id}


async def test_bought_credits_are_there_and_in_the_history_with_what_was_paid(
    new_tenant: Any, database: Database, operator: Caller
) -> None:
    tenant: Tenant = await new_tenant("owner", "auditor")
    made = await Written(database, tenant.org_id).begin()
    made.there.pay()
    await made.look()
    grant = {"organization_id": tenant.org_id, "amount": "5", "source": "promotion", "note": "for insiders only"}
    good(await operator.post("/credits/grants", grant, key=new_key()), 201)
    assert good(await tenant.owner.get("/billing/balance"))["available"] == "105.00"
    answer = await tenant.auditor.get("/billing/credits/history")
    assert "insiders" not in answer.text
    first, second = good(answer)["data"]
    assert {first["source"], second["source"]} == {"purchase", "promotion"}
    bought, given = (first, second) if first["source"] == "purchase" else (second, first)
    assert (bought["credits"], bought["payment_id"]) == ("100.00", made.terms.payment_id)
    assert bought["paid"] == {"amount": "10.00", "currency": "USD"}
    assert (given["credits"], given["paid"], given["payment_id"]) == ("5.00", None, None)
    page = good(await tenant.auditor.get("/billing/credits/history?limit=1"))
    rest = good(await tenant.auditor.get(f"/billing/credits/history?limit=1&cursor={page['next_cursor']}"))
    assert [item["id"] for item in page["data"] + rest["data"]] == [first["id"], second["id"]]
    assert rest["next_cursor"] is None


async def test_purchase_that_paid_a_debt_is_whole_in_the_history(new_tenant: Any, database: Database) -> None:
    tenant: Tenant = await new_tenant("owner")
    await owe(database, tenant.org_id, 130_000_000)
    for _ in range(2):
        made = await Written(database, tenant.org_id).begin()
        made.there.pay()
        await made.look()
    assert good(await tenant.owner.get("/billing/balance"))["available"] == "70.00"
    second, first = good(await tenant.owner.get("/billing/credits/history?min_amount=100"))["data"]
    paid = {"amount": "10.00", "currency": "USD"}
    assert [(lot["credits"], lot["debt_paid"], lot["paid"]) for lot in (first, second)] == [
        ("100.00", "100.00", paid),
        ("100.00", "30.00", paid),
    ]
    await past_others(database)
    events = good(await tenant.owner.get("/events?type=credit_lot.created"))["data"]
    assert sorted((event["data"]["amount"], event["data"]["debt_paid"]) for event in events) == [
        ("100.00", "100.00"),
        ("100.00", "30.00"),
    ]


async def test_pitfall_29_chargeback_of_spent_credits_shows_what_is_owed(
    new_tenant: Any, paying: httpx2.AsyncClient, database: Database, operator: Caller, stranger: Tenant
) -> None:
    tenant: Tenant = await new_tenant("owner", "auditor", "member")
    made = await Written(database, tenant.org_id).begin()
    made.there.pay()
    await made.look()
    await spend(database, tenant.org_id, 70_000_000)
    ref = made.there.dispute()
    await made.look()
    (listed,) = good(await tenant.auditor.get("/disputes"))["data"]
    assert listed == good(await tenant.auditor.get(f"/disputes/{listed['id']}"))
    assert listed == good(await operator.get(f"/disputes/{listed['id']}"))
    assert (listed["status"], listed["provider_ref"], listed["amount"]) == ("needs_response", ref, "10.00")
    assert (listed["taken"]["amount"], listed["owed"]["amount"]) == ("100.00", "70.00")
    assert datetime.fromisoformat(listed["opened_at"]).tzinfo is not None
    assert good(await tenant.auditor.get("/disputes?status=won"))["data"] == []
    path = f"/disputes/{listed['id']}/evidence"
    for caller in (tenant.auditor, tenant.member):
        refused(await caller.post(path, {"text": "It was used."}, key=new_key()), 403, "auth.forbidden")
    refused(await stranger.owner.post(path, {"text": "It was used."}, key=new_key()), 404, "not_found")
    owner = Caller(paying, tenant.owner.token)
    for body in ({}, {"text": ""}, {"text": "t" * 4001}, {"text": 5}, {"text": "a\x00"}, {"text": "x", "final": False}):
        refused(await owner.post(path, body, key=new_key()), 422, "request.invalid")
    refused(await owner.post(path, {"text": "It was used."}, key=new_key()), 503, "service.unavailable")


async def test_chargebacks_are_listed_opened_last_first(new_tenant: Any, database: Database) -> None:
    tenant: Tenant = await new_tenant("auditor")
    opened = {}
    for seconds in (0, 300, 600):
        made = await Written(database, tenant.org_id).begin()
        made.there.pay()
        made.there.at = EPOCH.replace(minute=seconds // 60)
        made.there.dispute()
        await made.look()
        opened[made.terms.payment_id] = seconds
    seen, cursor = [], ""
    while True:
        page = good(await tenant.auditor.get(f"/disputes?limit=1{cursor}"))
        seen += [opened[item["payment_id"]] for item in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [600, 300, 0]
    nobody = "dsp_" + "0" * 26
    for bad in (
        "x",
        "WyJkc3AiXQ",
        good(await tenant.auditor.get("/disputes?limit=1"))["next_cursor"][:-4],
        encode_cursor("dsp", "2026-01-01T00:00:00", nobody),
        encode_cursor("dsp", "9999-12-31T23:59:59-23:59", nobody),
        encode_cursor("dsp", "0001-01-01T00:00:00+23:59", nobody),
    ):
        refused(await tenant.auditor.get(f"/disputes?cursor={bad}"), 422, "request.invalid")


async def owe(database: Database, org_id: str, amount_minor: int) -> None:
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_key(),
            kind="test.owed",
            source=accounts.org_debt(org_id, "CREDIT"),
            destination=accounts.platform("credit_issuance", "CREDIT"),
            amount_minor=amount_minor,
            effective_at=NOW,
        )


async def spend(database: Database, org_id: str, amount_minor: int) -> None:
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=f"spend:{org_id}:{new_key()}",
            kind="usage",
            source=accounts.org_credits(org_id),
            destination=accounts.platform("credit_redemption", "CREDIT"),
            amount_minor=amount_minor,
            effective_at=NOW,
            org_id=org_id,
        )
