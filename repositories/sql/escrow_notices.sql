-- Row-level security and grants of the notes of commands to escrows. Run by migration 0010; running it again replaces
-- everything. Tenants have no access: a note names who gives the command, and may move money.

ALTER TABLE escrow_notices ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS platform ON escrow_notices;
CREATE POLICY platform ON escrow_notices TO bursar_platform USING (true) WITH CHECK (true);

REVOKE ALL ON escrow_notices FROM bursar_api, bursar_platform;
GRANT SELECT, INSERT, DELETE, UPDATE (noted_at, deadline_at, settled_at) ON escrow_notices TO bursar_platform;
