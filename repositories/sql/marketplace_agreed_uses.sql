-- Row-level security and grants of uses that are agreed before they are paid. Running it again replaces everything. A tenant
-- reads its own; the platform's role writes them, and changes nothing of what was agreed.

SELECT pg_temp.row_security('marketplace_agreed_uses');
SELECT pg_temp.tenant_reads_own('marketplace_agreed_uses');
SELECT pg_temp.refuse_deletes('marketplace_agreed_uses');
GRANT SELECT, INSERT ON marketplace_agreed_uses TO bursar_platform;

GRANT UPDATE (tries) ON marketplace_agreed_uses TO bursar_platform;
