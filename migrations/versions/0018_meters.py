"""Meters, and what they count by day.

Revision ID: 0018_meters
Revises: 0017_tenant_contract
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.scripts import run

revision: str = "0018_meters"
down_revision: str | None = "0017_tenant_contract"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "meters",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("org_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("aggregation", sa.Text(), nullable=False),
        sa.Column("property", sa.Text(), nullable=True),
        sa.Column("dimensions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("price", postgresql.JSONB(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("command_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "aggregation IN ('sum', 'count', 'max', 'unique', 'latest')", name=op.f("ck_meters_aggregation")
        ),
        sa.CheckConstraint("(property IS NULL) = (aggregation = 'count')", name=op.f("ck_meters_property")),
        sa.CheckConstraint("(price IS NULL) = (currency IS NULL)", name=op.f("ck_meters_price")),
        sa.ForeignKeyConstraint(["org_id"], ["organizations.id"], name=op.f("fk_meters_org_id_organizations")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meters")),
        sa.UniqueConstraint("number", name=op.f("uq_meters_number")),
        sa.UniqueConstraint("command_id", name=op.f("uq_meters_command_id")),
    )
    op.create_index(
        "uq_meters_org_id_name",
        "meters",
        ["org_id", "name"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_index("ix_meters_org_id_id", "meters", ["org_id", "id"], unique=False)
    key = ("meter", "org_id", "dimension", "day", "value")
    for table, columns, names in (
        (
            "meter_days",
            (
                sa.Column("events", sa.BigInteger(), nullable=False),
                sa.Column("quantity", sa.Numeric(), nullable=False),
                sa.Column("latest_at", sa.DateTime(timezone=True), nullable=False),
                sa.Column("latest_id", sa.UUID(), nullable=False),
            ),
            key,
        ),
        ("meter_members", (sa.Column("member", sa.UUID(), nullable=False),), (*key, "member")),
    ):
        op.create_table(
            table,
            sa.Column("meter", sa.BigInteger(), nullable=False),
            sa.Column("org_id", sa.Text(), nullable=False),
            sa.Column("dimension", sa.Text(), nullable=False),
            sa.Column("day", sa.Date(), nullable=False),
            sa.Column("value", sa.Text(), nullable=False),
            *columns,
            sa.PrimaryKeyConstraint(*names, name=op.f(f"pk_{table}")),
        )
    run("repositories/sql/meters.sql")


def downgrade() -> None:
    for table in ("meter_members", "meter_days", "meters"):
        op.drop_table(table)
