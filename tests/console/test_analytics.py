"""Figures over time: sums, changes, the end of a balance and advice are shown as the API answered."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from console.analytics import figures
from console.charts import Unit
from console.format import Prefs
from console.gateway import Answer
from tests.console.fake import ME, ORG, OWN, FakeApi, browser, problem
from tests.console.strict import read
from tests.support.cases import for_each

HERE = f"/console/{ORG}/analytics"
TODAY = date(2026, 11, 29)
NOW = datetime.now(UTC).date()
QUERY = "POST /analytics/query"
ADVICE = {
    "organization_id": ORG,
    "month": "2026-10-01",
    "spending": [],
    "data": [
        {
            "id": "ins_1",
            "kind": "package",
            "meaning": "saving",
            "amount": "12.50",
            "currency": "USD",
            "title": "A larger package would have been cheaper.",
            "how": ["You bought 5 packages for 50.00 USD.", "One of 37.50 USD has as much."],
            "figures": {},
            "act": {"method": "POST", "path": "/billing/topup", "body": {}},
            "takes": None,
            "taken": None,
            "link": f"/console/{ORG}/top-up",
        }
    ],
}


def value(metric: str, now: str | None, before: str | None, currency: str | None = "CREDIT") -> dict[str, Any]:
    return {"metric": metric, "currency": currency, "value": now, "before": before}


def row(group: dict[str, str | None], *values: dict[str, Any], at: str | None = None) -> dict[str, Any]:
    return {"at": at, "group": group, "values": list(values)}


def answer(rows: list[dict[str, Any]], *totals: dict[str, Any]) -> dict[str, Any]:
    return {"rows": rows, "totals": list(totals), "complete": False, "as_of": "2026-11-29T12:00:00Z", "rates": []}


def asked(period: str = "30", compare: str = "previous") -> figures.Chosen:
    return figures.chosen({"period": period, "compare": compare}, TODAY, HERE, "UTC")


def forecast(**changed: Any) -> dict[str, Any]:
    days = [NOW + timedelta(days=number) for number in range(90)]
    low_high = {"low": "10.00", "high": "90.00"}
    points = [{"at": f"{day}", "value": "50.00", "intervals": [{"level": 80, **low_high}]} for day in days]
    out = {"runs_out_at": None, "runs_out_earliest": None, "runs_out_latest": None}
    return {"points": points, **out, **changed}


async def page(**answers: Any) -> tuple[str, FakeApi]:
    known = {
        QUERY: (200, answer([])),
        "GET /analytics/forecast": (200, forecast()),
        "GET /analytics/insights": (200, ADVICE),
        "GET /me": (200, {**ME, "permissions": ["read", "read_billing", "pay", "acknowledge"]}),
    }
    api = FakeApi(answers=known | {name.replace("_", " ", 1): each for name, each in answers.items()})
    async with browser(api, signed_in=True) as client:
        text = (await client.get(HERE)).text
    assert read(text).problems == []
    return text, api


@for_each(
    ("period", "first", "bars"),
    [
        ("7", date(2026, 11, 23), 7),
        ("30", date(2026, 10, 31), 30),
        ("365", date(2025, 12, 1), 12),
        ("x", date(2026, 10, 31), 30),
    ],
)
def test_period_ends_today_and_a_year_is_shown_by_month(period: str, first: date, bars: int) -> None:
    of = asked(period)
    assert (of.first, of.last, len(of.starts)) == (first, TODAY, bars)


@for_each(
    ("now", "before", "said"),
    [
        ("15", "10", "50% more"),
        ("5", "10", "50% less"),
        ("10", "10", "the same"),
        ("10", "0", "new"),
        ("0", "0", ""),
        ("10", None, ""),
    ],
)
def test_change_is_said_in_whole_percent(now: str, before: str | None, said: str) -> None:
    sum = figures.Sum(Decimal(now), None if before is None else Decimal(before))
    assert sum.changed(Prefs()) == said


def test_groups_are_added_up_and_what_was_not_told_is_the_rest() -> None:
    found = Answer(
        status=200,
        request_id="req_1",
        body=answer(
            [
                row({"agent": "agt_1", "model": "a"}, value("spending", "3", "1")),
                row({"agent": "agt_1", "model": "b"}, value("spending", "4", "2")),
                row({"agent": None, "model": "a"}, value("spending", "5", "0")),
            ],
            value("spending", "20", "4"),
        ),
    )
    sums = figures.grouped(found, "spending", "CREDIT", "agent")
    assert sums == {
        "agt_1": figures.Sum(Decimal(7), Decimal(3)),
        None: figures.Sum(Decimal(5), Decimal(0)),
        "Other": figures.Sum(Decimal(8), Decimal(1)),
    }
    ranks = figures.ranked("By agent", sums, lambda id: id or "No agent", Unit("CREDIT"))
    assert ranks is not None
    assert [(each.label, each.note) for each in ranks.meters] == [
        ("Other", "700% more"),
        ("agt_1", "133% more"),
        ("No agent", "new"),
    ]


def test_agents_of_one_name_are_told_apart() -> None:
    sums = {"agt_1": figures.Sum(Decimal(2), None), "agt_2": figures.Sum(Decimal(1), None)}
    ranks = figures.ranked("By agent", sums, lambda _: "Reader", Unit("CREDIT"))
    assert ranks is not None
    assert [each.label for each in ranks.meters] == ["Reader", "Reader, agt_2"]


async def test_spending_is_asked_for_as_it_was_chosen_and_shown_with_its_change() -> None:
    spent = answer(
        [
            row(
                {"action": "web_search", "model": "gpt-4o", "agent": None, "project": None},
                value("spending", "30.00", "20.00"),
                at=f"{NOW}T00:00:00Z",
            )
        ],
        value("spending", "30.00", "20.00"),
    )
    text, api = await page(**{"POST_/analytics/query": (200, spent)})
    bodies = [body for name, _, body in api.asked if name == QUERY]
    assert {each["compare"] for each in bodies} == {"previous", None}
    assert [each["by"] for each in bodies] == [
        ["action"],
        ["action", "model", "agent", "project"],
        [],
    ]
    assert "Before: 20.00\N{NO-BREAK SPACE}credits (50% more)" in text
    assert "Spent, 30 days" in text
    assert "Web search" in text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "The balance lasts 30 days or longer."),
        ({"runs_out_earliest": "2027-01-09"}, "If you spend more than usual, until Jan 9, 2027."),
        (
            {"runs_out_at": "2026-12-14", "runs_out_earliest": "2026-12-09", "runs_out_latest": "2026-12-21"},
            "runs out on Dec 14, 2026. The earliest is Dec 9, 2026, the latest Dec 21, 2026.",
        ),
        (
            {"runs_out_at": "2026-12-14", "runs_out_earliest": "2026-12-09"},
            "The earliest is Dec 9, 2026, and it may last longer than 30 days.",
        ),
    ],
)
async def test_end_of_the_balance_is_said_in_a_sentence(changed: dict[str, Any], said: str) -> None:
    text, _ = await page(**{"GET_/analytics/forecast": (200, forecast(**changed))})
    assert said in text


async def test_balance_is_drawn_with_the_band_of_its_forecast() -> None:
    days = [NOW - timedelta(days=back) for back in range(2)]
    known = answer([row({}, value("balance", "60.00", None), at=f"{day}T00:00:00Z") for day in days])
    text, _ = await page(**{"POST_/analytics/query": (200, known)})
    assert 'class="band c1"' in text
    assert "50.00\N{NO-BREAK SPACE}credits (projected)" in text


async def test_forecast_that_is_too_early_says_how_long_to_wait() -> None:
    short = problem(422, "forecast.too_short", "There are figures of 3 days. Ask again in 11 days.")
    text, _ = await page(**{"GET_/analytics/forecast": short})
    assert "Ask again in 11 days." in text


async def test_advice_names_the_money_the_way_and_is_dismissed() -> None:
    text, api = await page()
    assert "Missed savings and revenue in October 2026" in text
    assert "12.50" in text
    assert "One of 37.50 USD has as much." in text
    assert f'href="/console/{ORG}/top-up">View packages</a>' in text
    path = f"{HERE}/advice/ins_1/dismiss"
    assert f'action="{path}"' in text
    api.answers["POST /analytics/insights/ins_1/dismiss"] = (200, ADVICE["data"][0])
    async with browser(api, signed_in=True) as client:
        done = await client.post(path, data={"command": "con_0123456789012345678"}, headers=OWN)
    assert done.headers["location"] == f"{HERE}?notice=advice.dismissed"


async def test_advice_is_proposed_and_a_policy_is_approved_from_the_page() -> None:
    taken: dict[str, Any] = {"status": "proposed", "purchase_order_id": None, "policy_change": "Agents look first.",
             "taken_by": f"{ORG}/maria"}  # fmt: skip
    (known,) = ADVICE["data"]
    one: dict[str, Any] = {**known, "takes": "payment_policy"}  # type: ignore[dict-item]
    rights = {**ME, "permissions": ["read", "read_billing", "acknowledge", "manage_spending"]}
    text, api = await page(**{"GET_/analytics/insights": (200, {**ADVICE, "data": [one]})})
    assert f'action="{HERE}/advice/ins_1/take"' in text
    shown = {**ADVICE, "data": [{**one, "taken": taken}]}
    text, _ = await page(**{"GET_/analytics/insights": (200, shown)})
    assert "maria has proposed a change: Agents look first." in text
    assert "/approve" not in text
    text, _ = await page(**{"GET_/analytics/insights": (200, shown), "GET_/me": (200, rights)})
    assert f'action="{HERE}/advice/ins_1/approve"' in text
    order = {**one, "taken": {**taken, "purchase_order_id": "por_1"}}
    api.answers["POST /analytics/insights/ins_1/take"] = (200, order)
    api.answers["POST /analytics/insights/ins_1/approve"] = (200, taken)
    async with browser(api, signed_in=True) as client:
        for act, place, notice in (("take", "purchases/por_1", "taken"), ("approve", "analytics", "approved")):
            path = f"{HERE}/advice/ins_1/{act}"
            done = await client.post(path, data={"command": f"con_01234567890123456{act}"}, headers=OWN)
            assert done.headers["location"] == f"/console/{ORG}/{place}?notice=advice.{notice}"


async def test_page_that_is_asked_for_by_itself_reads_no_advice() -> None:
    text, api = await page()
    assert 'id="spending" aria-labelledby="spending-title" data-live="balance"' in text
    api.asked.clear()
    async with browser(api, signed_in=True) as client:
        assert "Spent by service" in (await client.get(HERE, headers={"X-Background": "1"})).text
    assert "GET /analytics/insights" not in {name for name, *_ in api.asked}


async def test_methods_are_shown_with_how_many_payments_succeeded() -> None:
    used = {("stripe", "card"): ("3", "1"), ("paypal", None): ("9", "0"), ("stripe", "sepa_debit"): ("0", "0")}
    rows = [
        row({"provider": provider, "method": method},
            value("payments.succeeded", good, None, None), value("payments.failed", bad, None, None))
        for (provider, method), (good, bad) in used.items()
    ]  # fmt: skip
    api = FakeApi(answers={QUERY: (200, answer(rows)), "GET /billing/payment-methods": (200, {"data": []})})
    async with browser(api, signed_in=True) as client:
        text = (await client.get(f"/console/{ORG}/payment-methods")).text
    assert read(text).problems == []
    assert text.index("<span>PayPal</span>") < text.index("<span>Card</span>")
    assert "3 of 4" in text
    assert "Direct debit" not in text


async def test_key_of_a_department_sees_the_page_without_advice() -> None:
    text, _ = await page(**{"GET_/analytics/insights": problem(403, "auth.forbidden")})
    assert "Spent by service" in text
    assert "Missed savings" not in text


async def test_next_payout_and_what_waits_are_said_beside_what_was_earned() -> None:
    earned = answer(
        [row({"agent": "agt_1"}, value("earnings", "9.00", "0", "USD"), at=f"{NOW}T00:00:00Z")],
        value("earnings", "9.00", "0", "USD"),
    )
    payable = [{"currency": "USD", "available": "4.00", "pending": "5.00", "frozen": "0.00"}]
    api = FakeApi(
        answers={
            QUERY: (200, earned),
            "GET /billing/payouts/preview": (200, {"payable": payable}),
            "GET /billing/payouts/schedule": (200, {"next_on": "2026-12-04"}),
        }
    )
    async with browser(api, signed_in=True) as client:
        text = (await client.get(f"{HERE}/earnings")).text
    assert read(text).problems == []
    assert "The next payout is on Dec 4, 2026." in text
    assert "5.00\N{NO-BREAK SPACE}USD can be paid out after the holding period" in text
    assert "Before: 0.00\N{NO-BREAK SPACE}USD (new)" in text


async def test_operators_see_each_figure_with_its_change_and_what_did_not_answer() -> None:
    operator = {**ME, "role": "operator", "organization": None, "permissions": ["read", "read_billing", "inspect"]}
    told = answer(
        [row({"stream": None, "organization": None}, value("volume", "30.00", "20.00", "USD"), at=f"{NOW}T00:00:00Z")],
        value("volume", "30.00", "20.00", "USD"),
        value("payments.success_rate", "0.975", "0.98", None),
        value("active.agents", "3", "0", None),
    )
    api = FakeApi(answers={"GET /me": (200, operator), "GET /changes": (200, {}), QUERY: (200, told)})
    async with browser(api, signed_in=True) as client:
        text = (await client.get("/console/platform/analytics")).text
        assert read(text).problems == []
        for said in ("20.00\N{NO-BREAK SPACE}USD (50% more)", "97.5%", "Before: 98%", "Before: 0 (new)"):
            assert said in text
        api.answers[QUERY] = problem(503, "service.unavailable")
        assert "Not available right now." in (await client.get("/console/platform/analytics")).text
