-- Running totals of exponential histograms. Those of explicit bounds have one span of all buckets.
-- Times are the numbers that the writer counts with: thousands of rows go to and fro with each commit.

alter table wafer.delta_total
    alter column start type bigint using round(extract(epoch from start) * 1000),  -- Unix time, ms
    alter column ts    type bigint using round(extract(epoch from ts) * 1000),     -- Unix time, ms
    add column schema          smallint not null default -53,
    add column zero_threshold  double precision not null default 0,
    add column zero_count      double precision not null default 0,
    add column spans           integer[] not null default '{}',
    add column negative_spans  integer[] not null default '{}',
    add column negative_counts double precision[] not null default '{}';
update wafer.delta_total set spans = array[0, cardinality(counts)] where cardinality(counts) > 0;
