-- name: schema_exists
-- Tells whether this database was ever migrated.
select to_regclass('wafer_meta.migration') is not null;

-- name: schema_version
-- The number of the last migration that was applied.
select coalesce(max(version), 0) from wafer_meta.migration;

-- name: applied_migrations
-- All migrations that were applied, oldest first.
select version, name, checksum, applied_at from wafer_meta.migration order by version;

-- name: lock_migrations
-- Lets one runner at a time migrate this database, until its session ends.
select pg_advisory_lock(hashtext('wafer migrations'));

-- name: create_bookkeeping
-- Where the runner notes what it applied.
create schema if not exists wafer_meta;
create table if not exists wafer_meta.migration (
    version    integer primary key,
    name       text not null,
    checksum   text not null,      -- sha256 of the migration's text, hex
    applied_at timestamptz not null default clock_timestamp()
);

-- name: note_migration
-- Notes a migration in the transaction that applies it.
insert into wafer_meta.migration (version, name, checksum) values ($1, $2, $3);

-- name: storage
-- Names what keeps the samples: TimescaleDB with its version, or plain PostgreSQL.
select coalesce(
    (select 'TimescaleDB ' || extversion from pg_extension where extname = 'timescaledb'),
    'PostgreSQL ' || current_setting('server_version')
);
