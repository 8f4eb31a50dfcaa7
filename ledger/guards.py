"""What the schema `ledger` must consist of for the books to hold, written down and compared with a live database.

`guards.txt` beside this module has one line for each constraint, trigger, function, policy and grant. A superuser is a
line as well, but for the server's first one and the owner of the books. The file is recorded from a database that the
migrations made, so whatever somebody dropped, emptied, switched off or granted since is a line too few or too many. The
text is PostgreSQL 18's own.
"""

from collections.abc import Iterable
from pathlib import Path

EXPECTED_FILE = Path(__file__).with_name("guards.txt")

#: What each kind of line proves, by the line's first word.
KINDS = {
    "constraint": "every constraint of the books is there and enforced",
    "trigger": "every trigger of the books is there and switched on",
    "function": "every function of the books is the one of this release",
    "policy": "row-level security is on, with the policies of this release and no others",
    "grant": "nobody but the owner writes the books, and tenants can only spend their own credits",
    "setting": "sessions of the login roles begin with the server's own names and tenancy",
}

# Names are written in full only under this path, whatever the connection's own is. Brackets are left out below, because
# a restored dump has others around the same condition.
SEARCH_PATH = "SET LOCAL search_path = pg_catalog"

# A view of the books shows what its owner sees, and a function with its owner's rights may post for whoever calls it,
# in whatever schema they are. So views count as the books they show, and every such function is written down.
QUERY = """
WITH RECURSIVE tables AS (
    SELECT c.* FROM pg_class c WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind IN ('r', 'p')
),
functions AS (
    SELECT p.* FROM pg_proc p WHERE p.pronamespace = 'ledger'::regnamespace
        OR p.oid::regprocedure::text IN ('public.bursar_org()', 'public.tenant_balance(text,text)')
        OR p.prosecdef AND p.pronamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
),
shown AS (
    SELECT c.oid FROM pg_class c
    WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION
    SELECT n.oid FROM shown s, LATERAL (
        SELECT r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = s.oid
        UNION ALL
        SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = s.oid
    ) n (oid)
),
readers AS (
    -- The owner of the books is a member of the roles that it has made.
    SELECT m.member AS oid FROM pg_auth_members m WHERE m.roleid = to_regrole('bursar_reader')
        AND m.member <> (SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'ledger')
),
granted AS (
    SELECT 'ledger' AS thing, a.* FROM pg_namespace n, aclexplode(n.nspacl) a
    WHERE n.nspname = 'ledger' AND a.grantee <> n.nspowner
    UNION ALL
    SELECT t.oid::regclass::text, a.*
    FROM shown s JOIN pg_class t ON t.oid = s.oid, aclexplode(t.relacl) a WHERE a.grantee <> t.relowner
    UNION ALL
    SELECT t.oid::regclass || '.' || c.attname, a.*
    FROM shown s JOIN pg_class t ON t.oid = s.oid JOIN pg_attribute c ON c.attrelid = t.oid, aclexplode(c.attacl) a
    WHERE a.grantee <> t.relowner
    UNION ALL
    SELECT f.oid::regprocedure::text, a.*
    FROM functions f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a WHERE a.grantee <> f.proowner
)
SELECT concat_ws(' ', 'constraint', t.oid::regclass, c.conname,
    btrim(regexp_replace(pg_get_constraintdef(c.oid), '[\\s()]+', ' ', 'g')),
    CASE WHEN EXISTS (SELECT FROM pg_trigger g WHERE g.tgconstraint = c.oid AND g.tgenabled NOT IN ('O', 'A'))
           OR EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = c.conindid AND NOT (i.indisvalid AND i.indisready))
         THEN '(switched off)' END) AS line
FROM tables t JOIN pg_constraint c ON c.conrelid = t.oid WHERE c.contype <> 'n'
UNION ALL
SELECT concat_ws(' ', 'trigger', pg_get_triggerdef(g.oid),
    CASE WHEN g.tgenabled NOT IN ('O', 'A') THEN '(switched off)' END)
FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid WHERE NOT g.tgisinternal
UNION ALL
SELECT concat_ws(' ', 'trigger', pg_get_ruledef(r.oid)) FROM tables t JOIN pg_rewrite r ON r.ev_class = t.oid
UNION ALL
SELECT concat_ws(' ', 'function', f.oid::regprocedure,
    CASE WHEN f.prokind = 'a' THEN 'is an aggregate' ELSE md5(pg_get_functiondef(f.oid)) END)
FROM functions f
UNION ALL
SELECT concat_ws(' ', 'policy', t.oid::regclass, CASE WHEN t.relrowsecurity THEN 'on' ELSE 'off' END) FROM tables t
UNION ALL
SELECT concat_ws(' ', 'policy', t.oid::regclass, p.polname, p.polcmd, p.polroles::regrole[],
    CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
    btrim(regexp_replace(pg_get_expr(p.polqual, t.oid), '[\\s()]+', ' ', 'g')))
FROM tables t JOIN pg_policy p ON p.polrelid = t.oid
UNION ALL
SELECT concat_ws(' ', 'grant', g.privilege_type, 'on', g.thing, 'to',
    CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END)
FROM granted g
WHERE g.privilege_type NOT IN ('SELECT', 'USAGE')
    OR g.grantee IN (0, to_regrole('bursar_api'), to_regrole('bursar_platform'), to_regrole('bursar_reader'))
    OR g.grantee IN (SELECT oid FROM readers)
UNION ALL
SELECT concat_ws(' ', 'grant', 'rights of', m.roleid::regrole, 'to', m.member::regrole)
FROM pg_auth_members m
WHERE m.member IN (to_regrole('bursar_api'), to_regrole('bursar_platform'), to_regrole('bursar_reader'))
    OR m.member IN (SELECT oid FROM readers) AND m.roleid <> to_regrole('bursar_reader')
UNION ALL
SELECT concat_ws(' ', 'grant', r.rolname, 'logs in') FROM pg_roles r WHERE r.rolname = 'bursar_reader' AND r.rolcanlogin
UNION ALL
SELECT concat_ws(' ', 'grant', 'TEMPORARY on the database to', CASE a.grantee WHEN 0 THEN 'PUBLIC'
    ELSE a.grantee::regrole::text END)
FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
WHERE d.datname = current_database() AND a.privilege_type = 'TEMPORARY' AND a.grantee <> d.datdba
UNION ALL
-- Large objects, and locks that Bursar's processes wait for. The owner of a managed server cannot take them from all.
SELECT concat_ws(' ', 'grant', 'EXECUTE on', f.oid::regprocedure, 'to PUBLIC')
FROM pg_proc f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a
WHERE f.pronamespace = 'pg_catalog'::regnamespace AND a.grantee = 0
    AND f.proname ~ '^(lo_|lowrite$|loread$|pg_(try_)?advisory_)'
    AND pg_has_role((SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'ledger'), f.proowner, 'USAGE')
UNION ALL
SELECT concat_ws(' ', 'grant', r.rolname, CASE WHEN r.rolsuper THEN 'is a superuser'
    WHEN r.rolbypassrls THEN 'passes row-level security by' ELSE 'is bound by row-level security' END)
FROM pg_roles r
WHERE r.rolname IN ('bursar_api', 'bursar_platform', 'bursar_reader')
    OR r.rolbypassrls AND r.oid IN (SELECT oid FROM readers)
    OR r.rolsuper AND r.oid NOT IN (10, (SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'ledger'))
UNION ALL
-- PostgreSQL lets every role change how its own sessions begin, and nothing forbids that: so it is looked for.
SELECT concat_ws(' ', 'setting', r.rolname, coalesce(
    (SELECT string_agg(c, ' ' ORDER BY c) FROM pg_db_role_setting s, unnest(s.setconfig) c
     WHERE s.setrole = r.oid
         AND s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
         AND c ~ '^(search_path|role|row_security|session_replication_role|bursar[.].*)='), '(none)'))
FROM pg_roles r WHERE r.rolname IN ('bursar_api', 'bursar_platform', 'bursar_reader')
UNION ALL
SELECT concat_ws(' ', 'setting', r.rolname, c)
FROM readers m JOIN pg_roles r ON r.oid = m.oid JOIN pg_db_role_setting s ON s.setrole = r.oid, unnest(s.setconfig) c
WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
    AND c NOT IN ('statement_timeout=30s', 'default_transaction_read_only=on')
"""


def expected_guards() -> frozenset[str]:
    """Return the lines that a sound database has."""
    return frozenset(EXPECTED_FILE.read_text("utf-8").splitlines())


def compare_guards(found: Iterable[str]) -> dict[str, list[str]]:
    """Return for each kind what is missing and what is too much."""
    sound, there = expected_guards(), frozenset(found)
    wrong = [*(f"missing: {line}" for line in sound - there), *(f"unexpected: {line}" for line in there - sound)]
    return {kind: sorted(line for line in wrong if line.split(": ")[1].startswith(kind)) for kind in KINDS}
