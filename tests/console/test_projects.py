"""At a limit of projects the pages say what makes room: larger plans, a slot, what could be undeployed."""

from typing import Any

import pytest

from console.format import Prefs
from console.gateway import Answer, Problem
from console.project.room import Room, room
from tests.console.answering import said
from tests.console.fake import ME, ORG, OWN, FakeApi, browser, problem
from tests.console.strict import read

HERE = f"/console/{ORG}/projects"
FORM = {"command": "con_0123456789abcdef"}
SLOTS = {"free": 0, "in_use": 1, "owed": 0}
DEPLOYED: dict[str, Any] = {
    "id": "prj_1",
    "name": "Tables <b>",
    "slug": "tables",
    "deploy_type": "production",
    "deployed": True,
    "deployed_at": "2026-11-01T00:00:00Z",
    "occupies_slot": False,
    "created_at": "2026-11-01T00:00:00Z",
}
IDLE = {**DEPLOYED, "name": "Charts", "slug": "charts", "deployed": False, "deployed_at": None}


def plan(name: str, projects: int | None, deploys: int | None, *prices: tuple[str, str]) -> dict[str, Any]:
    listed = [{"interval": "month", "price": {"amount": each, "currency": currency}} for each, currency in prices]
    return {"id": name.lower(), "name": name, "prices": listed, "limits": {"projects": projects, "deploys": deploys}}


PLANS = [
    plan("Free", 1, 1),
    plan("Starter", 5, 1, ("29.00", "USD"), ("27.00", "EUR")),
    plan("Professional", 25, 10, ("99.00", "USD")),
    plan("Enterprise", None, None),
]


def limits(projects: tuple[int, int | None], deployments: tuple[int, int | None]) -> dict[str, Any]:
    def one(used: int, limit: int | None) -> dict[str, int | None]:
        return {"used": used, "limit": limit}

    price = {"amount": "5.00", "currency": "USD"}
    return {"projects": one(*projects), "deployments": one(*deployments), "slots": SLOTS, "slot_price": price}


WAYS = {"slots": f"{HERE}/slots", "plans": "/plans"}


def made(of: dict[str, Any], running: Answer | None = None, config: Answer | None = None) -> Room:
    one = said({"data": [DEPLOYED], "next_cursor": None})
    return room(of, {"config": config or said({"plans": PLANS}), "deployed": running or one}, Prefs(), HERE, WAYS)


def test_plans_with_more_deployments_are_named_where_those_are_used_up() -> None:
    # One of the two deployments is a slot's, so plans with one have no more room.
    shown = made(limits((2, 6), (2, 2)))
    assert shown.title == "Deployment limit reached"
    assert [(tier.name, tier.deployments) for tier in shown.tiers] == [
        ("Professional", "10"),
        ("Enterprise", "Any number"),
    ]
    assert [(price.text, every) for price, every in shown.tiers[0].prices] == [
        ("99.00\N{NO-BREAK SPACE}USD", "a month")
    ]
    assert (shown.slot.number, shown.buy) == ("5.00", f"{HERE}/slots")
    assert [(each.slug, each.undeploy) for each in shown.deployed] == [("tables", f"{HERE}/tables/undeploy")]


def test_undeploying_is_not_offered_where_it_makes_no_room() -> None:
    shown = made(limits((2, 2), (1, 2)))
    assert (shown.stays, shown.deployed) == (True, ())
    assert [tier.name for tier in shown.tiers] == ["Starter", "Professional", "Enterprise"]


def test_page_that_is_asked_for_where_there_is_room_says_so() -> None:
    shown = made(limits((1, 2), (1, 2)))
    assert (shown.title, shown.tiers, shown.deployed, shown.stays) == ("Available", (), (), False)


def test_plan_has_to_have_room_for_all_that_is_used_up() -> None:
    assert [tier.name for tier in made(limits((2, 2), (2, 2))).tiers] == ["Professional", "Enterprise"]


def test_part_that_does_not_answer_leaves_the_slot() -> None:
    silent = Problem(status=503, code="service.unavailable", title="", detail="")
    shown = made(limits((2, 2), (2, 2)), config=Answer(status=503, request_id="req_9", problem=silent))
    assert shown.failed is not None
    assert (shown.failed.request_id, shown.slot.number, len(shown.deployed)) == ("req_9", "5.00", 1)


def api(of: dict[str, Any], *permissions: str, **more: Any) -> FakeApi:
    known = {
        "GET /me": (200, {**ME, "permissions": ["read", "read_billing", *permissions]}),
        "GET /projects": (200, {"data": [DEPLOYED, IDLE], "next_cursor": None}),
        "GET /projects/deployment/limits": (200, of),
        "GET /billing/config": (200, {"plans": PLANS}),
    }
    return FakeApi(answers=known | {name.replace("_", " ", 1): answer for name, answer in more.items()})


MANAGES = ("manage_projects", "pay")


async def test_deploy_leads_to_what_makes_room_where_there_is_none() -> None:
    async with browser(api(limits((2, 6), (2, 2)), *MANAGES), signed_in=True) as client:
        text = (await client.get(HERE)).text
        page = await client.get(f"{HERE}/room")
    assert read(text).problems == []
    assert f'href="{HERE}/room" data-dialog="room">Deploy charts</a>' in text
    assert f'action="{HERE}/charts/deploy"' not in text
    assert f'href="{HERE}/new"' in text
    for shown in (text[text.index('<dialog id="room"') :], page.text):
        assert "Professional" in shown
        assert f'href="{HERE}/slots"' in shown
        assert f'href="{HERE}/tables/undeploy"' in shown
    assert read(page.text).problems == []


async def test_new_project_leads_there_where_none_can_be_made() -> None:
    async with browser(api(limits((2, 2), (1, 2)), *MANAGES), signed_in=True) as client:
        text = (await client.get(HERE)).text
    assert f'href="{HERE}/room" data-dialog="room">Create project</a>' in text
    assert f'action="{HERE}/charts/deploy"' in text


@pytest.mark.parametrize(("of", "may"), [(limits((2, 6), (1, 2)), MANAGES), (limits((2, 6), (2, 2)), ())])
async def test_nothing_is_said_of_room_where_there_is_some_or_the_role_could_not_use_it(
    of: dict[str, Any], may: tuple[str, ...]
) -> None:
    async with browser(api(of, *may), signed_in=True) as client:
        text = (await client.get(HERE)).text
    assert 'id="room"' not in text


async def test_deployment_that_the_limit_refuses_opens_what_makes_room() -> None:
    refusal = problem(409, "deployment.limit_reached", "2 of 2 allowed deployments exist.")
    fake = api(limits((2, 6), (2, 2)), *MANAGES, **{"POST_/projects/charts/deploy": refusal})
    async with browser(fake, signed_in=True) as client:
        answer = await client.post(f"{HERE}/charts/deploy", data=FORM, headers=OWN)
    assert answer.status_code == 409
    assert "2 of 2 allowed deployments exist." in answer.text
    assert '<dialog id="room" aria-labelledby="room-title" data-open>' in answer.text
