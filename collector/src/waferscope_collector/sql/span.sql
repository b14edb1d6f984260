-- name: create_arrived_spans
-- Makes room for a group's spans until the commit: COPY can't leave out those that are there already.
create temporary table arrived_span on commit drop as
select
    trace_id, span_id, parent_span_id, start, start_ns, duration_ns, name, kind, status, status_message, site, service, host,
    job_id, job_name, step_name, lot, equipment, attributes, resource, scope, events, links, flags, trace_state, dropped_attributes,
    dropped_events, dropped_links, scope_version, scope_attributes
from wafer.span
with no data

-- name: insert_spans
-- Stores the spans that arrived, in the order of their keys; one that is there already changes nothing.
insert into wafer.span (
    trace_id, span_id, parent_span_id, start, start_ns, duration_ns, name, kind, status, status_message, site, service, host,
    job_id, job_name, step_name, lot, equipment, attributes, resource, scope, events, links, flags, trace_state, dropped_attributes,
    dropped_events, dropped_links, scope_version, scope_attributes
)
select
    trace_id, span_id, parent_span_id, start, start_ns, duration_ns, name, kind, status, status_message, site, service, host,
    job_id, job_name, step_name, lot, equipment, attributes, resource, scope, events, links, flags, trace_state, dropped_attributes,
    dropped_events, dropped_links, scope_version, scope_attributes
from arrived_span
order by trace_id, span_id, start
on conflict (trace_id, span_id, start) do nothing
