"""The data map of the tables of payments, their providers, and the comparison with these."""

from collections.abc import Mapping

from domain.privacy.places import (
    CONTACT,
    DELETE,
    FINANCIAL,
    FREE_TEXT,
    IDENTIFIER,
    TECHNICAL,
    WHO_DECIDED,
    WITH_THE_BOOKS,
    WITH_THE_ORGANIZATION,
    Place,
)

TABLES: Mapping[str, Place] = {
    "auto_topups": Place(
        "which credits are bought by themselves",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "org_id payment_method",
            CONTACT: "updated_by",
            FREE_TEXT: "off_reason",
            FINANCIAL: "below_minor credits_minor monthly_cap_minor",
            TECHNICAL: "enabled armed capped_until crossings failures retry_at updated_at",
        },
    ),
    "auto_topup_crossings": Place(
        "which payment a low balance made",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "org_id payment_id payment_method",
            FINANCIAL: "available_minor credits_minor unit_minor",
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
            FINANCIAL: "source amount_minor debt_minor paid_minor paid_currency",
            TECHNICAL: "expires_at created_at",
        },
        WHO_DECIDED,
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
            IDENTIFIER: "command_id org_id payment_id asked_by",
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
        WHO_DECIDED,
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
        WHO_DECIDED,
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
        WHO_DECIDED,
    ),
    "reconciliation_corrections": Place(
        "what corrects a movement",
        WITH_THE_BOOKS,
        {IDENTIFIER: "movement_key key difference_id", TECHNICAL: "provider"},
    ),
}
