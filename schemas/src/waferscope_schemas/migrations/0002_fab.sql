-- What equipment, carriers and deployments announce. One row per announcement, under a natural key: whatever order they come
-- in, the same rows stay. Intervals and visits are derived where they are read, so late announcements correct them.
--
-- Ordinary tables: they are kept for as long as the site is, at some tens of rows a day per tool or carrier. The index by time
-- serves "since when", the primary key one tool's or carrier's history and the neighbours of a row.

create table wafer.equipment_state (
    site       text not null,
    equipment  text not null,
    module     text not null default '',    -- empty: the whole equipment
    at         timestamptz not null,        -- by the clock of who announced it
    state      text not null check (state in ('PRD', 'SBY', 'ENG', 'SDT', 'UDT', 'NST')),  -- SEMI E10
    reason     text not null default '',
    service    text not null default '',
    host       text not null default '',
    trace_id   bytea,
    span_id    bytea,
    attributes jsonb not null default '{}', -- what else was said
    xid        xid8 not null default pg_current_xact_id(),
    primary key (site, equipment, module, at)
);
create index equipment_state_xid on wafer.equipment_state (xid);
create index equipment_state_at on wafer.equipment_state (at);

create table wafer.carrier_event (
    site       text not null,
    carrier    text not null,
    equipment  text not null,
    at         timestamptz not null,
    event      text not null check (event in ('arrived', 'departed')),  -- at one instant in this order
    load_port  text not null default '',
    lot        text not null default '',
    service    text not null default '',
    host       text not null default '',
    trace_id   bytea,
    span_id    bytea,
    attributes jsonb not null default '{}',
    xid        xid8 not null default pg_current_xact_id(),
    primary key (site, carrier, equipment, at, event)
);
create index carrier_event_xid on wafer.carrier_event (xid);
create index carrier_event_at on wafer.carrier_event (at);

create table wafer.deployment (
    site       text not null,
    service    text not null,
    at         timestamptz not null,
    version    text not null,
    host       text not null default '',
    trace_id   bytea,
    span_id    bytea,
    attributes jsonb not null default '{}',
    xid        xid8 not null default pg_current_xact_id(),
    primary key (site, service, at, version, host)
);
create index deployment_xid on wafer.deployment (xid);
create index deployment_at on wafer.deployment (at);

-- Views: the stable interface ---------------------------------------------------------------------------------------

-- An interval begins where the announcement before tells of another state, and ends where the next other one does. Looking
-- neighbours up by the primary key costs a few steps for each row that a condition on equipment or start lets through; a window
-- function would number all rows of the table first, since a condition on the time can't pass it.
--
-- The open intervals stand apart, one for each tool and module, which a recursion finds by as many steps through the primary key. So
-- "what is every tool doing now" is cheap too: "end" of the others is the column of a table and never null, PostgreSQL (17 and
-- later) leaves them out where a condition asks for null.
create view wafer.equipment_states as
select
    e.site, e.equipment, e.module, e.state, nullif(e.reason, '') as reason, e.at as start, later.at as "end",
    extract(epoch from later.at - e.at)::double precision as duration_s,
    e.service, e.host, encode(e.trace_id, 'hex') as trace_id, encode(e.span_id, 'hex') as span_id, e.attributes
from wafer.equipment_state e
left join lateral (
    select b.state
    from wafer.equipment_state b
    where b.site = e.site and b.equipment = e.equipment and b.module = e.module and b.at < e.at
    order by b.at desc
    limit 1
) before on true
join wafer.equipment_state later
    on later.site = e.site and later.equipment = e.equipment and later.module = e.module
    and later.at = (
        select l.at
        from wafer.equipment_state l
        where l.site = e.site and l.equipment = e.equipment and l.module = e.module and l.at > e.at and l.state <> e.state
        order by l.at
        limit 1
    )
where before.state is distinct from e.state
union all
select
    e.site, e.equipment, e.module, e.state, nullif(e.reason, ''), e.at, null,
    greatest(0, extract(epoch from now() - e.at))::double precision,
    e.service, e.host, encode(e.trace_id, 'hex'), encode(e.span_id, 'hex'), e.attributes
from (
    with recursive known as (
        (select site, equipment, module from wafer.equipment_state order by site, equipment, module limit 1)
        union all
        select n.site, n.equipment, n.module
        from known k
        cross join lateral (
            select s.site, s.equipment, s.module
            from wafer.equipment_state s
            where (s.site, s.equipment, s.module) > (k.site, k.equipment, k.module)
            order by s.site, s.equipment, s.module
            limit 1
        ) n
    )
    select * from known
) k
cross join lateral (
    select l.state
    from wafer.equipment_state l
    where l.site = k.site and l.equipment = k.equipment and l.module = k.module
    order by l.at desc
    limit 1
) last
left join lateral (
    select b.at
    from wafer.equipment_state b
    where b.site = k.site and b.equipment = k.equipment and b.module = k.module and b.state <> last.state
    order by b.at desc
    limit 1
) before on true
cross join lateral (
    select f.*
    from wafer.equipment_state f
    where f.site = k.site and f.equipment = k.equipment and f.module = k.module and f.at > coalesce(before.at, '-infinity')
    order by f.at
    limit 1
) e;

-- An arrival belongs with the event of its carrier at its equipment that follows, if that is a departure. A departure that
-- follows no arrival stands alone.
create view wafer.carrier_visits as
select
    a.site, a.carrier, a.equipment, coalesce(nullif(a.load_port, ''), nullif(d.load_port, '')) as load_port,
    coalesce(nullif(a.lot, ''), nullif(d.lot, '')) as lot, a.at as arrival, d.at as departure,
    extract(epoch from d.at - a.at)::double precision as dwell_s,
    a.service, a.host, encode(a.trace_id, 'hex') as trace_id, encode(a.span_id, 'hex') as span_id, a.attributes
from wafer.carrier_event a
left join lateral (
    select l.event, l.at, l.load_port, l.lot
    from wafer.carrier_event l
    where l.site = a.site and l.carrier = a.carrier and l.equipment = a.equipment and (l.at, l.event) > (a.at, a.event)
    order by l.at, l.event
    limit 1
) d on d.event = 'departed'
where a.event = 'arrived'
union all
select
    d.site, d.carrier, d.equipment, nullif(d.load_port, ''), nullif(d.lot, ''), null, d.at, null,
    d.service, d.host, encode(d.trace_id, 'hex'), encode(d.span_id, 'hex'), d.attributes
from wafer.carrier_event d
left join lateral (
    select b.event
    from wafer.carrier_event b
    where b.site = d.site and b.carrier = d.carrier and b.equipment = d.equipment and (b.at, b.event) < (d.at, d.event)
    order by b.at desc, b.event desc
    limit 1
) before on true
where d.event = 'departed' and before.event is distinct from 'arrived';

create view wafer.deployments as
select
    site, service, version, at, host, encode(trace_id, 'hex') as trace_id, encode(span_id, 'hex') as span_id, attributes
from wafer.deployment;
