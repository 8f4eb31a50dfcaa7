-- Decisions against fraud, their counters, links, rules, cases and models. Tenants see their own cases only.

GRANT SELECT, INSERT, UPDATE (case_id, label, label_at), DELETE ON risk_decisions TO bursar_platform;
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON risk_decisions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE, DELETE ON risk_counters, risk_links, risk_clusters TO bursar_platform;
ALTER TABLE risk_counters SET (fillfactor = 70);

SELECT pg_temp.append_only('risk_rules', 'risk_case_events');
GRANT SELECT, INSERT ON risk_rules, risk_case_events TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (removed_at, removed_by) ON risk_list_items TO bursar_platform;
SELECT pg_temp.refuse_deletes('risk_list_items', 'risk_cases', 'risk_holds', 'risk_models');

GRANT SELECT, INSERT, UPDATE ON risk_cases TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (until, ended_at) ON risk_holds TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (status) ON risk_models TO bursar_platform;
INSERT INTO notification_cursors (name, read_in, read_id) VALUES ('risk-outcomes', 0, '');
