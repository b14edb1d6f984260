-- name: unfinished_jobs
-- Counts the job runs since the demo's start: how many there are, and how many haven't ended.
select count(*) as runs, count(*) filter (where result is null) as unfinished
from wafer.jobs
where started_at >= $1;

-- name: job_runs
-- Lists the newest job runs for people, without those of subjobs.
select name, status, duration_s, memory_peak_bytes, lot, equipment, error_type
from wafer.jobs
where parent_job_id is null
order by started_at desc
limit 20;

-- name: cpu_by_job_and_equipment
-- Joins the runs of jobs with their CPU time as the metrics tell it.
with spent as (
    select labels ->> 'wafer_job_name' as name, labels ->> 'wafer_equipment_id' as equipment, sum(total) as cpu_s
    from (
        select labels, max(value) as total
        from wafer.metrics
        where metric = 'wafer_job_cpu_time_seconds_total'
        group by labels
    ) as series
    group by 1, 2
)
select
    j.name, j.equipment, count(*) as runs, count(*) filter (where j.status = 'failed') as failed,
    avg(j.duration_s) as mean_duration_s, spent.cpu_s
from wafer.jobs as j
join spent on spent.name = j.name and spent.equipment is not distinct from j.equipment
group by j.name, j.equipment, spent.cpu_s
order by spent.cpu_s desc;
