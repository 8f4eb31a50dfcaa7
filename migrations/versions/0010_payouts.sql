-- Earnings and money that goes out: accounts of creators, payouts, recoveries and statements.

CREATE TABLE creator_accounts (
    org_id text NOT NULL,
    provider text NOT NULL,
    ref text NOT NULL,
    country text NOT NULL,
    details_submitted boolean NOT NULL,
    transfers_enabled boolean NOT NULL,
    payouts_enabled boolean NOT NULL,
    tax_profile boolean NOT NULL,
    requirements_due text[] NOT NULL,
    disabled_reason text,
    destination text,
    destination_last4 text,
    destination_currency text,
    destination_changed_at timestamptz,
    seen_at timestamptz NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_creator_accounts PRIMARY KEY (org_id),
    CONSTRAINT fk_creator_accounts_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE UNIQUE INDEX uq_creator_accounts_provider_ref ON creator_accounts (provider, ref);
SELECT pg_temp.row_security('creator_accounts');
SELECT pg_temp.tenant_reads_own('creator_accounts');
SELECT pg_temp.refuse_deletes('creator_accounts');
-- Whose account it is never changes.
GRANT SELECT, INSERT, UPDATE (ref, country, details_submitted, transfers_enabled, payouts_enabled, tax_profile,
    requirements_due, disabled_reason, destination, destination_last4, destination_currency, destination_changed_at,
    seen_at, created_by) ON creator_accounts TO bursar_platform;

CREATE TABLE payouts (
    id text NOT NULL,
    org_id text NOT NULL,
    provider text NOT NULL,
    transfer_ref text,
    status text NOT NULL,
    version bigint NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    wake_at timestamptz,
    state jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pk_payouts PRIMARY KEY (id),
    CONSTRAINT ck_payouts_amount CHECK (amount_minor > 0),
    CONSTRAINT fk_payouts_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_payouts_created_at_id ON payouts (created_at, id);
CREATE INDEX ix_payouts_org_id_created_at_id ON payouts (org_id, created_at, id);
CREATE INDEX ix_payouts_org_id_status_created_at_id ON payouts (org_id, status, created_at, id);
CREATE INDEX ix_payouts_status_created_at_id ON payouts (status, created_at, id);
CREATE INDEX ix_payouts_wake_at ON payouts (wake_at) WHERE wake_at IS NOT NULL;
CREATE UNIQUE INDEX uq_payouts_provider_transfer_ref ON payouts (provider, transfer_ref);
SELECT pg_temp.row_security('payouts');
SELECT pg_temp.tenant_reads_own('payouts');
SELECT pg_temp.refuse_deletes('payouts');
GRANT SELECT, INSERT, UPDATE (transfer_ref, status, version, wake_at, state, updated_at) ON payouts TO bursar_platform;

CREATE TABLE payout_events (
    payout_id text NOT NULL,
    number bigint NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    actor text NOT NULL,
    command_id text NOT NULL,
    transfer_id uuid,
    details jsonb NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT pk_payout_events PRIMARY KEY (payout_id, number),
    CONSTRAINT fk_payout_events_payout_id_payouts FOREIGN KEY (payout_id) REFERENCES payouts
);
CREATE UNIQUE INDEX uq_payout_events_payout_id_command_id ON payout_events (payout_id, command_id);
SELECT pg_temp.row_security('payout_events');
CREATE POLICY tenant_reads ON payout_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM payouts p WHERE p.id = payout_events.payout_id));
SELECT pg_temp.refuse_deletes('payout_events');
GRANT SELECT ON payout_events TO bursar_api;
GRANT SELECT, INSERT ON payout_events TO bursar_platform;

CREATE TABLE payout_schedules (
    org_id text NOT NULL,
    interval text NOT NULL,
    weekly_anchor text,
    monthly_anchor bigint,
    next_on date,
    last_on date,
    last_payout_id text,
    last_refusal text,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT pk_payout_schedules PRIMARY KEY (org_id),
    CONSTRAINT fk_payout_schedules_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_payout_schedules_next_on ON payout_schedules (next_on) WHERE next_on IS NOT NULL;
SELECT pg_temp.row_security('payout_schedules');
SELECT pg_temp.tenant_reads_own('payout_schedules');
GRANT SELECT, INSERT, UPDATE ON payout_schedules TO bursar_platform;

CREATE TABLE recoveries (
    id text NOT NULL,
    payment_id text NOT NULL,
    cause text NOT NULL,
    org_id text NOT NULL,
    asset text NOT NULL,
    amount_minor bigint NOT NULL,
    disputed_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    closed_at timestamptz,
    short_minor bigint DEFAULT 0 NOT NULL,
    CONSTRAINT pk_recoveries PRIMARY KEY (id),
    CONSTRAINT ck_recoveries_amount CHECK (amount_minor > 0 AND short_minor BETWEEN 0 AND amount_minor),
    CONSTRAINT fk_recoveries_payment_id_payments FOREIGN KEY (payment_id) REFERENCES payments
);
CREATE INDEX ix_recoveries_open ON recoveries (id) WHERE closed_at IS NULL;
CREATE UNIQUE INDEX uq_recoveries_payment_id_cause ON recoveries (payment_id, cause);
SELECT pg_temp.row_security('recoveries');
SELECT pg_temp.refuse_deletes('recoveries');
GRANT SELECT, INSERT, UPDATE (closed_at) ON recoveries TO bursar_platform;

CREATE TABLE recovery_shares (
    recovery_id text NOT NULL,
    source text NOT NULL,
    agent_id text NOT NULL,
    org_id text NOT NULL,
    taken_minor bigint NOT NULL,
    own_minor bigint NOT NULL,
    owed_minor bigint NOT NULL,
    transfer_id uuid NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT pk_recovery_shares PRIMARY KEY (recovery_id, source),
    CONSTRAINT ck_recovery_shares_amounts CHECK (own_minor <= taken_minor AND taken_minor + owed_minor > 0),
    CONSTRAINT fk_recovery_shares_recovery_id_recoveries FOREIGN KEY (recovery_id) REFERENCES recoveries
);
CREATE INDEX ix_recovery_shares_owed ON recovery_shares (org_id) WHERE owed_minor > 0;
CREATE INDEX ix_recovery_shares_source ON recovery_shares (source);
SELECT pg_temp.row_security('recovery_shares');
SELECT pg_temp.tenant_reads_own('recovery_shares');
SELECT pg_temp.refuse_deletes('recovery_shares');
GRANT SELECT, INSERT ON recovery_shares TO bursar_platform;

CREATE TABLE transfer_reversals (
    id text NOT NULL,
    recovery_id text NOT NULL,
    source text NOT NULL,
    payout_id text NOT NULL,
    org_id text NOT NULL,
    agent_id text NOT NULL,
    asset text NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    goods_minor bigint NOT NULL,
    status text NOT NULL,
    reversal_ref text,
    failure text,
    tries bigint NOT NULL,
    next_at timestamptz,
    transfer_id uuid,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pk_transfer_reversals PRIMARY KEY (id),
    CONSTRAINT ck_transfer_reversals_amounts CHECK (amount_minor > 0 AND goods_minor > 0),
    CONSTRAINT fk_transfer_reversals_payout_id_payouts FOREIGN KEY (payout_id) REFERENCES payouts,
    CONSTRAINT fk_transfer_reversals_recovery_id_recoveries FOREIGN KEY (recovery_id) REFERENCES recoveries
);
CREATE INDEX ix_transfer_reversals_next_at ON transfer_reversals (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX ix_transfer_reversals_org_id ON transfer_reversals (org_id) WHERE status = 'reversed';
CREATE INDEX ix_transfer_reversals_payout_id ON transfer_reversals (payout_id);
SELECT pg_temp.row_security('transfer_reversals');
SELECT pg_temp.tenant_reads_own('transfer_reversals');
SELECT pg_temp.refuse_deletes('transfer_reversals');
GRANT SELECT, INSERT, UPDATE (amount_minor, goods_minor, status, reversal_ref, failure, tries, next_at, transfer_id,
    updated_at) ON transfer_reversals TO bursar_platform;

-- Statements and corrections are written once, so their numbers have no gaps.
CREATE TABLE creator_statements (
    id text NOT NULL,
    org_id text NOT NULL,
    month date NOT NULL,
    currency text NOT NULL,
    number text NOT NULL,
    series text NOT NULL,
    total_minor bigint NOT NULL,
    tax_code text NOT NULL,
    content jsonb NOT NULL,
    issued_at timestamptz NOT NULL,
    tax_minor bigint DEFAULT '0' NOT NULL,
    CONSTRAINT pk_creator_statements PRIMARY KEY (id),
    CONSTRAINT uq_creator_statements_month UNIQUE (org_id, month, currency),
    CONSTRAINT uq_creator_statements_number UNIQUE (number),
    CONSTRAINT fk_creator_statements_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('creator_statements');
SELECT pg_temp.tenant_reads_own('creator_statements');
SELECT pg_temp.append_only('creator_statements');
GRANT SELECT, INSERT ON creator_statements TO bursar_platform;

CREATE TABLE creator_corrections (
    id text NOT NULL,
    statement_id text NOT NULL,
    org_id text NOT NULL,
    month date NOT NULL,
    currency text NOT NULL,
    number text NOT NULL,
    series text NOT NULL,
    total_minor bigint NOT NULL,
    tax_minor bigint NOT NULL,
    content jsonb NOT NULL,
    issued_at timestamptz NOT NULL,
    CONSTRAINT pk_creator_corrections PRIMARY KEY (id),
    CONSTRAINT uq_creator_corrections_month UNIQUE (statement_id, month),
    CONSTRAINT uq_creator_corrections_number UNIQUE (number),
    CONSTRAINT ck_creator_corrections_amounts CHECK (total_minor > 0 AND tax_minor BETWEEN 0 AND total_minor),
    CONSTRAINT fk_creator_corrections_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_creator_corrections_statement_id_creator_statements
        FOREIGN KEY (statement_id) REFERENCES creator_statements
);
SELECT pg_temp.row_security('creator_corrections');
SELECT pg_temp.tenant_reads_own('creator_corrections');
SELECT pg_temp.append_only('creator_corrections');
GRANT SELECT, INSERT ON creator_corrections TO bursar_platform;
