"""The data map of the tables of what agents are sold for, and what their creators are paid."""

from collections.abc import Mapping

from domain.privacy.places import (
    CONTACT,
    DELETE,
    EVIDENCE,
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
    "marketplace_offers": Place(
        "what agents are sold for",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "agent_id org_id command_id",
            CONTACT: "changed_by",
            FREE_TEXT: "summary words",
            FINANCIAL: "model price_minor currency usage_prices included_uses creator_bps",
            TECHNICAL: "category status version changed_at created_at",
        },
        WHO_DECIDED,
    ),
    "marketplace_purchases": Place(
        "who has bought which agent, and how the price was shared",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: (
                "id org_id agent_id payee_org_id payment_id spend_id transfer_id command_id refund_command_id "
                "renewed_from"
            ),
            CONTACT: "bought_by refunded_by",
            FINANCIAL: (
                "model price_minor currency usage_prices creator_bps creator_minor commission_minor granted_minor "
                "taken_minor included_uses used_minor used_by tax_minor"
            ),
            TECHNICAL: "status bought_at refunded_at anchor_at period ends_at renews_at tries renewed",
        },
        WHO_DECIDED,
    ),
    "marketplace_agreed_uses": Place(
        "who has reserved or reported the use of which agent that is priced by usage, and at what price",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id purchase_id agent_id payee_org_id spend_id",
            FINANCIAL: "quantity unit_minor creator_bps",
            TECHNICAL: "meter tries agreed_at",
        },
    ),
    "marketplace_uses": Place(
        "who has used which agent that is priced by usage, and how the price was shared",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id purchase_id agent_id payee_org_id spend_id transfer_id",
            CONTACT: "refunded_by",
            FINANCIAL: (
                "quantity unit_minor price_minor creator_bps creator_minor commission_minor granted_minor taken_minor"
            ),
            TECHNICAL: "meter used_at refunded_at",
        },
        WHO_DECIDED,
    ),
    "payouts": Place(
        "where a payout stands",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id transfer_ref",
            FREE_TEXT: "state",
            FINANCIAL: "currency amount_minor",
            TECHNICAL: "provider status version wake_at created_at updated_at",
        },
    ),
    "payout_events": Place(
        "who did what to a payout",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "payout_id command_id transfer_id",
            CONTACT: "actor",
            FREE_TEXT: "details",
            TECHNICAL: "number kind status at recorded_at",
        },
        WHO_DECIDED,
    ),
    "payout_schedules": Place(
        "when an organization is paid out without asking",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "org_id last_payout_id",
            CONTACT: "changed_by",
            TECHNICAL: "interval weekly_anchor monthly_anchor next_on last_on last_refusal changed_at",
        },
        {IDENTIFIER: DELETE, CONTACT: EVIDENCE},
    ),
    "referrals": Place(
        "who has brought which organization, and what both were granted for it",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "org_id referrer_org_id payment_id referrer_lot referred_lot",
            FINANCIAL: "referrer_minor referred_minor",
            TECHNICAL: "status reason created_at decided_at taken_back_at next_at",
        },
    ),
    "recoveries": Place(
        "what was lost of a payment and creators answer for",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id payment_id cause org_id",
            FINANCIAL: "asset amount_minor short_minor",
            TECHNICAL: "disputed_at created_at closed_at",
        },
    ),
    "recovery_shares": Place(
        "what a creator gave back of a payment that was lost",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "recovery_id source agent_id org_id transfer_id",
            FINANCIAL: "taken_minor own_minor owed_minor",
            TECHNICAL: "at",
        },
    ),
    "transfer_reversals": Place(
        "what is taken back of a payout at its provider",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id recovery_id source payout_id org_id agent_id reversal_ref transfer_id",
            FINANCIAL: "asset currency amount_minor goods_minor",
            TECHNICAL: "status failure tries next_at created_at updated_at",
        },
    ),
    "creator_accounts": Place(
        "where an organization that earns is paid out",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "org_id ref destination destination_last4",
            CONTACT: "created_by",
            TECHNICAL: (
                "provider country details_submitted transfers_enabled payouts_enabled tax_profile requirements_due "
                "disabled_reason destination_currency destination_changed_at seen_at created_at"
            ),
        },
        {IDENTIFIER: DELETE, CONTACT: EVIDENCE},
    ),
}
