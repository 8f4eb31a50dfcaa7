"""The data map of the tables of metrics, advice, reports and exports."""

from collections.abc import Mapping

from domain.privacy.places import CONTACT, FINANCIAL, IDENTIFIER, TECHNICAL, WHO_DECIDED, WITH_THE_ORGANIZATION, Place

TABLES: Mapping[str, Place] = {
    # Advice, and comparison with others.
    "insight_dismissals": Place(
        "which advice an organization does not want to see",
        WITH_THE_ORGANIZATION,
        {IDENTIFIER: "org_id insight_id", CONTACT: "dismissed_by", TECHNICAL: "dismissed_at"},
        WHO_DECIDED,
    ),
    "peer_positions": Place(
        "in which quarter of its group an organization or an agent stood in a month",
        WITH_THE_ORGANIZATION,
        {IDENTIFIER: "member_id org_id", FINANCIAL: "quarter", TECHNICAL: "month metric category reason"},
    ),
}
