-- What OTLP says of spans and log records beyond the columns that they have: null where it says nothing, which takes no room.
-- And the keys under which the predecessor's clients repeat their events.

alter table wafer.span
    add column flags              bigint,       -- W3C trace flags in the low 8 bits; bit 8: the parent is known to be remote or not, bit 9: it is
    add column trace_state        text,         -- W3C
    add column dropped_attributes integer,      -- by the producer, for its limits
    add column dropped_events     integer,
    add column dropped_links      integer,
    add column scope_version      text,
    add column scope_attributes   jsonb;

alter table wafer.log_record
    add column flags              bigint,       -- W3C trace flags in the low 8 bits
    add column dropped_attributes integer,      -- by the producer, for its limits
    add column scope_version      text,
    add column scope_attributes   jsonb;

create or replace view wafer.spans as
select
    encode(trace_id, 'hex') as trace_id, encode(span_id, 'hex') as span_id, encode(parent_span_id, 'hex') as parent_span_id,
    start, (duration_ns / 1e9)::double precision as duration_s, name,
    case kind when 1 then 'internal' when 2 then 'server' when 3 then 'client' when 4 then 'producer' when 5 then 'consumer' else 'unspecified' end as kind,
    case status when 1 then 'ok' when 2 then 'error' else 'unset' end as status, status_message,
    site, service, host, job_id, job_name, step_name, lot, equipment, attributes, resource, scope, events, links,
    flags, trace_state, dropped_attributes, dropped_events, dropped_links, scope_version, scope_attributes
from wafer.span;

create or replace view wafer.logs as
select
    ts, observed_at, severity, severity_text, event_name, body, encode(trace_id, 'hex') as trace_id, encode(span_id, 'hex') as span_id,
    site, service, host, job_id, attributes, resource, scope, flags, dropped_attributes, scope_version, scope_attributes
from wafer.log_record;

-- The predecessor's clients give each event a key; an event whose key is here changes nothing. job_event itself can't carry a
-- unique key without its time. Pruned as the ledger is.
create table wafer.event_key (
    site            text not null,
    idempotency_key text not null,
    received_at     timestamptz not null default clock_timestamp(),
    primary key (site, idempotency_key)
);
create index event_key_received_at on wafer.event_key using brin (received_at) with (autosummarize);
