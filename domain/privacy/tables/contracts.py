"""The data map of the tables of agents, their prices, contracts and escrows."""

from collections.abc import Mapping

from domain.privacy.places import (
    CONTACT,
    DELETE,
    FINANCIAL,
    FREE_TEXT,
    IDENTIFIER,
    SETTLED,
    TECHNICAL,
    WHO_DECIDED,
    WITH_THE_BOOKS,
    WITH_THE_ORGANIZATION,
    Place,
)

TABLES: Mapping[str, Place] = {
    "agents": Place(
        "who is paid, and on which terms it works",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id department_id project_id command_id",
            CONTACT: "name created_by retired_by",
            FREE_TEXT: "description",
            FINANCIAL: "price_minor price_currency",
            TECHNICAL: "visibility pricing_model terms accepts_granted category version created_at retired_at",
        },
    ),
    "contracts": Place(
        "what was awarded to whom, by which rules",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id payee_org_id agent_id signatory_org_ids quote_id command_id",
            CONTACT: "signatories created_by accepted_by",
            FREE_TEXT: "title milestones",
            FINANCIAL: "price_minor currency commission_bps undiscounted_commission_bps commission_from "
            "dispute_default_share_e4",
            TECHNICAL: "validation_threshold_e4 required_signatures operator_approvals fund_seconds deliver_seconds "
            "review_seconds evidence_seconds decision_seconds grace_seconds outside_listing accept_by accepted_at "
            "expired_at open_by accepts_granted level_version level_name priority created_at",
        },
        WHO_DECIDED,
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
        WHO_DECIDED,
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
        WHO_DECIDED,
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
        WHO_DECIDED,
    ),
    "pricing_quotes": Place(
        "which price an organization was offered, and why",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id agent_id payee_org_id contract_id command_id",
            CONTACT: "created_by",
            FREE_TEXT: "adjustments",
            FINANCIAL: "currency base_minor price_minor multiplier_bps commission_bps commission_from facts borne_by",
            TECHNICAL: "quantity level_version level_name book_version created_at expires_at used_at",
        },
        WHO_DECIDED,
    ),
    "escrows": Place(
        "where an escrow stands",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id contract_id org_id payee_org_id signatory_org_ids agent_id workflow_id",
            FREE_TEXT: "state",
            FINANCIAL: "currency amount_minor funded_minor granted_minor released_minor refunded_minor "
            "commission_minor",
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
        WHO_DECIDED,
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
}
