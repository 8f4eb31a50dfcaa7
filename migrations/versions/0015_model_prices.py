"""Prices of LLM models, with their history.

Revision ID: 0015_model_prices
Revises: 0014_lots
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0015_model_prices"
down_revision: str | None = "0014_lots"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "model_price_imports",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("prices", sa.BigInteger(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_model_price_imports")),
    )
    op.create_table(
        "model_prices",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("prices", postgresql.JSONB(), nullable=False),
        sa.Column("import_number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "jsonb_typeof(prices -> 'tiers' -> 'standard') = 'array'", name=op.f("ck_model_prices_prices")
        ),
        sa.ForeignKeyConstraint(
            ["import_number"],
            ["model_price_imports.number"],
            name=op.f("fk_model_prices_import_number_model_price_imports"),
        ),
        sa.PrimaryKeyConstraint("model", "valid_from", name=op.f("pk_model_prices")),
    )
    op.create_index("ix_model_prices_import_number", "model_prices", ["import_number"], unique=False)
    run("repositories/sql/model_prices.sql")


def downgrade() -> None:
    for table in ("model_prices", "model_price_imports"):
        op.drop_table(table)
