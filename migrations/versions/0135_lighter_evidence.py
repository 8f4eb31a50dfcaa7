"""Evidence that is planned once: bands in fewer words, and statements by keys that keep their plans.

Revision ID: 0135_lighter_evidence
Revises: 0134_cheaper_postings
"""

from alembic import op

revision: str = "0135_lighter_evidence"
down_revision: str | None = "0134_cheaper_postings"
branch_labels: str | None = None
depends_on: str | None = None

_TAKE = "ALTER FUNCTION reputation_take(jsonb, jsonb)"
_DAYS = {"reputation_scores": "through", "reputation_agents": "coalesce(night_on, latest_on)"}
_BAND = (
    "(width_bucket({day} - latest_on, '{{8,31,91}}'::integer[]) * 4"
    " + width_bucket(nullif(evidence_count, 0), '{{5,20,100}}'::bigint[]))::smallint"
)
_BEFORE = (
    "(CASE WHEN evidence_count > 0 THEN"
    " CASE WHEN {day} - latest_on <= 7 THEN 0 WHEN {day} - latest_on <= 30 THEN 4"
    " WHEN {day} - latest_on <= 90 THEN 8 ELSE 12 END"
    " + CASE WHEN evidence_count < 5 THEN 0 WHEN evidence_count < 20 THEN 1 WHEN evidence_count < 100 THEN 2 ELSE 3 END"
    " END)::smallint"
)


def upgrade() -> None:
    _band(_BAND)
    op.execute(f"{_TAKE} SET plan_cache_mode = force_generic_plan")


def downgrade() -> None:
    _band(_BEFORE)
    op.execute(f"{_TAKE} RESET plan_cache_mode")


def _band(expression: str) -> None:
    for table, day in _DAYS.items():
        op.execute(f"ALTER TABLE {table} ALTER COLUMN band SET EXPRESSION AS ({expression.format(day=day)})")
