"""The purpose of each table, the retention of its rows, and the erasure of its categories.

The categories of its columns are those of `domain.privacy.data_map`. Rows are kept with the books where nothing else is
said, and categories are erased as `ERASED` says.
"""

from collections.abc import Mapping

from domain.privacy.data_map import BOOKS, CONTACT, DELETE, EVIDENCE, FREE_TEXT, IDENTIFIER, NETWORK, DataPolicy

_WITH_ORG = "as long as the organization, then as long as the books"
_WITH_ITS_CASE = "as long as the case that it is about"
_SESSIONS = "until 30 days after its end; the audit trail names it longer"
_EXPORTS = "as long as the organization; the files themselves seven days"
_SETTLED = "30 days"
#: Who decided is kept for as long as what was decided has to be proved.
_WHO_DECIDED = {CONTACT: EVIDENCE}

TABLES: Mapping[str, DataPolicy] = {
    "action_costs": DataPolicy("what actions cost", erased=_WHO_DECIDED),
    "active_people": DataPolicy("who changed something on a day", _WITH_ORG),
    "agents": DataPolicy("who is paid, and on which terms it works", _WITH_ORG),
    "alert_rule_hours": DataPolicy("the hourly figures of an alert rule", _WITH_ORG),
    "alert_rule_standings": DataPolicy("whether the figure of an alert rule is good", _WITH_ORG),
    "alert_rules": DataPolicy("what an organization wants to be alerted to", _WITH_ORG),
    "alerts": DataPolicy("what a person should look at", _WITH_ITS_CASE),
    "allocation_settings": DataPolicy(
        "how a project's budget is divided among its agents each night", _WITH_ORG, _WHO_DECIDED
    ),
    "allocations": DataPolicy("what each agent of a project was given for a day, and why", erased=_WHO_DECIDED),
    "api_keys": DataPolicy(
        "who a request comes from", "until the key ends, then as long as the acts that name it", erased=_WHO_DECIDED
    ),
    "api_presence": DataPolicy("when the API was away, so that deadlines give the time back", "for good: one row"),
    "approvals": DataPolicy("which operators asked for an act and approved it", erased=_WHO_DECIDED),
    "attributions": DataPolicy("how revenue is shared over agents and projects", erased=_WHO_DECIDED),
    "audit_log": DataPolicy("who did what, when and from where", erased={CONTACT: EVIDENCE, NETWORK: EVIDENCE}),
    "auto_topup_crossings": DataPolicy("which payment a low balance made"),
    "auto_topups": DataPolicy("which credits are bought by themselves", _WITH_ORG),
    "billed_periods": DataPolicy("that an organization was invoiced for a month"),
    "billing_profiles": DataPolicy(
        "whom invoices are made out to, and which tax they are charged", _WITH_ORG, {CONTACT: DELETE, FREE_TEXT: DELETE}
    ),
    "billing_runs": DataPolicy("which months were invoiced", erased=_WHO_DECIDED),
    "billing_terms": DataPolicy("what was agreed with an organization about billing", erased=_WHO_DECIDED),
    "budget_emergencies": DataPolicy(
        "who declared and confirmed an emergency of a budget, and why", erased=_WHO_DECIDED
    ),
    "card_authorizations": DataPolicy("what merchants have asked of cards, and the answers"),
    "card_spends": DataPolicy("the credits that pay for cards"),
    "card_transactions": DataPolicy("what merchants have taken and given back"),
    "cardholders": DataPolicy("organizations as holders of cards at the issuer", _WITH_ORG),
    "cards": DataPolicy("cards that agents pay with, without their numbers", erased=_WHO_DECIDED),
    "contract_parties": DataPolicy("who sees a contract"),
    "contracts": DataPolicy("what was awarded to whom, by which rules", erased=_WHO_DECIDED),
    "creator_accounts": DataPolicy(
        "where an organization that earns is paid out", _WITH_ORG, {IDENTIFIER: DELETE, CONTACT: EVIDENCE}
    ),
    "creator_corrections": DataPolicy(
        "what was taken back of a statement after it was issued", erased={CONTACT: BOOKS}
    ),
    "creator_statements": DataPolicy("what creators earned in a month, as it was stated", erased={CONTACT: BOOKS}),
    "credit_lots": DataPolicy("where credits came from and when they end", erased=_WHO_DECIDED),
    "credit_notes": DataPolicy("what was taken back of an invoice", erased={CONTACT: EVIDENCE, FREE_TEXT: BOOKS}),
    "crypto_deposits": DataPolicy("which place a payment in coins was given"),
    "crypto_indexes": DataPolicy("which places were given"),
    "crypto_receipts": DataPolicy("what arrived on a chain"),
    "departments": DataPolicy("for which part of an organization is spent", _WITH_ORG, _WHO_DECIDED),
    "deployment_events": DataPolicy("what took a slot, and when", erased=_WHO_DECIDED),
    "documents": DataPolicy(
        "invoices, receipts, credit notes and statements as they were sent", erased={CONTACT: BOOKS}
    ),
    "escrow_events": DataPolicy("how an escrow got there: who did what, and what moved", erased=_WHO_DECIDED),
    "escrow_notices": DataPolicy(
        "that a command in time counts although the run was away", _SETTLED, {FREE_TEXT: DELETE}
    ),
    "escrow_parties": DataPolicy("who sees an escrow"),
    "escrows": DataPolicy("where an escrow stands"),
    "events": DataPolicy("the facts about an organization that webhooks, mails and pages report"),
    "export_files": DataPolicy("what each file of an export holds: counts, sums and its hash", _EXPORTS),
    "exports": DataPolicy("which rows were exported, by whom and until when the files stand", _EXPORTS),
    "free_options": DataPolicy("which free options an organization knows", _WITH_ORG, _WHO_DECIDED),
    "idempotency_keys": DataPolicy(
        "that repeating a request is safe", _SETTLED, {IDENTIFIER: DELETE, FREE_TEXT: DELETE}
    ),
    "insight_dismissals": DataPolicy("which advice an organization does not want to see", _WITH_ORG, _WHO_DECIDED),
    "insight_takes": DataPolicy(
        "which advice was taken, and the purchase order or payment policy that it proposes", _WITH_ORG, _WHO_DECIDED
    ),
    "invoice_collection_events": DataPolicy("who did what to collect an invoice", erased=_WHO_DECIDED),
    "invoice_collections": DataPolicy("how an invoice is charged and dunned"),
    "invoice_items": DataPolicy(
        "what is charged once with a monthly invoice", erased={CONTACT: EVIDENCE, FREE_TEXT: BOOKS}
    ),
    "invoice_payments": DataPolicy("what paid an invoice"),
    "invoices": DataPolicy("what an organization is asked to pay", erased={CONTACT: EVIDENCE, FREE_TEXT: BOOKS}),
    "ledger.accounting_days": DataPolicy("what the books come to by day and line of the chart"),
    "ledger.accounting_place": DataPolicy("up to where days are added up"),
    "ledger.accounts": DataPolicy("the books"),
    "ledger.balances": DataPolicy("the books"),
    "ledger.control_versions": DataPolicy("who changed what may be spent, and how", erased=_WHO_DECIDED),
    "ledger.controls": DataPolicy("what may be spent"),
    "ledger.cost_days": DataPolicy("what was paid for the credits in escrows and in agents' earnings, by day"),
    "ledger.counters": DataPolicy("how much of what may be spent is spent"),
    "ledger.credit_days": DataPolicy("what is used of credits, for statistics"),
    "ledger.earning_days": DataPolicy("what agents earned and were paid out, by account and day"),
    "ledger.entries": DataPolicy("the books"),
    "ledger.escrow_counts": DataPolicy("what escrows count in what may be spent", erased=_WHO_DECIDED),
    "ledger.hold_lots": DataPolicy("which lots a hold has pinned"),
    "ledger.holds": DataPolicy("money that is set aside"),
    "ledger.lot_returns": DataPolicy("what came back of what lots paid for"),
    "ledger.lot_uses": DataPolicy("which lot paid for what"),
    "ledger.lots": DataPolicy("lots of credits"),
    "ledger.pool_moves": DataPolicy(
        "who moved what from one pool of a budget into another, and why", erased=_WHO_DECIDED
    ),
    "ledger.purchase_counts": DataPolicy("what purchases outside count in what may be spent", erased=_WHO_DECIDED),
    "ledger.rates": DataPolicy("what credits and currencies are worth"),
    "ledger.refusal_counts": DataPolicy("how often spends were refused"),
    "ledger.refusals": DataPolicy("which spends were refused, and why", erased=_WHO_DECIDED),
    "ledger.revenue_days": DataPolicy("what organizations brought in revenue, by day"),
    "ledger.revenue_place": DataPolicy("up to where revenue from lots is booked"),
    "ledger.spend_changes": DataPolicy("the captures, releases and refunds of a spend"),
    "ledger.spends": DataPolicy("who spent what, and for what", erased=_WHO_DECIDED),
    "ledger.transfers": DataPolicy("the books"),
    "mail_suppressions": DataPolicy(
        "where no mail is sent, because it came back",
        "until it is lifted, and then as what says that older reports count no more",
        erased={CONTACT: DELETE},
    ),
    "mails": DataPolicy(
        "the mails to an organization, their time and addresses", _WITH_ITS_CASE, {CONTACT: DELETE, FREE_TEXT: DELETE}
    ),
    "marketplace_agreed_uses": DataPolicy(
        "who has reserved or reported the use of which agent that is priced by usage, and at what price"
    ),
    "marketplace_offers": DataPolicy("what agents are sold for", _WITH_ORG, _WHO_DECIDED),
    "marketplace_purchases": DataPolicy(
        "who has bought which agent, and how the price was shared", erased=_WHO_DECIDED
    ),
    "marketplace_uses": DataPolicy(
        "who has used which agent that is priced by usage, and how the price was shared", erased=_WHO_DECIDED
    ),
    "metadata_pairs": DataPolicy("that objects are found by their metadata", _WITH_ORG, {FREE_TEXT: DELETE}),
    "meter_days": DataPolicy("what was counted by day"),
    "meter_members": DataPolicy("what was counted once a day"),
    "meter_months": DataPolicy("how much of what was counted is charged"),
    "meters": DataPolicy("what is counted of usage", _WITH_ORG),
    "metric_place": DataPolicy("how far events are added up"),
    "metric_sums": DataPolicy("what events add up to, by day"),
    "model_price_imports": DataPolicy("which price lists were imported"),
    "model_prices": DataPolicy("what LLM models cost, and from when"),
    "notification_channels": DataPolicy(
        "the channels of a principal for notifications",
        "until it is deleted, by its principal or with its last key, an owner's address for 30 days more; what was "
        "asked for, as long as the organization",
        erased={CONTACT: DELETE},
    ),
    "notification_cursors": DataPolicy("up to where the outbox was read for notifications and the search index"),
    "notification_defaults": DataPolicy("the default cadence of each type of notification", "until operators undo it"),
    "notification_preferences": DataPolicy(
        "the notifications that a principal has chosen",
        "until its principal's last key ends",
        erased={CONTACT: DELETE, FREE_TEXT: DELETE},
    ),
    "notifications": DataPolicy(
        "the notifications of a principal, their time and channel", _WITH_ITS_CASE, {CONTACT: DELETE, FREE_TEXT: DELETE}
    ),
    "number_gaps": DataPolicy("numbers that a restore passed over"),
    "number_sequences": DataPolicy("numbers without gaps"),
    "object_metadata": DataPolicy(
        "what an organization has written on objects, to find them by", _WITH_ORG, {FREE_TEXT: DELETE}
    ),
    "organization_contacts": DataPolicy("who is written to, and in which language", _WITH_ORG, {CONTACT: DELETE}),
    "organization_traits": DataPolicy("what organizations have in common: methods of payment, tax ids, referrers"),
    "organizations": DataPolicy("who the tenants are", _WITH_ORG),
    "payment_command_contents": DataPolicy("that a key gives a payment one command only"),
    "payment_commands": DataPolicy("that a payment is created once"),
    "payment_disputes": DataPolicy("what was charged back"),
    "payment_events": DataPolicy("how a payment got there: who did what, and what moved", erased=_WHO_DECIDED),
    "payment_movements": DataPolicy("which movements at a provider are booked"),
    "payment_policies": DataPolicy("by which rules purchases are judged", _WITH_ORG, _WHO_DECIDED),
    "payments": DataPolicy("where a payment stands"),
    "payout_events": DataPolicy("who did what to a payout", erased=_WHO_DECIDED),
    "payout_schedules": DataPolicy(
        "when an organization is paid out without asking", _WITH_ORG, {IDENTIFIER: DELETE, CONTACT: EVIDENCE}
    ),
    "payouts": DataPolicy("where a payout stands"),
    "peer_positions": DataPolicy(
        "in which quarter of its group an organization or an agent stood in a month", _WITH_ORG
    ),
    "pricing_agents": DataPolicy("what an organization says of its agents' prices", _WITH_ORG, _WHO_DECIDED),
    "pricing_book": DataPolicy("how often the rules of prices changed"),
    "pricing_quotes": DataPolicy("which price an organization was offered, and why", erased=_WHO_DECIDED),
    "pricing_rules": DataPolicy("by which rules prices are made", erased=_WHO_DECIDED),
    "projects": DataPolicy("what an organization deploys", _WITH_ORG),
    "prompt_templates": DataPolicy("what an organization has its agents read of their budgets", _WITH_ORG),
    "provider_customers": DataPolicy("who an organization is at a provider", _WITH_ORG, {IDENTIFIER: DELETE}),
    "provider_events": DataPolicy(
        "that no webhook is lost or done twice",
        "until nobody disputes what it says, 18 months after it was handled",
        erased={FREE_TEXT: DELETE},
    ),
    "purchase_attempts": DataPolicy("each try to pay for a purchase", erased=_WHO_DECIDED),
    "purchase_entries": DataPolicy("what happened to each purchase order"),
    "purchase_grants": DataPolicy("who approved or refused a purchase", erased=_WHO_DECIDED),
    "purchase_methods": DataPolicy(
        "what an organization pays with outside, without any number of a card or key of a wallet",
        _WITH_ORG,
        _WHO_DECIDED,
    ),
    "purchase_orders": DataPolicy("the purchases of agents outside, and their results", erased=_WHO_DECIDED),
    "purchase_refunds": DataPolicy("refunds of purchases", erased=_WHO_DECIDED),
    "reconciliation_corrections": DataPolicy("what corrects a movement"),
    "reconciliation_differences": DataPolicy(
        "where books and statement differ, and what was done", erased=_WHO_DECIDED
    ),
    "reconciliation_lines": DataPolicy("what a statement said"),
    "reconciliation_runs": DataPolicy("what was compared with a provider's statement", erased=_WHO_DECIDED),
    "recoveries": DataPolicy("what was lost of a payment and creators answer for"),
    "recovery_shares": DataPolicy("what a creator gave back of a payment that was lost"),
    "referrals": DataPolicy("who has brought which organization, and what both were granted for it"),
    "report_runs": DataPolicy("the files of reports, and who was notified of them", "three years"),
    "reports": DataPolicy("what an organization wants reported, and to whom", _WITH_ORG),
    "reputation_agents": DataPolicy("what is known of an agent, over all dimensions"),
    "reputation_client_events": DataPolicy(
        "what an organization did as a client: declined payments, lost chargebacks, cancellations"
    ),
    "reputation_clients": DataPolicy("how far an organization is trusted as a client"),
    "reputation_events": DataPolicy("what happened that says something of an agent", erased=_WHO_DECIDED),
    "reputation_feedback": DataPolicy("what a client said of an agent after a contract", erased=_WHO_DECIDED),
    "reputation_given": DataPolicy("how much of one counterparty's evidence an agent has"),
    "reputation_history": DataPolicy("what an agent's score was after each night"),
    "reputation_ladders": DataPolicy("what reputation sets", erased=_WHO_DECIDED),
    "reputation_peers": DataPolicy("how many agents rank where, without their names", "until the next night"),
    "reputation_powers": DataPolicy("what nights leave of evidence"),
    "reputation_priors": DataPolicy("the score of an agent without evidence"),
    "reputation_rates": DataPolicy("rates that held before"),
    "reputation_recalls": DataPolicy("escrows of which a payment's money went back"),
    "reputation_scores": DataPolicy("what is known of an agent in one dimension"),
    "reputation_seasoned": DataPolicy("what is known of an agent that no payer can take back"),
    "reputation_seasoned_clients": DataPolicy(
        "how far an organization is trusted as a client by what it cannot take back"
    ),
    "results": DataPolicy("how well the work of runs and tasks turned out, and who said so"),
    "revenue_events": DataPolicy("what agents brought in, by the books or as it was reported", erased=_WHO_DECIDED),
    "routing_decisions": DataPolicy(
        "to which model or agent a call was given, by which odds, and what came of it", _WITH_ORG
    ),
    "routing_sums": DataPolicy("what the outcomes of routed calls add up to, by candidate and kind of task", _WITH_ORG),
    "search_refusals": DataPolicy(
        "which events the search index refused, and why", "until the event is indexed or the index is built anew"
    ),
    "secret_access": DataPolicy(
        "who asked for which secret, and what they were answered",
        _WITH_ORG,
        {CONTACT: EVIDENCE, FREE_TEXT: EVIDENCE, NETWORK: EVIDENCE},
    ),
    "secret_access_seals": DataPolicy("that a changed entry of the access log is found", _WITH_ORG),
    "secret_grant_days": DataPolicy("how often a grant was used on a day", _WITH_ORG),
    "secret_grants": DataPolicy("who may use or read which secrets", _WITH_ORG, _WHO_DECIDED),
    "secret_rotations": DataPolicy("where the rotation of a secret stands", _WITH_ORG),
    "secret_uses": DataPolicy(
        "requests that were made with secrets, without their content and their answers", _WITH_ORG, {NETWORK: EVIDENCE}
    ),
    "secret_versions": DataPolicy(
        "the values, sealed under keys of their own",
        "until the version is destroyed, or as long as the organization",
        erased=_WHO_DECIDED,
    ),
    "secrets": DataPolicy("where an organization keeps what its agents use and do not see", _WITH_ORG, _WHO_DECIDED),
    "session_links": DataPolicy(
        "who may sign in by a link, and as whom", _SESSIONS, {CONTACT: DELETE, FREE_TEXT: DELETE}
    ),
    "sessions": DataPolicy("who is signed in, where, and until when", _SESSIONS, {CONTACT: DELETE}),
    "signatories": DataPolicy("who signs in another organization's name", erased=_WHO_DECIDED),
    "slack_turns": DataPolicy(
        "when a hook of Slack may be posted to next", "for good: what tells hooks apart is of no use without their URLs"
    ),
    "spend_days": DataPolicy("what was spent by day"),
    "spend_places": DataPolicy("where spends are that name a value"),
    "spend_rollups": DataPolicy("that what was spent is added up by day"),
    "subscription_bills": DataPolicy("what was paid for a subscription, and what of it is revenue"),
    "subscription_events": DataPolicy(
        "who subscribed, changed and cancelled, and what the provider did", erased=_WHO_DECIDED
    ),
    "subscription_grants": DataPolicy("the credits that a subscription has granted"),
    "subscription_trials": DataPolicy(
        "which organizations have tried a plan, and a digest of the card that it was with"
    ),
    "subscriptions": DataPolicy("what an organization pays for its plan, and where that stands"),
    "tax_rates": DataPolicy("what tax is charged where", erased=_WHO_DECIDED),
    "tax_receipts": DataPolicy("the tax documents of credits that are taxed when they are sold", erased=_WHO_DECIDED),
    "transfer_reversals": DataPolicy("what is taken back of a payout at its provider"),
    "trials": DataPolicy("what an agent is given in stages, and what it has to show for each", erased=_WHO_DECIDED),
    "usage_bill_sums": DataPolicy("what usage comes to on an invoice"),
    "usage_bills": DataPolicy("which usage is on which invoice"),
    "usage_charges": DataPolicy("what was charged for usage"),
    "usage_days": DataPolicy("what usage adds up to by day"),
    "usage_digests": DataPolicy("that an event counts once, for good"),
    "usage_events": DataPolicy("what was consumed, by whom, and what it cost", erased={FREE_TEXT: DELETE}),
    "usage_paid_calls": DataPolicy("that a spend has paid for one call"),
    "usage_sources": DataPolicy("how far usage was pulled from its sources", "as long as the source is used"),
    "usage_voids": DataPolicy("which usage was taken off its bill"),
    "webhook_deliveries": DataPolicy(
        "which event was sent where, and what was answered; the answer for 30 days", _WITH_ORG
    ),
    "webhook_endpoint_events": DataPolicy(
        "the changes of a webhook endpoint, by whom, and its states", _WITH_ORG, _WHO_DECIDED
    ),
    "webhook_endpoints": DataPolicy("where an organization has its events sent", _WITH_ORG, _WHO_DECIDED),
}
