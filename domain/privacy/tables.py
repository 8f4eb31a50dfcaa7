"""The data map of the tables: every column, see `domain.privacy.data_map`."""

from collections.abc import Mapping

from domain.privacy.places import (
    BOOKS,
    DELETE,
    EVIDENCE,
    SETTLED,
    WITH_THE_BOOKS,
    WITH_THE_ORGANIZATION,
    Category,
    Place,
)

CONTACT, IDENTIFIER, FREE_TEXT = Category.CONTACT, Category.IDENTIFIER, Category.FREE_TEXT
NETWORK, FINANCIAL, SECRET, TECHNICAL = Category.NETWORK, Category.FINANCIAL, Category.SECRET, Category.TECHNICAL
_WHO_DECIDED = {CONTACT: EVIDENCE}

TABLES: Mapping[str, Place] = {
    "organizations": Place(
        "who the tenants are",
        WITH_THE_ORGANIZATION,
        {IDENTIFIER: "id command_id", CONTACT: "name created_by", TECHNICAL: "tier created_at"},
    ),
    "agents": Place(
        "who is paid, and on which terms it works",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id department_id project_id command_id",
            CONTACT: "name created_by",
            FINANCIAL: "price_minor price_currency",
            TECHNICAL: "visibility pricing_model terms category created_at",
        },
    ),
    "approvals": Place(
        "which operators asked for an act and approved it",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id subject requested_key used_by",
            CONTACT: "requested_by decided_by",
            FREE_TEXT: "content",
            TECHNICAL: "action digest status requested_at expires_at decided_at used_at",
        },
        _WHO_DECIDED,
    ),
    "api_keys": Place(
        "who a request comes from",
        "until the key ends, then as long as the acts that name it",
        {
            IDENTIFIER: "id org_id agent_id department_id project_id command_id",
            CONTACT: "principal created_by",
            SECRET: "secret_hash",
            TECHNICAL: "place role created_at expires_at revoked_at last_used_at",
        },
        _WHO_DECIDED,
    ),
    "departments": Place(
        "for which part of an organization is spent",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id parent_id path command_id",
            CONTACT: "name created_by",
            TECHNICAL: "created_at closed_at",
        },
        _WHO_DECIDED,
    ),
    "audit_log": Place(
        "who did what, when and from where",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id actor_org_id key_id target request_id",
            CONTACT: "principal",
            NETWORK: "address",
            FREE_TEXT: "details",
            TECHNICAL: "at role action",
        },
        {CONTACT: EVIDENCE, NETWORK: EVIDENCE},
    ),
    "alerts": Place(
        "what a person should look at",
        "as long as the case that it is about",
        {
            IDENTIFIER: "id key org_id subject",
            CONTACT: "acknowledged_by org_acknowledged_by",
            FREE_TEXT: "detail",
            TECHNICAL: "kind shared for_operators created_at acknowledged_at org_acknowledged_at",
        },
    ),
    "idempotency_keys": Place(
        "that repeating a request is safe",
        SETTLED,
        {
            IDENTIFIER: "scope key owner",
            FREE_TEXT: "body",
            TECHNICAL: "request_hash state locked_until status content_type created_at",
        },
        {IDENTIFIER: DELETE, FREE_TEXT: DELETE},
    ),
    "organization_contacts": Place(
        "who is written to, and in which language",
        WITH_THE_ORGANIZATION,
        {IDENTIFIER: "org_id", CONTACT: "contacts updated_by", TECHNICAL: "language updated_at"},
        {CONTACT: DELETE},
    ),
    "mails": Place(
        "what an organization was told, when and at which address",
        "as long as the case that it is about",
        {
            IDENTIFIER: "id key org_id",
            CONTACT: "recipients reached",
            FREE_TEXT: "data problem",
            TECHNICAL: "kind language status attempts queued_at next_attempt_at sent_at",
        },
        {CONTACT: DELETE, FREE_TEXT: DELETE},
    ),
    "documents": Place(
        "invoices, receipts, credit notes and statements as they were sent",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id subject number sha256",
            CONTACT: "content pdf xml",
            FINANCIAL: "total_minor",
            TECHNICAL: "kind version created_at",
        },
        {CONTACT: BOOKS},
    ),
    "contracts": Place(
        "what was awarded to whom, by which rules",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id payee_org_id agent_id signatory_org_ids quote_id command_id",
            CONTACT: "signatories created_by accepted_by",
            FREE_TEXT: "title milestones",
            FINANCIAL: "price_minor currency commission_bps commission_from dispute_default_share_e4",
            TECHNICAL: "validation_threshold_e4 required_signatures operator_approvals fund_seconds deliver_seconds "
            "review_seconds evidence_seconds decision_seconds grace_seconds outside_listing accept_by accepted_at "
            "level_version level_name priority created_at",
        },
        _WHO_DECIDED,
    ),
    "contract_parties": Place(
        "who sees a contract",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id contract_id agent_id", TECHNICAL: "accept_by"},
    ),
    "signatories": Place(
        "who signs in another organization's name",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id", CONTACT: "principal"},
        _WHO_DECIDED,
    ),
    "action_costs": Place(
        "what actions cost",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id command_id",
            CONTACT: "created_by",
            FREE_TEXT: "note",
            FINANCIAL: "action cost_minor",
            TECHNICAL: "version created_at",
        },
        _WHO_DECIDED,
    ),
    "pricing_book": Place("how often the rules of prices changed", WITH_THE_BOOKS, {TECHNICAL: "id version"}),
    "pricing_rules": Place(
        "by which rules prices are made",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id agent_id org_id command_id",
            CONTACT: "created_by",
            FREE_TEXT: "name",
            FINANCIAL: "type priority stacking floor_bps ceiling_bps terms",
            TECHNICAL: "valid_from valid_until version book_version created_at updated_at ended_at",
        },
        _WHO_DECIDED,
    ),
    "pricing_agents": Place(
        "what an organization says of its agents' prices",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "agent_id org_id",
            CONTACT: "updated_by",
            FINANCIAL: "bears_discounts",
            TECHNICAL: "capacity calls_per_day updated_at",
        },
        _WHO_DECIDED,
    ),
    "pricing_quotes": Place(
        "which price an organization was offered, and why",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id agent_id payee_org_id contract_id command_id",
            CONTACT: "created_by",
            FREE_TEXT: "adjustments",
            FINANCIAL: "currency base_minor price_minor multiplier_bps commission_bps commission_from facts",
            TECHNICAL: "quantity level_version level_name book_version created_at expires_at used_at",
        },
        _WHO_DECIDED,
    ),
    "model_prices": Place(
        "what LLM models cost, and from when",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "model",
            FINANCIAL: "currency prices",
            TECHNICAL: "valid_from provider version import_number",
        },
    ),
    "model_price_imports": Place(
        "which price lists were imported",
        WITH_THE_BOOKS,
        {TECHNICAL: "number version sha256 valid_from entries prices imported_at"},
    ),
    "ledger.credit_days": Place(
        "what is used of credits, for statistics",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id", FINANCIAL: "used refunded expired", TECHNICAL: "day spends"},
    ),
    "auto_topups": Place(
        "which credits are bought by themselves",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "org_id payment_method",
            CONTACT: "updated_by",
            FREE_TEXT: "off_reason",
            FINANCIAL: "below_minor credits_minor monthly_cap_minor",
            TECHNICAL: "enabled armed capped_until crossings updated_at",
        },
    ),
    "auto_topup_crossings": Place(
        "which payment a low balance made",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "org_id payment_id payment_method",
            FINANCIAL: "available_minor credits_minor",
            TECHNICAL: "number at outcome",
        },
    ),
    "credit_lots": Place(
        "where credits came from and when they end",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id payment_id transfer_id command_id",
            CONTACT: "created_by",
            FREE_TEXT: "note",
            FINANCIAL: "source amount_minor paid_minor paid_currency",
            TECHNICAL: "expires_at created_at",
        },
        _WHO_DECIDED,
    ),
    "crypto_deposits": Place(
        "which place a payment in coins was given",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "payment_id org_id chain_key address memo",
            FINANCIAL: "chain asset amount_minor",
            TECHNICAL: "index scanned_height created_at expires_at cancelled_at version recorded_at",
        },
    ),
    "crypto_indexes": Place(
        "which places were given", WITH_THE_BOOKS, {IDENTIFIER: "chain_key", TECHNICAL: "next_index"}
    ),
    "crypto_receipts": Place(
        "what arrived on a chain",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "tx payment_id block_hash",
            FINANCIAL: "chain asset amount_minor",
            TECHNICAL: "index generation height sent_at final_at reversed_at recorded_at",
        },
    ),
    "projects": Place(
        "what an organization deploys",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id command_id",
            CONTACT: "created_by",
            FREE_TEXT: "slug name",
            TECHNICAL: "deploy_type deployed_at occupies_slot created_at",
        },
    ),
    "deployment_events": Place(
        "what took a slot, and when",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "org_id project_id transfer_id command_id",
            CONTACT: "actor",
            FINANCIAL: "slots",
            TECHNICAL: "number kind plan share at",
        },
        _WHO_DECIDED,
    ),
    "subscriptions": Place(
        "what an organization pays for its plan, and where that stands",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id provider_ref",
            FINANCIAL: "plan state",
            TECHNICAL: "provider status version wake_at created_at updated_at",
        },
    ),
    "subscription_trials": Place(
        "which organizations have tried a plan, and a digest of the card that it was with",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id subscription_id card", TECHNICAL: "began_at"},
    ),
    "subscription_events": Place(
        "who subscribed, changed and cancelled, and what the provider did",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "subscription_id command_id",
            CONTACT: "actor",
            FINANCIAL: "details",
            TECHNICAL: "number kind status at recorded_at",
        },
        _WHO_DECIDED,
    ),
    "subscription_bills": Place(
        "what was paid for a subscription, and what of it is revenue",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "bill_ref subscription_id org_id invoice_id payment_id",
            FINANCIAL: "currency gross_minor amount_minor granted_minor accrued_minor returned_minor credited_minor",
            TECHNICAL: "provider period_start period_end for_credits accrued_on settled_at",
        },
    ),
    "subscription_grants": Place(
        "the credits that a subscription has granted",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "subscription_id key org_id bill_ref lot_id transfer_id",
            FINANCIAL: "credits_minor paid_minor",
            TECHNICAL: "starts_at ends_at",
        },
    ),
    "meters": Place(
        "what is counted of usage",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id number org_id command_id",
            CONTACT: "name created_by",
            FINANCIAL: "price currency",
            TECHNICAL: "event_type aggregation property dimensions created_at charged_at closed_at",
        },
    ),
    "meter_days": Place(
        "what was counted by day",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "meter org_id latest_id",
            FREE_TEXT: "value",
            FINANCIAL: "quantity",
            TECHNICAL: "dimension day events latest_at",
        },
    ),
    "meter_members": Place(
        "what was counted once a day",
        WITH_THE_BOOKS,
        {IDENTIFIER: "meter org_id member", FREE_TEXT: "value", TECHNICAL: "dimension day"},
    ),
    "meter_months": Place(
        "how much of what was counted is charged",
        WITH_THE_BOOKS,
        {IDENTIFIER: "meter org_id", FINANCIAL: "charged", TECHNICAL: "month"},
    ),
    "spend_rollups": Place(
        "that what was spent is added up by day",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id open_spends", TECHNICAL: "day spends"},
    ),
    "spend_days": Place(
        "what was spent by day",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id agent_id department_id",
            FREE_TEXT: "action model",
            FINANCIAL: "captured quantity",
            TECHNICAL: "day spends",
        },
    ),
    "spend_places": Place(
        "where spends are that name a value",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id first_id last_id", FREE_TEXT: "value", TECHNICAL: "kind day"},
    ),
    "organization_traits": Place(
        "what organizations have in common: methods of payment, tax ids, referrers",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id digest", TECHNICAL: "kind first_seen last_seen ended_at judged_at"},
    ),
    "reputation_agents": Place(
        "what is known of an agent, over all dimensions",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "agent_id board",
            TECHNICAL: (
                "started_on evidence_count ended succeeded response_count response_total_ms response_buckets stars_e6 "
                "rank_e6 night_on night_stars_e6 night_low_e6 night_high_e6 latest_on category band "
                "stale_at"
            ),
        },
    ),
    "reputation_clients": Place(
        "how far an organization is trusted as a client",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id", TECHNICAL: "good_e6 bad_e6 since held_e6 prior_e6 through counts"},
    ),
    "reputation_client_events": Place(
        "what an organization did as a client: declined payments, lost chargebacks, cancellations",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id key subject",
            TECHNICAL: "seq kind weight_e6 good_e6 bad_e6 day at recorded_at",
        },
    ),
    "reputation_events": Place(
        "what happened that says something of an agent",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id agent_id agent_org_id counterparty_org_id key subject",
            CONTACT: "actor counterparty voided_by",
            FREE_TEXT: "note void_reason",
            TECHNICAL: (
                "seq kind source weight_e6 rater_e6 excluded says client_good_e6 client_bad_e6 is_end is_success "
                "response_ms score_delta_e6 day at recorded_at voided_at seasoned_on"
            ),
        },
        _WHO_DECIDED,
    ),
    "reputation_feedback": Place(
        "what a client said of an agent after a contract",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id contract_id agent_id agent_org_id org_id event_id command_id change_command_id",
            CONTACT: "given_by",
            FREE_TEXT: "comment",
            TECHNICAL: "ratings created_at changed_at",
        },
        _WHO_DECIDED,
    ),
    "reputation_given": Place(
        "how much of one counterparty's evidence an agent has",
        WITH_THE_BOOKS,
        {IDENTIFIER: "agent_id", CONTACT: "counterparty", TECHNICAL: "dimension good_e6 bad_e6 since"},
    ),
    "reputation_history": Place(
        "what an agent's score was after each night",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "agent_id",
            TECHNICAL: "day stars_e6 low_e6 high_e6 rank_e6 moved_e6 evidence_count is_sudden",
        },
    ),
    "reputation_peers": Place(
        "how many agents rank where, without their names",
        "until the next night",
        {TECHNICAL: "category dimension step agents below day"},
    ),
    "reputation_ladders": Place(
        "what reputation sets",
        WITH_THE_BOOKS,
        {IDENTIFIER: "command_id", CONTACT: "created_by", FINANCIAL: "levels", TECHNICAL: "version created_at"},
        _WHO_DECIDED,
    ),
    "reputation_powers": Place("what nights leave of evidence", WITH_THE_BOOKS, {TECHNICAL: "nights factor_e12"}),
    "reputation_priors": Place(
        "what is to be expected of an agent that nobody knows",
        WITH_THE_BOOKS,
        {
            TECHNICAL: (
                "dimension day newcomer_e6 proven_e6 newcomer_good_e6 newcomer_bad_e6 proven_good_e6 proven_bad_e6"
            )
        },
    ),
    "reputation_recalls": Place(
        "escrows of which a payment's money went back",
        WITH_THE_BOOKS,
        {IDENTIFIER: "escrow_id payment_id", TECHNICAL: "recalled_at restored_at"},
    ),
    "reputation_scores": Place(
        "what is known of an agent in one dimension",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "agent_id board",
            TECHNICAL: (
                "dimension good_e6 bad_e6 since held_e6 earned_e6 prior_e6 through stars_e6 rank_e6 evidence_count "
                "latest_on category band"
            ),
        },
    ),
    "reputation_seasoned": Place(
        "what is known of an agent that no payer can take back",
        WITH_THE_BOOKS,
        {IDENTIFIER: "agent_id", TECHNICAL: "through evidence_count good_e6 bad_e6 held_e6 since"},
    ),
    "usage_charges": Place(
        "what was charged for usage",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "org_id event meters spend_id",
            FINANCIAL: "quantities amount",
            TECHNICAL: "occurred_at due_at waits_for charged_at",
        },
    ),
    "usage_bills": Place(
        "which usage is on which invoice",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "org_id number invoice_id",
            FINANCIAL: "currency minor_pico discount_bps",
            TECHNICAL: "month opened_at sealed_at billed_at",
        },
    ),
    "usage_bill_sums": Place(
        "what usage comes to on an invoice",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id number source ref", FINANCIAL: "quantity pico", TECHNICAL: "month events line"},
    ),
    "billing_runs": Place(
        "which months were invoiced",
        WITH_THE_BOOKS,
        {
            CONTACT: "started_by",
            TECHNICAL: "month ready_at started_at finished_at invoiced empty failed",
        },
        _WHO_DECIDED,
    ),
    "billed_periods": Place(
        "that an organization was invoiced for a month",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "org_id invoice_id",
            FINANCIAL: "currency charges_minor usage_minor shortfall_minor total_minor",
            TECHNICAL: "month starts_at ends_at status terms_version failure done_at",
        },
    ),
    "invoice_items": Place(
        "what is charged once with a monthly invoice",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id invoice_id command_id",
            CONTACT: "created_by",
            FREE_TEXT: "description",
            FINANCIAL: "currency quantity unit_minor",
            TECHNICAL: "removed_at created_at",
        },
        {CONTACT: EVIDENCE, FREE_TEXT: BOOKS},
    ),
    "billing_terms": Place(
        "what was agreed with an organization about billing",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "org_id command_id",
            CONTACT: "created_by",
            FREE_TEXT: "reason",
            FINANCIAL: "mode currency commitment_minor commitment_from discounts net_days",
            TECHNICAL: "version starts_at from_month time_zone created_at",
        },
        _WHO_DECIDED,
    ),
    "marketplace_offers": Place(
        "what agents are sold for",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "agent_id org_id",
            CONTACT: "changed_by",
            FREE_TEXT: "summary words",
            FINANCIAL: "model price_minor currency usage_prices creator_bps",
            TECHNICAL: "category status changed_at created_at",
        },
        _WHO_DECIDED,
    ),
    "marketplace_purchases": Place(
        "who has bought which agent, and how the price was shared",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id agent_id payee_org_id payment_id spend_id transfer_id command_id renewed_from",
            CONTACT: "bought_by refunded_by",
            FINANCIAL: (
                "model price_minor currency usage_prices creator_bps creator_minor commission_minor granted_minor "
                "taken_minor"
            ),
            TECHNICAL: "status bought_at refunded_at anchor_at period ends_at renews_at tries",
        },
        _WHO_DECIDED,
    ),
    "marketplace_uses": Place(
        "who has used which agent that is priced by usage, and how the price was shared",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id purchase_id agent_id payee_org_id spend_id transfer_id",
            CONTACT: "refunded_by",
            FINANCIAL: (
                "quantity unit_minor price_minor creator_bps creator_minor commission_minor granted_minor taken_minor"
            ),
            TECHNICAL: "meter used_at refunded_at",
        },
        _WHO_DECIDED,
    ),
    "usage_digests": Place(
        "that an event counts once, for good",
        WITH_THE_BOOKS,
        {IDENTIFIER: "digest", TECHNICAL: "content"},
    ),
    "usage_events": Place(
        "what was consumed, by whom, and what it cost",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: (
                "id org_id digest event_id agent_id department_id project_id run_id step_id parent_id spend_id key_id "
                "creator_org_id bill"
            ),
            CONTACT: "sent_by",
            FREE_TEXT: "source subject action data",
            FINANCIAL: "usage currency cost_pico creator_pico platform_pico",
            TECHNICAL: "recorded_in occurred_at received_at type provider model rated_by price_ref meters bill_month",
        },
        {FREE_TEXT: DELETE},
    ),
    "usage_sources": Place(
        "how far usage was pulled from its sources",
        "as long as the source is used",
        {TECHNICAL: "name reached"},
    ),
    "usage_days": Place(
        "what usage adds up to by day",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "org_id",
            FREE_TEXT: "value",
            FINANCIAL: (
                "currency input_tokens output_tokens cached_tokens reasoning_tokens "
                "cost_pico creator_pico platform_pico"
            ),
            TECHNICAL: "dimension day events",
        },
    ),
    "escrows": Place(
        "where an escrow stands",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id contract_id org_id payee_org_id signatory_org_ids agent_id workflow_id",
            FREE_TEXT: "state",
            FINANCIAL: "currency amount_minor funded_minor released_minor refunded_minor commission_minor",
            TECHNICAL: "status version next_deadline_at created_at updated_at",
        },
    ),
    "escrow_events": Place(
        "how an escrow got there: who did what, and what moved",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "escrow_id command_id transfer_id",
            CONTACT: "actor",
            FREE_TEXT: "details",
            TECHNICAL: "number kind status content_hash at recorded_at",
        },
        _WHO_DECIDED,
    ),
    "escrow_notices": Place(
        "that a command in time counts although the run was away",
        SETTLED,
        {
            IDENTIFIER: "command_id escrow_id",
            FREE_TEXT: "command",
            TECHNICAL: "name noted_at deadline_at settled_at",
        },
        {FREE_TEXT: DELETE},
    ),
    "escrow_parties": Place(
        "who sees an escrow", WITH_THE_BOOKS, {IDENTIFIER: "org_id escrow_id", TECHNICAL: "status"}
    ),
    "invoices": Place(
        "what an organization is asked to pay",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: (
                "id org_id number transfer_id void_transfer_id write_off_transfer_id command_id finalise_command_id "
                "void_command_id write_off_command_id"
            ),
            CONTACT: "created_by party",
            FREE_TEXT: "lines discounts note",
            FINANCIAL: (
                "currency total_minor subtotal_minor tax_minor paid_minor prepaid_minor prepaid_credits_minor "
                "granted_minor granted_credits_minor credited_minor written_off_minor taxes"
            ),
            TECHNICAL: (
                "series status includes_tax applies_credits is_proven paused_for issued_at due_at updated_at "
                "discarded_at"
            ),
        },
        {CONTACT: EVIDENCE, FREE_TEXT: BOOKS},
    ),
    "credit_notes": Place(
        "what was taken back of an invoice",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id invoice_id number transfer_id command_id",
            CONTACT: "created_by",
            FREE_TEXT: "reason",
            FINANCIAL: "currency amount_minor net_minor tax_minor prepaid_minor credits_minor parts",
            TECHNICAL: "series issued_at",
        },
        {CONTACT: EVIDENCE, FREE_TEXT: BOOKS},
    ),
    "billing_profiles": Place(
        "whom invoices are made out to, and which tax they are charged",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "org_id vat_id vat_reference",
            CONTACT: "legal_name line1 line2 city postal_code region country email updated_by",
            FREE_TEXT: "exempt_reason",
            FINANCIAL: "currency card_country confirmed_country is_exempt net_terms_days",
            TECHNICAL: "language time_zone vat_confirmed_at updated_at",
        },
        {CONTACT: DELETE, FREE_TEXT: DELETE},
    ),
    "tax_rates": Place(
        "what tax is charged where",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id command_id",
            CONTACT: "created_by",
            TECHNICAL: "code country region product rate_e6 valid_from valid_until created_at",
        },
        _WHO_DECIDED,
    ),
    "invoice_payments": Place(
        "what paid an invoice",
        WITH_THE_BOOKS,
        {IDENTIFIER: "invoice_id payment_id org_id", FINANCIAL: "amount_minor", TECHNICAL: "updated_at"},
    ),
    "invoice_collections": Place(
        "how an invoice is charged and dunned",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "invoice_id org_id",
            FREE_TEXT: "state",
            TECHNICAL: "method status version wake_at created_at updated_at",
        },
    ),
    "invoice_collection_events": Place(
        "who did what to collect an invoice",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "invoice_id command_id",
            CONTACT: "actor",
            FREE_TEXT: "details",
            TECHNICAL: "number kind status at recorded_at",
        },
        _WHO_DECIDED,
    ),
    "number_sequences": Place("numbers without gaps", WITH_THE_BOOKS, {TECHNICAL: "name last"}),
    "payments": Place(
        "where a payment stands",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id provider_ref workflow_id escrow_id",
            FREE_TEXT: "state",
            FINANCIAL: "purpose currency amount_minor received_minor refunded_minor fee_minor",
            TECHNICAL: "provider status version wake_at created_at updated_at",
        },
    ),
    "payment_commands": Place(
        "that a payment is created once",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "command_id org_id payment_id",
            FREE_TEXT: "terms",
            TECHNICAL: "request_hash created_at",
        },
    ),
    "payment_command_contents": Place(
        "that a key gives a payment one command only",
        WITH_THE_BOOKS,
        {IDENTIFIER: "command_id payment_id", TECHNICAL: "content_hash created_at"},
    ),
    "payment_events": Place(
        "how a payment got there: who did what, and what moved",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "payment_id command_id transfer_id",
            CONTACT: "actor",
            FREE_TEXT: "details",
            TECHNICAL: "number kind status at recorded_at",
        },
        _WHO_DECIDED,
    ),
    "payment_disputes": Place(
        "what was charged back",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id ref payment_id org_id",
            FINANCIAL: "reason currency amount_minor",
            TECHNICAL: "provider status opened_at updated_at",
        },
    ),
    "payment_movements": Place(
        "which movements at a provider are booked",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "key payment_id org_id transfer_id",
            FINANCIAL: "kind amount_minor fee_minor currency",
            TECHNICAL: "provider occurred_at recorded_at",
        },
    ),
    "payouts": Place(
        "where a payout stands",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id transfer_ref",
            FREE_TEXT: "state",
            FINANCIAL: "currency amount_minor",
            TECHNICAL: "provider status version wake_at created_at updated_at",
        },
    ),
    "payout_events": Place(
        "who did what to a payout",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "payout_id command_id transfer_id",
            CONTACT: "actor",
            FREE_TEXT: "details",
            TECHNICAL: "number kind status at recorded_at",
        },
        _WHO_DECIDED,
    ),
    "payout_schedules": Place(
        "when an organization is paid out without asking",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "org_id last_payout_id",
            CONTACT: "changed_by",
            TECHNICAL: "interval weekly_anchor monthly_anchor next_on last_on last_refusal changed_at",
        },
        {IDENTIFIER: DELETE, CONTACT: EVIDENCE},
    ),
    "recoveries": Place(
        "what was lost of a payment and creators answer for",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id payment_id cause org_id",
            FINANCIAL: "asset amount_minor",
            TECHNICAL: "disputed_at created_at closed_at",
        },
    ),
    "recovery_shares": Place(
        "what a creator gave back of a payment that was lost",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "recovery_id source agent_id org_id transfer_id",
            FINANCIAL: "taken_minor own_minor owed_minor",
            TECHNICAL: "at",
        },
    ),
    "transfer_reversals": Place(
        "what is taken back of a payout at its provider",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id recovery_id source payout_id org_id agent_id reversal_ref transfer_id",
            FINANCIAL: "asset currency amount_minor goods_minor",
            TECHNICAL: "status failure tries next_at created_at updated_at",
        },
    ),
    "creator_accounts": Place(
        "where an organization that earns is paid out",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "org_id ref destination destination_last4",
            CONTACT: "created_by",
            TECHNICAL: (
                "provider country details_submitted transfers_enabled payouts_enabled tax_profile requirements_due "
                "disabled_reason destination_currency destination_changed_at seen_at created_at"
            ),
        },
        {IDENTIFIER: DELETE, CONTACT: EVIDENCE},
    ),
    "provider_customers": Place(
        "who an organization is at a provider",
        WITH_THE_ORGANIZATION,
        {IDENTIFIER: "org_id customer_ref", TECHNICAL: "provider created_at"},
        {IDENTIFIER: DELETE},
    ),
    "provider_events": Place(
        "that no webhook is lost or done twice",
        "until nobody disputes what it says, 18 months after it was handled",
        {
            IDENTIFIER: "id event_id payment_id refs",
            FREE_TEXT: "payload",
            TECHNICAL: "provider type status livemode occurred_at received_at handled_at",
        },
        {FREE_TEXT: DELETE},
    ),
    "reconciliation_runs": Place(
        "what was compared with a provider's statement",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id command_id",
            CONTACT: "requested_by",
            FREE_TEXT: "failure",
            FINANCIAL: "report",
            TECHNICAL: "provider since until status compared differences started_at finished_at",
        },
        _WHO_DECIDED,
    ),
    "reconciliation_lines": Place(
        "what a statement said", WITH_THE_BOOKS, {IDENTIFIER: "run_id key", FINANCIAL: "movement"}
    ),
    "reconciliation_differences": Place(
        "where books and statement differ, and what was done",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id key payment_id run_id transfer_id command_id",
            CONTACT: "resolved_by",
            FREE_TEXT: "note",
            FINANCIAL: "movement booked listed",
            TECHNICAL: "provider kind status times_opened first_seen_at last_seen_at resolution resolved_at",
        },
        _WHO_DECIDED,
    ),
    "reconciliation_corrections": Place(
        "what corrects a movement",
        WITH_THE_BOOKS,
        {IDENTIFIER: "movement_key key difference_id", TECHNICAL: "provider"},
    ),
    "ledger.accounts": Place(
        "the books",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id path org_id",
            FINANCIAL: "asset floor",
            TECHNICAL: "kind stripes lots lots_lapse opened_in created_at",
        },
    ),
    "ledger.balances": Place(
        "the books",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "account_id org_id",
            FINANCIAL: "posted pending_out floor asset",
            TECHNICAL: "stripe version lots",
        },
    ),
    "ledger.entries": Place(
        "the books",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "account_id transfer_id org_id",
            FINANCIAL: "amount balance_after asset",
            TECHNICAL: "version effective_at stripe",
        },
    ),
    "ledger.transfers": Place(
        "the books",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id hold_id idempotency_key reference org_id",
            FINANCIAL: "kind metadata",
            TECHNICAL: "effective_at recorded_at request_hash",
        },
    ),
    "ledger.holds": Place(
        "money that is set aside",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id account_id ended_transfer_id idempotency_key ended_key reference",
            FINANCIAL: "amount captured metadata",
            TECHNICAL: "held_at expires_at ended_at recorded_at status request_hash",
        },
    ),
    "ledger.controls": Place(
        "what may be spent",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id subject_id parent_id path",
            FINANCIAL: "asset amounts uses per_spend",
            TECHNICAL: "kind subject_kind zone week_starts status version windows hard thresholds_e4 starts_at ends_at "
            "created_at",
        },
    ),
    "ledger.counters": Place(
        "how much of what may be spent is spent",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id control_id",
            FINANCIAL: "amount uses held spent refunded forced uses_spent",
            TECHNICAL: "window starts_at ends_at",
        },
    ),
    "ledger.spends": Place(
        "who spent what, and for what",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id idempotency_key agent_id department_id project_id run_id key_id hold_id transfer_id "
            "counted_in",
            CONTACT: "principal",
            FREE_TEXT: "metadata",
            FINANCIAL: "asset amount available captured released refunded forced counted",
            TECHNICAL: "request_hash status action quantity at recorded_at expires_at held_until",
        },
        _WHO_DECIDED,
    ),
    "ledger.spend_changes": Place(
        "what became of a spend",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id spend_id idempotency_key transfer_id",
            FINANCIAL: "amount captured released refunded held available",
            TECHNICAL: "kind request_hash status held_until at",
        },
    ),
    "ledger.refusals": Place(
        "which spends were refused, and why",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id idempotency_key control_id subject_id agent_id department_id project_id run_id "
            "key_id",
            CONTACT: "principal",
            FINANCIAL: "asset limit_amount remaining amount available",
            TECHNICAL: "request_hash reason subject_kind window window_starts_at resets_at action at",
        },
        _WHO_DECIDED,
    ),
    "ledger.refusal_counts": Place(
        "how often spends were refused",
        WITH_THE_BOOKS,
        {IDENTIFIER: "id org_id control_id", TECHNICAL: "window starts_at reason number"},
    ),
    "ledger.rates": Place(
        "what credits and currencies are worth",
        WITH_THE_BOOKS,
        {FINANCIAL: "base quote base_minor quote_minor", TECHNICAL: "starts_at ends_at"},
    ),
    "ledger.control_versions": Place(
        "who changed what may be spent, and how",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "control_id org_id parent_id command_id",
            CONTACT: "changed_by",
            FREE_TEXT: "reason",
            FINANCIAL: "amounts uses per_spend",
            TECHNICAL: "version status windows hard thresholds_e4 starts_at ends_at request_hash changed_at",
        },
        _WHO_DECIDED,
    ),
    "ledger.lots": Place(
        "lots of credits",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id account_id org_id payment_id root_id parent_id transfer_id",
            FINANCIAL: "source amount remaining held paid paid_asset costed",
            TECHNICAL: "priority opened_at expires_at extended lapses is_open",
        },
    ),
    "ledger.lot_uses": Place(
        "which lot paid for what",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "transfer_id lot_id to_lot",
            FINANCIAL: "amount cost outcome returned cost_returned passed cost_passed",
            TECHNICAL: "leg",
        },
    ),
    "ledger.lot_returns": Place(
        "what came back of what lots paid for",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "transfer_id used_by lot_id account_id",
            FINANCIAL: "amount cost",
            TECHNICAL: "number leg",
        },
    ),
    "ledger.revenue_place": Place(
        "up to where revenue from lots is booked",
        WITH_THE_BOOKS,
        {IDENTIFIER: "booked settled mark", TECHNICAL: "id begun mark_in"},
    ),
    "ledger.accounting_days": Place(
        "what the books come to by day and line of the chart",
        WITH_THE_BOOKS,
        {FINANCIAL: "line kind asset debits credits", TECHNICAL: "day"},
    ),
    "ledger.accounting_place": Place(
        "up to where days are added up", WITH_THE_BOOKS, {IDENTIFIER: "summed", TECHNICAL: "id"}
    ),
    "ledger.hold_lots": Place(
        "which lots a hold has pinned", WITH_THE_BOOKS, {IDENTIFIER: "hold_id lot_id", FINANCIAL: "amount"}
    ),
}
