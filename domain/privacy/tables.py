"""Purpose, retention and erasure of each table.

`domain.privacy.data_map` has the categories of the columns. By default rows are kept with the books, and categories are
erased as in `ERASED`.
"""

from collections.abc import Mapping

from domain.privacy.data_map import BOOKS, CONTACT, DELETE, EVIDENCE, FREE_TEXT, IDENTIFIER, NETWORK, DataPolicy

_WITH_ORG = "as long as the organization, then as long as the books"
_WITH_ITS_CASE = "as long as the case that it is about"
_SESSIONS = "until 30 days after its end; the audit trail names it longer"
_EXPORTS = "as long as the organization; the files themselves seven days"
_RISK = "13 months"
_COUNTERS = "minutes for a day, hours for 31 days, days for 13 months"
_SETTLED = "30 days"
#: The decider is kept for as long as the decision must be provable.
_WHO_DECIDED = {CONTACT: EVIDENCE}

TABLES: Mapping[str, DataPolicy] = {
    "action_costs": DataPolicy("prices of actions", erased=_WHO_DECIDED),
    "active_people": DataPolicy("principals that changed something on a day", _WITH_ORG),
    "agents": DataPolicy("agents that are paid, and their terms", _WITH_ORG),
    "alert_rule_hours": DataPolicy("the hourly figures of an alert rule", _WITH_ORG),
    "alert_rule_standings": DataPolicy("whether the figure of an alert rule is good", _WITH_ORG),
    "alert_rules": DataPolicy("an organization's alert rules", _WITH_ORG),
    "alerts": DataPolicy("cases that need a person's attention", _WITH_ITS_CASE),
    "allocation_settings": DataPolicy(
        "how a project's budget is divided among its agents each night", _WITH_ORG, _WHO_DECIDED
    ),
    "allocations": DataPolicy("amounts given to each agent of a project for a day, with reasons", erased=_WHO_DECIDED),
    "api_keys": DataPolicy(
        "identification of callers", "until the key ends, then as long as the acts that name it", erased=_WHO_DECIDED
    ),
    "api_presence": DataPolicy("when the API was away, so that deadlines give the time back", "for good: one row"),
    "approvals": DataPolicy("requests and approvals of actions by operators", erased=_WHO_DECIDED),
    "attributions": DataPolicy("how revenue is shared over agents and projects", erased=_WHO_DECIDED),
    "audit_log": DataPolicy("actions with actor, time and origin", erased={CONTACT: EVIDENCE, NETWORK: EVIDENCE}),
    "auto_topup_crossings": DataPolicy("which payment a low balance made"),
    "auto_topups": DataPolicy("which credits are bought by themselves", _WITH_ORG),
    "billed_periods": DataPolicy("that an organization was invoiced for a month"),
    "billing_profiles": DataPolicy(
        "addressees of invoices, and their tax", _WITH_ORG, {CONTACT: DELETE, FREE_TEXT: DELETE}
    ),
    "billing_runs": DataPolicy("which months were invoiced", erased=_WHO_DECIDED),
    "billing_terms": DataPolicy("billing terms agreed with an organization", erased=_WHO_DECIDED),
    "budget_emergencies": DataPolicy(
        "declarations and confirmations of budget emergencies, with reasons", erased=_WHO_DECIDED
    ),
    "card_authorizations": DataPolicy("authorization requests of merchants to cards, and the answers"),
    "card_spends": DataPolicy("the credits that pay for cards"),
    "card_transactions": DataPolicy("captures and refunds of merchants"),
    "cardholders": DataPolicy("organizations as holders of cards at the issuer", _WITH_ORG),
    "cards": DataPolicy("cards that agents pay with, without their numbers", erased=_WHO_DECIDED),
    "contract_parties": DataPolicy("organizations that see a contract"),
    "contracts": DataPolicy("awarded work, its payee and its rules", erased=_WHO_DECIDED),
    "creator_accounts": DataPolicy(
        "where an organization that earns is paid out", _WITH_ORG, {IDENTIFIER: DELETE, CONTACT: EVIDENCE}
    ),
    "creator_corrections": DataPolicy("reversals of a statement after it was issued", erased={CONTACT: BOOKS}),
    "creator_statements": DataPolicy("monthly statements of creators' earnings", erased={CONTACT: BOOKS}),
    "credit_lots": DataPolicy("where credits came from and when they end", erased=_WHO_DECIDED),
    "credit_notes": DataPolicy("corrections of an invoice", erased={CONTACT: EVIDENCE, FREE_TEXT: BOOKS}),
    "crypto_deposits": DataPolicy("which place a payment in coins was given"),
    "crypto_indexes": DataPolicy("which places were given"),
    "crypto_receipts": DataPolicy("amounts received on a chain"),
    "departments": DataPolicy("for which part of an organization is spent", _WITH_ORG, _WHO_DECIDED),
    "deployment_events": DataPolicy("uses of slots, with times", erased=_WHO_DECIDED),
    "documents": DataPolicy(
        "invoices, receipts, credit notes and statements as they were sent", erased={CONTACT: BOOKS}
    ),
    "escrow_events": DataPolicy("history of an escrow: actions, actors and movements", erased=_WHO_DECIDED),
    "escrow_notices": DataPolicy(
        "that a command in time counts although the run was away", _SETTLED, {FREE_TEXT: DELETE}
    ),
    "escrow_parties": DataPolicy("organizations that see an escrow"),
    "escrows": DataPolicy("where an escrow stands"),
    "events": DataPolicy("the facts about an organization that webhooks, mails and pages report"),
    "export_files": DataPolicy("contents of each file of an export: counts, sums and its hash", _EXPORTS),
    "exports": DataPolicy("exports, their actor, their rows, and the end of their files", _EXPORTS),
    "free_options": DataPolicy("which free options an organization knows", _WITH_ORG, _WHO_DECIDED),
    "idempotency_keys": DataPolicy(
        "that repeating a request is safe", _SETTLED, {IDENTIFIER: DELETE, FREE_TEXT: DELETE}
    ),
    "insight_dismissals": DataPolicy("which advice an organization does not want to see", _WITH_ORG, _WHO_DECIDED),
    "insight_takes": DataPolicy(
        "which advice was taken, and the purchase order or payment policy that it proposes", _WITH_ORG, _WHO_DECIDED
    ),
    "invoice_collection_events": DataPolicy("actions to collect an invoice, with actors", erased=_WHO_DECIDED),
    "invoice_collections": DataPolicy("how an invoice is charged and dunned"),
    "invoice_items": DataPolicy("one-time items of a monthly invoice", erased={CONTACT: EVIDENCE, FREE_TEXT: BOOKS}),
    "invoice_payments": DataPolicy("payments of an invoice"),
    "invoices": DataPolicy("bills of an organization", erased={CONTACT: EVIDENCE, FREE_TEXT: BOOKS}),
    "ledger.accounting_days": DataPolicy("totals of the books by day and line of the chart"),
    "ledger.accounting_place": DataPolicy("up to where days are added up"),
    "ledger.accounts": DataPolicy("the books"),
    "ledger.balances": DataPolicy("the books"),
    "ledger.control_versions": DataPolicy("changes of spend limits, with actors", erased=_WHO_DECIDED),
    "ledger.controls": DataPolicy("spend limits"),
    "ledger.cost_days": DataPolicy("cost of the credits in escrows and in agents' earnings, by day"),
    "ledger.counters": DataPolicy("used parts of spend limits"),
    "ledger.credit_days": DataPolicy("use of credits, for statistics"),
    "ledger.earning_days": DataPolicy("earnings and payouts of agents, by account and day"),
    "ledger.entries": DataPolicy("the books"),
    "ledger.escrow_counts": DataPolicy("amounts of escrows in spend limits", erased=_WHO_DECIDED),
    "ledger.hold_lots": DataPolicy("which lots a hold has pinned"),
    "ledger.holds": DataPolicy("money that is set aside"),
    "ledger.lot_returns": DataPolicy("refunds of uses of lots"),
    "ledger.lot_uses": DataPolicy("uses of lots"),
    "ledger.lots": DataPolicy("lots of credits"),
    "ledger.pool_moves": DataPolicy(
        "transfers between pools of a budget, with actors and reasons", erased=_WHO_DECIDED
    ),
    "ledger.purchase_counts": DataPolicy("amounts of outside purchases in spend limits", erased=_WHO_DECIDED),
    "ledger.rates": DataPolicy("values of credits and currencies"),
    "ledger.refusal_counts": DataPolicy("how often spends were refused"),
    "ledger.refusals": DataPolicy("which spends were refused, and why", erased=_WHO_DECIDED),
    "ledger.revenue_days": DataPolicy("revenue by organizations, by day"),
    "ledger.revenue_place": DataPolicy("up to where revenue from lots is booked"),
    "ledger.spend_changes": DataPolicy("the captures, releases and refunds of a spend"),
    "ledger.spends": DataPolicy("spends, with spender and purpose", erased=_WHO_DECIDED),
    "ledger.transfers": DataPolicy("the books"),
    "mail_suppressions": DataPolicy(
        "where no mail is sent, because it came back",
        "until it is lifted, and then as the record that older reports no longer count",
        erased={CONTACT: DELETE},
    ),
    "mails": DataPolicy(
        "the mails to an organization, their time and addresses", _WITH_ITS_CASE, {CONTACT: DELETE, FREE_TEXT: DELETE}
    ),
    "marketplace_agreed_uses": DataPolicy("reserved and reported uses of agents priced by usage, with user and price"),
    "marketplace_offers": DataPolicy("offers of agents", _WITH_ORG, _WHO_DECIDED),
    "marketplace_purchases": DataPolicy("purchases of agents, with buyer and shares of the price", erased=_WHO_DECIDED),
    "marketplace_uses": DataPolicy(
        "uses of agents priced by usage, with user and shares of the price", erased=_WHO_DECIDED
    ),
    "metadata_pairs": DataPolicy("that objects are found by their metadata", _WITH_ORG, {FREE_TEXT: DELETE}),
    "meter_days": DataPolicy("counted usage by day"),
    "meter_members": DataPolicy("members that are counted once a day"),
    "meter_months": DataPolicy("charged part of counted usage"),
    "meters": DataPolicy("definitions of counted usage", _WITH_ORG),
    "metric_place": DataPolicy("how far events are added up"),
    "metric_sums": DataPolicy("sums of events by day"),
    "model_price_imports": DataPolicy("which price lists were imported"),
    "model_prices": DataPolicy("prices of LLM models, with their start"),
    "notification_channels": DataPolicy(
        "the channels of a principal for notifications",
        "until it is deleted, by its principal or with its last key, an owner's address for 30 days more; settings "
        "that principals chose, as long as the organization",
        erased={CONTACT: DELETE},
    ),
    "notification_cursors": DataPolicy(
        "up to where the outbox was read for notifications, risk counters and the search index"
    ),
    "notification_defaults": DataPolicy("the default cadence of each type of notification", "until operators undo it"),
    "notification_preferences": DataPolicy(
        "the notifications, the locale and the time zone that a principal has chosen",
        "until its principal's last key ends",
        erased={CONTACT: DELETE, FREE_TEXT: DELETE},
    ),
    "notifications": DataPolicy(
        "the notifications of a principal, their time and channel", _WITH_ITS_CASE, {CONTACT: DELETE, FREE_TEXT: DELETE}
    ),
    "number_gaps": DataPolicy("numbers that a restore passed over"),
    "number_sequences": DataPolicy("numbers without gaps"),
    "object_metadata": DataPolicy("an organization's own ids and metadata of objects", _WITH_ORG, {FREE_TEXT: DELETE}),
    "organization_contacts": DataPolicy("recipients of mails, and their language", _WITH_ORG, {CONTACT: DELETE}),
    "organization_traits": DataPolicy("traits that organizations share: methods of payment, tax ids, referrers"),
    "organizations": DataPolicy("tenants", _WITH_ORG),
    "payment_command_contents": DataPolicy("that a key gives a payment one command only"),
    "payment_commands": DataPolicy("that a payment is created once"),
    "payment_disputes": DataPolicy("chargebacks"),
    "payment_events": DataPolicy("history of a payment: actions, actors and movements", erased=_WHO_DECIDED),
    "payment_movements": DataPolicy("which movements at a provider are booked"),
    "payment_policies": DataPolicy("by which rules purchases are judged", _WITH_ORG, _WHO_DECIDED),
    "payments": DataPolicy("where a payment stands"),
    "payout_events": DataPolicy("actions on a payout, with actors", erased=_WHO_DECIDED),
    "payout_schedules": DataPolicy(
        "when an organization is paid out without asking", _WITH_ORG, {IDENTIFIER: DELETE, CONTACT: EVIDENCE}
    ),
    "payouts": DataPolicy("where a payout stands"),
    "peer_positions": DataPolicy(
        "in which quarter of its group an organization or an agent stood in a month", _WITH_ORG
    ),
    "pictures": DataPolicy("pictures of agents and logos of organizations", _WITH_ORG, {FREE_TEXT: DELETE}),
    "pricing_agents": DataPolicy("an organization's settings of its agents' prices", _WITH_ORG, _WHO_DECIDED),
    "pricing_book": DataPolicy("how often the rules of prices changed"),
    "pricing_quotes": DataPolicy("which price an organization was offered, and why", erased=_WHO_DECIDED),
    "pricing_rules": DataPolicy("by which rules prices are made", erased=_WHO_DECIDED),
    "projects": DataPolicy("an organization's projects", _WITH_ORG),
    "prompt_templates": DataPolicy("an organization's templates for agents' budget prompts", _WITH_ORG),
    "provider_customers": DataPolicy("an organization's customer at a provider", _WITH_ORG, {IDENTIFIER: DELETE}),
    "provider_events": DataPolicy(
        "that no webhook is lost or done twice",
        "until its content can no longer be disputed, 18 months after it was handled",
        erased={FREE_TEXT: DELETE},
    ),
    "purchase_attempts": DataPolicy("each try to pay for a purchase", erased=_WHO_DECIDED),
    "purchase_entries": DataPolicy("history of each purchase order"),
    "purchase_grants": DataPolicy("decisions on a purchase, with actors", erased=_WHO_DECIDED),
    "purchase_methods": DataPolicy(
        "an organization's methods of outside payment, without any number of a card or key of a wallet",
        _WITH_ORG,
        _WHO_DECIDED,
    ),
    "purchase_orders": DataPolicy("the purchases of agents outside, and their results", erased=_WHO_DECIDED),
    "purchase_refunds": DataPolicy("refunds of purchases", erased=_WHO_DECIDED),
    "reconciliation_corrections": DataPolicy("corrections of a movement"),
    "reconciliation_differences": DataPolicy(
        "differences between books and statement, and their handling", erased=_WHO_DECIDED
    ),
    "reconciliation_lines": DataPolicy("lines of a statement"),
    "reconciliation_runs": DataPolicy("comparisons with a provider's statement", erased=_WHO_DECIDED),
    "recoveries": DataPolicy("losses of a payment that creators must return"),
    "recovery_shares": DataPolicy("a creator's returned share of a lost payment"),
    "referrals": DataPolicy("referrals of organizations, and the credits granted for them"),
    "report_runs": DataPolicy("files of reports, and the notified people", "three years"),
    "reports": DataPolicy("an organization's reports, and their recipients", _WITH_ORG),
    "reputation_agents": DataPolicy("evidence of an agent over all dimensions"),
    "reputation_client_events": DataPolicy(
        "actions of an organization as a client: declined payments, lost chargebacks, cancellations"
    ),
    "reputation_clients": DataPolicy("how far an organization is trusted as a client"),
    "reputation_events": DataPolicy("evidence of an agent", erased=_WHO_DECIDED),
    "reputation_feedback": DataPolicy("a client's feedback on an agent after a contract", erased=_WHO_DECIDED),
    "reputation_given": DataPolicy("how much of one counterparty's evidence an agent has"),
    "reputation_history": DataPolicy("an agent's score after each night"),
    "reputation_ladders": DataPolicy("versions of the levels by reputation", erased=_WHO_DECIDED),
    "reputation_peers": DataPolicy("how many agents rank where, without their names", "until the next night"),
    "reputation_powers": DataPolicy("decay of evidence over nights"),
    "reputation_priors": DataPolicy("the score of an agent without evidence"),
    "reputation_rates": DataPolicy("rates that held before"),
    "reputation_recalls": DataPolicy("escrows of which a payment's money went back"),
    "reputation_scores": DataPolicy("evidence of an agent in one dimension"),
    "reputation_seasoned": DataPolicy("evidence of an agent whose payments can no longer be charged back"),
    "reputation_seasoned_clients": DataPolicy(
        "trust in an organization as a client, by payments that can no longer be charged back"
    ),
    "results": DataPolicy("results of the work of runs and tasks, and their source"),
    "revenue_events": DataPolicy("revenue by agents, from the books or as reported", erased=_WHO_DECIDED),
    "routing_decisions": DataPolicy("model or agent chosen for a call, its probability, and the outcome", _WITH_ORG),
    "routing_sums": DataPolicy("sums of the outcomes of routed calls, by candidate and kind of task", _WITH_ORG),
    "search_refusals": DataPolicy(
        "which events the search index refused, and why", "until the event is indexed or the index is built anew"
    ),
    "risk_case_events": DataPolicy("history of a case of suspected fraud", _WITH_ITS_CASE, _WHO_DECIDED),
    "risk_cases": DataPolicy("suspected fraud, what it holds, and how it was decided", erased=_WHO_DECIDED),
    "risk_clusters": DataPolicy("organizations that are linked", "one night"),
    "risk_counters": DataPolicy("how often entities acted", _COUNTERS),
    "risk_decisions": DataPolicy("decisions against fraud with the facts that they saw", _RISK, _WHO_DECIDED),
    "risk_holds": DataPolicy("what a case of suspected fraud holds", _WITH_ITS_CASE),
    "risk_links": DataPolicy("entities that organizations share, as HMACs", _RISK),
    "risk_list_items": DataPolicy("entities that are always allowed or blocked", erased=_WHO_DECIDED),
    "risk_models": DataPolicy("models that score acts"),
    "risk_rules": DataPolicy("rules against fraud", erased=_WHO_DECIDED),
    "secret_access": DataPolicy(
        "requests for secrets, with caller and answer",
        _WITH_ORG,
        {CONTACT: EVIDENCE, FREE_TEXT: EVIDENCE, NETWORK: EVIDENCE},
    ),
    "secret_access_seals": DataPolicy("that a changed entry of the access log is found", _WITH_ORG),
    "secret_grant_days": DataPolicy("how often a grant was used on a day", _WITH_ORG),
    "secret_grants": DataPolicy("permissions to use or read secrets", _WITH_ORG, _WHO_DECIDED),
    "secret_rotations": DataPolicy("where the rotation of a secret stands", _WITH_ORG),
    "secret_uses": DataPolicy(
        "requests that were made with secrets, without their content and their answers", _WITH_ORG, {NETWORK: EVIDENCE}
    ),
    "secret_versions": DataPolicy(
        "the values, sealed under keys of their own",
        "until the version is destroyed, or as long as the organization",
        erased=_WHO_DECIDED,
    ),
    "secrets": DataPolicy("secrets that an organization's agents use without seeing them", _WITH_ORG, _WHO_DECIDED),
    "session_links": DataPolicy(
        "links to sign in, with their person and principal", _SESSIONS, {CONTACT: DELETE, FREE_TEXT: DELETE}
    ),
    "sessions": DataPolicy("sessions, with person, origin and end", _SESSIONS, {CONTACT: DELETE}),
    "signatories": DataPolicy("principals that sign for another organization", erased=_WHO_DECIDED),
    "slack_turns": DataPolicy(
        "time of the next post to a hook of Slack", "permanently: the keys of hooks are of no use without their URLs"
    ),
    "spend_days": DataPolicy("spending by day"),
    "spend_places": DataPolicy("where spends are that name a value"),
    "spend_rollups": DataPolicy("days for which spending is summed"),
    "subscription_bills": DataPolicy("payments for a subscription, and their part that is revenue"),
    "subscription_events": DataPolicy(
        "changes of a subscription, with actors, and the provider's actions", erased=_WHO_DECIDED
    ),
    "subscription_grants": DataPolicy("the credits that a subscription has granted"),
    "subscription_trials": DataPolicy(
        "which organizations have tried a plan, and a digest of the card that it was with"
    ),
    "subscriptions": DataPolicy("an organization's price of its plan, and the status"),
    "tax_rates": DataPolicy("rates of tax by place", erased=_WHO_DECIDED),
    "tax_receipts": DataPolicy("the tax documents of credits that are taxed when they are sold", erased=_WHO_DECIDED),
    "transfer_reversals": DataPolicy("reversals of a payout at its provider"),
    "trials": DataPolicy("stages of an agent's trial, with the required results", erased=_WHO_DECIDED),
    "usage_bill_sums": DataPolicy("sums of usage on an invoice"),
    "usage_bills": DataPolicy("which usage is on which invoice"),
    "usage_charges": DataPolicy("charges for usage"),
    "usage_days": DataPolicy("sums of usage by day"),
    "usage_digests": DataPolicy("that an event counts once, for good"),
    "usage_events": DataPolicy("consumption, with consumer and cost", erased={FREE_TEXT: DELETE}),
    "usage_paid_calls": DataPolicy("that a spend has paid for one call"),
    "usage_sources": DataPolicy("how far usage was pulled from its sources", "as long as the source is used"),
    "usage_voids": DataPolicy("which usage was taken off its bill"),
    "webhook_deliveries": DataPolicy("sent events, with address and answer; the answer for 30 days", _WITH_ORG),
    "webhook_endpoint_events": DataPolicy(
        "changes of a webhook endpoint, with actors, and its states", _WITH_ORG, _WHO_DECIDED
    ),
    "webhook_endpoints": DataPolicy("where an organization has its events sent", _WITH_ORG, _WHO_DECIDED),
}
