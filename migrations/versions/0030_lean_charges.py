"""Charges in fewer statements: the plain ones count their day themselves, and a trigger counts what is left.

Revision ID: 0030_lean_charges
Revises: 0029_revenue
"""

from alembic import op

from migrations.scripts import run

revision: str = "0030_lean_charges"
down_revision: str | None = "0029_revenue"
branch_labels: str | None = None
depends_on: str | None = None

#: As it was, but for what the functions, which stay, count themselves.
_FUNCTION = """
CREATE FUNCTION ledger.count_spends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger.credit_days AS d (org_id, day, used, spends)
    SELECT n.org_id, (n.at AT TIME ZONE 'UTC')::date, sum(n.captured), count(*)
    FROM written n WHERE n.id IS DISTINCT FROM n.transfer_id GROUP BY 1, 2
    ON CONFLICT (org_id, day) DO UPDATE SET used = d.used + excluded.used, spends = d.spends + excluded.spends;
    RETURN NULL;
END
$$
"""
_TRIGGER = """
CREATE TRIGGER count_spends AFTER INSERT ON ledger.spends
REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ledger.count_spends()
"""


def upgrade() -> None:
    # A charge that began before this and goes on after it gives its spend another id than its transfer, so the new
    # trigger counts it.
    op.execute("DROP TRIGGER IF EXISTS count_spends ON ledger.spends")
    op.execute("DROP FUNCTION IF EXISTS ledger.count_spends()")
    # The same in fewer words: every statement that writes the row reads them again.
    _replace_check("least(used, refunded, expired, spends) >= 0")
    for name in ("credit_days", "spend_batch", "spend_quick"):
        run(f"ledger/sql/{name}.sql")


def _replace_check(condition: str) -> None:
    name = op.f("ck_credit_days_counted")
    op.drop_constraint(name, "credit_days", schema="ledger")
    op.create_check_constraint(name, "credit_days", condition, schema="ledger")


def downgrade() -> None:
    _replace_check("used >= 0 AND refunded >= 0 AND expired >= 0 AND spends >= 0")
    op.execute("DROP TRIGGER count_spend ON ledger.spends")
    op.execute("DROP FUNCTION ledger.count_spend()")
    op.execute(_FUNCTION)
    op.execute(_TRIGGER)
