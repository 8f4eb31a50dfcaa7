-- Row-level security and grants of the presence of the API. Web processes write it, workers read it.

SELECT pg_temp.row_security('api_presence');
GRANT SELECT, INSERT, UPDATE ON api_presence TO bursar_platform;
