"""The pages of escrows say what the API says, in every state, and offer what it allows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.escrow import acts, asking, commands, one, view
from console.escrow.progress import Due
from console.escrow.steps import EVENTS, steps, who
from console.escrow.terms import terms
from console.format import Prefs
from console.forms import Form, FormState, blank
from console.gateway import Answer, Refused
from console.lists import ListQuery, ListResult
from console.widgets import Tab
from domain.escrow.actions import EscrowAction
from domain.escrow.state import FINAL, EscrowStatus
from tests.console.answering import refused, said
from tests.console.fake import ORG, OTHER, PAGE, FakeApi, browser, problem
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


def shown(*actions: dict[str, Any], **changes: Any) -> one.EscrowPage:
    answers = {
        "escrow": said({**ESCROW, **changes}),
        "actions": said({"actions": list(actions)}),
        "timeline": said({"data": [], "next_cursor": None}),
        "contract": said(CONTRACT),
    }
    return page_of(answers)


def page_of(answers: dict[str, Answer]) -> one.EscrowPage:
    around = one.PageContext(prefs=Prefs(), now=NOW, list=LIST)
    return one.page(answers, blank(), {name: blank() for name in EscrowAction}, around)


def act(name: str, *, escrow: dict[str, Any] = ESCROW, **changes: Any) -> acts.OfferedCommand:
    return acts.act(escrow, allowed(name, **changes), Prefs(), f"{LIST}/{ID}", blank())


@for_each("status", EscrowStatus)
def test_every_state_says_who_acts_next_and_what_happens_by_itself(status: EscrowStatus) -> None:
    page = shown(status=status.value, dispute=DISPUTE if status is EscrowStatus.DISPUTED else None)
    assert page.next.endswith(".")
    assert [stage.here for stage in page.stages].count(True) == 1
    assert page.stages[-1].here is (status in FINAL)
    assert bool(page.due) is (status not in FINAL)
    assert (page.next == "No action is needed.") is (status in FINAL)


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
    page = shown(**changes)
    assert [stage.label for stage in page.stages] == stages
    assert page.stages[here].here


def then(due: Due) -> str:
    return due.then % {"time": "T", "left": "L", **due.values}


def test_without_an_objection_the_milestone_under_review_is_released() -> None:
    milestones = [{"name": "draft", "status": "delivered", "amount": "20.00"}]
    page = shown(status="delivered", delivery={**DELIVERY, "milestone": "draft"}, milestones=milestones)
    assert then(page.due[0]) == "on T (L), Summariser of Studio gets 20.00\xa0credits, less the commission."


@for_each(
    ("name", "changes", "waits"),
    [
        ("validate", {"status": "delivered"}, True),
        ("validate", {"status": "delivered", "validation_threshold": None}, False),
        ("validate", {"status": "delivered", "validation_score": "0.5"}, False),
        ("resolve", {"status": "disputed", "dispute": DISPUTE}, False),
        ("resolve", {"status": "disputed", "dispute": {**DISPUTE, "evidence_until": NOW.isoformat()}}, True),
    ],
)
def test_escrow_waits_for_its_reader_only_where_it_does(name: str, changes: dict[str, Any], waits: bool) -> None:
    assert shown(allowed(name), **changes).for_me is waits


def test_countdown_is_the_time_that_is_left() -> None:
    [due] = shown().due
    assert due.left_seconds == 2 * 24 * 3600
    assert (due.left, then(due)) == ("in 2 days", "on T (L), Acme gets 50.00\xa0credits back.")


def test_dispute_of_a_payee_that_delivered_nothing_ends_with_a_refund() -> None:
    page = shown(status="disputed", dispute={**DISPUTE, "default_payee_share": "0.00"})
    assert then(page.due[0]) == "on T (L), Acme gets 50.00\xa0credits back."


def test_dispute_has_a_default_and_the_evidence_of_each_side() -> None:
    page = shown(status="disputed", dispute=DISPUTE)
    assert [due.left for due in page.due] == ["in 3 days"]
    assert then(page.due[0]) == (
        "on T (L), Summariser of Studio gets 50% of 50.00\xa0credits, less the commission; Acme gets the rest back."
    )
    assert page.dispute is not None
    assert [each.note for each in page.dispute.payer] == ["See"]
    assert [each.note for each in page.dispute.payee] == ["No"]
    assert page.dispute.by == "procurement of Acme"


def test_decision_shows_its_share() -> None:
    decided = {**DISPUTE, "payee_share": "0.6", "resolved_by": "judge", "resolved_at": LATER, "resolution_note": "Most"}
    page = shown(status="split", dispute=decided)
    assert page.dispute is not None
    assert (page.dispute.share, page.dispute.decided_by, page.dispute.until_left) == ("60%", "judge", "")


def test_money_is_divided_exactly() -> None:
    page = shown(released_amount="28.50", commission_amount="1.50", refunded_amount="19.99", status="funded")
    assert [(part.label, part.amount.number) for part in page.bar] == [
        ("Held", "0.01"),
        ("To Summariser", "28.50"),
        ("Commission", "1.50"),
        ("Refund to Acme", "19.99"),
    ]


def test_artifacts_are_links_only_where_a_browser_may_follow() -> None:
    page = shown(status="delivered", delivery=DELIVERY)
    assert page.delivery is not None
    assert [(each.link.host, each.link.href) for each in page.delivery.artifacts] == [
        ("files.test", "https://files.test/report.pdf"),
        ("", ""),
    ]
    assert page.delivery.artifacts[0].sha256 is not None


def test_signatures_are_counted_and_named() -> None:
    signature = {"signatory": "finance", "signed_at": LATER, "signed_by": "op", "on_behalf": True}
    page = shown(status="delivered", signatures=[signature])
    assert page.signed == "1 of 2"
    assert [(each.name, each.at is not None, each.by) for each in page.signatories] == [
        ("procurement", False, ""),
        ("finance", True, "op"),
    ]
    assert page.next.startswith("1 more signature or")


def test_only_what_is_allowed_is_offered() -> None:
    no = {"action": "fund", "allowed": False, "reason": {"code": "escrow.wrong_state", "detail": "No"}, "effect": None}
    page = shown(no, allowed("deliver"), allowed("newer.than.us"))
    assert [each.label for each in page.acts] == ["Deliver"]
    assert page.for_me


def test_parts_that_did_not_answer_say_so_and_the_rest_stands() -> None:
    answers = {
        "escrow": said(ESCROW),
        "actions": refused(503, "service.unavailable"),
        "timeline": refused(503, "service.unavailable"),
        "contract": refused(503, "service.unavailable"),
    }
    page = page_of(answers)
    assert page.acts == ()
    assert page.timeline_failed is not None
    assert page.terms_failed is not None


def test_escrow_that_is_not_there_is_no_page() -> None:
    with pytest.raises(Refused):
        page_of({"escrow": refused(404, "not_found")})


@pytest.mark.parametrize(("signatory", "status"), [(f"{ORG}/ada", 200), ("org_9/ada", 404), ("ada", 404)])
async def test_escrow_of_others_is_shown_to_whose_people_sign_it(signatory: str, status: int) -> None:
    escrow = {**ESCROW, "payer_org_id": OTHER, "payee_org_id": "org_8", "signatories": ["finance", signatory]}
    api = FakeApi(
        answers={
            f"GET /escrows/{ID}": (200, escrow),
            f"GET /escrows/{ID}/actions": (200, {"actions": []}),
            f"GET /escrows/{ID}/timeline": (200, PAGE),
            f"GET /contracts/ctr_{ORG[4:]}": problem(503, "service.unavailable"),
        }
    )
    async with browser(api, signed_in=True) as client:
        assert (await client.get(f"{LIST}/{ID}")).status_code == status


def test_effect_names_who_gets_how_much() -> None:
    last = act("approve", status="released", to_agent="47.50", commission="2.50", held="0.00")
    assert last.label == "Sign and release"
    assert [(line.label, line.amount.number) for line in last.lines] == [
        ("To Summariser of Studio", "47.50"),
        ("Commission", "2.50"),
        ("Held afterwards", "0.00"),
    ]
    assert (act("approve").label, act("approve").lines) == ("Sign", ())


def test_cancel_says_whether_it_asks_or_ends() -> None:
    assert act("cancel").label == "Request cancellation"
    assert act("cancel", status="cancelled", to_payer="50.00").label == "Cancel"
    asked = {**ESCROW, "cancel_requested_by": f"{ORG}/procurement"}
    assert act("cancel", escrow=asked, status="cancelled", to_payer="50.00").label == "Accept cancellation"


def test_buttons_that_move_money_name_the_amount() -> None:
    assert act("refund", to_payer="50.00").label == "Refund 50.00\N{NO-BREAK SPACE}credits"
    assert act("fund", funded="50.00").label == "Fund 50.00\N{NO-BREAK SPACE}credits"
    action = allowed("resolve", status="split", to_agent="28.50")
    page = asking.page(ESCROW, action, blank(), Prefs(), LIST, now=NOW, chosen="0.6", entry=None)
    assert page.act.label == "Decide: 60% to the payee"


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
    assert asking.shifted(typed, -2) == sent
    assert asking.shifted(sent, 2) == typed


def test_names_with_braces_are_text() -> None:
    assert "{agent}" in act("fund", escrow={**ESCROW, "agent_name": "{agent}"}).sentence


def test_signature_is_for_the_delivery_that_was_shown() -> None:
    assert act("approve", escrow={**ESCROW, "delivery": DELIVERY}).delivery == "3"
    form = Form(values={"delivery": "3"}, key="k")
    assert commands.COMMANDS[EscrowAction.APPROVE].body(form) == {"delivery": 3}


def test_artifacts_are_one_a_line() -> None:
    text = f"https://a.test/x {'ab' * 32}\n\n s3://b/c \n"
    assert commands.artifacts(text) == [{"uri": "https://a.test/x", "sha256": "ab" * 32}, {"uri": "s3://b/c"}]


def test_refusals_of_artifacts_stand_at_their_field() -> None:
    names = commands.COMMANDS[EscrowAction.DELIVER].names
    assert names["artifacts.3.uri"] == names["artifacts"] == "deliver_artifacts"


def test_every_command_has_its_form() -> None:
    assert set(commands.COMMANDS) == set(EscrowAction)
    fields = [name for each in commands.COMMANDS.values() for name in each.fields if name != "delivery"]
    assert len(fields) == len(set(fields))


def test_terms_are_in_words() -> None:
    facts = {fact.label: fact.value for fact in terms(CONTRACT, Prefs())}
    assert facts["Commission"] == "5.25%"
    assert facts["Review"] == "36 hours, then the money is released"
    assert facts["Signatures"] == "2 of 2: procurement and finance"
    assert facts["Granted credits"] == "accepted, not paid out"
    refused = {fact.label: fact.value for fact in terms({**CONTRACT, "accepts_granted_credits": False}, Prefs())}
    assert refused["Granted credits"] == "not accepted"
    assert all(fact.label != "Granted credits" for fact in terms({**CONTRACT, "currency": "USD"}, Prefs()))


def test_what_is_held_in_granted_credits_is_shown() -> None:
    assert shown().granted is None
    held = shown(granted_amount="20.00").granted
    assert held is not None
    assert held.text == "20.00\N{NO-BREAK SPACE}credits"


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


def listed(answers: dict[str, Answer], **given: str) -> view.Escrows:
    asked = ListQuery(path=LIST, given=given, query={}, form=FormState(key="", values=given), zone="UTC", at_start=True)
    beside = {name: refused(503, "service.unavailable") for name in ("summary", "waiting")} | answers
    found = ListResult(asked=asked, answer=beside.pop("escrows"), extra=beside, status=200)
    return view.page(found, Prefs(), LIST, award="", across=False)


def test_tabs_have_the_counts_of_the_api() -> None:
    counts = {
        "by_status": [
            {"status": "open", "currency": "CREDIT", "count": 2, "amount": "2.00", "capped": False},
            {"status": "open", "currency": "USD", "count": 1, "amount": "2.00", "capped": False},
            {"status": "released", "currency": "USD", "count": 2000, "amount": "2.00", "capped": True},
        ]
    }
    answers = {"escrows": said({"data": [], "next_cursor": None}), "summary": said(counts)}
    page = listed(answers, status="open", currency="USD")
    by_label = {tab.label: tab for tab in page.tabs}
    assert by_label["All"].count == "2,003+"
    assert by_label["Not funded"] == Tab(
        label="Not funded", href=f"{LIST}?status=open&currency=USD", count="3", current=True
    )
    assert by_label["Ended"].count == "2,000+"
    assert by_label["To do"].count == ""
    assert "status" not in by_label["All"].href


def test_list_that_did_not_answer_says_so() -> None:
    page = listed({"escrows": refused(503, "service.unavailable")})
    assert page.listed.failed is not None
    assert page.rows == ()


def test_row_has_who_what_and_until_when() -> None:
    page = listed({"escrows": said({"data": [ESCROW], "next_cursor": "next"})})
    [row] = page.rows
    assert (row.href, row.title, row.payee) == (f"{LIST}/{ID}", "Summarise the quarter", "Summariser of Studio")
    assert row.until is not None
    assert page.listed.pager.next == f"{LIST}?cursor=next"


def test_filters_leave_nothing_of_something() -> None:
    empty = {"escrows": said({"data": [], "next_cursor": None})}
    assert listed(empty, currency="USD").listed.filtered
    assert not listed(empty).listed.filtered


def test_payee_is_not_led_to_transfers_of_the_payers_money() -> None:
    event = {"at": "2026-11-22T09:00:00Z", "actor": "timer", "details": {}, "transfer_id": "tr_1"}
    events = [{**event, "kind": kind} for kind in ("funded", "resolved")]
    for by_payee, hrefs in ((True, ["", "/t/tr_1"]), (False, ["/t/tr_1", "/t/tr_1"])):
        shown = steps(events, ESCROW, Prefs(), "/t/{id}", by_payee=by_payee)
        assert [each.href for each in shown] == hrefs
