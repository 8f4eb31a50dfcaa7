"""Agents are offered, bought and given back by the forms of the console; refusals are pages with the reason."""

import html
import re
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from console.agent.pages import changed, listing
from console.agent.prices import job_price, offer_price
from console.forms import Form
from console.gateway import Answer
from console.inline import disc
from console.library.pages import term
from console.reputation.scores import DIMENSIONS
from tests.api.conftest import Caller, Tenant, good, new_key
from tests.console.answering import refused, said as answered
from tests.console.conftest import Visitor, signed_in
from tests.console.fake import BALANCE, ORG, OWN, FakeApi, browser, problem
from tests.console.rendering import BASE, form_page, list_page, object_page, render
from tests.console.walking import text_of
from tests.support.pictures import SECRET, chunk, png

KEY = "con_market_0123456789"
AGENT = "agt_01kar6h2d8e4wvq3r5s7t9x1za"
CARD: dict[str, Any] = {
    "organization_name": "Studio",
    "stars": None,
    "ratings": 0,
    "jobs_done": 0,
    "median_delivery_seconds": None,
    "picture_url": None,
    "can_be_hired": True,
}
HIRED: dict[str, Any] = {
    "id": AGENT,
    "name": "Summariser",
    "organization_id": "org_01kar6h2d8e4wvq3r5s7t9x1zb",
    "description": "Sums up reports.",
    "category": "research",
    "pricing": {"model": "one_time", "amount": "10.00", "currency": "CREDIT"},
    "terms": {"price": {"min": "5.00", "max": None, "currency": "CREDIT"}},
    "visibility": "public",
    "accepts_granted_credits": True,
    "samples": [],
    "created_at": "2026-11-20T00:00:00Z",
    "retired_at": None,
    **CARD,
}
OFFER: dict[str, Any] = {
    "agent_id": AGENT,
    "name": "Summariser",
    "organization_id": "org_01kar6h2d8e4wvq3r5s7t9x1zb",
    "model": "one_time",
    "price": "9.50",
    "currency": "CREDIT",
    "prices": None,
    "included_uses": None,
    "accepts_granted_credits": True,
    "granted_amount": "0.00",
    "summary": "Sums up.",
    "category": None,
    "status": "listed",
    **CARD,
    "creator_share": None,
    "least_payout": None,
    "changed_at": "2026-11-20T00:00:00Z",
}
HELD: dict[str, Any] = {"has_access": True, "status": "active", "prices": None, "id": "pur_1"}
METERED: dict[str, Any] = {"model": "usage", "price": None, "currency": None, "prices": {"page": "0.03", "a b": "1"}}


async def buying(held: dict[str, Any] | None = None, *may: str, **changes: Any) -> Any:
    """Return the profile's button that buys the offer, and the hidden fields of its form."""
    library = {"data": [held] if held else [], "next_cursor": None}
    api = market(**{f"GET /marketplace/agents/{AGENT}": (200, {**OFFER, **changes})})
    me = api.answers["GET /me"][1] | {"permissions": ["read", "read_billing", *(may or ("use_credits", "pay"))]}
    api.answers |= {"GET /marketplace/library": (200, library), "GET /me": (200, me)}
    async with browser(api, signed_in=True) as client:
        page = (await client.get(f"{HERE}/{AGENT}")).text
    found = re.findall(rf'href="{HERE}/{AGENT}/buy"[^>]*>([^<]+)<', page)
    sent = re.findall(r'<input type="hidden" name="(?!command)(\w+)" value="([^"]*)">', page)
    return (found[0].replace("\N{NO-BREAK SPACE}", " ") if found else ""), sent


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({}, "Buy for 9.50 credits"),
        ({"model": "monthly", "currency": "USD"}, "Subscribe for 9.50 USD a month"),
        ({"model": "free", "price": None, "currency": None}, "Add to library"),
        (
            {"model": "usage", "price": None, "currency": None, "prices": {"page": "0.02"}},
            "Add to library",
        ),
        ({"status": "retired"}, ""),
        ({"organization_id": ORG}, ""),
    ],
)
async def test_button_names_the_act_and_is_not_there_where_nothing_can_be_bought(
    changes: dict[str, Any], label: str
) -> None:
    assert (await buying(**changes))[0] == label


def test_box_of_the_listing_says_whether_granted_credits_pay_the_agent() -> None:
    listed = {"name": "Reads", "visibility": "public"}
    assert changed(Form(values=listed))["accepts_granted_credits"] is False
    assert changed(Form(values={**listed, "accepts_granted_credits": "on"}))["accepts_granted_credits"] is True
    agent: dict[str, Any] = {
        **listed,
        "description": None,
        "category": None,
        "accepts_granted_credits": True,
        "samples": [],
    }
    assert listing(agent)["accepts_granted_credits"] == "on"


def test_what_is_paid_in_granted_credits_is_shown_before_it_is_bought() -> None:
    for granted, said in (("0.00", False), ("4.50", True)):
        values = {"balance": answered(BALANCE), "quote": None, "methods": (), "is_new": False, "back": HERE}
        text = text_of(
            render("marketplace/buy.html", form_page(), offer={**OFFER, "granted_amount": granted}, **values)
        )
        assert ("Granted credits 4.50 credits, not paid out to the seller" in text) is said


async def test_agent_is_offered_to_those_who_may_pay_its_price_and_to_nobody_who_has_it() -> None:
    assert (await buying(None, "pay"))[0] == ""
    assert (await buying(None, "pay", currency="USD"))[0] != ""
    assert (await buying(HELD))[0] == ""


async def test_who_has_an_agent_can_take_new_prices_of_its_uses_over() -> None:
    assert (await buying({**HELD, "prices": METERED["prices"]}, **METERED))[0] == ""
    label, sent = await buying({**HELD, "prices": {"page": "0.02"}}, **METERED)
    assert label == "Accept new prices"
    assert sent == [("model", "usage"), ("meter", "a b=1"), ("meter", "page=0.03")]


def test_month_that_was_paid_says_what_becomes_of_it() -> None:
    bought = {
        "id": "pur_1",
        "agent_name": "A",
        "status": "active",
        "has_access": True,
        "bought_at": "2026-11-01T00:00:00Z",
    }
    month = {**OFFER, "model": "monthly", **bought, "ends_at": "2026-12-01T00:00:00Z"}
    said = [term({**month, "renews": renews})[:6] for renews in (True, False)]
    assert said == ["Renews", "Ends D"]
    assert term({**month, "renews": False, "has_access": False}).startswith("Ended")


CONFIG: dict[str, Any] = {
    "providers": [{"name": "stripe", "currencies": ["CHF", "USD"]}, {"name": "crypto", "currencies": ["BTC"]}],
    "credit_price": {"amount": "0.10", "currency": "USD"},
    "crypto_assets": ["BTC"],
}


def market(**answers: Any) -> FakeApi:
    known = {
        f"GET /marketplace/agents/{AGENT}": (200, OFFER),
        f"GET /agents/{AGENT}": (200, HIRED),
        f"GET /reputation/score/{AGENT}": (200, {"evidence_count": 0}),
        "GET /marketplace/library": (200, {"data": [], "next_cursor": None}),
        f"GET /reputation/history/{AGENT}": (200, {"data": [], "next_cursor": None}),
        "GET /reputation/feedback": (200, {"data": [], "next_cursor": None}),
        "GET /billing/config": (200, CONFIG),
        "GET /billing/payment-methods": (200, {"data": [], "next_cursor": None}),
    }
    me = {
        "principal": "kim",
        "role": "owner",
        "permissions": ["read", "read_billing", "pay", "use_credits"],
        "environment": "sandbox",
    }
    who = {"organization": {"id": ORG, "name": "Acme", "tier": "free"}, "agent": None, "session": None, "key_id": "k"}
    return FakeApi(answers={**known, "GET /me": (200, {**me, **who}), **answers})


HERE = f"/console/{ORG}/marketplace"
KNOWN = {**HIRED, "stars": 4.56, "ratings": 1, "jobs_done": 12}


async def seen(api: FakeApi, path: str) -> str:
    async with browser(api, signed_in=True) as client:
        answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.unescape(answer.text)).replace("\N{NO-BREAK SPACE}", " "))


def test_profile_has_samples_and_the_time_of_delivery() -> None:
    sample = {"title": "Report", "url": "https://acme.example/a", "note": "In an hour"}
    agent = {**HIRED, "samples": [sample], "median_delivery_seconds": 18_000, "picture_url": "/api/v1/x?v=1f"}
    ways: dict[str, Any] = dict.fromkeys(("bars", "labels", "adjusted"), ())
    none: dict[str, Any] = dict.fromkeys(("offer", "held", "price"))
    reads = {name: refused(503, "x") for name in ("score", "history", "feedback")}
    more = {"by_dimension": len, "label": "", "why": "", "is_own": False, "is_new": False}
    page = render("marketplace/page.html", object_page(), it=agent, **ways, **none, **reads, **more)
    assert "Response time 5 hours" in text_of(page)
    assert "Samples of its work Report (acme.example, opens in a new tab) In an hour" in text_of(page)
    assert f'<img class="disc" src="/console/pictures/{AGENT}?v=1f" alt=""' in page


def test_samples_are_lines_of_the_listing() -> None:
    samples = [{"title": "A", "url": "https://a.example", "note": "x | y"}, {"title": "B", "url": "https://b.example"}]
    agent = {"name": "R", "visibility": "public", "description": None, "category": None}
    shown = listing({**agent, "accepts_granted_credits": True, "samples": samples})
    assert shown["samples"] == "A | https://a.example | x | y\nB | https://b.example"
    assert changed(Form(values=shown))["samples"] == samples
    assert changed(Form(values={"samples": "Only a title\n\n"}))["samples"] == [{"title": "Only a title"}]


def test_card_says_who_offers_the_agent_how_good_it_is_and_what_it_costs() -> None:
    page = render("marketplace/list.html", list_page(), rows=[KNOWN], reads_all=True)
    assert f'href="{BASE}/marketplace/{AGENT}"' in page
    assert "Summariser by Studio 4.6 of 5 stars (1 rating) · 12 rated jobs" in text_of(page)
    assert "10.00 credits a job Research" in text_of(page)
    gone = render("marketplace/list.html", list_page(), rows=[{**KNOWN, "can_be_hired": False}], reads_all=True)
    assert "Cannot be hired now" in gone


FREE: dict[str, Any] = {**HIRED, "pricing": {"model": "free", "amount": None, "currency": None}}


@pytest.mark.parametrize(
    ("agent", "price"),
    [
        (HIRED, "10.00 credits a job"),
        ({**HIRED, "pricing": {**HIRED["pricing"], "model": "monthly"}}, "10.00 credits a month"),
        (FREE, "From 5.00 credits a job"),
        ({**FREE, "terms": {}}, "Price by agreement"),
    ],
)
def test_job_has_one_price_wherever_its_agent_is_listed(agent: dict[str, Any], price: str) -> None:
    assert job_price(agent).replace("\N{NO-BREAK SPACE}", " ") == price
    own = render("agent/list.html", list_page(), rows=[agent], below="")
    found = render("marketplace/list.html", list_page(), rows=[agent], reads_all=True)
    assert all(price in text_of(page) for page in (own, found))


@pytest.mark.parametrize(
    ("changes", "price"),
    [
        ({}, "9.50 credits once"),
        ({"model": "monthly", "currency": "USD"}, "9.50 USD a month"),
        ({"model": "free", "price": None}, "Free"),
        ({**METERED, "prices": {"page": "0.03"}}, "0.03 credits a page"),
        (METERED, "1.00 credits a a b and 1 more"),
    ],
)
def test_offer_is_priced_by_its_model(changes: dict[str, Any], price: str) -> None:
    assert offer_price({**OFFER, **changes}).replace("\N{NO-BREAK SPACE}", " ") == price


@pytest.mark.parametrize(
    ("offer", "said"),
    [
        (answered(OFFER), "For sale 9.50 credits once"),
        (answered({**OFFER, "status": "retired"}), "For sale Not for sale"),
        (refused(404, "not_found"), "For sale Not for sale"),
        (refused(503, "service.unavailable"), "For sale \N{EN DASH} not available right now"),
    ],
)
def test_own_agent_has_the_price_of_a_job_and_that_of_its_offer(offer: Answer, said: str) -> None:
    parts = {"earned": "47.50", "available": "40.00", "pending": "7.50", "paid_out": "0.00", "asset": "CREDIT"}
    earned = {"data": [{"agent_id": AGENT, **parts}, {"agent_id": "agt_other", **parts, "earned": "9.00"}]}
    answers = {"earnings": answered(earned), "jobs": answered({"data": []}), "score": refused(503, "x"), "offer": offer}
    choices: dict[str, Any] = dict.fromkeys(("models", "visibilities", "categories", "currencies"), ())
    page = text_of(render("agent/page.html", object_page(), it=HIRED, version="", amount="", **answers, **choices))
    assert "Price 10.00 credits a job " + said in page
    assert "47.50 credits" in page
    assert "9.00 credits" not in page


@pytest.mark.parametrize(("name", "initials"), [("Research desk two", "RD"), ("écrivain", "É"), ("<b> !", "?")])
def test_initials_are_of_words_and_colours_of_the_id(name: str, initials: str) -> None:
    one, other = disc(name, AGENT, None), disc("Other", AGENT, None)
    assert f">{initials}<" in one
    assert re.findall(r"disc f[1-6]", one) == re.findall(r"disc f[1-6]", other) != []


async def test_directory_has_agents_to_hire_of_all_organizations() -> None:
    listed = (200, {"data": [KNOWN], "next_cursor": None})
    api = market(**{"GET /agents": listed})
    async with browser(api, signed_in=True) as client:
        page = (await client.get(f"{HERE}?q=sums&category=research&sort=rating")).text
    (query,) = [query for name, _, query in api.asked if name == "GET /agents"]
    hired = {
        "visibility": "public",
        "active": "true",
        "q": "sums",
        "category": "research",
        "sort": "rating",
        "limit": "50",
    }
    assert query == hired
    assert "Sort by: Best rated" in re.sub(r"<[^>]+>", "", page)
    assert f'href="{HERE}/{AGENT}"' in page
    assert f'href="{HERE}/offers"' in page


async def test_profile_says_the_price_in_words_and_leads_to_hiring() -> None:
    me = {"principal": "kim", "role": "owner", "permissions": ["read", "award"], "environment": "sandbox"}
    who = {"organization": {"id": ORG, "name": "Acme", "tier": "free"}, "agent": None, "session": None, "key_id": "k"}
    line = {"rule": "loyal", "description": "You hire it often", "multiplier": 0.9}
    given = {"id": "fbk_1", "ratings": {"quality": 4}, "comment": "On time.", "created_at": "2026-11-20T00:00:00Z"}
    night = {"day": "2026-11-20", "dimensions": dict.fromkeys(DIMENSIONS, 8.5)}
    api = market(
        **{
            "GET /me": (200, {**me, **who}),
            f"GET /agents/{AGENT}": (200, KNOWN),
            f"GET /marketplace/agents/{AGENT}": problem(404, "not_found"),
            f"GET /reputation/history/{AGENT}": (200, {"data": [night], "next_cursor": None}),
            "GET /reputation/feedback": (200, {"data": [{**given, "changed_at": None}], "next_cursor": None}),
            f"GET /payments/pricing/{AGENT}": (
                200,
                {"base_price": "10.00", "adjusted_price": "9.00", "adjustments": [line]},
            ),
        }
    )
    page = await seen(api, f"{HERE}/{AGENT}")
    for words in (
        "You hire it often: 10% less.",
        "Your price today is 9.00 credits; the listed one is 10.00 credits.",
        "Jobs from 5.00 credits are accepted automatically, others when the author agrees.",
        "Quality 4 of 5 On time.",
        "by Studio",
    ):
        assert words in page
    async with browser(api, signed_in=True) as client:
        text = (await client.get(f"{HERE}/{AGENT}")).text
    assert f'href="/console/{ORG}/escrows/new?agent={AGENT}"' in text
    assert f"{HERE}/{AGENT}/buy" not in text


async def test_profile_says_the_least_that_is_paid_out_to_those_who_may_know_it() -> None:
    for least, said in ((None, False), ({"amount": "0.12", "currency": "USD"}, True)):
        api = market(**{f"GET /marketplace/agents/{AGENT}": (200, {**OFFER, "least_payout": least})})
        page = await seen(api, f"{HERE}/{AGENT}")
        assert ("At least 0.12 USD of its price is paid out." in page) is said


async def test_job_is_awarded_to_an_agent_that_was_chosen_and_the_form_names_it() -> None:
    me = {"principal": "kim", "role": "owner", "permissions": ["read", "award"], "environment": "sandbox"}
    who = {"organization": {"id": ORG, "name": "Acme", "tier": "free"}, "agent": None, "session": None, "key_id": "k"}
    api = market(**{"GET /me": (200, {**me, **who})})
    path = f"/console/{ORG}/escrows/new"
    async with browser(api, signed_in=True) as client:
        for answer in (await client.get(path), await client.post(path, data={"command": KEY}, headers=OWN)):
            assert (answer.status_code, answer.headers["location"]) == (303, HERE)
        page = (await client.get(f"{path}?agent={AGENT}")).text
        sent = {"command": KEY, "agent_id": AGENT, "title": "Read", "price": "5", "currency": "CREDIT"}
        review = (await client.post(path, data={**sent, "fund": "credits"}, headers=OWN)).text
    assert "Hire Summariser" in page
    assert 'name="price" type="text" value="10.00"' in page
    assert "Hire Summariser and pay 5.00\N{NO-BREAK SPACE}credits into escrow?" in review
    assert AGENT not in re.sub(r"<[^>]+>", "", review)
    (choice,) = re.findall(r'<select id="f-currency".*?</select>', page)
    named = re.findall(r'value="(\w+)"[^>]*>([^<]+)', choice)
    first, rest = [("CREDIT", "Credits"), ("USD", "US Dollar (USD)")], [("BTC", "Bitcoin (BTC)")]
    assert named == [*first, *rest, ("CHF", "Swiss Franc (CHF)")]
    assert api.commands() == []


PATH = f"/console/{ORG}/marketplace/{AGENT}/buy"
ORDER = f"POST /marketplace/agents/{AGENT}/purchase"


async def sent(api: FakeApi, **fields: Any) -> Any:
    async with browser(api, signed_in=True) as client:
        return await client.post(PATH, data={"command": KEY, **fields}, headers=OWN)


async def test_price_in_money_is_paid_on_the_providers_page_or_by_a_stored_method_and_never_in_coins() -> None:
    offer = {**OFFER, "currency": "USD", "price": "12.00"}
    payment = {"id": "pay_1", "approval_url": "https://pay.example.com/1", "deposit": None}
    tax = {"code": "de-vat", "category": "S", "rate": "0.19", "amount": "2.28"}
    quote = {"currency": "USD", "subtotal": "12.00", "tax": tax, "total": "14.28"}
    api = market(
        **{
            f"GET /marketplace/agents/{AGENT}": (200, offer),
            "GET /billing/quote": (200, quote),
            ORDER: (201, {"purchase": None, "payment": payment}),
        }
    )
    async with browser(api, signed_in=True) as client:
        page = (await client.get(PATH)).text
    assert 'value="card"' in page
    assert "BTC" not in page
    assert "Tax, 19%" in page
    assert '<input type="hidden" name="total" value="14.28">' in page
    answer = await sent(api, model="one_time", price="12.00", currency="USD", total="14.28", by="card")
    assert answer.headers["location"] == f"/console/{ORG}/payments/pay_1/go"
    (body,) = [body for name, _, body in api.asked if name == ORDER]
    back = f"http://127.0.0.1:8000/console/{ORG}/payments/{{PAYMENT_ID}}/return"
    shown = {"model": "one_time", "price": "12.00", "currency": "USD", "total": "14.28"}
    assert body == {**shown, "provider": "stripe", "hosted": True, "return_url": back}


async def test_prices_of_units_are_sent_as_they_were_shown() -> None:
    api = market(**{ORDER: (201, {"purchase": {"id": "pur_1"}, "payment": None})})
    answer = await sent(api, meter=["a=b=0.5", "page=0.02"])
    assert answer.headers["location"] == f"/console/{ORG}/library/pur_1?notice=purchase.bought"
    assert [body for name, _, body in api.asked if name == ORDER] == [{"prices": {"a=b": "0.5", "page": "0.02"}}]


@pytest.mark.parametrize(("uses", "said"), [("500", 500), ("", None)])
async def test_uses_in_the_price_are_sent_as_they_were_shown(uses: str, said: int | None) -> None:
    api = market(**{ORDER: (201, {"purchase": {"id": "pur_1"}, "payment": None})})
    await sent(api, model="one_time", price="9.50", currency="CREDIT", uses=uses)
    shown = {"model": "one_time", "price": "9.50", "currency": "CREDIT", "included_uses": said}
    assert [body for name, _, body in api.asked if name == ORDER] == [shown]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (409, "marketplace.offer_changed"),
        (403, "marketplace.related"),
        (403, "marketplace.own_agent"),
    ],
)
async def test_refusal_shows_the_agent_as_it_is_with_the_reason(status: int, code: str) -> None:
    answer = await sent(market(**{ORDER: problem(status, code, "Such is the reason.")}), price="9.50")
    assert answer.status_code == status
    assert "Such is the reason. Nothing was done." in answer.text
    assert "Summariser" in answer.text


async def test_agent_that_is_not_sold_any_more_is_said_to_be_so() -> None:
    gone = problem(409, "marketplace.retired", "This agent is no longer for sale.")
    answer = await sent(market(**{ORDER: gone, f"GET /marketplace/agents/{AGENT}": problem(404, "not_found")}))
    assert answer.status_code == 409
    assert "This agent is no longer for sale." in answer.text
    assert "Nothing was done." in answer.text


async def test_shortfall_leads_to_more_credits() -> None:
    refusal = problem(402, "ledger.insufficient_funds", needed="9.50", available="4.00", currency="CREDIT")
    answer = await sent(market(**{ORDER: refusal}), price="9.50")
    assert answer.status_code == 402
    assert f"/console/{ORG}/top-up?credits=5.50" in answer.text


async def test_agent_that_one_has_is_not_asked_for_again() -> None:
    held = {"data": [HELD], "next_cursor": None}
    async with browser(market(**{"GET /marketplace/library": (200, held)}), signed_in=True) as client:
        answer = await client.get(PATH)
    assert answer.status_code == 409
    assert "already has this agent" in answer.text
    assert f"/console/{ORG}/library/pur_1" in answer.text


@pytest.mark.db
async def test_agent_is_bought_for_credits_used_in_part_and_given_back(
    app: FastAPI, new_tenant: Callable[..., Any], stranger: Tenant, operator: Caller
):
    buyer: Tenant = await new_tenant("owner", "member")
    grant = {"organization_id": buyer.org_id, "amount": "10.00", "source": "promotion"}
    good(await operator.post("/credits/grants", grant, key=new_key()), 201)
    made = good(await stranger.owner.post("/agents", {"name": "Reads <b>"}), 201)["id"]
    seller, owner = (
        await signed_in(app, "owner", stranger.owner.token),
        await signed_in(app, "owner", buyer.owner.token),
    )
    offer = f"/console/{stranger.org_id}/agents/{made}/offer"
    fields = {"model": "one_time", "price": "9.50", "currency": "CREDIT", "included_uses": "many", "prices": ""}
    wrong = await seller.post(offer, {"command": KEY, **fields, "summary": "", "status": "listed"})
    assert wrong.status_code == 422
    assert 'href="#f-included_uses"' in wrong.text
    fields |= {"included_uses": "19", "summary": "Reads.", "status": "listed", "command": f"{KEY}2"}
    assert (await seller.post(offer, fields)).headers["location"].endswith("agent.offered")
    page = f"/console/{buyer.org_id}/marketplace/{made}"
    listed = (await owner.get(f"/console/{buyer.org_id}/marketplace/offers?text=reads&currency=CREDIT")).text
    assert page in listed
    sent = {"command": await owner.form(f"{page}/buy"), "price": "9.50", "currency": "CREDIT"}
    first, again = [await owner.post(f"{page}/buy", sent) for _ in range(2)]
    bought = first.headers["location"].partition("?")[0]
    assert again.headers["location"] == f"{bought}?notice=again"
    balance = good(await buyer.owner.get("/billing/balance"))["available"]
    assert balance == "0.50"
    sales = (await seller.get(f"/console/{stranger.org_id}/transactions")).text
    links = set(re.findall(r'href="(/console/\w+/(?:transactions|payments|library|escrows)/[^"?]+)"', sales))
    assert links
    assert {(await seller.get(link)).status_code for link in links} == {200}
    asked = (await owner.get(f"{bought}/refund")).text
    assert "Return for 9.50\N{NO-BREAK SPACE}credits" in asked
    done = await owner.post(f"{bought}/refund", {"command": f"{KEY}3"})
    assert done.headers["location"] == f"{bought}?notice=purchase.refunded"
    assert good(await buyer.owner.get("/billing/balance"))["available"] == "10.00"
    late = await owner.post(f"{bought}/refund", {"command": f"{KEY}4"})
    assert late.status_code == 409
    assert "This purchase was refunded. Nothing was done." in late.text
    for visitor in (seller, owner):
        await visitor.browser.aclose()


@pytest.mark.db
async def test_listing_is_changed_of_the_version_that_was_shown(
    visitors: dict[str, Visitor], tenant: Tenant, objects: dict[str, str]
):
    made = good(await tenant.owner.post("/agents", {"name": "Before", "description": "Old."}), 201)["id"]
    path = f"/console/{objects['org']}/agents/{made}/change"
    page = (await visitors["member"].get(path)).text
    (version,) = re.findall(r'name="version" value="([^"]*)"', page)
    fields = {"name": "After", "description": "", "visibility": "private", "category": ""}
    fields["version"] = version.replace("&#34;", '"').replace("&quot;", '"')
    done = await visitors["member"].post(path, {"command": KEY, **fields})
    assert done.headers["location"].endswith("agent.changed")
    agent = good(await tenant.owner.get(f"/agents/{made}"))
    assert (agent["name"], agent["description"], agent["visibility"]) == ("After", None, "private")
    late = await visitors["member"].post(path, {"command": f"{KEY}2", **fields, "name": "Late"})
    assert late.status_code == 409
    assert 'value="After"' in late.text


@pytest.mark.db
async def test_offer_is_changed_of_the_version_that_was_shown(
    visitors: dict[str, Visitor], tenant: Tenant, objects: dict[str, str]
):
    made = good(await tenant.owner.post("/agents", {"name": "Offered"}), 201)["id"]
    path, there = f"/console/{objects['org']}/agents/{made}/offer", f"/marketplace/agents/{made}"
    fields = {"model": "one_time", "price": "9.50", "currency": "CREDIT", "status": "listed"}
    first = await visitors["owner"].post(path, {"command": f"{KEY}o1", **fields, "version": ""})
    assert first.headers["location"].endswith("agent.offered")
    (version,) = re.findall(r'name="version" value="([^"]*)"', (await visitors["owner"].get(path)).text)
    fields["version"] = html.unescape(version)
    good(await tenant.owner.ask("PUT", there, json={"model": "one_time", "price": "7.25"}))
    late = await visitors["owner"].post(path, {"command": f"{KEY}o2", **fields, "price": "8.00"})
    assert late.status_code == 409
    assert 'value="7.25"' in late.text
    assert good(await tenant.owner.get(there))["price"] == "7.25"


@pytest.mark.db
@pytest.mark.parametrize(("name", "field"), [("agents/{own_agent}/picture", "picture"), ("settings/logo", "logo")])
async def test_picture_is_sent_by_a_form_and_shown_from_the_same_origin(
    visitors: dict[str, Visitor], objects: dict[str, str], name: str, field: str
):
    base, owner = f"/console/{objects['org']}", visitors["owner"]
    path = f"{base}/{name.format(**objects)}"

    async def send(file: bytes, **more: str) -> httpx2.Response:
        return await owner.post(path, {"command": await owner.form(path), "picture": file, **more})

    done = await send(png(2, 2, chunk(b"tEXt", SECRET)))
    assert done.headers["location"] == f"{path.removesuffix(f'/{field}')}?notice=picture.saved"
    page = (await owner.get(path)).text
    src = html.unescape(re.findall(r'<main.*<img class="logo" src="([^"]+)"', page, re.DOTALL)[0])
    for visitor in (owner, visitors["operator"]):
        shown = await visitor.get(src)
        assert (shown.status_code, shown.content, shown.headers["content-type"]) == (200, png(), "image/png")
        assert shown.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert (shown.headers["content-disposition"], shown.headers["x-content-type-options"]) == ("inline", "nosniff")
    for file, why in ((b"<svg/>", "Send a picture as PNG, JPEG or WebP."), (bytes(200_000), "longer than 128 KiB")):
        refusal = await send(file)
        assert refusal.status_code == 422
        assert why in text_of(refusal.text)
    assert (await owner.get(src)).content == png()
    assert (await send(b"", remove="1")).status_code == 303
    assert (await owner.get(src)).status_code == 404
