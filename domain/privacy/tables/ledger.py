"""The data map of the tables of the books."""

from collections.abc import Mapping

from domain.privacy.places import (
    CONTACT,
    FINANCIAL,
    FREE_TEXT,
    IDENTIFIER,
    TECHNICAL,
    WHO_DECIDED,
    WITH_THE_BOOKS,
    Place,
)

TABLES: Mapping[str, Place] = {
    "ledger.credit_days": Place(
        "what is used of credits, for statistics",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id", FINANCIAL: "used refunded expired granted_cost", TECHNICAL: "day spends"},
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
            FINANCIAL: "asset amounts uses per_spend reserve emergency carry_over may_draw_reserve",
            TECHNICAL: "kind subject_kind zone week_starts status version windows hard thresholds_e4 starts_at ends_at "
            "pools_of emergency_until created_at",
        },
    ),
    "ledger.counters": Place(
        "how much of what may be spent is spent",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id control_id",
            FINANCIAL: "amount uses carried moved held spent refunded forced uses_spent",
            TECHNICAL: "window starts_at ends_at pool",
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
        WHO_DECIDED,
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
    "ledger.escrow_counts": Place(
        "what escrows count in what may be spent",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "escrow_id org_id id agent_id department_id project_id key_id counted_in",
            CONTACT: "principal",
            FINANCIAL: "amount spent returned counted",
            TECHNICAL: "at changed_at",
        },
        WHO_DECIDED,
    ),
    "ledger.purchase_counts": Place(
        "what purchases outside count in what may be spent",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "order_id org_id id agent_id department_id project_id key_id counted_in",
            CONTACT: "principal",
            FINANCIAL: "asset amount spent returned refunded counted",
            TECHNICAL: "number pool forced at changed_at",
        },
        WHO_DECIDED,
    ),
    "ledger.pool_moves": Place(
        "who moved what from one pool of a budget into another, and why",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id control_id from_counter to_counter command_id",
            CONTACT: "moved_by",
            FREE_TEXT: "reason",
            FINANCIAL: "amount",
            TECHNICAL: "from_pool to_pool at",
        },
        WHO_DECIDED,
    ),
    "ledger.refusals": Place(
        "which spends were refused, and why",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id idempotency_key control_id subject_id agent_id department_id project_id run_id "
            "key_id",
            CONTACT: "principal",
            FINANCIAL: "asset limit_amount remaining amount spend_asset available",
            TECHNICAL: "request_hash reason subject_kind window window_starts_at resets_at action pool at",
        },
        WHO_DECIDED,
    ),
    "ledger.refusal_counts": Place(
        "how often spends were refused",
        WITH_THE_BOOKS,
        {IDENTIFIER: "id org_id control_id", TECHNICAL: "window starts_at reason number"},
    ),
    "ledger.rates": Place(
        "what credits and currencies are worth",
        WITH_THE_BOOKS,
        {FINANCIAL: "base quote base_minor quote_minor", TECHNICAL: "starts_at ends_at source"},
    ),
    "ledger.control_versions": Place(
        "who changed what may be spent, and how",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "control_id org_id parent_id command_id",
            CONTACT: "changed_by",
            FREE_TEXT: "reason",
            FINANCIAL: "amounts uses per_spend reserve emergency carry_over may_draw_reserve",
            TECHNICAL: "version status windows hard thresholds_e4 starts_at ends_at pools_of emergency_until "
            "request_hash changed_at",
        },
        WHO_DECIDED,
    ),
    "ledger.lots": Place(
        "lots of credits",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id account_id org_id payment_id root_id parent_id transfer_id",
            FINANCIAL: "source amount remaining held paid paid_asset costed",
            TECHNICAL: "priority opened_at expires_at extended lapses is_open taxed",
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
    "ledger.earning_days": Place(
        "what agents earned and were paid out, by account and day",
        WITH_THE_BOOKS,
        {FINANCIAL: "account_id earned paid_out", TECHNICAL: "day"},
    ),
    "ledger.revenue_days": Place(
        "what organizations brought in revenue, by day",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id", FINANCIAL: "line asset amount", TECHNICAL: "day"},
    ),
    "ledger.cost_days": Place(
        "what was paid for the credits in escrows and in agents' earnings, by day",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id agent_id", FINANCIAL: "line asset came went", TECHNICAL: "day"},
    ),
    "ledger.accounting_place": Place(
        "up to where days are added up", WITH_THE_BOOKS, {IDENTIFIER: "summed", TECHNICAL: "id"}
    ),
    "ledger.hold_lots": Place(
        "which lots a hold has pinned", WITH_THE_BOOKS, {IDENTIFIER: "hold_id lot_id", FINANCIAL: "amount"}
    ),
}
