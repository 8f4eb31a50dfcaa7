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
            IDENTIFIER: "id org_id command_id",
            CONTACT: "name created_by",
            FINANCIAL: "price_minor price_currency",
            TECHNICAL: "visibility pricing_model terms created_at",
        },
    ),
    "api_keys": Place(
        "who a request comes from",
        "until the key ends, then as long as the acts that name it",
        {
            IDENTIFIER: "id org_id agent_id command_id",
            CONTACT: "principal created_by",
            SECRET: "secret_hash",
            TECHNICAL: "place role created_at expires_at revoked_at last_used_at",
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
            CONTACT: "acknowledged_by",
            FREE_TEXT: "detail",
            TECHNICAL: "kind shared created_at acknowledged_at",
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
    "contracts": Place(
        "what was awarded to whom, by which rules",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id payee_org_id agent_id signatory_org_ids command_id",
            CONTACT: "signatories created_by accepted_by",
            FREE_TEXT: "title milestones",
            FINANCIAL: "price_minor currency commission_bps dispute_default_share_e4",
            TECHNICAL: "validation_threshold_e4 required_signatures operator_approvals fund_seconds deliver_seconds "
            "review_seconds evidence_seconds decision_seconds grace_seconds outside_listing accept_by accepted_at "
            "created_at",
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
            TECHNICAL: "deployed_at occupies_slot created_at",
        },
    ),
    "deployment_events": Place(
        "what took a slot, and when",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "org_id project_id transfer_id command_id",
            CONTACT: "actor",
            FINANCIAL: "slots",
            TECHNICAL: "number kind at",
        },
        _WHO_DECIDED,
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
            IDENTIFIER: "id org_id number transfer_id void_transfer_id command_id void_command_id",
            CONTACT: "created_by",
            FREE_TEXT: "lines note",
            FINANCIAL: "currency total_minor paid_minor",
            TECHNICAL: "status issued_at due_at updated_at",
        },
        {CONTACT: EVIDENCE, FREE_TEXT: BOOKS},
    ),
    "invoice_payments": Place(
        "what paid an invoice",
        WITH_THE_BOOKS,
        {IDENTIFIER: "invoice_id payment_id org_id", FINANCIAL: "amount_minor", TECHNICAL: "updated_at"},
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
        {IDENTIFIER: "id path org_id", FINANCIAL: "asset floor", TECHNICAL: "kind stripes opened_in created_at"},
    ),
    "ledger.balances": Place(
        "the books",
        WITH_THE_BOOKS,
        {IDENTIFIER: "account_id org_id", FINANCIAL: "posted pending_out floor asset", TECHNICAL: "stripe version"},
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
}
