-- Row-level security and grants of what pays for calls of a spend log. Running it again replaces everything.

SELECT pg_temp.row_security('usage_paid_calls');
SELECT pg_temp.append_only('usage_paid_calls');
GRANT SELECT, INSERT ON usage_paid_calls TO bursar_platform;
