-- name: list_jobs
-- Lists top-level runs, newest first: begun in a range, in some states, of an application or job whose name holds a text.
select * from wafer.jobs
where
    parent_job_id is null
    and ($1::timestamptz is null or started_at >= $1) and ($2::timestamptz is null or started_at <= $2)
    and ($3::text[] is null or status = any ($3))
    and ($4::text is null or strpos(lower(name), lower($4)) > 0 or strpos(lower(service), lower($4)) > 0)
order by started_at desc, site, job_id, attempt desc
limit $5

-- name: list_subjobs
-- Lists nested runs, newest first: begun in a range, in some states.
select * from wafer.jobs
where
    parent_job_id is not null
    and ($1::timestamptz is null or started_at >= $1) and ($2::timestamptz is null or started_at <= $2)
    and ($3::text[] is null or status = any ($3))
order by started_at desc, site, job_id, attempt desc
limit $4

-- name: job_attempts
-- Shows every attempt of a job.
select * from wafer.jobs where job_id = $1 order by site, attempt

-- name: job_subjobs
-- Shows the runs that a job started.
select * from wafer.jobs where site = any ($1::text[]) and parent_job_id = $2 order by started_at, job_id, attempt

-- name: job_steps
-- Shows the ended steps of a job's attempts.
select * from wafer.steps where site = any ($1::text[]) and job_id = $2 order by started_at, index

-- name: job_events
-- Shows what a job told of itself, the newest first, up to a number of events.
select * from wafer.job_events where site = any ($1::text[]) and job_id = $2 order by at desc, sequence desc limit $3

-- name: job_logs
-- Shows the log lines of a job, the newest first, up to a number of lines.
select * from wafer.logs where job_id = $1 order by ts desc limit $2
