-- Cards, their authorizations and transactions.

GRANT SELECT, INSERT, UPDATE (status, ref, brand, last4, expires_year, expires_month) ON cards TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (status, amount_minor, requests) ON card_authorizations TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (amount_minor, captured_minor, captured_credits, refunded_minor) ON card_spends TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (beyond_minor, is_booked, dispute_ref, dispute_status, returned_minor)
    ON card_transactions TO bursar_platform;

SELECT pg_temp.tenant_reads_own('cards', 'card_authorizations', 'card_spends', 'card_transactions');
SELECT pg_temp.refuse_deletes('cards', 'card_authorizations', 'card_spends', 'card_transactions');
SELECT pg_temp.append_only('cardholders');
GRANT SELECT, INSERT ON cardholders TO bursar_platform;
