-- The board "Site overview". {selection} stands for the choice of the board's variables.

-- name: overview_ended
-- How the runs that started in the time range went.
select
    count(*) as "Runs",
    count(*) filter (where status = 'succeeded') as "Succeeded",
    count(*) filter (where status = 'failed') as "Failed",
    count(*) filter (where status = 'succeeded')::double precision
        / nullif(count(*) filter (where status in ('succeeded', 'failed')), 0) as "Success rate"
from wafer.jobs
where $__timeFilter(started_at) and {selection};

-- name: overview_open
-- Runs that have not ended: now, whenever they started; of the lost ones those last heard of in the time range.
select
    count(*) filter (where status = 'running') as "Running",
    count(*) filter (where status = 'stale') as "Stale",
    count(*) filter (where status = 'unreachable') as "Unreachable",
    count(*) filter (where status = 'lost' and $__timeFilter(heartbeat_at)) as "Lost"
from wafer.jobs
where result is null and {selection};

-- name: overview_open_runs
-- The same runs one by one, those in trouble first.
select
    status as "Status",
    name as "Job",
    equipment as "Equipment",
    lot as "Lot",
    recipe as "Recipe",
    step_name as "Step",
    progress_done / nullif(progress_total, 0) as "Progress",
    duration_s as "Elapsed",
    heartbeat_age_s as "Heartbeat age",
    cpu_user_s + cpu_system_s as "CPU time",
    memory_bytes as "Memory",
    host as "Host",
    job_id as "Job id"
from wafer.jobs
where result is null and (status <> 'lost' or $__timeFilter(heartbeat_at)) and {selection}
order by array_position(array['lost', 'unreachable', 'stale', 'running'], status), heartbeat_age_s desc
limit 200;

-- name: overview_runs_by_hour
-- Runs by the hour of their start and by status.
select
    date_trunc('hour', started_at) as time,
    count(*) filter (where status = 'succeeded') as succeeded,
    count(*) filter (where status = 'failed') as failed,
    count(*) filter (where status = 'lost') as lost,
    count(*) filter (where status = 'canceled') as canceled,
    count(*) filter (where status = 'skipped') as skipped,
    count(*) filter (where status = 'running') as running,
    count(*) filter (where status = 'stale') as stale,
    count(*) filter (where status = 'unreachable') as unreachable
from wafer.jobs
where $__timeFilter(started_at) and {selection}
group by 1
order by 1;

-- name: overview_failures_by_equipment
-- The ten pieces of equipment with the most failed and lost runs.
select
    coalesce(equipment, 'no equipment') as equipment,
    nullif(count(*) filter (where status = 'failed'), 0) as failed,
    nullif(count(*) filter (where status = 'lost'), 0) as lost
from wafer.jobs
where $__timeFilter(started_at) and status in ('failed', 'lost') and {selection}
group by 1
order by count(*) desc, 1
limit 10;
