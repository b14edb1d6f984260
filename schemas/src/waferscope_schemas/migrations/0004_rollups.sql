-- Rollups of samples, deletions that readers follow, and what the site's maintenance remembers.

-- A histogram without its series and time, as the columns of histogram_sample; rollups store it and the functions below count with it.
create type wafer.histogram as (
    count           double precision,
    sum             double precision,       -- null: the producer gave none
    schema          smallint,
    zero_threshold  double precision,
    zero_count      double precision,
    custom_bounds   double precision[],
    positive_spans  integer[],
    positive_counts double precision[],
    negative_spans  integer[],
    negative_counts double precision[]
);

-- Arithmetic of rollups -------------------------------------------------------------------------------------------

-- A value that can be added up: PostgreSQL refuses a sum that leaves the range of a double, which would stop a whole hour.
create function wafer.summable(value double precision) returns double precision
language sql immutable parallel safe as $$
    select case when value between -1e300 and 1e300 or value = 'NaN' then value else sign(value) * 'Infinity' end
$$;

-- How far a counter rose between two samples; after a reset it rose from zero. Over a NaN nothing is known.
create function wafer.rise(before double precision, value double precision) returns double precision
language sql immutable parallel safe as $$
    select case
        when before = 'NaN' or value = 'NaN' then 0
        when value >= before then wafer.summable(value) - wafer.summable(before)
        when value < before then wafer.summable(value)
    end
$$;

-- The index of every bucket of spans (pairs: distance from the end of the span before, length), in order.
create function wafer.span_indexes(spans integer[]) returns integer[]
language sql immutable parallel safe as $$
    select coalesce(array_agg(i order by i), '{}')
    from (
        select
            sum(spans[2 * n - 1]) over w + sum(spans[2 * n]) over w - spans[2 * n] as first,
            spans[2 * n] as length
        from generate_series(1, cardinality(spans) / 2) as n
        window w as (order by n)
    ) s
    cross join lateral generate_series(s.first::integer, s.first::integer + s.length - 1) as i
$$;

-- The spans of ascending indexes: the inverse of span_indexes.
create function wafer.index_spans(indexes integer[]) returns integer[]
language sql immutable parallel safe as $$
    select coalesce(array_agg(p.number order by s.first, p.place), '{}')
    from (
        select first, last, first - coalesce(lag(last) over (order by first) + 1, 0) as gap
        from (
            select min(i) as first, max(i) as last
            from (select i, i - row_number() over (order by i) as island from unnest(indexes) as i) n
            group by island
        ) islands
    ) s
    cross join lateral (values (1, s.gap), (2, s.last - s.first + 1)) as p (place, number)
$$;

-- The buckets of a histogram in another, coarser layout: side 1 positive, -1 negative, 0 the zero bucket. Exponential buckets
-- are merged to a lower schema and, where the zero bucket is wide enough to hold them, into that; buckets with custom bounds go
-- to the first of the bounds that they lie under.
create function wafer.histogram_buckets(
    h wafer.histogram, schema smallint, zero_threshold double precision, bounds double precision[]
) returns table (side integer, index integer, count double precision)
language sql immutable parallel safe as $$
    select
        case
            when schema <> -53 and zero_threshold > 0 and log(2, zero_threshold::numeric) >= m.index / 2.0 ^ schema then 0
            else b.side
        end,
        m.index, b.count
    from (
        select 1 as side, i, c from unnest(wafer.span_indexes(h.positive_spans), h.positive_counts) as p (i, c)
        union all
        select -1, i, c from unnest(wafer.span_indexes(h.negative_spans), h.negative_counts) as n (i, c)
    ) b (side, i, count)
    cross join lateral (
        select case
            when schema = -53 then (
                select count(*)::integer from unnest(bounds) as bound
                where h.custom_bounds[b.i + 1] is null or bound < h.custom_bounds[b.i + 1]
            )
            else (b.i + (1 << (h.schema - schema)) - 1) >> (h.schema - schema)
        end as index
    ) m
$$;

-- Adds b to a (sign 1), or takes b from a (sign -1), in the finest layout that both can be brought to. Exponential buckets and
-- buckets with custom bounds don't add up: the newer histogram stays, which is b of a sum and a of a difference.
create function wafer.histogram_plus(a wafer.histogram, b wafer.histogram, sign integer) returns wafer.histogram
language plpgsql immutable parallel safe as $$
declare
    r wafer.histogram := a;
begin
    if (a.schema = -53) <> (b.schema = -53) then
        return case when sign > 0 then b else a end;
    end if;
    r.count := wafer.summable(a.count) + sign * wafer.summable(b.count);
    r.sum := wafer.summable(a.sum) + sign * wafer.summable(b.sum);
    r.zero_count := wafer.summable(a.zero_count) + sign * wafer.summable(b.zero_count);
    if (a.schema, a.zero_threshold, a.custom_bounds, a.positive_spans, a.negative_spans)
        = (b.schema, b.zero_threshold, b.custom_bounds, b.positive_spans, b.negative_spans)
    then
        r.positive_counts := array(
            select wafer.summable(x) + sign * wafer.summable(y)
            from unnest(a.positive_counts, b.positive_counts) with ordinality as t (x, y, n) order by n
        );
        r.negative_counts := array(
            select wafer.summable(x) + sign * wafer.summable(y)
            from unnest(a.negative_counts, b.negative_counts) with ordinality as t (x, y, n) order by n
        );
        return r;
    end if;
    r.schema := least(a.schema, b.schema);
    r.zero_threshold := greatest(a.zero_threshold, b.zero_threshold);
    r.custom_bounds := array(select unnest(a.custom_bounds) intersect select unnest(b.custom_bounds) order by 1);
    select
        r.zero_count + coalesce(sum(t.count) filter (where t.side = 0), 0),
        wafer.index_spans(coalesce(array_agg(t.index order by t.index) filter (where t.side = 1), '{}')),
        coalesce(array_agg(t.count order by t.index) filter (where t.side = 1), '{}'),
        wafer.index_spans(coalesce(array_agg(t.index order by t.index) filter (where t.side = -1), '{}')),
        coalesce(array_agg(t.count order by t.index) filter (where t.side = -1), '{}')
    into r.zero_count, r.positive_spans, r.positive_counts, r.negative_spans, r.negative_counts
    from (
        select u.side, u.index, sum(u.count) as count
        from (
            select s.side, s.index, wafer.summable(s.count) as count
            from wafer.histogram_buckets(a, r.schema, r.zero_threshold, r.custom_bounds) s
            union all
            select s.side, s.index, sign * wafer.summable(s.count)
            from wafer.histogram_buckets(b, r.schema, r.zero_threshold, r.custom_bounds) s
        ) u
        group by u.side, u.index
    ) t;
    return r;
end
$$;

create function wafer.histogram_add(a wafer.histogram, b wafer.histogram) returns wafer.histogram
language sql immutable strict parallel safe as $$ select wafer.histogram_plus(a, b, 1) $$;

-- One histogram of many, in the order given.
create aggregate wafer.histogram_total(wafer.histogram) (sfunc = wafer.histogram_add, stype = wafer.histogram);

-- Tells whether a histogram's counts began anew between two samples (Prometheus, FloatHistogram.DetectReset): a count fell, or
-- the layout became finer, which it never does while it counts on.
create function wafer.histogram_reset(before wafer.histogram, h wafer.histogram, hint smallint) returns boolean
language plpgsql immutable parallel safe as $$
declare
    d wafer.histogram;
begin
    if hint = 1 or h.count < before.count or (h.schema = -53) <> (before.schema = -53)
        or h.schema > before.schema or h.zero_threshold < before.zero_threshold
    then
        return true;
    elsif h.count = before.count and h.zero_count = before.zero_count
        and (h.positive_counts, h.negative_counts, h.positive_spans, h.negative_spans, h.custom_bounds)
        = (before.positive_counts, before.negative_counts, before.positive_spans, before.negative_spans, before.custom_bounds)
    then
        return false;
    end if;
    d := wafer.histogram_plus(h, before, -1);
    return d.zero_count < 0 or 0 > any (d.positive_counts) or 0 > any (d.negative_counts);
end
$$;

-- Rollups ---------------------------------------------------------------------------------------------------------

-- What the samples of a series in one bucket came to; duplicates collapsed, stale markers left out. The maintenance of the writer
-- fills them. Five-minute rollups are many and leave by days; those of an hour are few and stay for years.
create table wafer.rollup_5m (
    series_id bigint not null,
    bucket    timestamptz not null,         -- start, included; its end belongs to the next
    count     integer not null,             -- samples
    sum       double precision not null,
    min       double precision not null,    -- NaN only where no sample is a number
    max       double precision not null,
    first     double precision not null,
    last      double precision not null,
    first_ts  timestamptz not null,
    last_ts   timestamptz not null,
    increase  double precision not null,    -- since the last sample before the bucket, corrected for resets
    xid       xid8 not null default pg_current_xact_id(),
    primary key (series_id, bucket)
) partition by range (bucket);
create index rollup_5m_xid on wafer.rollup_5m (xid);

create table wafer.rollup_1h (
    series_id bigint not null,
    bucket    timestamptz not null,
    count     integer not null,
    sum       double precision not null,
    min       double precision not null,
    max       double precision not null,
    first     double precision not null,
    last      double precision not null,
    first_ts  timestamptz not null,
    last_ts   timestamptz not null,
    increase  double precision not null,
    xid       xid8 not null default pg_current_xact_id(),
    primary key (series_id, bucket)
);
create index rollup_1h_xid on wafer.rollup_1h (xid);
create index rollup_1h_bucket on wafer.rollup_1h using brin (bucket) with (autosummarize);

create table wafer.rollup_5m_histogram (
    series_id bigint not null,
    bucket    timestamptz not null,
    count     integer not null,             -- samples
    last      wafer.histogram not null,
    first_ts  timestamptz not null,
    last_ts   timestamptz not null,
    increase  wafer.histogram not null,     -- since the last sample before the bucket, in the finest layout that fits all of it
    xid       xid8 not null default pg_current_xact_id(),
    primary key (series_id, bucket)
) partition by range (bucket);
create index rollup_5m_histogram_xid on wafer.rollup_5m_histogram (xid);

create table wafer.rollup_1h_histogram (
    series_id bigint not null,
    bucket    timestamptz not null,
    count     integer not null,
    last      wafer.histogram not null,
    first_ts  timestamptz not null,
    last_ts   timestamptz not null,
    increase  wafer.histogram not null,
    xid       xid8 not null default pg_current_xact_id(),
    primary key (series_id, bucket)
);
create index rollup_1h_histogram_xid on wafer.rollup_1h_histogram (xid);
create index rollup_1h_histogram_bucket on wafer.rollup_1h_histogram using brin (bucket) with (autosummarize);

-- How far the rollups have read what they follow: the snapshot of the last look, null before the first.
create table wafer.rollup_feed (
    source   text primary key check (source in ('ingest_hour', 'deletion')),
    snapshot text
);
insert into wafer.rollup_feed (source) values ('ingest_hour'), ('deletion');

-- Hours with buckets to recompute; entered with the snapshot that was read up to, left with the rows that were computed.
create table wafer.rollup_due (
    hour     timestamptz primary key,
    begin_ts timestamptz not null,          -- whole buckets inside the hour
    end_ts   timestamptz not null,
    failed_at timestamptz                   -- when computing it failed last
);

-- Deletions, for whoever keeps what was derived from the deleted rows. Written in the transaction that deletes.
create table wafer.deletion (
    deletion_id bigint generated always as identity primary key,
    kind        text not null check (kind in ('samples', 'expired')),   -- by request; by retention, which rollups outlive
    series_ids  bigint[],                   -- null: all series
    begin_ts    timestamptz not null,
    end_ts      timestamptz not null,       -- not included
    deleted_at  timestamptz not null default clock_timestamp(),
    xid         xid8 not null default pg_current_xact_id()
);
create index deletion_xid on wafer.deletion (xid);

-- What each task of the maintenance last did, whichever writer did it.
create table wafer.maintenance_state (
    task         text primary key,
    last_success timestamptz,
    duration_s   double precision,          -- of the last success
    last_error_at timestamptz,
    last_error   text
);

-- Old steps are found by their end.
create index step_run_ended_at on wafer.step_run using brin (ended_at) with (autosummarize);

-- Views -----------------------------------------------------------------------------------------------------------

create view wafer.metrics_5m as
select
    s.metric, s.labels, r.bucket, r.count, r.sum, r.sum / r.count as avg, r.min, r.max, r.first, r.last, r.first_ts, r.last_ts,
    r.increase, s.kind, s.unit
from wafer.rollup_5m r
join wafer.series s using (series_id);

create view wafer.metrics_1h as
select
    s.metric, s.labels, r.bucket, r.count, r.sum, r.sum / r.count as avg, r.min, r.max, r.first, r.last, r.first_ts, r.last_ts,
    r.increase, s.kind, s.unit
from wafer.rollup_1h r
join wafer.series s using (series_id);
