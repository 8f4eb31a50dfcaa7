"""Permissions: every endpoint with every role, every id of another organization, and every key of another request."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from api.app import create_app
from domain.common.access import PERMISSIONS, PLATFORM_ROLES, Permission, Role
from domain.risk.case import CaseKind
from domain.tenants.token import split_token
from models.returns.allocation import Allocation
from runtime.database import Database
from runtime.identity import new_id
from services.risk.case import open_case
from tests.api.conftest import TENANT_ROLES, Caller, NewTenant, Tenant, good, new_key, refused, settings_for
from tests.api.invoicing import issue
from tests.api.paying import Written
from tests.api.purchasing import proposed
from tests.api.spending import grant, reserve
from tests.conftest import DatabaseUrls
from tests.support.cards import new_card
from tests.support.cases import for_each
from tests.support.connections import connected
from tests.support.openapi import operations, resolved, served
from tests.support.routes import ROUTES
from tests.support.serving import client_of
from tests.support.webhooks import stored_endpoint

pytestmark = pytest.mark.db

NOBODY = "0" * 26
_BUDGET: dict[str, Any] = {"limits": [{"window": "week", "amount": "1"}]}
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()

#: A pricing rule for an unknown organization, so that it is never created.
RULE = {
    "name": "a",
    "priority": 1,
    "agent_id": f"agt_{NOBODY}",
    "terms": {"type": "tier", "tier": "free", "multiplier": "1.1"},
}

#: A rule against fraud that does not compile, so that it is never created.
RISK_RULE = {"points": ["payment"], "expression": "unknown", "action": "block", "sentence": "a"}

#: Endpoint → what it asks for, and a body that is good as far as the role matters.
ASKED: dict[tuple[str, str], tuple[Permission, dict[str, Any] | None]] = {
    ("POST", "/organizations"): (Permission.MANAGE_ORGANIZATIONS, {"name": "a"}),
    ("GET", "/organizations"): (Permission.READ, None),
    ("POST", "/api-keys"): (Permission.MANAGE_KEYS, {"principal": "nobody", "role": "agent"}),
    ("GET", "/principals"): (Permission.READ_AUDIT, None),
    ("POST", "/invitations"): (Permission.MANAGE_KEYS, {"email": "a@b.example", "role": "agent"}),
    ("POST", "/agents"): (Permission.MANAGE_AGENTS, {"name": "a", "organization_id": f"org_{NOBODY}"}),
    ("GET", "/agents"): (Permission.READ, None),
    ("POST", "/contracts"): (Permission.AWARD, {"agent_id": f"agt_{NOBODY}", "title": "a", "price": "1"}),
    ("GET", "/contracts"): (Permission.READ, None),
    ("POST", "/credits/grants"): (
        Permission.GRANT_CREDITS,
        {"organization_id": f"org_{NOBODY}", "amount": "1", "source": "reward"},
    ),
    ("POST", "/credits/earnings/conversions"): (Permission.CONVERT_EARNINGS, {"agent_id": f"agt_{NOBODY}"}),
    ("POST", "/credits/use"): (Permission.USE_CREDITS, {"amount": "1"}),
    ("POST", "/credits/use/batch"): (Permission.USE_CREDITS, {"items": [{"key": "a", "amount": "1"}]}),
    ("POST", "/credits/reserve"): (Permission.USE_CREDITS, {"amount": "1"}),
    ("POST", "/credits/release"): (Permission.USE_CREDITS, {"reservation_id": f"hold_{NOBODY}"}),
    ("POST", f"/credits/reservations/hold_{NOBODY}/capture"): (Permission.USE_CREDITS, {}),
    ("POST", f"/credits/reservations/hold_{NOBODY}/extend"): (Permission.USE_CREDITS, {"expires_in": "PT1H"}),
    ("POST", f"/credits/spends/spd_{NOBODY}/refunds"): (Permission.GRANT_CREDITS, {}),
    ("PUT", "/billing/auto-topup"): (Permission.PAY, {"below": "1", "credits": "1", "monthly_cap": "1"}),
    ("GET", "/exchange-rates"): (Permission.READ, None),
    ("GET", "/analytics/forecast"): (Permission.READ_BILLING, None),
    ("GET", "/economics/models"): (Permission.READ_BILLING, None),
    ("GET", "/economics/models/compare"): (Permission.READ_BILLING, None),
    ("GET", "/analytics/metrics"): (Permission.READ_BILLING, None),
    ("GET", "/analytics/spent"): (Permission.READ_BILLING, None),
    ("POST", "/analytics/query"): (Permission.READ_BILLING, {"metrics": ["credits.used"], "from": "2026-01-01"}),
    ("GET", "/accounting/trial-balance"): (Permission.READ_BOOKS, None),
    ("GET", "/accounting/profit-and-loss"): (Permission.READ_BOOKS, None),
    ("GET", "/accounting/balance-sheet"): (Permission.READ_BOOKS, None),
    ("GET", "/accounting/journal"): (Permission.READ_BOOKS, None),
    ("POST", "/exchange-rates"): (Permission.OPERATE, {"base": "USD", "quote": "USD", "rate": "1"}),
    ("GET", "/credits/costs"): (Permission.READ, None),
    ("GET", "/credits/lots"): (Permission.READ_BILLING, None),
    ("PUT", "/credits/costs/some_action"): (Permission.OPERATE, {"cost": None}),
    ("GET", "/credits/costs/some_action/versions"): (Permission.READ, None),
    ("POST", "/payments"): (Permission.PAY, {"amount": "1", "currency": "USD"}),
    ("POST", "/payments/create"): (Permission.PAY, {"amount": "1", "currency": "USD"}),
    ("POST", "/billing/topup"): (Permission.PAY, {"amount": "100"}),
    ("POST", "/payments/credits/purchase"): (Permission.PAY, {"amount": "100"}),
    ("POST", "/billing/purchase-credits"): (Permission.PAY, {"package": "pack_100", "payment_method": "pm_1"}),
    ("POST", "/billing/credits/purchase"): (Permission.PAY, {"package": "pack_100"}),
    ("POST", "/billing/customer"): (Permission.PAY, None),
    ("POST", "/billing/setup-intent"): (Permission.PAY, None),
    ("POST", "/billing/payouts"): (Permission.PAY_OUT, {}),
    ("POST", f"/billing/payouts/po_{NOBODY}/give-up"): (Permission.OPERATE, {"reason": "x"}),
    ("GET", "/approvals"): (Permission.INSPECT, None),
    ("GET", "/billing/statements/2020-01"): (Permission.READ_BILLING, None),
    ("GET", "/billing/statements/2020-01/pdf"): (Permission.READ_BILLING, None),
    ("GET", f"/billing/statements/2020-01/corrections/stc_{NOBODY}/pdf"): (Permission.READ_BILLING, None),
    ("GET", "/billing/creators/totals"): (Permission.READ_BOOKS, None),
    ("POST", f"/approvals/apv_{NOBODY}/approve"): (Permission.OPERATE, {}),
    ("POST", f"/approvals/apv_{NOBODY}/reject"): (Permission.OPERATE, {}),
    ("POST", "/billing/earnings/waivers"): (Permission.PAY_OUT, {"currency": "USD", "amount": "1"}),
    ("PUT", "/billing/payouts/schedule"): (Permission.PAY_OUT, {"interval": "daily"}),
    ("POST", "/billing/connect"): (Permission.PAY_OUT, {"return_url": "https://example.com"}),
    ("POST", "/billing/portal"): (Permission.PAY, None),
    ("GET", "/billing/portal"): (Permission.PAY, None),
    ("POST", "/billing/invoices"): (
        Permission.OPERATE,
        {
            "organization_id": f"org_{NOBODY}",
            "currency": "USD",
            "lines": [{"description": "a", "unit_amount": "1"}],
        },
    ),
    ("GET", "/billing/invoices/upcoming"): (Permission.READ_BILLING, None),
    ("GET", "/exports"): (Permission.READ_BILLING, None),
    ("POST", "/exports"): (Permission.READ_BILLING, {"dataset": "usage", "from": "2026-01-01T00:00:00Z"}),
    ("GET", "/billing/runs"): (Permission.INSPECT, None),
    ("GET", "/billing/runs/2020-01"): (Permission.INSPECT, None),
    ("POST", "/billing/runs"): (Permission.OPERATE, {"period": "9000-01"}),
    ("POST", "/billing/invoice-items"): (
        Permission.OPERATE,
        {"organization_id": f"org_{NOBODY}", "currency": "USD", "description": "a", "unit_amount": "1"},
    ),
    ("PUT", "/billing/profile"): (Permission.MANAGE_BILLING, {}),
    ("PUT", "/billing/profile/decisions"): (Permission.OPERATE, {"organization_id": f"org_{NOBODY}"}),
    ("GET", "/tax-rates"): (Permission.INSPECT, None),
    ("POST", "/tax-rates"): (
        Permission.OPERATE,
        {"code": "access", "country": "AQ", "rate": "0", "valid_from": "2026-01-01T00:00:00Z"},
    ),
    ("POST", "/projects"): (Permission.MANAGE_PROJECTS, {"slug": "a"}),
    ("POST", "/spend-controls"): (
        Permission.MANAGE_SPENDING,
        {"subject": {"type": "run", "id": "a"}, "organization_id": f"org_{NOBODY}"},
    ),
    ("POST", "/purchase-orders"): (
        Permission.USE_CREDITS,
        {"agent_id": f"agt_{NOBODY}", "currency": "USD", **dict.fromkeys(("item", "vendor", "category", "why"), "a")}
        | {"amount": "1"},
    ),
    ("POST", "/cards"): (
        Permission.MANAGE_BILLING,
        {"agent_id": f"agt_{NOBODY}", "name": "a", "currency": "USD", "organization_id": f"org_{NOBODY}"},
    ),
    ("POST", "/trials"): (
        Permission.MANAGE_SPENDING,
        {
            **{"agent_id": f"agt_{NOBODY}", "amount": "1", "currency": "USD"},
            "stages": [{"due_at": TOMORROW, "share": "1"}],
        },
    ),
    ("POST", "/routing/decisions"): (Permission.USE_CREDITS, {"task_kind": "a", "candidates": ["a"]}),
    ("POST", "/revenue"): (Permission.METER, {"source": "escrow", "reference": "a", "amount": "1", "currency": "USD"}),
    ("POST", "/revenue/confirm"): (
        Permission.MANAGE_BILLING,
        {"source": "ads", "lines": [{"reference": "nobody's", "amount": "1", "currency": "USD"}]},
    ),
    ("GET", "/economics/roi"): (Permission.READ_BILLING, None),
    ("POST", "/budgets"): (
        Permission.MANAGE_SPENDING,
        {**_BUDGET, "subject": {"type": "run", "id": "a"}, "organization_id": f"org_{NOBODY}"},
    ),
    ("PUT", "/budgets/prompt-template"): (Permission.MANAGE_SPENDING, {"template": "{name}"}),
    ("POST", "/departments"): (Permission.MANAGE_SPENDING, {"name": "a", "organization_id": f"org_{NOBODY}"}),
    ("PUT", "/payment-policies"): (
        Permission.MANAGE_SPENDING,
        {"subject": {"type": "organization"}, "organization_id": f"org_{NOBODY}"},
    ),
    ("PUT", "/free-options"): (
        Permission.MANAGE_SPENDING,
        {"name": "a", "category": "a", "organization_id": f"org_{NOBODY}"},
    ),
    ("PUT", "/purchase-methods"): (
        Permission.MANAGE_SPENDING,
        {"name": "a", "label": "a", "kind": "card", "organization_id": f"org_{NOBODY}"},
    ),
    ("POST", "/projects/deployment/purchase-slot"): (Permission.PAY, {}),
    ("POST", "/results"): (Permission.METER, {"run_id": "r", "task_kind": "a", "score": "1"}),
    ("POST", "/usage/events"): (Permission.METER, {"specversion": "1.0", "id": "a", "source": "a", "type": "a"}),
    ("POST", "/usage/estimate"): (Permission.READ, {"model": "nobody's", "usage": {"input_tokens": 1}}),
    ("POST", "/billing/usage/sync"): (Permission.OPERATE, {}),
    ("POST", f"/usage/charges/uev_{NOBODY}/void"): (
        Permission.OPERATE,
        {"organization_id": f"org_{NOBODY}", "reason": "a"},
    ),
    ("POST", "/usage/meters"): (
        Permission.MANAGE_METERS,
        {"name": "access", "event_type": "of-no-event", "aggregation": "count"},
    ),
    ("GET", "/billing/credit-packages"): (Permission.READ, None),
    ("GET", "/billing/plans"): (Permission.READ, None),
    ("GET", "/events/catalogue"): (Permission.READ, None),
    ("POST", "/billing/subscribe"): (Permission.MANAGE_BILLING, {"plan": "nobodys"}),
    ("POST", "/billing/subscription"): (Permission.MANAGE_BILLING, {"plan": "nobodys"}),
    ("PUT", "/billing/subscription"): (Permission.MANAGE_BILLING, {"plan": "starter"}),
    ("DELETE", "/billing/subscription"): (Permission.MANAGE_BILLING, None),
    ("GET", "/billing/subscription/preview"): (Permission.MANAGE_BILLING, None),
    ("POST", "/billing/cancel"): (Permission.MANAGE_BILLING, None),
    ("POST", "/billing/subscription/resume"): (Permission.MANAGE_BILLING, None),
    ("GET", "/billing/entitlements/deploys/check"): (Permission.READ, None),
    ("GET", "/mail-suppressions"): (Permission.INSPECT, None),
    ("POST", f"/mail-suppressions/sup_{NOBODY}/lift"): (Permission.OPERATE, {}),
    ("GET", "/audit"): (Permission.READ_AUDIT, None),
    ("GET", "/sessions/links"): (Permission.MANAGE_KEYS, None),
    ("POST", "/sessions/links"): (
        Permission.MANAGE_KEYS,
        {"principal": "a", "role": "finance", "organization_id": f"org_{NOBODY}"},
    ),
    ("POST", f"/alerts/alr_{NOBODY}/acknowledge"): (Permission.ACKNOWLEDGE, {}),
    ("POST", f"/alerts/alr_{NOBODY}/resolve"): (Permission.ACKNOWLEDGE, {}),
    ("POST", f"/alerts/alr_{NOBODY}/snooze"): (Permission.ACKNOWLEDGE, {"until": TOMORROW}),
    ("GET", "/reconciliation/runs"): (Permission.INSPECT, None),
    ("GET", f"/reconciliation/runs/rcn_{NOBODY}"): (Permission.INSPECT, None),
    ("POST", "/reconciliation/runs"): (
        Permission.OPERATE,
        {"provider": "nobody", "from": "2026-01-30T00:00:00Z", "to": "2026-01-31T00:00:00Z"},
    ),
    ("GET", "/reconciliation/differences"): (Permission.INSPECT, None),
    ("GET", f"/reconciliation/differences/dif_{NOBODY}"): (Permission.INSPECT, None),
    ("POST", f"/reconciliation/differences/dif_{NOBODY}/resolution"): (Permission.OPERATE, {"action": "accept"}),
    ("GET", "/reconciliation/clearing/nobody"): (Permission.INSPECT, None),
    ("GET", "/marketplace/agents"): (Permission.READ, None),
    ("GET", "/reputation/leaderboard"): (Permission.READ, None),
    ("GET", "/reputation/distribution"): (Permission.INSPECT, None),
    ("GET", f"/reputation/events/rev_{NOBODY}"): (Permission.INSPECT, None),
    ("GET", "/reputation/feedback"): (Permission.READ, None),
    ("POST", "/reputation/feedback"): (
        Permission.DISPUTE,
        {"contract_id": f"ctr_{NOBODY}", "ratings": {"quality": 5}},
    ),
    ("POST", "/reputation/events"): (
        Permission.OPERATE,
        {"agent_id": f"agt_{NOBODY}", "event_type": "task_completed"},
    ),
    ("GET", "/reputation/levels"): (Permission.READ, None),
    ("PUT", "/reputation/levels"): (Permission.OPERATE, {"levels": []}),
    ("GET", "/pricing/rules"): (Permission.INSPECT, None),
    ("POST", "/pricing/rules"): (Permission.OPERATE, RULE),
    ("POST", "/pricing/rules/dry-run"): (Permission.OPERATE, {"rule": RULE}),
    ("GET", f"/pricing/rules/prl_{NOBODY}"): (Permission.INSPECT, None),
    ("PUT", f"/pricing/rules/prl_{NOBODY}"): (Permission.OPERATE, RULE),
    ("DELETE", f"/pricing/rules/prl_{NOBODY}"): (Permission.OPERATE, None),
    ("GET", "/risk/models"): (Permission.RISK_READ, None),
    ("GET", "/risk/rules"): (Permission.RISK_READ, None),
    ("POST", "/risk/rules"): (Permission.RISK_RULES, {"name": "a", **RISK_RULE}),
    ("GET", "/risk/rules/some_rule"): (Permission.RISK_READ, None),
    ("PUT", "/risk/rules/some_rule"): (Permission.RISK_RULES, RISK_RULE),
    ("POST", "/risk/rules/some_rule/activate"): (Permission.RISK_RULES, {"mode": "off", "version": 1}),
    ("POST", "/risk/rules/some_rule/backtest"): (
        Permission.RISK_RULES,
        {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"},
    ),
    ("GET", "/risk/lists/some_list/items"): (Permission.RISK_READ, None),
    ("POST", "/risk/lists/some_list/items"): (
        Permission.RISK_RULES,
        {"entity": {"kind": "key", "value": "a"}, "reason": "a", "ends_at": TOMORROW},
    ),
    ("DELETE", f"/risk/lists/some_list/items/rli_{NOBODY}"): (Permission.RISK_RULES, None),
    ("POST", "/risk/labels"): (Permission.RISK_DECIDE, {"decision_id": f"rsd_{NOBODY}", "label": "fraud"}),
    ("POST", "/risk/evaluate"): (
        Permission.RISK_DECIDE,
        {"event": "login", "subject": "a", "organization_id": f"org_{NOBODY}"},
    ),
    ("GET", "/alert-rules/metrics"): (Permission.READ, None),
    ("POST", "/alert-rules"): (
        Permission.MANAGE_ALERT_RULES,
        {"name": "BAD", "metric": "credits.available", "condition": {"type": "below", "threshold": "1"}},
    ),
    ("GET", "/reports/templates"): (Permission.READ_BILLING, None),
    ("POST", "/reports"): (
        Permission.MANAGE_REPORTS,
        {"name": "Bad", "query": [{"metrics": ["no.such"]}], "schedule": "daily"},
    ),
    ("GET", "/notifications"): (Permission.BE_NOTIFIED, None),
    ("POST", "/notifications/read"): (Permission.BE_NOTIFIED, {}),
    ("POST", f"/notifications/ntf_{NOBODY}/read"): (Permission.BE_NOTIFIED, None),
    ("GET", "/notifications/preferences"): (Permission.BE_NOTIFIED, None),
    ("PUT", "/notifications/preferences"): (Permission.BE_NOTIFIED, {}),
    ("GET", "/notifications/channels"): (Permission.BE_NOTIFIED, None),
    ("POST", "/notifications/channels"): (Permission.BE_NOTIFIED, {"kind": "mail", "address": "access@example.com"}),
    ("DELETE", f"/notifications/channels/nch_{NOBODY}"): (Permission.BE_NOTIFIED, None),
    ("POST", f"/notifications/channels/nch_{NOBODY}/verify"): (Permission.BE_NOTIFIED, {"code": "000000"}),
    ("POST", f"/notifications/channels/nch_{NOBODY}/resend"): (Permission.BE_NOTIFIED, None),
    ("GET", "/notifications/defaults"): (Permission.INSPECT, None),
    ("PUT", "/notifications/defaults/some_type"): (Permission.OPERATE, {"roles": {}}),
    ("DELETE", "/notifications/defaults/some_type"): (Permission.OPERATE, None),
    ("GET", "/webhooks/events"): (Permission.INSPECT, None),
    ("POST", "/webhooks/events/1/retry"): (Permission.OPERATE, None),
    ("GET", "/webhook-endpoints"): (Permission.READ_WEBHOOKS, None),
    ("PUT", "/analytics/peers/consent"): (Permission.CHANGE_ORGANIZATION, {"agrees": False}),
    ("POST", "/analytics/insights/unused-x/dismiss"): (Permission.ACKNOWLEDGE, None),
    ("POST", "/analytics/insights/unused-x/take"): (Permission.ACKNOWLEDGE, None),
    ("POST", "/analytics/insights/unused-x/approve"): (Permission.MANAGE_SPENDING, None),
    ("GET", "/secrets/some_secret"): (Permission.READ, None),
    ("PUT", "/secrets/some_secret"): (Permission.MANAGE_SECRETS, {"kind": "api_key", "value": "a"}),
    ("POST", "/secrets/some_secret/rotate"): (Permission.MANAGE_SECRETS, {}),
    ("POST", "/secrets/some_secret/rotate/stop"): (Permission.MANAGE_SECRETS, {}),
    ("GET", "/secrets/some_secret/access"): (Permission.READ_AUDIT, None),
    ("DELETE", "/secrets/some_secret/versions/1"): (Permission.MANAGE_SECRETS, None),
    ("POST", "/secrets/grants"): (
        Permission.MANAGE_SECRETS,
        {"principal": "nobody", "paths": ["api_keys/*"], "verbs": ["read"], "ends_at": TOMORROW},
    ),
    ("DELETE", f"/secrets/grants/sgr_{NOBODY}"): (Permission.MANAGE_SECRETS, None),
    ("POST", "/webhook-endpoints"): (
        Permission.MANAGE_WEBHOOKS,
        {"url": "https://example.com:1/", "types": ["*"], "organization_id": f"org_{NOBODY}"},
    ),
}
#: The placeholders of objects in the paths above.
STAND_INS = {
    f"alr_{NOBODY}": "{alert_id}",
    f"hold_{NOBODY}": "{reservation_id}",
    f"spd_{NOBODY}": "{spend_id}",
    f"prl_{NOBODY}": "{rule_id}",
    f"rcn_{NOBODY}": "{run_id}",
    f"rev_{NOBODY}": "{event_id}",
    f"uev_{NOBODY}": "{event_id}",
    f"dif_{NOBODY}": "{difference_id}",
    f"apv_{NOBODY}": "{approval_id}",
    f"po_{NOBODY}": "{payout_id}",
    f"stc_{NOBODY}": "{correction_id}",
    f"sup_{NOBODY}": "{suppression_id}",
    f"ntf_{NOBODY}": "{notification_id}",
    f"nch_{NOBODY}": "{channel_id}",
    "2020-01": "{period}",
    "nobody": "{provider}",
    "some_action": "{action}",
    "some_type": "{notification_type}",
    "deploys": "{entitlement}",
    "1": "{number}",
    "unused-x": "{insight_id}",
    "some_secret": "{path:path}",
    f"sgr_{NOBODY}": "{grant_id}",
    "some_rule": "{name}",
    "some_list": "{name}",
    f"rli_{NOBODY}": "{item_id}",
}


@pytest.fixture(scope="module")
async def callers(tenant: Tenant, operator: Caller, issue_key: Callable[..., Awaitable[Caller]]) -> dict[str, Caller]:
    platform = {role: await issue_key(role) for role in ("arbiter", "validator", "accountant", "platform_auditor")}
    return {**tenant.callers, **platform, "operator": operator}


@for_each("method, path", list(ASKED))
async def test_each_role_is_refused_exactly_its_forbidden_operations(
    method: str, path: str, callers: dict[str, Caller]
) -> None:
    permission, body = ASKED[method, path]
    answers = {role: await callers[role].ask(method, path, key=new_key(), json=body) for role in Role}
    refusing = {role for role, response in answers.items() if response.status_code in {401, 403}}
    assert refusing == {role for role in Role if permission not in PERMISSIONS[role]}
    for role in refusing:
        refused(answers[role], 403, "auth.forbidden")


#: Reads that are no GET: the cost of usage, queries of metrics, and exports of data to files.
READING = {("POST", "/usage/estimate"), ("POST", "/analytics/query"), ("POST", "/exports")}


def test_auditor_of_the_platform_has_all_reads_and_nothing_else() -> None:
    commanding = {permission for key, (permission, _) in ASKED.items() if key[0] != "GET" and key not in READING}
    assert not PERMISSIONS[Role.PLATFORM_AUDITOR] & commanding
    assert (
        {
            *(Permission.READ, Permission.READ_BILLING, Permission.READ_AUDIT),
            Permission.READ_WEBHOOKS,
            Permission.READ_BOOKS,
        }
        < PERMISSIONS[Role.PLATFORM_AUDITOR]
        <= PERMISSIONS[Role.OPERATOR]
    )


def endpoints() -> set[tuple[str, str]]:
    """Return the operations of this table; those of escrows have a separate table."""
    return {(method, route.path) for route in ROUTES if "escrow" not in route.path for method in route.methods or ()}


OBJECTS = {
    *((method, "/organizations/{organization_id}") for method in ("GET", "PATCH")),
    ("DELETE", "/billing/invoice-items/{item_id}"),
    ("PUT", "/organizations/{organization_id}/tier"),
    *(("POST", f"/organizations/{{organization_id}}/{path}") for path in ("suspend", "resume", "close")),
    *((method, "/organizations/{organization_id}/contacts") for method in ("GET", "PATCH", "PUT")),
    *((method, "/organizations/{organization_id}/logo") for method in ("DELETE", "GET", "PUT")),
    *((method, "/organizations/{organization_id}/billing-terms") for method in ("GET", "PUT")),
    *((method, "/projects/{slug}") for method in ("GET", "PATCH")),
    *((method, "/credits/grants/{grant_id}") for method in ("GET", "PATCH")),
    ("PATCH", "/contracts/{contract_id}"),
    ("PATCH", "/payments/{payment_id}"),
    ("PATCH", "/billing/invoices/{invoice_id}"),
    ("POST", "/projects/{slug}/deploy"),
    ("DELETE", "/projects/{slug}/deploy"),
    ("DELETE", "/api-keys/{key_id}"),
    ("DELETE", "/principals/{principal}"),
    ("DELETE", "/sessions/{session_id}"),
    ("DELETE", "/sessions/links/{link_id}"),
    ("GET", "/usage/meters/{meter_id}"),
    ("DELETE", "/usage/meters/{meter_id}"),
    ("POST", "/usage/meters/{meter_id}/charge"),
    ("GET", "/usage/runs/{run_id}"),
    ("PUT", "/api-keys/{key_id}/attribution"),
    *((method, "/agents/{agent_id}") for method in ("GET", "PATCH")),
    *((method, "/agents/{agent_id}/attribution") for method in ("GET", "PUT")),
    *((method, "/agents/{agent_id}/picture") for method in ("DELETE", "GET", "PUT")),
    ("PUT", "/agents/{agent_id}/category"),
    ("POST", "/agents/{agent_id}/retire"),
    *((method, "/marketplace/agents/{agent_id}") for method in ("GET", "PUT")),
    ("POST", "/marketplace/agents/{agent_id}/purchase"),
    *(("POST", f"/marketplace/purchases/{{purchase_id}}/{path}") for path in ("refund", "cancel")),
    *(("GET", f"/marketplace/purchases/{{purchase_id}}{path}") for path in ("", "/actions")),
    *((method, "/credits/departments/{department_id}/limits") for method in ("GET", "PUT")),
    *((method, "/spend-controls/{control_id}") for method in ("GET", "PUT")),
    *(("GET", f"/spend-controls/{{control_id}}/{path}") for path in ("versions", "spends", "refusals")),
    *(("POST", f"/spend-controls/{{control_id}}/{path}") for path in ("freeze", "unfreeze", "close")),
    *((method, "/budgets/{budget_id}") for method in ("GET", "PUT")),
    *(("GET", f"/budgets/{{budget_id}}/{path}") for path in ("versions", "spends", "refusals")),
    *(("POST", f"/budgets/{{budget_id}}/{path}") for path in ("freeze", "unfreeze", "close", "pools/move")),
    *(("POST", f"/budgets/{{budget_id}}/{path}") for path in ("emergency", "emergency/end")),
    ("GET", "/agents/{agent_id}/prompt"),
    *((method, "/projects/{slug}/allocation") for method in ("GET", "PUT")),
    *(("GET", "/allocations/{allocation_id}"), ("POST", "/allocations/{allocation_id}/accept")),
    *((method, "/pricing/agents/{agent_id}") for method in ("GET", "PUT")),
    *(("GET", f"/payments/pricing/{{agent_id}}{path}") for path in ("", "/explanation", "/quotes/{quote_id}")),
    ("POST", "/payments/pricing/{agent_id}/quotes"),
    *(("GET", f"/reputation/score/{{agent_id}}{path}") for path in ("", "/explanation")),
    *(("GET", f"/reputation/{path}/{{agent_id}}") for path in ("peers", "history", "levels")),
    ("GET", "/reputation/clients/{organization_id}"),
    ("PUT", "/reputation/feedback/{feedback_id}"),
    ("POST", "/reputation/events/{event_id}/void"),
    ("GET", "/departments/{department_id}"),
    ("GET", "/credits/reservations/{reservation_id}"),
    *(("GET", f"/credits/spends/{{spend_id}}{path}") for path in ("", "/refunds")),
    ("POST", "/departments/{department_id}/close"),
    *((method, "/purchase-orders/{purchase_order_id}") for method in ("GET", "PATCH")),
    *(
        ("POST", f"/purchase-orders/{{purchase_order_id}}/{path}")
        for path in (
            "attempts",
            "attempts/{number}/result",
            "abandon",
            "refunds",
            "cancel",
            "confirm",
            "grant",
            "refuse",
        )
    ),
    *(("GET", f"/cards/{{card_id}}{path}") for path in ("", "/transactions")),
    *(("POST", f"/cards/{{card_id}}/{path}") for path in ("freeze", "unfreeze", "close", "display")),
    ("GET", "/routing/decisions/{decision_id}"),
    ("POST", "/routing/decisions/{decision_id}/outcome"),
    ("GET", "/risk/decisions/{decision_id}"),
    ("GET", "/revenue/{revenue_id}"),
    *(("POST", f"/revenue/{{revenue_id}}/{path}") for path in ("confirm", "reject", "reverse")),
    ("PUT", "/revenue/{revenue_id}/shares"),
    *((method, "/payment-policies/{policy_id}") for method in ("GET", "DELETE")),
    ("DELETE", "/free-options/{option_id}"),
    ("DELETE", "/purchase-methods/{purchase_method_id}"),
    ("GET", "/contracts/{contract_id}"),
    ("POST", "/contracts/{contract_id}/acceptance"),
    *(
        ("GET", f"/payments/{{payment_id}}{path}")
        for path in ("", "/timeline", "/refunds", "/receipt", "/receipts", "/actions")
    ),
    ("GET", "/payments/{payment_id}/receipts/{receipt_id}/pdf"),
    *(("POST", f"/payments/{{payment_id}}/{path}") for path in ("confirm", "capture", "cancel", "refunds")),
    ("POST", "/payments/{payment_id}/refunds/{refund_id}/give-up"),
    ("PUT", "/billing/payment-methods/{method_id}/default"),
    ("DELETE", "/billing/payment-methods/{method_id}"),
    ("GET", "/billing/invoices/{invoice_id}"),
    ("GET", "/organizations/{organization_id}/summary"),
    ("GET", "/ledger/transfers/{transfer_id}"),
    *(
        ("POST", f"/billing/invoices/{{invoice_id}}/{path}")
        for path in ("void", "pay", "finalize", "mark-uncollectible", "resume", "credit-notes", "collection", "charge")
    ),
    *((method, "/billing/invoices/{invoice_id}") for method in ("PUT", "DELETE")),
    *(("GET", f"/billing/invoices/{{invoice_id}}/{path}") for path in ("pdf", "xml", "collection")),
    ("GET", "/billing/invoices/{invoice_id}/credit-notes/{credit_note_id}/pdf"),
    ("GET", "/disputes/{dispute_id}"),
    ("GET", "/billing/payouts/{payout_id}"),
    ("POST", "/disputes/{dispute_id}/evidence"),
    *(("GET", f"/exports/{{export_id}}{path}") for path in ("", "/files/{number}")),
    *((method, "/webhook-endpoints/{endpoint_id}") for method in ("GET", "PATCH", "DELETE")),
    ("GET", "/risk/cases/{case_id}"),
    *(("POST", f"/risk/cases/{{case_id}}/{path}") for path in ("assign", "note", "request-information", "decide")),
    *(("POST", f"/risk/cases/{{case_id}}/{path}") for path in ("answer", "appeal")),
    ("POST", "/risk/decisions/{decision_id}/appeal"),
    *(("POST", f"/webhook-endpoints/{{endpoint_id}}/{path}") for path in ("rotate-secret", "test", "replay")),
    *((method, "/alert-rules/{rule_id}") for method in ("GET", "PUT", "DELETE")),
    *((method, "/reports/{report_id}") for method in ("GET", "PUT", "DELETE")),
    *((method, "/reports/{report_id}/runs") for method in ("GET", "POST")),
    ("GET", "/reports/{report_id}/runs/{number}/file"),
    ("GET", "/webhook-endpoints/{endpoint_id}/deliveries"),
    ("POST", "/webhook-deliveries/{delivery_id}/retry"),
}
OWN_DATA = {
    ("GET", path)
    for path in (
        *("/billing/balance", "/credits/balance", "/payments/credits/balance", "/billing/credits"),
        *(
            "/billing/activity",
            "/economics/log",
            "/billing/transactions",
            "/credits/transactions",
            "/credits/usage",
            "/credits/usage/summary",
            "/credits/stats",
            "/credits/lots",
            "/credits/grants",
            "/credits/earnings",
            "/billing/auto-topup",
        ),
        *("/payments", "/payments/summary", "/billing/payments", "/billing/credits/history", "/disputes"),
        *(
            "/billing/profile",
            "/billing/invoices",
            "/billing/invoice-items",
            "/alerts",
            "/tasks",
            "/alert-rules",
            "/reports",
            "/events",
            "/changes",
            "/changes/stream",
            "/billing/quote",
            "/names",
            "/series",
            "/analytics/insights",
            "/analytics/peers",
            "/departments",
            "/api-keys",
            "/spend-controls",
            "/spend-controls/refusals",
            "/purchase-orders",
            "/cards",
            "/allocations",
            "/trials",
            "/routing/decisions",
            "/risk/decisions",
            "/secrets",
            "/secrets/grants",
            "/revenue",
            "/budgets",
            "/budgets/prompt-template",
            "/risk/cases",
        ),
        *("/payment-policies", "/payment-policies/effective", "/free-options", "/purchase-methods"),
        *("/billing/usage", "/billing/usage/logs", "/usage/logs", "/usage/meters"),
        *("/billing/customer", "/billing/payment-methods", "/projects", "/projects/deployment/limits"),
        *("/marketplace/library", "/referrals"),
        *("/billing/subscription", "/billing/entitlements", "/billing/connect", "/billing/earnings"),
        *("/billing/summary", "/billing/statement", "/billing/balances", "/search"),
        *("/billing/payouts", "/billing/payouts/preview", "/billing/payouts/schedule"),
    )
}
#: Operations for every key; `tests/api/test_sessions.py` checks their answers.
EVERYBODY = {
    *(("GET", path) for path in ("/me", "/sessions")),
    ("PUT", "/me/preferences"),
    ("POST", "/sessions"),
}
#: Operations that need a grant, for every role; `tests/api/test_secrets.py` checks their answers.
GRANTED = {("POST", f"/secrets/{{path:path}}/{verb}") for verb in ("open", "use")}
#: Signed by their senders.
WEBHOOKS = {
    *("/webhooks/stripe", "/billing/webhooks/stripe", "/billing/stripe/webhook", "/webhooks/paypal"),
    *("/webhooks/mail-bounces", "/webhooks/stripe/issuing"),
}
#: They take the token of a link, or the address that it is mailed to, instead of a key.
BY_LINK = {"/sessions/links/preview", "/sessions/redeem", "/sessions/mail"}
OPEN = {("GET", path) for path in ("/healthz", "/readyz", "/billing/config")} | {
    ("POST", path) for path in WEBHOOKS | BY_LINK
}


def test_every_endpoint_is_in_a_table() -> None:
    tabled = {(method, "/".join(STAND_INS.get(part, part) for part in path.split("/"))) for method, path in ASKED}
    assert endpoints() == tabled | OBJECTS | OWN_DATA | EVERYBODY | GRANTED | OPEN


@for_each("method, path", sorted(endpoints() - OPEN))
async def test_every_endpoint_asks_for_a_key(method: str, path: str, anonymous: Caller) -> None:
    body = next((body for (verb, other), (_, body) in ASKED.items() if (verb, other) == (method, path)), None)
    response = await anonymous.ask(method, path, json=body)
    refused(response, 401, "auth.missing")
    assert response.headers["www-authenticate"].startswith("Bearer")


@for_each(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "bsk_x",
        "Bearer x",
        "Bearer bsk_" + NOBODY + "_" + "0" * 64,
        "Bearer bsk_" + NOBODY + "_" + "0" * 63,
        "Bearer " + "x" * 10_000,
        "Bearer bsk_\xff",
    ],
)
async def test_bad_credentials_are_401(header: str, anonymous: Caller) -> None:
    response = await anonymous.http.get("/api/v1/agents", headers=[(b"Authorization", header.encode("latin-1"))])
    assert response.status_code == 401
    assert response.json()["code"] in {"auth.missing", "auth.invalid"}


async def test_right_id_with_wrong_secret_is_401(tenant: Tenant) -> None:
    token = tenant.owner.token or ""
    forged = token[:-1] + ("0" if token[-1] != "0" else "1")
    refused(await Caller(tenant.owner.http, forged).get("/agents"), 401, "auth.invalid")


async def test_operator_key_cannot_be_had_by_a_tenant_of_the_same_principal(tenant: Tenant, operator: Caller) -> None:
    good(await tenant.owner.post("/api-keys", {"principal": "root", "role": "member"}), 201)
    refused(await tenant.owner.post("/organizations", {"name": "x"}), 403, "auth.forbidden")


@pytest.fixture(scope="module")
async def foreign(stranger: Tenant, operator: Caller, database: Database) -> dict[str, str]:
    """Return one id of each kind that belongs only to the stranger."""
    pricing = {"model": "one_time", "amount": "1"}
    listing = {"name": "hidden", "visibility": "private", "pricing": pricing}
    agent = good(await stranger.owner.post("/agents", listing), 201)
    quote = good(await stranger.owner.post(f"/payments/pricing/{agent['id']}/quotes", {}), 201)
    contract = good(
        await stranger.owner.post("/contracts", {"agent_id": agent["id"], "title": "hidden", "price": "1"}), 201
    )
    project = good(await stranger.owner.post("/projects", {"slug": "hidden"}), 201)
    department = good(await stranger.owner.post("/departments", {"name": "hidden"}), 201)
    run = {"type": "run", "id": "hidden"}
    control = good(await stranger.owner.post("/spend-controls", {"subject": run}), 201)
    policy = good(await stranger.owner.ask("PUT", "/payment-policies", json={"subject": {"type": "organization"}}))
    hidden_option = {"name": "hidden", "category": "hidden"}
    option = good(await stranger.owner.ask("PUT", "/free-options", json=hidden_option))
    method = {"name": "hidden", "label": "hidden", "kind": "card"}
    purchase_method = good(await stranger.owner.ask("PUT", "/purchase-methods", json=method))
    routed = {"task_kind": "hidden", "candidates": ["hidden"], "agent_id": stranger.agent_id}
    decision = good(await stranger.owner.post("/routing/decisions", routed), 201)
    order = await proposed(stranger.owner, stranger.agent_id)
    budget = good(await stranger.owner.post("/budgets", {**_BUDGET, "subject": run}), 201)
    async with database.platform() as session:
        allocation = Allocation(
            **{"id": new_id("alo"), "org_id": stranger.org_id, "project_id": project["id"], "status": "expired"},
            **{"night": date(2026, 1, 1), "currency": "USD", "total_minor": 0, "reinvested_minor": 0, "lines": []},
            versions={},
            created_at=datetime.now(UTC),
        )
        session.add(allocation)
        card = new_card(new_id("crd"), stranger.org_id, stranger.agent_id, new_id("ic"))
        session.add(card)
    invoice = await issue(operator, stranger)
    charged_once = {"organization_id": stranger.org_id, "currency": "USD", "description": "a", "unit_amount": "1"}
    item = good(await operator.post("/billing/invoice-items", charged_once, key=new_key()), 201)
    watched = {"metric": "credits.available", "condition": {"type": "below", "threshold": "1"}}
    rule = good(await stranger.owner.post("/alert-rules", {"name": "hidden", **watched}), 201)
    asked = {"name": "hidden", "template": "weekly_projects"}
    report = good(await stranger.owner.post("/reports", asked), 201)
    meter = {"name": "hidden", "event_type": "hidden", "aggregation": "count"}
    sent = {"specversion": "1.0", "id": "hidden", "source": "s", "type": "hidden", "data": {"run_id": "hidden"}}
    meter_id = good(await stranger.owner.post("/usage/meters", meter), 201)["id"]
    good(await stranger.owner.post("/usage/events", sent))
    granted = await grant(operator, stranger.org_id)
    reservation = await reserve(stranger.owner)
    reported = {"source": "ads", "reference": "hidden", "amount": "1", "currency": "USD"}
    revenue = good(await stranger.owner.post("/revenue", reported, key=new_key()), 201)
    export = {"dataset": "usage", "from": "2026-01-01T00:00:00Z"}
    exported = good(await stranger.owner.post("/exports", export, key=new_key()), 202)
    parts = split_token(stranger.owner.token or "")
    assert parts is not None
    paid = await Written(database, stranger.org_id).begin()
    paid.there.pay()
    paid.there.dispute()
    await paid.look()
    moved = good(await stranger.owner.get("/billing/transactions?limit=1"))
    assert paid.payment is not None
    async with database.platform() as session:
        case_id = await open_case(
            *(session, CaseKind.DELIVERY, stranger.org_id, [stranger.org_id], 0, datetime.now(UTC), [], "Hidden.", {})
        )
    hidden = {"principal": "hidden", "role": "member"}
    return {
        "payment_id": paid.terms.payment_id,
        "dispute_id": paid.payment.disputes[0].dispute_id,
        "organization_id": stranger.org_id,
        "key_id": parts[0],
        "principal": good(await stranger.owner.post("/api-keys", hidden), 201)["principal"],
        "agent_id": agent["id"],
        "contract_id": contract["id"],
        "slug": project["slug"],
        "department_id": department["id"],
        "control_id": control["id"],
        "purchase_order_id": order["id"],
        "card_id": card.id,
        "decision_id": decision["id"],
        "revenue_id": revenue["id"],
        "number": "1",
        "path": "api_keys/hidden",
        "policy_id": policy["id"],
        "option_id": option["id"],
        "purchase_method_id": purchase_method["id"],
        "budget_id": budget["id"],
        "allocation_id": allocation.id,
        "reservation_id": reservation["id"],
        "spend_id": reservation["id"],
        "invoice_id": invoice["id"],
        "item_id": item["id"],
        "meter_id": meter_id,
        "run_id": "hidden",
        "method_id": "pm_1",
        "quote_id": quote["id"],
        "refund_id": f"rfd_{NOBODY}",
        "grant_id": granted["id"],
        "credit_note_id": f"crn_{NOBODY}",
        "receipt_id": f"rcp_{NOBODY}",
        "purchase_id": f"pur_{NOBODY}",
        "feedback_id": f"fbk_{NOBODY}",
        "event_id": f"rev_{NOBODY}",
        "rule_id": rule["id"],
        "export_id": exported["id"],
        "report_id": report["id"],
        "endpoint_id": await stored_endpoint(database, stranger.org_id),
        "delivery_id": f"whd_{NOBODY}",
        "payout_id": f"po_{NOBODY}",
        "transfer_id": moved["data"][0]["id"],
        "session_id": good(await stranger.owner.post("/sessions", {}), 201)["id"],
        "link_id": f"lnk_{NOBODY}",
        "case_id": case_id,
    }


OF_PURCHASES: dict[str, dict[str, Any]] = {
    "attempts": {"method": "card"},
    "result": {"result": "declined"},
    "refunds": {"amount": "1"},
    "confirm": {"charged": "1", "refunded": "0", "digest": "0" * 64},
    "grant": {"digest": "0" * 64},
}
BAD_IDS = ("x", "org_x", "..%2f..", "%00", "a" * 300, "'; DROP TABLE agents; --", "%F0%9F%98%80", "%ff")


_PUT: dict[str, dict[str, Any]] = {
    "{budget_id}": dict(_BUDGET),
    "{report_id}": {"name": "x", "template": "weekly_projects"},
    "allocation": {"currency": "USD", "daily_amount": "1"},
    "shares": {"rule": "direct"},
    "{path}": {"kind": "api_key", "value": "a"},
    "preferences": {},
}


def body_for(method: str, path: str) -> dict[str, Any] | None:
    """Return a body that is good as far as the object matters."""
    if path.endswith("/tier"):
        return {"tier": "premium"}
    if method == "PUT" and path.endswith("/contacts"):
        return {"contacts": []}
    if method == "PUT" and path.endswith("/billing-terms"):
        return {"mode": "prepaid"}
    if method == "PUT" and path.endswith("{invoice_id}"):
        return {"lines": []}
    if method == "PUT" and path.startswith("/marketplace/"):
        return {"model": "free"}
    if path.endswith("/category"):
        return {"category": "research"}
    if path.startswith("/reputation/feedback/"):
        return {"ratings": {"quality": 5}}
    if path.startswith("/reputation/events/") or path.endswith("/suspend"):
        return {"reason": "x"}
    if method == "PATCH":
        return {}
    if method == "PUT" and path.endswith(
        ("/attribution", "/limits", "{control_id}", *_PUT, "{rule_id}", "/pricing/agents/{agent_id}")
    ):
        return _PUT.get(path.rpartition("/")[2], {})
    if method != "POST" or path.endswith("/deploy"):
        return None
    bodies: dict[str, dict[str, Any]] = {
        "evidence": {"text": "x"},
        "display": {"nonce": "x"},
        "outcome": {"score": "1"},
        "runs": {"period": "2026-W02"},
        "move": {"from": "reserve", "to": "operating", "amount": "1", "reason": "x"},
        "reverse": {"reversed_amount": "1"},
        "emergency": {"reason": "x", "until": "2026-03-01T00:00:00Z"},
        "give-up": {"at_provider": False, "reason": "x"},
        "credit-notes": {"reason": "x"},
        "collection": {"collection_method": "send_invoice"},
        "assign": {"operator": "kim"},
        "note": {"note": "x"},
        "request-information": {"question": "x"},
        "answer": {"answer": "x"},
        "decide": {"result": "release", "reason": "x"},
        "appeal": {"appeal": "x"},
        "replay": {"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"},
    }
    of_path = OF_PURCHASES if path.startswith("/purchase-orders/") else bodies
    return of_path.get(path.rpartition("/")[2], {})


@for_each("method, path", sorted(OBJECTS))
async def test_object_of_somebody_else_is_404_before_it_is_403(
    method: str, path: str, tenant: Tenant, foreign: dict[str, str]
) -> None:
    there, body = path.format(**foreign), body_for(method, path)
    answers = {role: await tenant.callers[role].ask(method, there, key=new_key(), json=body) for role in TENANT_ROLES}
    assert {role: answer.status_code for role, answer in answers.items()} == dict.fromkeys(TENANT_ROLES, 404)
    for answer in answers.values():
        refused(answer, 404, "not_found")


def keyed() -> dict[tuple[str, str], tuple[str, Any]]:
    """Every operation of this part that takes a key, with a path and a body to ask with."""
    asked = {
        (method, "/".join(STAND_INS.get(part, part) for part in path.split("/"))): (path, body)
        for (method, path), (_, body) in ASKED.items()
    }
    found = [
        (method.upper(), path.removeprefix("/api/v1"))
        for path, method, operation in operations(served())
        if "escrow" not in path
        and any(resolved(served(), each)["name"] == "idempotency-key" for each in operation.get("parameters", ()))
    ]
    return {each: asked.get(each) or (each[1], body_for(*each)) for each in found}


#: Keys of spends are stored in the ledger, and keys of uses of secrets with the uses, apart from those of other
#: requests.
SPENDS = {
    ("POST", "/secrets/{path}/use"),
    ("POST", "/credits/use"),
    ("POST", "/credits/release"),
    ("POST", "/credits/reservations/{reservation_id}/capture"),
    ("POST", "/credits/reservations/{reservation_id}/extend"),
}
#: They check first a missing precondition: their object, its provider, an encryption key.
LOOK_FIRST = {
    *(("POST", f"/billing/{path}") for path in ("connect", "customer", "payouts/{payout_id}/give-up", "portal")),
    ("POST", "/billing/setup-intent"),
    ("POST", "/cards"),
    *(("POST", f"/cards/{{card_id}}/{path}") for path in ("freeze", "unfreeze", "close")),
    ("PUT", "/billing/payment-methods/{method_id}/default"),
    ("POST", "/marketplace/agents/{agent_id}/purchase"),
    *(("POST", f"/marketplace/purchases/{{purchase_id}}/{path}") for path in ("cancel", "refund")),
    ("POST", "/payments/{payment_id}/refunds/{refund_id}/give-up"),
    ("POST", "/purchase-orders"),
    ("POST", "/trials"),
    ("POST", "/webhook-deliveries/{delivery_id}/retry"),
    ("POST", "/webhook-endpoints"),
}


@pytest.mark.slow
async def test_key_of_another_request_is_refused_by_every_operation(
    stranger: Tenant,
    operator: Caller,
    foreign: dict[str, str],
) -> None:
    key = new_key()
    good(await stranger.owner.post("/agents", {"name": "One"}, key=key), 201)
    good(await operator.post("/organizations", {"name": "One"}, key=key), 201)
    others: dict[tuple[str, str], list[str]] = {}
    for each, (path, body) in keyed().items():
        answers = [
            await caller.ask(each[0], path.format(**foreign), json=body, key=key, headers={"If-Match": "*"})
            for caller in (stranger.owner, operator)
        ]
        codes = [answer.json().get("code") for answer in answers]
        if "idempotency.conflict" not in codes:
            others[each] = codes
    wrong = {each: others.get(each) for each in others.keys() ^ (SPENDS | LOOK_FIRST)}
    assert not wrong, "\n".join(f"{each}: {codes}" for each, codes in sorted(wrong.items()))


#: Operations that every role with READ may call, for each organization or agent that it may see.
READ_BY_ID = (
    "/organizations/{organization_id}",
    "/agents/{agent_id}",
    "/payments/pricing/{agent_id}/quotes/{quote_id}",
    "/reputation/score/{agent_id}",
    "/reputation/history/{agent_id}",
    "/reputation/peers/{agent_id}",
)


#: Operations that read the organization's money, for an agent's key only with `read_billing`.
BILLING = (
    "/billing/activity",
    "/billing/transactions",
    "/credits/transactions",
    "/credits/stats",
    "/credits/lots",
    "/credits/grants",
    "/credits/grants/{grant_id}",
    "/billing/balance?currency=USD",
    "/billing/auto-topup",
    "/billing/summary",
    "/organizations/{organization_id}/summary",
    "/organizations/{organization_id}/billing-terms",
    "/billing/statement",
    "/billing/balances",
    "/ledger/transfers/{transfer_id}",
    *(f"/series?metric={metric}" for metric in ("balance", "earnings", "payments.received", "payments.started")),
    "/billing/quote?credits=10",
    "/names?ids={organization_id}",
    "/billing/credits/history",
    "/payments",
    "/billing/payments",
    "/payments/summary",
    *(f"/payments/{{payment_id}}{path}" for path in ("", "/timeline", "/refunds", "/actions", "/receipt", "/receipts")),
    "/disputes",
    "/disputes/{dispute_id}",
    "/billing/invoice-items",
    "/billing/invoices",
    "/billing/invoices/upcoming",
    *(f"/billing/invoices/{{invoice_id}}{path}" for path in ("", "/pdf", "/xml", "/collection")),
    "/billing/statements/2020-01",
    "/billing/statements/2020-01/pdf",
    "/billing/subscription",
    "/billing/profile",
    "/billing/customer",
    "/billing/payment-methods",
    "/billing/connect",
    "/billing/payouts",
    "/billing/payouts/preview",
    "/billing/payouts/schedule",
    "/referrals",
    *("/payment-policies", "/payment-policies/{policy_id}"),
    "/alerts",
    "/alert-rules",
    "/alert-rules/{rule_id}",
    *("/allocations", "/allocations/{allocation_id}", "/trials"),
    *("/risk/cases", "/risk/cases/{case_id}"),
    *("/reports", "/reports/{report_id}", "/reports/{report_id}/runs", "/reports/{report_id}/runs/1/file"),
    # Totals of the whole organization.
    "/usage/meters/{meter_id}",
    *(f"/billing/usage?group_by={dimension}" for dimension in ("model", "department", "project", "action")),
    "/billing/usage?model=x",
)


@for_each("path", BILLING)
async def test_agent_is_refused_reads_that_need_read_billing(
    path: str, stranger: Tenant, foreign: dict[str, str], accounting_agent: Caller
) -> None:
    there = path.format(**foreign)
    refused(await stranger.agent.get(there), 403, "auth.forbidden")
    assert (await accounting_agent.get(there)).status_code not in {401, 403}
    assert (await stranger.member.get(there)).status_code not in {401, 403}


#: Operations that an agent's key may read: its agent's data, and data other than the organization's money.
READ_BY_AGENTS = {
    *("/agents", "/agents/{agent_id}", "/organizations", "/organizations/{organization_id}", "/me", "/sessions"),
    *("/billing/balance", "/credits/balance", "/payments/credits/balance", "/billing/credits", "/series"),
    *("/credits/usage", "/credits/usage/summary", "/credits/earnings", "/billing/earnings", "/economics/log"),
    *("/billing/usage", "/billing/usage/logs", "/usage/logs", "/usage/meters"),
    *("/contracts", "/tasks", "/events", "/events/catalogue", "/changes", "/search", "/api-keys"),
    *("/spend-controls", "/spend-controls/refusals"),
    *("/purchase-orders", "/purchase-orders/{purchase_order_id}"),
    *("/cards", "/cards/{card_id}", "/cards/{card_id}/transactions"),
    *("/routing/decisions", "/routing/decisions/{decision_id}"),
    "/risk/decisions",
    "/revenue",
    *("/budgets", "/budgets/prompt-template", "/secrets", "/secrets/grants"),
    *("/departments", "/departments/{department_id}", "/projects", "/projects/{slug}", "/projects/deployment/limits"),
    *("/credits/costs", "/credits/costs/{action}/versions", "/exchange-rates", "/alert-rules/metrics"),
    *("/billing/plans", "/billing/credit-packages", "/billing/entitlements"),
    "/billing/entitlements/{entitlement}/check",
    *("/payments/pricing/{agent_id}", "/payments/pricing/{agent_id}/quotes/{quote_id}", "/pricing/agents/{agent_id}"),
    *("/marketplace/agents", "/marketplace/library"),
    *(f"/reputation/{path}/{{agent_id}}" for path in ("score", "history", "peers", "levels")),
    *("/reputation/leaderboard", "/reputation/feedback", "/reputation/levels"),
    "/reputation/clients/{organization_id}",
    *("/payment-policies/effective", "/free-options", "/purchase-methods"),
}


async def test_agent_reads_the_listed_operations_and_nothing_else(stranger: Tenant, foreign: dict[str, str]) -> None:
    ids = {**foreign, "action": "some_action", "entitlement": "deploys", "period": "2020-01"}
    paths = sorted(path for method, path in endpoints() - OPEN if method == "GET" and path != "/changes/stream")
    answers = {
        path: await stranger.agent.get(re.sub(r"{(\w+)}", lambda name: ids.get(name[1], "nobody"), path))
        for path in paths
    }

    assert {path for path, answer in answers.items() if answer.status_code not in {403, 404}} == READ_BY_AGENTS


@pytest.fixture(scope="module")
async def accounting_agent(stranger: Tenant) -> Caller:
    body = {"principal": "accounting-agent", "role": "agent", "agent_id": stranger.agent_id}
    made = good(await stranger.owner.post("/api-keys", {**body, "permissions": ["read_billing"]}), 201)
    assert made["permissions"] == ["read_billing"]
    return Caller(stranger.owner.http, made["secret"], stranger.org_id)


async def test_key_gets_permissions_possible_for_its_role_from_a_holder_of_them(
    stranger: Tenant, accounting_agent: Caller
) -> None:
    agent = {"principal": "second-agent", "role": "agent", "agent_id": stranger.agent_id}
    for permission in ("read_audit", "pay"):
        asked = {**agent, "permissions": [permission]}
        assert refused(await stranger.owner.post("/api-keys", asked), 422, "request.invalid")["field"] == "permissions"
    asked = {"principal": "a-member", "role": "member", "permissions": ["read_billing"]}
    refused(await stranger.owner.post("/api-keys", asked), 422, "request.invalid")
    me = good(await stranger.agent.get("/me"))
    own = {"principal": me["principal"], "role": "agent", "agent_id": stranger.agent_id}
    refused(await stranger.agent.post("/api-keys", {**own, "permissions": ["read_billing"]}), 403, "auth.forbidden")

    own["principal"] = good(await accounting_agent.get("/me"))["principal"]
    second = good(await accounting_agent.post("/api-keys", {**own, "permissions": ["read_billing"]}), 201)
    good(await Caller(stranger.owner.http, second["secret"]).get("/billing/invoices"))
    session = good(await accounting_agent.post("/sessions", {}), 201)
    signed_in = Caller(stranger.owner.http, session["token"])
    good(await signed_in.get("/billing/invoices"))
    assert "read_billing" in good(await signed_in.get("/me"))["permissions"]


@pytest.mark.parametrize("path", READ_BY_ID)
async def test_role_of_the_platform_without_read_reads_no_organization_and_no_agent(
    path: str, foreign: dict[str, str], issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    for role in sorted(PLATFORM_ROLES):
        answer = await (await issue_key(role)).get(path.format(**foreign))
        if Permission.READ in PERMISSIONS[role]:
            good(answer)
        else:
            refused(answer, 403, "auth.forbidden")


@for_each("method, path", sorted(OBJECTS))
async def test_id_of_no_form_is_404(method: str, path: str, operator: Caller) -> None:
    names, body = re.findall(r"{(\w+)}", path), body_for(method, path)
    answers = {
        bad: await operator.ask(method, path.format(**dict.fromkeys(names, bad)), key=new_key(), json=body)
        for bad in BAD_IDS
    }
    assert {bad: answer.status_code for bad, answer in answers.items()} == dict.fromkeys(BAD_IDS, 404)
    for answer in answers.values():
        refused(answer, 404, "not_found")


@pytest.mark.parametrize("role", ["owner", "admin"])
async def test_ids_of_somebody_else_in_requests_are_404(role: str, tenant: Tenant, foreign: dict[str, str]) -> None:
    caller, org_id = tenant.callers[role], foreign["organization_id"]
    requests: list[tuple[str, str, dict[str, Any] | None]] = [
        ("POST", "/api-keys", {"principal": "x", "role": "member", "organization_id": org_id}),
        ("POST", "/api-keys", {"principal": "x", "role": "agent", "agent_id": foreign["agent_id"]}),
        ("POST", "/agents", {"name": "x", "organization_id": org_id}),
        ("POST", "/contracts", {"agent_id": foreign["agent_id"], "title": "x", "price": "1"}),
        ("GET", f"/api-keys?organization_id={org_id}", None),
        ("GET", f"/billing/balance?organization_id={org_id}", None),
        *(("GET", f"/billing/{path}?organization_id={org_id}", None) for path in ("summary", "statement", "balances")),
        ("GET", f"/billing/transactions?organization_id={org_id}", None),
        ("GET", f"/audit?organization_id={org_id}", None),
        ("GET", f"/projects?organization_id={org_id}", None),
        ("POST", "/departments", {"name": "x", "organization_id": org_id}),
        ("GET", f"/departments?organization_id={org_id}", None),
        ("PUT", "/payment-policies", {"subject": {"type": "agent", "id": foreign["agent_id"]}}),
        ("PUT", "/payment-policies", {"subject": {"type": "organization", "id": org_id}}),
        ("GET", f"/payment-policies?organization_id={org_id}", None),
        ("GET", f"/payment-policies/effective?agent_id={foreign['agent_id']}", None),
        ("GET", f"/free-options?organization_id={org_id}", None),
        ("GET", f"/purchase-methods?organization_id={org_id}", None),
        ("POST", "/spend-controls", {"subject": {"type": "run", "id": "x"}, "organization_id": org_id}),
        ("GET", f"/spend-controls?organization_id={org_id}", None),
        ("GET", f"/spend-controls/refusals?organization_id={org_id}", None),
        ("GET", f"/reputation/feedback?organization_id={org_id}", None),
        ("GET", f"/budgets?organization_id={org_id}", None),
        ("GET", f"/budgets/prompt-template?organization_id={org_id}", None),
        ("GET", f"/billing/invoices?organization_id={org_id}", None),
        ("GET", f"/projects/deployment/limits?organization_id={org_id}", None),
        ("GET", f"/marketplace/library?organization_id={org_id}", None),
        ("GET", f"/referrals?organization_id={org_id}", None),
        ("GET", f"/payments/pricing/{tenant.agent_id}?base_price=1&organization_id={org_id}", None),
        ("POST", f"/payments/pricing/{tenant.agent_id}/quotes", {"organization_id": org_id}),
    ]
    for method, path, body in requests:
        refused(await caller.ask(method, path, json=body), 404, "not_found")


async def test_lists_hold_nothing_of_others(tenant: Tenant, stranger: Tenant, foreign: dict[str, str]) -> None:
    tenants = (
        "/organizations",
        "/api-keys",
        "/agents",
        "/contracts",
        "/projects",
        "/departments",
        "/spend-controls",
        "/budgets",
    )
    for path in (*tenants, "/audit", "/billing/transactions", "/billing/invoices", "/usage/meters", "/usage/logs"):
        text = (await tenant.owner.get(f"{path}?limit=200")).text
        assert foreign["contract_id"] not in text
        assert foreign["key_id"] not in text
        assert foreign["agent_id"] not in text
        assert foreign["invoice_id"] not in text
        assert foreign["meter_id"] not in text
        assert foreign["department_id"] not in text
        assert foreign["control_id"] not in text
        assert foreign["budget_id"] not in text
        # Agents are listed, and contracts name whom they are with.
        if path not in {"/agents", "/contracts"}:
            assert stranger.org_id not in text


async def test_row_level_security_shows_nothing_without_a_tenant(app: FastAPI, foreign: dict[str, str]) -> None:
    pool = await app.state.deps.pool.get()
    tables = (
        *("organizations", "api_keys", "agents", "contracts", "credit_lots", "audit_log", "idempotency_keys"),
        *("departments", "ledger.controls", "ledger.control_versions"),
        *("payment_policies", "free_options", "purchase_methods"),
        *("usage_events", "usage_days", "meters", "meter_days", "pricing_agents", "pricing_quotes"),
        *("reputation_events", "reputation_scores", "reputation_agents", "reputation_feedback"),
        *("reputation_clients", "reputation_client_events"),
    )
    for table in tables:
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0
    for statement in (
        *("DELETE FROM alerts", "DELETE FROM agents", "UPDATE organizations SET name = ''"),
        # A key, a session or a link whose secret one knows, or that has ended, would be a way in.
        *(f"INSERT INTO {table} (id) VALUES ('x')" for table in ("api_keys", "sessions", "session_links")),
        *(f"UPDATE {table} SET secret_hash = ''" for table in ("api_keys", "sessions", "session_links")),
        *("UPDATE api_keys SET revoked_at = NULL", "UPDATE sessions SET ended_at = NULL"),
    ):
        with pytest.raises(Exception, match="permission denied"):
            await pool.execute(statement)


async def test_key_revoked_in_one_process_stops_in_another(database_urls: DatabaseUrls, tenant: Tenant) -> None:
    made = good(await tenant.owner.post("/api-keys", {"principal": "elsewhere", "role": "member"}), 201)
    other = create_app(settings_for(database_urls))
    async with (
        client_of(other) as http,
        asyncio.timeout(300),
    ):
        keyring = other.state.deps.keyring
        await keyring.listening.wait()
        there = Caller(http, made["secret"])
        good(await there.get("/agents"))
        assert keyring.cached(made["secret"]) is not None
        heard = asyncio.Event()
        forget = keyring.forget

        def forget_and_tell(key_id: str) -> None:
            forget(key_id)
            heard.set()

        keyring.forget = forget_and_tell
        assert (await tenant.owner.delete(f"/api-keys/{made['id']}")).status_code == 200
        await heard.wait()
        refused(await there.get("/agents"), 401, "auth.invalid")


async def test_guesses_do_not_fill_the_memory(app: FastAPI, anonymous: Caller) -> None:
    keyring = app.state.deps.keyring
    before = len(keyring._cache)
    for number in range(20):
        guess = Caller(anonymous.http, f"bsk_{NOBODY}_{number:064x}")
        refused(await guess.get("/agents"), 401, "auth.invalid")
    assert len(keyring._cache) == before


def test_platform_roles_are_no_tenant_roles() -> None:
    assert {role.value for role in Role} == set(TENANT_ROLES) | {role.value for role in PLATFORM_ROLES}


#: Operations that show public data of other organizations, so that ids of them may be in the answer.
PUBLIC = re.compile(r"/(agents|marketplace|reputation|payments/pricing|pricing|creators)\b")
#: A hash of one organization's rows for each table. The last use of a key is recorded later, so it is left out.
ROWS = """
    SELECT format(
        'SELECT md5(string_agg((to_jsonb(t) - ''last_used_at'')::text, '' '' ORDER BY t::text)) FROM %I.%I t'
        ' WHERE %I = $1', table_schema, table_name, column_name), table_name
    FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_type = 'BASE TABLE' AND table_schema IN ('public', 'ledger')
        AND (column_name = 'org_id' OR (table_name = 'organizations' AND column_name = 'id'))
"""


async def rows_of(database_urls: DatabaseUrls, org_id: str) -> dict[str, str]:
    """Return a hash of what each table has of an organization."""
    async with connected(database_urls.owner) as owner:
        return {name: await owner.fetchval(query, org_id) for query, name in await owner.fetch(ROWS)}


def example_of(operation: dict[str, Any], ids: dict[str, str]) -> Any:
    """Return the document's own example of a body, with the ids that it names replaced by those of somebody else."""
    content = resolved(served(), operation.get("requestBody", {})).get("content", {}).get("application/json", {})
    schema = resolved(served(), content.get("schema", {}))
    example = (schema.get("examples") or [{}])[0] if content else None

    def replaced(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {each: replaced(each, inner) for each, inner in value.items()}
        if isinstance(value, list):
            return [replaced(name.removesuffix("s"), inner) for inner in value]
        return ids.get(name, value) if isinstance(value, str) else value

    return replaced("", example)


@pytest.mark.slow
async def test_ten_keys_change_and_read_nothing_of_another_organization_by_any_operation(
    new_tenant: NewTenant,
    tenant: Tenant,
    stranger: Tenant,
    operator: Caller,
    foreign: dict[str, str],
    database_urls: DatabaseUrls,
) -> None:
    suspended, http = await new_tenant("owner"), stranger.owner.http
    standing = f"/organizations/{suspended.org_id}/suspend"
    good(await operator.post(standing, {"reason": "test"}, key=new_key()))
    issued = good(await stranger.owner.post("/api-keys", {"principal": "gone", "role": "owner"}), 201)
    assert (await stranger.owner.ask("DELETE", f"/api-keys/{issued['id']}")).status_code < 300
    callers = {role: tenant.callers[role] for role in TENANT_ROLES} | {
        "suspended": suspended.owner,
        "revoked": Caller(http, issued["secret"]),
        "unknown": Caller(http, f"bsk_{'0' * 60}"),
        "nobody": Caller(http, None),
    }
    before, wrong = await rows_of(database_urls, stranger.org_id), []
    for path, method, operation in operations(served()):
        if path.endswith("/stream") or "/webhooks/" in path:
            continue
        there = re.sub(r"{(\w+)}", lambda name: foreign.get(name[1], "x"), path.removeprefix("/api/v1"))
        body = example_of(operation, foreign)
        query = {"organization_id": stranger.org_id} if method == "get" else {}
        for name, caller in callers.items():
            answer = await caller.ask(
                method.upper(), there, key=new_key(), json=body, params=query, headers={"If-Match": "*"}
            )
            shows = answer.status_code < 300 and stranger.org_id in answer.text and not PUBLIC.search(path)
            enters = answer.status_code < 300 and name in {"revoked", "unknown", "nobody"} and operation.get("security")
            if answer.status_code >= 500 or shows or enters:
                wrong.append(f"{name}: {method.upper()} {path}: {answer.status_code} {answer.text[:120]}")
    assert not wrong, "\n".join(wrong)
    after = await rows_of(database_urls, stranger.org_id)
    assert {name for name in before if before[name] != after[name]} == set()
