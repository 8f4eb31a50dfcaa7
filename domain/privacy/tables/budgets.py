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
            TECHNICAL: "kind rank attempts succeeded updated_at",
        },
        WHO_DECIDED,
    ),
    "purchase_entries": Place(
        "what happened to each purchase order",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id order_id agent_id project_id",
            FREE_TEXT: "item alternative_action payment_method reason",
            FINANCIAL: "amount_minor currency budget_remaining",
            TECHNICAL: "transaction_type status at",
        },
    ),
    "purchase_orders": Place(
        "what an agent wants to buy outside, and what became of it",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id agent_id department_id project_id key_id session_id command_id",
            CONTACT: "principal",
            FREE_TEXT: "item vendor category why alternatives methods decision alternative_action",
            FINANCIAL: "amount_minor currency budget_remaining spent_minor refunded_minor saved_minor "
            "reported_spent_minor reported_refunded_minor",
            TECHNICAL: "term pool on_limit lifts status persons answer_by held_until renews_at counts unknown_since "
            "unconfirmed_since cancel_reported_at created_at updated_at",
        },
        WHO_DECIDED,
    ),
    "purchase_attempts": Place(
        "each try to pay for a purchase",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "order_id org_id command_id",
            CONTACT: "begun_by",
            FREE_TEXT: "method reference receipt",
            FINANCIAL: "charged_minor fee_minor",
            TECHNICAL: "number status begun_at result_at",
        },
        WHO_DECIDED,
    ),
    "purchase_grants": Place(
        "who approved or refused a purchase",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "order_id org_id key_id session_id digest command_id",
            CONTACT: "principal",
            FREE_TEXT: "reason",
            TECHNICAL: "granted pool lifts at",
        },
        WHO_DECIDED,
    ),
    "purchase_refunds": Place(
        "refunds of purchases",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "command_id order_id org_id",
            CONTACT: "recorded_by",
            FREE_TEXT: "reference",
            FINANCIAL: "amount_minor",
            TECHNICAL: "at",
        },
        WHO_DECIDED,
    ),
    "budget_emergencies": Place(
        "who declared and confirmed an emergency of a budget, and why",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id control_id declared_key command_id",
            CONTACT: "declared_by confirmed_by ended_by",
            FREE_TEXT: "reason",
            TECHNICAL: "ends_at declared_at begun_at ended_at",
        },
        WHO_DECIDED,
    ),
    "prompt_templates": Place(
        "what an organization has its agents read of their budgets",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "org_id",
            CONTACT: "changed_by",
            FREE_TEXT: "template",
            TECHNICAL: "changed_at",
        },
    ),
}
