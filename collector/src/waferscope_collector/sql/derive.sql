-- name: lead
-- Makes this connection the one that derives the site's metrics, unless another is; ends with the connection.
select pg_try_advisory_lock(hashtext('wafer derived metrics'))

-- name: notice_dead_leaders
-- Lets the server end this session within a minute when the writer's machine is gone, so that another can lead.
set tcp_keepalives_idle = 20; set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3

-- name: names_of_a_day
-- Names the jobs of which a run began within the last day.
select site, name, coalesce(equipment, '')
from wafer.job_run
where started_at > now() - interval '1 day'
group by 1, 2, 3

-- name: changed_runs
-- Names the jobs of the runs that changed since a snapshot, with how far behind the newest event of each shows its host's clock to be.
select
    site, name, coalesce(equipment, '') as equipment, host,
    min(extract(epoch from heard_at - heartbeat_at))::double precision as offset_s
from wafer.job_run
where xid >= pg_snapshot_xmin($1::text::pg_snapshot) and not pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
group by 1, 2, 3, 4

-- name: open_runs
-- Counts the runs that have not ended, lost ones for a day; the age is that of the oldest, by the site's clock.
select
    site, name, coalesce(equipment, '') as equipment, status, count(*) as runs,
    greatest(0, max(extract(epoch from now() - started_at) - clock_offset))::double precision as age
from wafer.jobs
where result is null and (status <> 'lost' or heartbeat_age_s < 86400)
group by 1, 2, 3, 4

-- name: state_times
-- Tells for how long each piece of equipment was in each state since the last sample of the metric $1 (for $3 at most) until $2.
-- Equipment is found by steps through the primary key, its states by a few more: the history is not read.
with recursive told as (
    select
        s.labels->>'wafer_site_id' as site, s.labels->>'wafer_equipment_id' as equipment, s.labels->>'wafer_equipment_state' as state,
        to_timestamp(wafer.total_ts(s.series_id, t.totals) / 1000.0) as ts
    from wafer.series s
    join wafer.number_total t on t.block = s.series_id / 64
    where s.metric = $1
),
known as (
    (select site, equipment from wafer.equipment_state order by site, equipment limit 1)
    union all
    select n.site, n.equipment
    from known k
    cross join lateral (
        select s.site, s.equipment
        from wafer.equipment_state s
        where (s.site, s.equipment) > (k.site, k.equipment)
        order by s.site, s.equipment
        limit 1
    ) n
),
since as (
    select k.site, k.equipment, greatest(max(t.ts), $2::timestamptz - $3::interval) as since
    from known k
    left join told t using (site, equipment)
    group by 1, 2
),
spent as (
    select c.site, c.equipment, e.state, sum(extract(epoch from e.until - e.at)) as seconds
    from since c
    cross join lateral (
        select a.state, greatest(a.at, c.since) as at, lead(a.at, 1, $2::timestamptz) over (order by a.at) as until
        from (
            (
                select b.state, b.at
                from wafer.equipment_state b
                where b.site = c.site and b.equipment = c.equipment and b.module = '' and b.at <= c.since
                order by b.at desc
                limit 1
            )
            union all
            select n.state, n.at
            from wafer.equipment_state n
            where n.site = c.site and n.equipment = c.equipment and n.module = '' and n.at > c.since and n.at < $2::timestamptz
        ) a
    ) e
    where e.until > e.at
    group by 1, 2, 3
),
states as (
    select site, equipment, state from spent
    union
    select t.site, t.equipment, t.state from told t join known using (site, equipment)
)
select n.site, n.equipment, n.state, c.since, coalesce(p.seconds, 0)::double precision as seconds
from states n
join since c using (site, equipment)
left join spent p using (site, equipment, state)
where c.since < $2::timestamptz
order by 1, 2, 3

-- name: new_carrier_events
-- Names the events of carriers since a snapshot.
select site, carrier, equipment, at, event
from wafer.carrier_event
where xid >= pg_snapshot_xmin($1::text::pg_snapshot) and not pg_visible_in_snapshot(xid, $1::text::pg_snapshot)

-- name: recent_carrier_events
-- Names the events of carriers within the last hour.
select site, carrier, equipment, at, event
from wafer.carrier_event
where at > now() - interval '1 hour'

-- name: ended_visits
-- Finds the visits that begin or end with the given events: an arrival and the departure that follows it, as the view carrier_visits.
with given as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[]) as n (site, carrier, equipment, at, event)
)
select g.site, g.carrier, g.equipment, d.at as departure, extract(epoch from d.at - g.at)::double precision as dwell_s
from given g
cross join lateral (
    select l.at, l.event
    from wafer.carrier_event l
    where l.site = g.site and l.carrier = g.carrier and l.equipment = g.equipment and (l.at, l.event) > (g.at, g.event)
    order by l.at, l.event
    limit 1
) d
where g.event = 'arrived' and d.event = 'departed'
union
select g.site, g.carrier, g.equipment, g.at, extract(epoch from g.at - a.at)::double precision
from given g
cross join lateral (
    select l.at, l.event
    from wafer.carrier_event l
    where l.site = g.site and l.carrier = g.carrier and l.equipment = g.equipment and (l.at, l.event) < (g.at, g.event)
    order by l.at desc, l.event desc
    limit 1
) a
where g.event = 'departed' and a.event = 'arrived'
