-- Exemplars: single measurements that lead from a series to a trace.

create table wafer.exemplar (
    series_id bigint not null,              -- of the series that it was recorded with; of a histogram the histogram's
    ts        timestamptz not null,         -- when it was measured, whole milliseconds
    value     double precision not null,
    trace_id  bytea,
    span_id   bytea,
    labels    jsonb not null default '{}'   -- filtered attributes, named as labels are
) partition by range (ts);
create index exemplar_ts on wafer.exemplar using brin (ts) with (autosummarize);
create index exemplar_series on wafer.exemplar (series_id, ts);
