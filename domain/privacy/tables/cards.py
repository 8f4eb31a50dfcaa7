"""The data map of the tables of cards. No number of a card is in any of them."""

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
    "cardholders": Place(
        "organizations as holders of cards at the issuer",
        WITH_THE_ORGANIZATION,
        {IDENTIFIER: "org_id ref", TECHNICAL: "created_at"},
    ),
    "cards": Place(
        "cards that agents pay with, without their numbers",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id agent_id order_id ref last4 command_id",
            CONTACT: "created_by",
            FREE_TEXT: "name",
            FINANCIAL: "currency per_authorization_minor per_month_minor",
            TECHNICAL: "categories status brand expires_year expires_month created_at",
        },
        WHO_DECIDED,
    ),
    "card_authorizations": Place(
        "what merchants have asked of cards, and the answers",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id card_id ref",
            FINANCIAL: "amount_minor currency merchant requests",
            TECHNICAL: "status created_at",
        },
    ),
    "card_spends": Place(
        "the credits that pay for cards",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "spend_id org_id card_id authorization_id",
            FINANCIAL: "amount_minor credits captured_minor captured_credits refunded_minor",
            TECHNICAL: "is_forced",
        },
    ),
    "card_transactions": Place(
        "what merchants have taken and given back",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "ref org_id card_id authorization_id dispute_ref",
            FINANCIAL: "kind amount_minor beyond_minor currency merchant returned_minor",
            TECHNICAL: "is_booked dispute_status occurred_at",
        },
    ),
}
