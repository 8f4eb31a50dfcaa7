"""The data map of the tables of who the tenants are, who acts for them, and what is written to them."""

from collections.abc import Mapping

from domain.privacy.places import (
    CONTACT,
    DELETE,
    EVIDENCE,
    FINANCIAL,
    FREE_TEXT,
    IDENTIFIER,
    NETWORK,
    SECRET,
    SETTLED,
    TECHNICAL,
    WHO_DECIDED,
    WITH_THE_BOOKS,
    WITH_THE_ORGANIZATION,
    Place,
)

SESSIONS = "until 30 days after its end; the audit trail names it longer"

TABLES: Mapping[str, Place] = {
    "organizations": Place(
        "who the tenants are",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id command_id",
            CONTACT: "name created_by status_by",
            FREE_TEXT: "status_reason",
            TECHNICAL: "tier version created_at status status_at timed_exits peers_agreed_at",
        },
    ),
    "approvals": Place(
        "which operators asked for an act and approved it",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id subject requested_key used_by",
            CONTACT: "requested_by decided_by",
            FREE_TEXT: "content",
            TECHNICAL: "action digest status requested_at expires_at decided_at used_at",
        },
        WHO_DECIDED,
    ),
    "api_keys": Place(
        "who a request comes from",
        "until the key ends, then as long as the acts that name it",
        {
            IDENTIFIER: "id org_id agent_id department_id project_id issued_by command_id",
            CONTACT: "principal created_by",
            SECRET: "secret_hash",
            TECHNICAL: "place role permissions created_at expires_at accepted_at revoked_at last_used_at",
        },
        WHO_DECIDED,
    ),
    "sessions": Place(
        "who is signed in, where, and until when",
        SESSIONS,
        {
            IDENTIFIER: "id key_id link_id org_id agent_id",
            CONTACT: "principal made_by ended_by",
            NETWORK: "browser address",
            SECRET: "secret_hash",
            TECHNICAL: "role idle_seconds created_at last_used_at expires_at ended_at",
        },
        {CONTACT: DELETE},
    ),
    "session_links": Place(
        "who may sign in by a link, and as whom",
        SESSIONS,
        {
            IDENTIFIER: "id key_id org_id agent_id",
            CONTACT: "principal made_by ended_by",
            FREE_TEXT: "path return_url",
            SECRET: "secret_hash",
            TECHNICAL: "role by_mail created_at expires_at used_at ended_at",
        },
        {CONTACT: DELETE, FREE_TEXT: DELETE},
    ),
    "departments": Place(
        "for which part of an organization is spent",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id parent_id path command_id",
            CONTACT: "name created_by",
            TECHNICAL: "created_at closed_at",
        },
        WHO_DECIDED,
    ),
    "audit_log": Place(
        "who did what, when and from where",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id actor_org_id key_id session_id target request_id",
            CONTACT: "principal made_by",
            NETWORK: "address",
            FREE_TEXT: "details",
            TECHNICAL: "at role action",
        },
        {CONTACT: EVIDENCE, NETWORK: EVIDENCE},
    ),
    "alerts": Place(
        "what a person should look at",
        "as long as the case that it is about",
        {
            IDENTIFIER: "id key org_id subject rule_id",
            CONTACT: "acknowledged_by org_acknowledged_by resolved_by",
            FREE_TEXT: "detail",
            TECHNICAL: "kind severity status window shared for_operators created_at acknowledged_at "
            "org_acknowledged_at snoozed_until org_snoozed_until resolved_at told_at",
        },
    ),
    "alert_rules": Place(
        "what an organization wants to be alerted to",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id filters channels command_id",
            CONTACT: "created_by",
            FREE_TEXT: "description",
            FINANCIAL: "condition asset",
            TECHNICAL: "name metric window_seconds cool_down_seconds severity ladder enabled due_at created_at "
            "updated_at ended_at",
        },
    ),
    "alert_rule_hours": Place(
        "the hourly figures of an alert rule",
        WITH_THE_ORGANIZATION,
        {IDENTIFIER: "rule org_id", TECHNICAL: "until", FINANCIAL: "figures"},
    ),
    "alert_rule_standings": Place(
        "whether the figure of an alert rule is good",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "rule subject org_id alert_key",
            TECHNICAL: "place phase good_since fired_at",
        },
    ),
    "events": Place(
        "what happened to an organization, for whom it is told to",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id subject",
            FINANCIAL: "data",
            TECHNICAL: "type subject_seq at written_in",
        },
    ),
    "webhook_endpoints": Place(
        "where an organization has its events sent",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id command_id read_id lease",
            CONTACT: "created_by",
            FREE_TEXT: "url description state",
            SECRET: "secret private_key previous_secret previous_private_key older_keys",
            TECHNICAL: (
                "types ordering status version public_key previous_until read_in idle seen_at wakes_at waits_since "
                "slow_until slowed failing_since delivered_at created_at updated_at"
            ),
        },
        WHO_DECIDED,
    ),
    "webhook_endpoint_events": Place(
        "who changed a webhook endpoint, and what became of it",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "endpoint_id command_id",
            CONTACT: "actor",
            FREE_TEXT: "details",
            TECHNICAL: "number kind status at recorded_at",
        },
        WHO_DECIDED,
    ),
    "webhook_deliveries": Place(
        "which event was sent where, and what was answered; the answer for 30 days",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id endpoint_id org_id event_id subject",
            FREE_TEXT: "answer",
            TECHNICAL: (
                "type subject_seq status tries replays next_at tried_at delivered_at status_code error created_at"
            ),
        },
    ),
    "notification_channels": Place(
        "where a principal wants to be told of what happens",
        "until it is deleted, by its principal or with its last key, an owner's address for 30 days more; what was "
        "asked for, as long as the organization",
        {
            IDENTIFIER: "id org_id command_id target_digest",
            CONTACT: "principal recipient address shown",
            SECRET: "hook code",
            TECHNICAL: "kind status code_sent_at code_tries codes_sent_at created_at verified_at removed_at",
        },
        {CONTACT: DELETE},
    ),
    "notification_preferences": Place(
        "what a principal wants to be told",
        "until its principal's last key ends",
        {IDENTIFIER: "org_id", CONTACT: "principal recipient", FREE_TEXT: "settings", TECHNICAL: "updated_at"},
        {CONTACT: DELETE, FREE_TEXT: DELETE},
    ),
    "notification_defaults": Place(
        "how soon people are told of something where they chose nothing",
        "until operators undo it",
        {TECHNICAL: "kind roles updated_at"},
    ),
    "api_presence": Place(
        "when the API was away, so that deadlines give the time back",
        "for good: one row",
        {TECHNICAL: "id seen_at away_from away_until owed owed_from"},
    ),
    "slack_turns": Place(
        "when a hook of Slack may be posted to next",
        "for good: what tells hooks apart is of no use without their URLs",
        {IDENTIFIER: "hook", TECHNICAL: "free_at"},
    ),
    "notifications": Place(
        "what a principal was told, when and over which channel",
        "as long as the case that it is about",
        {
            IDENTIFIER: "id source org_id channel subject",
            CONTACT: "principal recipient",
            FREE_TEXT: "data problem",
            TECHNICAL: "kind fact status digest due_at attempts created_at sent_at read_at hidden_at",
        },
        {CONTACT: DELETE, FREE_TEXT: DELETE},
    ),
    "notification_cursors": Place(
        "up to where the outbox was read for notifications and the search index",
        WITH_THE_BOOKS,
        {IDENTIFIER: "read_id", TECHNICAL: "name read_in"},
    ),
    "idempotency_keys": Place(
        "that repeating a request is safe",
        SETTLED,
        {
            IDENTIFIER: "scope key owner",
            FREE_TEXT: "body",
            TECHNICAL: "request_hash state locked_until status content_type version created_at",
        },
        {IDENTIFIER: DELETE, FREE_TEXT: DELETE},
    ),
    "organization_contacts": Place(
        "who is written to, and in which language",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "org_id command_id",
            CONTACT: "contacts updated_by",
            TECHNICAL: "language updated_at version",
        },
        {CONTACT: DELETE},
    ),
    "mails": Place(
        "what an organization was told, when and at which address",
        "as long as the case that it is about",
        {
            IDENTIFIER: "id key org_id",
            CONTACT: "recipients reached",
            FREE_TEXT: "data problem",
            TECHNICAL: "kind language status attempts queued_at next_attempt_at sent_at",
        },
        {CONTACT: DELETE, FREE_TEXT: DELETE},
    ),
    "mail_suppressions": Place(
        "where no mail is sent, because it came back",
        "until it is lifted, and then as what says that older reports count no more",
        {IDENTIFIER: "id", CONTACT: "address lifted_by", TECHNICAL: "status suppressed_at lifted_at"},
        {CONTACT: DELETE},
    ),
    "projects": Place(
        "what an organization deploys",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id command_id",
            CONTACT: "created_by",
            FREE_TEXT: "slug name",
            TECHNICAL: "deploy_type deployed_at occupies_slot version created_at",
        },
    ),
    "deployment_events": Place(
        "what took a slot, and when",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "org_id project_id transfer_id command_id",
            CONTACT: "actor",
            FINANCIAL: "slots",
            TECHNICAL: "number kind plan share at",
        },
        WHO_DECIDED,
    ),
    "object_metadata": Place(
        "what an organization has written on objects, to find them by",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "object_id org_id command_id",
            FREE_TEXT: "external_id metadata",
            TECHNICAL: "prefix version updated_at",
        },
        {FREE_TEXT: DELETE},
    ),
    "metadata_pairs": Place(
        "that objects are found by their metadata",
        WITH_THE_ORGANIZATION,
        {IDENTIFIER: "org_id object_id", FREE_TEXT: "key value", TECHNICAL: "prefix"},
        {FREE_TEXT: DELETE},
    ),
    "organization_traits": Place(
        "what organizations have in common: methods of payment, tax ids, referrers",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id digest", TECHNICAL: "kind first_seen last_seen ended_at judged_at"},
    ),
}
