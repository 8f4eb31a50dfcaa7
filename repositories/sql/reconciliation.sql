-- Row-level security, grants and immutability of reconciliation's tables. Run by migration 0006; running it again
-- replaces everything. Tenants have no part in them.

SELECT pg_temp.row_security(
    'reconciliation_runs', 'reconciliation_lines', 'reconciliation_differences', 'reconciliation_corrections'
);
SELECT pg_temp.append_only('reconciliation_corrections');

GRANT SELECT, INSERT, UPDATE ON reconciliation_runs, reconciliation_differences TO bursar_platform;
GRANT SELECT, INSERT, DELETE ON reconciliation_lines TO bursar_platform;
GRANT SELECT, INSERT ON reconciliation_corrections TO bursar_platform;
