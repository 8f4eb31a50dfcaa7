-- The evidence of agents and clients, and their scores.

-- What is left of an amount after so many nights, of which each leaves 95 %: after the last one nothing is.
INSERT INTO reputation_powers (nights, factor_e12)
    SELECT n, div(95::numeric ^ n * 10::numeric ^ 12, 100::numeric ^ n) FROM generate_series(0, 538) n;

-- Whoever is to be paid under a contract sees how far its client is trusted.
CREATE POLICY payee_reads ON reputation_clients FOR SELECT TO bursar_api USING (EXISTS (SELECT FROM contracts c
    WHERE c.org_id = reputation_clients.org_id AND c.payee_org_id = bursar_org()));

CREATE POLICY tenant_reads ON reputation_agents FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM agents a WHERE a.id = reputation_agents.agent_id));

CREATE POLICY tenant_reads ON reputation_events FOR SELECT TO bursar_api
    USING (agent_org_id = bursar_org() OR counterparty_org_id = bursar_org());
-- An event can be voided, once, and is never changed otherwise.
CREATE TRIGGER refuse_change BEFORE UPDATE ON reputation_events
    FOR EACH ROW WHEN ((OLD.voided_at IS NOT NULL AND ((OLD.voided_by !~ '^(payment|invoice):')
    OR (NEW.voided_by ~ '^(payment|invoice):'))) OR NEW.voided_at IS NULL
    OR ((to_jsonb(OLD.*) - ARRAY['voided_at', 'voided_by',
    'void_reason']) IS DISTINCT FROM (to_jsonb(NEW.*) - ARRAY['voided_at', 'voided_by',
    'void_reason']))) EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (voided_at, voided_by, void_reason) ON reputation_events TO bursar_platform;
GRANT USAGE ON SEQUENCE reputation_events_seq_seq TO bursar_platform;

-- Scores are seen with the agent, whose own policy says by whom.
CREATE POLICY tenant_reads ON reputation_scores FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM agents a WHERE a.id = reputation_scores.agent_id));

CREATE POLICY tenant_reads ON reputation_feedback FOR SELECT TO bursar_api
    USING (agent_org_id = bursar_org() OR org_id = bursar_org());
GRANT SELECT, INSERT, UPDATE (ratings, comment, event_id, given_by, by_agent, changed_at, change_command_id)
    ON reputation_feedback TO bursar_platform;
CREATE POLICY tenant_reads ON reputation_history FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM agents a WHERE a.id = reputation_history.agent_id));
GRANT SELECT, INSERT, UPDATE (recalled_at, restored_at, by_bank) ON reputation_recalls TO bursar_platform;
CREATE POLICY tenant_reads ON reputation_ladders FOR SELECT TO bursar_api USING (true);
GRANT SELECT, INSERT, UPDATE (last_seen, ended_at, judged_at) ON organization_traits TO bursar_platform;

SELECT pg_temp.tenant_reads_own('reputation_clients', 'reputation_client_events');
SELECT pg_temp.refuse_deletes('reputation_given', 'reputation_powers', 'reputation_priors', 'reputation_clients',
    'reputation_agents', 'reputation_events', 'reputation_scores', 'reputation_feedback', 'reputation_seasoned',
    'reputation_recalls', 'reputation_seasoned_clients', 'organization_traits');
SELECT pg_temp.append_only('reputation_history', 'reputation_ladders', 'reputation_client_events', 'reputation_rates');
GRANT SELECT, INSERT, UPDATE ON reputation_given, reputation_powers, reputation_clients, reputation_agents,
    reputation_scores, reputation_seasoned, reputation_seasoned_clients TO bursar_platform;
GRANT SELECT, INSERT ON reputation_priors, reputation_history, reputation_ladders, reputation_client_events,
    reputation_rates TO bursar_platform;
GRANT SELECT ON reputation_agents, reputation_events, reputation_scores, reputation_feedback, reputation_history,
    reputation_ladders TO bursar_api;
GRANT SELECT, INSERT, DELETE ON reputation_peers TO bursar_platform;

\ir ../../repositories/sql/reputation/reputation.sql
\ir ../../repositories/sql/reputation/reputation_seasoned.sql
\ir ../../repositories/sql/reputation/reputation_seasoned_clients.sql
\ir ../../repositories/sql/reputation/reputation_client_events.sql
\ir ../../repositories/sql/reputation/reputation_recalls.sql
\ir ../../repositories/sql/reputation/organization_traits.sql
\ir ../../repositories/sql/reputation/kept_traits.sql
\ir ../../repositories/sql/reputation/reputation_boards.sql
\ir ../../repositories/sql/reputation/reputation_nights.sql
