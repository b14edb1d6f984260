-- name: select_series
-- Finds the ids of series by their fingerprints, and how they are shown.
select series_id, fingerprint, classic
from wafer.series
where fingerprint = any($1::bytea[])

-- name: insert_series
-- Creates series in the order given, by fingerprint, so that writers wait for each other in one order.
insert into wafer.series (fingerprint, metric, labels, kind, unit, help, classic)
select n.fingerprint, n.metric, n.labels::jsonb, n.kind, n.unit, n.help, n.classic
from unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[])
    with ordinality as n (fingerprint, metric, labels, kind, unit, help, classic, position)
order by n.position
on conflict (fingerprint) do nothing
returning series_id, fingerprint

-- name: show_classic
-- Lets series be shown as classic histograms: those that held native ones only, and now get explicit bounds by OTLP.
update wafer.series set classic = true, xid = pg_current_xact_id() where series_id = any($1::bigint[]) and not classic

-- name: insert_start_times
-- Stores start timestamps, one row per change: those given differ from one another, the first of a series perhaps not from what is there.
-- A start that comes again and again is that of one of several producers of the series, which would fill the table: from the eighth time
-- on it is no change.
insert into wafer.start_time (series_id, ts, start)
select n.series_id, n.ts, n.start
from (
    select series_id, ts, start, lag(start) over (partition by series_id order by ts) is null as is_first
    from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) as given (series_id, ts, start)
) n
where
    (
        not n.is_first
        or n.start is distinct from (
            select k.start from wafer.start_time k
            where k.series_id = n.series_id and k.ts <= n.ts
            order by k.ts desc
            limit 1
        )
    )
    and (
        select count(*) from (
            select from wafer.start_time k
            where k.series_id = n.series_id and k.start = n.start and k.ts <= n.ts
            limit 8
        ) repeated
    ) < 8
order by n.series_id, n.ts
on conflict (series_id, ts) do nothing

-- name: update_families
-- Tells series what their producer says of their metric; what has histograms says it itself.
update wafer.series s
set kind = f.kind, unit = f.unit, help = f.help, xid = pg_current_xact_id()
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as f (metric, kind, unit, help)
where s.metric = f.metric and s.kind <> 'histogram' and (s.kind, s.unit, s.help) is distinct from (f.kind, f.unit, f.help)

-- name: count_series
-- Counts the site's series, up to a limit.
select count(*) from (select from wafer.series limit $1) s

-- name: count_series_of_metrics
-- Counts the series of metrics.
select metric, count(*) as series
from wafer.series
where metric = any($1::text[])
group by metric
