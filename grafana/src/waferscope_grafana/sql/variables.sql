-- The choices that the boards' variables offer.

-- name: variable_site
-- Sites that ran jobs in the time range or sent host metrics.
select site from wafer.jobs where $__timeFilter(started_at)
union
select site from wafer.hosts
order by 1;

-- name: variable_application
-- Applications that ran jobs at the chosen sites in the time range.
select distinct service
from wafer.jobs
where $__timeFilter(started_at) and service <> '' and {selection}
order by 1;

-- name: variable_equipment
-- Equipment for which the chosen applications ran jobs in the time range.
select distinct equipment
from wafer.jobs
where $__timeFilter(started_at) and equipment is not null and {selection}
order by 1;
