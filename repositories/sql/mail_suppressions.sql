-- Row-level security and grants of suppressed addresses. Running it again replaces everything. They are the platform's
-- alone: an address belongs to no organization.

SELECT pg_temp.row_security('mail_suppressions');
SELECT pg_temp.refuse_deletes('mail_suppressions');
GRANT SELECT, INSERT, UPDATE (lifted_at, lifted_by) ON mail_suppressions TO bursar_platform;
