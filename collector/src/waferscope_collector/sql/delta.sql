-- name: insert_delta_totals
-- Begins the totals that are not there, in the order given (by series); returns those that were not there. Their last
-- sample counts as just before the start, where the zero then goes. Times are Unix time in ms.
insert into wafer.delta_total (series_id, start, ts)
select n.series_id, n.start, n.start - 1
from unnest($1::bigint[], $2::bigint[])
    with ordinality as n (series_id, start, position)
order by n.position
on conflict (series_id) do nothing
returning series_id

-- name: lock_number_totals
-- Reads totals of sums and holds them until the commit; locked in the order of series, as everyone does.
select series_id, start, ts, value
from wafer.delta_total
where series_id = any($1::bigint[])
order by series_id
for update

-- name: lock_histogram_totals
-- Reads totals of histograms and holds them until the commit; locked in the order of series, as everyone does.
select
    series_id, start, ts, ts >= start as begun, count, sum, schema, zero_threshold, zero_count, bounds, spans, counts,
    negative_spans, negative_counts
from wafer.delta_total
where series_id = any($1::bigint[])
order by series_id
for update

-- name: select_total_days
-- Tells which days the next samples of totals may fall into: that of the last sample and the day after.
select distinct date_trunc('day', to_timestamp(ts / 1000.0), 'UTC') + n * interval '24 hours' as day
from wafer.delta_total, generate_series(0, 1) as n
where series_id = any($1::bigint[])

-- name: update_number_totals
-- Writes the new totals of sums.
update wafer.delta_total t
set ts = n.ts, value = n.value
from unnest($1::bigint[], $2::bigint[], $3::double precision[]) as n (series_id, ts, value)
where t.series_id = n.series_id

-- name: update_histogram_total
-- Writes the new total of one histogram.
update wafer.delta_total
set ts = $2, count = $3, sum = $4, schema = $5, zero_threshold = $6, zero_count = $7, bounds = $8, spans = $9, counts = $10,
    negative_spans = $11, negative_counts = $12
where series_id = $1
