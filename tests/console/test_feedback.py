"""A settled job is rated by its client on a page of its own, once, and the rating is changed once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.forms import new_key
from tests.console.fake import ME, ORG, OTHER, OWN, PAGE, FakeApi, browser, problem
from tests.console.strict import read
from tests.console.test_escrow import CONTRACT, ESCROW, ID
from tests.console.walking import forms_of, text_of

HERE = f"/console/{ORG}/escrows/{ID}"
PATH = f"{HERE}/feedback"
CTR = f"ctr_{ORG[4:]}"
DAY = timedelta(days=1)
GIVEN: dict[str, Any] = {
    "id": "fbk_1",
    "ratings": {"quality": 4, "collaboration": 5},
    "comment": "On time.",
    "created_at": "2026-11-20T00:00:00Z",
    "changed_at": None,
}


WHO: dict[str, Any] = {**ME, "permissions": ["read", "read_billing", "dispute"]}


def api(
    *given: dict[str, Any],
    ago: timedelta = DAY,
    me: dict[str, Any] | None = None,
    answers: dict[str, Any] | None = None,
    **changes: Any,
) -> FakeApi:
    """Return the API of somebody of the client; `ago` is how long ago the escrow was settled."""
    settled = {
        **ESCROW,
        "status": "released",
        "contract_id": CTR,
        "payee_agent_id": "agt_1",
        "updated_at": (datetime.now(UTC) - ago).isoformat(),
        **changes,
    }
    known = {
        "GET /me": (200, WHO | (me or {})),
        f"GET /escrows/{ID}": (200, settled),
        f"GET /escrows/{ID}/actions": (200, {"actions": []}),
        f"GET /escrows/{ID}/timeline": (200, PAGE),
        f"GET /contracts/{CTR}": (200, CONTRACT),
        f"GET /organizations/{ORG}": (200, {**WHO["organization"], "status": "active"}),
        "GET /reputation/feedback": (200, {"data": list(given), "next_cursor": None}),
    }
    return FakeApi(answers={**known, **(answers or {})})


async def shown(there: FakeApi, path: str = PATH) -> str:
    async with browser(there, signed_in=True) as client:
        answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    assert read(answer.text).problems == []
    return answer.text


async def sent(there: FakeApi, **fields: str) -> Any:
    async with browser(there, signed_in=True) as client:
        return await client.post(PATH, data={"command": new_key(), **fields}, headers=OWN)


def is_offered(page: str) -> bool:
    return any(form.action == PATH for form in forms_of(page))


async def test_client_finds_the_form_on_the_page_of_its_settled_escrow() -> None:
    assert f'href="{PATH}">Rate this job' in await shown(api(), HERE)
    page = await shown(api())
    assert is_offered(page)
    assert page.count('type="radio"') == 5 * 6


@pytest.mark.parametrize(
    ("ago", "me", "changes"),
    [
        (DAY, {}, {"status": "funded"}),
        (DAY, {}, {"status": "cancelled"}),
        (DAY, {}, {"status": "refunded"}),
        (DAY, {}, {"payer_org_id": OTHER, "payee_org_id": ORG}),
        (DAY, {}, {"payee_org_id": ORG}),
        (DAY, {"permissions": ["read", "read_billing"]}, {}),
        (DAY, {"agent": {"id": "agt_9", "name": "Buyer"}}, {}),
        (DAY, {"role": "operator", "organization": None}, {}),
        (30 * DAY, {}, {}),
    ],
)
async def test_rating_is_not_offered_to_those_who_may_not_give_it(
    ago: timedelta, me: dict[str, Any], changes: dict[str, Any]
) -> None:
    there = api(ago=ago, me=me, **changes)
    assert PATH not in await shown(there, HERE)
    assert not is_offered(await shown(there))


async def test_rating_is_sent_once_under_the_key_of_its_form_and_thanked_for() -> None:
    there = api(answers={"POST /reputation/feedback": (201, GIVEN)})
    answer = await sent(there, quality="4", collaboration="5", reliability="", comment="On time.")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PATH}?notice=feedback.given")
    [(headers, body)] = [(headers, body) for name, headers, body in there.asked if name.startswith("POST")]
    assert body == {"contract_id": CTR, "ratings": {"quality": 4, "collaboration": 5}, "comment": "On time."}
    assert headers["idempotency-key"]


async def test_form_without_a_rating_is_shown_again_with_its_comment() -> None:
    answer = await sent(api(), comment="On time.")
    assert answer.status_code == 422
    assert "Rate at least one of these." in answer.text
    assert "On time." in answer.text


async def test_what_was_rated_is_shown_and_can_be_changed_once() -> None:
    there = api(GIVEN, answers={"PUT /reputation/feedback/fbk_1": (200, GIVEN)})
    assert f'href="{PATH}">Rating' in await shown(there, HERE)
    page = await shown(there)
    assert "Quality 4 of 5" in text_of(page)
    assert "On time." in text_of(page)
    [form] = [each for each in forms_of(page) if each.action == PATH]
    assert {name: form.sent[name] for name in ("quality", "comment", "feedback_id")} == {
        "quality": "4",
        "comment": "On time.",
        "feedback_id": "fbk_1",
    }
    answer = await sent(there, quality="3", feedback_id="fbk_1")
    assert answer.headers["location"] == f"{PATH}?notice=feedback.changed"
    changed = api({**GIVEN, "changed_at": "2026-11-21T00:00:00Z"})
    assert not is_offered(await shown(changed))


async def test_payee_reads_the_rating() -> None:
    there = api(GIVEN, payer_org_id=OTHER, payee_org_id=ORG)
    assert f'href="{PATH}">Rating' in await shown(there, HERE)
    page = await shown(there)
    assert "Quality 4 of 5" in text_of(page)
    assert not is_offered(page)


async def test_refusal_of_the_api_is_said_beside_what_stands() -> None:
    said = problem(409, "reputation.related", "The two organizations are related.")
    answer = await sent(api(answers={"POST /reputation/feedback": said}), quality="4")
    assert answer.status_code == 422
    assert "The two organizations are related." in text_of(answer.text)
