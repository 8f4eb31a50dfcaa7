"""Every bad request to the escrow endpoints of the running stack is answered by its problem document."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.conftest import WORK, Caller, World, good, new_key, refused

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]

UNKNOWN = "esc_" + "0" * 26
#: Every command: who may give it, where, with what, and in which state it is taken.
COMMANDS: dict[str, tuple[str, str, dict[str, Any] | None, str]] = {
    "fund": ("client", "fund", {"source": "credits"}, "open"),
    "deliver": ("agent", "delivery", WORK, "funded"),
    "validate": ("validator", "validation", {"score": "0.10"}, "delivered"),
    "approve": ("client", "approvals", {}, "delivered"),
    "dispute": ("client", "disputes", {"reason": "No"}, "funded"),
    "evidence": ("studio", "disputes/evidence", {"note": "See"}, "disputed"),
    "resolve": ("arbiter", "disputes/resolution", {"payee_share": "0.5"}, "disputed"),
    "refund": ("studio", "refunds", {}, "funded"),
    "cancel": ("studio", "cancel", {}, "open"),
}
MONEY = ["fund", "validate", "approve", "resolve", "refund", "cancel"]
#: Roles that see the escrow and may not give the command.
WRONG_ROLES = {
    "fund": ["auditor", "validator", "arbiter", "operator", "studio"],
    "deliver": ["client", "finance", "auditor", "validator", "operator"],
    "validate": ["client", "finance", "agent", "studio", "arbiter", "auditor"],
    "approve": ["auditor", "agent", "validator", "arbiter", "operator"],
    "dispute": ["auditor", "validator", "arbiter"],
    "evidence": ["auditor", "validator", "arbiter"],
    "resolve": ["client", "studio", "agent", "validator", "auditor"],
    "refund": ["client", "finance", "auditor", "validator", "operator"],
    "cancel": ["auditor", "validator", "arbiter"],
}
WRONG_STATES = {
    "fund": ["funded", "delivered", "disputed", "released"],
    "deliver": ["open", "disputed", "released"],
    "validate": ["open", "funded", "disputed", "released"],
    "approve": ["open", "funded", "disputed", "released"],
    "dispute": ["open", "disputed", "released"],
    "evidence": ["open", "funded", "delivered", "released"],
    "resolve": ["open", "funded", "delivered", "released"],
    "refund": ["open", "released"],
    "cancel": ["delivered", "disputed", "released"],
}
NOT_AMOUNTS = [
    *(
        "abc",
        "",
        " ",
        "1e3",
        "1,00",
        "0",
        "0.00",
        "-1",
        "0.0000001",
        "NaN",
        "Infinity",
        "1" * 41,
        "99999999999999999999",
    ),
    *(0, -1, 1e-7, 1e30, True, False, [], {}, ["1"]),
]
NOT_SHARES = ["1.01", "-0.1", "0.12345", "x", "", "1e-1", 2, -1, 1.5, True, None, [], {}]


@pytest.fixture(scope="session")
async def standing(world: World) -> dict[str, dict[str, Any]]:
    """One escrow in each state, for requests that must change nothing."""
    states = ("open", "funded", "delivered", "disputed", "released")
    return {state: await world.escrow(state) for state in states}


def path_of(escrow: dict[str, Any], command: str) -> str:
    return f"/escrows/{escrow['id']}/{COMMANDS[command][1]}"


async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 65_536):
        yield body[start : start + 65_536]


# Create ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount", NOT_AMOUNTS, ids=repr)
async def test_create_refuses_what_is_not_an_amount(world: World, amount: object) -> None:
    contract = await world.award()
    refused(
        await world.client.post("/escrows", {"contract_id": contract["id"], "amount": amount}), 422, "request.invalid"
    )
    good(await world.client.post("/escrows", {"contract_id": contract["id"]}), 201)


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"contract_id": None}, {"contract_id": 7}, {"contract_id": "ctr_1"}, {"contract_id": "esc_" + "0" * 26}),
        *({"contract_id": "ctr_" + "0" * 26, "ammount": "1"}, [], "ctr", 7, None),
    ],
    ids=repr,
)
@pytest.mark.parametrize("path", ["/escrows", "/payments/escrow/create"])
async def test_create_refuses_a_body_that_names_no_contract(world: World, path: str, body: object) -> None:
    response = await world.client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert refused(response, 422, "request.invalid")["errors"]


async def test_create_refuses_contracts_that_the_caller_does_not_see(world: World, stranger: Caller) -> None:
    contract = await world.award()
    body = {"contract_id": contract["id"]}
    refused(await stranger.post("/escrows", body), 404, "not_found")
    refused(await world.client.post("/escrows", {"contract_id": "ctr_" + "0" * 26}), 404, "not_found")
    refused(await world.studio.post("/escrows", body), 403, "auth.forbidden")
    refused(await world.auditor.post("/escrows", body), 403, "auth.forbidden")
    refused(await world.agent.post("/escrows", body), 403, "auth.forbidden")


async def test_contract_has_one_escrow_whatever_the_key(world: World) -> None:
    contract = await world.award()
    body = {"contract_id": contract["id"]}
    answers = await asyncio.gather(*(world.client.post("/escrows", body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    document = refused(await world.client.post("/escrows", body), 409, "escrow.exists")
    assert document["state"] == "open"
    assert document["escrow_id"].startswith("esc_")


async def test_amount_that_is_not_the_price_is_refused(world: World) -> None:
    contract = await world.award("50.00")
    for amount in ("49.99", "50.000001", 51):
        body = {"contract_id": contract["id"], "amount": amount}
        refused(await world.client.post("/escrows", body), 409, "escrow.amount_mismatch")
    for_fifty = {"contract_id": contract["id"], "amount": 50}
    assert good(await world.client.post("/escrows", for_fifty), 201)["amount"] == "50.00"


# Money ----------------------------------------------------------------------------------------------------------------


async def test_payer_without_the_money_is_told_and_can_fund_later(world: World) -> None:
    org, callers = await world.tenant("owner")
    body = {"agent_id": world.running.ids["agent"], "title": "Job", "price": "10.00", "currency": "CREDIT"}
    contract = good(await callers["owner"].post("/contracts", body), 201)
    escrow = good(await callers["owner"].post("/escrows", {"contract_id": contract["id"]}), 201)
    path = f"/escrows/{escrow['id']}/fund"
    document = refused(await callers["owner"].post(path, {"source": "credits"}), 402, "ledger.insufficient_funds")
    assert document["state"] == "open"
    good(
        await world.operator.post(
            "/credits/grants", {"organization_id": org, "amount": "10.00", "source": "promotion"}
        ),
        201,
    )
    assert good(await callers["owner"].post(path, {"source": "credits"}))["status"] == "funded"


@pytest.mark.parametrize("body", [{"source": "gold"}, {"source": 1}, {"source": None}, {"amount": "1"}], ids=repr)
async def test_fund_refuses_sources_that_do_not_exist(
    world: World, standing: dict[str, dict[str, Any]], body: dict[str, Any]
) -> None:
    refused(await world.client.post(path_of(standing["open"], "fund"), body), 422, "request.invalid")


async def test_credits_do_not_fund_a_contract_in_another_currency(world: World) -> None:
    contract = await world.award("10.00", currency="USD")
    escrow = good(await world.client.post("/escrows", {"contract_id": contract["id"]}), 201)
    document = refused(
        await world.client.post(path_of(escrow, "fund"), {"source": "credits"}), 409, "escrow.currency_mismatch"
    )
    assert document["state"] == "open"


@pytest.mark.parametrize("amount", NOT_AMOUNTS, ids=repr)
async def test_refund_refuses_what_is_not_an_amount(
    world: World, standing: dict[str, dict[str, Any]], amount: object
) -> None:
    response = await world.studio.post(path_of(standing["funded"], "refund"), {"amount": amount})
    refused(response, 422, "request.invalid")
    assert (await world.look(standing["funded"]))["refunded_amount"] == "0.00"


async def test_refund_never_exceeds_what_is_held(world: World, standing: dict[str, dict[str, Any]]) -> None:
    path = path_of(standing["funded"], "refund")
    document = refused(await world.studio.post(path, {"amount": "5.000001"}), 422, "escrow.refund_exceeds_held")
    assert document["held"] == "5.00"


@pytest.mark.parametrize("share", NOT_SHARES, ids=repr)
async def test_scores_and_shares_lie_between_zero_and_one(
    world: World, standing: dict[str, dict[str, Any]], share: object
) -> None:
    validation = await world.validator.post(path_of(standing["delivered"], "validate"), {"score": share})
    refused(validation, 422, "request.invalid")
    resolution = await world.arbiter.post(path_of(standing["disputed"], "resolve"), {"payee_share": share})
    refused(resolution, 422, "request.invalid")


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("deliver", {"artifacts": "none"}),
        ("deliver", {"artifacts": [{"uri": "no scheme"}]}),
        ("deliver", {"artifacts": [{"uri": "https://a.test", "sha256": "ab"}]}),
        ("deliver", {"artifacts": [{"uri": "https://a.test"}] * 51}),
        ("deliver", {"note": "x" * 4001}),
        ("deliver", {"note": "\u0000"}),
        ("deliver", {"milestone": "of a contract without any"}),
        ("validate", {}),
        ("validate", {"score": "0.5", "note": 5}),
        ("approve", {"signatory": "finance"}),
        ("dispute", {}),
        ("dispute", {"reason": ""}),
        ("dispute", {"reason": 5}),
        ("evidence", {"artifacts": []}),
        ("resolve", {}),
        ("resolve", {"payee_share": "0.5", "payer_share": "0.5"}),
        ("cancel", {"reason": ["x"]}),
    ],
    ids=repr,
)
async def test_bodies_of_the_wrong_shape_are_refused(
    world: World, standing: dict[str, dict[str, Any]], command: str, body: dict[str, Any]
) -> None:
    role, _, _, state = COMMANDS[command]
    refused(await world.of(role).post(path_of(standing[state], command), body), 422, "request.invalid")


# Bodies and keys ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
async def test_half_a_body_and_other_content_types_are_refused(
    world: World, standing: dict[str, dict[str, Any]], command: str
) -> None:
    role, _, body, state = COMMANDS[command]
    caller, path = world.of(role), path_of(standing[state], command)
    whole = json.dumps(body or {"a": 1})
    headers = {"Content-Type": "application/json"}
    refused(await caller.post(path, content=whole[:-1], headers=headers), 400, "request.invalid")
    refused(await caller.post(path, content=b"\xff\xfe", headers=headers), 400, "request.invalid")
    refused(await caller.post(path, content='{"a": 1, "a": 2}', headers=headers), 400, "request.invalid")
    refused(await caller.post(path, content='{"a": NaN}', headers=headers), 400, "request.invalid")
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        refused(
            await caller.post(path, content=whole, headers={"Content-Type": content_type}), 415, "request.content_type"
        )
    huge = json.dumps({"note": "x" * 1_100_000}).encode()
    refused(await caller.post(path, content=huge, headers=headers), 413, "request.too_large")
    refused(await caller.post(path, content=in_chunks(huge), headers=headers), 413, "request.too_large")
    assert (await world.look(standing[state]))["status"] == state


@pytest.mark.parametrize("command", MONEY)
async def test_commands_that_move_money_need_a_key(
    world: World, standing: dict[str, dict[str, Any]], command: str
) -> None:
    role, _, body, state = COMMANDS[command]
    caller, path = world.of(role), path_of(standing[state], command)
    refused(await caller.post(path, body, key=None), 400, "idempotency.missing")
    for bad in ("", "é" * 3, "x" * 256, "tab\there"):
        response = await caller.post(path, body, key=None, headers={"Idempotency-Key": bad.encode()})
        refused(response, 422, "request.invalid")
    assert (await world.look(standing[state]))["status"] == state


async def test_key_with_another_body_path_or_operation_is_refused(world: World) -> None:
    one, other = await world.escrow("funded"), await world.escrow("funded")
    key = new_key()
    first = good(await world.studio.post(path_of(one, "refund"), {"amount": "1.00"}, key=key))
    for path, body in (
        (path_of(one, "refund"), {"amount": "2.00"}),
        (path_of(one, "refund"), {}),
        (path_of(other, "refund"), {"amount": "1.00"}),
        (path_of(one, "cancel"), {}),
    ):
        refused(await world.studio.post(path, body, key=key), 422, "idempotency.conflict")
    assert await world.look(one) == first
    same_in_other_layout = b'{ "amount" :\n"1.00" }'
    again = await world.studio.post(
        path_of(one, "refund"), content=same_in_other_layout, headers={"Content-Type": "application/json"}, key=key
    )
    assert good(again) == first
    # Another organization's key of the same text is another key.
    assert good(await world.client.post(path_of(one, "dispute"), {"reason": "No"}, key=key))["status"] == "disputed"


@pytest.mark.parametrize("command", COMMANDS)
async def test_race_of_one_key_has_one_effect_and_one_answer(world: World, command: str) -> None:
    role, _, body, state = COMMANDS[command]
    escrow = await world.escrow(state)
    caller, path, key = world.of(role), path_of(escrow, command), new_key()
    answers = await asyncio.gather(*(caller.post(path, body, key=key) for _ in range(6)))
    for answer in answers:
        if answer.status_code != 200:
            refused(answer, 409, "idempotency.in_flight")
            assert int(answer.headers["retry-after"]) >= 1
    contents = {answer.content for answer in answers if answer.status_code == 200}
    assert len(contents) == 1
    assert (await caller.post(path, body, key=key)).content == contents.pop()
    assert (await world.look(escrow))["version"] == escrow["version"] + 1


async def test_race_of_two_keys_has_one_effect_and_tells_the_other(world: World) -> None:
    escrow = await world.escrow("open")
    path = path_of(escrow, "fund")
    answers = await asyncio.gather(*(world.client.post(path, {"source": "credits"}) for _ in range(5)))
    assert Counter(answer.status_code for answer in answers) == Counter({200: 1, 409: 4})
    for answer in answers:
        if answer.status_code == 409:
            assert refused(answer, 409, "escrow.wrong_state")["state"] == "funded"


async def test_pitfall_05_release_and_refund_race_and_exactly_one_wins(world: World) -> None:
    escrow = await world.escrow("delivered")
    answers = await asyncio.gather(
        world.validator.post(path_of(escrow, "validate"), {"score": "0.95"}),
        world.studio.post(path_of(escrow, "refund"), {}),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    final = await world.look(escrow)
    assert final["status"] in {"released", "refunded"}
    events = good(await world.client.get(f"/escrows/{escrow['id']}/timeline"))["data"]
    assert sum(1 for event in events if event["transfer_id"]) == 2


async def test_refusal_that_is_final_is_replayed_with_its_key(world: World) -> None:
    escrow = await world.escrow("open")
    key = new_key()
    first = await world.agent.post(path_of(escrow, "deliver"), WORK, key=key)
    refused(first, 409, "escrow.wrong_state")
    good(await world.client.post(path_of(escrow, "fund"), {"source": "credits"}))
    again = await world.agent.post(path_of(escrow, "deliver"), WORK, key=key)
    assert again.content == first.content


# Who ------------------------------------------------------------------------------------------------------------------


async def every_request(caller: Caller, escrow_id: str) -> list[Any]:
    reads = [f"/escrows/{escrow_id}", f"/escrows/{escrow_id}/timeline"]
    answers = [await caller.get(path) for path in reads]
    for _, path, body, _ in COMMANDS.values():
        answers.append(await caller.post(f"/escrows/{escrow_id}/{path}", body))
    return answers


async def test_ids_of_others_do_not_exist(world: World, stranger: Caller, standing: dict[str, dict[str, Any]]) -> None:
    for escrow in standing.values():
        for answer in await every_request(stranger, escrow["id"]):
            refused(answer, 404, "not_found")
    assert good(await stranger.get("/escrows"))["data"] == []


@pytest.mark.parametrize("escrow_id", [UNKNOWN, "esc_1", "ctr_" + "0" * 26, "x" * 300, "%00", "esc_" + "U" * 26])
async def test_ids_that_name_nothing_are_not_found(world: World, escrow_id: str) -> None:
    for caller in (world.client, world.operator):
        for answer in await every_request(caller, escrow_id):
            assert answer.status_code == 404, answer.text
            assert answer.json()["code"] == "not_found"


async def test_keys_that_are_no_longer_good_open_nothing(world: World, standing: dict[str, dict[str, Any]]) -> None:
    org = world.running.ids["client_org"]
    path = f"/escrows/{standing['open']['id']}"

    async def issue(**more: Any) -> dict[str, Any]:
        body = {"organization_id": org, "principal": new_key(), "role": "owner", **more}
        return good(await world.operator.post("/api-keys", body), 201)

    revoked = await issue()
    caller = Caller(world.http, revoked["secret"])
    good(await caller.get(path))
    gone = await world.http.delete(
        f"/api/v1/api-keys/{revoked['id']}", headers={"Authorization": f"Bearer {world.operator.token}"}
    )
    assert gone.is_success
    soon = datetime.now(UTC) + timedelta(milliseconds=300)
    expiring = Caller(world.http, (await issue(expires_at=soon.isoformat()))["secret"])
    while datetime.now(UTC) <= soon:
        await expiring.get(path)
    wrong_secret = revoked["secret"][:-4] + "0000"
    for bad in (caller, expiring, *(Caller(world.http, t) for t in (wrong_secret, "bsk_1", "x", "Bearer"))):
        for answer in await every_request(bad, standing["open"]["id"]):
            refused(answer, 401, "auth.invalid")
            assert answer.headers["www-authenticate"].startswith("Bearer")
    for answer in await every_request(world.anonymous, standing["open"]["id"]):
        refused(answer, 401, "auth.missing")


@pytest.mark.parametrize("command", COMMANDS)
async def test_roles_that_may_not_give_a_command_are_forbidden(
    world: World, standing: dict[str, dict[str, Any]], command: str
) -> None:
    _, _, body, state = COMMANDS[command]
    for role in WRONG_ROLES[command]:
        refused(await world.of(role).post(path_of(standing[state], command), body), 403, "auth.forbidden")
    assert await world.look(standing[state]) == standing[state]


async def test_who_is_no_signatory_does_not_sign(world: World, standing: dict[str, dict[str, Any]]) -> None:
    path = path_of(standing["delivered"], "approve")
    refused(await world.studio.post(path, {}), 403, "escrow.not_a_signatory")
    body = {"organization_id": world.running.ids["client_org"], "principal": new_key(), "role": "member"}
    colleague = Caller(world.http, good(await world.operator.post("/api-keys", body), 201)["secret"])
    refused(await colleague.post(path, {}), 403, "escrow.not_a_signatory")


async def test_nobody_signs_twice(world: World) -> None:
    escrow = await world.escrow("delivered")
    good(await world.client.post(path_of(escrow, "approve"), {}))
    document = refused(await world.client.post(path_of(escrow, "approve"), {}), 409, "escrow.already_signed")
    assert document["state"] == "delivered"


# When -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
async def test_commands_in_the_wrong_state_are_told_the_state(
    world: World, standing: dict[str, dict[str, Any]], command: str
) -> None:
    role, _, body, _ = COMMANDS[command]
    for state in WRONG_STATES[command]:
        answer = await world.of(role).post(path_of(standing[state], command), body)
        assert refused(answer, 409, "escrow.wrong_state")["state"] == state
        assert await world.look(standing[state]) == standing[state]


async def test_lists_refuse_states_limits_and_cursors_that_do_not_exist(world: World) -> None:
    for params in ({"status": "lost"}, {"limit": 0}, {"limit": 100_000}, {"limit": "x"}, {"cursor": "x"}):
        refused(await world.client.get("/escrows", params=params), 422, "request.invalid")


async def test_methods_and_paths_that_do_not_exist_are_problems_too(
    world: World, standing: dict[str, dict[str, Any]]
) -> None:
    headers = {"Authorization": f"Bearer {world.client.token}"}
    path = f"/api/v1/escrows/{standing['open']['id']}"
    refused(await world.http.delete(path, headers=headers), 405, "request.method_not_allowed")
    refused(await world.http.get(f"{path}/fund", headers=headers), 405, "request.method_not_allowed")
    refused(await world.http.get("/api/v1/escrow", headers=headers), 404, "not_found")
