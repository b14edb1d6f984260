-- name: export_snapshot
-- Lets other transactions see the state that this one sees.
select pg_export_snapshot()

-- name: import_snapshot
-- Sees the state that another transaction has exported; the statement takes no parameters.
set transaction snapshot '{snapshot}'

-- name: copy_samples
-- Reads samples of series in a time range, unordered; the values stand in the text because COPY takes no parameters.
select series_id, ts, value from wafer.sample
where series_id = any ('{{{series}}}'::bigint[]) and ts between '{start}'::timestamptz and '{end}'::timestamptz
limit {limit}

-- name: copy_all_samples
-- Reads the samples of all series in a time range, unordered.
select series_id, ts, value from wafer.sample
where ts between '{start}'::timestamptz and '{end}'::timestamptz
limit {limit}

-- name: any_start_times
-- Tells whether any series has told when it began to count.
select exists (select from wafer.start_time)

-- name: copy_start_times
-- Reads when series began to count, as far as it matters in a time range, unordered.
select series_id, ts, start
from wafer.start_time
where series_id = any ('{{{series}}}'::bigint[]) and ts > '{start}'::timestamptz and ts <= '{end}'::timestamptz
union all
select wanted.series_id, before.ts, before.start
from unnest('{{{series}}}'::bigint[]) as wanted (series_id)
cross join lateral (
    select k.ts, k.start from wafer.start_time k
    where k.series_id = wanted.series_id and k.ts <= '{start}'::timestamptz
    order by k.ts desc
    limit 1
) before
limit {limit}

-- name: copy_histograms
-- Reads explicit-bucket histograms of series in a time range, unordered.
select series_id, ts, count, coalesce(sum, 'NaN') as sum, sum is not null as has_sum, coalesce(start, 'epoch') as start, custom_bounds,
    positive_counts
from wafer.histogram_sample
where
    series_id = any ('{{{series}}}'::bigint[]) and ts between '{start}'::timestamptz and '{end}'::timestamptz
    and schema = -53 and cardinality(positive_counts) = cardinality(custom_bounds) + 1
limit {limit}

-- name: newest_bounds
-- Tells the bounds of histogram series by their newest sample in a time range.
select wanted.series_id, newest.custom_bounds
from unnest($1::bigint[]) as wanted (series_id)
cross join lateral (
    select h.custom_bounds from wafer.histogram_sample h
    where h.series_id = wanted.series_id and h.ts between $2 and $3 and h.schema = -53
    order by h.ts desc
    limit 1
) newest

-- name: any_histograms
-- Tells whether there are histograms of any series in a time range.
select exists (select from wafer.histogram_sample where ts between $1 and $2)

-- name: copy_native_histograms
-- Reads histograms of any schema of series in a time range, unordered.
select
    series_id, ts, count, coalesce(sum, 'NaN') as sum, schema, zero_threshold, zero_count, reset_hint,
    coalesce(start, 'epoch') as start, custom_bounds, positive_spans, positive_counts, negative_spans, negative_counts
from wafer.histogram_sample
where
    series_id = any ('{{{series}}}'::bigint[]) and ts between '{start}'::timestamptz and '{end}'::timestamptz
limit {limit}
