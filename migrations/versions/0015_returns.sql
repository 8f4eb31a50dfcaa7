-- Results, revenue, allocation and routing.

-- Results

-- How well the work of runs and tasks turned out.
CREATE TABLE results (
    id text NOT NULL,
    org_id text NOT NULL,
    run_id text,
    task_id text,
    agent_id text,
    task_kind text NOT NULL,
    score_e6 bigint NOT NULL,
    is_accepted boolean NOT NULL,
    is_self_reported boolean NOT NULL,
    value_minor bigint,
    currency text,
    source text NOT NULL,
    reference text NOT NULL,
    reported_by text NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT pk_results PRIMARY KEY (id),
    CONSTRAINT ck_results_of CHECK (num_nonnulls(run_id, task_id) > 0),
    CONSTRAINT ck_results_score CHECK (score_e6 BETWEEN 0 AND 1000000),
    CONSTRAINT ck_results_value CHECK ((value_minor IS NULL) = (currency IS NULL) AND value_minor >= 0),
    CONSTRAINT ck_results_source CHECK (source IN ('api', 'escrow', 'contract')),
    CONSTRAINT fk_results_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_results_org_id_recorded_at ON results (org_id, recorded_at);
CREATE UNIQUE INDEX uq_results_reference ON results (org_id, source, reference);
SELECT pg_temp.row_security('results');
SELECT pg_temp.tenant_reads_own('results');
SELECT pg_temp.append_only('results');
GRANT SELECT, INSERT ON results TO bursar_platform;


-- Revenue

-- What agents brought in: of the books, written by a trigger on their transfers, or reported.
CREATE TABLE revenue_events (
    id text NOT NULL,
    org_id text NOT NULL,
    agent_id text,
    project_id text,
    run_id text,
    source text NOT NULL,
    reference text NOT NULL,
    currency text NOT NULL,
    -- What was reported stays; what counts is the amount, which a confirmation sets.
    reported_minor bigint,
    amount_minor bigint NOT NULL,
    commission_minor bigint DEFAULT 0 NOT NULL,
    reversed_minor bigint DEFAULT 0 NOT NULL,
    -- Of credits of the books, what was paid for them by currency: amount, reversed, commission.
    money jsonb DEFAULT '{}' NOT NULL,
    status text NOT NULL,
    evidence text,
    transfer_id uuid,
    shares_version integer DEFAULT 0 NOT NULL,
    occurred_at timestamptz NOT NULL,
    reported_by text,
    reporter_agent_id text,
    confirmed_by text,
    confirmed_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_revenue_events PRIMARY KEY (id),
    -- An escrow that pays in parts brings revenue with each.
    CONSTRAINT uq_revenue_events_org_id_source_reference_transfer_id UNIQUE NULLS NOT DISTINCT (org_id, source, reference,
        transfer_id),
    CONSTRAINT fk_revenue_events_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT ck_revenue_events_status CHECK (status IN ('reported', 'confirmed', 'rejected', 'reversed')),
    CONSTRAINT ck_revenue_events_source CHECK ((source IN ('escrow', 'marketplace')) = (transfer_id IS NOT NULL)
        AND num_nonnulls(transfer_id, reported_minor) = 1 AND num_nonnulls(transfer_id, reported_by) = 1),
    CONSTRAINT ck_revenue_events_confirmed CHECK (status NOT IN ('confirmed', 'reversed') OR confirmed_at IS NOT NULL),
    CONSTRAINT ck_revenue_events_amount CHECK (amount_minor > 0)
) WITH (fillfactor = 80);
CREATE INDEX ix_revenue_events_org_id_id ON revenue_events (org_id, id);
CREATE INDEX ix_revenue_events_org_id_occurred_at ON revenue_events (org_id, occurred_at);
CREATE INDEX ix_revenue_events_confirmed_at ON revenue_events (confirmed_at) WHERE reported_minor IS NOT NULL;
CREATE INDEX ix_revenue_events_waiting ON revenue_events (org_id, id) WHERE status = 'reported';
SELECT pg_temp.row_security('revenue_events');
SELECT pg_temp.tenant_reads_own('revenue_events');
SELECT pg_temp.refuse_deletes('revenue_events');
-- What a transfer brought is changed by transfers alone; of what was reported, who says so never changes.
GRANT SELECT, INSERT, UPDATE (amount_minor, reversed_minor, status, shares_version, confirmed_by, confirmed_at)
    ON revenue_events TO bursar_platform;
CREATE TRIGGER of_books BEFORE UPDATE OF amount_minor, reversed_minor, status, confirmed_by, confirmed_at ON revenue_events
    FOR EACH ROW WHEN (OLD.transfer_id IS NOT NULL AND current_user = 'bursar_platform') EXECUTE FUNCTION refuse_change();

-- Each version of how a revenue event is shared over agents and projects; version 0 is its own agent and project.
CREATE TABLE attributions (
    event_id text NOT NULL,
    version integer NOT NULL,
    org_id text NOT NULL,
    rule text NOT NULL,
    parts jsonb NOT NULL,
    set_by text NOT NULL,
    set_at timestamptz NOT NULL,
    CONSTRAINT pk_attributions PRIMARY KEY (event_id, version),
    CONSTRAINT fk_attributions_event_id_revenue_events FOREIGN KEY (event_id) REFERENCES revenue_events,
    CONSTRAINT ck_attributions_rule CHECK (version > 0 AND rule IN ('direct', 'run', 'fixed', 'equal', 'manual'))
);
SELECT pg_temp.row_security('attributions');
SELECT pg_temp.tenant_reads_own('attributions');
SELECT pg_temp.append_only('attributions');
GRANT SELECT, INSERT ON attributions TO bursar_platform;

\ir ../../repositories/sql/returns/revenue_events.sql


-- Allocation, trials and reinvestment

CREATE TABLE allocation_settings (
    project_id text NOT NULL,
    org_id text NOT NULL,
    mode text NOT NULL,
    currency text NOT NULL,
    daily_minor bigint NOT NULL,
    floor_e4 integer NOT NULL,
    ceiling_e4 integer NOT NULL,
    reinvest_bps integer NOT NULL,
    reinvests_from date NOT NULL,
    next_night date NOT NULL,
    next_at timestamptz,
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pk_allocation_settings PRIMARY KEY (project_id),
    CONSTRAINT fk_allocation_settings_project_id_projects FOREIGN KEY (project_id) REFERENCES projects,
    CONSTRAINT fk_allocation_settings_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT ck_allocation_settings_mode CHECK (mode IN ('off', 'propose', 'auto')),
    CONSTRAINT ck_allocation_settings_next CHECK ((mode = 'off') = (next_at IS NULL)),
    CONSTRAINT ck_allocation_settings_amounts CHECK (daily_minor > 0 AND floor_e4 BETWEEN 0 AND 10000
        AND ceiling_e4 >= 10000 AND reinvest_bps BETWEEN 0 AND 10000)
);
CREATE INDEX ix_allocation_settings_org_id ON allocation_settings (org_id);
CREATE INDEX ix_allocation_settings_next_at ON allocation_settings (next_at) WHERE next_at IS NOT NULL;
SELECT pg_temp.row_security('allocation_settings');
SELECT pg_temp.tenant_reads_own('allocation_settings');
SELECT pg_temp.refuse_deletes('allocation_settings');
GRANT SELECT, INSERT, UPDATE ON allocation_settings TO bursar_platform;

CREATE TABLE allocations (
    id text NOT NULL,
    org_id text NOT NULL,
    project_id text NOT NULL,
    night date NOT NULL,
    currency text NOT NULL,
    total_minor bigint NOT NULL,
    reinvested_minor bigint NOT NULL,
    lines jsonb NOT NULL,
    versions jsonb NOT NULL,
    left_out text[] DEFAULT '{}' NOT NULL,
    priced_at jsonb,
    is_raised boolean NOT NULL,
    status text NOT NULL,
    answer_by timestamptz,
    applied_at timestamptz,
    applied_by text,
    created_at timestamptz NOT NULL,
    CONSTRAINT pk_allocations PRIMARY KEY (id),
    CONSTRAINT uq_allocations_project_id_night UNIQUE (project_id, night),
    CONSTRAINT fk_allocations_project_id_projects FOREIGN KEY (project_id) REFERENCES projects,
    CONSTRAINT fk_allocations_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT ck_allocations_amounts CHECK (reinvested_minor BETWEEN 0 AND total_minor),
    CONSTRAINT ck_allocations_status CHECK (status IN ('proposed', 'applied', 'expired')
        AND (status = 'proposed') = (answer_by IS NOT NULL) AND (status = 'applied') = (applied_at IS NOT NULL)
        AND (applied_at IS NULL) = (applied_by IS NULL))
);
CREATE INDEX ix_allocations_org_id_id ON allocations (org_id, id);
CREATE INDEX ix_allocations_applied_at ON allocations (applied_at);
CREATE INDEX ix_allocations_proposed ON allocations (org_id, id) WHERE status = 'proposed';
CREATE INDEX ix_allocations_raised ON allocations (project_id) WHERE is_raised;
SELECT pg_temp.row_security('allocations');
SELECT pg_temp.tenant_reads_own('allocations');
SELECT pg_temp.refuse_deletes('allocations');
-- What was proposed never changes.
GRANT SELECT, INSERT, UPDATE (status, answer_by, is_raised, applied_at, applied_by) ON allocations TO bursar_platform;

CREATE TABLE trials (
    id text NOT NULL,
    org_id text NOT NULL,
    agent_id text NOT NULL,
    control_id uuid NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    stages jsonb NOT NULL,
    paid integer NOT NULL,
    paid_minor bigint NOT NULL,
    status text NOT NULL,
    next_at timestamptz,
    stopped_by text,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT pk_trials PRIMARY KEY (id),
    CONSTRAINT uq_trials_command_id UNIQUE (command_id),
    CONSTRAINT fk_trials_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents,
    CONSTRAINT fk_trials_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT ck_trials_amounts CHECK (amount_minor > 0 AND paid_minor BETWEEN 0 AND amount_minor),
    CONSTRAINT ck_trials_status CHECK (status IN ('running', 'finished', 'stopped')
        AND (status = 'running') = (next_at IS NOT NULL) AND (status = 'stopped') = (stopped_by IS NOT NULL))
);
CREATE INDEX ix_trials_org_id_id ON trials (org_id, id);
CREATE INDEX ix_trials_next_at ON trials (next_at) WHERE next_at IS NOT NULL;
SELECT pg_temp.row_security('trials');
SELECT pg_temp.tenant_reads_own('trials');
SELECT pg_temp.refuse_deletes('trials');
-- What was agreed never changes.
GRANT SELECT, INSERT, UPDATE (paid, paid_minor, status, next_at, stopped_by) ON trials TO bursar_platform;


-- Routing

-- To whom calls were given, by which odds. What was decided never changes; the outcome is written once.
CREATE TABLE routing_decisions (
    id text NOT NULL,
    org_id text NOT NULL,
    agent_id text,
    run_id text NOT NULL,
    task_kind text NOT NULL,
    currency text NOT NULL,
    wish jsonb NOT NULL,
    ranking jsonb NOT NULL,
    choice text,
    odds_e6 integer,
    reference_pico numeric(38,0),
    expected_pico numeric(38,0),
    control_id uuid,
    window_starts_at timestamptz,
    window_first_at timestamptz,
    window_calls bigint,
    window_calls_before bigint,
    next_price_e6 integer NOT NULL,
    priced_at jsonb,
    decided_by text NOT NULL,
    command_id text NOT NULL,
    decided_at timestamptz NOT NULL,
    score_e6 integer,
    cost_pico numeric(38,0),
    multiple_e6 bigint,
    outcome_source text,
    outcome_reference text,
    outcome_at timestamptz,
    CONSTRAINT pk_routing_decisions PRIMARY KEY (id),
    CONSTRAINT uq_routing_decisions_command_id UNIQUE (command_id),
    CONSTRAINT ck_routing_decisions_choice CHECK ((choice IS NULL) = (odds_e6 IS NULL)
        AND odds_e6 BETWEEN 1 AND 1000000),
    CONSTRAINT ck_routing_decisions_outcome CHECK (num_nonnulls(score_e6, outcome_source, outcome_at) IN (0, 3)
        AND score_e6 BETWEEN 0 AND 1000000 AND cost_pico >= 0 AND (score_e6 IS NULL OR choice IS NOT NULL)),
    CONSTRAINT fk_routing_decisions_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_routing_decisions_agent_id_agents FOREIGN KEY (agent_id) REFERENCES agents
);
-- An agent that takes the run of another one keeps it from nothing, and a decision without a choice waits for no result.
CREATE UNIQUE INDEX uq_routing_decisions_run ON routing_decisions (org_id, run_id, task_kind, agent_id)
    NULLS NOT DISTINCT WHERE choice IS NOT NULL;
CREATE INDEX ix_routing_decisions_org_id_id ON routing_decisions (org_id, id);
CREATE INDEX ix_routing_decisions_org_id_agent_id_id ON routing_decisions (org_id, agent_id, id);
CREATE INDEX ix_routing_decisions_control_id_id ON routing_decisions (control_id, id) WHERE control_id IS NOT NULL;
SELECT pg_temp.row_security('routing_decisions');
SELECT pg_temp.tenant_reads_own('routing_decisions');
SELECT pg_temp.refuse_deletes('routing_decisions');
GRANT SELECT, INSERT, UPDATE (score_e6, cost_pico, multiple_e6, outcome_source, outcome_reference, outcome_at)
    ON routing_decisions TO bursar_platform;

-- What the outcomes of a candidate add up to, by kind of task; the kind '' is all of them.
CREATE TABLE routing_sums (
    org_id text NOT NULL,
    candidate text NOT NULL,
    task_kind text NOT NULL,
    results bigint NOT NULL,
    score_e6 bigint NOT NULL,
    costs bigint NOT NULL,
    cost_e6 numeric(38,0) NOT NULL,
    square_e6 numeric(38,0) NOT NULL,
    CONSTRAINT pk_routing_sums PRIMARY KEY (org_id, candidate, task_kind),
    CONSTRAINT ck_routing_sums_counts CHECK (costs BETWEEN 0 AND results AND score_e6 BETWEEN 0 AND results * 1000000),
    CONSTRAINT fk_routing_sums_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
) WITH (fillfactor = 50);
SELECT pg_temp.row_security('routing_sums');
SELECT pg_temp.tenant_reads_own('routing_sums');
SELECT pg_temp.refuse_deletes('routing_sums');
GRANT SELECT, INSERT, UPDATE (results, score_e6, costs, cost_e6, square_e6) ON routing_sums TO bursar_platform;
