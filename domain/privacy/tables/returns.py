"""The data map of the tables of results, revenue, allocation and routing."""

from collections.abc import Mapping

from domain.privacy.places import (
    CONTACT,
    FINANCIAL,
    IDENTIFIER,
    TECHNICAL,
    WITH_THE_BOOKS,
    WITH_THE_ORGANIZATION,
    Place,
)

TABLES: Mapping[str, Place] = {
    # Results
    "results": Place(
        "how well the work of runs and tasks turned out, and who said so",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id run_id task_id agent_id reference",
            CONTACT: "reported_by",
            FINANCIAL: "value_minor currency",
            TECHNICAL: "task_kind score_e6 is_accepted is_self_reported source recorded_at",
        },
    ),
    # Revenue
    # Allocation, trials and reinvestment
    # Routing
    "routing_decisions": Place(
        "to which model or agent a call was given, by which odds, and what came of it",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id agent_id run_id choice control_id command_id outcome_reference",
            CONTACT: "decided_by",
            FINANCIAL: "currency wish ranking reference_pico expected_pico next_price_e6 cost_pico multiple_e6",
            TECHNICAL: "task_kind odds_e6 window_starts_at window_calls window_calls_before decided_at score_e6 "
            "outcome_source outcome_at",
        },
    ),
    "routing_sums": Place(
        "what the outcomes of routed calls add up to, by candidate and kind of task",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "org_id candidate",
            FINANCIAL: "cost_e6 square_e6",
            TECHNICAL: "task_kind results score_e6 costs",
        },
    ),
}
