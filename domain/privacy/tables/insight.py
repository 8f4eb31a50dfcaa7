"""The data map of the tables of metrics, advice, reports and exports."""

from collections.abc import Mapping

from domain.privacy.places import CONTACT, FINANCIAL, FREE_TEXT, IDENTIFIER, TECHNICAL, Place

_EXPORTS = "as long as the organization; the files themselves seven days"

TABLES: Mapping[str, Place] = {
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
}
