"""The data map of the tables of secrets."""

from collections.abc import Mapping

from domain.privacy.places import (
    CONTACT,
    EVIDENCE,
    FINANCIAL,
    FREE_TEXT,
    IDENTIFIER,
    NETWORK,
    SECRET,
    TECHNICAL,
    WHO_DECIDED,
    WITH_THE_ORGANIZATION,
    Place,
)

TABLES: Mapping[str, Place] = {
    # Store
    "secrets": Place(
        "where an organization keeps what its agents use and do not see",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id",
            CONTACT: "created_by",
            FREE_TEXT: "path",
            TECHNICAL: "kind backend hosts rotation current_version last_number created_at",
        },
        WHO_DECIDED,
    ),
    "secret_versions": Place(
        "the values, sealed under keys of their own",
        "until the version is destroyed, or as long as the organization",
        {
            IDENTIFIER: "secret_id org_id command_id key_id",
            CONTACT: "created_by",
            SECRET: "sealed wrapped_key",
            TECHNICAL: "number status usable_until created_at destroyed_at",
        },
        WHO_DECIDED,
    ),
    "secret_grants": Place(
        "who may use or read which secrets",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id agent_id command_id",
            CONTACT: "principal created_by revoked_by",
            FREE_TEXT: "paths",
            FINANCIAL: "price_minor",
            TECHNICAL: "verbs hosts methods places headers uses_per_day meter charged_statuses ends_at created_at"
            " revoked_at",
        },
        WHO_DECIDED,
    ),
    "secret_grant_days": Place(
        "how often a grant was used on a day",
        WITH_THE_ORGANIZATION,
        {IDENTIFIER: "grant_id org_id", TECHNICAL: "day uses"},
    ),
    "secret_access": Place(
        "who asked for which secret, and what they were answered",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "number org_id secret_id grant_id key_id agent_id reference",
            CONTACT: "principal",
            FREE_TEXT: "path purpose",
            NETWORK: "host method",
            TECHNICAL: "written_in version verb outcome at",
        },
        # An entry that was changed would no longer be what its seal covers.
        dict.fromkeys((CONTACT, FREE_TEXT, NETWORK), EVIDENCE),
    ),
    "secret_access_seals": Place(
        "that a changed entry of the access log is found",
        WITH_THE_ORGANIZATION,
        {TECHNICAL: "number last_written_in last_number entries hash sealed_at"},
    ),
    # Use
    "secret_uses": Place(
        "requests that were made with secrets, without their content and their answers",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id secret_id grant_id agent_id command_id",
            NETWORK: "host method",
            FINANCIAL: "price_minor cost_minor",
            TECHNICAL: "version meter status reason status_code created_at ended_at",
        },
        dict.fromkeys((NETWORK,), EVIDENCE),
    ),
    # Rotation
    "secret_rotations": Place(
        "where the rotation of a secret stands",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "secret_id org_id",
            TECHNICAL: "status number replaced since next_at grace_seconds asked failures detail reported wake_at",
        },
    ),
}
