-- Row-level security and grants of the defaults of notifications. Operators set them, and everybody is told by them.

SELECT pg_temp.row_security('notification_defaults');
CREATE POLICY tenant_reads ON notification_defaults FOR SELECT TO bursar_api USING (true);
GRANT SELECT ON notification_defaults TO bursar_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON notification_defaults TO bursar_platform;
