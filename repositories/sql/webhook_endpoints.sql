-- Row-level security and grants of webhook endpoints. Running it again replaces everything. A tenant reads its own;
-- the platform's role writes them.
SELECT pg_temp.row_security('webhook_endpoints', 'webhook_endpoint_events', 'webhook_deliveries');
SELECT pg_temp.tenant_reads_own('webhook_endpoints', 'webhook_deliveries');
SELECT pg_temp.refuse_deletes('webhook_endpoints', 'webhook_deliveries');
SELECT pg_temp.append_only('webhook_endpoint_events');
GRANT SELECT, INSERT, UPDATE ON webhook_endpoints, webhook_deliveries TO bursar_platform;
GRANT SELECT, INSERT ON webhook_endpoint_events TO bursar_platform;
