"""Texts to type into each form of the console: values that make it valid, and the page that shows each text."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good, new_key
from tests.console import limiting, planted, risk

#: What somebody hostile, careless or merely foreign writes into a field; each would show if it were more than text.
PAYLOADS = {
    "script": "<script>document.title='owned'</script>",
    "handler": '"><img src=x onerror="document.title=\'owned\'">',
    "quotes": "it's \"quoted\" `so` </textarea></title><svg onload=document.title='owned'>",
    "address": "javascript:document.title='owned'",
    "template": "{{ 7 * 7 }} {% raw %} ${7*7} %(x)s",
    "long": "w" * 200,
    "emoji": "\N{FAMILY}\N{ZERO WIDTH JOINER}\N{RAINBOW} Zalgo\N{COMBINING DOUBLE OVERLINE}",
    "formula": '=HYPERLINK("https://evil.example","open")',
    "turned": "\N{RIGHT-TO-LEFT OVERRIDE}fdp.exe",
}


@dataclass(frozen=True)
class Made:
    """Who makes an object that one form is for."""

    database: Database
    tenant: Tenant
    operator: Caller
    ids: Mapping[str, str]

    async def difference(self) -> dict[str, str]:
        return await planted.difference(self.database)

    async def event(self) -> dict[str, str]:
        seen = {"agent_id": self.ids["own_agent"], "event_type": "quality_reviewed", "score_delta": 0.5}
        return {"event": good(await self.operator.post("/reputation/events", seen, key=new_key()), 201)["id"]}

    async def seller(self) -> dict[str, str]:
        agent = {"name": f"Seller {new_key()}", "visibility": "public"}
        return {"own_agent": good(await self.tenant.owner.post("/agents", agent), 201)["id"]}

    async def purchase_order(self) -> dict[str, str]:
        body = {"agent_id": self.tenant.agent_id, **limiting.SMALL_ORDER}
        made = good(await self.tenant.agent.post("/purchase-orders", body, key=new_key()), 201)
        return {"purchase_order": made["id"]}

    async def secret(self) -> dict[str, str]:
        name = new_key().lower()
        made = await self.tenant.owner.ask("PUT", f"/secrets/api_keys/{name}", json=limiting.SECRET, key=new_key())
        return {"secret": good(made)["path"].replace("/", "~")}

    async def risk_rule(self) -> dict[str, str]:
        body = {**_RISK_RULE, "name": f"rule_{new_key().lower().replace('-', '_')}", "points": ["payment"]}
        body = {**body, "priority": 7, "action": "review"}
        return {"risk_rule": good(await self.operator.post("/risk/rules", body, key=new_key()), 201)["name"]}

    async def blocked(self) -> dict[str, str]:
        return {"risk_decision": await risk.decision(self.database, self.tenant.org_id)}

    async def organization(self) -> dict[str, str]:
        name = {"name": f"Suspended {new_key()}"}
        return {"organization": good(await self.operator.post("/organizations", name), 201)["id"]}


_RISK_RULE: dict[str, Any] = {
    "name": "rule_#",
    "sentence": "Many",
    "points": "payment",
    "expression": "address_declined_1h > 9",
}
_NEXT_MONTH = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
Make = Callable[[Made], Awaitable[dict[str, str]]]


@dataclass(frozen=True)
class Typed:
    """One form.

    Attributes:
        page: of the table, where the form stands.
        route: that it leads to.
        role: who fills it.
        whole: what it is sent with where nothing is at fault; `#` becomes a number of its own.
        shown: fields that take any text, and the page that shows it; empty for the page that the form leads to, None
            for what is kept with the object and shown nowhere.
        checked: fields that take a text of their own kind alone, and what else has to be sent for the field to count.
        follow: the name of the link that leads on to that page, from the one that the form leads to.
        make: makes an object for each time that it is sent, where it can be sent once only.
    """

    page: str
    route: str
    role: str
    whole: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, str | None] = field(default_factory=dict)
    checked: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    follow: str = ""
    make: Make | None = None


def each(*names: str, **also: str) -> dict[str, dict[str, str]]:
    """Return checked fields that count with the same other ones."""
    return dict.fromkeys(names, also)


_AGENT = {"name": "Reader #", "model": "one_time", "amount": "9.99", "currency": "USD"}
_LINE = ("quantity_1", "unit_amount_1")
_WINDOW = ("hour_amount", "hour_uses")
_POOLS = ("reserve", "emergency", "may_draw_reserve", "carry_over")
_POLICY = "/console/{org}/payment-policies/{policy}/change"
_NAMES = ("vendors", "categories")
_POLICY_AMOUNTS = ("free_first_above", "per_purchase", "approval_above", "two_persons_above")
_END = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
_FEE = ("fee_share", "fee_fixed")
_RULE: dict[str, Any] = {
    **each("threshold", "cool_down", "ladder_0_after", ladder_0_role="owner"),
    **each("period", type="runs_out_within", threshold="", measure=""),
    **each("window", metric="credits.used"),
    **each("control_id", metric="spend_control.used", type="above"),
}

_SHARE = {"agent": "{own_agent}", "weight": "1"}

FORMS = (
    Typed(
        "/console/notifications/channels",
        "/notifications/channels",
        "owner",
        whole={"kind": "mail", "target": "kim@acme.example"},
        checked=each("target"),
    ),
    Typed("/console/notifications/channels", "/notifications/channels/{id}/verify", "owner", checked=each("code")),
    Typed(
        "/console/{org}/auto-top-up",
        "/{org}/auto-top-up",
        "owner",
        whole={"below": "50", "credits": "500", "monthly_cap": "2000"},
        checked=each("below", "credits", "monthly_cap"),
    ),
    Typed(
        "/console/{org}/settings/billing",
        "/{org}/settings/billing/profile",
        "owner",
        shown={"legal_name": None, "line1": None, "line2": None, "city": None},
        checked=each("postal_code", "region", "vat_id", "email"),
    ),
    Typed(
        "/console/{org}/settings/billing",
        "/{org}/settings/billing/contacts",
        "owner",
        whole={"mail_language": "en"},
        checked=each("billing", "security"),
    ),
    Typed(
        "/console/notifications/preferences",
        "/notifications/preferences/times",
        "owner",
        checked={
            **each("quiet_hours_starts", quiet_hours_ends="07:00"),
            **each("quiet_hours_ends", quiet_hours_starts="22:00"),
        },
    ),
    Typed(
        "/console/platform/credits",
        "/platform/credits/costs",
        "operator",
        whole={"action": "generate", "cost": "2"},
        shown={"cost_note": None},
        checked=each("cost"),
    ),
    Typed(
        "/console/platform/credits",
        "/platform/credits/grants",
        "operator",
        whole={"receiver": "{org}", "amount": "1", "source": "promotion", "sure": "yes"},
        shown={"note": ""},
        checked=each("amount", "expires"),
    ),
    Typed(
        "/console/platform/invoices/new",
        "/platform/invoices/new",
        "operator",
        whole={"organization_id": "{org}", "currency": "USD", "description_1": "Work", "unit_amount_1": "9.50"},
        shown={"description_1": "", "note": ""},
        checked=each("due_days", *_LINE),
    ),
    Typed(
        "/console/platform/keys/new",
        "/platform/keys/new",
        "operator",
        whole={"principal": "spare-#", "role": "member", "organization_id": "{org}"},
        checked=each("principal", "expires_at"),
    ),
    Typed(
        "/console/platform/organizations/new",
        "/platform/organizations/new",
        "operator",
        whole={"name": "Company #"},
        shown={"name": "", "external_id": ""},
    ),
    Typed(
        "/console/platform/organizations/{organization}",
        "/platform/organizations/{id}/suspend",
        "operator",
        whole={"reason": "Unpaid"},
        shown={"reason": ""},
        make=Made.organization,
    ),
    Typed(
        "/console/platform/organizations/{organization}",
        "/platform/organizations/{id}/close",
        "operator",
        shown={"closing_reason": ""},
        make=Made.organization,
    ),
    Typed(
        "/console/platform/pricing/new",
        "/platform/pricing/new",
        "operator",
        whole={"name": "Rule #", "priority": "#", "terms_threshold": "0.8", "agent_id": "{own_agent}"},
        shown={"name": ""},
        checked=each(
            *("priority", "terms_threshold", "terms_maximum", "terms_full"),
            *("floor", "ceiling", "valid_from", "valid_until"),
        ),
    ),
    Typed(
        "/console/platform/pricing/new?type=volume",
        "/platform/pricing/new",
        "operator",
        whole={"name": "Rule #", "priority": "#", "type": "volume", "terms_from_1": "5", "terms_times_1": "0.9"},
        checked=each("terms_from_1", "terms_times_1"),
    ),
    Typed(
        "/console/platform/pricing/{rule}/change",
        "/platform/pricing/{id}/change",
        "operator",
        shown={"name": ""},
        checked=each(
            *("priority", "terms_from_1", "terms_times_1"),
            *("floor", "ceiling", "valid_from", "valid_until"),
        ),
    ),
    Typed(
        "/console/platform/risk/rules/new",
        "/platform/risk/rules/new",
        "operator",
        whole=_RISK_RULE,
        shown={"sentence": ""},
        checked=each("name", "expression", "priority"),
    ),
    Typed(
        "/console/platform/risk/rules/{risk_rule}/change",
        "/platform/risk/rules/{id}/change",
        "operator",
        whole={"points": "payment"},
        shown={"sentence": ""},
        checked=each("expression", "priority"),
        make=Made.risk_rule,
    ),
    Typed(
        "/console/platform/risk/rules/{risk_rule}/backtest",
        "/platform/risk/rules/{id}/backtest",
        "operator",
        checked=each("from", "to", "expression"),
    ),
    *(
        Typed(
            f"/console/platform/risk/lists/{name}/new",
            f"/platform/risk/lists/{name}/new",
            "operator",
            whole={"kind": "key", "value": "key_#", "reason": "Known", "ends_at": _NEXT_MONTH},
            shown={"reason": ""},
            checked=each("ends_at", "value", kind="address"),
        )
        for name in ("allow", "block")
    ),
    Typed(
        "/console/{org}/reviews/decisions/{risk_decision}/appeal",
        "/{org}/reviews/decisions/{id}/appeal",
        "owner",
        shown={"appeal": ""},
        make=Made.blocked,
    ),
    Typed("/console/platform/billing-runs", "/platform/billing-runs", "operator", checked=each("period")),
    Typed(
        "/console/platform/reconciliation",
        "/platform/reconciliation/runs",
        "operator",
        whole={"company": "stripe"},
        checked=each("since", "until"),
    ),
    Typed(
        "/console/platform/reconciliation/differences/{difference}",
        "/platform/reconciliation/differences/{id}",
        "operator",
        whole={"note": "Rounded", "action": "accept"},
        shown={"note": ""},
        make=Made.difference,
    ),
    Typed(
        "/console/platform/reputation/events/{event}/void",
        "/platform/reputation/events/{id}/void",
        "operator",
        whole={"reason": "Not theirs"},
        shown={"reason": ""},
        make=Made.event,
    ),
    Typed(
        "/console/{org}/agents/new",
        "/{org}/agents/new",
        "owner",
        whole=_AGENT,
        shown={"name": "", "description": ""},
        checked=each("amount"),
    ),
    Typed(
        "/console/{org}/agents/{own_agent}/change",
        "/{org}/agents/{id}/change",
        "owner",
        shown={"name": "", "description": ""},
        checked=each("samples"),
    ),
    Typed(
        "/console/{org}/agents/{own_agent}/offer",
        "/{org}/agents/{id}/offer",
        "owner",
        whole={"model": "one_time", "price": "9.99", "currency": "USD", "summary": "Reads"},
        shown={"summary": "/console/{org}/marketplace/{own_agent}"},
        checked=each("price", "included_uses") | each("prices", model="usage", price="", currency="CREDIT"),
        make=Made.seller,
    ),
    Typed(
        "/console/{org}/agents/{own_agent}",
        "/{org}/agents/{id}/price",
        "owner",
        whole={"model": "one_time", "amount": "9.99", "currency": "USD"},
        checked=each("amount"),
    ),
    Typed(
        "/console/{org}/alerts/settings/endpoints/new",
        "/{org}/alerts/settings/endpoints/new",
        "owner",
        whole={"url": "https://93.184.215.14/in/#", "types": "*"},
        shown={"description": "/console/{org}/alerts/settings/endpoints"},
        checked=each("url", "types"),
        follow="https://93.184.215.14/in/#",
    ),
    Typed(
        "/console/{org}/reports/new",
        "/{org}/reports/new",
        "owner",
        whole={"name": "Report #", "template": "weekly_projects", "format": "csv"},
        shown={"name": ""},
        checked=each("recipients"),
    ),
    Typed("/console/{org}/reports/{report}", "/{org}/reports/{id}/runs", "owner", checked=each("period")),
    Typed(
        "/console/{org}/exports",
        "/{org}/exports",
        "owner",
        whole={"dataset": "entries", "format": "csv", "from": "2026-01-01"},
        checked=each("from", "to", dataset="entries"),
    ),
    Typed(
        "/console/{org}/alerts/settings/rules/new",
        "/{org}/alerts/settings/rules/new",
        "owner",
        whole={
            "name": "rule_#",
            "metric": "credits.available",
            "type": "below",
            "threshold": "50",
            "measure": "absolute",
        },
        shown={"description": ""},
        checked={**each("name"), **_RULE},
        follow="rule_#",
    ),
    Typed(
        "/console/{org}/alerts/settings/rules/{alert_rule}",
        "/{org}/alerts/settings/rules/{id}",
        "owner",
        shown={"description": "/console/{org}/alerts/settings/rules/{alert_rule}"},
        checked=_RULE,
    ),
    Typed(
        "/console/{org}/allocations/set",
        "/{org}/allocations/set",
        "owner",
        whole={"project": "tables", "mode": "propose", "currency": "USD", "daily_amount": "5"},
        checked=each("daily_amount", "floor", "ceiling", "reinvest"),
    ),
    Typed(
        "/console/{org}/budgets/new?subject=run",
        "/{org}/budgets/new",
        "owner",
        whole={"subject": "run", "subject_id": "run-#", "currency": "CREDIT", "time_zone": "UTC", "week_amount": "5"},
        shown={"subject_id": "", "reason": ""},
        checked=each("per_spend", "thresholds", *_POOLS, *_WINDOW),
    ),
    Typed(
        "/console/{org}/budgets/{budget}/change",
        "/{org}/budgets/{id}/change",
        "owner",
        shown={"reason": ""},
        checked=each("per_spend", "thresholds", *_POOLS, *_WINDOW),
    ),
    Typed(
        "/console/{org}/budgets/{budget}/move",
        "/{org}/budgets/{id}/move",
        "owner",
        whole={"from": "reserve", "to": "operating", "amount": "0.01"},
        shown={"reason": None},
        checked=each("amount", reason="The launch is today."),
    ),
    Typed(
        "/console/{org}/budgets/{budget}/emergency",
        "/{org}/budgets/{id}/emergency",
        "owner",
        whole={"lasts": "4"},
        shown={"reason": ""},
    ),
    Typed(
        "/console/{org}/limits/new?subject=run",
        "/{org}/limits/new",
        "owner",
        whole={"subject": "run", "subject_id": "run-#", "currency": "CREDIT", "time_zone": "UTC", "month_amount": "5"},
        shown={"subject_id": "", "reason": ""},
        checked=each("per_spend", "thresholds", *_WINDOW),
    ),
    Typed(
        "/console/{org}/limits/{control}/change",
        "/{org}/limits/{id}/change",
        "owner",
        shown={"reason": ""},
        checked=each("per_spend", "thresholds", *_WINDOW),
    ),
    # A name cannot be allowed and refused, so each form is sent twice.
    *(
        Typed(
            _POLICY,
            "/{org}/payment-policies/{id}/change",
            "owner",
            whole={f"{what}_{other}": "" for what in _NAMES},
            shown={"crypto_reasoning": _POLICY, **{f"{what}_{how}": _POLICY for what in _NAMES}},
            checked=each("answer_within", *_POLICY_AMOUNTS),
        )
        for how, other in (("allowed", "refused"), ("refused", "allowed"))
    ),
    *(
        Typed(
            "/console/{org}/payment-policies/new?subject=agent",
            "/{org}/payment-policies/new",
            "owner",
            whole={"subject": "agent", "subject_id": "{own_agent}", **{f"{what}_{other}": "" for what in _NAMES}},
            shown={"crypto_reasoning": None, **{f"{what}_{how}": None for what in _NAMES}},
            checked=each("answer_within", *_POLICY_AMOUNTS),
            make=Made.seller,
        )
        for how, other in (("allowed", "refused"), ("refused", "allowed"))
    ),
    Typed(
        "/console/{org}/payment-policies/free-options/new",
        "/{org}/payment-policies/free-options/new",
        "owner",
        whole={"name": "Option #", "category": "any"},
        shown={"name": "", "category": "", "address": ""},
        checked=each("quota"),
    ),
    Typed(
        "/console/{org}/payment-policies/free-options/{option}/change",
        "/{org}/payment-policies/free-options/{id}/change",
        "owner",
        shown={"category": "", "address": ""},
        checked=each("quota"),
    ),
    Typed(
        "/console/{org}/payment-policies/methods/new",
        "/{org}/payment-policies/methods/new",
        "owner",
        whole={"name": "method_#", "label": "Method"},
        shown={"label": ""},
        checked=each("name", *_FEE),
    ),
    Typed(
        "/console/{org}/payment-policies/methods/{method}/change",
        "/{org}/payment-policies/methods/{id}/change",
        "owner",
        shown={"label": ""},
        checked=each(*_FEE),
    ),
    Typed(
        "/console/{org}/cards/new",
        "/{org}/cards/new",
        "owner",
        whole={"agent_id": "{own_agent}", "name": "Card #", "currency": "USD"},
        shown={"name": ""},
        checked=each("per_authorization", "per_month"),
    ),
    Typed(
        "/console/{org}/projects/new",
        "/{org}/projects/new",
        "owner",
        whole={"name": "Project #"},
        shown={"name": ""},
        checked=each("slug"),
    ),
    Typed(
        "/console/{org}/purchases/{purchase_order}",
        "/{org}/purchases/{id}/grant",
        "owner",
        shown={"reason": ""},
        make=Made.purchase_order,
    ),
    Typed(
        "/console/{org}/returns/revenue/report",
        "/{org}/returns/revenue/report",
        "owner",
        whole={"source": "ads", "reference": "Line #", "amount": "1", "currency": "USD"},
        shown={"reference": "", "evidence": ""},
        checked=each("amount"),
    ),
    Typed(
        "/console/{org}/returns/revenue/{revenue}",
        "/{org}/returns/revenue/{id}/confirm",
        "owner",
        checked=each("amount"),
    ),
    Typed(
        "/console/{org}/returns/revenue/{revenue}",
        "/{org}/returns/revenue/{id}/share",
        "owner",
        whole={"rule": "manual"} | {f"{name}{n}": text for n in "1234" for name, text in _SHARE.items()},
        checked=each(*(f"weight{n}" for n in "1234")),
    ),
    Typed(
        "/console/{org}/departments/new",
        "/{org}/departments/new",
        "owner",
        whole={"name": "Department #"},
        shown={"name": ""},
    ),
    Typed(
        "/console/{org}/secrets/new",
        "/{org}/secrets/new",
        "owner",
        whole={"path": "api_keys/typed-#", "kind": "api_key", "value": "s3cret"},
        shown={"value": None},
        checked=each("path", "hosts"),
    ),
    Typed(
        "/console/{org}/secrets/{secret}/replace",
        "/{org}/secrets/{id}/replace",
        "owner",
        whole={"value": "s3cret"},
        shown={"value": None},
        checked=each("grace"),
    ),
    Typed(
        "/console/{org}/secrets/{secret}/rotate",
        "/{org}/secrets/{id}/rotate",
        "owner",
        whole={"value": "s3cret"},
        shown={"value": None},
        checked=each("grace"),
        make=Made.secret,
    ),
    Typed(
        "/console/{org}/secrets/{secret}/open",
        "/{org}/secrets/{id}/open",
        "owner",
        whole={"purpose": "To #"},
        shown={"purpose": "/console/{org}/secrets/{secret}"},
        checked=each("version"),
    ),
    Typed(
        "/console/{org}/secrets/grants/new",
        "/{org}/secrets/grants/new",
        "owner",
        whole={
            "agent_id": "{own_agent}",
            "paths": "api_keys/*",
            "hosts": "api.example.com",
            "price": "1",
            "ends_at": _END,
        },
        shown={"meter": ""},
        checked=each("principal", "paths", "hosts", "places", "uses_per_day", "price", "ends_at"),
    ),
    Typed(
        "/console/{org}/people/new",
        "/{org}/people/new",
        "owner",
        whole={"email": "person-#@acme.example", "role": "member"},
        checked=each("email"),
    ),
    Typed(
        "/console/{org}/settings/keys/new",
        "/{org}/settings/keys/new",
        "owner",
        whole={"principal": "spare-#", "role": "member"},
        checked=each("principal", "expires_at"),
    ),
    Typed(
        "/console/{org}/settings/links/new",
        "/{org}/settings/links/new",
        "owner",
        whole={"principal": "guest-#", "role": "member"},
        checked=each("principal", "path", "return_url"),
    ),
    Typed(
        "/console/{org}/escrows/new?agent={offered}",
        "/{org}/escrows/new",
        "owner",
        whole={"title": "Read #", "price": "5.00", "currency": "CREDIT", "fund": ""},
        # An escrow is opened by a run, which there is not here: the award before it is written.
        shown={"title": "/console/{org}/contracts"},
        checked=each(
            *("price", "signatories", "required_signatures", "validation_threshold", "milestones"),
            *("fund_within", "deliver_within", "review_period", "evidence_period", "decision_period"),
            *("default_grace", "dispute_default_payee_share"),
        ),
    ),
)

#: Forms whose commands a run carries out: `browser/test_texts.py` fills them on the stack.
OF_RUNS = {
    "/platform/risk/cases/{id}/decide": {"reason", "days"},
    "/platform/risk/cases/{id}/note": {"note"},
    "/platform/risk/cases/{id}/request-information": {"question"},
    "/{org}/reviews/{id}/answer": {"answer"},
    "/{org}/reviews/{id}/appeal": {"appeal"},
    "/{org}/escrows/{id}/cancel": {"cancel_reason"},
    "/{org}/escrows/{id}/deliver": {"deliver_artifacts", "deliver_note"},
    "/{org}/escrows/{id}/dispute": {"dispute_reason"},
    "/{org}/escrows/{id}/feedback": {"comment"},
    "/{org}/escrows/{id}/resolve": {"resolve_note"},
    "/{org}/escrows/{id}/submit-evidence": {"evidence_note", "evidence_artifacts"},
    "/{org}/escrows/{id}/validate": {"validate_note", "validate_score"},
    "/{org}/disputes/{id}/evidence": {"text"},
    "/{org}/payments/{id}/refund": {"reason"},
}
