-- Makes the months of the history from one date to another, and returns how many it made, as open_usage_months does.
CREATE OR REPLACE FUNCTION open_reputation_months(p_from date, p_to date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_month date := date_trunc('month', p_from);
    v_name text;
    v_made integer := 0;
BEGIN
    IF p_to > p_from + 400 THEN
        RAISE EXCEPTION 'too many months at once' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    WHILE v_month <= p_to LOOP
        v_name := to_char(v_month, '"reputation_history_"YYYY_MM');
        IF to_regclass('partitions.' || v_name) IS NULL THEN
            PERFORM pg_advisory_xact_lock(hashtextextended('open_reputation_months', 0));
            -- Asked of the catalogue itself: a name that was looked up before the wait is remembered as missing.
            IF NOT EXISTS (SELECT FROM pg_class WHERE relname = v_name AND relnamespace = 'partitions'::regnamespace)
            THEN
                EXECUTE format('CREATE TABLE partitions.%I (LIKE public.reputation_history INCLUDING DEFAULTS)', v_name);
                EXECUTE format('ALTER TABLE public.reputation_history ATTACH PARTITION partitions.%I '
                               'FOR VALUES FROM (%L) TO (%L)', v_name, v_month, (v_month + interval '1 month')::date);
                v_made := v_made + 1;
            END IF;
        END IF;
        v_month := v_month + interval '1 month';
    END LOOP;
    RETURN v_made;
END $$;
GRANT EXECUTE ON FUNCTION open_reputation_months(date, date) TO bursar_platform;
