"""The data map of the tables of results, revenue, allocation and routing."""

from collections.abc import Mapping

from domain.privacy.places import CONTACT, FINANCIAL, FREE_TEXT, IDENTIFIER, TECHNICAL, WITH_THE_BOOKS, Place

TABLES: Mapping[str, Place] = {
    # Results
    "results": Place(
        "how well the work of runs and tasks turned out, and who said so",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id agent_id reference",
            CONTACT: "reported_by",
            FREE_TEXT: "run_id task_id task_kind",
            FINANCIAL: "value_minor currency",
            TECHNICAL: "score_e6 is_accepted is_self_reported source recorded_at",
        },
    ),
    # Revenue
    # Allocation, trials and reinvestment
    # Routing
}
