-- Row-level security and grants of approvals: the platform's role alone. Running it again replaces everything.
SELECT pg_temp.row_security('approvals');
SELECT pg_temp.refuse_deletes('approvals');
GRANT SELECT, INSERT ON approvals TO bursar_platform;
GRANT UPDATE (status, decided_by, decided_at, used_by, used_at) ON approvals TO bursar_platform;
