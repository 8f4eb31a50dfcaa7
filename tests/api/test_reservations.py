"""Reservations over HTTP: held once, captured as a task goes on, ended exactly once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.credits.holds import HoldActivities
from contracts.common.batch import BatchPage
from domain.common.ids import uuid_id
from ledger.spending import Spending
from ledger.spends import NewSpend
from repositories.credits import lot, spend as spends
from runtime.database import Database, driver_connection
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.spending import balance, grant, limit, reserve
from tests.conftest import DatabaseUrls
from tests.support.proving import prove

pytestmark = pytest.mark.db


async def change(caller: Caller, path: str, body: dict[str, Any], key: str | None = None) -> Any:
    return await caller.post(path, body, key=key or new_key())


async def capture(caller: Caller, reservation: str, key: str | None = None, **body: Any) -> Any:
    return await change(caller, f"/credits/reservations/{reservation}/capture", body, key)


async def release(caller: Caller, reservation: str, key: str | None = None) -> Any:
    return await change(caller, "/credits/release", {"reservation_id": reservation}, key)


async def test_reservation_holds_credits_until_released(spender: Tenant) -> None:
    made = await reserve(spender.member, "7", expires_in="PT10M")
    assert made["id"].startswith("hold_")
    assert (made["status"], made["amount"], made["available"]) == ("reserved", "7.00", "93.00")
    lasts = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert timedelta(minutes=9) < lasts < timedelta(minutes=11)
    assert await balance(spender.auditor) == ("93.00", "7.00")
    released = good(await release(spender.member, made["id"]))
    assert (released["status"], released["released"], released["held"]) == ("released", "7.00", "0.00")
    assert await balance(spender.auditor) == ("100.00", "0.00")


async def test_refusal_has_the_possible_amount_and_time(spender: Tenant) -> None:
    too_long = await spender.member.post("/credits/reserve", {"amount": "1", "expires_in": "P31D"}, key=new_key())
    problem = refused(too_long, 422, "request.invalid")
    assert (problem["field"], problem["detail"]) == ("expires_in", "expires_in must be at most 30 days.")
    made = await reserve(spender.member, "7", expires_in="PT10M")
    problem = refused(await capture(spender.member, made["id"], amount="8"), 422, "request.invalid")
    assert problem["field"] == "amount"
    assert problem["detail"] == (
        "The amount must be above zero and at most 7.00 CREDIT, which the reservation still holds."
    )
    path = f"/credits/reservations/{made['id']}/extend"
    asked = datetime.now(UTC).replace(microsecond=0)
    problem = refused(await change(spender.member, path, {"expires_in": "P40D"}), 422, "request.invalid")
    said, last = problem["detail"].removesuffix(" at most.").split(", to ")
    assert (
        said
        == f"The reservation can be extended beyond {datetime.fromisoformat(made['expires_at']):%Y-%m-%dT%H:%M:%SZ}"
    )
    assert asked <= datetime.fromisoformat(last) - timedelta(days=30) <= datetime.now(UTC)
    missing = refused(await capture(spender.member, f"hold_{made['id'][5:-4]}zzzz"), 404, "not_found")
    assert missing["detail"] == "There is no such reservation."


@pytest.mark.parametrize("sent", [b"0.5", b"5", b'"0.5"', b"[]"])
async def test_invalid_body_captures_nothing(sent: bytes, spender: Tenant) -> None:
    made = await reserve(spender.member, "10")
    path, headers = f"/credits/reservations/{made['id']}/capture", {"Content-Type": "application/json"}
    answer = await spender.member.ask("POST", path, content=sent, headers=headers, key=new_key())
    refused(answer, 422, "request.invalid")
    assert await balance(spender.member) == ("90.00", "10.00")


async def test_task_of_several_steps_captures_as_it_goes(spender: Tenant) -> None:
    made = await reserve(spender.member, "10", action="research", run_id="run-1")
    first = good(await capture(spender.member, made["id"], amount="3", final_capture=False))
    assert (first["status"], first["captured"], first["held"]) == ("reserved", "3.00", "7.00")
    assert first["transfer_id"].startswith("tr_")
    second = good(await capture(spender.member, made["id"], amount="2", final_capture=False))
    assert (second["captured"], second["held"]) == ("5.00", "5.00")
    assert await balance(spender.member) == ("90.00", "5.00")
    last = good(await capture(spender.member, made["id"], amount="1"))
    assert (last["status"], last["captured"], last["released"], last["held"]) == ("captured", "6.00", "4.00", "0.00")
    assert await balance(spender.member) == ("94.00", "0.00")
    read = good(await spender.auditor.get(f"/credits/reservations/{made['id']}"))
    assert (read["status"], read["captured"], read["action"], read["run_id"]) == (
        "captured",
        "6.00",
        "research",
        "run-1",
    )


async def test_capture_without_an_amount_captures_all_held_credits(spender: Tenant) -> None:
    made = await reserve(spender.member, "10")
    good(await capture(spender.member, made["id"], amount="4", final_capture=False))
    assert good(await capture(spender.member, made["id"]))["amount"] == "6.00"
    assert await balance(spender.member) == ("90.00", "0.00")


async def test_capture_above_the_held_amount_is_refused(spender: Tenant) -> None:
    made = await reserve(spender.member, "10")
    refused(await capture(spender.member, made["id"], amount="10.000001"), 422, "request.invalid")
    assert await balance(spender.member) == ("90.00", "10.00")


async def test_pitfall_05_capture_and_release_race_and_one_wins(spender: Tenant) -> None:
    made = await reserve(spender.member, "10")
    answers = await asyncio.gather(
        *(capture(spender.member, made["id"]) for _ in range(4)),
        *(release(spender.member, made["id"]) for _ in range(4)),
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"ledger.hold_ended"}
    captured = any(answer.status_code == 200 for answer in answers[:4])
    assert await balance(spender.member) == (("90.00" if captured else "100.00"), "0.00")


async def test_repeated_changes_are_answered_as_the_first_time(spender: Tenant) -> None:
    made, key = await reserve(spender.member, "10"), new_key()
    first = await capture(spender.member, made["id"], key, amount="3", final_capture=False)
    good(await capture(spender.member, made["id"], amount="2"))
    again = await capture(spender.member, made["id"], key, amount="3", final_capture=False)
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    refused(await capture(spender.member, made["id"], key, amount="4"), 422, "idempotency.conflict")
    assert await balance(spender.member) == ("95.00", "0.00")


async def test_reservation_lasts_longer_and_never_beyond_thirty_days(spender: Tenant) -> None:
    made = await reserve(spender.member, "10", expires_in="PT10M")
    path = f"/credits/reservations/{made['id']}/extend"
    extended = good(await change(spender.member, path, {"expires_in": "PT2H"}))
    assert (extended["status"], extended["held"]) == ("reserved", "10.00")
    assert datetime.fromisoformat(extended["expires_at"]) > datetime.now(UTC) + timedelta(hours=1)
    for body in ({"expires_in": "P31D"}, {}, {"expires_in": "PT1H", "expires_at": "2999-01-01T00:00:00Z"}):
        refused(await change(spender.member, path, body), 422, "request.invalid")
    good(await release(spender.member, made["id"]))
    refused(await change(spender.member, path, {"expires_in": "PT3H"}), 409, "ledger.hold_ended")


async def test_reservation_is_not_extended_beyond_the_end_of_the_credits_that_it_pins(
    new_tenant: Any, operator: Caller
) -> None:
    spender = await new_tenant("owner", "member", "auditor")
    ends = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)
    ending = {"organization_id": spender.org_id, "amount": "10", "source": "promotion", "expires_at": ends.isoformat()}
    good(await operator.post("/credits/grants", ending, key=new_key()), 201)
    await grant(operator, spender.org_id)
    # It pins all that ends, and of the rest as much as it needs.
    made = await reserve(spender.callers["member"], "15", expires_in="PT10M")
    path = f"/credits/reservations/{made['id']}/extend"
    beyond = {"expires_at": (ends + timedelta(seconds=1)).isoformat()}
    document = refused(await change(spender.callers["member"], path, beyond), 422, "request.invalid")
    assert f"to {ends:%Y-%m-%dT%H:%M:%SZ} at most" in document["detail"]
    assert await balance(spender.callers["auditor"]) == ("95.00", "15.00")
    until = good(await change(spender.callers["member"], path, {"expires_at": ends.isoformat()}))
    assert datetime.fromisoformat(until["expires_at"]) == ends
    # What pins nothing that ends lasts as long as any.
    lasting = await reserve(spender.callers["member"], "15", expires_in="PT10M")
    path = f"/credits/reservations/{lasting['id']}/extend"
    good(await change(spender.callers["member"], path, {"expires_in": "P29D"}))


@pytest.mark.parametrize("ends_by", ["capture", "capture of zero", "release"])
async def test_free_action_is_reserved_and_ends_like_any(
    spender: Tenant, operator: Caller, database_urls: DatabaseUrls, ends_by: str
) -> None:
    action, before = f"ping_{spender.org_id[-8:]}", await balance(spender.callers["auditor"])
    good(await operator.ask("PUT", f"/credits/costs/{action}", json={"cost": "0"}, key=new_key()))
    key = new_key()
    made = good(await spender.member.post("/credits/reserve", {"action": action}, key=key), 201)
    assert (made["amount"], made["status"]) == ("0.00", "reserved")
    assert good(await spender.member.post("/credits/reserve", {"action": action}, key=key), 201)["id"] == made["id"]
    until = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    extended = await change(spender.member, f"/credits/reservations/{made['id']}/extend", {"expires_at": until})
    assert good(extended)["held"] == "0.00"
    problem = refused(await capture(spender.member, made["id"], amount="1"), 422, "request.invalid")
    assert problem["detail"] == "The reservation has no held credits left. Capture it without an amount."
    if ends_by == "release":
        done = good(await release(spender.member, made["id"]))
        assert (done["status"], done["released"]) == ("released", "0.00")
    else:
        done = good(await capture(spender.member, made["id"], **({} if ends_by == "capture" else {"amount": "0"})))
        assert (done["status"], done["captured"]) == ("captured", "0.00")
    refused(await capture(spender.member, made["id"]), 409, "ledger.hold_ended")
    assert await balance(spender.callers["auditor"]) == before
    await prove(database_urls, spends.INVARIANTS, lot.INVARIANTS)


async def test_reservation_of_a_free_action_expires(
    spender: Tenant, database: Database, database_urls: DatabaseUrls
) -> None:
    reservation = await past(database, spender, 0)
    await sweep(database)
    refused(await capture(spender.member, reservation), 409, "ledger.hold_expired")
    await prove(database_urls, spends.INVARIANTS, lot.INVARIANTS)


async def test_reservation_that_is_too_long_is_refused(spender: Tenant) -> None:
    body = {"amount": "1", "expires_in": "P31D"}
    refused(await spender.member.post("/credits/reserve", body, key=new_key()), 422, "request.invalid")


@pytest.fixture
async def expired(spender: Tenant, database: Database) -> str:
    """A reservation of 10 credits that ended a minute ago, and that no sweep has ended yet."""
    return await past(database, spender, 10_000_000)


async def past(database: Database, spender: Tenant, amount_minor: int) -> str:
    made = datetime.now(UTC) - timedelta(minutes=11)
    async with database.platform() as session:
        reserved = await Spending(await driver_connection(session), spender.org_id).authorize(
            NewSpend(key=new_key(), action="research", amount_minor=amount_minor),
            expires_at=made + timedelta(minutes=10),
            at=made,
        )
    assert reserved.spend_id is not None
    return uuid_id("hold", reserved.spend_id)


async def sweep(database: Database) -> None:
    await HoldActivities(database).expire_holds(BatchPage(now=datetime.now(UTC), limit=1000))


async def test_expired_reservation_is_neither_captured_nor_extended(
    spender: Tenant, expired: str, database: Database
) -> None:
    extend = f"/credits/reservations/{expired}/extend"
    for _ in range(2):
        refused(await capture(spender.member, expired), 409, "ledger.hold_expired")
        refused(await capture(spender.member, expired, amount="1", final_capture=False), 409, "ledger.hold_expired")
        refused(await change(spender.member, extend, {"expires_in": "PT1H"}), 409, "ledger.hold_expired")
        # Once more after the sweep.
        await sweep(database)
    refused(await release(spender.member, expired), 409, "ledger.hold_expired")


async def test_expired_flag_is_set_even_after_a_partial_capture(spender: Tenant, database: Database) -> None:
    made = datetime.now(UTC) - timedelta(minutes=11)
    async with database.platform() as session:
        books = Spending(await driver_connection(session), spender.org_id)
        asked = NewSpend(key=new_key(), action="research", amount_minor=10_000_000)
        reserved = await books.authorize(asked, expires_at=made + timedelta(minutes=10), at=made)
        assert reserved.spend_id is not None
        part = {"amount_minor": 3_000_000, "more": True}
        await books.settle(key=new_key(), spend_id=reserved.spend_id, at=made, **part)
    settled = await reserve(spender.member, "5")
    good(await capture(spender.member, settled["id"], amount="1"))
    await sweep(database)
    for shown, status, expired in (
        (uuid_id("hold", reserved.spend_id), "captured", True),
        (settled["id"], "captured", False),
    ):
        found = good(await spender.member.get(f"/credits/reservations/{shown}"))
        assert (found["status"], found["expired"]) == (status, expired)


async def test_sweep_releases_an_expired_reservation(spender: Tenant, expired: str, database: Database) -> None:
    lasting = await reserve(spender.member, "5")
    assert await balance(spender.member) == ("85.00", "15.00")
    await sweep(database)
    assert await balance(spender.member) == ("95.00", "5.00")
    shown = good(await spender.auditor.get(f"/credits/reservations/{expired}"))
    assert (shown["status"], shown["captured"], shown["released"], shown["held"]) == (
        *("expired", "0.00"),
        *("10.00", "0.00"),
    )
    assert good(await spender.auditor.get(f"/credits/reservations/{lasting['id']}"))["status"] == "reserved"


async def test_expired_reservation_is_released_before_the_sweep_and_only_once(
    spender: Tenant, expired: str, database: Database
) -> None:
    assert good(await release(spender.member, expired))["released"] == "10.00"
    await sweep(database)
    assert await balance(spender.member) == ("100.00", "0.00")
    refused(await capture(spender.member, expired), 409, "ledger.hold_ended")


async def test_pitfall_06_captured_part_stays_used_when_the_rest_expires(spender: Tenant, database: Database) -> None:
    made = await reserve(spender.member, "10", expires_in="PT10M")
    good(await capture(spender.member, made["id"], amount="4", final_capture=False))
    later = datetime.fromisoformat(made["expires_at"])
    await HoldActivities(database).expire_holds(BatchPage(now=later, limit=1000))
    shown = good(await spender.auditor.get(f"/credits/reservations/{made['id']}"))
    assert (shown["status"], shown["captured"], shown["released"]) == ("captured", "4.00", "6.00")
    assert await balance(spender.member) == ("96.00", "0.00")


async def test_limit_counts_holds_until_released(spender: Tenant, database: Database) -> None:
    await limit(database, spender.org_id, day=10_000_000)
    made = await reserve(spender.member, "8")
    body = {"amount": "3"}
    refused(await spender.member.post("/credits/reserve", body, key=new_key()), 402, "spend.limit_exceeded")
    good(await capture(spender.member, made["id"], amount="7"))
    good(await spender.member.post("/credits/reserve", body, key=new_key()), 201)


async def test_reservation_can_be_changed_after_a_freeze(
    spender: Tenant,
) -> None:
    body = {"subject": {"type": "agent", "id": spender.agent_id}, "limits": [{"window": "day", "amount": "50"}]}
    control = good(await spender.owner.post("/spend-controls", body), 201)["id"]
    first, second = await reserve(spender.agent, "4"), await reserve(spender.agent, "6")
    good(await spender.owner.post(f"/spend-controls/{control}/freeze"))
    for path in ("/credits/use", "/credits/reserve"):
        problem = refused(await spender.agent.post(path, {"amount": "1"}, key=new_key()), 402, "spend.limit_exceeded")
        assert problem["reason"] == "frozen"
    good(await capture(spender.agent, first["id"], amount="1", final_capture=False))
    good(await change(spender.agent, f"/credits/reservations/{first['id']}/extend", {"expires_in": "PT1H"}))
    good(await capture(spender.agent, first["id"]))
    good(await release(spender.agent, second["id"]))
    assert await balance(spender.member) == ("96.00", "0.00")


async def test_agents_end_their_own_reservations_only(spender: Tenant, operator: Caller, issue_key: Any) -> None:
    other = good(await operator.post("/agents", {"name": "Other", "organization_id": spender.org_id}), 201)
    turned = await issue_key("agent", spender.org_id, other["id"])
    for made in (await reserve(spender.agent, "10"), await reserve(spender.member, "10")):
        refused(await capture(turned, made["id"]), 404, "not_found")
        refused(await release(turned, made["id"]), 404, "not_found")
        path = f"/credits/reservations/{made['id']}/extend"
        refused(await change(turned, path, {"expires_in": "PT1H"}), 404, "not_found")
    assert await balance(spender.member) == ("80.00", "20.00")


async def test_key_of_a_department_or_a_project_changes_and_reads_reservations_of_these_only(
    spender: Tenant, issue_key: Any
) -> None:
    async def department(parent: str | None = None) -> str:
        body = {"name": f"Department {new_key()}", "parent_id": parent}
        made: str = good(await spender.owner.post("/departments", body), 201)["id"]
        return made

    async def attributed(**to: str) -> Caller:
        caller: Caller = await issue_key("member", spender.org_id)
        assert caller.token is not None
        path = f"/api-keys/key_{caller.token.split('_')[1]}/attribution"
        good(await spender.owner.ask("PUT", path, json=to))
        return caller

    top, other = await department(), await department()
    part = await department(top)
    project = good(await spender.owner.post("/projects", {"name": "Project"}), 201)["id"]
    of_top, of_part = await attributed(department_id=top), await attributed(department_id=part)
    of_other, of_project = await attributed(department_id=other), await attributed(project_id=project)
    made = {caller.token: await reserve(caller, "1") for caller in (of_top, of_part, of_other, of_project)}
    free = await reserve(spender.member, "1")

    async def refuse(caller: Caller, found: dict[str, Any]) -> None:
        extend = f"/credits/reservations/{found['id']}/extend"
        refused(await capture(caller, found["id"]), 404, "not_found")
        refused(await release(caller, found["id"]), 404, "not_found")
        refused(await change(caller, extend, {"expires_in": "PT1H"}), 404, "not_found")
        for path in ("reservations/{id}", "spends/{id}", "spends/{id}/refunds"):
            refused(await caller.get(f"/credits/{path.format(**found)}"), 404, "not_found")
        assert found["id"] not in {row["id"] for row in good(await caller.get("/credits/usage"))["data"]}

    for caller, foreign in (
        (of_top, (of_other, of_project)),
        (of_part, (of_top, of_other, of_project)),
        (of_other, (of_top, of_part, of_project)),
        (of_project, (of_top, of_part, of_other)),
    ):
        for of in foreign:
            await refuse(caller, made[of.token])
        await refuse(caller, free)
    body = {"subject": {"type": "organization", "id": spender.org_id}, "limits": [{"window": "day", "amount": "2"}]}
    control = good(await spender.owner.post("/spend-controls", body), 201)["id"]
    for caller in (of_top, of_part, of_other, spender.member):
        good(await caller.post("/credits/use", {"amount": "0.5"}, key=new_key()), 201)
        refused(await caller.post("/credits/use", {"amount": "3"}, key=new_key()), 402, "spend.limit_exceeded")
    for listed in ("spends", "refusals"):
        seen = [
            len(good(await caller.get(f"/spend-controls/{control}/{listed}"))["data"])
            for caller in (spender.member, spender.auditor)
        ]
        assert seen == [4, 4]
        for caller in (of_top, of_part, of_other, of_project):
            refused(await caller.get(f"/spend-controls/{control}/{listed}"), 404, "not_found")
    good(await spender.owner.post(f"/spend-controls/{control}/close"))
    assert await balance(spender.owner) == ("93.00", "5.00")
    # Of a part, of its own, and of the whole organization.
    held = good(await of_top.get("/credits/usage?status=reserved"))["data"]
    assert {row["id"] for row in held} == {made[of.token]["id"] for of in (of_top, of_part)}
    good(await of_top.get(f"/credits/reservations/{made[of_part.token]['id']}"))
    good(await capture(of_top, made[of_part.token]["id"], amount="0.5", final_capture=False))
    good(await spender.auditor.get(f"/credits/reservations/{made[of_part.token]['id']}"))
    for caller in (of_top, of_other, of_project):
        good(await release(caller, made[caller.token]["id"]))
    good(await release(spender.member, made[of_part.token]["id"]))
    good(await release(spender.member, free["id"]))


async def test_owner_releases_any_reservation_regardless_of_attribution(spender: Tenant) -> None:
    made = await reserve(spender.member, "10")
    assert spender.owner.token is not None
    to = good(await spender.owner.post("/departments", {"name": f"Department {new_key()}"}), 201)["id"]
    path = f"/api-keys/key_{spender.owner.token.split('_')[1]}/attribution"
    good(await spender.owner.ask("PUT", path, json={"department_id": to}))
    # Only what it spends for is captured.
    refused(await capture(spender.owner, made["id"]), 404, "not_found")
    good(await release(spender.owner, made["id"]))
    assert await balance(spender.owner) == ("100.00", "0.00")


async def test_principal_ends_its_own_reservation_after_its_key_was_moved(spender: Tenant) -> None:
    made = await reserve(spender.member, "10")
    assert spender.member.token is not None
    to = good(await spender.owner.post("/departments", {"name": f"Department {new_key()}"}), 201)["id"]
    path = f"/api-keys/key_{spender.member.token.split('_')[1]}/attribution"
    good(await spender.owner.ask("PUT", path, json={"department_id": to}))
    good(await spender.member.get(f"/credits/reservations/{made['id']}"))
    good(await capture(spender.member, made["id"], amount="1"))
    assert await balance(spender.owner) == ("99.00", "0.00")


async def test_reservations_of_others_are_not_found(spender: Tenant, stranger: Tenant) -> None:
    made = await reserve(spender.member, "10")
    for caller in (stranger.owner, stranger.agent):
        refused(await capture(caller, made["id"]), 404, "not_found")
        refused(await release(caller, made["id"]), 404, "not_found")
    for text in ("hold_" + "0" * 26, "nothing", "esc" + made["id"][4:]):
        refused(await release(spender.owner, text), 404, "not_found")
    assert await balance(spender.member) == ("90.00", "10.00")
