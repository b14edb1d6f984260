-- Reports: what people ask again and again, answered by views.
--
-- A view takes no parameters, and a condition on a bucket of time reaches an index only where the bucket isn't computed from the
-- row. So a report with a column "day" starts from the days and looks up what happened on each by its time: a condition on "day"
-- leaves days out before anything is read. Days are UTC's, of 24 hours whatever the session's time zone.
--
-- What a run takes (time, CPU, memory) is told of succeeded runs: failed and skipped ones end early.

create view wafer.job_days as
select d.day
from generate_series(
    (select date_trunc('day', min(started_at), 'UTC') from wafer.job_run),
    (select max(started_at) from wafer.job_run),
    interval '24 hours'
) d (day);

create view wafer.success_rates as
select
    d.day, r.site, r.service, r.name, r.version, r.is_subjob,
    r.runs, r.succeeded, r.failed, r.canceled, r.skipped, r.running, r.stale, r.unreachable, r.lost,
    r.succeeded::double precision / nullif(r.succeeded + r.failed, 0) as success_rate,
    r.duration_s[1] as duration_p50_s, r.duration_s[2] as duration_p95_s, r.duration_s[3] as duration_p99_s,
    r.cpu_s[1] as cpu_p50_s, r.cpu_s[2] as cpu_p95_s,
    r.memory_bytes[1] as memory_peak_p50_bytes, r.memory_bytes[2] as memory_peak_p95_bytes
from wafer.job_days d
cross join lateral (
    select
        j.site, j.service, j.name, j.version, j.parent_job_id is not null as is_subjob,
        count(*) as runs,
        count(*) filter (where j.status = 'succeeded') as succeeded,
        count(*) filter (where j.status = 'failed') as failed,
        count(*) filter (where j.status = 'canceled') as canceled,
        count(*) filter (where j.status = 'skipped') as skipped,
        count(*) filter (where j.status = 'running') as running,
        count(*) filter (where j.status = 'stale') as stale,
        count(*) filter (where j.status = 'unreachable') as unreachable,
        count(*) filter (where j.status = 'lost') as lost,
        percentile_cont(array[0.5, 0.95, 0.99]) within group (order by j.duration_s)
            filter (where j.result = 'success') as duration_s,
        percentile_cont(array[0.5, 0.95]) within group (order by j.cpu_user_s + j.cpu_system_s)
            filter (where j.result = 'success') as cpu_s,
        percentile_cont(array[0.5, 0.95]) within group (order by j.memory_peak_bytes::double precision)
            filter (where j.result = 'success') as memory_bytes
    from wafer.jobs j
    where j.started_at >= d.day and j.started_at < d.day + interval '24 hours'
    group by 1, 2, 3, 4, 5
) r;

create view wafer.slowest_jobs as
select
    d.day, r.site, r.service, r.name, r.rank, r.runs, r.duration_s, u.median_s,
    r.duration_s / nullif(u.median_s, 0) as times_median,
    r.job_id, r.attempt, r.parent_job_id, r.version, r.host, r.lot, r.equipment, r.recipe, r.operation,
    r.status, r.started_at, r.ended_at, r.cpu_user_s + r.cpu_system_s as cpu_s, r.memory_peak_bytes, r.error_type, r.trace_id
from wafer.job_days d
cross join lateral (
    select
        j.*,
        rank() over (partition by j.site, j.service, j.name order by j.duration_s desc) as rank,
        count(*) over (partition by j.site, j.service, j.name) as runs
    from wafer.jobs j
    where j.started_at >= d.day and j.started_at < d.day + interval '24 hours' and j.result is not null
) r
left join lateral (
    select j.site, j.service, j.name, percentile_cont(0.5) within group (order by j.duration_s) as median_s
    from wafer.job_run j
    where j.started_at >= d.day and j.started_at < d.day + interval '24 hours' and j.result = 'success'
    group by 1, 2, 3
) u on u.site = r.site and u.service = r.service and u.name = r.name;

-- A lost run is a failure that nobody told of. The runs that the failures are a share of are counted apart from them: there are many,
-- and a count alone needs no sorting.
create view wafer.failures as
select
    d.day, f.site, f.service, f.name, f.equipment, f.recipe, f.status, f.error_type, f.failures, t.runs,
    f.failures::double precision / t.runs as failure_rate, f.lots, f.first_seen, f.last_seen,
    f.job_id, f.attempt, f.trace_id, f.error_message
from wafer.job_days d
cross join lateral (
    select
        j.site, j.service, j.name, j.equipment, j.recipe, j.status, j.error_type,
        count(*) as failures,
        count(distinct j.lot) as lots,
        min(j.started_at) as first_seen,
        max(j.started_at) as last_seen,
        (array_agg(j.job_id order by j.started_at desc))[1] as job_id,
        (array_agg(j.attempt order by j.started_at desc))[1] as attempt,
        (array_agg(j.trace_id order by j.started_at desc))[1] as trace_id,
        (array_agg(j.error_message order by j.started_at desc))[1] as error_message
    from wafer.jobs j
    where j.started_at >= d.day and j.started_at < d.day + interval '24 hours' and j.status in ('failed', 'lost')
    group by 1, 2, 3, 4, 5, 6, 7
) f
join lateral (
    select
        j.site, j.service, j.name, coalesce(j.equipment, '') as equipment, coalesce(j.recipe, '') as recipe, count(*) as runs
    from wafer.jobs j
    where j.started_at >= d.day and j.started_at < d.day + interval '24 hours' and j.status in ('succeeded', 'failed', 'lost')
    group by 1, 2, 3, 4, 5
) t on t.site = f.site and t.service = f.service and t.name = f.name
    and t.equipment = coalesce(f.equipment, '') and t.recipe = coalesce(f.recipe, '');

-- Tukey's outer fence (third quartile and three times the distance of the quartiles): a quarter of the runs may be odd without
-- moving it. The distance counts as at least a twentieth of the median: where all runs take the same, jitter is no outlier.
create view wafer.outliers as
select
    d.day, r.site, r.service, r.name, r.measure, r.value, r.median, r.fence, r.value / nullif(r.median, 0) as times_median, r.baseline_runs,
    r.job_id, r.attempt, r.parent_job_id, r.version, r.host, r.lot, r.equipment, r.recipe, r.operation,
    r.status, r.started_at, r.ended_at, r.trace_id
from wafer.job_days d
cross join lateral (
    select
        j.site, j.service, j.name, m.measure, m.value, m.quartiles[2] as median,
        m.quartiles[3] + 3 * greatest(m.quartiles[3] - m.quartiles[1], m.quartiles[2] / 20) as fence, b.baseline_runs,
        j.job_id, j.attempt, j.parent_job_id, j.version, j.host, j.lot, j.equipment, j.recipe, j.operation,
        j.status, j.started_at, j.ended_at, j.trace_id
    from (
        select
            r.site, r.service, r.name, count(*) as baseline_runs,
            percentile_cont(array[0.25, 0.5, 0.75]) within group (order by r.duration_s) as duration_s,
            percentile_cont(array[0.25, 0.5, 0.75]) within group (order by r.cpu_user_s + r.cpu_system_s) as cpu_s,
            percentile_cont(array[0.25, 0.5, 0.75]) within group (order by r.memory_peak_bytes::double precision) as memory_bytes
        from wafer.job_run r
        where r.started_at >= d.day - interval '168 hours' and r.started_at < d.day + interval '24 hours' and r.result = 'success'
        group by 1, 2, 3
        having count(*) >= 20
    ) b
    join (
        select *
        from wafer.jobs
        where started_at >= d.day and started_at < d.day + interval '24 hours'
        offset 0  -- keeps the planner from joining all runs with all days first
    ) j on j.site = b.site and j.service = b.service and j.name = b.name
    cross join lateral (
        values
            ('duration_s', j.duration_s, b.duration_s),
            ('cpu_s', j.cpu_user_s + j.cpu_system_s, b.cpu_s),
            ('memory_peak_bytes', j.memory_peak_bytes::double precision, b.memory_bytes)
    ) m (measure, value, quartiles)
) r
where r.value > r.fence;

-- Per tool, module and day: the state that the day began in and the day's announcements, each until the next. Repeats of a state
-- add up to the same.
create view wafer.equipment_utilisation as
select
    d.day, k.site, k.equipment, k.module, u.productive_s, u.standby_s, u.engineering_s, u.scheduled_down_s, u.unscheduled_down_s,
    u.non_scheduled_s, u.total_s,
    (u.productive_s + u.standby_s + u.engineering_s) / nullif(u.total_s - u.non_scheduled_s, 0) as uptime_ratio,
    u.productive_s / nullif(u.total_s - u.non_scheduled_s, 0) as utilisation_ratio,
    u.unscheduled_downs
from generate_series((select date_trunc('day', min(at), 'UTC') from wafer.equipment_state), now(), interval '24 hours') d (day)
cross join (select site, equipment, module from wafer.equipment_states where "end" is null) k
cross join lateral (
    select
        coalesce(sum(s.seconds) filter (where s.state = 'PRD'), 0) as productive_s,
        coalesce(sum(s.seconds) filter (where s.state = 'SBY'), 0) as standby_s,
        coalesce(sum(s.seconds) filter (where s.state = 'ENG'), 0) as engineering_s,
        coalesce(sum(s.seconds) filter (where s.state = 'SDT'), 0) as scheduled_down_s,
        coalesce(sum(s.seconds) filter (where s.state = 'UDT'), 0) as unscheduled_down_s,
        coalesce(sum(s.seconds) filter (where s.state = 'NST'), 0) as non_scheduled_s,
        sum(s.seconds) as total_s,
        count(*) filter (where s.state = 'UDT' and s.at >= d.day and s.before is distinct from 'UDT') as unscheduled_downs
    from (
        select
            e.at, e.state, lag(e.state) over by_time as before,
            extract(epoch from lead(e.at, 1, least(d.day + interval '24 hours', now())) over by_time - greatest(e.at, d.day))
                ::double precision as seconds
        from (
            (
                select b.at, b.state
                from wafer.equipment_state b
                where b.site = k.site and b.equipment = k.equipment and b.module = k.module and b.at < d.day
                order by b.at desc
                limit 1
            )
            union all
            select n.at, n.state
            from wafer.equipment_state n
            where n.site = k.site and n.equipment = k.equipment and n.module = k.module
                and n.at >= d.day and n.at < d.day + interval '24 hours' and n.at < now()
        ) e
        window by_time as (order by e.at)
    ) s
) u
where u.total_s > 0;

create view wafer.carrier_dwell as
select
    d.day, r.site, r.equipment, r.visits, r.without_departure, r.carriers, r.lots,
    r.dwell_s[1] as dwell_p50_s, r.dwell_s[2] as dwell_p95_s, r.dwell_max_s, r.dwell_total_s
from generate_series(
    (select date_trunc('day', min(at), 'UTC') from wafer.carrier_event),
    (select max(at) from wafer.carrier_event),
    interval '24 hours'
) d (day)
cross join lateral (
    select
        v.site, v.equipment, count(*) as visits, count(*) filter (where v.departure is null) as without_departure,
        count(distinct v.carrier) as carriers, count(distinct v.lot) as lots,
        percentile_cont(array[0.5, 0.95]) within group (order by v.dwell_s) as dwell_s,
        max(v.dwell_s) as dwell_max_s, sum(v.dwell_s) as dwell_total_s
    from wafer.carrier_visits v
    where v.arrival >= d.day and v.arrival < d.day + interval '24 hours'
    group by 1, 2
) r;

-- Finds a lot's runs a hundred times faster than reading a million, at a fifth of the primary key's size (docs/benchmarks.md). No other
-- report needs an index of its own: each one makes every heartbeat dearer.
create index job_run_lot on wafer.job_run (lot) where lot is not null;

-- A stage is a row of runs, in order of their starts, of one operation on one piece of equipment. Subjobs are parts of their job.
create view wafer.lot_journeys as
select
    s.site, s.lot, s.stage, s.operation, s.equipment, s.recipe, s.carrier, v.arrival, s.started_at, s.ended_at, v.departure,
    case when lag(s.ended_at) over by_stage is not null
        then greatest(0, extract(epoch from s.started_at - lag(s.ended_at) over by_stage))::double precision end as wait_s,
    s.work_s, s.runs, s.failed, s.names, s.job_id
from (
    select
        r.site, r.lot, r.stage, r.operation, r.equipment,
        string_agg(distinct r.recipe, ', ' order by r.recipe) as recipe,
        max(r.carrier) as carrier,
        min(r.started_at) as started_at,
        case when bool_and(r.status not in ('running', 'stale', 'unreachable'))
            then max(coalesce(r.ended_at, r.heartbeat_at)) end as ended_at,
        sum(r.duration_s) as work_s,
        count(*) as runs,
        count(*) filter (where r.status in ('failed', 'lost')) as failed,
        string_agg(distinct r.name, ', ' order by r.name) as names,
        (array_agg(r.job_id order by r.started_at desc, r.job_id))[1] as job_id
    from (
        select b.*, sum(b.begins) over (partition by b.site, b.lot order by b.started_at, b.job_id, b.attempt) as stage
        from (
            select
                j.*,
                case when j.operation is not distinct from lag(j.operation) over by_start
                    and j.equipment is not distinct from lag(j.equipment) over by_start
                    and row_number() over by_start > 1 then 0 else 1 end as begins
            from wafer.jobs j
            where j.lot is not null and j.parent_job_id is null
            window by_start as (partition by j.site, j.lot order by j.started_at, j.job_id, j.attempt)
        ) b
    ) r
    group by 1, 2, 3, 4, 5
) s
left join lateral (
    select max(e.at) as arrival
    from wafer.carrier_event e
    where e.site = s.site and e.carrier = s.carrier and e.equipment = s.equipment and e.at <= s.started_at and e.event = 'arrived'
) a on true
left join lateral (
    select c.arrival, c.departure
    from wafer.carrier_visits c
    where c.site = s.site and c.carrier = s.carrier and c.equipment = s.equipment and c.arrival = a.arrival
    limit 1  -- there is one; this keeps the planner from deriving all visits of all carriers first
) v on v.departure is null or v.departure >= s.started_at
window by_stage as (partition by s.site, s.lot order by s.stage);

create view wafer.host_jobs as
select
    coalesce(h.site, j.site) as site, coalesce(h.name, j.host) as host, h.last_seen, h.unreachable,
    coalesce(j.running, 0) as running, coalesce(j.stale, 0) as stale, coalesce(j.unreachable, 0) as unreachable_runs,
    coalesce(j.started_24h, 0) as started_24h, coalesce(j.failed_24h, 0) as failed_24h, coalesce(j.lost_24h, 0) as lost_24h,
    j.running_names, j.last_heartbeat_at
from wafer.hosts h
full join (
    select
        r.site, r.host,
        count(*) filter (where r.status = 'running') as running,
        count(*) filter (where r.status = 'stale') as stale,
        count(*) filter (where r.status = 'unreachable') as unreachable,
        count(*) filter (where r.started_at > now() - interval '24 hours') as started_24h,
        count(*) filter (where r.status = 'failed') as failed_24h,
        count(*) filter (where r.status = 'lost' and r.started_at > now() - interval '24 hours') as lost_24h,
        string_agg(distinct r.name, ', ' order by r.name) filter (where r.status = 'running') as running_names,
        max(r.heartbeat_at) as last_heartbeat_at
    from wafer.jobs r
    where r.host <> '' and (r.started_at > now() - interval '24 hours' or r.result is null)
    group by 1, 2
) j on j.site = h.site and j.host = h.name;

-- The comments of the schema as rows: psql shows them by \d+, information_schema doesn't. Position 0 is the table or view itself.
create view wafer.dictionary as
select
    c.relname::text as relation, case c.relkind when 'v' then 'view' else 'table' end as kind, a.attnum::integer as position,
    a.attname::text as name, format_type(a.atttypid, a.atttypmod) as type, col_description(c.oid, a.attnum) as comment
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = 'wafer'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
union all
select c.relname::text, case c.relkind when 'v' then 'view' else 'table' end, 0, null, null, obj_description(c.oid, 'pg_class')
from pg_class c
where c.relnamespace = 'wafer'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition;
