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


-- Allocation, trials and reinvestment


-- Routing

