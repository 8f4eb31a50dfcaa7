-- Agents, their prices, offers, sales and referrals.

CREATE POLICY tenant_reads ON agents FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR (visibility = 'public' AND (bursar_org() IS NOT NULL)));
CREATE POLICY tenant_writes ON agents FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());
GRANT SELECT, INSERT, UPDATE (name, visibility, pricing_model, price_minor, price_currency, terms, department_id,
    project_id, category, version, description, retired_at, retired_by, accepts_granted, picture_sha256,
    samples) ON agents TO bursar_platform;
GRANT SELECT, UPDATE (version) ON pricing_book TO bursar_platform;
INSERT INTO pricing_book (id, version) VALUES (1, 2);

-- A discount for trusted clients, which operators can end.
INSERT INTO pricing_rules (id, name, type, priority, stacking, terms, version, book_version, created_by, command_id)
    VALUES ('prl_00000000000000000000000001', 'trusted_client', 'reputation', 9000, 'multiply',
        '{"whose": "client", "multiplier_bps": 8000, "from_e4": 70000, "full_e4": 90000, "least_evidence": 10}',
        1, 2, 'bursar', 'default:trusted_client');

CREATE POLICY tenant ON pricing_agents TO bursar_api USING (org_id = bursar_org())
    WITH CHECK (org_id = bursar_org() AND (EXISTS (SELECT FROM agents a
    WHERE (a.id = pricing_agents.agent_id AND a.org_id = bursar_org()))));
GRANT SELECT, INSERT, UPDATE (capacity, bears_discounts, updated_by, updated_at, calls_per_day)
    ON pricing_agents TO bursar_api, bursar_platform;
CREATE POLICY tenant ON pricing_quotes TO bursar_api USING (org_id = bursar_org()) WITH CHECK (org_id = bursar_org());
GRANT SELECT, UPDATE (used_at, contract_id) ON pricing_quotes TO bursar_api;
GRANT SELECT, INSERT, UPDATE (used_at, contract_id) ON pricing_quotes TO bursar_platform;
CREATE POLICY tenant_reads ON marketplace_offers FOR SELECT TO bursar_api
    USING (status = 'listed' OR org_id = bursar_org());
GRANT SELECT, INSERT, UPDATE (model, price_minor, currency, creator_bps, summary, category, words, status, changed_by,
    changed_at, usage_prices, included_uses, command_id) ON marketplace_offers TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (taken_minor, status, refunded_at, refunded_by, renews_at, tries, renewed, usage_prices,
    used_minor, used_by, refund_command_id) ON marketplace_purchases TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (taken_minor, refunded_at, refunded_by) ON marketplace_uses TO bursar_platform;
GRANT SELECT, INSERT, UPDATE (tries) ON marketplace_agreed_uses TO bursar_platform;
CREATE POLICY tenant_reads ON referrals FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR referrer_org_id = bursar_org());
GRANT SELECT, INSERT, UPDATE (status, reason, payment_id, referrer_minor, referred_minor, referrer_lot, referred_lot,
    decided_at, taken_back_at, next_at) ON referrals TO bursar_platform;

SELECT pg_temp.tenant_reads_own('marketplace_purchases', 'marketplace_uses', 'marketplace_agreed_uses');
SELECT pg_temp.refuse_deletes('pricing_book', 'pricing_rules', 'pricing_agents', 'pricing_quotes', 'marketplace_offers',
    'marketplace_purchases', 'marketplace_uses', 'marketplace_agreed_uses', 'referrals');
SELECT pg_temp.count_version('agents', 'marketplace_offers');
GRANT SELECT, INSERT ON agents TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON pricing_rules TO bursar_platform;
GRANT SELECT ON marketplace_offers, referrals TO bursar_api;

\ir ../../repositories/sql/marketplace/agent_retirement.sql
\ir ../../repositories/sql/marketplace/pricing.sql
\ir ../../ledger/sql/sales.sql
