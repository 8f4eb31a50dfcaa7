-- Row-level security and grants of the contents of commands to payments. Run by migration 0024; running it again
-- replaces everything. Tenants have no access.

ALTER TABLE payment_command_contents ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS platform ON payment_command_contents;
CREATE POLICY platform ON payment_command_contents TO bursar_platform USING (true) WITH CHECK (true);

REVOKE ALL ON payment_command_contents FROM bursar_api, bursar_platform;
GRANT SELECT, INSERT, DELETE ON payment_command_contents TO bursar_platform;
