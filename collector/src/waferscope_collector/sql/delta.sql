-- name: insert_number_totals
-- Begins the blocks of totals of sums that are not there, in the order given, all with the same content: none begun.
insert into wafer.number_total (block, totals)
select n.block, $2::bytea
from unnest($1::bigint[]) with ordinality as n (block, position)
order by n.position
on conflict (block) do nothing

-- name: lock_number_totals
-- Reads blocks of totals of sums and holds them until the commit; locked in the order of blocks, as everyone does.
select block, totals
from wafer.number_total
where block = any($1::bigint[])
order by block
for update

-- name: update_number_totals
-- Writes blocks of totals of sums.
update wafer.number_total t
set totals = n.totals
from unnest($1::bigint[], $2::bytea[]) as n (block, totals)
where t.block = n.block

-- name: insert_histogram_totals
-- Begins the totals that are not there, in the order given (by series); returns those that were not there. Their last
-- sample counts as just before the start, where the zero then goes. Times are Unix time in ms.
insert into wafer.histogram_total (series_id, start, ts)
select n.series_id, n.start, n.start - 1
from unnest($1::bigint[], $2::bigint[])
    with ordinality as n (series_id, start, position)
order by n.position
on conflict (series_id) do nothing
returning series_id

-- name: lock_histogram_totals
-- Reads totals of histograms and holds them until the commit; locked in the order of series, as everyone does.
select
    series_id, start, ts, ts >= start as begun, count, sum, schema, zero_threshold, zero_count, bounds, spans, counts,
    negative_spans, negative_counts
from wafer.histogram_total
where series_id = any($1::bigint[])
order by series_id
for update

-- name: update_histogram_total
-- Writes the new total of one histogram.
update wafer.histogram_total
set ts = $2, count = $3, sum = $4, schema = $5, zero_threshold = $6, zero_count = $7, bounds = $8, spans = $9, counts = $10,
    negative_spans = $11, negative_counts = $12
where series_id = $1

-- name: select_total_days
-- Tells which days the next samples of totals may fall into: that of the last sample and the day after.
select distinct date_trunc('day', to_timestamp(l.ts / 1000.0), 'UTC') + n * interval '24 hours' as day
from (
    select wafer.total_ts(s.series_id, t.totals)
    from unnest($1::bigint[]) as s (series_id)
    join wafer.number_total t on t.block = s.series_id / 64
    union
    select ts from wafer.histogram_total where series_id = any($2::bigint[])
) l (ts), generate_series(0, 1) as n
where l.ts is not null
