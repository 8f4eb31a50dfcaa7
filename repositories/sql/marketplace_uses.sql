-- Row-level security and grants of agents that are priced by usage. Running it again replaces everything. Every tenant reads
-- what it has used; the platform's role writes.

SELECT pg_temp.row_security('marketplace_uses');
SELECT pg_temp.tenant_reads_own('marketplace_uses');
SELECT pg_temp.refuse_deletes('marketplace_uses');
GRANT SELECT, INSERT ON marketplace_uses TO bursar_platform;

GRANT UPDATE (taken_minor, refunded_at, refunded_by) ON marketplace_uses TO bursar_platform;
GRANT UPDATE (usage_prices) ON marketplace_offers, marketplace_purchases TO bursar_platform;
