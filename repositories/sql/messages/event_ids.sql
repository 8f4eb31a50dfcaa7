-- Writes a UUID as an id with a prefix, as `uuid_id` in `domain/common/ids.py` does: in Crockford's base 32. Each event
-- pays for it, so two digits are looked up at a time, in one expression without a loop, and in bytes: of text, the
-- characters before a place would be counted each time.
DO $do$
DECLARE
    c_digits CONSTANT text := '0123456789abcdefghjkmnpqrstvwxyz';
    v_pairs text := (SELECT string_agg(substr(c_digits, a, 1) || substr(c_digits, b, 1), '' ORDER BY a, b)
                     FROM generate_series(1, 32) a, generate_series(1, 32) b);
    v_id text := (SELECT string_agg(format('substr(c_pairs, substring(v_bits FROM %s FOR 10)::integer * 2 + 1, 2)', at),
                                    ' || ' ORDER BY at) FROM generate_series(1, 121, 10) at);
BEGIN
    EXECUTE format($create$
        CREATE OR REPLACE FUNCTION type_id(p_prefix text, p_id uuid) RETURNS text
        LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            c_pairs CONSTANT bytea := %L;
            v_bits bit varying := B'00' || ('x' || replace(p_id::text, '-', ''))::bit(128);
        BEGIN
            RETURN p_prefix || '_' || encode(%s, 'escape');
        END $$
    $create$, v_pairs, v_id);
END $do$;

-- Makes the id of an event; those of one connection sort as they were made. Without settings of its own and not STRICT, it
-- is inlined where a column defaults to it.
CREATE OR REPLACE FUNCTION new_event_id() RETURNS text
LANGUAGE sql VOLATILE AS $$ SELECT public.type_id('evt', pg_catalog.uuidv7()) $$;
GRANT EXECUTE ON FUNCTION type_id(text, uuid), new_event_id() TO bursar_api, bursar_platform;
