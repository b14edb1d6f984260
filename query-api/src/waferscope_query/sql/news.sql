-- name: news
-- Tells in one answer what was committed since two snapshots: series since the first, times that were written to or deleted from since
-- the second. The row with a snapshot has the one to go on with.
select
    pg_current_snapshot()::text as snapshot, null::bigint as series_id, null::text as metric, null::jsonb as labels,
    null::text as kind, null::text as unit, null::text as help, null::boolean as classic, null::timestamptz as begin_ts, null::timestamptz as end_ts
union all
select null, series_id, metric, labels, kind, unit, help, classic, null, null
from wafer.series
where xid >= pg_snapshot_xmin($1::text::pg_snapshot) and not pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
union all
select null, null, null, null, null, null, null, null, min_ts, max_ts
from wafer.ingest_hour
where xid >= pg_snapshot_xmin($2::text::pg_snapshot) and not pg_visible_in_snapshot(xid, $2::text::pg_snapshot)
union all
select null, null, null, null, null, null, null, null, begin_ts, end_ts
from wafer.deletion
where xid >= pg_snapshot_xmin($2::text::pg_snapshot) and not pg_visible_in_snapshot(xid, $2::text::pg_snapshot)

-- name: all_series
-- Reads every series, the oldest first.
select series_id, metric, labels, kind, unit, help, classic from wafer.series order by series_id

-- name: touched_times
-- Tells which times were written to or deleted from since a snapshot. The row with a snapshot has the one to go on with.
select pg_current_snapshot()::text as snapshot, null::timestamptz as begin_ts, null::timestamptz as end_ts
union all
select null, min_ts, max_ts
from wafer.ingest_hour
where xid >= pg_snapshot_xmin($1::text::pg_snapshot) and not pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
union all
select null, begin_ts, end_ts
from wafer.deletion
where xid >= pg_snapshot_xmin($1::text::pg_snapshot) and not pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
