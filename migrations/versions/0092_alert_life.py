"""One life for all alerts: severity, status, snooze and resolution, and when they were told.

Revision ID: 0092_alert_life
Revises: 0091_events_by_type
"""

import sqlalchemy as sa
from alembic import op

from migrations.scripts import run

revision: str = "0092_alert_life"
down_revision: str | None = "0091_events_by_type"
branch_labels: str | None = None
depends_on: str | None = None

_STATUS = (
    "CASE WHEN resolved_at IS NOT NULL THEN 'resolved' "
    "WHEN acknowledged_at IS NOT NULL OR (org_acknowledged_at IS NOT NULL AND NOT for_operators) THEN 'acknowledged' "
    "ELSE 'firing' END"
)
_TIMES = ("snoozed_until", "org_snoozed_until", "resolved_at", "told_at")
_TEXTS = ("resolved_by", "rule_id", "window")
_INDEXES = {
    "ix_alerts_unresolved": (["id"], "resolved_at IS NULL"),
    "ix_alerts_untold": (["id"], "told_at IS NULL"),
    "ix_alerts_org_id_unresolved": (["org_id", "id"], "resolved_at IS NULL"),
}

#: What a closing wrote until now: that somebody had seen the alert. Those of a case that is over are resolved.
_RESOLVE = """
UPDATE alerts a SET resolved_at = acknowledged_at, resolved_by = acknowledged_by
WHERE acknowledged_at IS NOT NULL AND (
    acknowledged_by IN ('books', 'reconciliation')
    OR kind = 'approval.requested' AND EXISTS (
        SELECT FROM approvals p WHERE p.id = a.subject AND p.status NOT IN ('requested', 'approved'))
    OR kind = 'reconciliation.difference' AND EXISTS (
        SELECT FROM reconciliation_differences d WHERE d.id = a.subject AND d.status = 'resolved'))
"""
#: A seller's debt was about the payment of its buyer.
_SELLERS = """
UPDATE alerts a SET subject = p.id, detail = replace(detail, a.subject, p.id)
FROM marketplace_purchases p
WHERE a.kind = 'payment.debt' AND right(a.key, 7) = 'creator' AND p.payment_id = a.subject
"""


def upgrade() -> None:
    op.add_column("alerts", sa.Column("severity", sa.Text(), server_default="warning", nullable=False))
    for name in _TIMES:
        op.add_column("alerts", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    for name in _TEXTS:
        op.add_column("alerts", sa.Column(name, sa.Text(), nullable=True))
    op.execute(_RESOLVE)
    op.execute(_SELLERS)
    # Nobody is told today of what happened before there was anybody to tell it.
    op.execute("UPDATE alerts SET told_at = created_at")
    op.add_column("alerts", sa.Column("status", sa.Text(), sa.Computed(_STATUS, persisted=True), nullable=False))
    op.create_check_constraint(op.f("ck_alerts_severity"), "alerts", "severity IN ('info', 'warning', 'critical')")
    op.create_check_constraint(
        op.f("ck_alerts_resolved"),
        "alerts",
        "(resolved_at IS NULL) = (resolved_by IS NULL) "
        "AND (resolved_at IS NULL OR num_nonnulls(acknowledged_at, org_acknowledged_at) > 0)",
    )
    for name, (columns, where) in _INDEXES.items():
        op.create_index(name, "alerts", columns, postgresql_where=sa.text(where))
    run("repositories/sql/alerts.sql")
    run("repositories/sql/event_facts.sql")


def downgrade() -> None:
    for trigger in ("tell_resolved", "tell_snoozed", "guard_resolution"):
        op.execute(f"DROP TRIGGER {trigger} ON alerts")
    op.execute("DROP FUNCTION guard_resolution()")
    op.drop_column("alerts", "status")
    for name in reversed(_INDEXES):
        op.drop_index(name, "alerts")
    for constraint in ("resolved", "severity"):
        op.drop_constraint(op.f(f"ck_alerts_{constraint}"), "alerts")
    for name in (*_TEXTS, *_TIMES, "severity"):
        op.drop_column("alerts", name)
