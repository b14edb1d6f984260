-- A site's tables. Time-partitioned tables are declared in plain PostgreSQL's words ("partition by range");
-- where TimescaleDB is present, waferscope_schemas.partitioning turns the same declarations into hypertables.
-- It also gives the tables of samples their indexes, which differ between the two.
--
-- A column xid makes a table part of the change feed. Whoever updates a row sets "xid = pg_current_xact_id()" again: a trigger
-- would do it for every row of every bulk upsert, at a cost that the few statements that update don't have.

create schema wafer;

-- Metrics ---------------------------------------------------------------------------------------------------------

create table wafer.series (
    series_id   bigint generated always as identity primary key,
    fingerprint bytea not null unique,      -- sha256 of the metric name and the sorted labels, 16 bytes
    metric      text not null,              -- Prometheus name (compatibility specification)
    labels      jsonb not null,             -- without __name__
    kind        text not null check (kind in ('counter', 'gauge', 'histogram', 'summary', 'info', 'stateset', 'unknown')),
    unit        text not null default '',   -- as the producer gave it (UCUM)
    help        text not null default '',
    xid         xid8 not null default pg_current_xact_id()
);
create index series_xid on wafer.series (xid);
create index series_metric on wafer.series (metric);

create table wafer.sample (
    series_id bigint not null,
    ts        timestamptz not null,         -- whole milliseconds
    value     double precision not null     -- a stale marker is the NaN with the bits 0x7ff0000000000002
) partition by range (ts);

create table wafer.histogram_sample (
    series_id       bigint not null,
    ts              timestamptz not null,   -- whole milliseconds
    count           double precision not null,
    sum             double precision,       -- null: the producer gave none
    min             double precision,
    max             double precision,
    schema          smallint not null,      -- exponential: -4..8; explicit bounds: -53
    zero_threshold  double precision not null default 0,
    zero_count      double precision not null default 0,
    custom_bounds   double precision[] not null default '{}',   -- upper bounds without +Inf, schema -53 only
    positive_spans  integer[] not null default '{}',            -- pairs: offset, length
    positive_counts double precision[] not null default '{}',   -- absolute count of each bucket, in order of the spans
    negative_spans  integer[] not null default '{}',
    negative_counts double precision[] not null default '{}',
    reset_hint      smallint not null default 0,                -- as Prometheus: 0 unknown, 1 reset, 2 no reset, 3 gauge
    start           timestamptz
) partition by range (ts);

-- One row per change of a series' start timestamp.
create table wafer.start_time (
    series_id bigint not null,
    ts        timestamptz not null,         -- of the first sample with this start
    start     timestamptz not null,
    primary key (series_id, ts)
);

-- Running totals of delta streams, added to in the ledger's transaction in series_id order.
create table wafer.delta_total (
    series_id bigint primary key,
    start     timestamptz not null,         -- first start time: where the zero sample stands
    ts        timestamptz not null,         -- of the last sample written; the next is at least 1 ms later
    value     double precision not null default 0,              -- sums
    count     double precision not null default 0,              -- histograms, as in histogram_sample
    sum       double precision not null default 0,
    bounds    double precision[] not null default '{}',
    counts    double precision[] not null default '{}'
);

-- The ledger ------------------------------------------------------------------------------------------------------

create table wafer.ingest_batch (
    batch_id    bigint generated always as identity primary key,
    digest      bytea not null unique,      -- sha256 of the decompressed request body, prefixed by its signal
    received_at timestamptz not null default clock_timestamp(),
    signal      text not null,              -- metrics, logs, traces
    points      integer not null
);
create index ingest_batch_received_at on wafer.ingest_batch (received_at);

-- What readers of samples follow: one row per committed request and hour that it touched.
create table wafer.ingest_hour (
    batch_id bigint not null references wafer.ingest_batch on delete cascade,
    hour     timestamptz not null,
    min_ts   timestamptz not null,
    max_ts   timestamptz not null,
    points   integer not null,
    xid      xid8 not null default pg_current_xact_id(),
    primary key (batch_id, hour)
);
create index ingest_hour_xid on wafer.ingest_hour (xid);

-- Jobs ------------------------------------------------------------------------------------------------------------

-- Of two values that events gave to a column, the one of the higher rank, or of equal ranks the greater one: whatever order
-- events come in, the same stays.
create function wafer.newest(known_rank integer, known anyelement, rank integer, value anyelement) returns anyelement
language sql immutable as $$
    select case when rank > coalesce(known_rank, -1) or (rank = known_rank and value > known) then value else known end
$$;
-- Of texts by their code points, whatever the database's collation: the writer, which folds a group first, compares so too.
create function wafer.newest(known_rank integer, known text, rank integer, value text) returns text
language sql immutable as $$
    select case when rank > coalesce(known_rank, -1) or (rank = known_rank and value > known collate "C") then value else known end
$$;

-- Current state, one row per attempt, folded from job_event: a terminal state wins, then the highest sequence.
create table wafer.job_run (
    site               text not null,
    job_id             text not null,
    attempt            integer not null,
    parent_job_id      text,
    name               text not null,
    service            text not null default '',
    version            text not null default '',
    host               text not null default '',
    lot                text,
    carrier            text,
    substrate          text,
    equipment          text,
    module             text,
    recipe             text,
    recipe_version     text,
    operation          text,
    result             text check (result in ('success', 'failure', 'cancellation', 'skip')),  -- null until ended
    started_at         timestamptz not null,
    ended_at           timestamptz,
    duration_s         double precision,                    -- by the job's monotonic clock, once ended
    sequence           integer not null,                    -- of the event that the row shows
    heartbeat_at       timestamptz not null,                -- time of the newest event, by the host's clock
    heartbeat_interval double precision not null default 10,    -- s
    clock_offset       double precision not null,           -- s: least (received - at) over the run's events
    heard_at           timestamptz not null,                -- when the writer received the newest event, by its clock
    progress_done      double precision,
    progress_total     double precision,
    step_name          text,
    step_index         integer,
    cpu_user_s         double precision,
    cpu_system_s       double precision,
    memory_bytes       bigint,                              -- resident set at the last event
    memory_peak_bytes  bigint,
    error_type         text,
    error_message      text,
    trace_id           bytea,
    span_id            bytea,
    attributes         jsonb not null default '{}',         -- what the author added
    ranks              integer[] not null default '{}',     -- of the event that each column is from (the writer's upsert_job_runs)
    inserted_at        timestamptz not null default clock_timestamp(),
    xid                xid8 not null default pg_current_xact_id(),
    primary key (site, job_id, attempt)
);
create index job_run_xid on wafer.job_run (xid);
create index job_run_started_at on wafer.job_run (started_at);
create index job_run_job_id on wafer.job_run (job_id);
create index job_run_open on wafer.job_run (heartbeat_at) where result is null;
create index job_run_parent on wafer.job_run (site, parent_job_id) where parent_job_id is not null;

-- Steps tell of themselves by their span only, at their end.
create table wafer.step_run (
    site        text not null,
    job_id      text not null,
    attempt     integer not null,
    span_id     bytea not null,
    name        text not null,
    index       integer not null,
    result      text not null check (result in ('success', 'failure', 'cancellation', 'skip')),
    started_at  timestamptz not null,
    ended_at    timestamptz not null,
    duration_s  double precision not null,
    error_type  text,
    trace_id    bytea not null,
    parent_span_id bytea,
    attributes  jsonb not null default '{}',
    xid         xid8 not null default pg_current_xact_id(),
    primary key (site, job_id, attempt, span_id)
);
create index step_run_xid on wafer.step_run (xid);

-- Append-only feed of everything that jobs said.
create table wafer.job_event (
    site        text not null,
    job_id      text not null,
    attempt     integer not null,
    sequence    integer not null,
    at          timestamptz not null,       -- by the host's clock
    name        text not null,              -- wafer.job.started, wafer.job.heartbeat, wafer.job.ended
    received_at timestamptz not null default clock_timestamp(),
    trace_id    bytea,
    span_id     bytea,
    attributes  jsonb not null default '{}',
    xid         xid8 not null default pg_current_xact_id(),
    unique (site, job_id, attempt, sequence, at)
) partition by range (at);
create index job_event_xid on wafer.job_event (xid);

-- Spans, logs, hosts ----------------------------------------------------------------------------------------------

create table wafer.span (
    trace_id       bytea not null,
    span_id        bytea not null,
    parent_span_id bytea,
    start          timestamptz not null,
    start_ns       bigint not null,         -- Unix time in nanoseconds: timestamptz holds microseconds
    duration_ns    bigint not null,
    name           text not null,
    kind           smallint not null,       -- as OTLP: 1 internal, 2 server, 3 client, 4 producer, 5 consumer
    status         smallint not null,       -- as OTLP: 0 unset, 1 ok, 2 error
    status_message text not null default '',
    site           text not null default '',
    service        text not null default '',
    host           text not null default '',
    job_id         text,
    job_name       text,
    step_name      text,
    lot            text,
    equipment      text,
    attributes     jsonb not null default '{}',
    resource       jsonb not null default '{}',
    scope          text not null default '',
    events         jsonb not null default '[]',
    links          jsonb not null default '[]',
    unique (trace_id, span_id, start)
) partition by range (start);
create index span_start on wafer.span using brin (start) with (autosummarize);
create index span_job on wafer.span (job_id) where job_id is not null;

create table wafer.log_record (
    ts            timestamptz not null,     -- observed time where the producer gave none
    observed_at   timestamptz,
    severity      smallint not null default 0,  -- OTLP severity number, 0..24
    severity_text text not null default '',
    event_name    text not null default '',
    body          jsonb,                    -- any OTLP value
    trace_id      bytea,
    span_id       bytea,
    site          text not null default '',
    service       text not null default '',
    host          text not null default '',
    job_id        text,
    attributes    jsonb not null default '{}',
    resource      jsonb not null default '{}',
    scope         text not null default ''
) partition by range (ts);
create index log_record_ts on wafer.log_record using brin (ts) with (autosummarize);
create index log_record_job on wafer.log_record (job_id) where job_id is not null;

-- Set by host metrics only: tells a silent job from a silent host.
create table wafer.host (
    site      text not null,
    name      text not null,
    last_seen timestamptz not null,         -- when its newest host metrics were received
    interval  double precision not null,    -- s between host metrics
    primary key (site, name)
);

-- Views: the stable interface ---------------------------------------------------------------------------------------

create view wafer.jobs as
select
    r.site, r.job_id, r.attempt, r.parent_job_id, r.name, r.service, r.version, r.host,
    r.lot, r.carrier, r.substrate, r.equipment, r.module, r.recipe, r.recipe_version, r.operation,
    case r.result
        when 'success' then 'succeeded'
        when 'failure' then 'failed'
        when 'cancellation' then 'canceled'
        when 'skip' then 'skipped'
        else case
            when s.silent_s <= 3 * r.heartbeat_interval then 'running'
            when h.last_seen < now() - 3 * h.interval * interval '1 second' then 'unreachable'
            when s.silent_s <= 30 * r.heartbeat_interval then 'stale'
            else 'lost'
        end
    end as status,
    r.result, r.started_at, r.ended_at,
    coalesce(r.duration_s, extract(epoch from r.heartbeat_at - r.started_at)) as duration_s,
    r.heartbeat_at, r.heartbeat_interval, s.silent_s as heartbeat_age_s, r.clock_offset,
    r.progress_done, r.progress_total, r.step_name, r.step_index,
    r.cpu_user_s, r.cpu_system_s, r.memory_bytes, r.memory_peak_bytes, r.error_type, r.error_message,
    encode(r.trace_id, 'hex') as trace_id, encode(r.span_id, 'hex') as span_id, r.attributes, r.sequence, r.inserted_at
from wafer.job_run r
-- Silent since the newest event was sent; but not for longer than since it was received: a clock that was set back makes the
-- offset wrong for the rest of the run.
cross join lateral (
    select greatest(0, least(
        extract(epoch from now() - r.heartbeat_at) - r.clock_offset, extract(epoch from now() - r.heard_at)
    ))::double precision as silent_s
) s
left join wafer.host h on h.site = r.site and h.name = r.host;

create view wafer.steps as
select
    site, job_id, attempt, index, name,
    case result when 'success' then 'succeeded' when 'failure' then 'failed' when 'cancellation' then 'canceled' else 'skipped' end as status,
    started_at, ended_at, duration_s, error_type, encode(trace_id, 'hex') as trace_id, encode(span_id, 'hex') as span_id,
    encode(parent_span_id, 'hex') as parent_span_id, attributes
from wafer.step_run;

create view wafer.job_events as
select site, job_id, attempt, sequence, at, name, received_at, encode(trace_id, 'hex') as trace_id, encode(span_id, 'hex') as span_id, attributes
from wafer.job_event;

create view wafer.spans as
select
    encode(trace_id, 'hex') as trace_id, encode(span_id, 'hex') as span_id, encode(parent_span_id, 'hex') as parent_span_id,
    start, (duration_ns / 1e9)::double precision as duration_s, name,
    case kind when 1 then 'internal' when 2 then 'server' when 3 then 'client' when 4 then 'producer' when 5 then 'consumer' else 'unspecified' end as kind,
    case status when 1 then 'ok' when 2 then 'error' else 'unset' end as status, status_message,
    site, service, host, job_id, job_name, step_name, lot, equipment, attributes, resource, scope, events, links
from wafer.span;

create view wafer.logs as
select
    ts, observed_at, severity, severity_text, event_name, body, encode(trace_id, 'hex') as trace_id, encode(span_id, 'hex') as span_id,
    site, service, host, job_id, attributes, resource, scope
from wafer.log_record;

-- Duplicates collapse here as everywhere: the highest value wins, any number before NaN before a stale marker. Stale markers
-- are left out: no number, but an end, and one of them would turn every sum and maximum into NaN. The bits at the end decide
-- between 0 and -0. A series has one metric and one set of labels: they stand in "distinct on" so that conditions on them
-- reach the index of wafer.series.
create view wafer.metrics as
select distinct on (m.series_id, m.ts, s.metric, s.labels)
    s.metric, s.labels, m.ts, m.value, s.kind, s.unit
from wafer.sample m
join wafer.series s using (series_id)
where float8send(m.value) <> '\x7ff0000000000002'
order by m.series_id, m.ts, s.metric, s.labels, (m.value = 'NaN'), m.value desc, float8send(m.value);

create view wafer.hosts as
select site, name, last_seen, interval, last_seen < now() - 3 * interval * interval '1 second' as unreachable
from wafer.host;
