-- name: insert_spans
-- Stores spans, in the order of their keys; one that is there already changes nothing.
insert into wafer.span (
    trace_id, span_id, parent_span_id, start, start_ns, duration_ns, name, kind, status, status_message, site, service, host,
    job_id, job_name, step_name, lot, equipment, attributes, resource, scope, events, links
)
select
    n.trace_id, n.span_id, n.parent_span_id, n.start, n.start_ns, n.duration_ns, n.name, n.kind, n.status, n.status_message, n.site,
    n.service, n.host, n.job_id, n.job_name, n.step_name, n.lot, n.equipment, n.attributes::jsonb, n.resource::jsonb, n.scope,
    n.events::jsonb, n.links::jsonb
from unnest(
    $1::bytea[], $2::bytea[], $3::bytea[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::text[], $8::smallint[], $9::smallint[],
    $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[],
    $20::text[], $21::text[], $22::text[], $23::text[]
) with ordinality as n (
    trace_id, span_id, parent_span_id, start, start_ns, duration_ns, name, kind, status, status_message, site, service, host,
    job_id, job_name, step_name, lot, equipment, attributes, resource, scope, events, links, position
)
order by n.position
on conflict (trace_id, span_id, start) do nothing
