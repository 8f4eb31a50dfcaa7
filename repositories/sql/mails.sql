-- Row-level security and grants of mails and contacts. Running it again replaces everything. A tenant sets its own
-- contacts and queues mails to itself; what is queued is read and sent by the platform alone.

SELECT pg_temp.row_security('mails', 'organization_contacts');
SELECT pg_temp.refuse_deletes('mails', 'organization_contacts');
CREATE POLICY tenant ON mails TO bursar_api USING (org_id = bursar_org()) WITH CHECK (org_id = bursar_org());
CREATE POLICY tenant ON organization_contacts TO bursar_api
    USING (org_id = bursar_org()) WITH CHECK (org_id = bursar_org());

GRANT SELECT, INSERT, UPDATE (language, contacts, updated_by, updated_at) ON organization_contacts
    TO bursar_api, bursar_platform;
GRANT INSERT (id, key, org_id, kind, data, language, recipients) ON mails TO bursar_api, bursar_platform;
GRANT SELECT, UPDATE (language, recipients, reached, status, attempts, problem, next_attempt_at, sent_at) ON mails
    TO bursar_platform;
