"""The data map of the tables of what is used, what it costs, and what was spent by day."""

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
        WHO_DECIDED,
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
    "meters": Place(
        "what is counted of usage",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id number org_id command_id",
            CONTACT: "name created_by",
            FINANCIAL: "price currency",
            TECHNICAL: "event_type aggregation property dimensions created_at charged_at closed_at is_default",
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
        {IDENTIFIER: "org_id open_spends", FINANCIAL: "captured", TECHNICAL: "day spends"},
    ),
    "spend_days": Place(
        "what was spent by day",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id agent_id department_id project_id",
            FREE_TEXT: "action model",
            FINANCIAL: "captured quantity paid",
            TECHNICAL: "day spends",
        },
    ),
    "spend_places": Place(
        "where spends are that name a value",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id first_id last_id", FREE_TEXT: "value", TECHNICAL: "kind day"},
    ),
    "usage_charges": Place(
        "what was charged for usage",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "org_id event meters use_id spend_id",
            FINANCIAL: "quantities amount",
            TECHNICAL: "occurred_at month due_at waits_for charged_at voided_at",
        },
    ),
    "usage_bills": Place(
        "which usage is on which invoice",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "org_id number invoice_id",
            FINANCIAL: "currency minor_pico discount_bps markup_e6",
            TECHNICAL: "month opened_at sealed_at billed_at",
        },
    ),
    "usage_bill_sums": Place(
        "what usage comes to on an invoice",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id number source ref", FINANCIAL: "quantity charged pico", TECHNICAL: "month events line"},
    ),
    "usage_voids": Place(
        "which usage was taken off its bill",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id event", TECHNICAL: "voided_at"},
    ),
    "usage_digests": Place(
        "that an event counts once, for good",
        WITH_THE_BOOKS,
        {IDENTIFIER: "digest", TECHNICAL: "content"},
    ),
    "usage_paid_calls": Place(
        "that a spend has paid for one call",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id spend_id digest"},
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
            TECHNICAL: (
                "recorded_in occurred_at received_at type provider model rated_by price_ref estimated meters bill_month"
            ),
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
                "currency input_tokens output_tokens cached_tokens reasoning_tokens other_tokens timed_tokens "
                "cost_pico creator_pico platform_pico"
            ),
            TECHNICAL: "dimension day events duration_ms estimated_events",
        },
    ),
}
