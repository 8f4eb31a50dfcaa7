from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.api.conftest import TENANT_ROLES, Caller, NewTenant, Tenant, good, refused
from tests.api.spending import grant, use

pytestmark = pytest.mark.db

FIVE = """\
Daily Budget: 25 credits (remaining: 18.50)
Preferred Payment: Card, then TON wallet, then BTC wallet
Cost Tracking: Log all expenses and alternatives considered
Revenue Goal: Look for monetization opportunities
Economic Constraint: Stay within budget, prefer free solutions
"""


@pytest.fixture
async def tenant(new_tenant: NewTenant) -> Tenant:
    return await new_tenant(*TENANT_ROLES)


async def budget(of: Caller, subject: tuple[str, str], *, amount: str, window: str = "day", **more: Any) -> None:
    body = {"subject": {"type": subject[0], "id": subject[1]}, "limits": [{"window": window, "amount": amount}], **more}
    good(await of.post("/budgets", body), 201)


async def test_an_agent_reads_five_lines_with_its_figures(tenant: Tenant, operator: Caller) -> None:
    await grant(operator, tenant.org_id)
    await budget(tenant.owner, ("agent", tenant.agent_id), amount="25")
    await use(tenant.agent, amount="6.50")
    path = f"/agents/{tenant.agent_id}/prompt"
    answer = await tenant.agent.get(path)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    lines = answer.text.splitlines(keepends=True)
    assert "".join(lines[:5]) == FIVE
    # Whether today's pace ends it before midnight depends on the time of day.
    assert [line.partition(":")[0] for line in lines[5:]] in ([], ["Budget Pace"])
    shown = good(await tenant.owner.get(f"{path}?format=json"))
    assert (shown["budget"]["amount"], shown["budget"]["remaining"]) == ("25.00", "18.50")
    assert shown["text"].startswith(FIVE)


async def test_project_reserve_and_crypto_have_a_line_where_they_apply(tenant: Tenant, operator: Caller) -> None:
    await grant(operator, tenant.org_id)
    named = {"slug": "game", "name": "Game", "deploy_type": "development"}
    project = good(await tenant.owner.post("/projects", named), 201)
    attribution = {"project_id": project["id"]}
    good(await tenant.owner.ask("PUT", f"/agents/{tenant.agent_id}/attribution", json=attribution))
    await budget(tenant.owner, ("agent", tenant.agent_id), amount="25", may_draw_reserve="5")
    await budget(tenant.owner, ("project", project["id"]), amount="100", window="week", reserve="50", emergency="20")
    text = (await tenant.agent.get(f"/agents/{tenant.agent_id}/prompt")).text
    assert text.splitlines()[5:] == [
        "Project Budget: 30 credits remaining this week",
        "Reserve: 50 credits (5 credits can be drawn without approval)",
    ]


async def test_an_unchanged_prompt_is_not_sent_again(tenant: Tenant, operator: Caller) -> None:
    await grant(operator, tenant.org_id)
    await budget(tenant.owner, ("agent", tenant.agent_id), amount="25", window="week")
    path = f"/agents/{tenant.agent_id}/prompt"
    first = await tenant.agent.get(path)
    again = await tenant.agent.ask("GET", path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    await use(tenant.agent, amount="1")
    changed = await tenant.agent.ask("GET", path, headers={"If-None-Match": first.headers["etag"]})
    assert changed.text.splitlines()[0] == "Daily Budget: 25 credits per week (remaining: 24)"


async def test_a_prompt_is_read_by_its_agent_and_the_people_of_its_organization(
    tenant: Tenant, stranger: Tenant, operator: Caller
) -> None:
    path = f"/agents/{tenant.agent_id}/prompt"
    other = good(await operator.post("/agents", {"name": "Another", "organization_id": tenant.org_id}), 201)["id"]
    assert (await tenant.member.get(path)).text.startswith("Daily Budget: none set (remaining: not limited)\n")
    refused(await tenant.agent.get(f"/agents/{other}/prompt"), 403, "auth.forbidden")
    refused(await stranger.owner.get(path), 404, "not_found")
    refused(await stranger.agent.get(path), 404, "not_found")


async def test_a_members_key_of_a_department_reads_the_prompts_of_its_agents(
    tenant: Tenant, operator: Caller, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    sales, field = [
        good(await tenant.owner.post("/departments", {"name": name}), 201)["id"] for name in ("Sales", "Field")
    ]
    member = await issue_key("member", tenant.org_id)
    key_id = good(await member.get("/me"))["key_id"]
    good(await tenant.owner.ask("PUT", f"/api-keys/{key_id}/attribution", json={"department_id": sales}))
    path = f"/agents/{tenant.agent_id}"
    for department, status in ((None, 404), (field, 404), (sales, 200)):
        good(await tenant.owner.ask("PUT", f"{path}/attribution", json={"department_id": department}))
        assert (await member.get(f"{path}/prompt")).status_code == status


async def test_a_template_has_named_placeholders_only_and_replaces_the_standard_one(tenant: Tenant) -> None:
    standard = good(await tenant.member.get("/budgets/prompt-template"))
    assert (standard["is_standard"], "{daily}" in standard["template"]) == (True, True)
    own = {"template": "You may spend {daily}.\nOf the project: {project}.\nAsk Jo."}
    good(await tenant.admin.ask("PUT", "/budgets/prompt-template", json=own))
    text = (await tenant.agent.get(f"/agents/{tenant.agent_id}/prompt")).text
    assert text == "You may spend none set.\nAsk Jo.\n"
    for bad in ("{name}", "{daily.x}", "{daily", "x}", "{}", "{daily!r}", "sk_live_1234567890", "a" * 1001):
        answer = await tenant.admin.ask("PUT", "/budgets/prompt-template", json={"template": bad})
        assert answer.status_code == 422, bad
    good(await tenant.admin.ask("PUT", "/budgets/prompt-template", json={"template": None}))
    assert good(await tenant.auditor.get("/budgets/prompt-template"))["is_standard"]
