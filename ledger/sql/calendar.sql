-- Starts and ends of the windows of a spend control, as in `domain/common/calendar.py`.
--
-- Windows of a zone have no gaps or overlaps, also when its clocks change: a day begins with the first moment of its
-- date, and hours are counted from there. So the last hour of a day on which the clocks change by half an hour has 30
-- minutes.

-- The first moment with this local time in the zone: if the clocks skip it, the moment of the skip; if they show it
-- twice, the first of the two. AT TIME ZONE alone takes the second.
CREATE OR REPLACE FUNCTION ledger.first_moment(p_local timestamp, p_zone text) RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    late timestamptz := p_local AT TIME ZONE p_zone;
    -- By the clocks before the change; no zone changes them twice within three hours.
    earlier timestamptz := late - interval '3 hours';
    early timestamptz := (p_local - ((earlier AT TIME ZONE p_zone) - (earlier AT TIME ZONE 'UTC'))) AT TIME ZONE 'UTC';
BEGIN
    RETURN CASE WHEN early < late AND (early AT TIME ZONE p_zone) = p_local THEN early ELSE late END;
END
$$;

-- The local time at which the window of a local time begins; `p_next` counts the windows after it. Not for hours, which
-- are counted in elapsed time.
CREATE OR REPLACE FUNCTION ledger.window_local(p_window text, p_local timestamp, p_week_starts smallint, p_next integer)
RETURNS timestamp
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE p_window
    WHEN 'day' THEN date_trunc('day', p_local) + make_interval(days => p_next)
    WHEN 'week' THEN date_trunc('day', p_local)
        - make_interval(days => (extract(isodow FROM p_local)::integer - p_week_starts + 7) % 7 - 7 * p_next)
    WHEN 'month' THEN date_trunc('month', p_local) + make_interval(months => p_next)
    WHEN 'quarter' THEN date_trunc('quarter', p_local) + make_interval(months => 3 * p_next)
END;

-- The start of the window that holds a moment. `p_window` is hour, day, week, month, quarter or lifetime; the week
-- starts on 1, a Monday, to 7, a Sunday. BU004 for any other window.
CREATE OR REPLACE FUNCTION ledger.window_start(p_window text, p_at timestamptz, p_zone text, p_week_starts smallint)
RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
    local_start timestamp := ledger.window_local(
        CASE p_window WHEN 'hour' THEN 'day' ELSE p_window END, p_at AT TIME ZONE p_zone, p_week_starts, 0
    );
    starts timestamptz;
BEGIN
    IF p_window = 'lifetime' THEN
        RETURN timestamptz '1970-01-01 00:00:00+00';
    ELSIF local_start IS NULL THEN
        RAISE EXCEPTION 'no window %, or no time', p_window USING ERRCODE = 'BU004';
    END IF;
    starts := ledger.first_moment(local_start, p_zone);
    RETURN CASE WHEN p_window = 'hour' THEN date_bin('1 hour', p_at, starts) ELSE starts END;
END
$$;

-- The end of the window that holds a moment, which is the start of the next one; 9999-01-01 for a lifetime.
CREATE OR REPLACE FUNCTION ledger.window_end(p_window text, p_at timestamptz, p_zone text, p_week_starts smallint)
RETURNS timestamptz
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
BEGIN
    IF p_window = 'lifetime' THEN
        RETURN timestamptz '9999-01-01 00:00:00+00';
    ELSIF p_window = 'hour' THEN
        RETURN least(
            ledger.window_start('hour', p_at, p_zone, p_week_starts) + interval '1 hour',
            ledger.window_end('day', p_at, p_zone, p_week_starts)
        );
    END IF;
    RETURN ledger.first_moment(ledger.window_local(p_window, p_at AT TIME ZONE p_zone, p_week_starts, 1), p_zone);
END
$$;
