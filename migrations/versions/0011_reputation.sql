-- The evidence of agents and clients, and their scores.

CREATE TABLE reputation_given (
    agent_id text NOT NULL,
    dimension text NOT NULL,
    counterparty text NOT NULL,
    good_e6 bigint NOT NULL,
    bad_e6 bigint NOT NULL,
    since date NOT NULL,
    CONSTRAINT pk_reputation_given PRIMARY KEY (agent_id, dimension, counterparty)
);
SELECT pg_temp.row_security('reputation_given');
SELECT pg_temp.refuse_deletes('reputation_given');
GRANT SELECT, INSERT, UPDATE ON reputation_given TO bursar_platform;

CREATE TABLE reputation_powers (
    nights smallint NOT NULL,
    factor_e12 bigint NOT NULL,
    CONSTRAINT pk_reputation_powers PRIMARY KEY (nights)
);
SELECT pg_temp.row_security('reputation_powers');
SELECT pg_temp.refuse_deletes('reputation_powers');
GRANT SELECT, INSERT, UPDATE ON reputation_powers TO bursar_platform;
-- What is left of an amount after so many nights, of which each leaves 95 %: after the last one nothing is.
INSERT INTO reputation_powers (nights, factor_e12)
    SELECT n, div(95::numeric ^ n * 10::numeric ^ 12, 100::numeric ^ n) FROM generate_series(0, 538) n;

CREATE TABLE reputation_priors (
    dimension text NOT NULL,
    day date NOT NULL,
    newcomer_e6 bigint NOT NULL,
    proven_e6 bigint NOT NULL,
    newcomer_good_e6 bigint NOT NULL,
    newcomer_bad_e6 bigint NOT NULL,
    proven_good_e6 bigint NOT NULL,
    proven_bad_e6 bigint NOT NULL,
    CONSTRAINT pk_reputation_priors PRIMARY KEY (dimension, day)
);
SELECT pg_temp.row_security('reputation_priors');
SELECT pg_temp.refuse_deletes('reputation_priors');
GRANT SELECT, INSERT ON reputation_priors TO bursar_platform;

CREATE TABLE reputation_clients (
    org_id text NOT NULL,
    good_e6 bigint NOT NULL,
    bad_e6 bigint NOT NULL,
    since date NOT NULL,
    held_e6 bigint NOT NULL,
    prior_e6 bigint NOT NULL,
    through date NOT NULL,
    counts jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT pk_reputation_clients PRIMARY KEY (org_id),
    CONSTRAINT fk_reputation_clients_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_reputation_clients_through ON reputation_clients (through);
SELECT pg_temp.row_security('reputation_clients');
SELECT pg_temp.tenant_reads_own('reputation_clients');
-- Whoever is to be paid under a contract sees how far its client is trusted.
CREATE POLICY payee_reads ON reputation_clients FOR SELECT TO bursar_api USING (EXISTS (SELECT FROM contracts c
    WHERE c.org_id = reputation_clients.org_id AND c.payee_org_id = bursar_org()));
SELECT pg_temp.refuse_deletes('reputation_clients');
GRANT SELECT, INSERT, UPDATE ON reputation_clients TO bursar_platform;

CREATE TABLE reputation_agents (
    agent_id text NOT NULL,
    started_on date NOT NULL,
    evidence_count bigint DEFAULT 0 NOT NULL,
    ended bigint DEFAULT 0 NOT NULL,
    succeeded bigint DEFAULT 0 NOT NULL,
    rated bigint DEFAULT 0 NOT NULL,
    response_count bigint DEFAULT 0 NOT NULL,
    response_total_ms bigint DEFAULT 0 NOT NULL,
    response_buckets bigint[] NOT NULL,
    stars_e6 bigint NOT NULL,
    rank_e6 bigint NOT NULL,
    night_on date,
    night_stars_e6 bigint,
    night_low_e6 bigint,
    night_high_e6 bigint,
    latest_on date,
    board text NOT NULL,
    category text,
    band smallint GENERATED ALWAYS AS ((((width_bucket((COALESCE(night_on, latest_on) - latest_on),
        '{8,31,91}'::integer[]) * 4) + width_bucket(NULLIF(evidence_e6, 0),
        '{5000000,20000000,100000000}'::bigint[])))::smallint) STORED,
    stale_at timestamptz,
    evidence_e6 bigint DEFAULT 0 NOT NULL,
    CONSTRAINT pk_reputation_agents PRIMARY KEY (agent_id),
    CONSTRAINT fk_reputation_agents_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents
) WITH (fillfactor = 80);
CREATE INDEX ix_reputation_agents_category ON reputation_agents (category, board, band, rank_e6, agent_id)
    WHERE category IS NOT NULL;
CREATE INDEX ix_reputation_agents_jobs ON reputation_agents (succeeded, agent_id)
    WHERE board = 'public' AND succeeded > 0;
CREATE INDEX ix_reputation_agents_rank ON reputation_agents (board, band, rank_e6, agent_id);
CREATE INDEX ix_reputation_agents_stale ON reputation_agents (agent_id) WHERE stale_at IS NOT NULL;
SELECT pg_temp.row_security('reputation_agents');
CREATE POLICY tenant_reads ON reputation_agents FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM agents a WHERE a.id = reputation_agents.agent_id));
SELECT pg_temp.refuse_deletes('reputation_agents');
GRANT SELECT ON reputation_agents TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON reputation_agents TO bursar_platform;

CREATE TABLE reputation_events (
    id text NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    agent_id text NOT NULL,
    agent_org_id text NOT NULL,
    counterparty_org_id text,
    counterparty text NOT NULL,
    kind text NOT NULL,
    source text NOT NULL,
    key text NOT NULL,
    subject text NOT NULL,
    actor text NOT NULL,
    note text,
    weight_e6 bigint NOT NULL,
    rater_e6 bigint NOT NULL,
    excluded text,
    says jsonb NOT NULL,
    client_good_e6 bigint DEFAULT 0 NOT NULL,
    client_bad_e6 bigint DEFAULT 0 NOT NULL,
    is_end boolean DEFAULT false NOT NULL,
    is_success boolean DEFAULT false NOT NULL,
    response_ms bigint,
    score_delta_e6 bigint NOT NULL,
    day date NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    voided_at timestamptz,
    voided_by text,
    void_reason text,
    seasoned_on date NOT NULL,
    CONSTRAINT pk_reputation_events PRIMARY KEY (id),
    CONSTRAINT ck_reputation_events_excluded CHECK (excluded IN ('own', 'related', 'probe', 'unpaid')),
    CONSTRAINT ck_reputation_events_kind CHECK (kind IN ('released', 'split', 'refunded', 'undelivered', 'validated',
        'dispute_lost', 'in_time', 'late', 'responded', 'sla_kept', 'sla_missed', 'feedback', 'reported')),
    CONSTRAINT ck_reputation_events_voided CHECK (num_nonnulls(voided_at, voided_by, void_reason) IN (0, 3)),
    CONSTRAINT ck_reputation_events_weight CHECK (weight_e6 >= 0 AND (excluded IS NULL OR weight_e6 = 0)),
    CONSTRAINT fk_reputation_events_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents
);
CREATE INDEX ix_reputation_events_agent_id_seasoned_on ON reputation_events (agent_id, seasoned_on);
CREATE INDEX ix_reputation_events_agent_id_seq ON reputation_events (agent_id, seq);
CREATE INDEX ix_reputation_events_client_bad ON reputation_events (counterparty_org_id, day) WHERE client_bad_e6 > 0;
CREATE INDEX ix_reputation_events_client_good ON reputation_events (counterparty_org_id, seasoned_on)
    WHERE client_good_e6 > 0;
CREATE INDEX ix_reputation_events_counterparty_org_id_seq ON reputation_events (counterparty_org_id, seq);
CREATE INDEX ix_reputation_events_day ON reputation_events (day);
CREATE INDEX ix_reputation_events_subject ON reputation_events (subject);
CREATE UNIQUE INDEX uq_reputation_events_source_key ON reputation_events (source, key);
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

CREATE TABLE reputation_scores (
    agent_id text NOT NULL,
    dimension text NOT NULL,
    good_e6 bigint NOT NULL,
    bad_e6 bigint NOT NULL,
    since date NOT NULL,
    held_e6 bigint NOT NULL,
    earned_e6 bigint NOT NULL,
    prior_e6 bigint NOT NULL,
    through date NOT NULL,
    stars_e6 bigint NOT NULL,
    rank_e6 bigint NOT NULL,
    evidence_count bigint DEFAULT 0 NOT NULL,
    latest_on date,
    board text NOT NULL,
    category text,
    band smallint GENERATED ALWAYS AS ((((width_bucket((through - latest_on),
        '{8,31,91}'::integer[]) * 4) + width_bucket(NULLIF(evidence_e6, 0),
        '{5000000,20000000,100000000}'::bigint[])))::smallint) STORED,
    evidence_e6 bigint DEFAULT 0 NOT NULL,
    CONSTRAINT pk_reputation_scores PRIMARY KEY (agent_id, dimension),
    CONSTRAINT ck_reputation_scores_dimension
        CHECK (dimension IN ('task_success', 'response_time', 'reliability', 'collaboration', 'quality')),
    CONSTRAINT ck_reputation_scores_evidence CHECK (good_e6 >= 0 AND bad_e6 >= 0 AND held_e6 >= 0 AND since <= through),
    CONSTRAINT fk_reputation_scores_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents
) WITH (fillfactor = 80);
CREATE INDEX ix_reputation_scores_category ON reputation_scores (category, dimension, board, band, rank_e6, agent_id)
    WHERE category IS NOT NULL;
CREATE INDEX ix_reputation_scores_rank ON reputation_scores (dimension, board, band, rank_e6, agent_id);
SELECT pg_temp.row_security('reputation_scores');
-- Scores are seen with the agent, whose own policy says by whom.
CREATE POLICY tenant_reads ON reputation_scores FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM agents a WHERE a.id = reputation_scores.agent_id));
SELECT pg_temp.refuse_deletes('reputation_scores');
GRANT SELECT ON reputation_scores TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON reputation_scores TO bursar_platform;

CREATE TABLE reputation_feedback (
    id text NOT NULL,
    contract_id text NOT NULL,
    agent_id text NOT NULL,
    agent_org_id text NOT NULL,
    org_id text NOT NULL,
    ratings jsonb NOT NULL,
    comment text,
    event_id text NOT NULL,
    given_by text NOT NULL,
    by_agent boolean NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    changed_at timestamptz,
    change_command_id text,
    CONSTRAINT pk_reputation_feedback PRIMARY KEY (id),
    CONSTRAINT uq_reputation_feedback_command_id UNIQUE (command_id),
    CONSTRAINT fk_reputation_feedback_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents,
    CONSTRAINT fk_reputation_feedback_contract_id_contracts FOREIGN KEY (contract_id) REFERENCES contracts,
    CONSTRAINT fk_reputation_feedback_event_id_reputation_events FOREIGN KEY (event_id) REFERENCES reputation_events
);
CREATE INDEX ix_reputation_feedback_agent_id_id ON reputation_feedback (agent_id, id);
CREATE INDEX ix_reputation_feedback_agent_org_id_id ON reputation_feedback (agent_org_id, id);
CREATE INDEX ix_reputation_feedback_org_id_id ON reputation_feedback (org_id, id);
CREATE UNIQUE INDEX uq_reputation_feedback_contract_id ON reputation_feedback (contract_id);
SELECT pg_temp.row_security('reputation_feedback');
CREATE POLICY tenant_reads ON reputation_feedback FOR SELECT TO bursar_api
    USING (agent_org_id = bursar_org() OR org_id = bursar_org());
SELECT pg_temp.refuse_deletes('reputation_feedback');
GRANT SELECT ON reputation_feedback TO bursar_api;
GRANT SELECT, INSERT, UPDATE (ratings, comment, event_id, given_by, by_agent, changed_at, change_command_id)
    ON reputation_feedback TO bursar_platform;

CREATE TABLE reputation_history (
    day date NOT NULL,
    agent_id text NOT NULL,
    stars_e6 bigint NOT NULL,
    low_e6 bigint NOT NULL,
    high_e6 bigint NOT NULL,
    rank_e6 bigint NOT NULL,
    moved_e6 bigint NOT NULL,
    evidence_count bigint NOT NULL,
    is_sudden boolean NOT NULL,
    dimensions_e6 bigint[] NOT NULL,
    CONSTRAINT pk_reputation_history PRIMARY KEY (day, agent_id)
) PARTITION BY RANGE (day);
SELECT pg_temp.row_security('reputation_history');
CREATE POLICY tenant_reads ON reputation_history FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM agents a WHERE a.id = reputation_history.agent_id));
SELECT pg_temp.append_only('reputation_history');
GRANT SELECT ON reputation_history TO bursar_api;
GRANT SELECT, INSERT ON reputation_history TO bursar_platform;

CREATE TABLE reputation_seasoned (
    agent_id text NOT NULL,
    through date NOT NULL,
    evidence_count bigint NOT NULL,
    good_e6 bigint[] NOT NULL,
    bad_e6 bigint[] NOT NULL,
    held_e6 bigint[] NOT NULL,
    since date[] NOT NULL,
    evidence_e6 bigint DEFAULT 0 NOT NULL,
    CONSTRAINT pk_reputation_seasoned PRIMARY KEY (agent_id),
    CONSTRAINT fk_reputation_seasoned_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents
);
SELECT pg_temp.row_security('reputation_seasoned');
SELECT pg_temp.refuse_deletes('reputation_seasoned');
GRANT SELECT, INSERT, UPDATE ON reputation_seasoned TO bursar_platform;

-- The night counts them anew, and nobody else reads who they are.
CREATE TABLE reputation_peers (
    category text NOT NULL,
    dimension text NOT NULL,
    step smallint NOT NULL,
    agents bigint NOT NULL,
    below bigint NOT NULL,
    day date NOT NULL,
    CONSTRAINT pk_reputation_peers PRIMARY KEY (category, dimension, step)
);
SELECT pg_temp.row_security('reputation_peers');
GRANT SELECT, INSERT, DELETE ON reputation_peers TO bursar_platform;

CREATE TABLE reputation_recalls (
    escrow_id text NOT NULL,
    payment_id text NOT NULL,
    recalled_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    restored_at timestamptz,
    by_bank boolean DEFAULT true NOT NULL,
    CONSTRAINT pk_reputation_recalls PRIMARY KEY (escrow_id, payment_id)
);
CREATE INDEX ix_reputation_recalls_payment_id ON reputation_recalls (payment_id);
SELECT pg_temp.row_security('reputation_recalls');
SELECT pg_temp.refuse_deletes('reputation_recalls');
GRANT SELECT, INSERT, UPDATE (recalled_at, restored_at, by_bank) ON reputation_recalls TO bursar_platform;

CREATE TABLE reputation_ladders (
    version bigint NOT NULL,
    levels jsonb NOT NULL,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_reputation_ladders PRIMARY KEY (version),
    CONSTRAINT uq_reputation_ladders_command_id UNIQUE (command_id)
);
SELECT pg_temp.row_security('reputation_ladders');
CREATE POLICY tenant_reads ON reputation_ladders FOR SELECT TO bursar_api USING (true);
SELECT pg_temp.append_only('reputation_ladders');
GRANT SELECT ON reputation_ladders TO bursar_api;
GRANT SELECT, INSERT ON reputation_ladders TO bursar_platform;

CREATE TABLE reputation_client_events (
    id text NOT NULL,
    seq bigint NOT NULL,
    org_id text NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    subject text NOT NULL,
    weight_e6 bigint NOT NULL,
    good_e6 bigint NOT NULL,
    bad_e6 bigint NOT NULL,
    day date NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_reputation_client_events PRIMARY KEY (id),
    CONSTRAINT uq_reputation_client_events_key UNIQUE (key),
    CONSTRAINT ck_reputation_client_events_evidence CHECK (least(good_e6, bad_e6) >= 0 AND good_e6 + bad_e6 > 0),
    CONSTRAINT ck_reputation_client_events_kind CHECK (kind IN ('payment_failed', 'charged_back', 'cancelled')),
    CONSTRAINT fk_reputation_client_events_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_reputation_client_events_org_id_day ON reputation_client_events (org_id, day);
CREATE INDEX ix_reputation_client_events_org_id_seq ON reputation_client_events (org_id, seq);
SELECT pg_temp.row_security('reputation_client_events');
SELECT pg_temp.tenant_reads_own('reputation_client_events');
SELECT pg_temp.append_only('reputation_client_events');
GRANT SELECT, INSERT ON reputation_client_events TO bursar_platform;

CREATE TABLE reputation_seasoned_clients (
    org_id text NOT NULL,
    through date NOT NULL,
    good_e6 bigint NOT NULL,
    bad_e6 bigint NOT NULL,
    held_e6 bigint NOT NULL,
    since date NOT NULL,
    CONSTRAINT pk_reputation_seasoned_clients PRIMARY KEY (org_id),
    CONSTRAINT fk_reputation_seasoned_clients_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('reputation_seasoned_clients');
SELECT pg_temp.refuse_deletes('reputation_seasoned_clients');
GRANT SELECT, INSERT, UPDATE ON reputation_seasoned_clients TO bursar_platform;

CREATE TABLE reputation_rates (
    until date NOT NULL,
    factors_e12 bigint[] NOT NULL,
    CONSTRAINT pk_reputation_rates PRIMARY KEY (until)
);
SELECT pg_temp.row_security('reputation_rates');
SELECT pg_temp.append_only('reputation_rates');
GRANT SELECT, INSERT ON reputation_rates TO bursar_platform;

CREATE TABLE organization_traits (
    org_id text NOT NULL,
    kind text NOT NULL,
    digest text NOT NULL,
    first_seen timestamptz DEFAULT clock_timestamp() NOT NULL,
    last_seen timestamptz DEFAULT clock_timestamp() NOT NULL,
    ended_at timestamptz,
    judged_at timestamptz,
    CONSTRAINT pk_organization_traits PRIMARY KEY (org_id, kind, digest),
    CONSTRAINT ck_organization_traits_kind
        CHECK (kind IN ('card', 'bank', 'paypal', 'payout_account', 'tax_id', 'referrer', 'probe')),
    CONSTRAINT fk_organization_traits_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_organization_traits_kind_digest ON organization_traits (kind, digest, org_id);
CREATE INDEX ix_organization_traits_new ON organization_traits (org_id) WHERE judged_at IS NULL;
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
