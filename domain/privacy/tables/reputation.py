"""The data map of the tables of what is known of agents and of clients."""

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
    "reputation_agents": Place(
        "what is known of an agent, over all dimensions",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "agent_id board",
            TECHNICAL: (
                "started_on evidence_count evidence_e6 ended succeeded rated response_count response_total_ms "
                "response_buckets stars_e6 rank_e6 night_on night_stars_e6 night_low_e6 night_high_e6 latest_on "
                "category band stale_at"
            ),
        },
    ),
    "reputation_clients": Place(
        "how far an organization is trusted as a client",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id", TECHNICAL: "good_e6 bad_e6 since held_e6 prior_e6 through counts"},
    ),
    "reputation_seasoned_clients": Place(
        "how far an organization is trusted as a client by what it cannot take back",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id", TECHNICAL: "through good_e6 bad_e6 held_e6 since"},
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
        WHO_DECIDED,
    ),
    "reputation_feedback": Place(
        "what a client said of an agent after a contract",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id contract_id agent_id agent_org_id org_id event_id command_id change_command_id",
            CONTACT: "given_by",
            FREE_TEXT: "comment",
            TECHNICAL: "ratings by_agent created_at changed_at",
        },
        WHO_DECIDED,
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
            TECHNICAL: "day stars_e6 low_e6 high_e6 rank_e6 moved_e6 evidence_count is_sudden dimensions_e6",
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
        WHO_DECIDED,
    ),
    "reputation_powers": Place("what nights leave of evidence", WITH_THE_BOOKS, {TECHNICAL: "nights factor_e12"}),
    "reputation_rates": Place("rates that held before", WITH_THE_BOOKS, {TECHNICAL: "until factors_e12"}),
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
        {IDENTIFIER: "escrow_id payment_id", TECHNICAL: "recalled_at restored_at by_bank"},
    ),
    "reputation_scores": Place(
        "what is known of an agent in one dimension",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "agent_id board",
            TECHNICAL: (
                "dimension good_e6 bad_e6 since held_e6 earned_e6 prior_e6 through stars_e6 rank_e6 evidence_count "
                "evidence_e6 latest_on category band"
            ),
        },
    ),
    "reputation_seasoned": Place(
        "what is known of an agent that no payer can take back",
        WITH_THE_BOOKS,
        {IDENTIFIER: "agent_id", TECHNICAL: "through evidence_count evidence_e6 good_e6 bad_e6 held_e6 since"},
    ),
}
