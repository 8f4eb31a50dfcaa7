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
    Place,
)

TABLES: Mapping[str, Place] = {
    # Results
    # Revenue
    "revenue_events": Place(
        "what agents brought in, by the books or as it was reported",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id agent_id project_id run_id reference transfer_id reporter_agent_id",
            CONTACT: "reported_by confirmed_by",
            FREE_TEXT: "evidence",
            FINANCIAL: "currency reported_minor amount_minor commission_minor reversed_minor",
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
    # Routing
}
