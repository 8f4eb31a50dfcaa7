-- Row-level security and grants of alert rules. Running it again replaces everything. A tenant reads its own; the platform's
-- role writes them. Where rules stand is the platform's alone.
SELECT pg_temp.row_security('alert_rules', 'alert_rule_standings');
SELECT pg_temp.tenant_reads_own('alert_rules');
SELECT pg_temp.refuse_deletes('alert_rules');
GRANT SELECT, INSERT, UPDATE ON alert_rules TO bursar_platform;
GRANT SELECT, INSERT, UPDATE, DELETE ON alert_rule_standings TO bursar_platform;
