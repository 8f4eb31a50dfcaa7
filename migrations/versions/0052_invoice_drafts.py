"""Drafts of invoices, their taxes and credits, credit notes, billing profiles and tax rates.

Revision ID: 0052_invoice_drafts
Revises: 0051_charges_together
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0052_invoice_drafts"
down_revision: str | None = "0051_charges_together"
branch_labels: str | None = None
depends_on: str | None = None

_AMOUNTS = (
    "subtotal_minor",
    "tax_minor",
    "prepaid_minor",
    "prepaid_credits_minor",
    "granted_minor",
    "granted_credits_minor",
    "credited_minor",
    "written_off_minor",
)
_SETTLED = "paid_minor + prepaid_minor + credited_minor + written_off_minor"


def upgrade() -> None:
    for name in _AMOUNTS:
        op.add_column("invoices", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    for name in ("discounts", "taxes"):
        column = sa.Column(name, postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False)
        op.add_column("invoices", column)
    op.add_column("invoices", sa.Column("series", sa.Text(), server_default="invoice", nullable=False))
    op.add_column("invoices", sa.Column("party", postgresql.JSONB(), nullable=True))
    for name, default in (("includes_tax", sa.false()), ("applies_credits", sa.false()), ("is_proven", sa.true())):
        op.add_column("invoices", sa.Column(name, sa.Boolean(), server_default=default, nullable=False))
    for name in ("paused_for", "finalise_command_id", "write_off_command_id"):
        op.add_column("invoices", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("invoices", sa.Column("write_off_transfer_id", sa.UUID(), nullable=True))
    for name in ("finalise_command_id", "write_off_command_id", "write_off_transfer_id"):
        op.create_unique_constraint(op.f(f"uq_invoices_{name}"), "invoices", [name])
    op.alter_column("invoices", "number", nullable=True)
    op.alter_column("invoices", "transfer_id", nullable=True)
    for name in ("amounts", "status"):
        op.drop_constraint(op.f(f"ck_invoices_{name}"), "invoices")
    op.execute("UPDATE invoices SET subtotal_minor = total_minor, finalise_command_id = command_id")
    op.create_check_constraint(
        op.f("ck_invoices_amounts"),
        "invoices",
        "least(paid_minor, subtotal_minor, tax_minor, prepaid_minor, granted_minor, credited_minor, written_off_minor,"
        " prepaid_credits_minor, granted_credits_minor) >= 0 AND total_minor = subtotal_minor + tax_minor"
        f" AND {_SETTLED} <= total_minor",
    )
    op.create_check_constraint(
        op.f("ck_invoices_status"),
        "invoices",
        "CASE status WHEN 'draft' THEN num_nonnulls(number, transfer_id, finalise_command_id) = 0"
        " WHEN 'void' THEN paid_minor = 0 AND finalise_command_id IS NOT NULL"
        " ELSE finalise_command_id IS NOT NULL AND CASE status"
        f" WHEN 'open' THEN {_SETTLED} < total_minor WHEN 'paid' THEN {_SETTLED} = total_minor"
        f" WHEN 'uncollectible' THEN {_SETTLED} = total_minor AND written_off_minor > 0 ELSE false END END",
    )
    op.create_check_constraint(
        op.f("ck_invoices_paused_for"),
        "invoices",
        "paused_for IS NULL OR paused_for IN ('refund', 'chargeback') AND status = 'open'",
    )
    op.create_index(
        "ix_invoices_unnumbered",
        "invoices",
        ["series", "issued_at", "id"],
        postgresql_where=sa.text("number IS NULL AND status <> 'draft'"),
    )
    _create_credit_notes()
    _create_profiles()
    run("repositories/sql/billing.sql")


def _create_credit_notes() -> None:
    op.create_table(
        "credit_notes",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "org_id", "invoice_id", "number", "series")),
        sa.Column("currency", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("amount_minor", "net_minor", "tax_minor", "prepaid_minor", "credits_minor")
        ),
        sa.Column("parts", postgresql.JSONB(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("transfer_id", sa.UUID(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "amount_minor > 0 AND amount_minor = net_minor + tax_minor"
            " AND least(net_minor, tax_minor, prepaid_minor, credits_minor) >= 0 AND prepaid_minor <= amount_minor",
            name=op.f("ck_credit_notes_amounts"),
        ),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_credit_notes_org_id_organizations")),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_credit_notes_invoice_id_invoices")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_notes")),
        *(
            sa.UniqueConstraint(name, name=op.f(f"uq_credit_notes_{name}"))
            for name in ("number", "transfer_id", "command_id")
        ),
    )
    op.create_index("ix_credit_notes_invoice_id_id", "credit_notes", ["invoice_id", "id"])
    op.create_index("ix_credit_notes_org_id_id", "credit_notes", ["org_id", "id"])


def _create_profiles() -> None:
    op.create_table(
        "billing_profiles",
        sa.Column("org_id", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=True)
            for name in (
                *("legal_name", "line1", "line2", "city", "postal_code", "region", "country", "email", "language"),
                *("currency", "time_zone", "vat_id", "vat_reference"),
            )
        ),
        sa.Column("vat_confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("card_country", sa.Text(), nullable=True),
        sa.Column("confirmed_country", sa.Text(), nullable=True),
        sa.Column("is_exempt", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("exempt_reason", sa.Text(), nullable=True),
        sa.Column("net_terms_days", sa.BigInteger(), nullable=True),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("num_nonnulls(vat_reference, vat_confirmed_at) <> 1", name=op.f("ck_billing_profiles_vat")),
        sa.CheckConstraint(
            "NOT is_exempt OR exempt_reason IS NOT NULL", name=op.f("ck_billing_profiles_exempt")
        ),
        sa.CheckConstraint(
            "net_terms_days BETWEEN 0 AND 365", name=op.f("ck_billing_profiles_net_terms_days")
        ),
        sa.ForeignKeyConstraint(
            ["org_id"], ["organizations.id"], name=op.f("fk_billing_profiles_org_id_organizations")
        ),
        sa.PrimaryKeyConstraint("org_id", name=op.f("pk_billing_profiles")),
    )
    op.create_table(
        "tax_rates",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "code", "country", "region", "product")),
        sa.Column("rate_e6", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "rate_e6 BETWEEN 0 AND 1000000 AND valid_until > valid_from", name=op.f("ck_tax_rates_rate")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tax_rates")),
        sa.UniqueConstraint("country", "region", "product", "valid_from", name="uq_tax_rates_place_valid_from"),
        sa.UniqueConstraint("command_id", name=op.f("uq_tax_rates_command_id")),
    )


def downgrade() -> None:
    op.execute("DROP FUNCTION invoice_edit, invoice_finalise, invoice_number, invoice_number_page, invoice_account")
    for table in ("credit_notes", "billing_profiles", "tax_rates"):
        op.drop_table(table)
    op.drop_index("ix_invoices_unnumbered", "invoices")
    for name in ("amounts", "status", "paused_for"):
        op.drop_constraint(op.f(f"ck_invoices_{name}"), "invoices")
    op.create_check_constraint(
        op.f("ck_invoices_amounts"), "invoices", "total_minor > 0 AND paid_minor BETWEEN 0 AND total_minor"
    )
    op.create_check_constraint(
        op.f("ck_invoices_status"),
        "invoices",
        "CASE status WHEN 'open' THEN paid_minor < total_minor WHEN 'paid' THEN paid_minor = total_minor"
        " WHEN 'void' THEN paid_minor = 0 ELSE false END",
    )
    for name in ("number", "transfer_id"):
        op.alter_column("invoices", name, nullable=False)
    for name in (
        *_AMOUNTS,
        *("discounts", "taxes", "series", "party", "includes_tax", "applies_credits", "is_proven", "paused_for"),
        *("finalise_command_id", "write_off_command_id", "write_off_transfer_id"),
    ):
        op.drop_column("invoices", name)
