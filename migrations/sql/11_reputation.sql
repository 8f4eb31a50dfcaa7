-- The evidence of agents and clients, and their scores.

SELECT pg_temp.row_security('reputation_given');
SELECT pg_temp.refuse_deletes('reputation_given');
GRANT SELECT, INSERT, UPDATE ON reputation_given TO bursar_platform;

SELECT pg_temp.row_security('reputation_powers');
SELECT pg_temp.refuse_deletes('reputation_powers');
GRANT SELECT, INSERT, UPDATE ON reputation_powers TO bursar_platform;
-- What is left of an amount after so many nights, of which each leaves 95 %: after the last one nothing is.
INSERT INTO reputation_powers (nights, factor_e12)
    SELECT n, div(95::numeric ^ n * 10::numeric ^ 12, 100::numeric ^ n) FROM generate_series(0, 538) n;

SELECT pg_temp.row_security('reputation_priors');
SELECT pg_temp.refuse_deletes('reputation_priors');
GRANT SELECT, INSERT ON reputation_priors TO bursar_platform;

SELECT pg_temp.row_security('reputation_clients');
SELECT pg_temp.tenant_reads_own('reputation_clients');
-- Whoever is to be paid under a contract sees how far its client is trusted.
CREATE POLICY payee_reads ON reputation_clients FOR SELECT TO bursar_api USING (EXISTS (SELECT FROM contracts c
    WHERE c.org_id = reputation_clients.org_id AND c.payee_org_id = bursar_org()));
SELECT pg_temp.refuse_deletes('reputation_clients');
GRANT SELECT, INSERT, UPDATE ON reputation_clients TO bursar_platform;

SELECT pg_temp.row_security('reputation_agents');
CREATE POLICY tenant_reads ON reputation_agents FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM agents a WHERE a.id = reputation_agents.agent_id));
SELECT pg_temp.refuse_deletes('reputation_agents');
GRANT SELECT ON reputation_agents TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON reputation_agents TO bursar_platform;

SELECT pg_temp.row_security('reputation_events');
CREATE POLICY tenant_reads ON reputation_events FOR SELECT TO bursar_api
    USING (agent_org_id = bursar_org() OR counterparty_org_id = bursar_org());
SELECT pg_temp.refuse_deletes('reputation_events');
-- An event can be voided, once, and is never changed otherwise.
CREATE TRIGGER refuse_change BEFORE UPDATE ON reputation_events
    FOR EACH ROW WHEN ((OLD.voided_at IS NOT NULL AND ((OLD.voided_by !~ '^(payment|invoice):')
    OR (NEW.voided_by ~ '^(payment|invoice):'))) OR NEW.voided_at IS NULL
    OR ((to_jsonb(OLD.*) - ARRAY['voided_at', 'voided_by',
    'void_reason']) IS DISTINCT FROM (to_jsonb(NEW.*) - ARRAY['voided_at', 'voided_by',
    'void_reason']))) EXECUTE FUNCTION refuse_change();
GRANT SELECT ON reputation_events TO bursar_api;
GRANT SELECT, INSERT, UPDATE (voided_at, voided_by, void_reason) ON reputation_events TO bursar_platform;
GRANT USAGE ON SEQUENCE reputation_events_seq_seq TO bursar_platform;

SELECT pg_temp.row_security('reputation_scores');
-- Scores are seen with the agent, whose own policy says by whom.
CREATE POLICY tenant_reads ON reputation_scores FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM agents a WHERE a.id = reputation_scores.agent_id));
SELECT pg_temp.refuse_deletes('reputation_scores');
GRANT SELECT ON reputation_scores TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON reputation_scores TO bursar_platform;

SELECT pg_temp.row_security('reputation_feedback');
CREATE POLICY tenant_reads ON reputation_feedback FOR SELECT TO bursar_api
    USING (agent_org_id = bursar_org() OR org_id = bursar_org());
SELECT pg_temp.refuse_deletes('reputation_feedback');
GRANT SELECT ON reputation_feedback TO bursar_api;
GRANT SELECT, INSERT, UPDATE (ratings, comment, event_id, given_by, by_agent, changed_at, change_command_id)
    ON reputation_feedback TO bursar_platform;

SELECT pg_temp.row_security('reputation_history');
CREATE POLICY tenant_reads ON reputation_history FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM agents a WHERE a.id = reputation_history.agent_id));
SELECT pg_temp.append_only('reputation_history');
GRANT SELECT ON reputation_history TO bursar_api;
GRANT SELECT, INSERT ON reputation_history TO bursar_platform;

SELECT pg_temp.row_security('reputation_seasoned');
SELECT pg_temp.refuse_deletes('reputation_seasoned');
GRANT SELECT, INSERT, UPDATE ON reputation_seasoned TO bursar_platform;

SELECT pg_temp.row_security('reputation_peers');
GRANT SELECT, INSERT, DELETE ON reputation_peers TO bursar_platform;

SELECT pg_temp.row_security('reputation_recalls');
SELECT pg_temp.refuse_deletes('reputation_recalls');
GRANT SELECT, INSERT, UPDATE (recalled_at, restored_at, by_bank) ON reputation_recalls TO bursar_platform;

SELECT pg_temp.row_security('reputation_ladders');
CREATE POLICY tenant_reads ON reputation_ladders FOR SELECT TO bursar_api USING (true);
SELECT pg_temp.append_only('reputation_ladders');
GRANT SELECT ON reputation_ladders TO bursar_api;
GRANT SELECT, INSERT ON reputation_ladders TO bursar_platform;

SELECT pg_temp.row_security('reputation_client_events');
SELECT pg_temp.tenant_reads_own('reputation_client_events');
SELECT pg_temp.append_only('reputation_client_events');
GRANT SELECT, INSERT ON reputation_client_events TO bursar_platform;

SELECT pg_temp.row_security('reputation_seasoned_clients');
SELECT pg_temp.refuse_deletes('reputation_seasoned_clients');
GRANT SELECT, INSERT, UPDATE ON reputation_seasoned_clients TO bursar_platform;

SELECT pg_temp.row_security('reputation_rates');
SELECT pg_temp.append_only('reputation_rates');
GRANT SELECT, INSERT ON reputation_rates TO bursar_platform;

SELECT pg_temp.row_security('organization_traits');
SELECT pg_temp.refuse_deletes('organization_traits');
GRANT SELECT, INSERT, UPDATE (last_seen, ended_at, judged_at) ON organization_traits TO bursar_platform;

\ir ../../repositories/sql/reputation/reputation.sql
\ir ../../repositories/sql/reputation/reputation_seasoned.sql
\ir ../../repositories/sql/reputation/reputation_seasoned_clients.sql
\ir ../../repositories/sql/reputation/reputation_client_events.sql
\ir ../../repositories/sql/reputation/reputation_recalls.sql
\ir ../../repositories/sql/reputation/organization_traits.sql
\ir ../../repositories/sql/reputation/kept_traits.sql
\ir ../../repositories/sql/reputation/reputation_boards.sql
\ir ../../repositories/sql/reputation/reputation_nights.sql
