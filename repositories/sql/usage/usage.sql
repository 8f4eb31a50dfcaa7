-- Makes the months of usage events from one time to another, and returns how many it made. What is made is attached,
-- which waits for no writer; made as a part at once, it would wait for all of them, and hold up all later ones.
CREATE OR REPLACE FUNCTION open_usage_months(p_from timestamptz, p_to timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_month timestamp := date_trunc('month', p_from AT TIME ZONE 'UTC');
    v_last timestamp := date_trunc('month', p_to AT TIME ZONE 'UTC');
    v_name text;
    v_made integer := 0;
BEGIN
    IF v_last > v_month + interval '36 months' THEN
        RAISE EXCEPTION 'too many months at once' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    WHILE v_month <= v_last LOOP
        v_name := to_char(v_month, '"usage_events_"YYYY_MM');
        IF to_regclass('partitions.' || v_name) IS NULL THEN
            PERFORM pg_advisory_xact_lock(hashtextextended('open_usage_months', 0));
            -- Asked of the catalogue itself: a name that was looked up before the wait is remembered as missing.
            IF NOT EXISTS (SELECT FROM pg_class WHERE relname = v_name AND relnamespace = 'partitions'::regnamespace)
            THEN
                EXECUTE format('CREATE TABLE partitions.%I (LIKE public.usage_events INCLUDING DEFAULTS)', v_name);
                EXECUTE format('ALTER TABLE public.usage_events ATTACH PARTITION partitions.%I '
                               'FOR VALUES FROM (%L) TO (%L)', v_name,
                               v_month AT TIME ZONE 'UTC', (v_month + interval '1 month') AT TIME ZONE 'UTC');
                v_made := v_made + 1;
            END IF;
        END IF;
        v_month := v_month + interval '1 month';
    END LOOP;
    RETURN v_made;
END $$;
GRANT EXECUTE ON FUNCTION open_usage_months(timestamptz, timestamptz) TO bursar_platform;
