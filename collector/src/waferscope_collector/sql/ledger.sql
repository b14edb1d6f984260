-- name: insert_batches
-- Enters requests into the ledger, in the order given (by digest); returns those that were not there.
insert into wafer.ingest_batch (digest, signal, points, repeatable)
select n.digest, n.signal, n.points, n.repeatable
from unnest($1::bytea[], $2::text[], $3::integer[], $4::boolean[])
    with ordinality as n (digest, signal, points, repeatable, position)
order by n.position
on conflict (digest) do nothing
returning batch_id, digest

-- name: insert_hours
-- Tells readers which hours a request touched.
insert into wafer.ingest_hour (batch_id, hour, min_ts, max_ts, points)
select * from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::integer[])

-- name: notify
-- Wakes the readers of the change feed.
select pg_notify('wafer_feed', '')
