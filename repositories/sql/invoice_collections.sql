-- Row-level security and grants of what is collected of invoices. Running it again replaces everything. A tenant reads its
-- own; they are written by the platform's role.
SELECT pg_temp.row_security('invoice_collections', 'invoice_collection_events');
SELECT pg_temp.tenant_reads_own('invoice_collections');
SELECT pg_temp.refuse_deletes('invoice_collections', 'invoice_collection_events');
CREATE POLICY tenant_reads ON invoice_collection_events FOR SELECT TO bursar_api USING (
    EXISTS (SELECT FROM invoice_collections c WHERE c.invoice_id = invoice_collection_events.invoice_id)
);
GRANT SELECT ON invoice_collection_events TO bursar_api;
GRANT SELECT, INSERT ON invoice_collections, invoice_collection_events TO bursar_platform;
GRANT UPDATE (method, status, version, wake_at, state, updated_at) ON invoice_collections TO bursar_platform;
