"""The page of ROI, as the API answers it."""

import html
import re
from typing import Any

from console.forms import blank
from console.gateway import Answer, Problem
from console.returns import pages
from tests.console.fake import NAMING
from tests.console.rendering import form_page, render

NO_COSTS = dict.fromkeys(("purchases", "subscriptions", "fees", "commission", "shared"), "0.00")
TREND = [{"day": "2026-11-02", "revenue": "2.00", "costs": "3.00"}, {"day": "2026-11-09", "revenue": "5", "costs": "0"}]
ROW: dict[str, Any] = {
    "id": "agt_01kar6x0qmf9rv4w7n2h8d3s5c",
    "revenue": {"reported": "1.00", "confirmed": "5.00", "rejected": "0.00", "reversed": "0.00"},
    "costs": {"usage": "3.00", **NO_COSTS},
    **{"total_costs": "3.00", "margin": "2.00", "roi": "0.66", "roi_lower": "0.2", "payback_days": 3},
    **{"trend": TREND, "projection": {"days": 28, "margin": "1.00", "low": "0.50", "high": "2.00"}, "made_of": []},
}
ROI: dict[str, Any] = {
    **{
        "scope": "agent",
        "from": "2026-11-01",
        "to": "2026-12-01",
        "currency": "USD",
        "zone": "UTC",
        "left_out": ["CREDIT", "ISK"],
    },
    **{"data": [ROW], "rows": 2, "total": ROW},
    "spent": {"currency": "USD", "total": "4.00", "before": None, "parts": []},
}


def shown(answer: Answer) -> str:
    """Return the words of the page."""
    form = blank(scope="agent", period="30", currency="USD")
    text = render(
        "returns/roi.html",
        form_page(form=form, action="/returns"),
        roi=answer,
        zone="Europe/Berlin",
        words="30 days",
        days="from=2026-11-01&to=2026-11-30",
        costs=pages.COSTS,
        note=pages.note,
        chart=pages.chart(ROW, "USD"),
        trend=pages.trend,
        naming=NAMING,
        **dict.fromkeys(("scopes", "periods", "currencies"), ()),
    )
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def test_roi_shows_spent_next_to_costs_and_says_how_they_differ() -> None:
    text = shown(Answer(status=200, request_id="req_1", body=ROI))
    for words in (
        *("Spent, 30 days 4.00 USD Costs 3.00 USD", "Costs are what was spent, with the cost of recorded usage"),
        *("Forecast: 0.50 USD to 2.00 USD in the next 28 days, 80% interval", "at least 20%, paid back in 3 days"),
        *("Excluded, for lack of an exchange rate: reported credits, ISK.", "Usage 3.00 USD", "1.00 USD wait"),
        "The first 1 of 2.",
    ):
        assert words in text


def test_days_in_utc_are_named_where_there_is_too_much_for_others() -> None:
    for zone, said in (("UTC", True), ("Europe/Berlin", False)):
        text = shown(Answer(status=200, request_id="req_1", body={**ROI, "zone": zone}))
        assert ("Days are UTC" in text) is said


def test_roi_without_costs_has_no_ratio() -> None:
    nothing = ROW | {"costs": {"usage": "0.00", **NO_COSTS}, "roi": None, "projection": None}
    text = shown(Answer(status=200, request_id="req_1", body={**ROI, "total": nothing, "data": []}))
    assert "ROI No costs" in text
    assert "No forecast yet: not enough history" in text


def test_roi_that_is_not_known_shows_no_figure() -> None:
    silent = Answer(status=503, request_id="req_1", problem=Problem(status=503, code="internal", title="", detail=""))
    text = shown(silent)
    assert "Not available right now." in text
    assert "Spent" not in text
    refused = Problem(status=422, code="analytics.no_rate", title="", detail="")
    assert "No exchange rate into USD yet." in shown(Answer(status=422, request_id="req_1", problem=refused))
