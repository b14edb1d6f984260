-- name: try_maintenance_lock
-- Makes this session the one that maintains the site, unless another is; it stays so until it ends.
select pg_try_advisory_lock(hashtext('wafer maintenance'))

-- name: begin_maintenance
-- Lets a session of the maintenance wait for no lock for long: others would queue behind it. No statement runs for ever, nor on
-- behalf of a writer that has died: its lock would keep the others from taking over.
set lock_timeout = '2s';
set statement_timeout = '20min';
set client_connection_check_interval = '5s';
set application_name = 'waferscope maintenance'

-- name: note_success
-- Tells when a task last did what it had to, and how long it took.
insert into wafer.maintenance_state as t (task, last_success, duration_s)
values ($1, clock_timestamp(), $2)
on conflict (task) do update set last_success = excluded.last_success, duration_s = excluded.duration_s

-- name: note_error
-- Tells why a task last failed.
insert into wafer.maintenance_state as t (task, last_error_at, last_error)
values ($1, clock_timestamp(), $2)
on conflict (task) do update set last_error_at = excluded.last_error_at, last_error = excluded.last_error

-- name: prune_batches
-- Forgets requests that no client sends again, a number of them at once; what the rollups have not read yet stays.
delete from wafer.ingest_batch
where batch_id = any (
    array(
        select b.batch_id
        from wafer.ingest_batch b
        where b.received_at < clock_timestamp() - make_interval(days => $1) and not exists (
            select from wafer.ingest_hour h
            where h.batch_id = b.batch_id and not coalesce(
                pg_visible_in_snapshot(
                    h.xid, (select f.snapshot::pg_snapshot from wafer.rollup_feed f where f.source = 'ingest_hour')
                ),
                false
            )
        )
        order by b.received_at
        limit $2
    )
)

-- name: prune_event_keys
-- Forgets the keys of events that no client sends again, a number of them at once.
delete from wafer.event_key
where (site, idempotency_key) in (
    select site, idempotency_key
    from wafer.event_key
    where received_at < clock_timestamp() - make_interval(days => $1)
    limit $2
)

-- name: prune_deletions
-- Forgets deletions that every reader has heard of, the rollups too.
delete from wafer.deletion
where deleted_at < clock_timestamp() - make_interval(days => $1) and coalesce(
    pg_visible_in_snapshot(xid, (select f.snapshot::pg_snapshot from wafer.rollup_feed f where f.source = 'deletion')), false
)

-- name: rollups_behind
-- Tells whether samples of a time range are not in the rollups yet: queued, or not even read of.
select exists (select from wafer.rollup_due where end_ts > $1 and begin_ts < $2)
    or exists (select from wafer.rollup_feed where source = 'ingest_hour' and snapshot is null)
    or exists (
        select from wafer.ingest_hour h, wafer.rollup_feed f
        where f.source = 'ingest_hour' and h.max_ts >= $1 and h.min_ts < $2
            and h.xid >= (select pg_snapshot_xmin(snapshot::pg_snapshot) from wafer.rollup_feed where source = 'ingest_hour')
            and not pg_visible_in_snapshot(h.xid, f.snapshot::pg_snapshot)
    )

-- name: tell_border
-- Tells readers from when on a table has kept everything, before older parts leave; no row where they knew.
insert into wafer.retention_border as b (relation, before_ts) values ($1, $2)
on conflict (relation) do update set before_ts = excluded.before_ts where b.before_ts < excluded.before_ts
returning relation

-- name: tell_expired
-- Tells readers which samples retention has dropped.
insert into wafer.deletion (kind, begin_ts, end_ts) values ('expired', $1, $2)

-- name: expire_rollup_1h
-- Deletes old rollups of an hour, a number of them at once.
delete from wafer.rollup_1h where ctid = any (array(select ctid from wafer.rollup_1h where bucket < $1 limit $2))

-- name: expire_rollup_1h_histogram
-- Deletes old rollups of histograms, a number of them at once.
delete from wafer.rollup_1h_histogram
where ctid = any (array(select ctid from wafer.rollup_1h_histogram where bucket < $1 limit $2))

-- name: expire_job_run
-- Deletes old runs, a number of them at once; one that is still heard of is not old.
delete from wafer.job_run
where ctid = any (array(select ctid from wafer.job_run where started_at < $1 and heartbeat_at < $1 limit $2))

-- name: expire_step_run
-- Deletes old steps, a number of them at once.
delete from wafer.step_run where ctid = any (array(select ctid from wafer.step_run where ended_at < $1 limit $2))

-- name: expire_equipment_state
-- Deletes old announcements, a number of them at once; the last one before the border tells the state at the border and stays.
delete from wafer.equipment_state
where ctid = any (
    array(
        select e.ctid
        from wafer.equipment_state e
        where e.at < $1 and exists (
            select from wafer.equipment_state l
            where l.site = e.site and l.equipment = e.equipment and l.module = e.module and l.at > e.at and l.at < $1
        )
        limit $2
    )
)
