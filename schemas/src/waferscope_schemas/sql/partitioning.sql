-- name: timescaledb_available
-- Tells whether TimescaleDB is created here, or can be: its loader defines the setting (creating it without the loader ends the session).
select exists (select from pg_extension where extname = 'timescaledb')
    or (
        exists (select from pg_available_extensions where name = 'timescaledb')
        and current_setting('timescaledb.disable_load', true) = 'off'
    );

-- name: timescaledb_created
-- Tells whether this database has TimescaleDB.
select exists (select from pg_extension where extname = 'timescaledb');

-- name: create_timescaledb
-- Gives this database TimescaleDB.
create extension if not exists timescaledb;

-- name: partitions
-- Names the partitions of a table, and whether it is natively partitioned (else it is a hypertable).
select
    c.relkind = 'p' as native,
    array(
        select p.relname::text from pg_inherits i join pg_class p on p.oid = i.inhrelid where i.inhparent = c.oid
    ) as partitions
from pg_class c
where c.relnamespace = to_regnamespace('wafer') and c.relname = $1 and c.relkind in ('p', 'r');

-- name: lock_partitions
-- Lets one writer at a time create partitions, until the end of its transaction.
select pg_advisory_xact_lock(hashtext('wafer partitions'));

-- name: create_partition
-- Creates one day's partition and attaches it; an empty one attaches without a scan, its indexes become the parent's.
create table wafer.{partition} (like wafer.{table} including all);
alter table wafer.{table} attach partition wafer.{partition} for values from ('{start} 00:00+00') to ('{end} 00:00+00');
