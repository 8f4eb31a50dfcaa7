"""Payments are shown as the API tells them, with its commands alone; who comes back reads the books."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.payment.acts import address, buttons, label
from console.payment.pages import waits_for
from tests.console.answering import said
from tests.console.fake import ME, NAMING, ORG, OWN, PAGE, FakeApi, browser, problem
from tests.console.rendering import form_page, object_page, render

PAY = "pay_01kar6h2d8e4wvq3r5s7t9x1zc"
BASE = f"/console/{ORG}"
HERE = f"{BASE}/payments/{PAY}"
PAYMENT: dict[str, Any] = {
    "id": PAY,
    "organization_id": ORG,
    "provider": "stripe",
    "status": "requires_action",
    "purpose": "credits",
    "amount": "10.00",
    "currency": "USD",
    "received_amount": "0.00",
    "refunded_amount": "0.00",
    "disputed_amount": "0.00",
    "refundable_amount": "0.00",
    "goods": {"amount": "100.00", "currency": "CREDIT"},
    "granted": {"amount": "0.00", "currency": "CREDIT"},
    "owed": {"amount": "0.00", "currency": "CREDIT"},
    "escrow_id": None,
    "invoice_id": None,
    "agent_id": None,
    "package": None,
    "fulfilment": "pending",
    "description": "100.00 credits",
    "capture_method": "automatic",
    "client_secret": None,
    "approval_url": "https://checkout.stripe.test/pay/cs_1",
    "deposit": None,
    "seen_amount": "0.00",
    "confirmations": None,
    "quote": None,
    "decline": None,
    "refunds": [],
    "story": "10.00 USD by stripe for credits: requires action.",
    "tax": None,
    "cancel_requested": False,
    "workflow_id": f"payment/{PAY}",
    "version": 2,
    "expires_at": "2026-11-22T15:00:00Z",
    "created_at": "2026-11-22T11:00:00Z",
    "updated_at": "2026-11-22T11:00:00Z",
    "external_id": None,
    "metadata": {},
}
EFFECT = {
    "captured": "0.00",
    "released": "0.00",
    "to_payer": "4.00",
    "fee": "0.00",
    "taken": {"amount": "40.00", "currency": "CREDIT"},
    "currency": "USD",
    "status": "partially_refunded",
}
REFUND = {"action": "refund", "allowed": True, "reason": None, "effect": EFFECT}
WRONG_STATE = {"code": "payment.wrong_state", "detail": "No."}
REFUSED = {"action": "cancel", "allowed": False, "reason": WRONG_STATE, "effect": None}


def shown(actions: object = (), *, awaited: bool = True, final: int = 12, **changes: Any) -> str:
    values = {"awaited": awaited, "final": final, "qr": "data:image/svg+xml,1", "purpose": "Credits", "run_at": ""}
    return render(
        "payment/page.html",
        object_page(here=HERE, base=BASE),
        it={**PAYMENT, **changes},
        naming=NAMING,
        actions=actions,
        buttons=(),
        disputes=said(PAGE),
        timeline=said(PAGE),
        steps=(),
        **values,
    )


def test_payment_that_waits_leads_to_the_provider_and_says_until_when() -> None:
    page = shown(expires_at=(datetime.now(UTC) + timedelta(hours=3, minutes=1)).isoformat())
    assert f'href="{HERE}/go"' in page
    assert re.search(r"It can be paid until .*, in 3 hours\.", page)


def test_payment_that_has_ended_leads_nowhere() -> None:
    page = shown(status="succeeded", awaited=False)
    assert (f"{HERE}/go" in page, "It can be paid" in page) == (False, False)


def test_decline_is_a_sentence() -> None:
    decline = {"code": "card_declined", "detail": "Your card was declined."}
    assert "Your card was declined. Nothing was charged." in shown(status="failed", decline=decline)
    assert "Nothing was charged" not in shown(status="succeeded", decline=decline, received_amount="10.00")


def test_commands_are_those_that_the_api_allows_with_what_they_move() -> None:
    [button] = buttons({"actions": [REFUND, REFUSED]}, {**PAYMENT, "status": "succeeded"}, BASE)
    assert (button.label, button.href) == ("Refund 4.00\N{NO-BREAK SPACE}USD", f"{HERE}/refund")
    assert label({**REFUND, "allowed": False}, whole=True) == "Ask to refund"


def test_refund_of_unknown_outcome_is_given_up_by_its_id_where_operators_are() -> None:
    refund = {"id": "rfd_2", "status": "unknown"}
    action = {**REFUND, "action": "give_up_refund"}
    values = {"action": action, "entry": None, "sent": "", "kind": "primary", "by_amount": False}
    page = render("payment/ask.html", form_page(), it={**PAYMENT, "refunds": [refund]}, **values)
    assert hidden(page, "refund") == "rfd_2"
    assert [each in page for each in ('value="no"', 'value="yes"')] == [True, True]


def test_outcome_of_a_refund_is_recorded_on_a_page_of_the_platform() -> None:
    assert address("give_up_refund", PAYMENT, BASE) == f"/console/platform/payments/{PAY}/give-up-refund"


def test_fee_that_is_kept_of_a_refund_is_shown_with_what_comes_back() -> None:
    page = shown([{**REFUND, "effect": {**EFFECT, "to_payer": "9.41", "fee": "0.59"}}], status="succeeded")
    assert re.search(r"You get back on a refund.*9\.41.*Non-refundable fee.*0\.59", page, re.DOTALL)
    assert "Non-refundable fee" not in shown([REFUND], status="succeeded")


COINS = {"provider": "crypto", "currency": "TON", "amount": "3.5", "seen_amount": "3.5", "confirmations": 1}


def test_deposit_has_the_address_the_memo_and_what_is_confirmed() -> None:
    found = {"chain": "ton", "asset": "TON", "address": "EQabc", "amount": "3.5", "memo": "7", "uri": None}
    until = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    quote = {"price": "3.30", "currency": "USD", "amount": "10.00", "source": "fixed", "expires_at": until}
    page = shown(deposit=found, quote=quote, expires_at=until, **COINS)
    for text in ('src="data:image/svg+xml', "EQabc", "1 of 12 confirmations", "1 TON = 3.30\N{NO-BREAK SPACE}USD"):
        assert text in page
    assert 'role="timer"' in page


def test_coins_that_are_all_seen_are_awaited_by_their_confirmations_and_no_more_are_asked_for() -> None:
    page = shown(final=3, status="processing", **COINS)
    assert "3.50\N{NO-BREAK SPACE}TON is seen on the network, 1 of 3 confirmations." in page
    assert "Send coins" not in page


@pytest.mark.parametrize(
    ("url", "leads"),
    [("javascript:alert(1)", False), ("data:text/html,1", False), (None, False), (PAYMENT["approval_url"], True)],
)
async def test_way_to_the_provider_is_a_link_and_a_refresh_to_a_web_address(url: str | None, leads: bool) -> None:
    api = FakeApi(answers={f"GET /payments/{PAY}": (200, {**PAYMENT, "approval_url": url})})
    async with browser(api, signed_in=True) as client:
        page = (await client.get(f"{HERE}/go")).text
    assert ('content="1; url=https://checkout.stripe.test/pay/cs_1"' in page) is leads
    assert "javascript:" not in page


@pytest.mark.parametrize(
    ("changes", "waits"),
    [
        ({"status": "processing"}, "Confirming your payment…"),
        ({"status": "succeeded"}, ""),
        ({"status": "succeeded", "purpose": "escrow", "escrow_id": "esc_1"}, "Your money is on its way into escrow…"),
        ({"status": "succeeded", "purpose": "escrow", "escrow_id": "esc_1", "fulfilment": "done"}, ""),
        ({"status": "failed", "purpose": "escrow", "escrow_id": "esc_1"}, ""),
    ],
)
async def test_page_goes_on_until_it_is_known_what_the_payment_became(changes: dict[str, Any], waits: str) -> None:
    api = FakeApi(answers={f"GET /payments/{PAY}": (200, {**PAYMENT, **changes})})
    async with browser(api, signed_in=True) as client:
        page = (await client.get(f"{HERE}/return")).text
    # Live with scripts, by a refresh without.
    assert (" data-running" in page, 'http-equiv="refresh"' in page) == (bool(waits), bool(waits))
    assert waits in page
    assert waits_for({**PAYMENT, **changes})[0] == waits


@pytest.mark.parametrize(
    ("status", "title"),
    [
        ("succeeded", "Paid"),
        ("requires_action", "Not paid yet"),
        ("processing", "Confirming your payment"),
        ("cancelled", "Not paid"),
    ],
)
async def test_who_comes_back_reads_what_the_books_hold(status: str, title: str) -> None:
    api = FakeApi(answers={f"GET /payments/{PAY}": (200, {**PAYMENT, "status": status})})
    async with browser(api, signed_in=True) as client:
        page = (await client.get(f"{HERE}/return")).text
    assert f"<h1><bdi>{title}</bdi>" in page


async def test_invented_success_in_the_address_changes_nothing() -> None:
    api = FakeApi(answers={f"GET /payments/{PAY}": (200, PAYMENT)})
    async with browser(api, signed_in=True) as client:
        page = await client.get(f"{HERE}/return?status=success&redirect_status=succeeded&session_id=cs_1")
    assert "Not paid yet" in page.text
    assert "You have" not in page.text


async def test_who_has_just_paid_is_not_asked_to_pay_again() -> None:
    class Api(FakeApi):
        def _answer(self, request: Any, name: str) -> Any:
            if name == f"POST /payments/{PAY}/confirm":
                self.answers |= {name: (200, {}), f"GET /payments/{PAY}": (200, {**PAYMENT, "status": "succeeded"})}
            return super()._answer(request, name)

    api = Api(answers={f"GET /payments/{PAY}": (200, {**PAYMENT, "status": "requires_action"})})
    async with browser(api, signed_in=True) as client:
        page = await client.get(f"{HERE}/return")
        await client.get(f"{HERE}/return")
    assert "Not paid yet" not in page.text
    assert "Bought" in page.text
    # A page that is open asks for itself again and again, and nothing of the provider.
    waiting = FakeApi(answers={f"GET /payments/{PAY}": (200, {**PAYMENT, "status": "requires_action"})})
    async with browser(waiting, signed_in=True) as client:
        await client.get(f"{HERE}/return", headers={"X-Background": "1"})
    assert waiting.commands() == []
    assert api.commands() == [f"POST /payments/{PAY}/confirm"]


async def test_refund_of_a_part_is_previewed_and_then_sent_as_it_was_typed() -> None:
    actions = f"GET /payments/{PAY}/actions"
    api = FakeApi(
        answers={
            f"GET /payments/{PAY}": (200, {**PAYMENT, "status": "succeeded"}),
            actions: (200, {"actions": [REFUND]}),
            f"POST /payments/{PAY}/refunds": (201, {}),
        }
    )
    async with browser(api, signed_in=True) as client:
        asked = await client.get(f"{HERE}/refund?amount=4.00")
        fields = {"command": "con_key-of-the-form-1", "amount": "4.00", "reason": ""}
        done = await client.post(f"{HERE}/refund", data=fields, headers=OWN)
    assert {"amount": "4.00"} in [query for name, _, query in api.asked if name == actions]
    assert '<input type="hidden" name="amount" value="4.00">' in asked.text
    assert "Refund 4.00" in asked.text
    assert done.headers["location"] == f"{HERE}?notice=payment.refunded"
    assert [body for name, _, body in api.asked if name.endswith("/refunds")] == [{"amount": "4.00"}]


SUCCEEDED = {**PAYMENT, "status": "succeeded"}


def hidden(text: str, name: str) -> str | None:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)">', text)
    return found and found.group(1)


@pytest.mark.parametrize(("command", "part"), [("refund", "to_payer"), ("capture", "captured")])
async def test_all_of_an_amount_is_sent_as_it_was_shown(command: str, part: str) -> None:
    action = {**REFUND, "action": command, "effect": {**EFFECT, "to_payer": "0.00", part: "4.00"}}
    api = FakeApi(
        answers={
            f"GET /payments/{PAY}": (200, SUCCEEDED),
            f"GET /payments/{PAY}/actions": (200, {"actions": [action]}),
        }
    )
    async with browser(api, signed_in=True) as client:
        asked, page = [(await client.get(f"{HERE}/{command}{query}")).text for query in ("", "?amount=")]
    assert f"{command.capitalize()} 4.00" in page
    assert hidden(page, "amount") == "4.00"
    # The amount is typed on a page that moves nothing, and cannot be changed on the page that does.
    assert (hidden(asked, "command"), 'id="f-amount"' in asked, 'id="f-amount"' in page) == (None, True, False)


OPERATOR = {
    **ME,
    "principal": "ada",
    "role": "operator",
    "permissions": ["read", "read_billing", "inspect", "operate", "refund_payment"],
    "organization": None,
}


def by_two(*allowed: str) -> FakeApi:
    """Return an API in which an operator may refund what another one has approved: all, or an amount."""
    unapproved = {**REFUND, "allowed": False, "reason": {"code": "approval.required", "detail": "It takes two."}}

    class Api(FakeApi):
        def _answer(self, request: Any, name: str) -> Any:
            if name.endswith("/actions"):
                action = REFUND if request.query_params.get("amount", "all") in allowed else unapproved
                self.answers = {**self.answers, name: (200, {"actions": [action]})}
            return super()._answer(request, name)

    organization = {"id": ORG, "name": "Acme", "tier": "free"}
    known = {"GET /me": (200, OPERATOR), f"GET /organizations/{ORG}": (200, organization)}
    return Api(
        answers={
            **known,
            f"GET /payments/{PAY}": (200, SUCCEEDED),
            f"GET /payments/{PAY}/timeline": (200, PAGE),
            "GET /disputes": (200, PAGE),
        }
    )


@pytest.mark.parametrize(
    ("allowed", "query", "sent", "asks"),
    [
        ("4.00", "?amount=4.00", "4.00", False),
        ("4.00", "?amount=", "", True),
        ("4.00", "?amount=5.00", "5.00", True),
        ("all", "?amount=", "", False),
    ],
)
async def test_operator_gives_what_another_one_has_approved_and_asks_for_everything_else(
    allowed: str, query: str, sent: str, asks: bool
) -> None:
    async with browser(by_two(allowed), signed_in=True, two_operators_above="1.00") as client:
        page = await client.get(f"{HERE}/refund{query}")
    assert page.status_code == 200
    assert hidden(page.text, "amount") == sent
    assert ("Ask to refund" in page.text, "Another operator must approve this first." in page.text) == (asks, asks)


async def test_page_asks_about_what_the_books_have_left_where_that_is_less() -> None:
    less = problem(422, "payment.refund_exceeds_remainder", "Only 2.50 USD are left.", refundable="2.50")
    api = FakeApi(
        answers={
            f"GET /payments/{PAY}": (200, SUCCEEDED),
            f"GET /payments/{PAY}/actions": (200, {"actions": [REFUND]}),
            f"POST /payments/{PAY}/refunds": less,
        }
    )
    async with browser(api, signed_in=True) as client:
        sent = {"command": "con_0123456789abcdef", "amount": "4.00"}
        page = await client.post(f"{HERE}/refund", data=sent, headers=OWN)
    assert page.status_code == 422
    assert "Only 2.50 USD are left." in page.text
    assert hidden(page.text, "amount") == "2.50"


async def test_amount_that_is_none_is_said_at_its_field_and_nothing_is_sent() -> None:
    refusal = problem(422, "request.invalid", errors=[{"field": "amount", "message": "No amount."}])

    class Api(FakeApi):
        def _answer(self, request: Any, name: str) -> Any:
            if name.endswith("/actions") and request.query_params:
                self.answers = {**self.answers, name: refusal}
            elif name.endswith("/actions"):
                self.answers = {**self.answers, name: (200, {"actions": [REFUND]})}
            return super()._answer(request, name)

    api = Api(answers={f"GET /payments/{PAY}": (200, {**PAYMENT, "status": "succeeded"})})
    async with browser(api, signed_in=True) as client:
        page = await client.get(f"{HERE}/refund?amount=1,5")
    assert page.status_code == 422
    assert "No amount." in page.text
    assert 'value="1,5"' in page.text
    assert api.commands() == []


async def test_everything_that_happened_is_shown_behind_any_number_of_small_deposits() -> None:
    def event(number: int, kind: str) -> dict[str, Any]:
        said: dict[str, Any] = {"transfer_id": None, "details": {}, "status": "requires_action"}
        return {"number": number, "kind": kind, "actor": "workflow", "at": "2026-11-22T11:00:00Z", **said}

    pages = {
        "": {"data": [event(1, "created"), event(2, "deposit_seen")], "next_cursor": "second"},
        "second": {"data": [event(3, "deposit_seen")], "next_cursor": "third"},
        "third": {"data": [event(4, "dispute_opened")], "next_cursor": None},
    }

    class Api(FakeApi):
        def _answer(self, request: Any, name: str) -> Any:
            if name.endswith("/timeline"):
                self.answers = {**self.answers, name: (200, pages[request.query_params.get("cursor", "")])}
            return super()._answer(request, name)

    api = Api(
        answers={
            f"GET /payments/{PAY}": (200, PAYMENT),
            f"GET /payments/{PAY}/actions": (200, {"actions": []}),
            "GET /disputes": (200, PAGE),
        }
    )
    async with browser(api, signed_in=True) as client:
        page = await client.get(HERE)
    assert page.status_code == 200
    assert page.text.count('<span class="mark') >= 4
    assert "chargeback" in page.text.lower()


async def test_command_that_is_not_allowed_any_more_shows_the_payment_as_it_is() -> None:
    api = FakeApi(
        answers={
            f"GET /payments/{PAY}": (200, PAYMENT),
            f"GET /payments/{PAY}/actions": (200, {"actions": [REFUSED]}),
            f"GET /payments/{PAY}/timeline": (200, PAGE),
            "GET /disputes": (200, PAGE),
        }
    )
    async with browser(api, signed_in=True) as client:
        page = await client.get(f"{HERE}/cancel")
    assert page.status_code == 409
    assert "No. Nothing was done." in page.text


async def test_escrow_that_is_paid_for_is_shown_by_its_title() -> None:
    escrow = "esc_01kar6h2d8e4wvq3r5s7t9x1zc"
    paid = {**PAYMENT, "purpose": "escrow", "escrow_id": escrow}
    names = {"names": {escrow: "Summarise reports"}}
    known = {f"GET /payments/{PAY}": (200, paid), "GET /names": (200, names)}
    beside = {f"GET /payments/{PAY}/timeline": (200, PAGE), "GET /disputes": (200, PAGE)}
    late = {f"GET /payments/{PAY}/actions": problem(503, "unavailable")}
    async with browser(FakeApi(answers={**known, **beside, **late}), signed_in=True) as client:
        page = await client.get(HERE)
    assert f'<a href="{BASE}/escrows/{escrow}" title="{escrow}"><bdi>Summarise reports</bdi></a>' in page.text
