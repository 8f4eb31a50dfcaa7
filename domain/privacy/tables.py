"""The purpose of each table, the retention of its rows, and the erasure of its categories.

The categories of its columns are those of `domain.privacy.data_map`. Rows are kept with the books where nothing else is
said, and categories are erased as `ERASED` says.
"""

from collections.abc import Mapping

from domain.privacy.data_map import BOOKS, CONTACT, DELETE, EVIDENCE, FREE_TEXT, IDENTIFIER, NETWORK, Place

_WITH_ORG = "as long as the organization, then as long as the books"
_WITH_ITS_CASE = "as long as the case that it is about"
_SESSIONS = "until 30 days after its end; the audit trail names it longer"
_EXPORTS = "as long as the organization; the files themselves seven days"
_SETTLED = "30 days"
#: Who decided is kept for as long as what was decided has to be proved.
_WHO_DECIDED = {CONTACT: EVIDENCE}

TABLES: Mapping[str, Place] = {
    "action_costs": Place("what actions cost", erased=_WHO_DECIDED),
    "active_people": Place("who changed something on a day", _WITH_ORG),
    "agents": Place("who is paid, and on which terms it works", _WITH_ORG),
    "alert_rule_hours": Place("the hourly figures of an alert rule", _WITH_ORG),
    "alert_rule_standings": Place("whether the figure of an alert rule is good", _WITH_ORG),
    "alert_rules": Place("what an organization wants to be alerted to", _WITH_ORG),
    "alerts": Place("what a person should look at", _WITH_ITS_CASE),
    "allocation_settings": Place(
        "how a project's budget is divided among its agents each night", _WITH_ORG, _WHO_DECIDED
    ),
    "allocations": Place("what each agent of a project was given for a day, and why", erased=_WHO_DECIDED),
    "api_keys": Place(
        "who a request comes from", "until the key ends, then as long as the acts that name it", erased=_WHO_DECIDED
    ),
    "api_presence": Place("when the API was away, so that deadlines give the time back", "for good: one row"),
    "approvals": Place("which operators asked for an act and approved it", erased=_WHO_DECIDED),
    "attributions": Place("how revenue is shared over agents and projects", erased=_WHO_DECIDED),
    "audit_log": Place("who did what, when and from where", erased={CONTACT: EVIDENCE, NETWORK: EVIDENCE}),
    "auto_topup_crossings": Place("which payment a low balance made"),
    "auto_topups": Place("which credits are bought by themselves", _WITH_ORG),
    "billed_periods": Place("that an organization was invoiced for a month"),
    "billing_profiles": Place(
        "whom invoices are made out to, and which tax they are charged", _WITH_ORG, {CONTACT: DELETE, FREE_TEXT: DELETE}
    ),
    "billing_runs": Place("which months were invoiced", erased=_WHO_DECIDED),
    "billing_terms": Place("what was agreed with an organization about billing", erased=_WHO_DECIDED),
    "budget_emergencies": Place("who declared and confirmed an emergency of a budget, and why", erased=_WHO_DECIDED),
    "card_authorizations": Place("what merchants have asked of cards, and the answers"),
    "card_spends": Place("the credits that pay for cards"),
    "card_transactions": Place("what merchants have taken and given back"),
    "cardholders": Place("organizations as holders of cards at the issuer", _WITH_ORG),
    "cards": Place("cards that agents pay with, without their numbers", erased=_WHO_DECIDED),
    "contract_parties": Place("who sees a contract"),
    "contracts": Place("what was awarded to whom, by which rules", erased=_WHO_DECIDED),
    "creator_accounts": Place(
        "where an organization that earns is paid out", _WITH_ORG, {IDENTIFIER: DELETE, CONTACT: EVIDENCE}
    ),
    "creator_corrections": Place("what was taken back of a statement after it was issued", erased={CONTACT: BOOKS}),
    "creator_statements": Place("what creators earned in a month, as it was stated", erased={CONTACT: BOOKS}),
    "credit_lots": Place("where credits came from and when they end", erased=_WHO_DECIDED),
    "credit_notes": Place("what was taken back of an invoice", erased={CONTACT: EVIDENCE, FREE_TEXT: BOOKS}),
    "crypto_deposits": Place("which place a payment in coins was given"),
    "crypto_indexes": Place("which places were given"),
    "crypto_receipts": Place("what arrived on a chain"),
    "departments": Place("for which part of an organization is spent", _WITH_ORG, _WHO_DECIDED),
    "deployment_events": Place("what took a slot, and when", erased=_WHO_DECIDED),
    "documents": Place("invoices, receipts, credit notes and statements as they were sent", erased={CONTACT: BOOKS}),
    "escrow_events": Place("how an escrow got there: who did what, and what moved", erased=_WHO_DECIDED),
    "escrow_notices": Place("that a command in time counts although the run was away", _SETTLED, {FREE_TEXT: DELETE}),
    "escrow_parties": Place("who sees an escrow"),
    "escrows": Place("where an escrow stands"),
    "events": Place("the facts about an organization that webhooks, mails and pages report"),
    "export_files": Place("what each file of an export holds: counts, sums and its hash", _EXPORTS),
    "exports": Place("which rows were exported, by whom and until when the files stand", _EXPORTS),
    "free_options": Place("which free options an organization knows", _WITH_ORG, _WHO_DECIDED),
    "idempotency_keys": Place("that repeating a request is safe", _SETTLED, {IDENTIFIER: DELETE, FREE_TEXT: DELETE}),
    "insight_dismissals": Place("which advice an organization does not want to see", _WITH_ORG, _WHO_DECIDED),
    "insight_takes": Place(
        "which advice was taken, and the purchase order or payment policy that it proposes", _WITH_ORG, _WHO_DECIDED
    ),
    "invoice_collection_events": Place("who did what to collect an invoice", erased=_WHO_DECIDED),
    "invoice_collections": Place("how an invoice is charged and dunned"),
    "invoice_items": Place("what is charged once with a monthly invoice", erased={CONTACT: EVIDENCE, FREE_TEXT: BOOKS}),
    "invoice_payments": Place("what paid an invoice"),
    "invoices": Place("what an organization is asked to pay", erased={CONTACT: EVIDENCE, FREE_TEXT: BOOKS}),
    "ledger.accounting_days": Place("what the books come to by day and line of the chart"),
    "ledger.accounting_place": Place("up to where days are added up"),
    "ledger.accounts": Place("the books"),
    "ledger.balances": Place("the books"),
    "ledger.control_versions": Place("who changed what may be spent, and how", erased=_WHO_DECIDED),
    "ledger.controls": Place("what may be spent"),
    "ledger.cost_days": Place("what was paid for the credits in escrows and in agents' earnings, by day"),
    "ledger.counters": Place("how much of what may be spent is spent"),
    "ledger.credit_days": Place("what is used of credits, for statistics"),
    "ledger.earning_days": Place("what agents earned and were paid out, by account and day"),
    "ledger.entries": Place("the books"),
    "ledger.escrow_counts": Place("what escrows count in what may be spent", erased=_WHO_DECIDED),
    "ledger.hold_lots": Place("which lots a hold has pinned"),
    "ledger.holds": Place("money that is set aside"),
    "ledger.lot_returns": Place("what came back of what lots paid for"),
    "ledger.lot_uses": Place("which lot paid for what"),
    "ledger.lots": Place("lots of credits"),
    "ledger.pool_moves": Place("who moved what from one pool of a budget into another, and why", erased=_WHO_DECIDED),
    "ledger.purchase_counts": Place("what purchases outside count in what may be spent", erased=_WHO_DECIDED),
    "ledger.rates": Place("what credits and currencies are worth"),
    "ledger.refusal_counts": Place("how often spends were refused"),
    "ledger.refusals": Place("which spends were refused, and why", erased=_WHO_DECIDED),
    "ledger.revenue_days": Place("what organizations brought in revenue, by day"),
    "ledger.revenue_place": Place("up to where revenue from lots is booked"),
    "ledger.spend_changes": Place("the captures, releases and refunds of a spend"),
    "ledger.spends": Place("who spent what, and for what", erased=_WHO_DECIDED),
    "ledger.transfers": Place("the books"),
    "mail_suppressions": Place(
        "where no mail is sent, because it came back",
        "until it is lifted, and then as what says that older reports count no more",
        erased={CONTACT: DELETE},
    ),
    "mails": Place(
        "the mails to an organization, their time and addresses", _WITH_ITS_CASE, {CONTACT: DELETE, FREE_TEXT: DELETE}
    ),
    "marketplace_agreed_uses": Place(
        "who has reserved or reported the use of which agent that is priced by usage, and at what price"
    ),
    "marketplace_offers": Place("what agents are sold for", _WITH_ORG, _WHO_DECIDED),
    "marketplace_purchases": Place("who has bought which agent, and how the price was shared", erased=_WHO_DECIDED),
    "marketplace_uses": Place(
        "who has used which agent that is priced by usage, and how the price was shared", erased=_WHO_DECIDED
    ),
    "metadata_pairs": Place("that objects are found by their metadata", _WITH_ORG, {FREE_TEXT: DELETE}),
    "meter_days": Place("what was counted by day"),
    "meter_members": Place("what was counted once a day"),
    "meter_months": Place("how much of what was counted is charged"),
    "meters": Place("what is counted of usage", _WITH_ORG),
    "metric_place": Place("how far events are added up"),
    "metric_sums": Place("what events add up to, by day"),
    "model_price_imports": Place("which price lists were imported"),
    "model_prices": Place("what LLM models cost, and from when"),
    "notification_channels": Place(
        "the channels of a principal for notifications",
        "until it is deleted, by its principal or with its last key, an owner's address for 30 days more; what was "
        "asked for, as long as the organization",
        erased={CONTACT: DELETE},
    ),
    "notification_cursors": Place("up to where the outbox was read for notifications and the search index"),
    "notification_defaults": Place("the default cadence of each type of notification", "until operators undo it"),
    "notification_preferences": Place(
        "the notifications that a principal has chosen",
        "until its principal's last key ends",
        erased={CONTACT: DELETE, FREE_TEXT: DELETE},
    ),
    "notifications": Place(
        "the notifications of a principal, their time and channel", _WITH_ITS_CASE, {CONTACT: DELETE, FREE_TEXT: DELETE}
    ),
    "number_gaps": Place("numbers that a restore passed over"),
    "number_sequences": Place("numbers without gaps"),
    "object_metadata": Place(
        "what an organization has written on objects, to find them by", _WITH_ORG, {FREE_TEXT: DELETE}
    ),
    "organization_contacts": Place("who is written to, and in which language", _WITH_ORG, {CONTACT: DELETE}),
    "organization_traits": Place("what organizations have in common: methods of payment, tax ids, referrers"),
    "organizations": Place("who the tenants are", _WITH_ORG),
    "payment_command_contents": Place("that a key gives a payment one command only"),
    "payment_commands": Place("that a payment is created once"),
    "payment_disputes": Place("what was charged back"),
    "payment_events": Place("how a payment got there: who did what, and what moved", erased=_WHO_DECIDED),
    "payment_movements": Place("which movements at a provider are booked"),
    "payment_policies": Place("by which rules purchases are judged", _WITH_ORG, _WHO_DECIDED),
    "payments": Place("where a payment stands"),
    "payout_events": Place("who did what to a payout", erased=_WHO_DECIDED),
    "payout_schedules": Place(
        "when an organization is paid out without asking", _WITH_ORG, {IDENTIFIER: DELETE, CONTACT: EVIDENCE}
    ),
    "payouts": Place("where a payout stands"),
    "peer_positions": Place("in which quarter of its group an organization or an agent stood in a month", _WITH_ORG),
    "pricing_agents": Place("what an organization says of its agents' prices", _WITH_ORG, _WHO_DECIDED),
    "pricing_book": Place("how often the rules of prices changed"),
    "pricing_quotes": Place("which price an organization was offered, and why", erased=_WHO_DECIDED),
    "pricing_rules": Place("by which rules prices are made", erased=_WHO_DECIDED),
    "projects": Place("what an organization deploys", _WITH_ORG),
    "prompt_templates": Place("what an organization has its agents read of their budgets", _WITH_ORG),
    "provider_customers": Place("who an organization is at a provider", _WITH_ORG, {IDENTIFIER: DELETE}),
    "provider_events": Place(
        "that no webhook is lost or done twice",
        "until nobody disputes what it says, 18 months after it was handled",
        erased={FREE_TEXT: DELETE},
    ),
    "purchase_attempts": Place("each try to pay for a purchase", erased=_WHO_DECIDED),
    "purchase_entries": Place("what happened to each purchase order"),
    "purchase_grants": Place("who approved or refused a purchase", erased=_WHO_DECIDED),
    "purchase_methods": Place(
        "what an organization pays with outside, without any number of a card or key of a wallet",
        _WITH_ORG,
        _WHO_DECIDED,
    ),
    "purchase_orders": Place("the purchases of agents outside, and their results", erased=_WHO_DECIDED),
    "purchase_refunds": Place("refunds of purchases", erased=_WHO_DECIDED),
    "reconciliation_corrections": Place("what corrects a movement"),
    "reconciliation_differences": Place("where books and statement differ, and what was done", erased=_WHO_DECIDED),
    "reconciliation_lines": Place("what a statement said"),
    "reconciliation_runs": Place("what was compared with a provider's statement", erased=_WHO_DECIDED),
    "recoveries": Place("what was lost of a payment and creators answer for"),
    "recovery_shares": Place("what a creator gave back of a payment that was lost"),
    "referrals": Place("who has brought which organization, and what both were granted for it"),
    "report_runs": Place("the files of reports, and who was notified of them", "three years"),
    "reports": Place("what an organization wants reported, and to whom", _WITH_ORG),
    "reputation_agents": Place("what is known of an agent, over all dimensions"),
    "reputation_client_events": Place(
        "what an organization did as a client: declined payments, lost chargebacks, cancellations"
    ),
    "reputation_clients": Place("how far an organization is trusted as a client"),
    "reputation_events": Place("what happened that says something of an agent", erased=_WHO_DECIDED),
    "reputation_feedback": Place("what a client said of an agent after a contract", erased=_WHO_DECIDED),
    "reputation_given": Place("how much of one counterparty's evidence an agent has"),
    "reputation_history": Place("what an agent's score was after each night"),
    "reputation_ladders": Place("what reputation sets", erased=_WHO_DECIDED),
    "reputation_peers": Place("how many agents rank where, without their names", "until the next night"),
    "reputation_powers": Place("what nights leave of evidence"),
    "reputation_priors": Place("the score of an agent without evidence"),
    "reputation_rates": Place("rates that held before"),
    "reputation_recalls": Place("escrows of which a payment's money went back"),
    "reputation_scores": Place("what is known of an agent in one dimension"),
    "reputation_seasoned": Place("what is known of an agent that no payer can take back"),
    "reputation_seasoned_clients": Place("how far an organization is trusted as a client by what it cannot take back"),
    "results": Place("how well the work of runs and tasks turned out, and who said so"),
    "revenue_events": Place("what agents brought in, by the books or as it was reported", erased=_WHO_DECIDED),
    "routing_decisions": Place(
        "to which model or agent a call was given, by which odds, and what came of it", _WITH_ORG
    ),
    "routing_sums": Place("what the outcomes of routed calls add up to, by candidate and kind of task", _WITH_ORG),
    "search_refusals": Place(
        "which events the search index refused, and why", "until the event is indexed or the index is built anew"
    ),
    "secret_access": Place(
        "who asked for which secret, and what they were answered",
        _WITH_ORG,
        {CONTACT: EVIDENCE, FREE_TEXT: EVIDENCE, NETWORK: EVIDENCE},
    ),
    "secret_access_seals": Place("that a changed entry of the access log is found", _WITH_ORG),
    "secret_grant_days": Place("how often a grant was used on a day", _WITH_ORG),
    "secret_grants": Place("who may use or read which secrets", _WITH_ORG, _WHO_DECIDED),
    "secret_rotations": Place("where the rotation of a secret stands", _WITH_ORG),
    "secret_uses": Place(
        "requests that were made with secrets, without their content and their answers", _WITH_ORG, {NETWORK: EVIDENCE}
    ),
    "secret_versions": Place(
        "the values, sealed under keys of their own",
        "until the version is destroyed, or as long as the organization",
        erased=_WHO_DECIDED,
    ),
    "secrets": Place("where an organization keeps what its agents use and do not see", _WITH_ORG, _WHO_DECIDED),
    "session_links": Place("who may sign in by a link, and as whom", _SESSIONS, {CONTACT: DELETE, FREE_TEXT: DELETE}),
    "sessions": Place("who is signed in, where, and until when", _SESSIONS, {CONTACT: DELETE}),
    "signatories": Place("who signs in another organization's name", erased=_WHO_DECIDED),
    "slack_turns": Place(
        "when a hook of Slack may be posted to next", "for good: what tells hooks apart is of no use without their URLs"
    ),
    "spend_days": Place("what was spent by day"),
    "spend_places": Place("where spends are that name a value"),
    "spend_rollups": Place("that what was spent is added up by day"),
    "subscription_bills": Place("what was paid for a subscription, and what of it is revenue"),
    "subscription_events": Place(
        "who subscribed, changed and cancelled, and what the provider did", erased=_WHO_DECIDED
    ),
    "subscription_grants": Place("the credits that a subscription has granted"),
    "subscription_trials": Place("which organizations have tried a plan, and a digest of the card that it was with"),
    "subscriptions": Place("what an organization pays for its plan, and where that stands"),
    "tax_rates": Place("what tax is charged where", erased=_WHO_DECIDED),
    "tax_receipts": Place("the tax documents of credits that are taxed when they are sold", erased=_WHO_DECIDED),
    "transfer_reversals": Place("what is taken back of a payout at its provider"),
    "trials": Place("what an agent is given in stages, and what it has to show for each", erased=_WHO_DECIDED),
    "usage_bill_sums": Place("what usage comes to on an invoice"),
    "usage_bills": Place("which usage is on which invoice"),
    "usage_charges": Place("what was charged for usage"),
    "usage_days": Place("what usage adds up to by day"),
    "usage_digests": Place("that an event counts once, for good"),
    "usage_events": Place("what was consumed, by whom, and what it cost", erased={FREE_TEXT: DELETE}),
    "usage_paid_calls": Place("that a spend has paid for one call"),
    "usage_sources": Place("how far usage was pulled from its sources", "as long as the source is used"),
    "usage_voids": Place("which usage was taken off its bill"),
    "webhook_deliveries": Place("which event was sent where, and what was answered; the answer for 30 days", _WITH_ORG),
    "webhook_endpoint_events": Place(
        "the changes of a webhook endpoint, by whom, and its states", _WITH_ORG, _WHO_DECIDED
    ),
    "webhook_endpoints": Place("where an organization has its events sent", _WITH_ORG, _WHO_DECIDED),
}
