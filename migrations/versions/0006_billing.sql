-- Projects, invoices and their collection, billing runs, subscriptions, tax and documents.

CREATE TABLE projects (
    id text NOT NULL,
    org_id text NOT NULL,
    slug text NOT NULL,
    name text NOT NULL,
    deployed_at timestamptz,
    occupies_slot boolean NOT NULL,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    deploy_type text DEFAULT 'development' NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    CONSTRAINT pk_projects PRIMARY KEY (id),
    CONSTRAINT uq_projects_command_id UNIQUE (command_id),
    CONSTRAINT uq_projects_org_id_slug UNIQUE (org_id, slug),
    CONSTRAINT ck_projects_deploy_type CHECK (deploy_type IN ('development', 'staging', 'production')),
    CONSTRAINT ck_projects_slot CHECK (deployed_at IS NOT NULL OR NOT occupies_slot),
    CONSTRAINT fk_projects_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_projects_org_id_id ON projects (org_id, id);
SELECT pg_temp.row_security('projects');
SELECT pg_temp.tenant_reads_own('projects');
SELECT pg_temp.refuse_deletes('projects');
CREATE TRIGGER count_version BEFORE UPDATE ON projects
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION count_version();
GRANT SELECT, INSERT, UPDATE (name, deployed_at, occupies_slot, version) ON projects TO bursar_platform;
ALTER TABLE api_keys ADD CONSTRAINT fk_api_keys_project_id_projects FOREIGN KEY (project_id) REFERENCES projects;

CREATE TABLE deployment_events (
    org_id text NOT NULL,
    number bigint NOT NULL,
    kind text NOT NULL,
    project_id text,
    slots bigint NOT NULL,
    transfer_id uuid,
    actor text NOT NULL,
    command_id text NOT NULL,
    at timestamptz NOT NULL,
    plan text NOT NULL,
    share bigint,
    CONSTRAINT pk_deployment_events PRIMARY KEY (org_id, number),
    CONSTRAINT uq_deployment_events_command_id UNIQUE (command_id),
    CONSTRAINT ck_deployment_events_kind CHECK (kind IN ('deployed', 'undeployed', 'tier_changed')),
    CONSTRAINT ck_deployment_events_project CHECK ((project_id IS NULL) = (kind = 'tier_changed')),
    CONSTRAINT ck_deployment_events_transfer CHECK ((transfer_id IS NULL) = (slots = 0)),
    CONSTRAINT fk_deployment_events_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_deployment_events_project_id_projects FOREIGN KEY (project_id) REFERENCES projects
);
SELECT pg_temp.row_security('deployment_events');
SELECT pg_temp.tenant_reads_own('deployment_events');
SELECT pg_temp.append_only('deployment_events');
GRANT SELECT, INSERT ON deployment_events TO bursar_platform;

CREATE TABLE billing_profiles (
    org_id text NOT NULL,
    legal_name text,
    line1 text,
    line2 text,
    city text,
    postal_code text,
    region text,
    country text,
    email text,
    language text,
    vat_id text,
    vat_reference text,
    vat_confirmed_at timestamptz,
    card_country text,
    confirmed_country text,
    is_exempt boolean DEFAULT false NOT NULL,
    exempt_reason text,
    updated_by text NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    charges_vat boolean DEFAULT false NOT NULL,
    legal_entity text,
    CONSTRAINT pk_billing_profiles PRIMARY KEY (org_id),
    CONSTRAINT ck_billing_profiles_exempt CHECK (NOT is_exempt OR exempt_reason IS NOT NULL),
    CONSTRAINT ck_billing_profiles_vat CHECK (num_nonnulls(vat_reference, vat_confirmed_at) <> 1),
    CONSTRAINT fk_billing_profiles_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_billing_profiles_vat_id ON billing_profiles (vat_id) WHERE vat_id IS NOT NULL;
SELECT pg_temp.row_security('billing_profiles');
SELECT pg_temp.tenant_reads_own('billing_profiles');
SELECT pg_temp.refuse_deletes('billing_profiles');
GRANT SELECT, INSERT, UPDATE ON billing_profiles TO bursar_platform;

CREATE TABLE tax_rates (
    id text NOT NULL,
    code text NOT NULL,
    country text NOT NULL,
    region text NOT NULL,
    product text NOT NULL,
    rate_e6 bigint NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_until timestamptz,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_tax_rates PRIMARY KEY (id),
    CONSTRAINT uq_tax_rates_command_id UNIQUE (command_id),
    CONSTRAINT uq_tax_rates_place_valid_from UNIQUE (country, region, product, valid_from),
    CONSTRAINT ck_tax_rates_rate CHECK (rate_e6 BETWEEN 0 AND 1000000 AND valid_until > valid_from)
);
SELECT pg_temp.row_security('tax_rates');
SELECT pg_temp.refuse_deletes('tax_rates');
GRANT SELECT, INSERT ON tax_rates TO bursar_platform;

CREATE TABLE billing_terms (
    org_id text NOT NULL,
    version bigint NOT NULL,
    starts_at timestamptz NOT NULL,
    from_month date NOT NULL,
    mode text NOT NULL,
    currency text NOT NULL,
    time_zone text NOT NULL,
    commitment_minor bigint NOT NULL,
    commitment_from date,
    discounts jsonb NOT NULL,
    net_days bigint NOT NULL,
    reason text,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    plan_prices jsonb DEFAULT '[]' NOT NULL,
    collection_method text DEFAULT 'charge_automatically' NOT NULL,
    unpaid_limit_minor bigint,
    CONSTRAINT pk_billing_terms PRIMARY KEY (org_id, version),
    CONSTRAINT uq_billing_terms_command_id UNIQUE (command_id),
    CONSTRAINT ck_billing_terms_amounts CHECK (commitment_minor >= 0 AND net_days >= 0 AND unpaid_limit_minor >= 0),
    CONSTRAINT ck_billing_terms_collection_method CHECK (collection_method IN ('charge_automatically', 'send_invoice')),
    CONSTRAINT ck_billing_terms_mode CHECK (mode IN ('prepaid', 'arrears')),
    CONSTRAINT fk_billing_terms_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('billing_terms');
SELECT pg_temp.tenant_reads_own('billing_terms');
SELECT pg_temp.refuse_deletes('billing_terms');
GRANT SELECT, INSERT ON billing_terms TO bursar_platform;

-- Nothing can be deleted, so numbers stay without gaps.
CREATE TABLE number_sequences (
    name text NOT NULL,
    last bigint NOT NULL,
    CONSTRAINT pk_number_sequences PRIMARY KEY (name)
);
SELECT pg_temp.row_security('number_sequences');
SELECT pg_temp.refuse_deletes('number_sequences');
GRANT SELECT, INSERT, UPDATE (last) ON number_sequences TO bursar_platform;

CREATE TABLE invoices (
    id text NOT NULL,
    org_id text NOT NULL,
    number text,
    status text NOT NULL,
    currency text NOT NULL,
    total_minor bigint NOT NULL,
    paid_minor bigint NOT NULL,
    lines jsonb NOT NULL,
    note text,
    issued_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    transfer_id uuid,
    void_transfer_id uuid,
    created_by text NOT NULL,
    command_id text NOT NULL,
    void_command_id text,
    subtotal_minor bigint DEFAULT '0' NOT NULL,
    tax_minor bigint DEFAULT '0' NOT NULL,
    prepaid_minor bigint DEFAULT '0' NOT NULL,
    prepaid_credits_minor bigint DEFAULT '0' NOT NULL,
    granted_minor bigint DEFAULT '0' NOT NULL,
    granted_credits_minor bigint DEFAULT '0' NOT NULL,
    credited_minor bigint DEFAULT '0' NOT NULL,
    written_off_minor bigint DEFAULT '0' NOT NULL,
    discounts jsonb DEFAULT '[]'::jsonb NOT NULL,
    taxes jsonb DEFAULT '[]'::jsonb NOT NULL,
    series text DEFAULT 'invoice' NOT NULL,
    party jsonb,
    includes_tax boolean DEFAULT false NOT NULL,
    applies_credits boolean DEFAULT false NOT NULL,
    is_proven boolean DEFAULT true NOT NULL,
    paused_for text,
    finalise_command_id text,
    write_off_command_id text,
    write_off_transfer_id uuid,
    discarded_at timestamptz,
    taxed_minor bigint DEFAULT '0' NOT NULL,
    taxed_credits_minor bigint DEFAULT '0' NOT NULL,
    rounded_minor bigint DEFAULT '0' NOT NULL,
    CONSTRAINT pk_invoices PRIMARY KEY (id),
    CONSTRAINT uq_invoices_command_id UNIQUE (command_id),
    CONSTRAINT uq_invoices_finalise_command_id UNIQUE (finalise_command_id),
    CONSTRAINT uq_invoices_number UNIQUE (number),
    CONSTRAINT uq_invoices_transfer_id UNIQUE (transfer_id),
    CONSTRAINT uq_invoices_void_command_id UNIQUE (void_command_id),
    CONSTRAINT uq_invoices_void_transfer_id UNIQUE (void_transfer_id),
    CONSTRAINT uq_invoices_write_off_command_id UNIQUE (write_off_command_id),
    CONSTRAINT uq_invoices_write_off_transfer_id UNIQUE (write_off_transfer_id),
    CONSTRAINT ck_invoices_amounts CHECK (least(paid_minor, subtotal_minor, tax_minor, prepaid_minor, granted_minor,
        credited_minor, written_off_minor, prepaid_credits_minor, granted_credits_minor, taxed_minor,
        taxed_credits_minor, rounded_minor) >= 0 AND total_minor = subtotal_minor + tax_minor
        AND paid_minor + prepaid_minor + rounded_minor + credited_minor + written_off_minor <= total_minor),
    CONSTRAINT ck_invoices_discarded CHECK (discarded_at IS NULL OR status = 'draft'),
    CONSTRAINT ck_invoices_paused_for
        CHECK (paused_for IS NULL OR paused_for IN ('refund', 'chargeback') AND status = 'open'),
    CONSTRAINT ck_invoices_status CHECK (CASE status
        WHEN 'draft' THEN num_nonnulls(number, transfer_id, finalise_command_id) = 0
        WHEN 'void' THEN paid_minor = 0 AND finalise_command_id IS NOT NULL
        ELSE finalise_command_id IS NOT NULL AND CASE status
            WHEN 'open' THEN
                paid_minor + prepaid_minor + rounded_minor + credited_minor + written_off_minor < total_minor
            WHEN 'paid' THEN
                paid_minor + prepaid_minor + rounded_minor + credited_minor + written_off_minor = total_minor
            WHEN 'uncollectible' THEN
                paid_minor + prepaid_minor + rounded_minor + credited_minor + written_off_minor = total_minor
                AND written_off_minor > 0
            ELSE false END
        END),
    CONSTRAINT ck_invoices_void
        CHECK (num_nonnulls(void_transfer_id, void_command_id) = CASE status WHEN 'void' THEN 2 ELSE 0 END),
    CONSTRAINT fk_invoices_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_invoices_org_id_id ON invoices (org_id, id);
CREATE INDEX ix_invoices_org_id_status_id ON invoices (org_id, status, id);
CREATE INDEX ix_invoices_status_id ON invoices (status, id);
CREATE INDEX ix_invoices_unnumbered ON invoices (series, issued_at, id) WHERE number IS NULL AND status <> 'draft';
SELECT pg_temp.row_security('invoices');
-- A draft is nobody's to see until it is an invoice.
CREATE POLICY tenant_reads ON invoices FOR SELECT TO bursar_api USING (org_id = bursar_org() AND status <> 'draft');
SELECT pg_temp.refuse_deletes('invoices');
GRANT SELECT ON invoices TO bursar_api;
GRANT SELECT, INSERT, UPDATE (status, paid_minor, updated_at, void_transfer_id, void_command_id, prepaid_minor,
    prepaid_credits_minor, granted_credits_minor, credited_minor, written_off_minor, paused_for, write_off_command_id,
    write_off_transfer_id, taxed_credits_minor, rounded_minor) ON invoices TO bursar_platform;

CREATE TABLE invoice_payments (
    invoice_id text NOT NULL,
    payment_id text NOT NULL,
    org_id text NOT NULL,
    amount_minor bigint NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pk_invoice_payments PRIMARY KEY (invoice_id, payment_id),
    CONSTRAINT ck_invoice_payments_amount CHECK (amount_minor >= 0),
    CONSTRAINT fk_invoice_payments_invoice_id_invoices FOREIGN KEY (invoice_id) REFERENCES invoices,
    CONSTRAINT fk_invoice_payments_payment_id_payments FOREIGN KEY (payment_id) REFERENCES payments
);
CREATE INDEX ix_invoice_payments_payment_id ON invoice_payments (payment_id);
SELECT pg_temp.row_security('invoice_payments');
SELECT pg_temp.tenant_reads_own('invoice_payments');
SELECT pg_temp.refuse_deletes('invoice_payments');
GRANT SELECT, INSERT, UPDATE (amount_minor, updated_at) ON invoice_payments TO bursar_platform;

CREATE TABLE credit_notes (
    id text NOT NULL,
    org_id text NOT NULL,
    invoice_id text NOT NULL,
    number text NOT NULL,
    series text NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL,
    net_minor bigint NOT NULL,
    tax_minor bigint NOT NULL,
    prepaid_minor bigint NOT NULL,
    credits_minor bigint NOT NULL,
    parts jsonb NOT NULL,
    reason text NOT NULL,
    issued_at timestamptz NOT NULL,
    transfer_id uuid NOT NULL,
    created_by text NOT NULL,
    command_id text NOT NULL,
    rounded_minor bigint DEFAULT '0' NOT NULL,
    CONSTRAINT pk_credit_notes PRIMARY KEY (id),
    CONSTRAINT uq_credit_notes_command_id UNIQUE (command_id),
    CONSTRAINT uq_credit_notes_number UNIQUE (number),
    CONSTRAINT uq_credit_notes_transfer_id UNIQUE (transfer_id),
    CONSTRAINT ck_credit_notes_amounts CHECK (amount_minor > 0 AND amount_minor = net_minor + tax_minor
        AND least(net_minor, tax_minor, prepaid_minor, credits_minor, rounded_minor) >= 0
        AND prepaid_minor + rounded_minor <= amount_minor),
    CONSTRAINT fk_credit_notes_invoice_id_invoices FOREIGN KEY (invoice_id) REFERENCES invoices,
    CONSTRAINT fk_credit_notes_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_credit_notes_invoice_id_id ON credit_notes (invoice_id, id);
CREATE INDEX ix_credit_notes_org_id_id ON credit_notes (org_id, id);
SELECT pg_temp.row_security('credit_notes');
SELECT pg_temp.tenant_reads_own('credit_notes');
SELECT pg_temp.refuse_deletes('credit_notes');
GRANT SELECT, INSERT ON credit_notes TO bursar_platform;

CREATE TABLE number_gaps (
    name text NOT NULL,
    first bigint NOT NULL,
    last bigint NOT NULL,
    made_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_number_gaps PRIMARY KEY (name, first),
    CONSTRAINT ck_number_gaps_numbers CHECK (first >= 1 AND last >= first)
);
SELECT pg_temp.row_security('number_gaps');
SELECT pg_temp.append_only('number_gaps');
GRANT SELECT ON number_gaps TO bursar_platform;

CREATE TABLE invoice_collections (
    invoice_id text NOT NULL,
    org_id text NOT NULL,
    method text NOT NULL,
    status text NOT NULL,
    version bigint NOT NULL,
    wake_at timestamptz,
    state jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pk_invoice_collections PRIMARY KEY (invoice_id),
    CONSTRAINT ck_invoice_collections_method CHECK (method IN ('charge_automatically', 'send_invoice')),
    CONSTRAINT ck_invoice_collections_wake_at
        CHECK ((wake_at IS NULL) = (status IN ('paused', 'paid', 'void', 'uncollectible'))),
    CONSTRAINT fk_invoice_collections_invoice_id_invoices FOREIGN KEY (invoice_id) REFERENCES invoices,
    CONSTRAINT fk_invoice_collections_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_invoice_collections_open ON invoice_collections (invoice_id)
    WHERE status NOT IN ('paid', 'void', 'uncollectible');
CREATE INDEX ix_invoice_collections_org_id_invoice_id ON invoice_collections (org_id, invoice_id);
CREATE INDEX ix_invoice_collections_wake_at ON invoice_collections (wake_at) WHERE wake_at IS NOT NULL;
SELECT pg_temp.row_security('invoice_collections');
SELECT pg_temp.tenant_reads_own('invoice_collections');
SELECT pg_temp.refuse_deletes('invoice_collections');
GRANT SELECT, INSERT, UPDATE (method, status, version, wake_at, state, updated_at)
    ON invoice_collections TO bursar_platform;

CREATE TABLE invoice_collection_events (
    invoice_id text NOT NULL,
    number bigint NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    actor text NOT NULL,
    command_id text NOT NULL,
    details jsonb NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT pk_invoice_collection_events PRIMARY KEY (invoice_id, number),
    CONSTRAINT fk_invoice_collection_events_invoice_id_invoice_collections
        FOREIGN KEY (invoice_id) REFERENCES invoice_collections
);
CREATE UNIQUE INDEX uq_invoice_collection_events_invoice_id_command_id ON invoice_collection_events (invoice_id,
    command_id);
SELECT pg_temp.row_security('invoice_collection_events');
CREATE POLICY tenant_reads ON invoice_collection_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT FROM invoice_collections c WHERE c.invoice_id = invoice_collection_events.invoice_id));
SELECT pg_temp.refuse_deletes('invoice_collection_events');
GRANT SELECT ON invoice_collection_events TO bursar_api;
GRANT SELECT, INSERT ON invoice_collection_events TO bursar_platform;

CREATE TABLE billing_runs (
    month date NOT NULL,
    ready_at timestamptz NOT NULL,
    started_by text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    invoiced bigint NOT NULL,
    empty bigint NOT NULL,
    failed bigint NOT NULL,
    CONSTRAINT pk_billing_runs PRIMARY KEY (month)
);
SELECT pg_temp.row_security('billing_runs');
SELECT pg_temp.refuse_deletes('billing_runs');
GRANT SELECT, INSERT, UPDATE (started_at, finished_at, invoiced, empty, failed) ON billing_runs TO bursar_platform;

CREATE TABLE billed_periods (
    org_id text NOT NULL,
    month date NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    status text NOT NULL,
    terms_version bigint NOT NULL,
    currency text NOT NULL,
    charges_minor bigint NOT NULL,
    usage_minor bigint NOT NULL,
    shortfall_minor bigint NOT NULL,
    total_minor bigint NOT NULL,
    invoice_id text,
    failure text,
    done_at timestamptz NOT NULL,
    CONSTRAINT pk_billed_periods PRIMARY KEY (org_id, month),
    CONSTRAINT ck_billed_periods_failure CHECK ((failure IS NOT NULL) = (status = 'failed')),
    CONSTRAINT ck_billed_periods_invoice CHECK (invoice_id IS NULL OR status = 'invoiced'),
    CONSTRAINT ck_billed_periods_status CHECK (status IN ('invoiced', 'empty', 'failed')),
    CONSTRAINT fk_billed_periods_invoice_id_invoices
        FOREIGN KEY (invoice_id) REFERENCES invoices DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT fk_billed_periods_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_billed_periods_month_status ON billed_periods (month, status, org_id);
CREATE UNIQUE INDEX uq_billed_periods_invoice_id ON billed_periods (invoice_id);
SELECT pg_temp.row_security('billed_periods');
SELECT pg_temp.tenant_reads_own('billed_periods');
SELECT pg_temp.refuse_deletes('billed_periods');
-- What was invoiced stays invoiced.
CREATE TRIGGER refuse_change BEFORE UPDATE ON billed_periods
    FOR EACH ROW WHEN (OLD.status = 'empty' OR OLD.invoice_id IS NOT NULL) EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (starts_at, ends_at, status, terms_version, currency, charges_minor, usage_minor,
    shortfall_minor, total_minor, invoice_id, failure, done_at) ON billed_periods TO bursar_platform;

CREATE TABLE invoice_items (
    id text NOT NULL,
    org_id text NOT NULL,
    currency text NOT NULL,
    description text NOT NULL,
    quantity bigint NOT NULL,
    unit_minor bigint NOT NULL,
    invoice_id text,
    removed_at timestamptz,
    created_by text NOT NULL,
    command_id text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_invoice_items PRIMARY KEY (id),
    CONSTRAINT uq_invoice_items_command_id UNIQUE (command_id),
    CONSTRAINT ck_invoice_items_amounts CHECK (quantity > 0 AND unit_minor > 0),
    CONSTRAINT ck_invoice_items_ended CHECK (num_nonnulls(invoice_id, removed_at) < 2),
    CONSTRAINT fk_invoice_items_invoice_id_invoices FOREIGN KEY (invoice_id) REFERENCES invoices,
    CONSTRAINT fk_invoice_items_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_invoice_items_invoice_id ON invoice_items (invoice_id);
CREATE INDEX ix_invoice_items_open ON invoice_items (org_id, id) WHERE invoice_id IS NULL AND removed_at IS NULL;
CREATE INDEX ix_invoice_items_org_id_id ON invoice_items (org_id, id);
SELECT pg_temp.row_security('invoice_items');
SELECT pg_temp.tenant_reads_own('invoice_items');
SELECT pg_temp.refuse_deletes('invoice_items');
CREATE TRIGGER refuse_change BEFORE UPDATE ON invoice_items
    FOR EACH ROW WHEN (num_nonnulls(OLD.invoice_id, OLD.removed_at) > 0) EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (invoice_id, removed_at) ON invoice_items TO bursar_platform;

CREATE TABLE subscriptions (
    id text NOT NULL,
    org_id text NOT NULL,
    provider text NOT NULL,
    provider_ref text,
    status text NOT NULL,
    plan text NOT NULL,
    version bigint NOT NULL,
    state jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    wake_at timestamptz,
    CONSTRAINT pk_subscriptions PRIMARY KEY (id),
    CONSTRAINT uq_subscriptions_provider_provider_ref UNIQUE (provider, provider_ref),
    CONSTRAINT fk_subscriptions_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_subscriptions_org_id_id ON subscriptions (org_id, id);
CREATE INDEX ix_subscriptions_wake_at ON subscriptions (wake_at) WHERE wake_at IS NOT NULL;
CREATE UNIQUE INDEX uq_subscriptions_org_id ON subscriptions (org_id) WHERE status <> 'ended';
SELECT pg_temp.row_security('subscriptions');
SELECT pg_temp.tenant_reads_own('subscriptions');
SELECT pg_temp.refuse_deletes('subscriptions');
GRANT SELECT, INSERT, UPDATE (provider_ref, status, plan, version, state, updated_at, wake_at)
    ON subscriptions TO bursar_platform;

CREATE TABLE subscription_events (
    subscription_id text NOT NULL,
    number bigint NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    actor text NOT NULL,
    command_id text NOT NULL,
    details jsonb NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_subscription_events PRIMARY KEY (subscription_id, number),
    CONSTRAINT uq_subscription_events_subscription_id_command_id UNIQUE (subscription_id, command_id),
    CONSTRAINT fk_subscription_events_subscription_id_subscriptions
        FOREIGN KEY (subscription_id) REFERENCES subscriptions
);
SELECT pg_temp.row_security('subscription_events');
CREATE POLICY tenant_reads ON subscription_events FOR SELECT TO bursar_api
    USING (EXISTS (SELECT 1 FROM subscriptions s WHERE s.id = subscription_events.subscription_id));
SELECT pg_temp.refuse_deletes('subscription_events');
CREATE TRIGGER refuse_change BEFORE UPDATE ON subscription_events FOR EACH ROW EXECUTE FUNCTION refuse_change();
GRANT SELECT ON subscription_events TO bursar_api;
GRANT SELECT, INSERT ON subscription_events TO bursar_platform;

CREATE TABLE subscription_bills (
    provider text NOT NULL,
    bill_ref text NOT NULL,
    subscription_id text NOT NULL,
    org_id text NOT NULL,
    invoice_id text NOT NULL,
    payment_id text,
    currency text NOT NULL,
    gross_minor bigint NOT NULL,
    amount_minor bigint NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    for_credits_minor bigint NOT NULL,
    granted_minor bigint DEFAULT 0 NOT NULL,
    accrued_minor bigint DEFAULT 0 NOT NULL,
    accrued_on date NOT NULL,
    settled_at timestamptz,
    returned_minor bigint DEFAULT 0 NOT NULL,
    credited_minor bigint DEFAULT 0 NOT NULL,
    hold_id uuid,
    left_out jsonb DEFAULT '[]' NOT NULL,
    CONSTRAINT pk_subscription_bills PRIMARY KEY (provider, bill_ref),
    CONSTRAINT uq_subscription_bills_invoice_id UNIQUE (invoice_id),
    CONSTRAINT uq_subscription_bills_payment_id UNIQUE (payment_id),
    CONSTRAINT ck_subscription_bills_amount CHECK (amount_minor BETWEEN 0 AND gross_minor AND gross_minor > 0),
    CONSTRAINT ck_subscription_bills_for_credits CHECK (for_credits_minor BETWEEN granted_minor AND amount_minor),
    CONSTRAINT ck_subscription_bills_given CHECK (least(granted_minor, accrued_minor, returned_minor,
        credited_minor) >= 0 AND granted_minor + accrued_minor + credited_minor <= amount_minor),
    CONSTRAINT ck_subscription_bills_period CHECK (period_start < period_end),
    CONSTRAINT fk_subscription_bills_invoice_id_invoices FOREIGN KEY (invoice_id) REFERENCES invoices,
    CONSTRAINT fk_subscription_bills_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_subscription_bills_payment_id_payments FOREIGN KEY (payment_id) REFERENCES payments,
    CONSTRAINT fk_subscription_bills_subscription_id_subscriptions
        FOREIGN KEY (subscription_id) REFERENCES subscriptions
);
CREATE INDEX ix_subscription_bills_deferred ON subscription_bills (accrued_on, provider, bill_ref)
    WHERE granted_minor + accrued_minor + credited_minor < amount_minor;
CREATE INDEX ix_subscription_bills_org_id ON subscription_bills (org_id);
CREATE INDEX ix_subscription_bills_subscription_id ON subscription_bills (subscription_id);
SELECT pg_temp.row_security('subscription_bills');
SELECT pg_temp.tenant_reads_own('subscription_bills');
SELECT pg_temp.refuse_deletes('subscription_bills');
GRANT SELECT, INSERT, UPDATE (payment_id, granted_minor, accrued_minor, accrued_on, settled_at, returned_minor,
    credited_minor, hold_id, left_out) ON subscription_bills TO bursar_platform;

CREATE TABLE subscription_grants (
    subscription_id text NOT NULL,
    key text NOT NULL,
    org_id text NOT NULL,
    bill_ref text NOT NULL,
    lot_id text NOT NULL,
    credits_minor bigint NOT NULL,
    paid_minor bigint NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    transfer_id uuid NOT NULL,
    CONSTRAINT pk_subscription_grants PRIMARY KEY (subscription_id, key),
    CONSTRAINT uq_subscription_grants_lot_id UNIQUE (lot_id),
    CONSTRAINT uq_subscription_grants_transfer_id UNIQUE (transfer_id),
    CONSTRAINT ck_subscription_grants_amounts CHECK (credits_minor > 0 AND paid_minor >= 0),
    CONSTRAINT fk_subscription_grants_lot_id_credit_lots FOREIGN KEY (lot_id) REFERENCES credit_lots,
    CONSTRAINT fk_subscription_grants_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_subscription_grants_subscription_id_subscriptions
        FOREIGN KEY (subscription_id) REFERENCES subscriptions
);
CREATE INDEX ix_subscription_grants_org_id ON subscription_grants (org_id);
SELECT pg_temp.row_security('subscription_grants');
SELECT pg_temp.tenant_reads_own('subscription_grants');
SELECT pg_temp.refuse_deletes('subscription_grants');
CREATE TRIGGER refuse_change BEFORE UPDATE ON subscription_grants FOR EACH ROW EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT ON subscription_grants TO bursar_platform;

CREATE TABLE subscription_trials (
    org_id text NOT NULL,
    card text,
    subscription_id text NOT NULL,
    began_at timestamptz NOT NULL,
    CONSTRAINT pk_subscription_trials PRIMARY KEY (org_id),
    CONSTRAINT uq_subscription_trials_card UNIQUE (card),
    CONSTRAINT fk_subscription_trials_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_subscription_trials_subscription_id_subscriptions
        FOREIGN KEY (subscription_id) REFERENCES subscriptions
);
SELECT pg_temp.row_security('subscription_trials');
GRANT SELECT, INSERT, UPDATE (card), DELETE ON subscription_trials TO bursar_platform;

-- Written once, so their numbers have no gaps.
CREATE TABLE tax_receipts (
    id text NOT NULL,
    org_id text NOT NULL,
    payment_id text NOT NULL,
    movement text NOT NULL,
    number text NOT NULL,
    series text NOT NULL,
    currency text NOT NULL,
    gross_minor bigint NOT NULL,
    net_minor bigint NOT NULL,
    tax_minor bigint NOT NULL,
    tax_code text NOT NULL,
    category text NOT NULL,
    rate_e6 bigint NOT NULL,
    party jsonb,
    transfer_id uuid NOT NULL,
    issued_at timestamptz NOT NULL,
    CONSTRAINT pk_tax_receipts PRIMARY KEY (id),
    CONSTRAINT uq_tax_receipts_movement UNIQUE (payment_id, movement),
    CONSTRAINT uq_tax_receipts_number UNIQUE (number),
    CONSTRAINT uq_tax_receipts_transfer_id UNIQUE (transfer_id),
    CONSTRAINT ck_tax_receipts_amounts CHECK (gross_minor <> 0 AND gross_minor = net_minor + tax_minor),
    CONSTRAINT fk_tax_receipts_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations,
    CONSTRAINT fk_tax_receipts_payment_id_payments FOREIGN KEY (payment_id) REFERENCES payments
);
CREATE INDEX ix_tax_receipts_org_id_id ON tax_receipts (org_id, id);
SELECT pg_temp.row_security('tax_receipts');
SELECT pg_temp.tenant_reads_own('tax_receipts');
SELECT pg_temp.append_only('tax_receipts');
GRANT SELECT, INSERT ON tax_receipts TO bursar_platform;

CREATE TABLE documents (
    id text NOT NULL,
    org_id text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    number text NOT NULL,
    version bigint NOT NULL,
    total_minor bigint NOT NULL,
    content jsonb NOT NULL,
    pdf bytea NOT NULL,
    xml bytea,
    sha256 text NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk_documents PRIMARY KEY (id),
    CONSTRAINT uq_documents_subject_version UNIQUE (subject, version),
    CONSTRAINT ck_documents_kind
        CHECK (kind IN ('invoice', 'receipt', 'credit_note', 'statement', 'statement_correction')),
    CONSTRAINT ck_documents_sha256 CHECK (sha256 = encode(sha256(pdf), 'hex')),
    CONSTRAINT fk_documents_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_documents_org_id_id ON documents (org_id, id);
SELECT pg_temp.row_security('documents');
SELECT pg_temp.tenant_reads_own('documents');
SELECT pg_temp.append_only('documents');
GRANT SELECT, INSERT ON documents TO bursar_platform;

\ir ../../repositories/sql/billing/billing.sql
\ir ../../repositories/sql/billing/billing_runs.sql
