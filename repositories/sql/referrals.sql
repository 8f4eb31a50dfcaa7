-- Row-level security and grants of referrals. Running it again replaces everything. Both sides read them; the platform's role
-- writes.

SELECT pg_temp.row_security('referrals');
SELECT pg_temp.refuse_deletes('referrals');
GRANT SELECT ON referrals TO bursar_api;
GRANT SELECT, INSERT ON referrals TO bursar_platform;

CREATE POLICY tenant_reads ON referrals FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR referrer_org_id = bursar_org());

GRANT UPDATE (
    status, reason, payment_id, referrer_minor, referred_minor, referrer_lot, referred_lot, decided_at, taken_back_at,
    next_at
) ON referrals TO bursar_platform;
