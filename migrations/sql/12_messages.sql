-- Events, webhooks, alerts, notifications and mails.

-- The principal that the policies below ask for is from here.
\ir ../../repositories/sql/messages/notifications.sql

-- What a tenant does it tells itself of; what others may know of it, the platform's role writes.
CREATE POLICY tenant_writes ON events FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());

CREATE POLICY tenant_acknowledges ON alerts FOR UPDATE TO bursar_api
    USING (org_id = bursar_org() AND shared) WITH CHECK (org_id = bursar_org() AND shared);
CREATE POLICY tenant_reads ON alerts FOR SELECT TO bursar_api USING (org_id = bursar_org() AND shared);
GRANT SELECT, UPDATE (org_acknowledged_at, org_acknowledged_by, org_snoozed_until, resolved_at, resolved_by)
    ON alerts TO bursar_api;
GRANT SELECT, INSERT, UPDATE (detail, acknowledged_at, acknowledged_by, snoozed_until, resolved_at, notified_at, resolved_by)
    ON alerts TO bursar_platform;
CREATE POLICY tenant_reads ON notification_channels FOR SELECT TO bursar_api
    USING (org_id = bursar_org() AND principal = bursar_principal());
CREATE POLICY tenant_reads ON notification_preferences FOR SELECT TO bursar_api
    USING (org_id = bursar_org() AND principal = bursar_principal());
CREATE POLICY tenant_reads ON notifications FOR SELECT TO bursar_api
    USING (org_id = bursar_org() AND principal = bursar_principal() AND channel = 'inbox' AND hidden_at IS NULL);
INSERT INTO notification_cursors (name, read_in, read_id) VALUES ('outbox', 0, '');
CREATE POLICY tenant_reads ON notification_defaults FOR SELECT TO bursar_api USING (true);
CREATE POLICY tenant ON mails TO bursar_api USING (org_id = bursar_org()) WITH CHECK (org_id = bursar_org());
GRANT INSERT (id, key, org_id, kind, data, language, recipients) ON mails TO bursar_api;
GRANT SELECT, INSERT (id, key, org_id, kind, data, language, recipients), UPDATE (language, recipients, reached, status,
    attempts, problem, next_attempt_at, sent_at) ON mails TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (lifted_at, lifted_by) ON mail_suppressions TO bursar_platform;

SELECT pg_temp.tenant_reads_own('events', 'webhook_endpoints', 'webhook_deliveries', 'alert_rules');
SELECT pg_temp.refuse_deletes('webhook_endpoints', 'webhook_deliveries', 'alert_rules', 'notification_channels',
    'notifications', 'notification_cursors', 'mails', 'mail_suppressions');
SELECT pg_temp.append_only('events', 'webhook_endpoint_events');
GRANT INSERT ON events TO bursar_api;
GRANT SELECT, INSERT ON events, webhook_endpoint_events TO bursar_platform;
GRANT SELECT, INSERT, UPDATE ON webhook_endpoints, webhook_deliveries, alert_rules, notification_channels,
    notifications, notification_cursors, slack_turns TO bursar_platform;
GRANT SELECT, INSERT, UPDATE, DELETE ON alert_rule_standings, alert_rule_hours, notification_preferences,
    notification_defaults TO bursar_platform;
GRANT SELECT ON notification_channels, notification_preferences, notifications, notification_defaults TO bursar_api;

\ir ../../repositories/sql/messages/alerts.sql
\ir ../../repositories/sql/messages/events.sql
\ir ../../repositories/sql/messages/event_facts.sql
