"""What the examples of the OpenAPI document tell: one job from award to payout, and the bills beside it.

Acme has 500 credits, holds 10 for a reservation, and pays 50.00 for a report by an agent of Globex, of which 5 %, 2.50,
is commission. Usage is billed with 19 % of tax: 100.00 and 19.00. Everything that adds up in a response adds up here,
as `tests/api/test_openapi_examples.py` checks. A schema is told by the fields that belong together; an object inside,
or each of a list, is told in the same way, and what is left out is made (`openapi_examples.py`).
"""

from typing import Any

from api.openapi_words import PAYEE, PAYER, SUFFIX

Json = dict[str, Any]


def _money(amount: str, currency: str = "CREDIT") -> Json:
    return {"amount": amount, "currency": currency}


_EARNED: Json = {
    **{"available": "40.00", "pending": "7.50", "frozen": "0.00", "granted": "0.00", "own_work": "0.00"},
    **{"total": "47.50", "pending_until": "2026-02-07T12:00:00Z"},
}
_ESCROW: Json = {
    **{"status": "released", "amount": "50.00", "funded_amount": "50.00", "released_amount": "47.50"},
    **{"refunded_amount": "0.00", "commission_amount": "2.50", "commission_bps": 500, "version": 5},
    **{"signatories": ["procurement"], "required_signatures": 1, "validation_threshold": None, "milestones": []},
    **{"signatures": [{"signatory": "procurement", "signed_by": "procurement"}], "validation_score": None},
    **{"cancel_requested_by": None, "story": "Closed: the money was released to the agent."},
    "delivery": {"number": 1, "note": None, "artifacts": [{"uri": "https://example.com/report.pdf"}]},
    "deadlines": {"fund_by": None, "deliver_by": None, "review_by": None},
}
_CREDIT_PAYMENT: Json = {
    **{"provider": "stripe", "status": "succeeded", "purpose": "credits", "amount": "50.00", "currency": "USD"},
    **{"tax": None, "received_amount": "50.00", "refunded_amount": "0.00", "disputed_amount": "0.00"},
    **{"refundable_amount": "50.00", "goods": _money("500.00"), "granted": _money("500.00"), "owed": _money("0.00")},
    **{"escrow_id": None, "invoice_id": None, "agent_id": None, "package": None, "fulfilment": "done"},
    **{"description": "500 credits", "capture_method": "automatic", "client_secret": None, "approval_url": None},
    **{"seen_amount": "0.00", "confirmations": None, "cancel_requested": False, "version": 3, "refunds": []},
    "story": "50.00 USD by stripe for credits: succeeded.",
}
_SLOT_PAYMENT = _CREDIT_PAYMENT | {
    **{"purpose": "slot", "amount": "9.00", "received_amount": "9.00", "refundable_amount": "9.00", "slots": 1},
    **{"goods": _money("1", "SLOT"), "granted": _money("1", "SLOT"), "owed": _money("0", "SLOT")},
    **{"description": "1 slot", "story": "9.00 USD by stripe for slot: succeeded."},
}
_INVOICE: Json = {
    **{"status": "open", "currency": "USD", "subtotal": "100.00", "tax": "19.00", "total": "119.00"},
    **{"granted_credits": "0.00", "taxed_credits": "0.00", "applied_credits": "0.00", "rounding": "0.00"},
    **{"credited": "0.00", "written_off": "0.00", "paid": "0.00", "due": "119.00"},
    **{"number": "INV-2026-000017", "paused_for": None},
    **{"issued_at": "2026-02-01T00:00:00Z", "due_at": "2026-02-15T00:00:00Z", "discarded_at": None, "discounts": []},
    "lines": [
        {
            **{"description": "Usage in January", "quantity": 2, "unit_amount": "50.00", "amount": "100.00"},
            **{"discount": "0.00", "net": "100.00", "tax": "de_vat_19", "tax_code": "services"},
            **{"period_start": "2026-01-01T00:00:00Z", "period_end": "2026-02-01T00:00:00Z"},
        }
    ],
    "taxes": [{"code": "de_vat_19", "category": "S", "rate": "0.19", "taxable": "100.00", "amount": "19.00"}],
}
_PAID_INVOICE: Json = {"status": "paid", "paid": "119.00", "due": "0.00"}
_DRAFT: Json = {
    **{"status": "draft", "number": None, "tax": "0.00", "total": "100.00", "due": "0.00", "taxes": []},
    **{"transfer_id": None, "lines": [{"tax": None}]},
}
_SPEND: Json = {
    **{"status": "charged", "quantity": 1, "amount": "2.00", "captured": "2.00", "released": "0.00"},
    **{"refunded": "0.00", "held": "0.00", "expires_at": None},
}
_HELD: Json = {"status": "reserved", "amount": "10.00", "captured": "0.00", "held": "10.00"}
_NOT_BOUGHT: Json = {
    **{"payee_agent_id": None, "payee_agent_name": None, "meter": None, "purchase_id": None, "usage_event": None},
}
_CAPTURED: Json = {"status": "captured", "captured": "6.00", "released": "4.00", "held": "0.00"}
_TERMS: Json = {"price": {"amount": "49.00", "currency": "USD"}, "credits_per_month": "500.00", "net_days": 0}
_QUOTED: Json = {
    **{"base_price": "50.00", "adjusted_price": "60.00", "multiplier": 1.2, "discount": "0.00", "borne_by": None},
    "adjustments": [{"rule": "busy hours", "type": "surge", "multiplier": 1.2, "description": "Most is busy."}],
}
_LIABILITY: Json = {"line": "customer credits", "kind": "liability", "debits": "2.00", "credits": "500.00"}
_REVENUE: Json = {"line": "credits", "kind": "revenue", "debits": "0.00", "credits": "2.00"}
_ISSUED: Json = {"line": "credits issued", "kind": "equity", "debits": "500.00", "credits": "0.00"}
_OPENING: Json = {"currency": "CREDIT", "opening_debit": "0.00", "opening_credit": "0.00"}


def _section(line: str | None, amount: str) -> Json:
    return {"lines": [{"line": line, "amount": amount}] if line else [], "total": amount}


_BOUGHT: Json = {
    **{"item": "GitHub Copilot subscription", "vendor": "GitHub", "category": "coding", "amount": "10.00"},
    **{"why": "Completes code in the scripts.", "currency": "USD", "term": None, "status": "purchased"},
    **{"pool": "operating", "on_limit": "refuse", "lifts": [], "persons": 0, "grants": [], "principal": "worker"},
    **{"answer_by": None, "held_until": None, "renews_at": None, "spent": "10.00", "refunded": "0.00"},
    **{"alternative_action": None, "saved": None, "digest": "9f86d081884c7d659a2feaa0c55ad015" * 2},
    "alternatives": [
        {"name": "Codeium", "url": None, "cost": "0.00", "fits": False, "why": "It does not know our language."}
    ],
    "decision": {
        **{"code": "approved", "window": "day", "remaining": "15.00", "currency": "USD"},
        "sentence": "10.00 USD are held for this purchase; 15.00 USD are left today in the budget of agent Summariser.",
    },
    "methods": [
        {"method": "card_primary", "label": "Card ending in 1234", "available": False, "why_not": "not_connected"}
    ],
    "budget_remaining": {"daily": "15.00", "project": "245.00"},
    "attempts": [
        {
            **{"number": 1, "method": "card_primary", "status": "succeeded", "amount": "10.00", "fee": "0.30"},
            **{"reference": "ch_3MtwBwLkdIwHu7ix", "receipt_url": None, "begun_by": "worker"},
            "result_at": "2026-01-31T12:00:00Z",
        }
    ],
}
_HELD_ORDER: Json = {"status": "approved", "spent": "0.00", "held_until": "2026-02-01T12:00:00Z", "attempts": []}

_ALLOCATION = {
    **{"currency": "USD", "total": "110.00", "reinvested": "10.00", "agents": 1, "status": "proposed"},
    "answer_by": "2026-02-01T00:00:00Z",
}

#: By schema: the fields that belong together.
SCHEMAS: dict[str, Json] = {
    "EscrowView": _ESCROW,
    "PurchaseOrderView": _BOUGHT,
    "FundedView": _ESCROW,
    "EscrowMilestoneView": {"name": "Draft", "amount": "50.00"},
    "ContractView": {
        **{"price": "50.00", "commission_bps": 500, "signatories": ["procurement"], "required_signatures": 1},
        **{"status": "accepted", "milestones": [], "outside_listing": [], "accept_by": None},
    },
    "EscrowEventView": {"kind": "funded", "status": "funded", "number": 2},
    "EscrowSummaryView": {"amount": "50.00", "status": "funded", "role": "payer"},
    "PaymentView": _CREDIT_PAYMENT,
    "SlotPurchaseView": _SLOT_PAYMENT,
    "SlotsView": {"free": 1, "in_use": 0, "owed": 0},
    "PaymentEventView": {"kind": "succeeded", "status": "succeeded", "number": 3},
    "RefundView": {
        **{"status": "succeeded", "amount": "10.00", "currency": "USD", "taken": _money("100.00")},
        **{"reason": "Bought too many.", "failure": None, "failure_code": None},
    },
    "ChargebackView": {
        **{"amount": "50.00", "currency": "USD", "status": "needs_response", "reason": "fraudulent"},
        **{"taken": _money("490.00"), "owed": _money("10.00"), "evidence_submitted_at": None},
        **{"offered_evidence": None, "evidence_offered_at": None},
    },
    "EconomicEntryView": {
        **{"timestamp": "2025-01-18T10:30:00Z", "agent_external_id": "worker-vm-1", "project": "game-dev-001"},
        **{"transaction_type": "purchase_attempt", "item": "GitHub Copilot subscription", "object_id": f"por_{SUFFIX}"},
        **{"amount": {"value": "10.00", "currency": "USD"}, "payment_method": "card_primary"},
        **{"status": "declined_over_budget", "alternative_action": "found_free_codeium_alternative"},
        "budget_remaining": {"daily": "5.00", "project": "245.00"},
    },
    "TopUpView": {"credits": "500.00", "charge": _money("50.00", "USD"), "status": "requires_action", "package": None},
    "CheckoutView": {"credits": "500.00", "charge": _money("50.00", "USD"), "status": "created"},
    "PackageView": {"credits": "500.00", "price": _money("50.00", "USD"), "price_per_credit": _money("0.10", "USD")},
    "PurchaseView": {"credits": "500.00", "paid": _money("50.00", "USD"), "source": "purchase"},
    "BillingQuoteView": {
        **{"credits": "500.00", "slots": None, "package": None, "agent_id": None, "currency": "USD"},
        **{"subtotal": "50.00", "total": "59.50", "rate": None},
        "tax": {"code": "de_vat_19", "category": "S", "rate": "0.19", "amount": "9.50"},
    },
    "InvoiceView": _INVOICE,
    "InvoiceDetail": _INVOICE
    | _PAID_INVOICE
    | {
        **{"applied_credits": "0.00", "payments": [{"amount": "119.00"}], "credit_notes": []},
    },
    "CreditNoteView": {
        **{"number": "CRN-2026-000003", "currency": "USD", "amount": "23.80", "net": "20.00", "tax": "3.80"},
        **{"returned_credits": "0.00", "reason": "One call was billed twice."},
    },
    "TaxReceiptView": {"currency": "USD", "amount": "59.50", "net": "50.00", "tax": "9.50", "tax_code": "de_vat_19"},
    "DueInvoiceView": {"number": "INV-2026-000017", "currency": "USD", "total": "119.00", "due": "119.00"},
    "InvoiceItemView": {"currency": "USD", "quantity": 2, "unit_amount": "25.00", "amount": "50.00", "status": "open"},
    "UpcomingInvoiceView": {
        **{"currency": "USD", "charges": "100.00", "volume": "100.00", "discount": "0.00", "usage": "100.00"},
        **{"shortfall": "0.00", "net": "100.00", "granted_credits": "0.00", "taxed_credits": "0.00"},
        **{"subtotal": "100.00", "tax": "19.00", "total": "119.00", "applied_credits": "0.00", "due": "119.00"},
        "rounding": "0.00",
        **{"period": "2026-01", "lines": [{"description": "Usage", "quantity": 1, "amount": "100.00"}]},
    },
    "CollectionView": {"status": "scheduled", "dunning_days": [3, 7, 14], "failure": None, "failure_code": None},
    "AlertView": {"kind": "payment.debt", "subject": f"pay_{SUFFIX}", "status": "firing", "severity": "warning"},
    "BalanceView": {
        **{"available": "440.00", "reserved": "10.00", "total": "450.00", "owed": "0.00"},
        "expiring": [{"amount": "100.00", "expires_at": "2026-03-01T00:00:00Z"}],
    },
    "AssetSummaryView": {
        **{"available": "440.00", "held": "10.00", "expired": "0.00", "in_use": "0.00", "in_escrow": "50.00"},
        **{"in_payments": "0.00", "in_payouts": "0.00", "owed": "0.00", "invoiced": "0.00", "pending": "0.00"},
        **{"pending_until": None, "total": "547.50", "earnings": _EARNED},
    },
    "EarningsSummaryView": _EARNED,
    "AgentEarningsSummaryView": _EARNED,
    "SummaryView": {"invoices_due": [], "expiring": [{"amount": "100.00"}], "shortened": []},
    "StuckRunView": {"kind": "escrow", "status": "funded"},
    "MovementView": {"kind": "use", "amount": "-2.00", "balance_after": "440.00", "reference": f"hold_{SUFFIX}"},
    "AccountStatementView": {
        **{"opening_balance": "442.00", "closing_balance": "440.00"},
        "data": [{"kind": "use", "amount": "-2.00", "balance": "440.00", "paid": [_money("0.20", "USD")]}],
    },
    "AccountBalanceView": {"balance": "440.00"},
    "ChangeOfAssetView": {
        **{"total": "0.00", "available": "-50.00", "in_use": "0.00", "in_escrow": "50.00", "in_payments": "0.00"},
        **{"in_payouts": "0.00", "earnings": "0.00", "invoiced": "0.00"},
    },
    "FactView": {
        **{"kind": "escrow.funded", "category": "escrow", "agent_id": None, "agent_name": None},
        "object": {
            "type": "escrow",
            "id": f"esc_{SUFFIX}",
            "name": "Summarise the report",
            **_money("50.00", "CREDIT"),
        },
    },
    "TransferView": {
        **{"kind": "escrow.fund", "cause": {"type": "escrow", "id": f"esc_{SUFFIX}"}},
        "entries": [
            {
                "account": f"org/{PAYER}/credits",
                "organization_id": PAYER,
                "amount": "-50.00",
                "balance_after": "440.00",
            },
            {"account": f"escrow/esc_{SUFFIX}", "amount": "50.00", "balance_after": "50.00", "organization_id": PAYER},
        ],
    },
    "CreditStats": {
        **{"available": "440.00", "reserved": "10.00", "purchased": "500.00", "granted": "100.00", "rewarded": "0.00"},
        **{"earned": "0.00", "used": "100.00", "refunded": "0.00", "expired": "0.00", "burn_rate": "2.00"},
        **{"burn_days": 30, "days_left": 220},
    },
    "SpendView": _SPEND,
    "SpendDetail": _SPEND | _HELD | {"expires_at": "2026-01-31T12:15:00Z", "unit_amount": "10.00"} | _NOT_BOUGHT,
    "CountedSpendView": {
        "amount": "2.00",
        "captured": "2.00",
        "released": "0.00",
        "refunded": "0.00",
        "counted": "2.00",
    },
    "UseView": {"status": "charged", "quantity": 1, "amount": "2.00", "available": "440.00", "payee_agent_id": None},
    "ReservationView": {"status": "reserved", "amount": "10.00", "available": "440.00", "payee_agent_id": None},
    "ChangeView": {**_CAPTURED, "amount": "6.00", "refunded": "0.00", "available": "444.00", "expires_at": None},
    "SpendRefundView": {"amount": "1.00", "refunded": "1.00", "available": "441.00"},
    "ItemAnswer": {"status": "charged", "amount": "2.00", "available": "440.00"},
    "TotalView": {"key": "generate", "amount": "2.00", "held": "0.00", "quantity": 1, "count": 1},
    "LotView": {"amount": "100.00", "source": "promotion", "note": "Welcome."},
    "CreditLotView": {
        **{"source": "purchase", "amount": "500.00", "remaining": "450.00", "held": "10.00", "expired": "0.00"},
        **{"cost": "50.00", "cost_currency": "USD"},
    },
    "ActionCostView": {"action": "generate", "cost": "2.00", "source": "platform"},
    "CostVersionView": {"action": "generate", "cost": "2.00"},
    "AutoTopUpView": {
        **{"below": "50.00", "credits": "500.00", "monthly_cap": "1000.00", "bought_this_month": "500.00"},
        **{"off_reason": None, "failed_attempts": 0, "next_attempt_at": None},
    },
    "EarningsView": {
        **{"granted": {"amount": "0.00", "convertible": "0.00"}, "own_work": {"amount": "0.00", "convertible": "0.00"}},
        "paid": {"amount": "47.50", "convertible": "40.00"},
    },
    "AgentEarningsView": {
        **{"earned": "47.50", "paid_out": "0.00", "available": "40.00", "pending": "7.50", "frozen": "0.00"},
        **{"granted": "0.00", "payable": [{"currency": "USD", "available": "4.00", "pending": "0.75"}]},
    },
    "PaymentPolicyView": {
        **{"currency": "CAD", "free_first": "require", "free_first_above": "5.00", "per_purchase": "50.00"},
        **{"approval_above": "20.00", "two_persons_above": "40.00", "methods": ["free", "card", "TON"]},
        **{"order": ["free", "card", "TON"], "answer_within": "PT4H", "updated_by": "procurement"},
        **{"id": f"pol_{SUFFIX}", "categories": {"allowed": ["coding"], "refused": []}},
    },
    "PolicyCryptoView": {"primary": "TON", "fallbacks": [], "wallet_creation": "ask"},
    "PayableView": {"currency": "USD", "available": "4.00", "pending": "0.75", "frozen": "0.00"},
    "PayoutPreview": {"minimum": "1.00", "refused": None, "detail": None},
    "PayoutView": {
        **{"status": "paid", "amount": "4.00", "currency": "USD", "reversed": "0.00", "failure": None},
        **{"transfer_id": "tr_1Q0PsIJvEtkwdCNY", "lines": [{"asset": "CREDIT", "amount": "40.00", "paid": "4.00"}]},
    },
    "ConversionView": {"amount": "40.00"},
    "StatementView": {
        **{"number": "ST-2026-000004", "currency": "USD", "earned": "4.75", "tax": "0.00", "corrections": []},
        **{"lines": [{"description": "Summariser", "amount": "4.75"}]},
        "account": [{"kind": "opening", "amount": "0.00"}, {"kind": "closing", "amount": "4.75"}],
        "tax_text": "Reverse charge.",
    },
    "CreatorTotalView": {"currency": "USD", "paid_out": "4.00", "reversed": "0.00", "payouts": 1, "period": "2026"},
    "SpendLimitView": {
        **{"amount": "100.00", "uses": None, "spent": "20.00", "held": "10.00", "remaining": "70.00"},
        **{"uses_spent": 10, "uses_remaining": None},
    },
    "AllocationSettingView": {
        **{"mode": "propose", "currency": "USD", "daily_amount": "100.00", "floor": "0.25", "ceiling": "3.00"},
        **{"reinvest": "0.25", "next_night": "2026-02-01", "next_at": "2026-02-01T00:00:00Z"},
    },
    "AllocationView": _ALLOCATION,
    "AllocationDetailView": _ALLOCATION,
    "AllocationLineView": {
        **{"old": "100.00", "new": "110.00", "performance": "0.73", "task": "20.50", "time": "1.00", "success": "1.42"},
        "reason": "Every 1.00 spent is estimated to bring 1.42, its reputation is at least 7.30, and its open work "
        "costs about 20.50 USD. It gets the maximum.",
        "bound": "ceiling",
    },
    "TrialView": {
        **{"currency": "USD", "amount": "300.00", "paid": "60.00", "next_at": "2026-02-07T00:00:00Z"},
        "stages": [
            {"due_at": "2026-01-31T00:00:00Z", "share": "0.20", "results": 0, "roi": None, "paid": True},
            {"due_at": "2026-02-07T00:00:00Z", "share": "0.80", "results": 5, "roi": None, "paid": False},
        ],
    },
    "BudgetWindowView": {
        **{"window": "week", "amount": "100.00", "uses": None, "uses_spent": 4, "uses_remaining": None},
        "operating": {"amount": "30.00", "held": "5.00", "spent": "6.50", "remaining": "18.50"},
        "reserve": {"amount": "50.00", "held": "0.00", "spent": "0.00", "remaining": "50.00"},
        "emergency": {"amount": "20.00", "held": "0.00", "spent": "0.00", "remaining": "20.00"},
        "allowance": {"amount": "10.00", "held": "0.00", "spent": "0.00", "remaining": "10.00"},
    },
    "BudgetView": {
        **{"currency": "CAD", "pools_of": "week", "binding": "week", "reserve": "50.00", "emergency": "20.00"},
        **{"carry_over": None, "may_draw_reserve": "10.00", "emergency_until": None, "emergencies": []},
        **{"per_spend": "20.00", "thresholds": ["0.80", "1.00"]},
    },
    "LeftView": {"amount": "25.00", "remaining": "18.50", "currency": "CAD", "window": "day"},
    "ControlView": {"per_spend": "20.00", "thresholds": ["0.80", "1.00"]},
    "ControlVersionView": {"per_spend": "20.00", "thresholds": ["0.80", "1.00"]},
    "DepartmentLimitsView": {"daily": {}, "monthly": {}},
    "DepartmentLimitView": {"limit": "100.00", "spent": "20.00", "remaining": "80.00"},
    "RefusalView": {"limit": "100.00", "remaining": "1.00", "amount": "2.00", "window": "day"},
    "ExposureView": {"limit": "1000.00", "unsettled": "50.00", "left": "950.00"},
    "PriceView": _QUOTED,
    "PriceQuoteView": _QUOTED,
    "PriceExplanationView": _QUOTED,
    "RuleView": {"terms": {"threshold": "0.80", "maximum": "1.50", "full": "1.00"}},
    "AgentPurchaseView": {"model": "one_time", "price": "50.00", "currency": "CREDIT", "status": "active"},
    "PlanView": {"credits_per_month": "500.00"},
    "PlanPriceView": {"price": _money("49.00", "USD")},
    "SubscriptionView": _TERMS | {"status": "active", "pending_change": None, "pay_url": None, "checkout_url": None},
    "PendingChangeView": _TERMS,
    "ChangePreview": _TERMS
    | {
        **{"kind": "upgrade", "due": _money("39.00", "USD"), "unused": _money("10.00", "USD"), "credits": "400.00"},
    },
    "LimitsView": {"slot_price": _money("9.00", "USD")},
    "ConfigView": {
        **{"credit_price": _money("0.10", "USD"), "slot_price": _money("9.00", "USD")},
        "revenue_shares": {"creator": "0.80", "platform": "0.20"},
    },
    "CoinQuoteView": {"price": "50000.00", "currency": "USD", "amount": "0.00100000", "source": "coinbase"},
    "EstimateView": {
        **{"currency": "USD", "cost": "1.00", "creator_share": "0.80", "platform_share": "0.20"},
        "lines": [{"unit": "input_tokens", "quantity": 1000, "unit_price": "0.001", "amount": "1.00"}],
    },
    "CurrencyCostView": {"currency": "USD", "cost": "1.00", "creator_share": "0.80", "platform_share": "0.20"},
    "UsageEventView": {"currency": "USD", "cost": "1.00", "creator_share": "0.80", "platform_share": "0.20"},
    "UsageLine": {"events": 3, "input_tokens": 900, "output_tokens": 100, "cached_tokens": 0, "reasoning_tokens": 0},
    "SideView": {"amount": "50.00", "fee": "1.75", "net": "48.25", "currency": "USD"},
    "DiscrepancyView": {
        "resolution": None,
        "resolved_at": None,
        "resolved_by": None,
        "note": None,
        "transfer_id": None,
    },
    "ReconciliationLineView": {"currency": "USD", "booked_net": "48.25", "listed_net": "48.25"},
    "ClearingView": {"currency": "USD", "held": "48.25", "booked": "48.25", "unexplained": "0.00"},
    "TrialBalanceView": {
        "lines": [
            _OPENING | _LIABILITY | {"closing_debit": "0.00", "closing_credit": "498.00"},
            _OPENING | _REVENUE | {"closing_debit": "0.00", "closing_credit": "2.00"},
            _OPENING | _ISSUED | {"closing_debit": "500.00", "closing_credit": "0.00"},
        ],
        "totals": [
            _OPENING | {"debits": "502.00", "credits": "502.00", "closing_debit": "500.00", "closing_credit": "500.00"}
        ],
    },
    "CurrencyResultView": {
        **{"currency": "USD", "revenue": _section("commission", "2.50"), "expenses": _section("fees", "1.75")},
        "result": "0.75",
    },
    "CurrencySheetView": {
        **{"currency": "USD", "assets": _section("stripe", "48.25"), "liabilities": _section("credits", "47.50")},
        **{"equity": _section(None, "0.00"), "result": "0.75"},
    },
    "JournalTransferView": {
        **{"kind": "payment.received", "reference": f"pay_{SUFFIX}"},
        "entries": [
            {"account": "clearing/stripe", "line": "stripe", "debit": "50.00", "credit": None, "currency": "USD"},
            {
                **{"account": "platform/deferred_revenue", "line": "deferred revenue", "debit": None},
                **{"credit": "50.00", "currency": "USD"},
            },
        ],
    },
    "DryRunTotal": {"currency": "CREDIT", "quotes": 1, "before": "50.00", "after": "60.00"},
    "DryRunView": {"quotes": 1, "changed": 1},
    "SearchHitView": {"amount": "50.00", "customer": None},
    "TaskView": {"kind": "to_sign", "amount": "50.00"},
    "StatusCount": {"count": 12, "amount": "600.00"},
    "ProviderCount": {"count": 12, "amount": "600.00", "currency": "USD"},
    "ReferralView": {"status": "rewarded", "referrer_amount": "50.00", "referred_amount": "25.00"},
    "OrganizationView": {"status": "active", "status_reason": None},
    "MeOrganization": {"id": PAYER, "name": "Acme"},
    "CounterpartyView": {"type": "organization", "account": None},
    "EventResult": {"status": "accepted", "code": None, "detail": None},
    "ReputationEventView": {"counterparty_organization_id": PAYEE, "excluded": None, "void_reason": None},
}

_OPEN: Json = {
    **{"status": "open", "funded_amount": "0.00", "released_amount": "0.00", "commission_amount": "0.00"},
    **{"delivery": None, "signatures": [], "version": 1},
    "story": "Nothing is funded yet. The payer has to fund it.",
}
_FUNDED: Json = _OPEN | {
    **{"status": "funded", "funded_amount": "50.00", "version": 2},
    "story": "50.00 CREDIT held in escrow. The agent has to deliver.",
}
_DELIVERED: Json = {
    **{"status": "delivered", "released_amount": "0.00", "commission_amount": "0.00", "signatures": [], "version": 3},
    "story": "50.00 CREDIT held in escrow. The delivery is under review.",
}
_DISPUTE: Json = {
    **{"opened_by": "procurement", "reason": "The report is not complete.", "evidence": [], "resolved_by": None},
    **{"opened_at": "2026-02-03T12:00:00Z", "evidence_until": "2026-02-06T12:00:00Z", "payee_share": None},
    **{"decide_by": "2026-02-10T12:00:00Z", "default_at": "2026-02-17T12:00:00Z", "default_payee_share": "0.50"},
    **{"resolution_note": None, "resolved_at": None},
}
_DISPUTED: Json = _DELIVERED | {
    **{"status": "disputed", "version": 4, "dispute": _DISPUTE},
    "story": "50.00 CREDIT held in escrow. An arbiter has to decide.",
}
_DECIDED: Json = {
    **{"resolved_by": "arbiter", "payee_share": "0.50", "resolution_note": "Half of the report is there."},
    "resolved_at": "2026-02-07T12:00:00Z",
}
_STATEMENT: Json = {
    "submitted_by": "sales",
    "note": "Chapters 1 to 9 are there.",
    "artifacts": [],
    "submitted_at": "2026-02-04T12:00:00Z",
}
#: By operation: what is different right after it.
OPERATIONS: dict[str, Json] = {
    "escrows.create": _OPEN,
    "escrows.fund": _FUNDED,
    "escrows.deliver": _DELIVERED,
    "escrows.validate": _DELIVERED | {"validation_threshold": "0.80", "validation_score": "0.70", "version": 4},
    "escrows.open_dispute": _DISPUTED,
    "escrows.submit_evidence": _DISPUTED | {"version": 5, "dispute": _DISPUTE | {"evidence": [_STATEMENT]}},
    "escrows.resolve_dispute": {
        **{"status": "split", "released_amount": "23.75", "refunded_amount": "25.00", "commission_amount": "1.25"},
        **{"story": "Closed: the money was split.", "version": 5, "dispute": _DISPUTE | _DECIDED, "signatures": []},
    },
    "escrows.refund": {
        **{"status": "refunded", "released_amount": "0.00", "refunded_amount": "50.00", "commission_amount": "0.00"},
        **{"story": "Closed: the money was refunded to the payer.", "delivery": None, "signatures": [], "version": 3},
    },
    "escrows.cancel": _OPEN | {"status": "cancelled", "story": "Closed: it was cancelled.", "version": 2},
    "payments.create": {
        **{
            "status": "requires_action",
            "received_amount": "0.00",
            "refundable_amount": "0.00",
            "fulfilment": "pending",
        },
        **{"granted": _money("0.00"), "client_secret": "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH"},
        **{"story": "50.00 USD by stripe for credits: requires action.", "version": 1},
    },
    "payments.cancel": {
        **{"status": "cancelled", "received_amount": "0.00", "refundable_amount": "0.00", "granted": _money("0.00")},
        **{"story": "50.00 USD by stripe for credits: cancelled.", "fulfilment": "pending", "version": 2},
    },
    "invoices.edit": _DRAFT,
    "invoices.discard": _DRAFT | {"discarded_at": "2026-02-01T12:00:00Z"},
    "invoices.pay": {
        **{"purpose": "invoice", "amount": "119.00", "received_amount": "119.00", "refundable_amount": "119.00"},
        **{"goods": _money("119.00", "USD"), "granted": _money("119.00", "USD"), "owed": _money("0.00", "USD")},
        **{"invoice_id": f"inv_{SUFFIX}", "description": "INV-2026-000017"},
        "story": "119.00 USD by stripe for invoice: succeeded.",
    },
    "invoices.void": {"status": "void", "credited": "119.00", "due": "0.00"},
    "invoices.mark_uncollectible": {"status": "uncollectible", "written_off": "119.00", "due": "0.00"},
    "contracts.create": {"status": "proposed", "accepted_at": None, "accepted_by": None},
    "credits.release": {"status": "released", "amount": "10.00", "captured": "0.00", "released": "10.00"},
    "credits.extend_reservation": {
        **_HELD,
        **{"released": "0.00", "available": "440.00", "expires_at": "2026-01-31T12:30:00Z", "transfer_id": None},
    },
    "credits.get_spend": _SPEND | {"unit_amount": "2.00", "expires_at": None, "id": f"spd_{SUFFIX}"},
    "allocations.accept": {
        **{"status": "applied", "answer_by": None, "applied_at": "2026-01-31T12:00:00Z"},
        "applied_by": "procurement",
    },
    "budgets.freeze": {"status": "frozen"},
    "budgets.close": {"status": "closed"},
    "spend_controls.freeze": {"status": "frozen"},
    "spend_controls.close": {"status": "closed"},
    "purchase_orders.create": _HELD_ORDER,
    "purchase_orders.attempt": _HELD_ORDER
    | {"attempts": [_BOUGHT["attempts"][0] | {"status": "begun", "amount": None, "fee": None, "result_at": None}]},
    "purchase_orders.abandon": {
        **{"status": "abandoned", "spent": "0.00", "attempts": [], "saved": "10.00"},
        "alternative_action": "Codeium",
    },
    "purchase_orders.refund": {"refunded": "3.00"},
    "purchase_orders.cancel": {"status": "cancelled", "term": "month"},
    "purchase_orders.grant": _HELD_ORDER
    | {
        "persons": 1,
        "grants": [{"principal": "procurement", "granted": True, "reason": None, "at": "2026-01-31T12:00:00Z"}],
    },
    "purchase_orders.refuse": {
        **{"status": "declined_policy", "spent": "0.00", "persons": 1, "attempts": []},
        "grants": [
            {
                **{"principal": "procurement", "granted": False, "reason": "We have a licence already."},
                "at": "2026-01-31T12:00:00Z",
            }
        ],
    },
    "departments.close": {"closed_at": "2026-02-01T12:00:00Z"},
    "agents.retire": {"retired_at": "2026-02-01T12:00:00Z"},
    "alerts.acknowledge": {"status": "acknowledged"},
    "alerts.resolve": {"status": "resolved"},
    "approvals.approve": {"status": "approved"},
    "approvals.reject": {"status": "rejected"},
    "subscriptions.cancel": {"cancel_at_period_end": True},
}
