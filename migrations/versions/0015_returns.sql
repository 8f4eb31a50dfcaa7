-- Results, revenue, allocation and routing.

-- Results


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
    CONSTRAINT uq_revenue_events_org_id_source_reference UNIQUE (org_id, source, reference),
    CONSTRAINT fk_revenue_events_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT ck_revenue_events_status CHECK (status IN ('reported', 'confirmed', 'rejected', 'reversed')),
    CONSTRAINT ck_revenue_events_source CHECK ((source IN ('escrow', 'marketplace')) = (transfer_id IS NOT NULL)
        AND num_nonnulls(transfer_id, reported_minor) = 1 AND num_nonnulls(transfer_id, reported_by) = 1),
    CONSTRAINT ck_revenue_events_confirmed CHECK (status NOT IN ('confirmed', 'reversed') OR confirmed_at IS NOT NULL),
    CONSTRAINT ck_revenue_events_amount CHECK (amount_minor > 0)
) WITH (fillfactor = 80);
CREATE INDEX ix_revenue_events_org_id_id ON revenue_events (org_id, id);
CREATE INDEX ix_revenue_events_org_id_occurred_at ON revenue_events (org_id, occurred_at);
CREATE INDEX ix_revenue_events_waiting ON revenue_events (org_id, id) WHERE status = 'reported';
SELECT pg_temp.row_security('revenue_events');
SELECT pg_temp.tenant_reads_own('revenue_events');
SELECT pg_temp.refuse_deletes('revenue_events');
-- What a transfer brought is changed by transfers alone; of what was reported, who says so never changes.
GRANT SELECT, INSERT, UPDATE (amount_minor, reversed_minor, status, shares_version, confirmed_by, confirmed_at)
    ON revenue_events TO bursar_platform;

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


-- Routing

