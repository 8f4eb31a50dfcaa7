"""Objects are written by their names, with links to their pages, wherever rows of the API have ids."""

from dataclasses import replace
from typing import Any

import pytest

from console.format import Prefs
from console.mentions import sentence, shortened
from tests.console.fake import BALANCE, ME, NAMING, ORG, OTHER, PAGE, FakeApi, browser
from tests.support.cases import for_each

AT = "2026-11-22T09:00:00Z"
AGENT, ESCROW, PAYMENT = (f"{kind}_01kar6x0qmf9rv4w7n2h8d3s5c" for kind in ("agt", "esc", "pay"))
NAMES = {AGENT: "Scribe", ESCROW: "Night <reports>", OTHER: "Globex"}
READER = {**ME, "permissions": ["read", "read_billing", "read_audit", "inspect"]}
OPERATOR = {**READER, "role": "operator", "organization": None}
MOVEMENT = {
    "id": "tr_1",
    "kind": "escrow.release",
    "amount": "50.00",
    "currency": "CREDIT",
    "balance_after": "50.00",
    "account": f"agent/{AGENT}/earnings/CREDIT",
    "counterparties": [],
    "reference": ESCROW,
    "effective_at": AT,
    "recorded_at": AT,
}
KEY = {
    "id": "key_1",
    "organization_id": OTHER,
    "principal": "scribe",
    "role": "agent",
    "agent_id": AGENT,
    "department_id": None,
    "by_mail": False,
    "project_id": None,
    "created_by": f"{OTHER}/kim",
    "created_at": AT,
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": None,
}
ENTRY = {
    "at": AT,
    "organization_id": OTHER,
    "principal": f"{OTHER}/kim",
    "role": "owner",
    "action": "escrow.cancel",
    "target": ESCROW,
    "request_id": None,
    "address": None,
    "details": {"agent": AGENT, "version": 2},
}
PAID = {
    "id": PAYMENT,
    "organization_id": OTHER,
    "workflow_id": f"payment/{PAYMENT}",
    "description": f"Escrow {ESCROW}, 1500.00 CREDIT",
    "created_at": AT,
    "status": "succeeded",
    "provider": "stripe",
    "amount": "150.00",
    "currency": "USD",
}
INVOICE = {
    "id": "inv_1",
    "organization_id": OTHER,
    "number": "INV-1",
    "status": "open",
    "overdue": False,
    "issued_at": AT,
    "due_at": AT,
    "due": "1.00",
    "total": "1.00",
    "currency": "USD",
}
DISPUTE = {
    "id": "dsp_1",
    "organization_id": OTHER,
    "payment_id": PAYMENT,
    "reason": "product_not_received",
    "status": "lost",
    "opened_at": AT,
    "evidence_due_at": None,
    "evidence_submitted_at": None,
    "amount": "1.00",
    "currency": "USD",
}
GRANT = {
    "id": "lot_1",
    "organization_id": OTHER,
    "created_at": AT,
    "source": "reward",
    "amount": "1.00",
    "expires_at": None,
    "note": None,
}
APPROVAL = {
    "id": "apv_1",
    "action": "credits.grant",
    "subject": OTHER,
    "content": {"escrow": ESCROW},
    "status": "requested",
    "requested_by": "ada",
    "requested_at": AT,
    "expires_at": AT,
    "decided_by": None,
    "decided_at": None,
}
COUNTS: dict[str, Any] = {"by_status": [], "by_provider": []}
HERE, PLATFORM = f"/console/{ORG}", "/console/platform"


def asked(api: FakeApi) -> list[str]:
    return [name for name, _, _ in api.asked if name == "GET /names"]


async def shown(path: str, listed: str, row: dict[str, Any], *, names: dict[str, str] = NAMES) -> tuple[str, FakeApi]:
    """Return a page whose list has one row, and the API that was asked."""
    api = FakeApi(
        answers={
            "GET /me": (200, OPERATOR if path.startswith(PLATFORM) else READER),
            f"GET {listed}": (200, {**PAGE, "data": [row]}),
            "GET /names": (200, {"names": names}),
            **{f"GET {name}": (200, COUNTS) for name in ("/payments/summary", "/escrows/summary")},
            "GET /credits/costs": (200, PAGE),
            "GET /billing/balance": (200, BALANCE),
            "GET /reputation/leaderboard": (200, PAGE),
            "GET /reputation/distribution": (200, {"agents": 0}),
            "GET /reputation/levels": (200, {"levels": []}),
        }
    )
    async with browser(api, signed_in=True) as client:
        page = await client.get(path)
    assert page.status_code == 200, page.text
    return page.text, api


@for_each(
    "path, listed, row, said",
    [
        (
            f"{HERE}/transactions/entries",
            "/billing/transactions",
            MOVEMENT,
            ("Earnings of Scribe", "Night &lt;reports&gt;"),
        ),
        (f"{HERE}/settings/keys", "/api-keys", KEY, ("Scribe", "kim")),
        (f"{HERE}/settings/audit", "/audit", ENTRY, ("Night &lt;reports&gt;", "Scribe", "kim")),
        (f"{HERE}/payments", "/payments", PAID, ("Escrow Night &lt;reports&gt;, 1,500.00 credits",)),
        (f"{PLATFORM}/keys", "/api-keys", KEY, ("Scribe", "Globex", "kim")),
        (f"{PLATFORM}/audit", "/audit", ENTRY, ("Night &lt;reports&gt;", "Globex", "Scribe")),
        (f"{PLATFORM}/payments", "/payments", PAID, ("Globex",)),
        (f"{PLATFORM}/invoices", "/billing/invoices", INVOICE, ("Globex",)),
        (f"{PLATFORM}/disputes", "/disputes", DISPUTE, ("Globex",)),
        (f"{PLATFORM}/credits", "/credits/grants", GRANT, ("Globex",)),
        (f"{PLATFORM}/approvals", "/approvals", APPROVAL, ("Globex", "Night &lt;reports&gt;")),
    ],
)
async def test_list_says_names_and_asks_for_all_of_them_at_once(
    path: str, listed: str, row: dict[str, Any], said: tuple[str, ...]
) -> None:
    page, api = await shown(path, listed, row)
    body = page[page.index("<tbody") :]
    assert [word for word in said if word not in body] == []
    assert len(asked(api)) == 1


async def test_organization_leads_operators_to_its_page_and_objects_to_those_of_their_organization() -> None:
    page, _ = await shown(f"{PLATFORM}/audit", "/audit", ENTRY)
    assert f'href="{PLATFORM}/organizations/{OTHER}"' in page
    assert f'href="/console/{OTHER}/escrows/{ESCROW}"' in page


async def test_sudden_change_of_a_score_is_a_sentence_with_the_name_of_its_agent() -> None:
    alert = {"id": "alr_1", "kind": "reputation_anomaly", "organization_id": OTHER, "severity": "warning"}
    alert |= {"created_at": AT, "detail": f"The score of {AGENT} fell by 2."}
    page, _ = await shown(f"{PLATFORM}/reputation", "/alerts", {**alert, "names": NAMES})
    assert f'href="{PLATFORM}/reputation/{AGENT}"' in page
    assert "<bdi>Scribe</bdi>" in page
    assert "Part(" not in page


async def test_agent_of_another_organization_has_no_name_and_leads_nowhere() -> None:
    page, _ = await shown(f"{HERE}/settings/audit", "/audit", ENTRY, names={ESCROW: "Job"})
    assert f"/escrows/{ESCROW}" in page
    assert f"/agents/{AGENT}" not in page


async def test_ids_stand_where_the_api_says_no_names_and_nothing_is_asked_for_none() -> None:
    page, _ = await shown(f"{HERE}/transactions/entries", "/billing/transactions", MOVEMENT, names={})
    assert "Earnings of agt_01ka\N{HORIZONTAL ELLIPSIS}3s5c" in page
    account = {"account": f"org/{ORG}/credits", "reference": None}
    _, api = await shown(f"{HERE}/payments", "/payments", {**PAID, "description": "Credits"})
    assert asked(api) == []
    page, _ = await shown(f"{HERE}/transactions/entries", "/billing/transactions", {**MOVEMENT, **account})
    assert ">Credits<" in page


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1000.00 CREDIT of 2000.50 USD", "1,000.00 credits of 2,000.50 USD"),
        ("Order 12345 of 5 USD", "Order 12345 of 5 USD"),
        ("10000 slots", "10,000 slots"),
        ("INV-1000.00 USDX", "INV-1000.00 USDX"),
        ("Until 2026-12-05 11:53:51 UTC.", "Until Dec 5, 2026, 11:53\N{NARROW NO-BREAK SPACE}AM."),
    ],
)
def test_amounts_in_texts_have_the_marks_of_the_reader(text: str, written: str) -> None:
    assert shortened(text, Prefs(), {}) == written
    parts = sentence(text, {}, Prefs(), lambda _: "")
    assert "".join(part.at.text if part.at else part.text for part in parts) == written
    assert [part.text for part in replace(NAMING, prefs=Prefs(locale="de"))("1000.50 USD")] == ["1.000,50 USD"]
