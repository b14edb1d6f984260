-- Running totals of exponential histograms. Those of explicit bounds have one span of all buckets.
-- Thousands of totals are updated with each commit: times are the numbers that the writer counts with, what a total has no use
-- for is null and takes no room, and pages keep half of theirs free, so that an update stays on its page and leaves the index alone.

alter table wafer.delta_total
    set (fillfactor = 50),
    alter column start type bigint using round(extract(epoch from start) * 1000),  -- Unix time, ms
    alter column ts    type bigint using round(extract(epoch from ts) * 1000),     -- Unix time, ms
    alter column count  drop not null, alter column count  drop default,
    alter column sum    drop not null, alter column sum    drop default,
    alter column bounds drop not null, alter column bounds drop default,
    alter column counts drop not null, alter column counts drop default,
    add column schema          smallint,
    add column zero_threshold  double precision,
    add column zero_count      double precision,
    add column spans           integer[],
    add column negative_spans  integer[],
    add column negative_counts double precision[];
update wafer.delta_total
set schema = -53, zero_threshold = 0, zero_count = 0, spans = array[0, cardinality(counts)], negative_spans = '{}', negative_counts = '{}'
where cardinality(counts) > 0;
