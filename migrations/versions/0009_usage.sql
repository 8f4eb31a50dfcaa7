-- What was consumed and what it costs: meters, prices of models, usage events by month, their charges and bills.

CREATE TABLE meters (
    id text NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    org_id text,
    name text NOT NULL,
    event_type text NOT NULL,
    aggregation text NOT NULL,
    property text,
    dimensions text[] NOT NULL,
    price jsonb,
    currency text,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    closed_at timestamptz,
    charged_at timestamptz,
    is_default boolean DEFAULT false NOT NULL,
    CONSTRAINT pk_meters PRIMARY KEY (id),
    CONSTRAINT uq_meters_command_id UNIQUE (command_id),
    CONSTRAINT uq_meters_number UNIQUE (number),
    CONSTRAINT ck_meters_aggregation CHECK (aggregation IN ('sum', 'count', 'max', 'unique', 'latest')),
    CONSTRAINT ck_meters_price CHECK ((price IS NULL) = (currency IS NULL)),
    CONSTRAINT ck_meters_property CHECK ((property IS NULL) = (aggregation = 'count')),
    CONSTRAINT fk_meters_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_meters_org_id_id ON meters (org_id, id);
CREATE UNIQUE INDEX uq_meters_org_id_name ON meters (org_id, name) NULLS NOT DISTINCT WHERE closed_at IS NULL;
SELECT pg_temp.row_security('meters');
CREATE POLICY tenant_reads ON meters FOR SELECT TO bursar_api
    USING (org_id = bursar_org() OR (org_id IS NULL AND (bursar_org() IS NOT NULL)));
GRANT SELECT ON meters TO bursar_api;
GRANT SELECT, INSERT, UPDATE (closed_at, charged_at) ON meters TO bursar_platform;

CREATE TABLE meter_days (
    meter bigint NOT NULL,
    org_id text NOT NULL,
    dimension text NOT NULL,
    day date NOT NULL,
    value text NOT NULL,
    events bigint NOT NULL,
    quantity numeric NOT NULL,
    latest_at timestamptz NOT NULL,
    latest_id uuid NOT NULL,
    CONSTRAINT pk_meter_days PRIMARY KEY (meter, org_id, dimension, day, value)
);
SELECT pg_temp.row_security('meter_days');
SELECT pg_temp.tenant_reads_own('meter_days');
GRANT SELECT, INSERT, UPDATE ON meter_days TO bursar_platform;

CREATE TABLE meter_members (
    meter bigint NOT NULL,
    org_id text NOT NULL,
    dimension text NOT NULL,
    day date NOT NULL,
    value text NOT NULL,
    member uuid NOT NULL,
    CONSTRAINT pk_meter_members PRIMARY KEY (meter, org_id, dimension, day, value, member)
);
SELECT pg_temp.row_security('meter_members');
SELECT pg_temp.tenant_reads_own('meter_members');
GRANT SELECT, INSERT ON meter_members TO bursar_platform;

-- Prices of models are public, so nothing hides a row.
CREATE TABLE model_price_imports (
    number bigint GENERATED ALWAYS AS IDENTITY,
    version text NOT NULL,
    sha256 text NOT NULL,
    valid_from timestamptz NOT NULL,
    entries bigint NOT NULL,
    prices bigint NOT NULL,
    imported_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_model_price_imports PRIMARY KEY (number)
);
SELECT pg_temp.append_only('model_price_imports');
GRANT SELECT ON model_price_imports TO bursar_api;
GRANT SELECT, INSERT ON model_price_imports TO bursar_platform;

CREATE TABLE model_prices (
    model text NOT NULL,
    valid_from timestamptz NOT NULL,
    provider text NOT NULL,
    currency text NOT NULL,
    version text NOT NULL,
    prices jsonb NOT NULL,
    import_number bigint NOT NULL,
    CONSTRAINT pk_model_prices PRIMARY KEY (model, valid_from),
    CONSTRAINT ck_model_prices_prices CHECK (jsonb_typeof(prices -> 'tiers' -> 'standard') = 'array'),
    CONSTRAINT fk_model_prices_import_number_model_price_imports
        FOREIGN KEY (import_number) REFERENCES model_price_imports
);
CREATE INDEX ix_model_prices_import_number ON model_prices (import_number);
SELECT pg_temp.append_only('model_prices');
GRANT SELECT ON model_prices TO bursar_api;
GRANT SELECT, INSERT ON model_prices TO bursar_platform;

CREATE TABLE usage_digests (
    digest uuid NOT NULL,
    content bigint NOT NULL,
    CONSTRAINT pk_usage_digests PRIMARY KEY (digest)
);
SELECT pg_temp.row_security('usage_digests');
SELECT pg_temp.append_only('usage_digests');
GRANT SELECT, INSERT ON usage_digests TO bursar_platform;

CREATE TABLE usage_events (
    org_id text NOT NULL,
    occurred_at timestamptz NOT NULL,
    id uuid NOT NULL,
    digest uuid NOT NULL,
    recorded_in bigint DEFAULT pg_current_xact_id()::text::bigint NOT NULL,
    received_at timestamptz NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    subject text,
    action text NOT NULL,
    agent_id text,
    department_id text,
    project_id text,
    run_id text,
    step_id text,
    parent_id text,
    provider text,
    model text,
    spend_id text,
    sent_by text NOT NULL,
    key_id text,
    data jsonb NOT NULL,
    usage jsonb,
    currency text,
    cost_pico numeric(38,0),
    creator_pico numeric(38,0),
    platform_pico numeric(38,0),
    rated_by text,
    price_ref text,
    creator_org_id text,
    estimated text[],
    meters bigint[] NOT NULL,
    bill_month date,
    bill bigint,
    CONSTRAINT pk_usage_events PRIMARY KEY (org_id, occurred_at, id)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX ix_usage_events_cost_differs ON usage_events (received_at)
    WHERE source = 'platform:litellm' AND CASE jsonb_typeof(data #> '{litellm,spend}') WHEN 'number' THEN
        abs(coalesce(cost_pico, 0) - (data #> '{litellm,spend}')::numeric * 1000000000000)
        > 0.1 * greatest(cost_pico, (data #> '{litellm,spend}')::numeric * 1000000000000) END;
CREATE INDEX ix_usage_events_org_id_run_id ON usage_events (org_id, run_id) WHERE run_id IS NOT NULL;
CREATE INDEX ix_usage_events_recorded_in_id ON usage_events (recorded_in, id);
SELECT pg_temp.row_security('usage_events');
SELECT pg_temp.tenant_reads_own('usage_events');
SELECT pg_temp.append_only('usage_events');
GRANT SELECT, INSERT ON usage_events TO bursar_platform;

CREATE TABLE usage_days (
    org_id text NOT NULL,
    dimension text NOT NULL,
    day date NOT NULL,
    value text NOT NULL,
    currency text NOT NULL,
    events bigint NOT NULL,
    input_tokens numeric(38,0) NOT NULL,
    output_tokens numeric(38,0) NOT NULL,
    cached_tokens numeric(38,0) NOT NULL,
    reasoning_tokens numeric(38,0) NOT NULL,
    other_tokens numeric(38,0) NOT NULL,
    timed_tokens numeric(38,0) NOT NULL,
    duration_ms numeric(38,0) NOT NULL,
    estimated_events bigint NOT NULL,
    cost_pico numeric(38,0) NOT NULL,
    creator_pico numeric(38,0) NOT NULL,
    platform_pico numeric(38,0) NOT NULL,
    CONSTRAINT pk_usage_days PRIMARY KEY (org_id, dimension, day, value, currency)
);
CREATE INDEX ix_usage_days_agent ON usage_days (value, day) WHERE dimension = 'agent_id';
SELECT pg_temp.row_security('usage_days');
SELECT pg_temp.tenant_reads_own('usage_days');
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON usage_days FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE ON usage_days TO bursar_platform;

CREATE TABLE usage_sources (
    name text NOT NULL,
    reached timestamptz NOT NULL,
    CONSTRAINT pk_usage_sources PRIMARY KEY (name)
);
SELECT pg_temp.row_security('usage_sources');
GRANT SELECT, INSERT, UPDATE (reached) ON usage_sources TO bursar_platform;

CREATE TABLE usage_paid_calls (
    org_id text NOT NULL,
    spend_id uuid NOT NULL,
    digest uuid NOT NULL,
    CONSTRAINT pk_usage_paid_calls PRIMARY KEY (org_id, spend_id)
);
SELECT pg_temp.row_security('usage_paid_calls');
SELECT pg_temp.append_only('usage_paid_calls');
GRANT SELECT, INSERT ON usage_paid_calls TO bursar_platform;

CREATE TABLE usage_charges (
    org_id text NOT NULL,
    event uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    meters bigint[] NOT NULL,
    quantities numeric[] NOT NULL,
    due_at timestamptz NOT NULL,
    waits_for text,
    spend_id uuid,
    amount bigint,
    charged_at timestamptz,
    use_id text,
    month date,
    voided_at timestamptz,
    CONSTRAINT pk_usage_charges PRIMARY KEY (org_id, event),
    CONSTRAINT ck_usage_charges_charged
        CHECK (num_nonnulls(spend_id, amount, charged_at) IN (0, 3) AND num_nonnulls(spend_id, waits_for) < 2),
    CONSTRAINT ck_usage_charges_voided CHECK (voided_at IS NULL OR num_nonnulls(spend_id, waits_for) = 0),
    CONSTRAINT fk_usage_charges_use_id_marketplace_agreed_uses FOREIGN KEY (use_id) REFERENCES marketplace_agreed_uses
) WITH (fillfactor = 80);
CREATE INDEX ix_usage_charges_due ON usage_charges (org_id, due_at) WHERE spend_id IS NULL;
CREATE UNIQUE INDEX uq_usage_charges_use_id ON usage_charges (use_id) WHERE use_id IS NOT NULL;
SELECT pg_temp.row_security('usage_charges');
SELECT pg_temp.tenant_reads_own('usage_charges');
SELECT pg_temp.refuse_deletes('usage_charges');
-- What was charged stays charged, and what an operator has voided is never charged.
CREATE TRIGGER refuse_change BEFORE UPDATE ON usage_charges
    FOR EACH ROW WHEN (OLD.spend_id IS NOT NULL) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stays_void BEFORE UPDATE ON usage_charges
    FOR EACH ROW WHEN (OLD.voided_at IS NOT NULL) EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (due_at, waits_for, spend_id, amount, charged_at, voided_at)
    ON usage_charges TO bursar_platform;

CREATE TABLE meter_months (
    meter bigint NOT NULL,
    org_id text NOT NULL,
    month date NOT NULL,
    charged numeric NOT NULL,
    CONSTRAINT pk_meter_months PRIMARY KEY (meter, org_id, month)
);
SELECT pg_temp.row_security('meter_months');
SELECT pg_temp.refuse_deletes('meter_months');
GRANT SELECT, INSERT, UPDATE (charged) ON meter_months TO bursar_platform;

CREATE TABLE usage_bills (
    org_id text NOT NULL,
    month date NOT NULL,
    number bigint NOT NULL,
    currency text NOT NULL,
    minor_pico numeric(38,0) NOT NULL,
    opened_at timestamptz NOT NULL,
    sealed_at timestamptz,
    invoice_id text,
    billed_at timestamptz,
    discount_bps bigint,
    markup_e6 bigint,
    CONSTRAINT pk_usage_bills PRIMARY KEY (org_id, month, number),
    CONSTRAINT ck_usage_bills_billed CHECK (num_nonnulls(billed_at, discount_bps, markup_e6) IN (0, 3) AND
        (billed_at IS NULL OR sealed_at IS NOT NULL) AND (invoice_id IS NULL OR billed_at IS NOT NULL)),
    CONSTRAINT fk_usage_bills_invoice_id_invoices FOREIGN KEY (invoice_id) REFERENCES invoices
);
CREATE INDEX ix_usage_bills_invoice_id ON usage_bills (invoice_id);
CREATE INDEX ix_usage_bills_unbilled ON usage_bills (org_id, month) WHERE billed_at IS NULL;
CREATE UNIQUE INDEX uq_usage_bills_open ON usage_bills (org_id, month, currency) WHERE sealed_at IS NULL;
SELECT pg_temp.row_security('usage_bills');
SELECT pg_temp.tenant_reads_own('usage_bills');
SELECT pg_temp.refuse_deletes('usage_bills');
-- What was billed stays billed.
CREATE TRIGGER refuse_change BEFORE UPDATE ON usage_bills
    FOR EACH ROW WHEN (OLD.billed_at IS NOT NULL) EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (sealed_at, invoice_id, billed_at, discount_bps, markup_e6) ON usage_bills TO bursar_platform;

CREATE TABLE usage_bill_sums (
    org_id text NOT NULL,
    month date NOT NULL,
    number bigint NOT NULL,
    source text NOT NULL,
    ref text NOT NULL,
    events bigint NOT NULL,
    quantity numeric NOT NULL,
    pico numeric(38,0) NOT NULL,
    line bigint,
    charged numeric DEFAULT 0 NOT NULL,
    CONSTRAINT pk_usage_bill_sums PRIMARY KEY (org_id, month, number, source, ref)
);
SELECT pg_temp.row_security('usage_bill_sums');
SELECT pg_temp.tenant_reads_own('usage_bill_sums');
SELECT pg_temp.refuse_deletes('usage_bill_sums');
GRANT SELECT, INSERT, UPDATE (events, quantity, pico, line, charged) ON usage_bill_sums TO bursar_platform;

CREATE TABLE usage_voids (
    org_id text NOT NULL,
    event uuid NOT NULL,
    voided_at timestamptz NOT NULL,
    CONSTRAINT pk_usage_voids PRIMARY KEY (org_id, event)
);
SELECT pg_temp.row_security('usage_voids');
SELECT pg_temp.tenant_reads_own('usage_voids');
SELECT pg_temp.append_only('usage_voids');
GRANT SELECT, INSERT ON usage_voids TO bursar_platform;

\ir ../../repositories/sql/usage/usage.sql
