-- Row-level security and grants of the notes of commands to escrows. Run by migration 0010; running it again replaces
-- everything. Tenants have no access: a note names who gives the command, and may move money.

SELECT pg_temp.row_security('escrow_notices');
GRANT SELECT, INSERT, DELETE, UPDATE (noted_at, deadline_at, settled_at) ON escrow_notices TO bursar_platform;
