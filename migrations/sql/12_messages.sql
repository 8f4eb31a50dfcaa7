-- Events, webhooks, alerts, notifications and mails.


SELECT pg_temp.row_security('events');
SELECT pg_temp.tenant_reads_own('events');
-- What a tenant does it tells itself of; what others may know of it, the platform's role writes.
CREATE POLICY tenant_writes ON events FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());
SELECT pg_temp.append_only('events');
GRANT INSERT ON events TO bursar_api;
GRANT SELECT, INSERT ON events TO bursar_platform;

SELECT pg_temp.row_security('webhook_endpoints');
SELECT pg_temp.tenant_reads_own('webhook_endpoints');
SELECT pg_temp.refuse_deletes('webhook_endpoints');
GRANT SELECT, INSERT, UPDATE ON webhook_endpoints TO bursar_platform;

SELECT pg_temp.row_security('webhook_endpoint_events');
SELECT pg_temp.append_only('webhook_endpoint_events');
GRANT SELECT, INSERT ON webhook_endpoint_events TO bursar_platform;

SELECT pg_temp.row_security('webhook_deliveries');
SELECT pg_temp.tenant_reads_own('webhook_deliveries');
SELECT pg_temp.refuse_deletes('webhook_deliveries');
GRANT SELECT, INSERT, UPDATE ON webhook_deliveries TO bursar_platform;

SELECT pg_temp.row_security('alerts');
CREATE POLICY tenant_acknowledges ON alerts FOR UPDATE TO bursar_api
    USING (org_id = bursar_org() AND shared) WITH CHECK (org_id = bursar_org() AND shared);
CREATE POLICY tenant_reads ON alerts FOR SELECT TO bursar_api USING (org_id = bursar_org() AND shared);
GRANT SELECT, UPDATE (org_acknowledged_at, org_acknowledged_by, org_snoozed_until, resolved_at, resolved_by)
    ON alerts TO bursar_api;
GRANT SELECT, INSERT, UPDATE (detail, acknowledged_at, acknowledged_by, snoozed_until, resolved_at, told_at, resolved_by)
    ON alerts TO bursar_platform;

SELECT pg_temp.row_security('alert_rules');
SELECT pg_temp.tenant_reads_own('alert_rules');
SELECT pg_temp.refuse_deletes('alert_rules');
GRANT SELECT, INSERT, UPDATE ON alert_rules TO bursar_platform;

SELECT pg_temp.row_security('alert_rule_standings');
GRANT SELECT, INSERT, UPDATE, DELETE ON alert_rule_standings TO bursar_platform;

SELECT pg_temp.row_security('alert_rule_hours');
GRANT SELECT, INSERT, UPDATE, DELETE ON alert_rule_hours TO bursar_platform;

-- The principal that the policies below ask for is from here.
\ir ../../repositories/sql/messages/notifications.sql

SELECT pg_temp.row_security('notification_channels');
CREATE POLICY tenant_reads ON notification_channels FOR SELECT TO bursar_api
    USING (org_id = bursar_org() AND principal = bursar_principal());
SELECT pg_temp.refuse_deletes('notification_channels');
GRANT SELECT ON notification_channels TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON notification_channels TO bursar_platform;

SELECT pg_temp.row_security('notification_preferences');
CREATE POLICY tenant_reads ON notification_preferences FOR SELECT TO bursar_api
    USING (org_id = bursar_org() AND principal = bursar_principal());
GRANT SELECT ON notification_preferences TO bursar_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON notification_preferences TO bursar_platform;

SELECT pg_temp.row_security('notifications');
CREATE POLICY tenant_reads ON notifications FOR SELECT TO bursar_api
    USING (org_id = bursar_org() AND principal = bursar_principal() AND channel = 'inbox' AND hidden_at IS NULL);
SELECT pg_temp.refuse_deletes('notifications');
GRANT SELECT ON notifications TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON notifications TO bursar_platform;

SELECT pg_temp.row_security('notification_cursors');
SELECT pg_temp.refuse_deletes('notification_cursors');
GRANT SELECT, INSERT, UPDATE ON notification_cursors TO bursar_platform;
INSERT INTO notification_cursors (name, read_in, read_id) VALUES ('outbox', 0, '');

SELECT pg_temp.row_security('notification_defaults');
CREATE POLICY tenant_reads ON notification_defaults FOR SELECT TO bursar_api USING (true);
GRANT SELECT ON notification_defaults TO bursar_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON notification_defaults TO bursar_platform;

SELECT pg_temp.row_security('mails');
CREATE POLICY tenant ON mails TO bursar_api USING (org_id = bursar_org()) WITH CHECK (org_id = bursar_org());
SELECT pg_temp.refuse_deletes('mails');
GRANT INSERT (id, key, org_id, kind, data, language, recipients) ON mails TO bursar_api;
GRANT SELECT, INSERT (id, key, org_id, kind, data, language, recipients), UPDATE (language, recipients, reached, status,
    attempts, problem, next_attempt_at, sent_at) ON mails TO bursar_platform;

SELECT pg_temp.row_security('mail_suppressions');
SELECT pg_temp.refuse_deletes('mail_suppressions');
GRANT SELECT, INSERT, UPDATE (lifted_at, lifted_by) ON mail_suppressions TO bursar_platform;

SELECT pg_temp.row_security('slack_turns');
GRANT SELECT, INSERT, UPDATE ON slack_turns TO bursar_platform;

\ir ../../repositories/sql/messages/alerts.sql
\ir ../../repositories/sql/messages/events.sql
\ir ../../repositories/sql/billing/number_gaps.sql
\ir ../../repositories/sql/messages/event_facts.sql
