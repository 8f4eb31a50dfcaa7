"""What the examples of the OpenAPI document call things: ids, numbers and texts, by the names of their fields."""

#: What ids of examples end with. There is one object of each kind, but two organizations: who pays and who is paid.
SUFFIX = "01kar6h2d8e4wvq3r5s7t9x1zy"
PAYER, PAYEE = f"org_{SUFFIX}", "org_01kar6j7m2f5xwr4s6t8v0y2az"

#: How ids begin, by the field that holds one, or by the schema whose `id` it is, without its `View`.
IDS = {
    **{"organization": "org", "agent": "agt", "contract": "ctr", "escrow": "esc", "payment": "pay", "invoice": "inv"},
    **{"department": "dep", "project": "prj", "key": "key", "quote": "quo", "event": "evt", "control": "ctl"},
    **{"apikey": "key", "apikeycreated": "key", "outboxevent": "evt", "transfer": "tr", "request": "req"},
    **{"escrowsummary": "esc", "slotpurchase": "pay", "funded": "esc", "payee_agent": "agt", "referrer": "org"},
    **{"invoicedetail": "inv", "dueinvoice": "inv", "invoiceitem": "ii", "creditnote": "crn", "taxreceipt": "rcp"},
    **{"refund": "rfd", "chargeback": "dsp", "lot": "lot", "creditlot": "lot", "purchase": "lot", "statement": "stm"},
    **{"use": "spd", "spend": "spd", "spenddetail": "hold", "countedspend": "spd", "change": "hold", "refusal": "rfs"},
    **{"reservation": "hold", "attribution": "spd", "spendrefund": "tr", "conversion": "tr", "movement": "tr"},
    **{"agentpurchase": "pur", "subscription": "sub", "payout": "po", "last_payout": "po", "correction": "stc"},
    **{"alert": "alr", "openalert": "alr", "alertrule": "rul", "approval": "apv", "rule": "prl", "meter": "mtr"},
    **{"webhookendpoint": "whe", "webhookendpointcreated": "whe", "endpoint": "whe", "webhookdelivery": "whd"},
    **{"reconciliationrun": "run", "discrepancy": "rcn", "mailsuppression": "sup", "channel": "nch", "taxrate": "txr"},
    **{"notification": "ntf", "feedback": "fbk", "usageevent": "use", "reputationevent": "rev", "clientevent": "rev"},
    **{"statementline": "tr", "journaltransfer": "tr", "costversion": "cost", "audit": "aud", "pricequote": "quo"},
    **{"payer_org": "org", "counterparty_organization": "org", "actor_organization": "org", "object": "esc"},
    **{"link": "lnk", "linkcreated": "lnk", "session": "ses", "sessioncreated": "ses", "redeemed": "ses"},
    **{"mesession": "ses", "meorganization": "org", "meagent": "agt", "namedorganization": "org", "searchhit": "esc"},
    **{"purchaseorder": "por", "purchase_order": "por", "budget": "ctl"},
    **{
        "invitation": "key",
        "fact": "tr",
        "economicentry": "ent",
        "factobject": "esc",
        "waiver": "tr",
        "stuckrun": "esc",
        "cause": "esc",
        "subject": "org",
        "eventresult": "use",
        "itemanswer": "spd",
        "budget": "ctl",
    },
}

#: Numbers that are not 1, or their minimum, in any life.
NUMBERS: dict[str, float] = {
    **{"commission_bps": 500, "exp_month": 8, "exp_year": 2029, "status_code": 200, "digest_hour": 8, "year": 2026},
    **{"p95_response_time_ms": 2400, "avg_response_time_ms": 1200, "evidence_count": 48, "quote_valid_seconds": 900},
    **{"net_days": 14, "dunning_days": 3, "trial_days": 14, "calls_per_day": 1000, "burn_days": 30, "days_left": 60},
    **{
        "overall_score": 0.82,
        "rank_score": 0.74,
        "low": 0.74,
        "high": 0.88,
        "stars": 4.1,
        "trust": 0.82,
        "score": 0.82,
    },
    **{"task_success_rate": 0.95, "change": 0.02, "score_delta": 0.01, "weight": 0.9, "percentile": 82, "tokens": 1000},
    **{"inbox_oldest_seconds": 0, "duplicates": 0, "invalid": 0, "failed": 0, "differences": 0, "unrated": 0},
}

_AMOUNT = ("amount", "available", "total", "price", "balance", "remaining", "spent", "limit", "paid", "earned", "net")
_NOTHING = (
    *("held", "reserved", "owed", "expired", "pending", "frozen", "refunded", "reversed", "discount", "tax", "fee"),
    *("shortfall", "unexplained", "own_work", "disputed_amount", "refunded_amount", "seen_amount", "commission_amount"),
    *("released", "score_delta"),
)
#: Texts and decimal strings: by `Schema.field`, by the field, or by the last word of its name.
WORDS: dict[str, str | None] = {
    **dict.fromkeys(_AMOUNT, "50.00"),
    **dict.fromkeys(_NOTHING, "0.00"),
    **dict.fromkeys(("share", "threshold", "score"), "0.80"),
    **dict.fromkeys(("period", "within", "grace"), "P7D"),
    **dict.fromkeys(("by", "principal", "actor", "signatory", "signatories"), "procurement"),
    **dict.fromkeys(("url", "uri"), "https://example.com/"),
    **dict.fromkeys(("severity", "WebhookDeliveryView.error"), "warning"),
    **{"currency": "CREDIT", "asset": "CREDIT", "currencies": "USD", "country": "DE", "base": "EUR", "quote": "USD"},
    **{"language": "en", "zone": "Europe/Berlin", "email": "billing@acme.example", "cursor": "WyJlc2MiXQ"},
    **{
        "name": "Acme",
        "payee_name": "Globex",
        "agent_name": "Summariser",
        "payee_agent_name": "Summariser",
        "title": "Summarise the report",
    },
    **{"external_id": "order-17", "payee_org_id": PAYEE, "payer_org_id": PAYER, "tier": "starter", "plan": "starter"},
    **{"description": "Summarise the report", "summary": "Summarises long reports.", "detail": "It is 50.00 short."},
    **{"account": f"org/{PAYER}/credits", "counterparties": "platform/usage", "account_id": "acct_1Q0PsIJvEtkwdCNY"},
    **{"action": "generate", "ApprovalView.action": "refund", "AuditView.action": "escrow.release"},
    **{"AuditView.role": "finance", "EscrowSummaryView.role": "payer", "MeView.permissions": "escrows:read"},
    **{"address": "203.0.113.7", "DepositView.address": "bc1q9x30z7rz52c97jwc2j79w76y7l3ny54nlvd4ew"},
    **{"MailSuppressionView.address": "billing@acme.example", "target": f"esc_{SUFFIX}", "browser": "Firefox 142"},
    **{"ChannelView.target": "billing@acme.example", "category": "writing", "TaxView.category": "S", "brand": "visa"},
    **{"TaxReceiptView.category": "S", "QuotedTaxView.category": "S", "last4": "4242", "chain": "bitcoin"},
    **{
        "channels": "mail",
        "run_id": "run-17",
        "DiscrepancyView.run_id": f"run_{SUFFIX}",
        "client_secret": "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH",
    },
    **{
        "SetupIntentView.id": "seti_1Q0PsIJvEtkwdCNY",
        "TaxRateView.code": "de_vat_19",
        "TaxView.code": "de_vat_19",
        "QuotedTaxView.code": "de_vat_19",
        "commission_rule": "platform",
    },
    **{"DeclineView.code": "insufficient_funds", "FailureView.code": "billing_profile.missing"},
    **{"ReasonView.code": "payment.failed", "dimensions": "model", "entitlements": "projects"},
    **{"start_date": "2026-01-01", "end_date": "2026-01-31", "CollectionEventView.event": "scheduled"},
    **{"event_type": "llm.call", "evidence": f"rev_{SUFFIX}", "filters": "action", "required_filters": "action"},
    **{"PackageView.id": "starter", "PlanView.id": "starter", "package": "starter", "interval": "weekly"},
    **{"key": "generate", "SideView.key": "ch_3MtwBwLkdIwHu7ix", "DiscrepancyView.key": "ch_3MtwBwLkdIwHu7ix"},
    **{"ItemAnswer.key": "7f0c1f3e-call-1", "AlertView.kind": "payment.debt", "OpenAlertView.kind": "payment.debt"},
    **{"DiscrepancyView.kind": "missing_here", "EscrowEventView.kind": "funded", "PaymentEventView.kind": "captured"},
    **{"kind": "escrow.release", "SearchHitView.kind": "escrow", "StuckRunView.kind": "escrow"},
    **{"StatementBalanceView.kind": "available", "TrialBalanceLineView.kind": "liability"},
    **{"line": "customer credits", "month": "2026-01", "movement": "charge", "number": "INV-2026-000017"},
    **{"CreditNoteView.number": "CRN-2026-000003", "TaxReceiptView.number": "RCP-2026-000009"},
    **{"StatementView.number": "ST-2026-000004", "CorrectionView.number": "STC-2026-000001"},
    **{"ordering": "subject", "path": "/escrows", "ControlView.path": f"ctl_{SUFFIX}", "path_hint": "/escrows"},
    **{"BudgetView.path": f"ctl_{SUFFIX}", "payment": "Card ending in 1234", "crypto": "TON", "placeholders": "daily"},
    **{"PromptTemplateView.template": "Daily Budget: {daily} (remaining: {remaining})"},
    **{"DepartmentView.path": f"dep_{SUFFIX}", "DepartmentView.name": "Research", "AgentView.name": "Summariser"},
    **{"OfferView.name": "Summariser", "LeaderView.name": "Summariser", "MeAgent.name": "Summariser"},
    **{"postgresql": "ok", "temporal": "ok", "price_ref": "2026-01", "provider": "stripe", "rated_by": "llm.call"},
    **{"UsageEventView.provider": "openai", "provider_ref": "dp_1Q0PsIJvEtkwdCNY", "references": "pi_3MtwBwLkdIwHu7ix"},
    **{"reason": "The report is not complete.", "reasons": "The score is at least 0.80.", "slug": "report-writer"},
    **{"ReferralView.reason": None, "RefusalView.reason": "limit", "WebhookEndpointView.reason": None},
    **{"requirements": "external_account", "rule": "busy hours", "rules": "Newer evidence counts more."},
    **{"WebhookEndpointCreated.reason": None, "sentence": "The work was released.", "source": "purchase"},
    **{"CoinQuoteView.source": "coinbase", "QuotedRateView.source": "ecb", "UsageEventView.source": "gateway"},
    **{"EventResult.source": "gateway", "status": "active", "ApprovalView.status": "pending"},
    **{"CountedSpendView.status": "captured", "ItemAnswer.status": "charged", "PayoutView.status": "paid"},
    **{
        "InboxEventView.status": "handled",
        "MailSuppressionView.status": "suppressed",
        "TaskView.path_hint": "/escrows",
    },
    **{
        "ReconciliationRunView.status": "done",
        "StuckRunView.status": "funded",
        "WebhookDeliveryView.status": "delivered",
    },
    **{"EscrowSummaryView.status": "funded", "SearchHitView.status": "funded", "StatusCount.status": "funded"},
    **{"ProviderCount.status": "succeeded", "step_id": "draft", "parent_id": None, "agents": f"agt_{SUFFIX}"},
    **{"subject": f"esc_{SUFFIX}", "tax_code": "de_vat_19", "InvoiceLineView.tax_code": "services", "rate": "0.19"},
    **{"StatementView.tax_code": "reverse_charge", "ExchangeRateView.rate": "1.08", "text": "The escrow was released."},
    **{"ConnectView.onboarding_url": "https://connect.stripe.com/setup/e/acct_1Q0PsIJvEtkwdCNY"},
    **{"type": "escrow.released", "types": "escrow.released", "AdjustmentView.type": "surge", "unit": "tokens"},
    **{"ConsideredView.type": "surge", "CounterpartyView.type": "platform", "InboxEventView.type": "charge.succeeded"},
    **{"CauseView.type": "escrow", "UsageEventView.type": "llm.call", "SubjectView.id": PAYER, "shortened": "escrows"},
    **{
        "story": "Acme paid 50.00 credits.",
        "workflow_id": f"escrow/ctr_{SUFFIX}",
        "SyncView.workflow_id": "usage-sync",
    },
    **{"PaymentView.workflow_id": f"payment/pay_{SUFFIX}", "SlotPurchaseView.workflow_id": f"payment/pay_{SUFFIX}"},
    **{"group_by": "day", "accepted_by": "sales", "created_by": "procurement", "signed_by": "procurement"},
    **{"resolved_by": "procurement", "used_by": "procurement", "price_id": "price_1Q0PsIJvEtkwdCNY"},
    **{"WebhookEndpointView.description": None, "WebhookEndpointCreated.description": None},
    **{"outside_listing": "price", "InboxEventView.id": "evt_1Q0PsIJvEtkwdCNY", "token": "bss_01kar6h2d8e4wvq3"},
    **{
        "ApiKeyCreated.secret": "bsk_4f9a0c6d2e8b",
        "WebhookEndpointCreated.secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    },
    **{"TransferView.reference": f"esc_{SUFFIX}", "multiplier": "1.20", "ratings": "5", "entitlement": "projects"},
}
#: The times that are there though they could be null; others are those of an end that has not come.
TIMES = frozenset(
    (
        *("accepted_at", "delivered_at", "expires_at", "updated_at", "last_used_at", "until", "starts_at", "resets_at"),
        *("period_start", "period_end", "last_try_at", "handled_at", "finished_at", "signed_at", "pending_until"),
    )
)
FORMATS = {"date-time": "2026-01-31T12:00:00Z", "date": "2026-01-31", "email": "billing@acme.example"}
