"""The data map of the tables of metrics, advice, reports and exports."""

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

_EXPORTS = "as long as the organization; the files themselves seven days"

TABLES: Mapping[str, Place] = {
    "metric_sums": Place(
        "what events add up to, by day",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id", FINANCIAL: "asset value", TECHNICAL: "measure seconds starts_at labels"},
    ),
    "active_people": Place(
        "who changed something on a day",
        WITH_THE_ORGANIZATION,
        {IDENTIFIER: "org_id", CONTACT: "principal", TECHNICAL: "day"},
    ),
    "metric_place": Place(
        "how far events are added up",
        WITH_THE_BOOKS,
        {TECHNICAL: "id written_in event_id people_before"},
    ),
    # Advice, and comparison with others.
    "insight_dismissals": Place(
        "which advice an organization does not want to see",
        WITH_THE_ORGANIZATION,
        {IDENTIFIER: "org_id insight_id", CONTACT: "dismissed_by", TECHNICAL: "dismissed_at"},
        WHO_DECIDED,
    ),
    "insight_takes": Place(
        "which advice was taken, and the purchase order or payment policy that it proposes",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "org_id insight_id order_id",
            CONTACT: "taken_by approved_by",
            FREE_TEXT: "policy",
            TECHNICAL: "month taken_at approved_at",
        },
        WHO_DECIDED,
    ),
    "peer_positions": Place(
        "in which quarter of its group an organization or an agent stood in a month",
        WITH_THE_ORGANIZATION,
        {IDENTIFIER: "member_id org_id", FINANCIAL: "quarter", TECHNICAL: "month metric category reason"},
    ),
    "exports": Place(
        "which rows were exported, by whom and until when the files stand",
        _EXPORTS,
        {
            IDENTIFIER: "id org_id command_id",
            CONTACT: "created_by",
            TECHNICAL: "dataset format since until status horizon rows_done created_at finished_at expires_at",
        },
    ),
    "export_files": Place(
        "what each file of an export holds: counts, sums and its hash",
        _EXPORTS,
        {
            IDENTIFIER: "export_id org_id",
            FINANCIAL: "sums",
            TECHNICAL: "number rows bytes sha256 last",
        },
    ),
    "search_refusals": Place(
        "which events the search index refused, and why",
        "until the event is indexed or the index is built anew",
        {
            IDENTIFIER: "event_id",
            FREE_TEXT: "reason",
            TECHNICAL: "index_name at",
        },
    ),
    # Reports
    "reports": Place(
        "what an organization wants reported, and to whom",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id command_id",
            CONTACT: "created_by recipients",
            FREE_TEXT: "definition next_definition",
            TECHNICAL: "period_from due_at created_at updated_at ended_at",
        },
    ),
    "report_runs": Place(
        "the files of reports, and who was notified of them",
        "three years",
        {
            IDENTIFIER: "report_id org_id",
            CONTACT: "told left_out",
            FREE_TEXT: "definition content file",
            TECHNICAL: "number period version sha256 made_at look_again_at",
        },
    ),
}
