"""The data map of the tables of budgets and purchase orders."""

from collections.abc import Mapping

from domain.privacy.places import FINANCIAL, FREE_TEXT, IDENTIFIER, TECHNICAL, WITH_THE_BOOKS, Place

TABLES: Mapping[str, Place] = {
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
