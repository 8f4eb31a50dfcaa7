-- Money that comes in: payments, what moved at their providers, chargebacks, webhooks, deposits of coins and
-- automatic top-ups.

CREATE TABLE payments (
    id text NOT NULL,
    org_id text NOT NULL,
    provider text NOT NULL,
    provider_ref text,
    workflow_id text NOT NULL,
    status text NOT NULL,
    version bigint NOT NULL,
    purpose text NOT NULL,
    escrow_id text,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    received_minor bigint NOT NULL,
    refunded_minor bigint NOT NULL,
    fee_minor bigint NOT NULL,
    wake_at timestamptz,
    state jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pk_payments PRIMARY KEY (id),
    CONSTRAINT ck_payments_amount CHECK (amount_minor > 0),
    CONSTRAINT ck_payments_amounts CHECK (refunded_minor >= 0 AND received_minor >= 0),
    CONSTRAINT fk_payments_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_payments_escrow_id ON payments (escrow_id) WHERE escrow_id IS NOT NULL;
CREATE INDEX ix_payments_org_id_id ON payments (org_id, id);
CREATE INDEX ix_payments_org_id_status_id ON payments (org_id, status, id);
CREATE INDEX ix_payments_org_id_status_purpose_id ON payments (org_id, status, purpose, id);
CREATE INDEX ix_payments_status_purpose_id ON payments (status, purpose, id);
CREATE INDEX ix_payments_wake_at ON payments (wake_at) WHERE wake_at IS NOT NULL;
CREATE UNIQUE INDEX uq_payments_provider_provider_ref ON payments (provider, provider_ref);
SELECT pg_temp.row_security('payments');
SELECT pg_temp.tenant_reads_own('payments');
GRANT SELECT, INSERT, UPDATE ON payments TO bursar_platform;

CREATE TABLE payment_events (
    payment_id text NOT NULL,
    number bigint NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    actor text NOT NULL,
    command_id text,
    transfer_id uuid,
    details jsonb NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT pk_payment_events PRIMARY KEY (payment_id, number),
    CONSTRAINT fk_payment_events_payment_id_payments FOREIGN KEY (payment_id) REFERENCES payments
);
CREATE UNIQUE INDEX uq_payment_events_payment_id_command_id ON payment_events (payment_id, command_id);
SELECT pg_temp.row_security('payment_events');
CREATE POLICY tenant_reads ON payment_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT 1 FROM payments WHERE payments.id = payment_events.payment_id));
SELECT pg_temp.append_only('payment_events');
GRANT SELECT ON payment_events TO bursar_api;
GRANT SELECT, INSERT ON payment_events TO bursar_platform;

CREATE TABLE payment_movements (
    provider text NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    amount_minor bigint NOT NULL,
    fee_minor bigint,
    currency text NOT NULL,
    payment_id text,
    org_id text,
    transfer_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_payment_movements PRIMARY KEY (provider, key),
    CONSTRAINT fk_payment_movements_payment_id_payments FOREIGN KEY (payment_id) REFERENCES payments
);
CREATE INDEX ix_payment_movements_payment_id ON payment_movements (payment_id);
CREATE INDEX ix_payment_movements_provider_occurred_at ON payment_movements (provider, occurred_at);
SELECT pg_temp.row_security('payment_movements');
SELECT pg_temp.refuse_deletes('payment_movements');
GRANT SELECT, INSERT, UPDATE (fee_minor) ON payment_movements TO bursar_platform;
ALTER TABLE reconciliation_corrections ADD CONSTRAINT fk_reconciliation_corrections_movement
    FOREIGN KEY (provider, movement_key) REFERENCES payment_movements;

CREATE TABLE payment_command_contents (
    command_id text NOT NULL,
    payment_id text NOT NULL,
    content_hash text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_payment_command_contents PRIMARY KEY (command_id)
);
SELECT pg_temp.row_security('payment_command_contents');
GRANT SELECT, INSERT, DELETE ON payment_command_contents TO bursar_platform;

CREATE TABLE payment_commands (
    command_id text NOT NULL,
    org_id text NOT NULL,
    payment_id text NOT NULL,
    request_hash bytea NOT NULL,
    terms jsonb NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    asked_by jsonb,
    CONSTRAINT pk_payment_commands PRIMARY KEY (command_id),
    CONSTRAINT uq_payment_commands_payment_id UNIQUE (payment_id),
    CONSTRAINT fk_payment_commands_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('payment_commands');
SELECT pg_temp.tenant_reads_own('payment_commands');
CREATE POLICY tenant_writes ON payment_commands FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());
SELECT pg_temp.append_only('payment_commands');
GRANT INSERT ON payment_commands TO bursar_api;
GRANT SELECT, INSERT ON payment_commands TO bursar_platform;

CREATE TABLE payment_disputes (
    id text NOT NULL,
    provider text NOT NULL,
    ref text NOT NULL,
    payment_id text NOT NULL,
    org_id text NOT NULL,
    status text NOT NULL,
    reason text NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    opened_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pk_payment_disputes PRIMARY KEY (id),
    CONSTRAINT fk_payment_disputes_payment_id_payments FOREIGN KEY (payment_id) REFERENCES payments
);
CREATE INDEX ix_payment_disputes_opened_at_id ON payment_disputes (opened_at, id);
CREATE INDEX ix_payment_disputes_org_id_opened_at_id ON payment_disputes (org_id, opened_at, id);
CREATE INDEX ix_payment_disputes_org_id_status_opened_at_id ON payment_disputes (org_id, status, opened_at, id);
CREATE INDEX ix_payment_disputes_payment_id ON payment_disputes (payment_id);
CREATE INDEX ix_payment_disputes_status_opened_at_id ON payment_disputes (status, opened_at, id);
CREATE UNIQUE INDEX uq_payment_disputes_provider_ref ON payment_disputes (provider, ref);
SELECT pg_temp.row_security('payment_disputes');
SELECT pg_temp.tenant_reads_own('payment_disputes');
GRANT SELECT, INSERT, UPDATE ON payment_disputes TO bursar_platform;

CREATE TABLE provider_events (
    id bigint GENERATED ALWAYS AS IDENTITY,
    provider text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    status text NOT NULL,
    payment_id text,
    refs text[] NOT NULL,
    livemode boolean NOT NULL,
    payload jsonb,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    handled_at timestamptz,
    CONSTRAINT pk_provider_events PRIMARY KEY (id)
);
CREATE INDEX ix_provider_events_payload ON provider_events (handled_at) WHERE payload IS NOT NULL;
CREATE INDEX ix_provider_events_payment_id ON provider_events (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX ix_provider_events_status_id ON provider_events (status, id);
CREATE INDEX ix_provider_events_unhandled ON provider_events (id) WHERE handled_at IS NULL;
CREATE UNIQUE INDEX uq_provider_events_provider_event_id ON provider_events (provider, event_id);
SELECT pg_temp.row_security('provider_events');
GRANT SELECT, INSERT, UPDATE (status, payment_id, payload, handled_at) ON provider_events TO bursar_platform;

CREATE TABLE provider_customers (
    org_id text NOT NULL,
    provider text NOT NULL,
    customer_ref text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_provider_customers PRIMARY KEY (org_id, provider),
    CONSTRAINT fk_provider_customers_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE UNIQUE INDEX uq_provider_customers_provider_customer_ref ON provider_customers (provider, customer_ref);
SELECT pg_temp.row_security('provider_customers');
SELECT pg_temp.tenant_reads_own('provider_customers');
GRANT SELECT, INSERT ON provider_customers TO bursar_platform;

CREATE TABLE crypto_deposits (
    payment_id text NOT NULL,
    org_id text NOT NULL,
    chain text NOT NULL,
    asset text NOT NULL,
    chain_key text NOT NULL,
    index bigint NOT NULL,
    address text NOT NULL,
    memo text,
    amount_minor bigint NOT NULL,
    scanned_height bigint NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    cancelled_at timestamptz,
    version bigint NOT NULL,
    recorded_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_crypto_deposits PRIMARY KEY (payment_id),
    CONSTRAINT uq_crypto_deposits_chain_key_index UNIQUE (chain_key, index),
    CONSTRAINT ck_crypto_deposits_amount CHECK (amount_minor > 0),
    CONSTRAINT ck_crypto_deposits_index CHECK (index >= 0 AND index < 2147483648)
);
CREATE INDEX ix_crypto_deposits_created_at ON crypto_deposits (created_at);
CREATE UNIQUE INDEX uq_crypto_deposits_place ON crypto_deposits (chain, address, memo) NULLS NOT DISTINCT;
SELECT pg_temp.row_security('crypto_deposits');
SELECT pg_temp.refuse_deletes('crypto_deposits');
GRANT SELECT, INSERT, UPDATE (scanned_height, cancelled_at, version) ON crypto_deposits TO bursar_platform;

-- Nothing of deposits can be deleted, so no index of a key is ever free again.
CREATE TABLE crypto_indexes (
    chain_key text NOT NULL,
    next_index bigint NOT NULL,
    CONSTRAINT pk_crypto_indexes PRIMARY KEY (chain_key)
);
SELECT pg_temp.row_security('crypto_indexes');
SELECT pg_temp.refuse_deletes('crypto_indexes');
GRANT SELECT, INSERT, UPDATE (next_index) ON crypto_indexes TO bursar_platform;

CREATE TABLE crypto_receipts (
    chain text NOT NULL,
    asset text NOT NULL,
    tx text NOT NULL,
    index bigint NOT NULL,
    generation bigint NOT NULL,
    payment_id text NOT NULL,
    amount_minor bigint NOT NULL,
    height bigint NOT NULL,
    block_hash text,
    sent_at timestamptz,
    final_at timestamptz NOT NULL,
    reversed_at timestamptz,
    recorded_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_crypto_receipts PRIMARY KEY (chain, asset, tx, index, generation),
    CONSTRAINT ck_crypto_receipts_amount CHECK (amount_minor > 0),
    CONSTRAINT fk_crypto_receipts_payment_id_crypto_deposits FOREIGN KEY (payment_id) REFERENCES crypto_deposits
);
CREATE INDEX ix_crypto_receipts_final_at ON crypto_receipts (final_at);
CREATE INDEX ix_crypto_receipts_payment_id ON crypto_receipts (payment_id);
CREATE INDEX ix_crypto_receipts_reversed_at ON crypto_receipts (reversed_at) WHERE reversed_at IS NOT NULL;
CREATE UNIQUE INDEX uq_crypto_receipts_standing ON crypto_receipts (chain, asset, tx, index) WHERE reversed_at IS NULL;
SELECT pg_temp.row_security('crypto_receipts');
SELECT pg_temp.refuse_deletes('crypto_receipts');
GRANT SELECT, INSERT, UPDATE (height, block_hash, reversed_at) ON crypto_receipts TO bursar_platform;

CREATE TABLE auto_topups (
    org_id text NOT NULL,
    enabled boolean NOT NULL,
    below_minor bigint NOT NULL,
    credits_minor bigint NOT NULL,
    monthly_cap_minor bigint NOT NULL,
    payment_method text,
    armed boolean NOT NULL,
    crossings bigint NOT NULL,
    off_reason text,
    updated_by text NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    capped_until timestamptz,
    failures bigint DEFAULT 0 NOT NULL,
    retry_at timestamptz,
    CONSTRAINT pk_auto_topups PRIMARY KEY (org_id),
    CONSTRAINT ck_auto_topups_amounts CHECK (below_minor > 0 AND credits_minor > 0),
    CONSTRAINT ck_auto_topups_cap CHECK (monthly_cap_minor >= credits_minor),
    CONSTRAINT fk_auto_topups_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('auto_topups');
SELECT pg_temp.tenant_reads_own('auto_topups');
SELECT pg_temp.refuse_deletes('auto_topups');
GRANT SELECT, INSERT, UPDATE ON auto_topups TO bursar_platform;

CREATE TABLE auto_topup_crossings (
    org_id text NOT NULL,
    number bigint NOT NULL,
    at timestamptz NOT NULL,
    available_minor bigint NOT NULL,
    credits_minor bigint NOT NULL,
    unit_minor bigint NOT NULL,
    payment_method text,
    payment_id text,
    outcome text NOT NULL,
    CONSTRAINT pk_auto_topup_crossings PRIMARY KEY (org_id, number),
    CONSTRAINT ck_auto_topup_crossings_outcome
        CHECK (outcome IN ('open', 'succeeded', 'declined', 'cancelled', 'expired')),
    CONSTRAINT fk_auto_topup_crossings_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE UNIQUE INDEX uq_auto_topup_crossings_open ON auto_topup_crossings (org_id) WHERE outcome = 'open';
SELECT pg_temp.row_security('auto_topup_crossings');
SELECT pg_temp.tenant_reads_own('auto_topup_crossings');
SELECT pg_temp.refuse_deletes('auto_topup_crossings');
GRANT SELECT, INSERT, UPDATE (payment_id, outcome) ON auto_topup_crossings TO bursar_platform;

\ir ../../repositories/sql/payments/payments.sql
\ir ../../repositories/sql/payments/payment_commands.sql
