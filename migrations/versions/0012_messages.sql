-- Events, webhooks, alerts, notifications and mails.

\ir ../../repositories/sql/messages/event_ids.sql

CREATE TABLE events (
    id text DEFAULT new_event_id() NOT NULL,
    type text NOT NULL,
    org_id text NOT NULL,
    subject text NOT NULL,
    subject_seq bigint NOT NULL,
    at timestamptz DEFAULT now() NOT NULL,
    data jsonb NOT NULL,
    written_in bigint DEFAULT pg_current_xact_id()::text::bigint NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (id),
    CONSTRAINT uq_events_subject UNIQUE (subject, org_id, subject_seq),
    CONSTRAINT ck_events_size CHECK (pg_column_size(data) <= 20480)
);
-- Where two of these cost the same, PostgreSQL takes the one that was made first. In another order a replay to a webhook
-- endpoint reads the whole history.
CREATE INDEX ix_events_written_in_id ON events (written_in, id);
CREATE INDEX ix_events_org_id_written_in_id ON events (org_id, written_in, id);
CREATE INDEX ix_events_org_id_type_written_in_id ON events (org_id, type, written_in, id);
SELECT pg_temp.row_security('events');
SELECT pg_temp.tenant_reads_own('events');
-- What a tenant does it tells itself of; what others may know of it, the platform's role writes.
CREATE POLICY tenant_writes ON events FOR INSERT TO bursar_api WITH CHECK (org_id = bursar_org());
SELECT pg_temp.append_only('events');
GRANT INSERT ON events TO bursar_api;
GRANT SELECT, INSERT ON events TO bursar_platform;

CREATE TABLE webhook_endpoints (
    id text NOT NULL,
    org_id text NOT NULL,
    command_id text NOT NULL,
    url text NOT NULL,
    ordering text NOT NULL,
    status text NOT NULL,
    read_id text NOT NULL,
    created_by text NOT NULL,
    description text,
    public_key text,
    lease text,
    secret text,
    private_key text,
    previous_secret text,
    previous_private_key text,
    types text[] NOT NULL,
    state jsonb NOT NULL,
    idle boolean NOT NULL,
    version bigint NOT NULL,
    read_in bigint NOT NULL,
    slowed bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    previous_until timestamptz,
    seen_at timestamptz,
    wakes_at timestamptz,
    slow_until timestamptz,
    failing_since timestamptz,
    delivered_at timestamptz,
    waits_since timestamptz,
    older_keys jsonb DEFAULT '[]' NOT NULL,
    CONSTRAINT pk_webhook_endpoints PRIMARY KEY (id),
    CONSTRAINT uq_webhook_endpoints_command_id UNIQUE (command_id),
    CONSTRAINT fk_webhook_endpoints_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_webhook_endpoints_org_id_id ON webhook_endpoints (org_id, id);
SELECT pg_temp.row_security('webhook_endpoints');
SELECT pg_temp.tenant_reads_own('webhook_endpoints');
SELECT pg_temp.refuse_deletes('webhook_endpoints');
GRANT SELECT, INSERT, UPDATE ON webhook_endpoints TO bursar_platform;

CREATE TABLE webhook_endpoint_events (
    endpoint_id text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    actor text NOT NULL,
    command_id text NOT NULL,
    number bigint NOT NULL,
    details jsonb NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT pk_webhook_endpoint_events PRIMARY KEY (endpoint_id, number),
    CONSTRAINT fk_webhook_endpoint_events_endpoint_id_webhook_endpoints
        FOREIGN KEY (endpoint_id) REFERENCES webhook_endpoints
);
CREATE UNIQUE INDEX uq_webhook_endpoint_events_command_id ON webhook_endpoint_events (endpoint_id, command_id);
SELECT pg_temp.row_security('webhook_endpoint_events');
SELECT pg_temp.append_only('webhook_endpoint_events');
GRANT SELECT, INSERT ON webhook_endpoint_events TO bursar_platform;

CREATE TABLE webhook_deliveries (
    id text NOT NULL,
    endpoint_id text NOT NULL,
    org_id text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    subject text NOT NULL,
    status text NOT NULL,
    error text,
    answer text,
    subject_seq bigint NOT NULL,
    tries bigint NOT NULL,
    replays bigint NOT NULL,
    status_code bigint,
    created_at timestamptz NOT NULL,
    next_at timestamptz,
    tried_at timestamptz,
    delivered_at timestamptz,
    CONSTRAINT pk_webhook_deliveries PRIMARY KEY (id),
    CONSTRAINT fk_webhook_deliveries_endpoint_id_webhook_endpoints
        FOREIGN KEY (endpoint_id) REFERENCES webhook_endpoints
);
CREATE INDEX ix_webhook_deliveries_answered ON webhook_deliveries (tried_at) WHERE answer IS NOT NULL;
CREATE INDEX ix_webhook_deliveries_endpoint_id_id ON webhook_deliveries (endpoint_id, id);
CREATE INDEX ix_webhook_deliveries_pending ON webhook_deliveries (endpoint_id, subject, subject_seq)
    WHERE status = 'pending';
CREATE UNIQUE INDEX uq_webhook_deliveries_event ON webhook_deliveries (endpoint_id, event_id);
SELECT pg_temp.row_security('webhook_deliveries');
SELECT pg_temp.tenant_reads_own('webhook_deliveries');
SELECT pg_temp.refuse_deletes('webhook_deliveries');
GRANT SELECT, INSERT, UPDATE ON webhook_deliveries TO bursar_platform;

CREATE TABLE alerts (
    id text NOT NULL,
    key text NOT NULL,
    org_id text,
    kind text NOT NULL,
    subject text NOT NULL,
    detail text NOT NULL,
    shared boolean DEFAULT false NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    for_operators boolean DEFAULT true NOT NULL,
    org_acknowledged_at timestamptz,
    org_acknowledged_by text,
    severity text DEFAULT 'warning' NOT NULL,
    snoozed_until timestamptz,
    org_snoozed_until timestamptz,
    resolved_at timestamptz,
    told_at timestamptz,
    resolved_by text,
    rule_id text,
    "window" text,
    status text GENERATED ALWAYS AS (CASE
        WHEN resolved_at IS NOT NULL THEN 'resolved'
        WHEN acknowledged_at IS NOT NULL OR org_acknowledged_at IS NOT NULL AND NOT for_operators THEN 'acknowledged'
        ELSE 'firing' END) STORED NOT NULL,
    CONSTRAINT pk_alerts PRIMARY KEY (id),
    CONSTRAINT uq_alerts_key UNIQUE (key),
    CONSTRAINT ck_alerts_resolved CHECK ((resolved_at IS NULL) = (resolved_by IS NULL) AND (resolved_at IS NULL
        OR num_nonnulls(acknowledged_at, org_acknowledged_at) > 0)),
    CONSTRAINT ck_alerts_severity CHECK (severity IN ('info', 'warning', 'critical'))
);
CREATE INDEX ix_alerts_kind_id ON alerts (kind, id);
CREATE INDEX ix_alerts_open ON alerts (id) WHERE acknowledged_at IS NULL AND for_operators;
CREATE INDEX ix_alerts_org_id_id ON alerts (org_id, id);
CREATE INDEX ix_alerts_org_id_open ON alerts (org_id, id) WHERE acknowledged_at IS NULL;
CREATE INDEX ix_alerts_org_id_unresolved ON alerts (org_id, id) WHERE resolved_at IS NULL;
CREATE INDEX ix_alerts_org_id_unseen ON alerts (org_id, id)
    WHERE acknowledged_at IS NULL AND org_acknowledged_at IS NULL;
CREATE INDEX ix_alerts_subject_id ON alerts (subject, id);
CREATE INDEX ix_alerts_unresolved ON alerts (id) WHERE resolved_at IS NULL;
CREATE INDEX ix_alerts_untold ON alerts (id) WHERE told_at IS NULL;
CREATE INDEX ix_alerts_windows ON alerts (key)
    WHERE resolved_at IS NULL AND kind IN ('spend.threshold', 'spend.burst', 'spend.refused', 'budget_80_percent')
    AND key NOT LIKE '%:lifetime:%';
SELECT pg_temp.row_security('alerts');
CREATE POLICY tenant_acknowledges ON alerts FOR UPDATE TO bursar_api
    USING (org_id = bursar_org() AND shared) WITH CHECK (org_id = bursar_org() AND shared);
CREATE POLICY tenant_reads ON alerts FOR SELECT TO bursar_api USING (org_id = bursar_org() AND shared);
GRANT SELECT, UPDATE (org_acknowledged_at, org_acknowledged_by, org_snoozed_until, resolved_at, resolved_by)
    ON alerts TO bursar_api;
GRANT SELECT, INSERT, UPDATE (detail, acknowledged_at, acknowledged_by, snoozed_until, resolved_at, told_at, resolved_by)
    ON alerts TO bursar_platform;

CREATE TABLE alert_rules (
    id text NOT NULL,
    name text NOT NULL,
    severity text NOT NULL,
    created_by text NOT NULL,
    command_id text NOT NULL,
    org_id text,
    description text,
    metric text,
    asset text,
    filters jsonb NOT NULL,
    condition jsonb,
    window_seconds bigint NOT NULL,
    cool_down_seconds bigint NOT NULL,
    channels text[],
    enabled boolean DEFAULT true NOT NULL,
    due_at timestamptz,
    ended_at timestamptz,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    ladder text[],
    CONSTRAINT pk_alert_rules PRIMARY KEY (id),
    CONSTRAINT uq_alert_rules_command_id UNIQUE (command_id),
    CONSTRAINT ck_alert_rules_channels CHECK (cardinality(channels) > 0),
    CONSTRAINT ck_alert_rules_ladder CHECK (cardinality(ladder) > 0),
    CONSTRAINT ck_alert_rules_severity CHECK (severity IN ('info', 'warning', 'critical')),
    CONSTRAINT ck_alert_rules_terms
        CHECK ((metric IS NULL) = (condition IS NULL) AND window_seconds > 0 AND cool_down_seconds >= 0),
    CONSTRAINT fk_alert_rules_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_alert_rules_due_at ON alert_rules (due_at) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX uq_alert_rules_name ON alert_rules (org_id, name) NULLS NOT DISTINCT WHERE ended_at IS NULL;
SELECT pg_temp.row_security('alert_rules');
SELECT pg_temp.tenant_reads_own('alert_rules');
SELECT pg_temp.refuse_deletes('alert_rules');
GRANT SELECT, INSERT, UPDATE ON alert_rules TO bursar_platform;

CREATE TABLE alert_rule_standings (
    rule text NOT NULL,
    subject text NOT NULL,
    place text NOT NULL,
    phase text NOT NULL,
    org_id text,
    alert_key text,
    good_since timestamptz,
    fired_at timestamptz,
    CONSTRAINT pk_alert_rule_standings PRIMARY KEY (rule, subject, place),
    CONSTRAINT ck_alert_rule_standings_phase CHECK (phase IN ('unseen', 'armed', 'firing')),
    CONSTRAINT fk_alert_rule_standings_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_alert_rule_standings_firing ON alert_rule_standings (rule) WHERE phase = 'firing';
SELECT pg_temp.row_security('alert_rule_standings');
GRANT SELECT, INSERT, UPDATE, DELETE ON alert_rule_standings TO bursar_platform;

CREATE TABLE alert_rule_hours (
    rule text NOT NULL,
    org_id text,
    until timestamptz NOT NULL,
    figures bigint[] NOT NULL,
    CONSTRAINT pk_alert_rule_hours PRIMARY KEY (rule),
    CONSTRAINT fk_alert_rule_hours_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('alert_rule_hours');
GRANT SELECT, INSERT, UPDATE, DELETE ON alert_rule_hours TO bursar_platform;

-- The principal that the policies below ask for is from here.
\ir ../../repositories/sql/messages/notifications.sql

CREATE TABLE notification_channels (
    id text NOT NULL,
    org_id text,
    principal text NOT NULL,
    recipient text NOT NULL,
    command_id text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    shown text NOT NULL,
    target_digest text NOT NULL,
    address text,
    hook text,
    code text,
    code_sent_at timestamptz,
    verified_at timestamptz,
    code_tries bigint DEFAULT 0 NOT NULL,
    codes_sent_at timestamptz[] DEFAULT '{}' NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    removed_at timestamptz,
    CONSTRAINT pk_notification_channels PRIMARY KEY (id),
    CONSTRAINT uq_notification_channels_command_id UNIQUE (command_id),
    CONSTRAINT ck_notification_channels_ck_notification_channels_kind CHECK (kind IN ('mail', 'slack')),
    CONSTRAINT ck_notification_channels_ck_notification_channels_status
        CHECK (status IN ('pending', 'verified', 'deleted')),
    CONSTRAINT ck_notification_channels_target CHECK (
        status = 'deleted' AND num_nonnulls(hook, code) = 0 AND (address IS NULL OR removed_at IS NOT NULL)
        OR status <> 'deleted' AND (address IS NOT NULL) = (kind = 'mail') AND (hook IS NOT NULL) = (kind = 'slack')),
    CONSTRAINT fk_notification_channels_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_notification_channels_recipient_id ON notification_channels (recipient, id);
CREATE INDEX ix_notification_channels_removed ON notification_channels (removed_at)
    WHERE status = 'deleted' AND address IS NOT NULL;
CREATE INDEX ix_notification_channels_target ON notification_channels (target_digest);
CREATE UNIQUE INDEX uq_notification_channels_target ON notification_channels (recipient, target_digest)
    WHERE status <> 'deleted';
SELECT pg_temp.row_security('notification_channels');
CREATE POLICY tenant_reads ON notification_channels FOR SELECT TO bursar_api
    USING (org_id = bursar_org() AND principal = bursar_principal());
SELECT pg_temp.refuse_deletes('notification_channels');
GRANT SELECT ON notification_channels TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON notification_channels TO bursar_platform;

CREATE TABLE notification_preferences (
    org_id text,
    principal text NOT NULL,
    recipient text NOT NULL,
    settings jsonb NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pk_notification_preferences PRIMARY KEY (recipient),
    CONSTRAINT fk_notification_preferences_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('notification_preferences');
CREATE POLICY tenant_reads ON notification_preferences FOR SELECT TO bursar_api
    USING (org_id = bursar_org() AND principal = bursar_principal());
GRANT SELECT ON notification_preferences TO bursar_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON notification_preferences TO bursar_platform;

CREATE TABLE notifications (
    id text NOT NULL,
    source text NOT NULL,
    org_id text,
    principal text NOT NULL,
    recipient text NOT NULL,
    channel text NOT NULL,
    kind text NOT NULL,
    fact text NOT NULL,
    subject text NOT NULL,
    status text NOT NULL,
    digest text,
    problem text,
    data jsonb NOT NULL,
    due_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    attempts bigint DEFAULT 0 NOT NULL,
    sent_at timestamptz,
    read_at timestamptz,
    hidden_at timestamptz,
    CONSTRAINT pk_notifications PRIMARY KEY (id),
    CONSTRAINT uq_notifications_source UNIQUE (source, recipient, channel),
    CONSTRAINT ck_notifications_ck_notifications_digest
        CHECK ((status IN ('waiting', 'digested')) = (digest IS NOT NULL)),
    CONSTRAINT ck_notifications_ck_notifications_status
        CHECK (status IN ('queued', 'waiting', 'digested', 'sent', 'failed', 'dropped')),
    CONSTRAINT fk_notifications_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_notifications_due ON notifications (due_at, id) WHERE status = 'queued';
CREATE INDEX ix_notifications_recipient_id ON notifications (recipient, id);
CREATE INDEX ix_notifications_unread ON notifications (recipient, id)
    WHERE channel = 'inbox' AND hidden_at IS NULL AND read_at IS NULL;
CREATE INDEX ix_notifications_waiting ON notifications (due_at, recipient, digest) WHERE status = 'waiting';
SELECT pg_temp.row_security('notifications');
CREATE POLICY tenant_reads ON notifications FOR SELECT TO bursar_api
    USING (org_id = bursar_org() AND principal = bursar_principal() AND channel = 'inbox' AND hidden_at IS NULL);
SELECT pg_temp.refuse_deletes('notifications');
GRANT SELECT ON notifications TO bursar_api;
GRANT SELECT, INSERT, UPDATE ON notifications TO bursar_platform;

CREATE TABLE notification_cursors (
    name text NOT NULL,
    read_id text NOT NULL,
    read_in bigint NOT NULL,
    CONSTRAINT pk_notification_cursors PRIMARY KEY (name)
);
SELECT pg_temp.row_security('notification_cursors');
SELECT pg_temp.refuse_deletes('notification_cursors');
GRANT SELECT, INSERT, UPDATE ON notification_cursors TO bursar_platform;
INSERT INTO notification_cursors (name, read_in, read_id) VALUES ('outbox', 0, '');

CREATE TABLE notification_defaults (
    kind text NOT NULL,
    roles jsonb NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT pk_notification_defaults PRIMARY KEY (kind)
);
SELECT pg_temp.row_security('notification_defaults');
CREATE POLICY tenant_reads ON notification_defaults FOR SELECT TO bursar_api USING (true);
GRANT SELECT ON notification_defaults TO bursar_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON notification_defaults TO bursar_platform;

CREATE TABLE mails (
    id text NOT NULL,
    key text NOT NULL,
    org_id text NOT NULL,
    kind text NOT NULL,
    data jsonb NOT NULL,
    language text NOT NULL,
    recipients text[] NOT NULL,
    reached text[] DEFAULT '{}' NOT NULL,
    status text DEFAULT 'queued' NOT NULL,
    attempts bigint DEFAULT 0 NOT NULL,
    problem text,
    queued_at timestamptz DEFAULT now() NOT NULL,
    next_attempt_at timestamptz DEFAULT now() NOT NULL,
    sent_at timestamptz,
    CONSTRAINT pk_mails PRIMARY KEY (id),
    CONSTRAINT uq_mails_key UNIQUE (key),
    CONSTRAINT ck_mails_sent CHECK ((sent_at IS NOT NULL) = (status = 'sent')),
    CONSTRAINT ck_mails_status CHECK (status IN ('queued', 'sent', 'failed')),
    CONSTRAINT fk_mails_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
CREATE INDEX ix_mails_contacts_changed ON mails (queued_at) WHERE kind = 'contacts_changed';
CREATE INDEX ix_mails_due ON mails (next_attempt_at, id) WHERE status = 'queued';
CREATE INDEX ix_mails_org_id_id ON mails (org_id, id);
SELECT pg_temp.row_security('mails');
CREATE POLICY tenant ON mails TO bursar_api USING (org_id = bursar_org()) WITH CHECK (org_id = bursar_org());
SELECT pg_temp.refuse_deletes('mails');
GRANT INSERT (id, key, org_id, kind, data, language, recipients) ON mails TO bursar_api;
GRANT SELECT, INSERT (id, key, org_id, kind, data, language, recipients), UPDATE (language, recipients, reached, status,
    attempts, problem, next_attempt_at, sent_at) ON mails TO bursar_platform;

-- The platform's alone: an address belongs to no organization.
CREATE TABLE mail_suppressions (
    id text NOT NULL,
    address text NOT NULL,
    status text NOT NULL,
    suppressed_at timestamptz DEFAULT now() NOT NULL,
    lifted_at timestamptz,
    lifted_by text,
    CONSTRAINT pk_mail_suppressions PRIMARY KEY (id),
    CONSTRAINT ck_mail_suppressions_lifted CHECK ((lifted_at IS NULL) = (lifted_by IS NULL))
);
CREATE INDEX ix_mail_suppressions_address ON mail_suppressions (address, lifted_at);
CREATE UNIQUE INDEX uq_mail_suppressions_address ON mail_suppressions (address) WHERE lifted_at IS NULL;
SELECT pg_temp.row_security('mail_suppressions');
SELECT pg_temp.refuse_deletes('mail_suppressions');
GRANT SELECT, INSERT, UPDATE (lifted_at, lifted_by) ON mail_suppressions TO bursar_platform;

CREATE TABLE slack_turns (
    hook text NOT NULL,
    free_at timestamptz NOT NULL,
    CONSTRAINT pk_slack_turns PRIMARY KEY (hook)
);
SELECT pg_temp.row_security('slack_turns');
GRANT SELECT, INSERT, UPDATE ON slack_turns TO bursar_platform;

\ir ../../repositories/sql/messages/alerts.sql
\ir ../../repositories/sql/messages/events.sql
\ir ../../repositories/sql/billing/number_gaps.sql
\ir ../../repositories/sql/messages/event_facts.sql
