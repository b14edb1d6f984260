-- name: upsert_equipment_states
-- Stores announced states, in the order of their keys. Of two for one instant the greatest by code points stays, whichever
-- came first: the state decides, then what else was said.
insert into wafer.equipment_state as t (
    site, equipment, module, at, state, reason, service, host, trace_id, span_id, attributes
)
select distinct on (n.site, n.equipment, n.module, n.at)
    n.site, n.equipment, n.module, n.at, n.state, n.reason, n.service, n.host, n.trace_id, n.span_id, n.attributes::jsonb
from unnest(
    $1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[], $10::bytea[],
    $11::text[]
) as n (site, equipment, module, at, state, reason, service, host, trace_id, span_id, attributes)
order by
    n.site, n.equipment, n.module, n.at,
    n.state collate "C" desc, n.reason collate "C" desc, n.service collate "C" desc, n.host collate "C" desc,
    coalesce(n.trace_id, '') desc, coalesce(n.span_id, '') desc, n.attributes::jsonb desc
on conflict (site, equipment, module, at) do update set
    state = excluded.state, reason = excluded.reason, service = excluded.service, host = excluded.host,
    trace_id = excluded.trace_id, span_id = excluded.span_id, attributes = excluded.attributes, xid = pg_current_xact_id()
where
    (
        excluded.state collate "C", excluded.reason collate "C", excluded.service collate "C", excluded.host collate "C",
        coalesce(excluded.trace_id, ''), coalesce(excluded.span_id, ''), excluded.attributes
    ) > (
        t.state, t.reason, t.service, t.host, coalesce(t.trace_id, ''), coalesce(t.span_id, ''), t.attributes
    )

-- name: upsert_carrier_events
-- Stores arrivals and departures, in the order of their keys; of two that tell of the same one the greatest by code points stays.
insert into wafer.carrier_event as t (
    site, carrier, equipment, at, event, load_port, lot, service, host, trace_id, span_id, attributes
)
select distinct on (n.site, n.carrier, n.equipment, n.at, n.event)
    n.site, n.carrier, n.equipment, n.at, n.event, n.load_port, n.lot, n.service, n.host, n.trace_id, n.span_id, n.attributes::jsonb
from unnest(
    $1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bytea[],
    $11::bytea[], $12::text[]
) as n (site, carrier, equipment, at, event, load_port, lot, service, host, trace_id, span_id, attributes)
order by
    n.site, n.carrier, n.equipment, n.at, n.event,
    n.load_port collate "C" desc, n.lot collate "C" desc, n.service collate "C" desc, n.host collate "C" desc,
    coalesce(n.trace_id, '') desc, coalesce(n.span_id, '') desc, n.attributes::jsonb desc
on conflict (site, carrier, equipment, at, event) do update set
    load_port = excluded.load_port, lot = excluded.lot, service = excluded.service, host = excluded.host,
    trace_id = excluded.trace_id, span_id = excluded.span_id, attributes = excluded.attributes, xid = pg_current_xact_id()
where
    (
        excluded.load_port collate "C", excluded.lot collate "C", excluded.service collate "C", excluded.host collate "C",
        coalesce(excluded.trace_id, ''), coalesce(excluded.span_id, ''), excluded.attributes
    ) > (
        t.load_port, t.lot, t.service, t.host, coalesce(t.trace_id, ''), coalesce(t.span_id, ''), t.attributes
    )

-- name: upsert_deployments
-- Stores deployments, in the order of their keys; of two that tell of the same one the greatest stays.
insert into wafer.deployment as t (site, service, at, version, host, trace_id, span_id, attributes)
select distinct on (n.site, n.service, n.at, n.version, n.host)
    n.site, n.service, n.at, n.version, n.host, n.trace_id, n.span_id, n.attributes::jsonb
from unnest(
    $1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::bytea[], $7::bytea[], $8::text[]
) as n (site, service, at, version, host, trace_id, span_id, attributes)
order by
    n.site, n.service, n.at, n.version, n.host,
    coalesce(n.trace_id, '') desc, coalesce(n.span_id, '') desc, n.attributes::jsonb desc
on conflict (site, service, at, version, host) do update set
    trace_id = excluded.trace_id, span_id = excluded.span_id, attributes = excluded.attributes, xid = pg_current_xact_id()
where
    (coalesce(excluded.trace_id, ''), coalesce(excluded.span_id, ''), excluded.attributes)
    > (coalesce(t.trace_id, ''), coalesce(t.span_id, ''), t.attributes)
