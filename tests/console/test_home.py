"""Home says what was spent and on what, what is left and what waits, and where it does not know."""

import re
from typing import Any

import pytest

from console.home.pages import changed, expiring
from tests.console.fake import ME, ORG, OTHER, PAGE, FakeApi, browser, problem
from tests.console.test_spend_control import plain

BASE = f"/console/{ORG}"
AGENT = f"agt_{ORG[4:]}"
NOTHING = dict.fromkeys(("available", "pending", "frozen", "granted", "own_work", "total"), "0.00")
ASSET: dict[str, Any] = {"available": "1.50", "held": "0.25", "in_escrow": "50.00", "owed": "0.00", "earnings": NOTHING}
ASSET |= {"pending": "0.00", "pending_until": None, "in_payouts": "0.00"}
SUMMARY = {
    "assets": [{"currency": "CREDIT", **ASSET}, {"currency": "USD", **ASSET, "available": "0.00", "in_escrow": "0.00"}],
    "expiring": [],
    "escrows": [{"id": f"esc_{ORG[4:]}", "status": "funded", "amount": "50.00", "currency": "CREDIT", "until": None}],
    "invoices_due": [
        {"id": f"inv_{ORG[4:]}", "number": "INV-1", "due": "9.99", "currency": "USD", "due_at": "2026-12-01T00:00:00Z"},
    ],
}
PARTS = [{"part": part, "amount": "0.00", "before": "0.00"} for part in ("agents", "purchases", "subscriptions")]
SPENT = {
    "currency": "CREDIT",
    **{"total": "60.00", "before": "40.00"},
    "parts": [
        {"part": "uses", "amount": "10.00", "before": "40.00"},
        {"part": "jobs", "amount": "50.00", "before": "0.00"},
        *PARTS,
    ],
    "by_agent": [
        {"agent_id": AGENT, "agent_name": "<Summariser>", "is_own": True, "amount": "50.00", "is_rest": False},
        {"agent_id": None, "agent_name": None, "is_own": False, "amount": "10.00", "is_rest": True},
    ],
    "by_service": [{"service": "job", "name": "Jobs", "amount": "60.00", "is_rest": False}],
}
STATS = {"available": "1.50", "burn_rate": "0.75", "days_left": 2, "used": "10.00"}
FACT: dict[str, Any] = {
    **{
        "id": "tr_1",
        "kind": "escrow.released",
        "category": "escrow",
        "status": "completed",
        "object": None,
        "principal": "kim",
        "changes": [],
    },
    **dict.fromkeys(("agent_id", "agent_name", "payee_agent_id", "payee_agent_name")),
    **dict.fromkeys(("started_at", "effective_at", "recorded_at"), "2026-11-24T00:00:00Z"),
}
PERMISSIONS = ["read", "read_billing", "manage_spending", "pay"]


def api(**answers: Any) -> FakeApi:
    known = {
        "/me": {**ME, "permissions": PERMISSIONS},
        "/billing/summary": SUMMARY,
        "/analytics/spent": {"currencies": [SPENT], "left_out": []},
        "/credits/stats": STATS,
        "/billing/activity": {"data": [FACT], "next_cursor": None},
    }
    return FakeApi(answers={f"GET {path}": (200, body) for path, body in known.items()} | answers)


async def home(fake: FakeApi, **query: str) -> str:
    async with browser(fake, signed_in=True) as client:
        answer = await client.get(BASE, params=query)
    assert answer.status_code == 200
    return answer.text


async def test_what_was_spent_has_its_change_its_parts_and_agents_by_name() -> None:
    page = await home(api())
    assert "50% more" in page
    assert f'<a href="{BASE}/agents/{AGENT}"><bdi class="cut" title="&lt;Summariser&gt;">' in page
    assert f'href="{BASE}/budgets/new?subject=agent&amp;subject_id={AGENT}"' in page
    assert [part in page for part in ("Uses", "Jobs", "Agents bought")] == [True, True, False]
    assert "Lasts about 2 days at 0.75" in page


async def test_the_period_is_that_of_every_figure() -> None:
    fake = api()
    page = await home(fake, period="7")
    (span,) = [query for name, _, query in fake.asked if name == "GET /analytics/spent"]
    assert page.count("Spent, 7 days") > 1
    assert 'aria-current="page">7 days' in page
    assert span["from"] < span["to"]


async def test_what_is_zero_is_left_out_and_what_is_under_way_leads_on() -> None:
    page = await home(api())
    assert "Held in escrow" in page
    assert ">Debt<" not in page
    assert f'href="{BASE}/invoices/inv_{ORG[4:]}"' in page
    assert f'href="{BASE}/escrows/esc_{ORG[4:]}"' in page
    assert "First steps" not in page


async def test_an_account_that_used_nothing_is_given_its_first_steps() -> None:
    summary = {**SUMMARY, "assets": [{"currency": "CREDIT", **ASSET, "in_escrow": "0.00"}]}
    nothing = {"currencies": [{**SPENT, "total": "0.00"}], "left_out": []}
    new = {"credits/stats": {**STATS, "used": "0.00"}, "billing/summary": summary, "analytics/spent": nothing}
    page = await home(api(**{f"GET /{path}": (200, body) for path, body in new.items()}))
    assert "First steps" in page
    assert "Credits added" in page


async def test_an_account_that_only_earned_is_not_given_its_first_steps() -> None:
    earned = {**ASSET, "in_escrow": "0.00", "earnings": {"total": "5.00", "available": "0.00"}}
    summary = {**SUMMARY, "assets": [{"currency": "CREDIT", **earned}]}
    nothing = {"currencies": [{**SPENT, "total": "0.00"}], "left_out": []}
    earning = {"credits/stats": {**STATS, "used": "0.00"}, "billing/summary": summary, "analytics/spent": nothing}
    page = await home(api(**{f"GET /{path}": (200, body) for path, body in earning.items()}), side="spending")
    assert "First steps" not in page


async def test_a_figure_without_an_answer_says_so_and_the_rest_stands() -> None:
    gone = problem(503, "service.unavailable")
    page = await home(api(**{"GET /billing/summary": gone, "GET /analytics/spent": gone}))
    assert page.count("not available right now") == 2
    assert "Latest activity" in page


async def test_a_role_that_may_not_read_gets_no_half_page() -> None:
    async with browser(api(**{"GET /billing/summary": problem(403, "auth.forbidden")}), signed_in=True) as client:
        assert (await client.get(BASE)).status_code == 403


async def test_a_task_names_the_act_and_leads_to_its_object() -> None:
    task = {"kind": "to_sign", "object_id": f"esc_{ORG[4:]}", "organization_id": ORG, "title": "Job"}
    tasks = {"data": [{**task, "deadline_at": None, "amount": "50.00", "currency": "CREDIT"}], "next_cursor": None}
    page = await home(api(**{"GET /tasks": (200, tasks)}))
    assert f'href="{BASE}/escrows/esc_{ORG[4:]}">Sign delivery</a>' in page
    assert page.index("Sign delivery") < page.index("Held in escrow")


EARNED: dict[str, Any] = {
    **{"currency": "CREDIT", **ASSET, "in_escrow": "0.00"},
    **{"pending": "80.00", "pending_until": "2027-01-05T09:00:00Z"},
    "earnings": {**NOTHING, "pending": "40.00", "total": "40.00", "pending_until": "2027-01-09T09:00:00Z"},
}
RATED: dict[str, Any] = {
    **{"agent_id": AGENT, "agent_name": "Summariser", "organization_id": OTHER, "organization_name": "Initech"},
    **{"ratings": {"quality": 4}, "comment": "On time.", "created_at": "2026-11-24T00:00:00Z", "changed_at": None},
}


def selling(**answers: Any) -> FakeApi:
    preview: dict[str, Any] = {"payable": [], "refused": "payout.no_account", "detail": "Connect.", "account": None}
    earned = {"metric": "earnings", "currency": "CREDIT", "value": "40.00", "before": "20.00"}
    known = {
        "/billing/summary": {**SUMMARY, "assets": [EARNED]},
        "/credits/stats": {**STATS, "used": "0.00"},
        "/billing/payouts/preview": preview,
        "/billing/payouts/schedule": {"next_on": "2027-01-08"},
        "/reputation/feedback": {"data": [RATED], "next_cursor": None},
        "/analytics/spent": {"currencies": [{**SPENT, "total": "0.00"}], "left_out": []},
    }
    more = {f"GET {path}": (200, body) for path, body in known.items()}
    more["POST /analytics/query"] = (200, {"totals": [earned], "rows": []})
    return api(**{**more, **answers})


async def test_creator_is_shown_what_agents_earn_why_nothing_is_payable_and_who_rated_them() -> None:
    fake = selling()
    page = plain(await home(fake, side="earnings", period="7"))
    for words in (
        *("Earned, 7 days 40.00 credits", "100% more", "Held in escrow for your work 80.00 credits"),
        *("Pending 40.00 credits Available from", "Can be paid out now Nothing", "No payout account yet."),
        *("The next payout is on", "Summariser , by Initech", "Quality 4 of 5", "On time."),
    ):
        assert words in page
    assert "Frozen" not in page
    assert len(fake.asked) <= 9


async def test_parts_of_a_creators_home_fail_apart() -> None:
    names = ("billing/summary", "billing/payouts/preview", "billing/payouts/schedule", "reputation/feedback")
    for name in names:
        page = plain(await home(selling(**{f"GET /{name}": problem(503, "internal")}), side="earnings"))
        assert page.count("Not available right now.") == 1, name
        assert "Earned, 30 days 40.00 credits" in page
    page = plain(await home(selling(**{"POST /analytics/query": problem(503, "internal")}), side="earnings"))
    assert re.search("Earned, 30 days . not available right now", page)


async def test_who_earns_and_has_spent_nothing_begins_with_earnings() -> None:
    async with browser(selling(), signed_in=True) as client:
        answer = await client.get(BASE)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{BASE}?side=earnings")
        assert (await client.get(BASE, params={"side": "spending"})).status_code == 200
    page = await home(selling(**{"GET /credits/stats": (200, STATS)}))
    assert f'href="{BASE}?side=earnings"' in page
    assert "?side=earnings" not in await home(api())


async def test_key_of_a_department_is_shown_what_is_left_refusals_and_its_keys() -> None:
    refusal: dict[str, Any] = {
        **{"id": "rfs_1", "control_id": f"ctl_{ORG[4:]}", "subject": {"type": "agent", "id": AGENT, "name": "Buyer"}},
        **{"reason": "limit", "action": "search", "amount": "20.00", "currency": "CREDIT", "limit": "5.00"},
        **{"remaining": "2.00", "limit_currency": "CREDIT", "resets_at": None, "principal": "kim"},
        **{"agent_id": None, "at": "2026-11-24T00:00:00Z"},
    }
    key = {"id": f"key_{ORG[4:]}", "last_used_at": None, "expires_at": None}
    answers = {
        "GET /me": (200, {**ME, "permissions": PERMISSIONS, "confined": True}),
        "GET /spend-controls": (200, PAGE),
        "GET /budgets": (200, PAGE),
        "GET /spend-controls/refusals": (200, {"data": [refusal], "next_cursor": None}),
        "GET /api-keys": (200, {"data": [key], "next_cursor": None}),
        "GET /credits/usage": (200, PAGE),
    }
    fake = api(**answers)
    page = await home(fake)
    assert "Above the remaining amount Agent Buyer search kim 20.00 credits 5.00 credits 2.00 credits" in plain(page)
    assert f'href="{BASE}/limits/ctl_{ORG[4:]}"' in page
    assert f"key_{ORG[4:]}" in page
    assert len(fake.asked) <= 9
    page = await home(api(**{**answers, "GET /spend-controls/refusals": problem(503, "internal")}))
    assert page.count("Not available right now.") == 1


async def test_who_reads_no_billing_is_shown_what_is_left_to_spend() -> None:
    control = {"id": f"ctl_{ORG[4:]}", "currency": "CREDIT", "subject": {"type": "agent", "id": AGENT, "name": "Buyer"}}
    window = {"window": "day", "amount": "5.00", "remaining": "2.00", "resets_at": None}
    answers = {
        "GET /me": (200, {**ME, "permissions": ["read"]}),
        "GET /spend-controls": (200, {"data": [{**control, "limits": [window]}], "next_cursor": None}),
        "GET /budgets": (200, PAGE),
        "GET /spend-controls/refusals": (200, PAGE),
        "GET /api-keys": (200, PAGE),
        "GET /credits/usage": (200, PAGE),
    }
    page = await home(api(**answers))
    assert "Declined charges" not in page
    assert "Limit: Buyer" in page
    assert "No uses yet" in page
    assert "Spent" not in page


def test_credits_that_expire_at_one_moment_are_added_up() -> None:
    at = ("2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z")
    lots = [{"amount": "1.50", "currency": "CREDIT", "expires_at": each} for each in at]
    assert [each["amount"] for each in expiring(lots)] == ["3.00", "1.50"]


@pytest.mark.parametrize(
    ("before", "says"), [("40.00", "50% more"), ("60.00", "the same"), ("0.00", "new"), (None, "")]
)
def test_a_change_is_said_in_whole_percent(before: str | None, says: str) -> None:
    assert changed("60.00", before) == says
