-- Rates that held before the one of now. Row-level security and grants; running it again replaces everything.

SELECT pg_temp.row_security('reputation_rates');
SELECT pg_temp.append_only('reputation_rates');
GRANT SELECT, INSERT ON reputation_rates TO bursar_platform;
