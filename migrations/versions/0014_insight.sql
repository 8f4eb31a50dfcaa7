-- Sums by day for metrics, reports, exports, advice and the cursor of the search index.

-- Advice, and comparison with others.

CREATE TABLE insight_dismissals (
    org_id text NOT NULL,
    insight_id text NOT NULL,
    dismissed_by text NOT NULL,
    dismissed_at timestamptz NOT NULL,
    CONSTRAINT pk_insight_dismissals PRIMARY KEY (org_id, insight_id),
    CONSTRAINT fk_insight_dismissals_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('insight_dismissals');
CREATE POLICY tenant ON insight_dismissals TO bursar_api
    USING (org_id = bursar_org()) WITH CHECK (org_id = bursar_org());
SELECT pg_temp.refuse_deletes('insight_dismissals');
GRANT SELECT, INSERT, UPDATE (dismissed_by, dismissed_at) ON insight_dismissals TO bursar_api, bursar_platform;

-- Where a member of a group stood in a month. Written once for the whole group, so that nobody learns anything from
-- asking again; it holds no figure.
CREATE TABLE peer_positions (
    month date NOT NULL,
    metric text NOT NULL,
    category text NOT NULL,
    member_id text NOT NULL,
    org_id text NOT NULL,
    quarter smallint,
    reason text,
    CONSTRAINT pk_peer_positions PRIMARY KEY (month, metric, category, member_id),
    CONSTRAINT ck_peer_positions_quarter CHECK (quarter BETWEEN 1 AND 4),
    CONSTRAINT ck_peer_positions_reason CHECK (num_nonnulls(quarter, reason) = 1
        AND reason IN ('too_few', 'dominated', 'not_counted')),
    CONSTRAINT fk_peer_positions_org_id_organizations FOREIGN KEY (org_id) REFERENCES organizations
);
SELECT pg_temp.row_security('peer_positions');
SELECT pg_temp.tenant_reads_own('peer_positions');
SELECT pg_temp.append_only('peer_positions');
GRANT SELECT, INSERT ON peer_positions TO bursar_platform;
