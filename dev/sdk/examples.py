"""Arguments of the calls in `docs/reference/python-client.md` that the schema of a request does not give."""

from typing import Any

SUFFIX = "01kar6h2d8e4wvq3r5s7t9x001"

_START, _END = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
_AGENT = f"agt_{SUFFIX}"
_SECRET = {"path": "api_keys/models/example"}
_SURGE = {"type": "surge", "threshold": "0.80", "maximum": "1.50", "full": "1.00"}
_RULE = {"name": "busy hours", "priority": 10, "terms": _SURGE}
_REPORT = {"name": "Spending by project", "template": "weekly_projects"}
_LINES = [{"description": "Consulting in January", "amount": "100.00"}]

#: By the name that a request has for an argument, whatever the operation.
VALUES: dict[str, Any] = {
    **{"from": _START, "to": _END, "until": _END, "number": "1", "period": "2026-01", "run_id": "run-17"},
    **{"insight_id": "package-USD", "method_id": "pm_1MqLiJLkdIwHu7ixUEgbFdYF", "receipt_id": f"rcp_{SUFFIX}"},
    **{"delivery_id": f"whd_{SUFFIX}", "difference_id": f"rcn_{SUFFIX}", "dispute_id": f"dsp_{SUFFIX}"},
    **{"item_id": f"ii_{SUFFIX}", "credit_note_id": f"crn_{SUFFIX}", "policy_id": f"pol_{SUFFIX}"},
    **{"option_id": f"fro_{SUFFIX}", "purchase_method_id": f"pmd_{SUFFIX}", "decision_id": f"rtd_{SUFFIX}"},
    **{"suppression_id": f"sup_{SUFFIX}", "control_id": f"ctl_{SUFFIX}", "feedback_id": f"fbk_{SUFFIX}"},
    **{"currency": "USD", "q": "report-17", "reference": "2026-01/GAME-17", "item": "GitHub Copilot subscription"},
    **{"vendor": "GitHub", "purpose": "Summarise the report", "why": "It completes code in our scripts."},
    **{"if-match": '"1"', "correction_id": f"stc_{SUFFIX}", "session_id": f"ses_{SUFFIX}", "link_id": f"lnk_{SUFFIX}"},
    **{"body": b"\x89PNG...", "slug": "report-writer", "reason": "Agreed with the customer."},
    **{"template": "Daily budget: {daily}, remaining: {remaining}"},
}

#: By the operation; added to what its request requires, or in its place.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "agents.create": {"name": "Summariser"},
    "alert_rules.create": {
        **{"name": "High use of credits", "metric": "credits.used", "window": "P1D"},
        "condition": {"type": "above", "threshold": "50.00"},
    },
    "analytics.set_peers_consent": {"agrees": True},
    "auto_topups.set": {"below": "50.00", "credits": "500.00", "monthly_cap": "200.00"},
    "billing_profile.decide": {"confirmed_country": "DE"},
    "budgets.change": {"limits": [{"window": "day", "amount": "25.00"}]},
    "budgets.create": {
        "subject": {"type": "agent", "id": _AGENT},
        "limits": [{"window": "day", "amount": "20.00"}, {"window": "month", "amount": "200.00"}],
    },
    "budgets.move_pool": {"from_": "operating", "to": "reserve"},
    "cards.create": {"name": "Travel", "agent_id": _AGENT, "currency": "USD"},
    "cards.show_number": {"nonce": "ephkeynonce_1Q0PsIJvEtkwdCNY"},
    "chargebacks.answer": {"text": "The customer confirmed the delivery."},
    "contracts.create": {"price": "50.00"},
    "costs.set": {"cost": "0.01"},
    "credit_packages.check_out": {"package": "starter"},
    "credit_packages.purchase": {"package": "starter"},
    "credits.extend_reservation": {"expires_in": "PT1H"},
    "credits.reserve": {"amount": "10.00"},
    "credits.use": {"action": "generate"},
    "credits.use_for_many": {"items": [{"key": "call-1", "action": "generate"}]},
    "departments.create": {"name": "Research"},
    "escrows.deliver": {"note": "Ready for review."},
    "escrows.submit_evidence": {"note": "The report has all 200 summaries."},
    "exchange_rates.set": {"base": "EUR", "quote": "USD", "rate": "1.08"},
    "exports.get_file": {"number": "1"},
    "free_options.set": {"name": "Codeium", "category": "coding"},
    "invoices.edit": {"lines": _LINES},
    "invoices.issue": {"lines": _LINES},
    "marketplace.offer_agent": {"model": "usage", "prices": {"calls": "0.50"}},
    "meters.create": {"name": "calls", "aggregation": "count"},
    "names.list": {"ids": [_AGENT]},
    "notification_defaults.set": {"roles": {"finance": "daily"}},
    "notifications.create_channel": {"kind": "mail", "address": "billing@acme.example"},
    "notifications.verify_channel": {"code": "482913"},
    "payment_policies.set": {"per_purchase": "25.00", "approval_above": "10.00"},
    "pricing_rules.change": _RULE,
    "pricing_rules.create": _RULE,
    "pricing_rules.dry_run": {"rule": _RULE},
    "principals.invite": {"role": "finance"},
    "purchase_methods.set": {"name": "card_primary", "kind": "card"},
    "purchase_orders.attempt": {"method": "card_primary"},
    "purchase_orders.create": {"category": "coding", "amount": "10.00"},
    "purchase_orders.confirm": {"charged": "10.00", "refunded": "0.00"},
    "purchase_orders.refund": {"amount": "10.00"},
    "reports.create": _REPORT,
    "reports.run": {"period": "2026-W13"},
    "reports.set": _REPORT,
    "reputation.change_feedback": {"ratings": {"quality": 5}},
    "reputation.give_feedback": {"ratings": {"quality": 5}},
    "results.report": {"run_id": "run-17"},
    "reputation.set_levels": {
        "levels": [{"name": "new"}, {"name": "proven", "from_score": "7.5", "least_evidence": 20}]
    },
    "revenue.settle": {
        "source": "app_store",
        "lines": [{"reference": "2026-01/GAME-17", "amount": "50.00", "currency": "USD"}],
    },
    "revenue.create": {"source": "app_store", "agent_id": _AGENT},
    "routing.create_decision": {"candidates": ["gpt-4o", "gpt-4o-mini"]},
    "secret_grants.create": {
        **{"agent_id": _AGENT, "paths": ["api_keys/models/*"], "hosts": ["api.example.com"], "methods": ["POST"]},
        **{"places": ["header:authorization"], "ends_at": "2026-12-31T00:00:00Z"},
    },
    "secrets.put": {"kind": "api_key", "value": "sk-example", "hosts": ["api.example.com"]},
    "secrets.use": {
        "request": {"method": "POST", "url": "https://api.example.com/v1/answers"},
        "place": {"in": "header", "name": "authorization", "prefix": "Bearer "},
    },
    "sessions.set_preferences": {"locale": "de-AT", "time_zone": "Europe/Vienna"},
    "spend_controls.create": {
        "subject": {"type": "organization"},
        "limits": [{"window": "day", "amount": "50.00"}],
    },
    "tax_rates.add": {"code": "de_vat_19", "valid_from": _START},
    "trials.create": {"stages": [{"due_at": _START, "share": "0.50"}, {"due_at": _END, "share": "0.50"}]},
    "usage.estimate": {"model": "gpt-4o-mini", "usage": {"prompt_tokens": 1000, "completion_tokens": 200}},
    "usage.send_events": {
        "body": {
            "specversion": "1.0",
            "id": "call-17",
            "source": "gateway",
            "type": "llm.call",
            "data": {"tokens": 1200},
        }
    },
    **{f"secrets.{verb}": _SECRET for verb in ("access", "open", "destroy_version", "get", "rotate")},
}
ARGUMENTS["secrets.put"] |= _SECRET
ARGUMENTS["secrets.use"] |= _SECRET
