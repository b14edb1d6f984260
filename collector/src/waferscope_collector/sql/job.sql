-- name: insert_event_keys
-- Enters the keys that senders gave their events, in the order of the keys; returns those that were not there.
insert into wafer.event_key (site, idempotency_key)
select n.site, n.idempotency_key
from unnest($1::text[], $2::text[]) with ordinality as n (site, idempotency_key, position)
order by n.position
on conflict (site, idempotency_key) do nothing
returning site, idempotency_key

-- name: insert_job_events
-- Appends events, in the order of their keys; returns the keys of those that were not there.
insert into wafer.job_event (site, job_id, attempt, sequence, at, name, received_at, trace_id, span_id, attributes)
select n.site, n.job_id, n.attempt, n.sequence, n.at, n.name, n.received_at, n.trace_id, n.span_id, n.attributes::jsonb
from unnest(
    $1::text[], $2::text[], $3::integer[], $4::integer[], $5::timestamptz[], $6::text[], $7::timestamptz[], $8::bytea[], $9::bytea[],
    $10::text[]
) with ordinality as n (site, job_id, attempt, sequence, at, name, received_at, trace_id, span_id, attributes, position)
order by n.position
on conflict (site, job_id, attempt, sequence, at) do nothing
returning site, job_id, attempt, sequence, at

-- name: upsert_job_runs
-- Folds events into runs, in the order of their keys: each column keeps the value of the highest rank, so the order of
-- arrival doesn't matter. Of attributes there is an array: all that have the rank. A run to which the events add nothing is left alone.
insert into wafer.job_run as t (
    site, job_id, attempt, started_at, heartbeat_at, clock_offset, heard_at, ranks,
    name, service, version, host, parent_job_id, lot, carrier, substrate, equipment, module, recipe, recipe_version, operation, result,
    ended_at, duration_s, sequence, heartbeat_interval, progress_done, progress_total, step_name, step_index, cpu_user_s, cpu_system_s,
    memory_bytes, memory_peak_bytes, error_type, error_message, trace_id, span_id, attributes
)
select
    n.site, n.job_id, n.attempt, n.started_at, n.heartbeat_at, n.clock_offset, n.heard_at, n.ranks::integer[],
    coalesce(n.name, ''), coalesce(n.service, ''), coalesce(n.version, ''), coalesce(n.host, ''), n.parent_job_id,
    n.lot, n.carrier, n.substrate, n.equipment, n.module, n.recipe, n.recipe_version, n.operation, n.result,
    n.ended_at, n.duration_s, n.sequence, coalesce(n.heartbeat_interval, 10), n.progress_done, n.progress_total,
    n.step_name, n.step_index, n.cpu_user_s, n.cpu_system_s, n.memory_bytes, n.memory_peak_bytes, n.error_type, n.error_message,
    n.trace_id, n.span_id, coalesce((select a from jsonb_array_elements(n.attributes::jsonb) as a order by a desc limit 1), '{}')
from unnest(
    $1::text[], $2::text[], $3::integer[], $4::timestamptz[], $5::timestamptz[], $6::double precision[], $7::timestamptz[], $8::text[],
    $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[],
    $19::text[], $20::text[], $21::text[], $22::text[], $23::timestamptz[], $24::double precision[], $25::integer[],
    $26::double precision[], $27::double precision[], $28::double precision[], $29::text[], $30::integer[], $31::double precision[],
    $32::double precision[], $33::bigint[], $34::bigint[], $35::text[], $36::text[], $37::bytea[], $38::bytea[], $39::text[]
) with ordinality as n (
    site, job_id, attempt, started_at, heartbeat_at, clock_offset, heard_at, ranks,
    name, service, version, host, parent_job_id, lot, carrier, substrate, equipment, module, recipe, recipe_version, operation, result,
    ended_at, duration_s, sequence, heartbeat_interval, progress_done, progress_total, step_name, step_index, cpu_user_s, cpu_system_s,
    memory_bytes, memory_peak_bytes, error_type, error_message, trace_id, span_id, attributes, position
)
order by n.position
on conflict (site, job_id, attempt) do update set
    started_at = least(t.started_at, excluded.started_at),
    heartbeat_at = greatest(t.heartbeat_at, excluded.heartbeat_at),
    clock_offset = least(t.clock_offset, excluded.clock_offset),
    heard_at = greatest(t.heard_at, excluded.heard_at),
    ranks = (
        select array_agg(greatest(k.known, k.new) order by k.position)
        from unnest(t.ranks, excluded.ranks) with ordinality as k (known, new, position)
    ),
    name = wafer.newest(t.ranks[1], t.name, excluded.ranks[1], excluded.name),
    service = wafer.newest(t.ranks[2], t.service, excluded.ranks[2], excluded.service),
    version = wafer.newest(t.ranks[3], t.version, excluded.ranks[3], excluded.version),
    host = wafer.newest(t.ranks[4], t.host, excluded.ranks[4], excluded.host),
    parent_job_id = wafer.newest(t.ranks[5], t.parent_job_id, excluded.ranks[5], excluded.parent_job_id),
    lot = wafer.newest(t.ranks[6], t.lot, excluded.ranks[6], excluded.lot),
    carrier = wafer.newest(t.ranks[7], t.carrier, excluded.ranks[7], excluded.carrier),
    substrate = wafer.newest(t.ranks[8], t.substrate, excluded.ranks[8], excluded.substrate),
    equipment = wafer.newest(t.ranks[9], t.equipment, excluded.ranks[9], excluded.equipment),
    module = wafer.newest(t.ranks[10], t.module, excluded.ranks[10], excluded.module),
    recipe = wafer.newest(t.ranks[11], t.recipe, excluded.ranks[11], excluded.recipe),
    recipe_version = wafer.newest(t.ranks[12], t.recipe_version, excluded.ranks[12], excluded.recipe_version),
    operation = wafer.newest(t.ranks[13], t.operation, excluded.ranks[13], excluded.operation),
    result = wafer.newest(t.ranks[14], t.result, excluded.ranks[14], excluded.result),
    ended_at = wafer.newest(t.ranks[15], t.ended_at, excluded.ranks[15], excluded.ended_at),
    duration_s = wafer.newest(t.ranks[16], t.duration_s, excluded.ranks[16], excluded.duration_s),
    sequence = wafer.newest(t.ranks[17], t.sequence, excluded.ranks[17], excluded.sequence),
    heartbeat_interval = wafer.newest(t.ranks[18], t.heartbeat_interval, excluded.ranks[18], excluded.heartbeat_interval),
    progress_done = wafer.newest(t.ranks[19], t.progress_done, excluded.ranks[19], excluded.progress_done),
    progress_total = wafer.newest(t.ranks[20], t.progress_total, excluded.ranks[20], excluded.progress_total),
    step_name = wafer.newest(t.ranks[21], t.step_name, excluded.ranks[21], excluded.step_name),
    step_index = wafer.newest(t.ranks[22], t.step_index, excluded.ranks[22], excluded.step_index),
    cpu_user_s = wafer.newest(t.ranks[23], t.cpu_user_s, excluded.ranks[23], excluded.cpu_user_s),
    cpu_system_s = wafer.newest(t.ranks[24], t.cpu_system_s, excluded.ranks[24], excluded.cpu_system_s),
    memory_bytes = wafer.newest(t.ranks[25], t.memory_bytes, excluded.ranks[25], excluded.memory_bytes),
    memory_peak_bytes = wafer.newest(t.ranks[26], t.memory_peak_bytes, excluded.ranks[26], excluded.memory_peak_bytes),
    error_type = wafer.newest(t.ranks[27], t.error_type, excluded.ranks[27], excluded.error_type),
    error_message = wafer.newest(t.ranks[28], t.error_message, excluded.ranks[28], excluded.error_message),
    trace_id = wafer.newest(t.ranks[29], t.trace_id, excluded.ranks[29], excluded.trace_id),
    span_id = wafer.newest(t.ranks[30], t.span_id, excluded.ranks[30], excluded.span_id),
    attributes = wafer.newest(t.ranks[31], t.attributes, excluded.ranks[31], excluded.attributes),
    xid = pg_current_xact_id()
where excluded.started_at < t.started_at
    or excluded.heartbeat_at > t.heartbeat_at
    or excluded.clock_offset < t.clock_offset
    or excluded.heard_at > t.heard_at
    or exists (
        select from unnest(t.ranks, excluded.ranks) as k (known, new)
        where k.new >= 0 and k.new >= coalesce(k.known, -1)
    )

-- name: insert_steps
-- Stores steps, in the order of their keys; a step tells of itself once, at its end.
insert into wafer.step_run (
    site, job_id, attempt, span_id, name, index, result, started_at, ended_at, duration_s, error_type, trace_id, parent_span_id,
    attributes
)
select
    n.site, n.job_id, n.attempt, n.span_id, n.name, n.index, n.result, n.started_at, n.ended_at, n.duration_s, n.error_type,
    n.trace_id, n.parent_span_id, n.attributes::jsonb
from unnest(
    $1::text[], $2::text[], $3::integer[], $4::bytea[], $5::text[], $6::integer[], $7::text[], $8::timestamptz[], $9::timestamptz[],
    $10::double precision[], $11::text[], $12::bytea[], $13::bytea[], $14::text[]
) with ordinality as n (
    site, job_id, attempt, span_id, name, index, result, started_at, ended_at, duration_s, error_type, trace_id, parent_span_id,
    attributes, position
)
order by n.position
on conflict (site, job_id, attempt, span_id) do nothing
