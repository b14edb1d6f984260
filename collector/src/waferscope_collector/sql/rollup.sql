-- name: queue_touched_hours
-- Queues the buckets that requests touched since the last look; one statement, so the snapshot it keeps is the one it read by.
with known as (
    select snapshot::pg_snapshot as snapshot from wafer.rollup_feed where source = 'ingest_hour'
), touched as (
    select
        hour, date_bin('5 minutes', min(min_ts), 'epoch') as begin_ts,
        date_bin('5 minutes', max(max_ts), 'epoch') + interval '5 minutes' as end_ts
    from wafer.ingest_hour
    where xid >= coalesce((select pg_snapshot_xmin(snapshot) from known), '0'::xid8)
        and not coalesce(pg_visible_in_snapshot(xid, (select snapshot from known)), false)
    group by hour
), queued as (
    insert into wafer.rollup_due as d
    select hour, begin_ts, end_ts from touched
    on conflict (hour) do update
    set begin_ts = least(d.begin_ts, excluded.begin_ts), end_ts = greatest(d.end_ts, excluded.end_ts)
)
update wafer.rollup_feed set snapshot = pg_current_snapshot()::text where source = 'ingest_hour'

-- name: next_due_hour
-- Chooses what to compute next: what people look at first, then the backlog from its beginning; what has failed in this run waits.
select hour, begin_ts, end_ts
from wafer.rollup_due
where failed_at is null or failed_at < $1
order by hour < now() - interval '2 hours', hour
limit 1

-- name: postpone_due_hour
-- Lets an hour that failed wait for the next run.
update wafer.rollup_due set failed_at = clock_timestamp() where hour = $1

-- name: settle_due_hour
-- Takes an hour off the queue, in the transaction that computed it.
delete from wafer.rollup_due where hour = $1

-- name: recompute_numbers
-- Computes the five-minute buckets of a time range from its samples, and queues the buckets that follow a changed last value.
with samples as (
    select distinct on (series_id, bucket, ts)
        series_id, date_bin('5 minutes', ts, 'epoch') as bucket, ts, value + 0.0 as value  -- of 0 and -0 this is 0
    from wafer.sample
    where ts >= $1 and ts < $2 and (value <> 'NaN' or float8send(value) <> '\x7ff0000000000002')
    order by series_id, bucket, ts, (value = 'NaN'), value desc
), steps as (
    select *, lag(value) over (partition by series_id, bucket order by ts) as before from samples
), buckets as (
    select
        series_id, bucket, count(*)::integer as count, sum(wafer.summable(value)) as sum,
        coalesce(min(nullif(value, 'NaN')), 'NaN') as min, coalesce(max(nullif(value, 'NaN')), 'NaN') as max,
        (array_agg(value order by ts))[1] as first, (array_agg(value order by ts))[count(*)] as last,
        min(ts) as first_ts, max(ts) as last_ts, coalesce(sum(wafer.rise(before, value)), 0) as inside
    from steps
    group by series_id, bucket
), edges as (
    select
        *,
        coalesce(
            lag(last) over (partition by series_id order by bucket),
            (
                select r.last from wafer.rollup_5m r
                where r.series_id = b.series_id and r.bucket < $1 order by r.bucket desc limit 1
            ),
            (
                select r.last from wafer.rollup_1h r
                where r.series_id = b.series_id and r.bucket < date_trunc('hour', $1, 'UTC') order by r.bucket desc limit 1
            )
        ) as before
    from buckets b
), stored as (
    insert into wafer.rollup_5m as t (series_id, bucket, count, sum, min, max, first, last, first_ts, last_ts, increase)
    select
        series_id, bucket, count, sum, min, max, first, last, first_ts, last_ts, inside + coalesce(wafer.rise(before, first), 0)
    from edges
    on conflict (series_id, bucket) do update set
        count = excluded.count, sum = excluded.sum, min = excluded.min, max = excluded.max, first = excluded.first,
        last = excluded.last, first_ts = excluded.first_ts, last_ts = excluded.last_ts, increase = excluded.increase,
        xid = pg_current_xact_id()
    -- A row never shrinks: late samples of a time whose others were dropped must not replace what was computed from all.
    where excluded.count >= t.count
        and (t.count, t.sum, t.min, t.max, t.first, t.last, t.first_ts, t.last_ts, t.increase) is distinct from (
            excluded.count, excluded.sum, excluded.min, excluded.max, excluded.first, excluded.last, excluded.first_ts,
            excluded.last_ts, excluded.increase
        )
    returning series_id, old.last is distinct from new.last as moved
), following as (
    select n.bucket
    from (select distinct series_id from stored where moved) s
    cross join lateral (
        select r.bucket from wafer.rollup_5m r
        where r.series_id = s.series_id and r.bucket >= $2 order by r.bucket limit 1
    ) n
)
insert into wafer.rollup_due as d
select date_trunc('hour', bucket, 'UTC'), min(bucket), max(bucket) + interval '5 minutes'
from following
group by 1
on conflict (hour) do update
set begin_ts = least(d.begin_ts, excluded.begin_ts), end_ts = greatest(d.end_ts, excluded.end_ts)

-- name: recompute_number_hour
-- Sums up an hour's buckets for the series that this transaction wrote buckets of.
insert into wafer.rollup_1h as t (series_id, bucket, count, sum, min, max, first, last, first_ts, last_ts, increase)
select
    r.series_id, $1, sum(r.count)::integer, sum(wafer.summable(r.sum)), coalesce(min(nullif(r.min, 'NaN')), 'NaN'),
    coalesce(max(nullif(r.max, 'NaN')), 'NaN'), (array_agg(r.first order by r.bucket))[1],
    (array_agg(r.last order by r.bucket desc))[1], min(r.first_ts), max(r.last_ts), sum(wafer.summable(r.increase))
from (select distinct series_id from wafer.rollup_5m where xid = pg_current_xact_id()) w
join wafer.rollup_5m r on r.series_id = w.series_id and r.bucket >= $1 and r.bucket < $1 + interval '1 hour'
group by r.series_id
on conflict (series_id, bucket) do update set
    count = excluded.count, sum = excluded.sum, min = excluded.min, max = excluded.max, first = excluded.first,
    last = excluded.last, first_ts = excluded.first_ts, last_ts = excluded.last_ts, increase = excluded.increase,
    xid = pg_current_xact_id()
where excluded.count >= t.count
    and (t.count, t.sum, t.min, t.max, t.first, t.last, t.first_ts, t.last_ts, t.increase) is distinct from (
        excluded.count, excluded.sum, excluded.min, excluded.max, excluded.first, excluded.last, excluded.first_ts,
        excluded.last_ts, excluded.increase
    )

-- name: recompute_histograms
-- Computes the five-minute buckets of a time range from its histograms, as recompute_numbers does. Between two resets the increase
-- is the last histogram less the one before the first, so only the ends of such runs are counted with.
with samples as (
    select distinct on (series_id, ts)
        series_id, date_bin('5 minutes', ts, 'epoch') as bucket, ts, reset_hint as hint,
        row(
            count, sum, schema, zero_threshold, zero_count, custom_bounds, positive_spans, positive_counts, negative_spans,
            negative_counts
        )::wafer.histogram as h
    from wafer.histogram_sample
    where ts >= $1 and ts < $2
        and float8send(count) <> '\x7ff0000000000002' and (sum is null or float8send(sum) <> '\x7ff0000000000002')
    order by
        series_id, ts, (count = 'NaN'), count desc, (sum is null), (sum = 'NaN'), sum desc, positive_counts desc,
        negative_counts desc, schema desc, custom_bounds desc, positive_spans desc, negative_spans desc
), linked as (
    select
        *,
        coalesce(
            lag(h) over (partition by series_id order by ts),
            (
                select r.last from wafer.rollup_5m_histogram r
                where r.series_id = s.series_id and r.bucket < $1 order by r.bucket desc limit 1
            ),
            (
                select r.last from wafer.rollup_1h_histogram r
                where r.series_id = s.series_id and r.bucket < date_trunc('hour', $1, 'UTC') order by r.bucket desc limit 1
            )
        ) as before
    from samples s
), steps as (
    select
        *,
        case
            when before is null then false
            -- In an unchanged layout as wafer.histogram_reset would tell, but quicker: this is asked of every sample.
            when ((h).schema, (h).zero_threshold, (h).custom_bounds, (h).positive_spans, (h).negative_spans)
                = (
                    (before).schema, (before).zero_threshold, (before).custom_bounds, (before).positive_spans,
                    (before).negative_spans
                )
            then hint = 1 or (h).count < (before).count or (h).zero_count < (before).zero_count
                or exists (select from unnest((h).positive_counts, (before).positive_counts) as c (after, before) where c.after < c.before)
                or exists (select from unnest((h).negative_counts, (before).negative_counts) as c (after, before) where c.after < c.before)
            else wafer.histogram_reset(before, h, hint)
        end as reset
    from linked
    offset 0  -- keeps the planner from putting the expression wherever the column is named
), runs as (
    select *, count(*) filter (where reset) over (partition by series_id order by ts) as run from steps
), ends as (
    select
        *, row_number() over w as place,
        last_value(h) over (w rows between unbounded preceding and unbounded following) as final,
        count(*) over (w rows between unbounded preceding and unbounded following) as samples,
        last_value(ts) over (w rows between unbounded preceding and unbounded following) as last_ts
    from runs
    window w as (partition by series_id, bucket, run order by ts)
), buckets as (
    select
        series_id, bucket, sum(samples)::integer as count, (array_agg(final order by ts desc))[1] as last,
        min(ts) as first_ts, max(last_ts) as last_ts,
        wafer.histogram_total(
            case when reset then final else wafer.histogram_plus(final, case when before is null then h else before end, -1) end
            order by ts
        ) as increase
    from ends
    where place = 1
    group by series_id, bucket
), stored as (
    insert into wafer.rollup_5m_histogram as t (series_id, bucket, count, last, first_ts, last_ts, increase)
    select series_id, bucket, count, last, first_ts, last_ts, increase from buckets
    on conflict (series_id, bucket) do update set
        count = excluded.count, last = excluded.last, first_ts = excluded.first_ts, last_ts = excluded.last_ts,
        increase = excluded.increase, xid = pg_current_xact_id()
    where excluded.count >= t.count
        and (t.count, t.last, t.first_ts, t.last_ts, t.increase)
        is distinct from (excluded.count, excluded.last, excluded.first_ts, excluded.last_ts, excluded.increase)
    returning series_id, old.last is distinct from new.last as moved
), following as (
    select n.bucket
    from (select distinct series_id from stored where moved) s
    cross join lateral (
        select r.bucket from wafer.rollup_5m_histogram r
        where r.series_id = s.series_id and r.bucket >= $2 order by r.bucket limit 1
    ) n
)
insert into wafer.rollup_due as d
select date_trunc('hour', bucket, 'UTC'), min(bucket), max(bucket) + interval '5 minutes'
from following
group by 1
on conflict (hour) do update
set begin_ts = least(d.begin_ts, excluded.begin_ts), end_ts = greatest(d.end_ts, excluded.end_ts)

-- name: recompute_histogram_hour
-- Sums up an hour's buckets for the histograms that this transaction wrote buckets of.
insert into wafer.rollup_1h_histogram as t (series_id, bucket, count, last, first_ts, last_ts, increase)
select
    r.series_id, $1, sum(r.count)::integer, (array_agg(r.last order by r.bucket desc))[1], min(r.first_ts), max(r.last_ts),
    wafer.histogram_total(r.increase order by r.bucket)
from (select distinct series_id from wafer.rollup_5m_histogram where xid = pg_current_xact_id()) w
join wafer.rollup_5m_histogram r on r.series_id = w.series_id and r.bucket >= $1 and r.bucket < $1 + interval '1 hour'
group by r.series_id
on conflict (series_id, bucket) do update set
    count = excluded.count, last = excluded.last, first_ts = excluded.first_ts, last_ts = excluded.last_ts,
    increase = excluded.increase, xid = pg_current_xact_id()
where excluded.count >= t.count
    and (t.count, t.last, t.first_ts, t.last_ts, t.increase)
    is distinct from (excluded.count, excluded.last, excluded.first_ts, excluded.last_ts, excluded.increase)

-- name: deletion_snapshot
-- Tells up to where deletions were followed.
select snapshot from wafer.rollup_feed where source = 'deletion'

-- name: keep_deletion_snapshot
-- Keeps up to where deletions were followed, in the transaction that followed them.
update wafer.rollup_feed set snapshot = $1 where source = 'deletion'

-- name: remove_rollups
-- Removes the buckets that deleted samples went into; those at the ends are computed again from what is left.
delete from wafer.{table} r
using wafer.deletion d
where d.deletion_id = $1 and (d.series_ids is null or r.series_id = any(d.series_ids))
    and r.bucket > d.begin_ts - interval '{length}' and r.bucket < d.end_ts

-- name: queue_deletion_ends
-- Queues the buckets at the ends of a deletion, and those that follow it in each series: their increase began in what is gone.
with ends as (
    select date_bin('5 minutes', e.ts, 'epoch') as bucket
    from wafer.deletion d
    cross join lateral (values (d.begin_ts), (d.end_ts - interval '1 ms')) as e (ts)
    -- Nothing is stored beyond the ends of the calendar.
    where d.deletion_id = $1 and e.ts > '0001-01-03 00:00:00+00' and e.ts < '9999-12-31 00:00:00+00'
    union all
    select n.bucket
    from wafer.deletion d
    join wafer.series s on d.series_ids is null or s.series_id = any(d.series_ids)
    cross join lateral (
        select r.bucket from wafer.{table} r
        where r.series_id = s.series_id and r.bucket >= d.end_ts order by r.bucket limit 1
    ) n
    where d.deletion_id = $1
)
insert into wafer.rollup_due as d
select date_trunc('hour', bucket, 'UTC'), min(bucket), max(bucket) + interval '5 minutes'
from ends
group by 1
on conflict (hour) do update
set begin_ts = least(d.begin_ts, excluded.begin_ts), end_ts = greatest(d.end_ts, excluded.end_ts)

-- name: rewrite_deletion_hours
-- Writes what is left of the hours at a deletion's ends again, so that they count as written by this transaction.
update wafer.{table} r
set xid = pg_current_xact_id()
from wafer.deletion d
cross join lateral (values (d.begin_ts), (d.end_ts)) as e (ts)
where d.deletion_id = $1 and isfinite(e.ts) and (d.series_ids is null or r.series_id = any(d.series_ids))
    and r.bucket >= date_trunc('hour', e.ts, 'UTC') and r.bucket < date_trunc('hour', e.ts, 'UTC') + interval '1 hour'

-- name: deletion_hours
-- Tells the hours at a deletion's ends.
select distinct date_trunc('hour', e.ts, 'UTC') as hour
from wafer.deletion d
cross join lateral (values (d.begin_ts), (d.end_ts)) as e (ts)
where d.deletion_id = $1 and isfinite(e.ts)

-- name: set_rollup_memory
-- Lets one hour of ten thousand series be sorted in memory, until the end of the transaction.
set local work_mem = '256MB'
