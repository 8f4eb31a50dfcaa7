"""Payment policies in the console: input reaches the API unchanged, and refusals name their field."""

from typing import Any

import pytest

from console.format import Prefs
from console.forms import Form
from console.payment_policy import pages as policies
from console.purchase_method import pages as methods
from tests.console.fake import ME, ORG, OWN, FakeApi, browser, problem

KEY = "con_payment_policy_0123456789"
BASE = f"/console/{ORG}/payment-policies"
MAY = {**ME, "permissions": ["read", "read_billing", "manage_spending"]}
POLICY: dict[str, Any] = {
    "id": "pol_01kar6h2d8e4wvq3r5s7t9x1za",
    "organization_id": ORG,
    "subject": {"type": "organization", "id": ORG, "name": "Acme"},
    "version": 3,
    "currency": "CAD",
    "free_first": "require",
    "free_first_above": "5.00",
    "methods": ["card", "TON", "USDC"],
    "order": ["card", "USDC", "TON"],
    "crypto": {"primary": "USDC", "reasoning": "Stable.", "fallbacks": ["TON"], "wallet_creation": "ask"},
    "vendors": {"allowed": [], "refused": ["Casino", "Bets"]},
    "categories": {"allowed": ["coding"], "refused": []},
    "per_purchase": None,
    "approval_above": "20.00",
    "two_persons_above": "40.00",
    "answer_within": "PT4H",
    "updated_by": f"{ORG}/ada",
    "updated_at": "2026-11-01T10:00:00Z",
}
_LISTED = {"data": [POLICY], "next_cursor": None}
ONE = f"GET /payment-policies/{POLICY['id']}"


def api(**answers: Any) -> FakeApi:
    known = {"GET /me": (200, MAY), "GET /payment-policies": (200, _LISTED), ONE: (200, POLICY)}
    return FakeApi(answers={**known, **{name.replace("_", " ", 1): answer for name, answer in answers.items()}})


def test_policy_is_submitted_unchanged() -> None:
    sent = policies.policy(Form(values=policies.typed(POLICY)))
    assert sent == {name: POLICY[name] for name in sent} | {"subject": {"type": "organization", "id": ORG}}


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ({}, None),
        ({"fee_currency": "USD"}, None),
        ({"fee_share": "2.9"}, {"share": "0.029", "fixed": None, "currency": None}),
        ({"fee_fixed": "0.30", "fee_currency": "USD"}, {"share": "0", "fixed": "0.30", "currency": "USD"}),
        ({"fee_share": "a lot"}, {"share": "a lot", "fixed": None, "currency": None}),
    ],
)
def test_share_is_entered_in_percent(typed: dict[str, str], sent: Any) -> None:
    assert methods.fee(Form(values=typed)) == sent


def test_fee_is_shown_as_entered() -> None:
    fee = {"share": "0.029", "fixed": "0.30", "currency": "USD"}
    found = {"name": "card", "label": "Card", "kind": "card", "fee": fee}
    assert methods.fee(Form(values=methods.typed(found), prefs=Prefs())) == fee


async def test_change_applies_to_the_version_shown_and_refusals_name_their_field() -> None:
    refusal = problem(422, "request.invalid", "It is out of bounds.", field="two_persons_above")
    fake = api(**{"PUT_/payment-policies": refusal})
    async with browser(fake, signed_in=True) as client:
        page = await client.get(f"{BASE}/{POLICY['id']}/change")
        assert "Casino\nBets" in page.text
        fields = {**policies.typed(POLICY), "command": KEY}
        answer = await client.post(f"{BASE}/{POLICY['id']}/change", data=fields, headers=OWN)
    assert answer.status_code == 422
    assert 'id="f-two_persons_above-error"' in answer.text
    (sent,) = [body for name, _, body in fake.asked if name == "PUT /payment-policies"]
    assert (sent["version"], sent["subject"]) == (3, {"type": "organization", "id": ORG})
    assert sent["vendors"] == POLICY["vendors"]
