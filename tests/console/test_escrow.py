"""The pages of escrows say what the API says, in every state, and offer what it allows."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.escrow import acts, pages, progress
from console.escrow.steps import EVENTS, steps, who
from console.forms import Form, again
from console.gateway import Answer, Problem
from console.reader import Reader, set_reader
from domain.escrow.actions import EscrowAction
from domain.escrow.state import FINAL, EscrowStatus
from tests.console.fake import ME, ORG, OTHER, PAGE, FakeApi, browser, problem
from tests.console.walking import text_of
from tests.support.cases import for_each

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = (NOW + timedelta(days=2)).isoformat()
LIST = f"/console/{ORG}/escrows"
ID = f"esc_{ORG[4:]}"
ESCROW: dict[str, Any] = {
    "id": ID,
    "title": "Summarise the quarter",
    "status": "funded",
    "story": "50.00 CREDIT held in escrow.",
    "currency": "CREDIT",
    "amount": "50.00",
    "funded_amount": "50.00",
    "granted_amount": "0.00",
    "released_amount": "0.00",
    "refunded_amount": "0.00",
    "commission_amount": "0.00",
    "payer_org_id": ORG,
    "payee_org_id": OTHER,
    "payer_name": "Acme",
    "payee_name": "Studio",
    "agent_name": "Summariser",
    "signatories": ["procurement", "finance"],
    "required_signatures": 2,
    "signatures": [],
    "validation_threshold": "0.80",
    "validation_score": None,
    "milestones": [],
    "delivery": None,
    "deadlines": {"fund_by": LATER, "deliver_by": LATER, "review_by": LATER},
    "dispute": None,
    "cancel_requested_by": None,
    "workflow_id": "escrow/ctr_1",
    "created_at": NOW.isoformat(),
    "updated_at": NOW.isoformat(),
}
DELIVERY = {
    "number": 3,
    "artifacts": [
        {"uri": "https://files.test/report.pdf", "sha256": "ab" * 32},
        {"uri": "s3://bucket/report", "sha256": None},
    ],
    "note": "Done",
    "milestone": None,
    "delivered_at": NOW.isoformat(),
}
DISPUTE = {
    "opened_by": f"{ORG}/procurement",
    "reason": "A third is wrong",
    "opened_at": NOW.isoformat(),
    "evidence": [
        {"submitted_by": f"{ORG}/procurement", "note": "See", "artifacts": [], "submitted_at": NOW.isoformat()},
        {"submitted_by": f"{OTHER}/studio", "note": "No", "artifacts": [], "submitted_at": NOW.isoformat()},
    ],
    "evidence_until": LATER,
    "decide_by": LATER,
    "default_at": (NOW + timedelta(days=3)).isoformat(),
    "default_payee_share": "0.5",
    "resolved_by": None,
    "payee_share": None,
    "resolution_note": None,
    "resolved_at": None,
}
CONTRACT = {
    "least_payout": {"amount": "0.94", "currency": "USD"},
    "price": "50.00",
    "currency": "CREDIT",
    "commission_bps": 525,
    "fund_within": "P3D",
    "deliver_within": "P7D",
    "review_period": "PT36H",
    "required_signatures": 2,
    "signatories": ["procurement", "finance"],
    "validation_threshold": "0.80",
    "evidence_period": "P3D",
    "decision_period": "P4D",
    "dispute_default_payee_share": "0.50",
    "default_grace": "P1D",
    "operator_approvals": True,
    "accepts_granted_credits": True,
}
NOTHING = {"funded": "0.00", "to_agent": "0.00", "commission": "0.00", "to_payer": "0.00", "held": "50.00"}


def effect(status: str = "funded", **moved: str) -> dict[str, str]:
    return {**NOTHING, "currency": "CREDIT", "status": status, **moved}


def allowed(name: str, **changes: Any) -> dict[str, Any]:
    return {"action": name, "allowed": True, "reason": None, "effect": effect(**changes)}


SILENT = problem(503, "service.unavailable")


@pytest.fixture(autouse=True)
def now() -> Iterator[None]:
    set_reader(Reader(now=NOW))
    yield
    set_reader(Reader())


def escrow(**changes: Any) -> dict[str, Any]:
    return {**ESCROW, "contract_id": f"ctr_{ORG[4:]}", "payee_agent_id": "agt_1", **changes}


def act(name: str, *, escrow: dict[str, Any] = ESCROW, **changes: Any) -> acts.OfferedCommand:
    return acts.act(escrow, allowed(name, **changes))


async def shown(*actions: dict[str, Any], answers: dict[str, Any] | None = None, **changes: Any) -> str:
    """Return the page of an escrow, as the payer reads it."""
    known = {
        f"GET /escrows/{ID}": (200, escrow(**changes)),
        f"GET /escrows/{ID}/actions": (200, {"actions": list(actions)}),
        f"GET /escrows/{ID}/timeline": (200, PAGE),
        f"GET /contracts/ctr_{ORG[4:]}": (200, CONTRACT),
    }
    async with browser(FakeApi(answers={**known, **(answers or {})}), signed_in=True) as client:
        answer = await client.get(f"{LIST}/{ID}")
    assert answer.status_code == 200, answer.text
    return answer.text


@for_each("status", EscrowStatus)
def test_every_state_says_who_acts_next_and_what_happens_by_itself(status: EscrowStatus) -> None:
    it = escrow(status=status.value, dispute=DISPUTE if status is EscrowStatus.DISPUTED else None)
    stages = progress.stages(it, ())
    assert progress.awaited(it).endswith(".")
    assert [stage.here for stage in stages].count(True) == 1
    assert stages[-1].here is (status in FINAL)
    assert (progress.due(it) is None) is (status in FINAL)
    assert (progress.awaited(it) == "No action is needed.") is (status in FINAL)


@for_each(
    ("changes", "stages", "here"),
    [
        ({"status": "open", "funded_amount": "0.00"}, ["Agreed", "Funded", "Delivered", "Accepted and paid out"], 0),
        ({"status": "funded"}, ["Agreed", "Funded", "Delivered", "Accepted and paid out"], 1),
        ({"status": "funded", "delivery": DELIVERY}, ["Agreed", "Funded", "Delivered", "Accepted and paid out"], 1),
        ({"status": "delivered", "delivery": DELIVERY}, ["Agreed", "Funded", "Delivered", "Accepted and paid out"], 2),
        ({"status": "disputed", "dispute": DISPUTE}, ["Agreed", "Funded", "Disputed", "Decided and paid out"], 2),
        ({"status": "cancelled", "funded_amount": "0.00"}, ["Agreed", "Cancelled"], 1),
        (
            {"status": "split", "delivery": DELIVERY, "dispute": DISPUTE},
            ["Agreed", "Funded", "Delivered", "Disputed", "Split"],
            4,
        ),
    ],
)
def test_stages_are_those_that_were_reached_and_those_to_come(
    changes: dict[str, Any], stages: list[str], here: int
) -> None:
    found = progress.stages(escrow(**changes), ())
    assert [stage.label for stage in found] == stages
    assert found[here].here


def then(it: dict[str, Any]) -> str:
    due = progress.due(it)
    assert due is not None
    return due.then % {"time": "T", "left": "L", **due.values}


def test_without_an_objection_the_milestone_under_review_is_released() -> None:
    milestones = [{"name": "draft", "status": "delivered", "amount": "20.00"}]
    it = escrow(status="delivered", delivery={**DELIVERY, "milestone": "draft"}, milestones=milestones)
    assert then(it) == "on T (L), Summariser of Studio gets 20.00\xa0credits, less the commission."


@for_each(
    ("name", "changes", "waits"),
    [
        ("validate", {"status": "delivered"}, True),
        ("validate", {"status": "delivered", "validation_threshold": None}, False),
        ("validate", {"status": "delivered", "validation_score": "0.5"}, False),
        ("deliver", {"status": "funded"}, True),
        ("deliver", {"status": "delivered"}, False),
        ("resolve", {"status": "disputed", "dispute": DISPUTE}, False),
        ("resolve", {"status": "disputed", "dispute": {**DISPUTE, "evidence_until": NOW.isoformat()}}, True),
    ],
)
def test_escrow_waits_for_its_reader_only_where_it_does(name: str, changes: dict[str, Any], waits: bool) -> None:
    it = escrow(**changes)
    assert acts.is_awaited(act(name, escrow=it), it) is waits


async def test_countdown_is_the_time_that_is_left() -> None:
    later = (datetime.now(UTC) + timedelta(days=2, minutes=5)).isoformat()
    page = await shown(deadlines={**ESCROW["deadlines"], "deliver_by": later})
    assert 'role="timer" data-left="17' in page
    assert "( in 2 days ), Acme gets 50.00 credits back." in text_of(page)


def test_dispute_of_a_payee_that_delivered_nothing_ends_with_a_refund() -> None:
    it = escrow(status="disputed", dispute={**DISPUTE, "default_payee_share": "0.00"})
    assert then(it) == "on T (L), Acme gets 50.00\xa0credits back."


async def test_dispute_has_a_default_and_the_evidence_of_each_side() -> None:
    it = escrow(status="disputed", dispute=DISPUTE)
    assert progress.deadline(it) == DISPUTE["default_at"]
    assert then(it) == (
        "on T (L), Summariser of Studio gets 50% of 50.00\xa0credits, less the commission; Acme gets the rest back."
    )
    text = text_of(await shown(status="disputed", dispute=DISPUTE))
    assert "procurement of Acme opened the dispute" in text
    assert "Evidence of Acme See procurement of Acme" in text
    assert "Evidence of Studio No studio of Studio" in text


async def test_decision_shows_its_share() -> None:
    decided = {**DISPUTE, "payee_share": "0.6", "resolved_by": "judge", "resolved_at": LATER, "resolution_note": "Most"}
    decided |= {"evidence_until": "2999-01-01T00:00:00Z"}
    text = text_of(await shown(status="split", dispute=decided))
    assert "60% to the payee , decided by judge" in text
    assert "can be added until" not in text


def test_money_is_divided_exactly() -> None:
    it = escrow(released_amount="28.50", commission_amount="1.50", refunded_amount="19.99")
    assert [(part.label, part.amount.number) for part in progress.bar(it)] == [
        ("Held", "0.01"),
        ("To Summariser", "28.50"),
        ("Commission", "1.50"),
        ("Refund to Acme", "19.99"),
    ]


async def test_artifacts_are_links_only_where_a_browser_may_follow() -> None:
    page = await shown(status="delivered", delivery=DELIVERY)
    assert 'href="https://files.test/report.pdf"' in page
    assert 'href="s3:' not in page
    assert "s3://bucket/report" in page
    assert f'title="{"ab" * 32}"' in page


async def test_signatures_are_counted_and_named() -> None:
    signature = {"signatory": "finance", "signed_at": LATER, "signed_by": "op", "on_behalf": True}
    text = text_of(await shown(status="delivered", delivery=DELIVERY, signatures=[signature]))
    assert "Signatures: 1 of 2 procurement : not signed finance : signed Nov 24, 2026, 12:00 PM by op" in text
    assert "1 more signature or a score at the threshold releases the money." in text


async def test_only_what_is_allowed_is_offered() -> None:
    no = {"action": "fund", "allowed": False, "reason": {"code": "escrow.wrong_state", "detail": "No"}, "effect": None}
    actions = [no, allowed("deliver"), allowed("newer.than.us")]
    assert [each.label for each in acts.acts(ESCROW, {"actions": actions})] == ["Deliver"]
    text = text_of(await shown(*actions))
    assert "Deliver: Summarise the quarter" in text
    assert "To do Summariser has to deliver." in text


async def test_parts_that_did_not_answer_say_so_and_the_rest_stands() -> None:
    parts = (f"/escrows/{ID}/actions", f"/escrows/{ID}/timeline", f"/contracts/ctr_{ORG[4:]}")
    page = await shown(answers={f"GET {path}": SILENT for path in parts})
    assert "<dialog" not in page.partition("<main")[2].partition("</main>")[0]
    assert text_of(page).count("Not available right now.") == 2
    assert "50.00 credits held in escrow." in text_of(page)


@pytest.mark.parametrize(("signatory", "status"), [(f"{ORG}/ada", 200), ("org_9/ada", 404), ("ada", 404)])
async def test_escrow_of_others_is_shown_to_whose_people_sign_it(signatory: str, status: int) -> None:
    api = FakeApi(
        answers={
            f"GET /escrows/{ID}": (
                200,
                escrow(payer_org_id=OTHER, payee_org_id="org_8", signatories=["finance", signatory]),
            ),
            f"GET /escrows/{ID}/actions": (200, {"actions": []}),
            f"GET /escrows/{ID}/timeline": (200, PAGE),
            f"GET /contracts/ctr_{ORG[4:]}": SILENT,
        }
    )
    async with browser(api, signed_in=True) as client:
        assert (await client.get(f"{LIST}/{ID}")).status_code == status


async def test_effect_names_who_gets_how_much() -> None:
    moved = {"status": "released", "to_agent": "47.50", "commission": "2.50", "held": "0.00"}
    assert (act("approve", **moved).label, act("approve").label) == ("Sign and release", "Sign")
    last, first = [
        text_of(await shown(allowed("approve", **each), status="delivered", delivery=DELIVERY)) for each in (moved, {})
    ]
    assert "To Summariser of Studio 47.50 credits Commission 2.50 credits Held afterwards 0.00 credits" in last
    assert "Held afterwards" not in first


def test_cancel_says_whether_it_asks_or_ends() -> None:
    assert act("cancel").label == "Request cancellation"
    assert act("cancel", status="cancelled", to_payer="50.00").label == "Cancel"
    asked = {**ESCROW, "cancel_requested_by": f"{ORG}/procurement"}
    assert act("cancel", escrow=asked, status="cancelled", to_payer="50.00").label == "Accept cancellation"


async def test_buttons_that_move_money_name_the_amount() -> None:
    assert act("refund", to_payer="50.00").label == "Refund 50.00\N{NO-BREAK SPACE}credits"
    assert act("fund", funded="50.00").label == "Fund 50.00\N{NO-BREAK SPACE}credits"
    api = FakeApi(
        answers={
            f"GET /escrows/{ID}": (200, escrow(status="disputed", dispute=DISPUTE)),
            f"GET /escrows/{ID}/actions": (
                200,
                {"actions": [allowed("resolve", status="split", to_agent="28.50")]},
            ),
        }
    )
    async with browser(api, signed_in=True) as client:
        assert "Decide: 60% to the payee" in (await client.get(f"{LIST}/{ID}/resolve?percent=60")).text
    assert [body for name, _, body in api.asked if name.endswith("/actions")] == [{}, {"payee_share": "0.6"}]


@for_each(
    ("typed", "sent"),
    [
        ("60", "0.6"),
        ("33.33", "0.3333"),
        ("100", "1"),
        ("0", "0"),
        ("0.01", "0.0001"),
        ("33.333", "0.33333"),
        ("x", "x"),
    ],
)
def test_share_in_percent_is_sent_exactly(typed: str, sent: str) -> None:
    assert pages.shifted(typed, -2) == sent
    assert pages.shifted(sent, 2) == typed


def test_names_with_braces_are_text() -> None:
    assert "{agent}" in act("fund", escrow={**ESCROW, "agent_name": "{agent}"}).sentence


async def test_signature_is_for_the_delivery_that_was_shown() -> None:
    page = await shown(allowed("approve"), status="delivered", delivery=DELIVERY)
    assert '<input type="hidden" name="delivery" value="3">' in page
    assert acts.body(EscrowAction.APPROVE, Form(values={"delivery": "3"}, key="k")) == {"delivery": 3}


def test_artifacts_are_one_a_line() -> None:
    text = f"https://a.test/x {'ab' * 32}\n\n s3://b/c \n"
    assert acts.artifacts(text) == [{"uri": "https://a.test/x", "sha256": "ab" * 32}, {"uri": "s3://b/c"}]


def test_refusals_of_artifacts_stand_at_their_field() -> None:
    wrong = Problem(status=422, code="", title="", detail="", errors=(("artifacts.3.uri", "Wrong."), ("note", "Long.")))
    form = Form(values={"deliver_artifacts": "x", "deliver_note": "y"}, key="k")
    shown = again(form, Answer(status=422, request_id="", problem=wrong), acts.names(EscrowAction.DELIVER))
    assert shown.errors == {"deliver_artifacts": "Wrong.", "deliver_note": "Long."}


def test_every_command_has_its_form() -> None:
    assert set(acts.COMMANDS) == set(EscrowAction)
    fields = [name for _path, _notice, names in acts.COMMANDS.values() for name in names if name != "delivery"]
    assert len(fields) == len(set(fields))


async def terms(**changes: Any) -> str:
    return text_of(await shown(answers={f"GET /contracts/ctr_{ORG[4:]}": (200, {**CONTRACT, **changes})}))


async def test_terms_are_in_words() -> None:
    text = await terms()
    assert "Commission 5.25%" in text
    assert "Review 36 hours, then the money is released" in text
    assert "Signatures 2 of 2: procurement and finance" in text
    assert "Granted credits accepted, not paid out" in text
    assert "Granted credits not accepted" in await terms(accepts_granted_credits=False)
    assert "Granted credits" not in await terms(currency="USD")


async def test_what_is_held_in_granted_credits_is_shown() -> None:
    none = {f"GET /contracts/ctr_{ORG[4:]}": SILENT}
    assert "Granted credits" not in text_of(await shown(answers=none))
    text = text_of(await shown(answers=none, granted_amount="20.00"))
    assert "Granted credits 20.00 credits , not paid out" in text


def test_who_acted_is_named_as_the_sides_know_them() -> None:
    assert who(f"{OTHER}/studio", ESCROW) == "studio of Studio"
    assert who("timer", ESCROW) == "Automatically"
    assert who("judge", ESCROW) == "judge"
    assert who(f"{ORG}/payment:pay_01kar6h2d8e4wvq3r5s7t9x1za", ESCROW).startswith("Payment pay_")


def test_every_event_of_the_rules_has_words() -> None:
    import re
    from pathlib import Path

    import domain.escrow

    rules = Path(domain.escrow.__file__).parent
    text = "".join(path.read_text() for path in rules.glob("*.py"))
    assert set(re.findall(r'event="(\w+)"', text)) - set(EVENTS) == set()


async def listed(query: str = "", **answers: Any) -> str:
    known = {"GET /escrows": (200, PAGE), "GET /escrows/summary": SILENT}
    async with browser(FakeApi(answers={**known, **answers}), signed_in=True) as client:
        return (await client.get(f"{LIST}{query}")).text


async def test_tabs_have_the_counts_of_the_api() -> None:
    counts = {
        "by_status": [
            {"status": "open", "currency": "CREDIT", "count": 2, "amount": "2.00", "capped": False},
            {"status": "open", "currency": "USD", "count": 1, "amount": "2.00", "capped": False},
            {"status": "released", "currency": "USD", "count": 2000, "amount": "2.00", "capped": True},
        ]
    }
    page = await listed("?status=open&currency=USD", **{"GET /escrows/summary": (200, counts)})
    tabs = page.partition('aria-label="Escrows by state"')[2].partition("</nav>")[0]
    assert text_of(tabs[1:]) == (
        "All 2,003+ To do 2,003+ Not funded 3 In progress 0 In review 0 Disputed 0 Ended 2,000+"
    )
    assert f'href="{LIST}?status=open&amp;currency=USD" aria-current="page">Not funded' in tabs
    assert tabs.count("aria-current") == 1
    assert f'href="{LIST}?currency=USD">All' in tabs
    assert f'href="{LIST}?currency=USD&amp;waits_for=me">To do' in tabs
    assert 'name="status" value="open"' in page


async def test_counts_of_tabs_are_those_of_their_filter() -> None:
    api = FakeApi(answers={"GET /me": (200, {**ME, "role": "operator", "organization": None})})
    async with browser(api, signed_in=True) as client:
        await client.get("/console/platform/escrows?status=open&currency=USD")
    asked = [body for name, _, body in api.asked if name == "GET /escrows/summary"]
    assert sorted(asked, key=len) == [
        {"currency": "USD"},
        *({"currency": "USD", name: value} for name, value in (("waits_for", "me"), ("overdue", "true"))),
    ]


async def test_list_that_did_not_answer_says_so() -> None:
    assert "Escrows Not available right now." in text_of(await listed(**{"GET /escrows": SILENT}))


async def test_row_has_who_what_and_until_when() -> None:
    page = await listed(**{"GET /escrows": (200, {"data": [ESCROW], "next_cursor": "next"})})
    assert f'<a class="row" href="{LIST}/{ID}">' in page
    assert "Summarise the quarter Funded Acme Summariser of Studio Nov 24, 2026" in text_of(page)
    assert f'href="{LIST}?cursor=next"' in page


def test_payee_is_not_led_to_transfers_of_the_payers_money() -> None:
    event = {"at": "2026-11-22T09:00:00Z", "actor": "timer", "details": {}, "transfer_id": "tr_1"}
    events = [{**event, "kind": kind} for kind in ("funded", "resolved")]
    for by_payee, hrefs in ((True, ["", "/t/tr_1"]), (False, ["/t/tr_1", "/t/tr_1"])):
        shown = steps(events, ESCROW, "/t", by_payee=by_payee)
        assert [each.href for each in shown] == hrefs
