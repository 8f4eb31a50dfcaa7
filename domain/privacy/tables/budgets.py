"""The data map of the tables of what agents may buy outside, and by which rules."""

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
    "payment_policies": Place(
        "by which rules purchases are judged",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id subject_id",
            CONTACT: "updated_by",
            FREE_TEXT: "crypto vendors_allowed vendors_refused categories_allowed categories_refused",
            FINANCIAL: "currency free_first_above per_purchase approval_above two_persons_above",
            TECHNICAL: "scope version free_first methods answer_within_seconds updated_at",
        },
        WHO_DECIDED,
    ),
    "free_options": Place(
        "which free options an organization knows",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id",
            CONTACT: "updated_by",
            FREE_TEXT: "name category address",
            TECHNICAL: "quota quota_window used used_since updated_at",
        },
        WHO_DECIDED,
    ),
    "purchase_methods": Place(
        "what an organization pays with outside, without any number of a card or key of a wallet",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "id org_id name",
            CONTACT: "updated_by",
            FREE_TEXT: "label",
            FINANCIAL: "fee_share_e4 fee_fixed fee_currency",
            TECHNICAL: "kind attempts succeeded updated_at",
        },
        WHO_DECIDED,
    ),
    "purchase_entries": Place(
        "what happened to each purchase order",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id order_id agent_id project_id",
            FREE_TEXT: "item alternative_action payment_method",
            FINANCIAL: "amount_minor currency budget_remaining",
            TECHNICAL: "transaction_type status at",
        },
    ),
}
