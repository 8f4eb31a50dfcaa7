"""Keys, races, strangers, roles and states: what the escrow endpoints of the running stack refuse, and to whom."""

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from tests.e2e.conftest import COMMANDS, Caller, World, good, new_key, path_of, refused

pytestmark = [pytest.mark.e2e]

UNKNOWN = "esc_" + "0" * 26
MONEY = ["fund", "validate", "approve", "resolve", "refund", "cancel"]


#: What the commands are called where their actions are listed.
ACTIONS_BY_NAME = {**{command: command for command in COMMANDS}, "submit_evidence": "evidence"}
CALLERS = ("client", "finance", "auditor", "studio", "agent", "validator", "arbiter", "operator")


async def actions_of(caller: Caller, escrow: dict[str, Any]) -> dict[str, dict[str, Any]]:
    listed = good(await caller.get(f"/escrows/{escrow['id']}/actions"))["actions"]
    return {ACTIONS_BY_NAME[action["action"]]: action for action in listed}


@pytest.mark.parametrize("state", ["open", "funded", "delivered", "disputed", "released"])
async def test_action_that_is_not_offered_is_refused_with_the_reason_that_was_told(
    world: World, standing: dict[str, dict[str, Any]], state: str
) -> None:
    escrow = standing[state]
    for role in CALLERS:
        for command, action in (await actions_of(world.of(role), escrow)).items():
            if action["allowed"]:
                continue
            answer = await world.of(role).post(path_of(escrow, command), COMMANDS[command][2])
            told = {name: answer.json()[name] for name in ("code", "detail")}
            assert (role, command, told) == (role, command, action["reason"])
    assert (await world.look(escrow))["status"] == state


@pytest.mark.parametrize("command", COMMANDS)
async def test_action_that_is_offered_has_the_effect_that_was_told(world: World, command: str) -> None:
    role, _, body, state = COMMANDS[command]
    escrow = await world.escrow(state)
    told = (await actions_of(world.of(role), escrow))[command]["effect"]
    after = good(await world.of(role).post(path_of(escrow, command), body))
    if command == "validate":
        return  # it is told for a score that releases, and this one does not
    before = {name: Decimal(escrow[f"{name}_amount"]) for name in ("released", "refunded", "commission", "funded")}
    moved = {name: Decimal(after[f"{name}_amount"]) - before[name] for name in before}
    names = {"released": "to_agent", "refunded": "to_payer", "commission": "commission", "funded": "funded"}
    assert moved == {name: Decimal(told[there]) for name, there in names.items()}
    assert after["status"] == told["status"]


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


# Who ------------------------------------------------------------------------------------------------------------------


async def every_request(caller: Caller, escrow_id: str) -> list[httpx2.Response]:
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


async def test_requests_without_a_good_key_are_refused(world: World, standing: dict[str, dict[str, Any]]) -> None:
    for caller, code in ((Caller(world.http, "bsk_1"), "auth.invalid"), (world.anonymous, "auth.missing")):
        for answer in await every_request(caller, standing["open"]["id"]):
            refused(answer, 401, code)
            assert answer.headers["www-authenticate"].startswith("Bearer")


# When -----------------------------------------------------------------------------------------------------------------


async def test_lists_refuse_states_limits_and_cursors_that_do_not_exist(world: World) -> None:
    for params in ({"status": "lost"}, {"limit": 0}, {"limit": 100_000}, {"limit": "x"}, {"cursor": "x"}):
        refused(await world.client.get("/escrows", params=params), 422, "request.invalid")
