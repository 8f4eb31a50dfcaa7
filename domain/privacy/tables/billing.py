"""The data map of the tables of subscriptions, invoices, documents and taxes."""

from collections.abc import Mapping

from domain.privacy.places import (
    BOOKS,
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
    "documents": Place(
        "invoices, receipts, credit notes and statements as they were sent",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id subject number sha256",
            CONTACT: "content pdf xml",
            FINANCIAL: "total_minor",
            TECHNICAL: "kind version created_at",
        },
        {CONTACT: BOOKS},
    ),
    "creator_statements": Place(
        "what creators earned in a month, as it was stated",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id number",
            CONTACT: "content",
            FINANCIAL: "currency total_minor tax_minor",
            TECHNICAL: "month series tax_code issued_at",
        },
        {CONTACT: BOOKS},
    ),
    "creator_corrections": Place(
        "what was taken back of a statement after it was issued",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id statement_id org_id number",
            CONTACT: "content",
            FINANCIAL: "currency total_minor tax_minor",
            TECHNICAL: "month series issued_at",
        },
        {CONTACT: BOOKS},
    ),
    "subscriptions": Place(
        "what an organization pays for its plan, and where that stands",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id provider_ref",
            FINANCIAL: "plan state",
            TECHNICAL: "provider status version wake_at created_at updated_at",
        },
    ),
    "subscription_trials": Place(
        "which organizations have tried a plan, and a digest of the card that it was with",
        WITH_THE_BOOKS,
        {IDENTIFIER: "org_id subscription_id card", TECHNICAL: "began_at"},
    ),
    "subscription_events": Place(
        "who subscribed, changed and cancelled, and what the provider did",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "subscription_id command_id",
            CONTACT: "actor",
            FINANCIAL: "details",
            TECHNICAL: "number kind status at recorded_at",
        },
        WHO_DECIDED,
    ),
    "subscription_bills": Place(
        "what was paid for a subscription, and what of it is revenue",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "bill_ref subscription_id org_id invoice_id payment_id hold_id",
            FINANCIAL: "currency gross_minor amount_minor granted_minor accrued_minor returned_minor credited_minor"
            " for_credits_minor left_out",
            TECHNICAL: "provider period_start period_end accrued_on settled_at",
        },
    ),
    "subscription_grants": Place(
        "the credits that a subscription has granted",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "subscription_id key org_id bill_ref lot_id transfer_id",
            FINANCIAL: "credits_minor paid_minor",
            TECHNICAL: "starts_at ends_at",
        },
    ),
    "billing_runs": Place(
        "which months were invoiced",
        WITH_THE_BOOKS,
        {
            CONTACT: "started_by",
            TECHNICAL: "month ready_at started_at finished_at invoiced empty failed",
        },
        WHO_DECIDED,
    ),
    "billed_periods": Place(
        "that an organization was invoiced for a month",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "org_id invoice_id",
            FINANCIAL: "currency charges_minor usage_minor shortfall_minor total_minor",
            TECHNICAL: "month starts_at ends_at status terms_version failure done_at",
        },
    ),
    "invoice_items": Place(
        "what is charged once with a monthly invoice",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id invoice_id command_id",
            CONTACT: "created_by",
            FREE_TEXT: "description",
            FINANCIAL: "currency quantity unit_minor",
            TECHNICAL: "removed_at created_at",
        },
        {CONTACT: EVIDENCE, FREE_TEXT: BOOKS},
    ),
    "billing_terms": Place(
        "what was agreed with an organization about billing",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "org_id command_id",
            CONTACT: "created_by",
            FREE_TEXT: "reason",
            FINANCIAL: (
                "mode currency commitment_minor commitment_from discounts net_days collection_method plan_prices "
                "unpaid_limit_minor"
            ),
            TECHNICAL: "version starts_at from_month time_zone created_at",
        },
        WHO_DECIDED,
    ),
    "invoices": Place(
        "what an organization is asked to pay",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: (
                "id org_id number transfer_id void_transfer_id write_off_transfer_id command_id finalise_command_id "
                "void_command_id write_off_command_id"
            ),
            CONTACT: "created_by party",
            FREE_TEXT: "lines discounts note",
            FINANCIAL: (
                "currency total_minor subtotal_minor tax_minor paid_minor prepaid_minor prepaid_credits_minor "
                "granted_minor granted_credits_minor taxed_minor taxed_credits_minor rounded_minor credited_minor "
                "written_off_minor taxes"
            ),
            TECHNICAL: (
                "series status includes_tax applies_credits is_proven paused_for issued_at due_at updated_at "
                "discarded_at"
            ),
        },
        {CONTACT: EVIDENCE, FREE_TEXT: BOOKS},
    ),
    "credit_notes": Place(
        "what was taken back of an invoice",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id invoice_id number transfer_id command_id",
            CONTACT: "created_by",
            FREE_TEXT: "reason",
            FINANCIAL: "currency amount_minor net_minor tax_minor prepaid_minor credits_minor rounded_minor parts",
            TECHNICAL: "series issued_at",
        },
        {CONTACT: EVIDENCE, FREE_TEXT: BOOKS},
    ),
    "tax_receipts": Place(
        "the tax documents of credits that are taxed when they are sold",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id org_id payment_id movement number transfer_id",
            CONTACT: "party",
            FINANCIAL: "currency gross_minor net_minor tax_minor",
            TECHNICAL: "series tax_code category rate_e6 issued_at",
        },
        {CONTACT: EVIDENCE},
    ),
    "billing_profiles": Place(
        "whom invoices are made out to, and which tax they are charged",
        WITH_THE_ORGANIZATION,
        {
            IDENTIFIER: "org_id vat_id vat_reference",
            CONTACT: "legal_name line1 line2 city postal_code region country email updated_by",
            FREE_TEXT: "exempt_reason",
            FINANCIAL: "card_country confirmed_country is_exempt charges_vat",
            TECHNICAL: "language legal_entity vat_confirmed_at updated_at",
        },
        {CONTACT: DELETE, FREE_TEXT: DELETE},
    ),
    "tax_rates": Place(
        "what tax is charged where",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "id command_id",
            CONTACT: "created_by",
            TECHNICAL: "code country region product rate_e6 valid_from valid_until created_at",
        },
        WHO_DECIDED,
    ),
    "invoice_payments": Place(
        "what paid an invoice",
        WITH_THE_BOOKS,
        {IDENTIFIER: "invoice_id payment_id org_id", FINANCIAL: "amount_minor", TECHNICAL: "updated_at"},
    ),
    "invoice_collections": Place(
        "how an invoice is charged and dunned",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "invoice_id org_id",
            FREE_TEXT: "state",
            TECHNICAL: "method status version wake_at created_at updated_at",
        },
    ),
    "invoice_collection_events": Place(
        "who did what to collect an invoice",
        WITH_THE_BOOKS,
        {
            IDENTIFIER: "invoice_id command_id",
            CONTACT: "actor",
            FREE_TEXT: "details",
            TECHNICAL: "number kind status at recorded_at",
        },
        WHO_DECIDED,
    ),
    "number_sequences": Place("numbers without gaps", WITH_THE_BOOKS, {TECHNICAL: "name last"}),
    "number_gaps": Place("numbers that a restore passed over", WITH_THE_BOOKS, {TECHNICAL: "name first last made_at"}),
}
