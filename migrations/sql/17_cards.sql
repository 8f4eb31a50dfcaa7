-- Cards, their authorizations and transactions.

SELECT pg_temp.row_security('cardholders');
SELECT pg_temp.append_only('cardholders');
GRANT SELECT, INSERT ON cardholders TO bursar_platform;

SELECT pg_temp.row_security('cards');
SELECT pg_temp.tenant_reads_own('cards');
SELECT pg_temp.refuse_deletes('cards');
GRANT SELECT, INSERT, UPDATE (status, ref, brand, last4, expires_year, expires_month) ON cards TO bursar_platform;

SELECT pg_temp.row_security('card_authorizations');
SELECT pg_temp.tenant_reads_own('card_authorizations');
SELECT pg_temp.refuse_deletes('card_authorizations');
GRANT SELECT, INSERT, UPDATE (status, amount_minor, requests) ON card_authorizations TO bursar_platform;

SELECT pg_temp.row_security('card_spends');
SELECT pg_temp.tenant_reads_own('card_spends');
SELECT pg_temp.refuse_deletes('card_spends');
GRANT SELECT, INSERT, UPDATE (amount_minor, captured_minor, captured_credits, refunded_minor) ON card_spends TO bursar_platform;

SELECT pg_temp.row_security('card_transactions');
SELECT pg_temp.tenant_reads_own('card_transactions');
SELECT pg_temp.refuse_deletes('card_transactions');
GRANT SELECT, INSERT, UPDATE (beyond_minor, is_booked, dispute_ref, dispute_status, returned_minor)
    ON card_transactions TO bursar_platform;
