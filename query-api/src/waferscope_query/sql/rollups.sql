-- name: retention_borders
-- Tells from when on retention has dropped nothing.
select relation, before_ts from wafer.retention_border

-- name: copy_rollups
-- Reads columns of rollups of series in a time range, unordered; the values stand in the text because COPY takes no parameters.
select series_id, {ts} as ts, {columns}
from wafer.{table}
where series_id = any ('{{{series}}}'::bigint[]) and bucket between '{start}'::timestamptz and '{end}'::timestamptz
limit {limit}

-- name: copy_rollups_with_previous
-- Reads the same, and of each series the bucket before the range: where its first increase begins.
(
    select series_id, {ts} as ts, {columns}
    from wafer.{table}
    where series_id = any ('{{{series}}}'::bigint[]) and bucket between '{start}'::timestamptz and '{end}'::timestamptz
    limit {limit}
)
union all
select s.series_id, p.ts, {previous}
from unnest('{{{series}}}'::bigint[]) as s (series_id)
cross join lateral (
    select *
    from (
        (
            select {ts} as ts, {columns}
            from wafer.{table} r
            where r.series_id = s.series_id and r.bucket < '{start}'::timestamptz
            order by r.bucket desc
            limit 1
        )
        union all
        (  -- what the five minutes before were in, where retention has dropped them
            select {ts} as ts, {columns}
            from wafer.rollup_1h r
            where '{table}' <> 'rollup_1h' and r.series_id = s.series_id
                and r.bucket < date_trunc('hour', '{start}'::timestamptz, 'UTC')
            order by r.bucket desc
            limit 1
        )
    ) q
    order by last_ts desc
    limit 1
) p

-- name: any_rollup_histograms
-- Tells whether there are rollups of histograms of series in a time range.
select exists (
    select from wafer.{table} where series_id = any ($1::bigint[]) and bucket between $2 and $3
)

-- name: copy_rollup_histograms
-- Reads one of the explicit-bucket histograms that rollups hold, with the columns of copy_histograms.
select
    r.series_id, r.ts, {count}, coalesce((r.h).sum, 'NaN'), (r.h).sum is not null, 'epoch'::timestamptz, (r.h).custom_bounds,
    (r.h).positive_counts
from (
    select series_id, {ts} as ts, count as samples, {histogram} as h
    from wafer.{table}
    where series_id = any ('{{{series}}}'::bigint[]) and bucket between '{start}'::timestamptz and '{end}'::timestamptz
    offset 0  -- takes the row apart once
) r
where (r.h).schema = -53 and cardinality((r.h).positive_counts) = cardinality((r.h).custom_bounds) + 1
limit {limit}

-- name: copy_rollup_natives
-- Reads one of the histograms of any schema that rollups hold, with the columns of copy_native_histograms; increases are gauges.
select
    r.series_id, r.ts, {count}, coalesce((r.h).sum, 'NaN'), (r.h).schema, (r.h).zero_threshold, (r.h).zero_count,
    {hint}::smallint, 'epoch'::timestamptz, (r.h).custom_bounds, (r.h).positive_spans, (r.h).positive_counts,
    (r.h).negative_spans, (r.h).negative_counts
from (
    select series_id, {ts} as ts, count as samples, {histogram} as h
    from wafer.{table}
    where series_id = any ('{{{series}}}'::bigint[]) and bucket between '{start}'::timestamptz and '{end}'::timestamptz
    offset 0
) r
limit {limit}
