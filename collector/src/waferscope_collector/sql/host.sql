-- name: upsert_hosts
-- Tells when host metrics were received, in the order of their keys.
insert into wafer.host as t (site, name, last_seen, interval)
select n.site, n.name, n.last_seen, $4::double precision
from unnest($1::text[], $2::text[], $3::timestamptz[]) with ordinality as n (site, name, last_seen, position)
order by n.position
on conflict (site, name) do update
set last_seen = greatest(t.last_seen, excluded.last_seen), interval = excluded.interval
