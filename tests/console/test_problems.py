"""Every refusal of the API becomes a page that says what it means, and never "failed" where that is not known."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from console.forms import new_key
from console.gateway import SILENCE, UNREADABLE, Problem, problem_of
from console.problems import REACTIONS, STATUSES, WORDS, Reaction, reaction_to
from tests.console.fake import ME, ORG, OTHER, OWN, PAGE, FakeApi, browser, problem
from tests.support.cases import for_each

ERRORS = (Path(__file__).resolve().parents[2] / "docs/reference/errors.md").read_text("utf-8")
CODES = dict(re.findall(r"^### `([a-z_.0-9]+)`\n\n\*\*([^*]+)\*\*", ERRORS, re.MULTILINE))
OWN_CODES = {SILENCE, UNREADABLE}


def test_no_reaction_is_to_a_code_that_there_is_not() -> None:
    assert set(REACTIONS) - set(CODES) - OWN_CODES == set()


def test_every_reaction_has_words() -> None:
    assert set(WORDS) == set(Reaction)
    assert set(STATUSES) <= set(Reaction)


@for_each("code", sorted(CODES))
def test_reaction_fits_the_status(code: str) -> None:
    status = CODES[code]
    of_status = 422 if code == "request.invalid" else int(status[:3])
    reaction = reaction_to(Problem(status=of_status, code=code, title="", detail=""))
    fitting = {
        "401": {Reaction.SIGN_IN},
        "402": {Reaction.FUNDS},
        "403": {Reaction.FORBIDDEN, Reaction.LIMIT, Reaction.APPROVAL, Reaction.BLOCKED},
        "404": {Reaction.NOT_FOUND},
        "429": {Reaction.WAIT},
        "500": {Reaction.UNKNOWN},
        "503": {Reaction.UNKNOWN},
    }
    if status[:3] in fitting:
        assert reaction in fitting[status[:3]]
    else:
        assert reaction not in {Reaction.SIGN_IN, Reaction.NOT_FOUND, Reaction.FUNDS}


def test_a_code_that_is_newer_goes_by_its_status() -> None:
    def of(status: int) -> Reaction:
        return reaction_to(Problem(status=status, code="moon.too_far", title="", detail=""))

    assert of(409) is Reaction.CHANGED
    assert of(422) is Reaction.FIELDS
    assert of(500) is of(503) is of(504) is Reaction.UNKNOWN
    assert of(418) is Reaction.FAULT


@pytest.mark.parametrize("body", [None, [], {}, {"code": 5}, "text"])
def test_an_answer_without_a_problem_document_is_a_problem_all_the_same(body: object) -> None:
    assert problem_of(502, body).code == UNREADABLE


async def page(api: FakeApi, path: str = f"/console/{ORG}/transactions", **settings: Any):
    async with browser(api, signed_in=True, **settings) as client:
        return await client.get(path)


async def test_unknown_and_foreign_are_one_and_the_same_page() -> None:
    paths = [
        "/console/nothing",
        f"/console/{OTHER}",
        f"/console/{OTHER}/transactions",
        "/console/org_1",
        "/console/org_",
    ]
    pages = [await page(FakeApi(), path) for path in paths]
    assert {answer.status_code for answer in pages} == {404}
    assert len({re.sub(r"<title>.*?</title>", "", answer.text) for answer in pages}) == 1


async def test_api_that_is_silent_leaves_the_rest_of_the_page() -> None:
    soon, none = timedelta(milliseconds=500), {**PAGE, "payable": []}
    known = {"GET /billing/earnings": (200, none), "GET /billing/payouts": (200, none)}
    api = FakeApi(answers=known, silent={"GET /billing/payouts/preview"})
    answer = await page(api, f"/console/{ORG}/earnings", console_read_timeout=soon)
    assert answer.status_code == 200
    assert "No earnings yet" in answer.text
    assert "Not available right now" in answer.text
    assert f'href="/console/{ORG}/earnings"' in answer.text


async def test_what_could_not_be_read_says_that_nothing_was_done() -> None:
    silent = problem(503, "service.unavailable")
    form = {"command": new_key(), "agent_id": "Summariser", "name": "Travel"}
    async with browser(FakeApi(answers={"GET /agents": silent}), signed_in=True) as client:
        sent = await client.post(f"/console/{ORG}/cards/new", data=form, headers=OWN)
    for answer in (sent, await page(FakeApi(answers={"GET /me": silent}))):
        assert answer.status_code == 503
        assert "Not available right now" in answer.text
        assert "Nothing was done." in answer.text


async def test_role_that_may_not_is_told_what_it_needs() -> None:
    detail = "The role agent may not do this (read)."
    answer = await page(FakeApi(answers={"GET /billing/activity": problem(403, "auth.forbidden", detail)}))
    assert answer.status_code == 403
    assert detail in answer.text


async def test_session_that_has_ended_leads_to_sign_in_and_back() -> None:
    answer = await page(FakeApi(answers={"GET /me": problem(401, "session.ended")}), f"/console/{ORG}/transactions?q=a")
    assert answer.status_code == 303
    assert answer.headers["location"] == (
        f"/console/sign-in?next=%2Fconsole%2F{ORG}%2Ftransactions%3Fq%3Da&notice=session.ended"
    )
    assert 'bursar_session=""' in answer.headers["set-cookie"]


async def test_wrong_filter_is_told_at_its_field_and_shows_no_list() -> None:
    refusal = problem(422, "request.invalid", errors=[{"field": "currency", "message": "There is no such currency."}])
    answer = await page(
        FakeApi(answers={"GET /billing/transactions": refusal}),
        f"/console/{ORG}/transactions/entries?currency=foo",
    )
    assert answer.status_code == 422
    assert 'id="f-currency-error"' in answer.text
    assert '<option value="foo" selected>' in answer.text
    assert "<tbody>" not in answer.text


@pytest.mark.parametrize("query", ["from=2026-13-01", "to=yesterday", "from=2026-11-02&to=2026-11-01", "from=1,5"])
async def test_wrong_day_asks_the_api_nothing(query: str) -> None:
    api = FakeApi()
    answer = await page(api, f"/console/{ORG}/transactions?{query}")
    assert answer.status_code == 422
    assert "GET /billing/activity" not in [name for name, _, _ in api.asked]


@pytest.mark.parametrize("kept", ["Europe/Vienna", None])
async def test_days_count_in_the_zone_that_is_kept_or_else_the_browsers(kept: str | None) -> None:
    api = FakeApi(answers={"GET /me": (200, {**ME, "time_zone": kept})})
    async with browser(api, signed_in=True) as client:
        client.cookies.set("bursar_zone", "Asia/Tokyo" if kept else "Europe/Vienna")
        await client.get(f"/console/{ORG}/transactions?from=2026-03-29&to=2026-03-29")
    query = next(asked for name, _, asked in api.asked if name == "GET /billing/activity")
    assert (query["from"], query["to"]) == ("2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00")


async def test_too_many_requests_say_so() -> None:
    answer = await page(FakeApi(answers={"GET /me": problem(429, "rate_limited")}))
    assert answer.status_code == 429
    assert "Too many requests" in answer.text


async def test_operator_sees_whose_pages_these_are() -> None:
    me = {**ME, "role": "operator", "organization": None, "permissions": ["read", "read_billing", "operate"]}
    organization = {"id": OTHER, "name": "Acme", "tier": "free"}
    api = FakeApi(answers={"GET /me": (200, me), f"GET /organizations/{OTHER}": (200, organization)})
    answer = await page(api, f"/console/{OTHER}/transactions")
    assert answer.status_code == 200
    assert "You are viewing Acme as operator" in answer.text
    asked = {name: query for name, _, query in api.asked}
    assert asked["GET /billing/activity"]["organization_id"] == OTHER
    assert asked["GET /billing/balance"]["organization_id"] == OTHER
