"""At a limit of projects the pages say what makes room: larger plans, a slot, what could be undeployed."""

from typing import Any

import pytest

from console.gateway import Answer
from console.project.pages import least_left, room_title, tiers
from domain.common.access import Permission
from tests.console.answering import refused, said as answered
from tests.console.fake import ME, ORG, OWN, FakeApi, browser, problem
from tests.console.rendering import form_page, list_page, render
from tests.console.strict import read
from tests.console.walking import text_of

HERE = f"/console/{ORG}/projects"
FORM = {"command": "con_0123456789abcdef"}
SLOTS = {"free": 0, "in_use": 1, "owed": 0}
OF = {"organization_id": ORG, "tier": "free"}
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


def made(of: dict[str, Any], *deployed: dict[str, Any], silent: Answer | None = None) -> str:
    found = {"tiers": tiers(PLANS, of), "deployed": deployed, "has_more": False, "silent": silent}
    page = form_page(title=room_title(of))
    return text_of(render("project/room.html", page, Permission.PAY, limits={**OF, **of}, room=found))


def test_plans_with_more_deployments_are_named_where_those_are_used_up() -> None:
    # One of the two deployments is a slot's, so plans with one have no more room.
    shown = made(limits((2, 6), (2, 2)), DEPLOYED)
    assert "Deployment limit reached" in shown
    assert "Starter" not in shown
    assert "Professional 99.00 USD a month 25 10" in shown
    assert "Enterprise As agreed Any number Any number" in shown
    assert "One more project and one more deployment, for 5.00 USD once, plus tax." in shown
    assert "Undeploy tables" in shown


def test_undeploying_is_not_offered_where_it_makes_no_room() -> None:
    shown = made(limits((2, 2), (1, 2)))
    assert "Undeploying does not allow a new project: projects stay." in shown
    assert "Undeploying" not in made(limits((1, 2), (1, 2)))


@pytest.mark.parametrize(
    ("projects", "deployments", "title", "plans"),
    [
        ((1, 2), (1, 2), "Available", []),
        ((2, 2), (1, 2), "Project limit reached, deployments available", ["Starter", "Professional", "Enterprise"]),
        # A plan needs room for all that is used up.
        ((2, 2), (2, 2), "Project limit reached", ["Professional", "Enterprise"]),
    ],
)
def test_plan_has_to_have_room_for_all_that_is_used_up(
    projects: tuple[int, int], deployments: tuple[int, int], title: str, plans: list[str]
) -> None:
    of = limits(projects, deployments)
    assert (room_title(of), [each["name"] for each in tiers(PLANS, of)]) == (title, plans)


def test_part_that_does_not_answer_leaves_the_slot() -> None:
    shown = made(limits((2, 2), (2, 2)), DEPLOYED, silent=refused(503, "service.unavailable"))
    assert "Not available right now. Request req_1" in shown
    assert "for 5.00 USD once" in shown


@pytest.mark.parametrize(
    ("used", "of", "said"),
    [
        (2, 5, "3 projects, 2 of 5 deployed."),
        (4, 5, "3 projects, 4 of 5 deployed. One more is available. Buy a slot"),
        (5, 5, "3 projects, 5 of 5 deployed. The limit is reached. Buy a slot or choose a larger plan. Buy a slot"),
    ],
)
def test_banner_warns_before_the_limit(used: int, of: int, said: str) -> None:
    body = limits((3, None), (used, of))
    values = {"kinds": {}, "no_project": False, "no_deployment": False, "title": "", "room": None}
    values |= {"limits": answered({**OF, **body}), "least": least_left(body), "rows": ()}
    text = text_of(render("project/list.html", list_page(), Permission.PAY, **values))
    assert said in text
    assert ("Buy a slot" in text) is ("Buy a slot" in said)


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
