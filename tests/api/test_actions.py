"""The commands of an escrow or a payment that a caller may give, and the amounts that each would move."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.common.access import Actor, Role
from domain.escrow import commands
from domain.escrow.actions import EscrowAction
from models.common.api_presence import ApiPresence
from runtime.database import Database
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.escrowing import delivered_escrow, escrow_between, funded_escrow, record, state, write
from tests.api.paying import Written, paying_app
from tests.conftest import DatabaseUrls
from tests.support.escrows import PROCUREMENT

pytestmark = pytest.mark.db

#: Deadlines that have passed have acted, so these escrows are of now.
TODAY = datetime.now(UTC)


async def actions_of(caller: Caller, escrow_id: str, query: str = "") -> dict[str, Any]:
    """Return the actions of an escrow by their names."""
    listed = good(await caller.get(f"/escrows/{escrow_id}/actions{query}"))["actions"]
    return {action["action"]: action for action in listed}


async def disputed_escrow(operator: Caller, database: Database, tenant: Tenant) -> str:
    """Write an escrow of 1 credit that is disputed, and return its id."""
    made = await delivered_escrow(operator, database, tenant, tenant, times=1, at=TODAY)
    escrow = await state(database, made)
    actor = replace(PROCUREMENT, org_id=tenant.org_id)
    await write(database, commands.dispute(escrow, actor=actor, reason="late", now=TODAY), at=TODAY)
    return made


async def test_every_command_is_listed_with_an_effect_or_a_reason(
    operator: Caller, database: Database, tenant: Tenant
) -> None:
    made = await funded_escrow(operator, database, tenant, tenant, at=TODAY)
    found = await actions_of(tenant.owner, made)
    assert list(found) == [action.value for action in EscrowAction]
    for action in found.values():
        assert (action["effect"] is None, action["reason"] is None) == (not action["allowed"], action["allowed"])


async def test_effect_names_the_movements_and_the_state_after_it(
    operator: Caller, database: Database, tenant: Tenant
) -> None:
    made = await funded_escrow(operator, database, tenant, tenant, at=TODAY)
    effect = (await actions_of(tenant.owner, made))["refund"]["effect"]
    assert effect == {
        "funded": "0.00",
        "to_agent": "0.00",
        "commission": "0.00",
        "to_payer": "1.00",
        "held": "0.00",
        "currency": "CREDIT",
        "status": "refunded",
    }


async def test_deadline_that_an_outage_extends_has_not_acted_yet(
    operator: Caller, database: Database, tenant: Tenant
) -> None:
    hour, later = timedelta(hours=1), TODAY + timedelta(days=1000)
    made = await funded_escrow(operator, database, tenant, tenant, at=TODAY - timedelta(days=7) - hour)
    assert (await actions_of(tenant.owner, made))["deliver"]["reason"]["code"] == "escrow.wrong_state"
    for began_at, ended_at, allowed in (
        (TODAY - 3 * hour, TODAY, True),
        (TODAY - 1000 * hour, TODAY - 999 * hour, False),
    ):
        async with database.platform() as session:
            await session.merge(ApiPresence(id=1, seen_at=later, away_from=began_at, away_until=ended_at))
        assert (await actions_of(tenant.owner, made))["deliver"]["allowed"] is allowed


async def test_evidence_is_offered_for_as_long_as_an_outage_extends_its_window(
    operator: Caller, database: Database, tenant: Tenant
) -> None:
    hour, later, at = timedelta(hours=1), TODAY + timedelta(days=1000), TODAY - timedelta(days=3) - timedelta(hours=1)
    made = await delivered_escrow(operator, database, tenant, tenant, times=1, at=at)
    actor = replace(PROCUREMENT, org_id=tenant.org_id)
    await write(database, commands.dispute(await state(database, made), actor=actor, reason="late", now=at), at=at)
    for began_at, ended_at, allowed in (
        (TODAY - 3 * hour, TODAY, True),
        (TODAY - 1000 * hour, TODAY - 999 * hour, False),
    ):
        async with database.platform() as session:
            await session.merge(ApiPresence(id=1, seen_at=later, away_from=began_at, away_until=ended_at))
        assert (await actions_of(tenant.owner, made))["submit_evidence"]["allowed"] is allowed


async def test_reason_is_the_refusal_of_the_command(operator: Caller, database: Database, tenant: Tenant) -> None:
    made = await funded_escrow(operator, database, tenant, tenant, at=TODAY)
    answer = refused(await tenant.auditor.post(f"/escrows/{made}/refunds", {}, key=new_key()), 403, "auth.forbidden")
    reason = (await actions_of(tenant.auditor, made))["refund"]["reason"]
    assert reason == {"code": answer["code"], "detail": answer["detail"]}


async def test_key_of_an_agent_refunds_only_with_the_permission(
    operator: Caller, database: Database, tenant: Tenant, stranger: Tenant
) -> None:
    made = await delivered_escrow(operator, database, tenant, stranger, times=1, at=TODAY)
    refused(await stranger.agent.post(f"/escrows/{made}/refunds", {}, key=new_key()), 403, "auth.forbidden")
    body = {"principal": "desk", "role": "agent", "agent_id": stranger.agent_id, "permissions": ["refund"]}
    refused(await operator.post("/api-keys", {**body, "organization_id": stranger.org_id}), 403, "auth.forbidden")
    desk = Caller(stranger.owner.http, good(await stranger.owner.post("/api-keys", body), 201)["secret"])
    assert (await actions_of(desk, made))["refund"]["allowed"]
    assert not (await actions_of(stranger.agent, made))["refund"]["allowed"]


async def test_share_of_a_decision_is_previewed_to_the_unit(
    operator: Caller, database: Database, tenant: Tenant
) -> None:
    made = await disputed_escrow(operator, database, tenant)
    usual = (await actions_of(operator, made))["resolve"]["effect"]
    effect = (await actions_of(operator, made, "?payee_share=0.3333"))["resolve"]["effect"]
    assert (usual["to_payer"], usual["status"]) == ("0.50", "split")
    assert (effect["to_agent"], effect["commission"], effect["to_payer"]) == ("0.316635", "0.016665", "0.6667")


async def test_refund_of_a_part_is_previewed_and_one_of_too_much_is_refused(
    operator: Caller, database: Database, tenant: Tenant
) -> None:
    made = await funded_escrow(operator, database, tenant, tenant, at=TODAY)
    part = (await actions_of(tenant.owner, made, "?amount=0.25"))["refund"]["effect"]
    assert (part["to_payer"], part["held"], part["status"]) == ("0.25", "0.75", "funded")
    more = (await actions_of(tenant.owner, made, "?amount=1.01"))["refund"]
    assert more["reason"]["code"] == "escrow.refund_exceeds_held"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("payee_share=1.0001", "payee_share"),
        ("payee_share=-0.1", "payee_share"),
        ("payee_share=half", "payee_share"),
        ("amount=0", "amount"),
        ("amount=1e3", "amount"),
        ("amount=0.0000001", "amount"),
    ],
)
async def test_bad_preview_names_its_parameter(
    query: str, field: str, operator: Caller, database: Database, tenant: Tenant
) -> None:
    made = await funded_escrow(operator, database, tenant, tenant, at=TODAY)
    answer = refused(await tenant.owner.get(f"/escrows/{made}/actions?{query}"), 422, "request.invalid")
    assert field in (answer.get("field"), *(each["field"] for each in answer.get("errors", ())))


async def test_stranger_and_unknown_escrow_are_the_same_404(
    operator: Caller, database: Database, tenant: Tenant, stranger: Tenant
) -> None:
    made = await escrow_between(operator, database, tenant, tenant, at=TODAY)
    for path in (made, "esc_" + "0" * 26, "x"):
        refused(await stranger.owner.get(f"/escrows/{path}/actions"), 404, "not_found")


async def test_signature_that_the_books_refuse_as_one_persons_is_not_offered(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    tenant = await new_tenant("owner")
    own, slipped = [
        Caller(operator.http, good(await tenant.owner.post("/api-keys", body), 201)["secret"], tenant.org_id)
        for body in [{"principal": "fin", "role": "finance"}] * 2
    ]
    me = good(await tenant.owner.get("/me"))
    made = await delivered_escrow(operator, database, tenant, tenant, me["principal"], "fin", times=1, at=TODAY)
    assert (await actions_of(slipped, made))["approve"]["allowed"]
    owner = Actor(principal=me["principal"], role=Role.OWNER, org_id=tenant.org_id, key_id=me["key_id"])
    escrow = await state(database, made)
    signed = commands.approve(escrow, signatory=owner.principal, actor=owner, now=TODAY, delivery=None)
    assert (await record(database, signed, at=TODAY, actor=owner)).applied
    refusal = (await actions_of(slipped, made))["approve"]
    assert (refusal["allowed"], refusal["reason"]["code"]) == (False, "escrow.already_signed")
    assert "count as one person" in refusal["reason"]["detail"]
    assert (await actions_of(own, made))["approve"]["allowed"]


async def test_delivery_too_many_is_not_offered(operator: Caller, database: Database, tenant: Tenant) -> None:
    parts = [{"name": "draft", "amount": "0.40"}, {"name": "final", "amount": "0.60"}]
    made = await delivered_escrow(operator, database, tenant, tenant, times=100, at=TODAY, milestones=parts)
    assert (await actions_of(tenant.owner, made))["deliver"]["reason"]["code"] == "escrow.deliveries_full"
    escrow, scorer = await state(database, made), Actor(principal="validator", role=Role.VALIDATOR)
    number = escrow.delivery.number if escrow.delivery else None
    scored = commands.validate(escrow, actor=scorer, score_e4=10_000, note=None, now=TODAY, delivery=number)
    await write(database, scored, at=TODAY)
    assert (await actions_of(tenant.owner, made))["deliver"]["allowed"]


async def test_dispute_of_its_own_delivery_is_not_offered_to_an_agents_key(
    operator: Caller, database: Database, tenant: Tenant, stranger: Tenant
) -> None:
    made = await delivered_escrow(operator, database, tenant, stranger, times=1, at=TODAY)
    dispute = (await actions_of(stranger.agent, made))["dispute"]
    assert (dispute["allowed"], dispute["reason"]["code"]) == (False, "auth.forbidden")
    assert (await actions_of(stranger.owner, made))["dispute"]["allowed"]


@pytest.mark.parametrize("stopped", ["payer", "payee"])
async def test_funding_is_not_offered_while_a_party_is_suspended(
    operator: Caller, database: Database, new_tenant: NewTenant, stopped: str
) -> None:
    parties = {"payer": await new_tenant("owner"), "payee": await new_tenant("owner")}
    made = await escrow_between(operator, database, **parties, at=TODAY)
    payer = parties["payer"].owner
    assert (await actions_of(payer, made))["fund"]["allowed"]
    good(await operator.post(f"/organizations/{parties[stopped].org_id}/suspend", {"reason": "a look at it"}))
    fund = (await actions_of(payer, made))["fund"]
    assert (fund["allowed"], fund["reason"]["code"]) == (False, "organization.suspended")


async def test_platform_without_a_part_in_the_escrow_is_offered_its_own_commands_alone(
    operator: Caller, database: Database, tenant: Tenant
) -> None:
    made = await funded_escrow(operator, database, tenant, tenant, at=TODAY)
    allowed = {name for name, action in (await actions_of(operator, made)).items() if action["allowed"]}
    assert allowed == {"dispute", "cancel"}


async def test_summary_names_the_held_amount_and_who_acts_next(
    operator: Caller, database: Database, tenant: Tenant
) -> None:
    made = await funded_escrow(operator, database, tenant, tenant, at=TODAY)
    shown = good(await tenant.owner.get(f"/escrows/{made}"))
    assert shown["story"].startswith("1.00 CREDIT held in escrow. The agent has to deliver. Due ")


async def actions_of_payment(caller: Caller, payment: Written, query: str = "") -> dict[str, Any]:
    listed = good(await caller.get(f"/payments/{payment.terms.payment_id}/actions{query}"))["actions"]
    return {action["action"]: action for action in listed}


@pytest.fixture
async def paid(database: Database, tenant: Tenant) -> Written:
    made = await Written(database, tenant.org_id).begin()
    made.there.pay()
    return await made.look()


async def test_refund_of_a_part_of_a_payment_is_previewed(paid: Written, tenant: Tenant) -> None:
    effect = (await actions_of_payment(tenant.owner, paid, "?amount=2.50"))["refund"]["effect"]
    assert effect == {
        "captured": "0.00",
        "released": "0.00",
        "to_payer": "2.50",
        "fee": "0.00",
        "taken": {"amount": "25.00", "currency": "CREDIT"},
        "currency": "USD",
        "status": "partially_refunded",
    }


async def test_role_that_may_not_pay_is_offered_nothing(paid: Written, tenant: Tenant) -> None:
    found = await actions_of_payment(tenant.auditor, paid)
    assert {action["reason"]["code"] for action in found.values()} == {"auth.forbidden"}


@pytest.mark.parametrize("amount", ["0", "-1", "1e3", "0.001", "x"])
async def test_bad_amount_of_a_preview_is_refused(amount: str, paid: Written, tenant: Tenant) -> None:
    path = f"/payments/{paid.terms.payment_id}/actions?amount={amount}"
    answer = refused(await tenant.owner.get(path), 422, "request.invalid")
    assert "amount" in (answer.get("field"), *(each["field"] for each in answer.get("errors", ())))


async def test_validator_does_not_see_actions_of_payments(
    paid: Written, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    validator = await issue_key("validator")
    refused(await validator.get(f"/payments/{paid.terms.payment_id}/actions"), 403, "auth.forbidden")


async def test_refund_that_takes_two_operators_says_so_and_requests_nothing(
    database_urls: DatabaseUrls, operator: Caller, paid: Written
) -> None:
    async with paying_app(database_urls, two_operators_above="5.00") as http:
        one = Caller(http, operator.token)
        found = await actions_of_payment(one, paid)
        part = await actions_of_payment(one, paid, "?amount=4.00")
        listed = good(await one.get("/approvals"))["data"]
    assert found["refund"]["reason"]["code"] == "approval.required"
    assert part["refund"]["allowed"]
    assert paid.terms.payment_id not in {each["subject"] for each in listed}


async def test_summary_of_a_payment_names_its_status(paid: Written, tenant: Tenant) -> None:
    shown = good(await tenant.owner.get(f"/payments/{paid.terms.payment_id}"))
    assert shown["story"] == "10.00 USD by stripe for credits: succeeded."
