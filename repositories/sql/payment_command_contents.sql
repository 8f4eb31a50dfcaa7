-- Row-level security and grants of the contents of commands to payments. Run by migration 0024; running it again
-- replaces everything. Tenants have no access.

SELECT pg_temp.row_security('payment_command_contents');
GRANT SELECT, INSERT, DELETE ON payment_command_contents TO bursar_platform;
