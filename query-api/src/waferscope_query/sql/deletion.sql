-- name: may_decompress
-- Lets this transaction delete from the columnstore whatever its size; on plain PostgreSQL the setting means nothing.
select set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)

-- name: delete_samples
-- Deletes samples of series in a time range.
delete from wafer.sample where series_id = any ($1::bigint[]) and ts >= $2 and ts < $3

-- name: delete_histogram_samples
-- Deletes histograms of series in a time range.
delete from wafer.histogram_sample where series_id = any ($1::bigint[]) and ts >= $2 and ts < $3

-- name: delete_exemplars
-- Deletes exemplars of series in a time range.
delete from wafer.exemplar where series_id = any ($1::bigint[]) and ts >= $2 and ts < $3

-- name: keep_start_times
-- Lets samples after a deleted time range count since when they did: the last start within goes to its end, if there are such samples,
-- and to its beginning, where a writer that has told it finds it again.
insert into wafer.start_time (series_id, ts, start)
select newest.series_id, place.ts, newest.start
from (
    select distinct on (series_id) series_id, start from wafer.start_time
    where series_id = any ($1::bigint[]) and ts >= $2 and ts < $3
    order by series_id, ts desc
) newest
cross join lateral (
    select $2::timestamptz as ts
    union all
    select $3::timestamptz
    where exists (select from wafer.sample s where s.series_id = newest.series_id and s.ts >= $3)
) place
on conflict (series_id, ts) do update set start = excluded.start where wafer.start_time.ts = $2

-- name: delete_start_times
-- Deletes starts of series within a time range, but for one at its beginning.
delete from wafer.start_time where series_id = any ($1::bigint[]) and ts > $2 and ts < $3

-- name: tell_deletion
-- Tells readers which samples were deleted.
insert into wafer.deletion (kind, series_ids, begin_ts, end_ts) values ('samples', $1, $2, $3)

-- name: forget_requests
-- Forgets requests with samples in a time range, as far as storing them again adds nothing: so they can be sent once more. What
-- they told readers is forgotten with them, also to those who have not heard of it yet, so it is told once more in another way.
with forgotten as (
    delete from wafer.ingest_batch b
    using wafer.ingest_hour h
    where h.batch_id = b.batch_id and b.repeatable and h.max_ts >= $1 and h.min_ts < $2
    returning b.batch_id
)
insert into wafer.deletion (kind, begin_ts, end_ts)
select 'samples', min(h.min_ts), max(h.max_ts) + interval '1 millisecond'
from wafer.ingest_hour h
join forgotten f using (batch_id)
group by h.hour
