"""Outcomes of a command: done once, refused in its form, or unknown and retried with the same key."""

import re
from typing import Any

import httpx2
import pytest
from starlette.responses import JSONResponse, Response

from console.forms import FormState, blank, read_form
from console.gateway import UNREADABLE
from console.nouns import ROUTES
from console.routing import COMMAND, tenant
from console.visit import Visit
from tests.console.fake import HERE, ORG, OWN, FakeApi, browser, problem

PATH = f"/console/{ORG}/escrows/esc_1/release"
ORDER = "POST /escrows/esc_1/release"
KEY = "con_key-of-the-form-1"
FORM = {"command": KEY, "amount": "1,5", "note": "<b>"}


async def show(visit: Visit, form: FormState, status: int = 200) -> Response:
    await visit.frame()
    shown = {name: getattr(form, name) for name in ("key", "values", "errors", "summary", "way_label", "way_href")}
    return JSONResponse(shown, status)


async def release(visit: Visit) -> Response:
    form = await read_form(visit.request, "amount", "note")
    answer = await visit.command("POST", "/escrows/esc_1/release", dict(form.values), form.key)
    if answer.ok:
        return visit.done(f"{visit.base}/escrows/esc_1", "choices.saved", answer)
    return await visit.refused(form, answer, show, {"terms.note": "note"})


async def top_up(visit: Visit) -> Response:
    return await show(visit, blank())


@pytest.fixture(autouse=True)
def pages(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = (tenant("/escrows/{id}/release", release, COMMAND), tenant("/top-up", top_up), *ROUTES)
    monkeypatch.setattr("console.app.ROUTES", routes)


async def sent(api: FakeApi, fields: dict[str, str] = FORM, **headers: str) -> httpx2.Response:
    async with browser(api, signed_in=True) as client:
        return await client.post(PATH, data=fields, headers={**OWN, **headers})


async def refused(status: int, code: str, **more: Any) -> httpx2.Response:
    return await sent(FakeApi(answers={ORDER: problem(status, code, "It may not be.", **more)}))


async def test_command_goes_under_the_key_of_its_form_and_leads_on() -> None:
    api = FakeApi(answers={ORDER: (200, {})})
    answer = await sent(api)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        f"/console/{ORG}/escrows/esc_1?notice=choices.saved",
    )
    headers, body = next((headers, body) for name, headers, body in api.asked if name == ORDER)
    assert headers["idempotency-key"] == KEY
    assert body == {"amount": "1,5", "note": "<b>"}


async def test_command_that_was_done_before_says_so() -> None:
    answer = await sent(FakeApi(answers={ORDER: (200, {})}, headers={ORDER: {"Idempotent-Replayed": "true"}}))
    assert answer.headers["location"].endswith("?notice=again")


async def test_refusal_is_at_its_fields_with_everything_kept_and_a_new_key() -> None:
    errors = [{"field": "amount", "message": "No amount."}, {"field": "terms.note", "message": "Too bold."}]
    answer = await refused(422, "request.invalid", errors=errors)
    shown = answer.json()
    assert answer.status_code == 422
    assert shown["errors"] == {"amount": "No amount.", "note": "Too bold."}
    assert shown["values"] == {"amount": "1,5", "note": "<b>"}
    assert shown["key"] != KEY


async def test_changed_object_is_shown_as_it_is_and_nothing_was_done() -> None:
    answer = await refused(409, "escrow.delivery_changed")
    assert answer.status_code == 409
    assert answer.json()["summary"] == [["", "It may not be. Nothing was done."]]


async def test_shortfall_has_the_way_on() -> None:
    answer = await refused(402, "ledger.insufficient_funds", needed="50.00", available="37.50", currency="CREDIT")
    shown = answer.json()
    assert answer.status_code == 402
    assert (shown["way_label"], shown["way_href"]) == ("Add credits", f"/console/{ORG}/top-up?credits=12.50")


async def test_too_many_requests_keep_the_key_and_say_when() -> None:
    answer = await sent(FakeApi(answers={ORDER: problem(429, "rate_limited")}, headers={ORDER: {"Retry-After": "7"}}))
    assert answer.status_code == 429
    assert answer.json()["key"] == KEY
    assert answer.json()["summary"] == [["", "Try again in 7 seconds."]]


@pytest.mark.parametrize(
    ("status", "code"),
    [(409, "idempotency.in_flight"), (409, "payment.unknown_outcome"), (503, "service.unavailable"), (500, "internal")],
)
async def test_unknown_outcome_is_asked_again_with_the_same_key(status: int, code: str) -> None:
    answer = await refused(status, code)
    assert answer.status_code == 503
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer.text))
    assert fields == {"command": KEY, "amount": "1,5", "note": "&lt;b&gt;"}
    assert f'action="{PATH}"' in answer.text
    assert "Outcome unknown" in answer.text
    assert "failed" not in answer.text.lower()


async def test_answer_that_cannot_be_read_is_not_known_yet() -> None:
    answer = await sent(FakeApi(answers={ORDER: (502, {})}))
    assert UNREADABLE not in answer.text
    assert "Outcome unknown" in answer.text


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "auth.forbidden", "Not permitted for your role"),
        (404, "not_found", "Not found"),
        (403, "approval.required", "Approval required"),
    ],
)
async def test_what_no_form_mends_is_a_page_in_its_place(status: int, code: str, said: str) -> None:
    answer = await refused(status, code, approval_id="apr_1")
    assert answer.status_code == status
    assert said in answer.text


async def test_form_that_was_sent_with_other_content_leads_to_the_first_result_and_can_be_sent_anew() -> None:
    answer = await refused(422, "idempotency.conflict", object_id="esc_01kar6h2d8e4wvq3r5s7t9x1za")
    shown = answer.json()
    assert answer.status_code == 422
    assert shown["values"] == {"amount": "1,5", "note": "<b>"}
    assert shown["key"] not in {"", KEY}
    assert "This form was already sent with other content." in shown["summary"][0][1]
    assert (shown["way_label"], shown["way_href"]) == (
        "Check the result first",
        f"/console/{ORG}/escrows/esc_01kar6h2d8e4wvq3r5s7t9x1za",
    )


@pytest.mark.parametrize("named", [{}, {"object_id": "tri_1"}, {"object_id": 5}])
async def test_first_result_that_is_not_known_or_has_no_page_is_not_led_to(named: dict[str, Any]) -> None:
    assert (await refused(422, "idempotency.conflict", **named)).json()["way_href"] == ""


async def test_session_that_ended_meanwhile_leads_back_to_the_page_of_the_form() -> None:
    api = FakeApi(answers={ORDER: problem(401, "session.ended")})
    answer = await sent(api, Referer=f"{HERE}/console/{ORG}/escrows/esc_1")
    assert answer.status_code == 303
    assert f"next=%2Fconsole%2F{ORG}%2Fescrows%2Fesc_1" in answer.headers["location"]


@pytest.mark.parametrize("fields", [{"amount": "1"}, {**FORM, "unknown": "1"}, {"command": "short"}])
async def test_form_that_is_none_of_ours_reaches_nothing(fields: dict[str, str]) -> None:
    api = FakeApi(answers={ORDER: (200, {})})
    answer = await sent(api, fields)
    assert answer.status_code == 400
    assert "Open the form again" in answer.text
    assert api.commands() == []
