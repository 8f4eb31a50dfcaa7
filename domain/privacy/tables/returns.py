"""The data map of the tables of results, revenue, allocation and routing."""

from collections.abc import Mapping

from domain.privacy.places import (
    CONTACT,
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
    "revenue_events": Place(
        "what agents brought in, by the books or as it was reported",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id agent_id project_id run_id reference transfer_id reporter_agent_id",
            CONTACT: "reported_by confirmed_by",
            FREE_TEXT: "evidence",
            FINANCIAL: "currency reported_minor amount_minor commission_minor reversed_minor money",
            TECHNICAL: "source status shares_version occurred_at confirmed_at created_at",
        },
        WHO_DECIDED,
    ),
    "attributions": Place(
        "how revenue is shared over agents and projects",
        WITH_THE_BOOKS,
        {IDENTIFIER: "event_id org_id", CONTACT: "set_by", FINANCIAL: "parts", TECHNICAL: "version rule set_at"},
        WHO_DECIDED,
    ),
    # Allocation, trials and reinvestment
    "allocation_settings": Place(
        "how a project's budget is divided among its agents each night",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "project_id org_id",
            CONTACT: "updated_by",
            FINANCIAL: "currency daily_minor",
            TECHNICAL: "mode floor_e4 ceiling_e4 reinvest_bps reinvests_from next_night next_at updated_at",
        },
        WHO_DECIDED,
    ),
    "allocations": Place(
        "what each agent of a project was given for a day, and why",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id project_id",
            CONTACT: "applied_by",
            FINANCIAL: "currency total_minor reinvested_minor lines priced_at",
            TECHNICAL: "night versions left_out is_raised status answer_by applied_at created_at",
        },
        WHO_DECIDED,
    ),
    "trials": Place(
        "what an agent is given in stages, and what it has to show for each",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id agent_id control_id command_id",
            CONTACT: "created_by",
            FINANCIAL: "currency amount_minor paid_minor stages",
            TECHNICAL: "paid status next_at stopped_by created_at",
        },
        WHO_DECIDED,
    ),
    # Routing
    "routing_decisions": Place(
        "to which model or agent a call was given, by which odds, and what came of it",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id agent_id run_id choice control_id command_id outcome_reference",
            CONTACT: "decided_by",
            FINANCIAL: "currency wish ranking reference_pico expected_pico next_price_e6 priced_at cost_pico "
            "multiple_e6",
            TECHNICAL: "task_kind odds_e6 window_starts_at window_first_at window_calls "
            "window_calls_before decided_at score_e6 outcome_source outcome_at",
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
