"""The pages of allocations: a day, its acceptance, and the form that divides a budget."""

from typing import Any

from tests.console.fake import ME, ORG, OWN, FakeApi, browser
from tests.console.strict import read

BASE = f"/console/{ORG}"
DAY = {
    "id": "alo_1",
    "organization_id": ORG,
    "project_id": "prj_1",
    "night": "2026-03-11",
    "status": "proposed",
    "currency": "USD",
    "total": "100.00",
    "reinvested": "10.00",
    "agents": 2,
    "left_out": ["ISK"],
    "priced_at": {"amount": "0.0299", "currency": "USD"},
    "answer_by": "2026-03-11T12:00:00Z",
    "applied_at": None,
    "applied_by": None,
    "created_at": "2026-03-11T00:00:00Z",
}
LINE = {
    "agent_id": "agt_1",
    "agent_name": "Ada <1>",
    "old": "50.00",
    "new": "60.00",
    "performance": "0.73",
    "task": "20.50",
    "time": "1.00",
    "success": "1.42",
    "bound": "step",
    "reason": "Its share changes by a fifth a night at most.",
}
SETTING = {
    **{"mode": "auto", "currency": "CAD", "daily_amount": "80.00", "floor": "0.25", "ceiling": "2.50"},
    "reinvest": "0.075",
}
READER, MANAGER = ["read", "read_billing"], ["read", "read_billing", "manage_spending"]


def fake(permissions: list[str], **answers: Any) -> FakeApi:
    projects = {"data": [{"slug": "game", "name": "Game"}], "next_cursor": None}
    known: dict[str, tuple[int, Any]] = {
        "GET /me": (200, {**ME, "permissions": permissions}),
        "GET /projects": (200, projects),
    }
    return FakeApi(answers=known | {name.replace("_", " ", 1): (200, each) for name, each in answers.items()})


async def page(path: str, permissions: list[str], **answers: Any) -> str:
    async with browser(fake(permissions, **answers), signed_in=True) as client:
        text = (await client.get(f"{BASE}{path}")).text
    assert read(text).problems == []
    return text


async def test_allocation_day_shows_amounts_and_can_be_accepted() -> None:
    body = {**DAY, "lines": [LINE, {**LINE, "agent_id": "agt_2", "agent_name": "Bob", "old": None}]}
    shown = {"GET_/allocations/alo_1": body}
    text = await page("/allocations/alo_1", MANAGER, **shown)
    for words in (
        "Ada &lt;1&gt;",
        ">7.3<",
        ">1.42<",
        "Its share changes by a fifth",
        "Accept until",
        "60.00",
        "Value of a credit",
        "ISK",
    ):
        assert words in text
    assert f'action="{BASE}/allocations/alo_1/accept"' in text
    assert "/alo_1/accept" not in await page("/allocations/alo_1", READER, **shown)
    done = {**body, "status": "applied", "answer_by": None, "applied_at": DAY["created_at"], "applied_by": f"{ORG}/kim"}
    text = await page("/allocations/alo_1", MANAGER, **{"GET_/allocations/alo_1": done})
    assert "/alo_1/accept" not in text
    assert "kim" in text


async def test_stopped_trial_shows_its_reason() -> None:
    trial = {
        **{"agent_name": "Ada", "budget_id": "ctl_1", "status": "stopped", "stopped_by": "results", "amount": "300.00"},
        **{"paid": "60.00", "currency": "USD", "next_at": None, "stages": [{"paid": True}, {"paid": False}]},
    }
    lists = {"GET_/allocations": {"data": [DAY], "next_cursor": None}, "GET_/trials": {"data": [trial]}}
    text = await page("/allocations", READER, **lists)
    assert "It had too few accepted results." in text
    assert "1 of 2" in text
    assert f"{BASE}/budgets/ctl_1" in text
    assert "/allocations/set" not in text


async def test_shares_are_entered_in_percent() -> None:
    api = fake(MANAGER, **{"GET_/projects/game/allocation": SETTING, "PUT_/projects/game/allocation": SETTING})
    async with browser(api, signed_in=True) as client:
        text = (await client.get(f"{BASE}/allocations/set?project=game")).text
        for value in ("25", "250", "7.5", "80.00", "CAD"):
            assert f'value="{value}"' in text
        sent = {"command": "con_0123456789012345678", "project": "game", "mode": "auto", "currency": "CAD"}
        sent |= {"daily_amount": "80", "floor": "20", "ceiling": "250", "reinvest": "7.5"}
        done = await client.post(f"{BASE}/allocations/set", data=sent, headers=OWN)
    assert done.headers["location"] == f"{BASE}/allocations?notice=allocation.set"
    body = next(body for name, _, body in api.asked if name == "PUT /projects/game/allocation")
    assert {name: body[name] for name in ("floor", "ceiling", "reinvest", "daily_amount")} == {
        **{"floor": "0.2", "ceiling": "2.5", "reinvest": "0.075", "daily_amount": "80"}
    }
