-- Row-level security and grants of the sources that usage is pulled from. Running it again replaces everything. Only the
-- worker reads and writes them.

SELECT pg_temp.row_security('usage_sources');
GRANT SELECT, INSERT, UPDATE (reached) ON usage_sources TO bursar_platform;
