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

-- name: table_kind
-- Tells whether a table is natively partitioned (else it is a hypertable); no row where there is no such table.
select c.relkind = 'p' as native
from pg_class c
where c.relnamespace = to_regnamespace('wafer') and c.relname = $1 and c.relkind in ('p', 'r');

-- name: partition_days
-- Tells for which days a table has a partition.
select to_date(right(p.relname, 8), 'YYYYMMDD') as day
from pg_inherits i
join pg_class p on p.oid = i.inhrelid
where i.inhparent = ('wafer.' || $1)::regclass;

-- name: chunk_days
-- Tells for which days a hypertable has chunks.
select distinct (d at time zone 'UTC')::date as day
from timescaledb_information.chunks c
cross join lateral generate_series(c.range_start, c.range_end - interval '1 second', interval '1 day') as d
where c.hypertable_schema = 'wafer' and c.hypertable_name = $1;

-- name: lock_partitions
-- Lets one writer at a time create partitions, until the end of its transaction.
select pg_advisory_xact_lock(hashtext('wafer partitions'));

-- name: create_partition
-- Creates one day's partition and attaches it; an empty one attaches without a scan, its indexes become the parent's.
create table wafer.{partition} (like wafer.{table} including all);
alter table wafer.{table} attach partition wafer.{partition} for values from ('{start} 00:00+00') to ('{end} 00:00+00');

-- name: partition_parts
-- Lists a table's partitions, also those that an interrupted drop has left behind: half detached, or detached and not dropped.
select
    p.relname::text as name, to_timestamp(right(p.relname, 8) || '00+00', 'YYYYMMDDHH24TZH') as begin,
    to_timestamp(right(p.relname, 8) || '00+00', 'YYYYMMDDHH24TZH') + interval '24 hours' as end,
    case when i.inhrelid is null then 'detached' when i.inhdetachpending then 'detaching' else 'attached' end as state
from pg_class p
left join pg_inherits i on i.inhrelid = p.oid
where p.relnamespace = 'wafer'::regnamespace and p.relkind = 'r' and p.relname ~ ('^' || $1 || '_[0-9]{8}$')
order by p.relname;

-- name: chunk_parts
-- Lists a hypertable's chunks.
select format('%I.%I', chunk_schema, chunk_name) as name, range_start as begin, range_end as end, 'chunk' as state
from timescaledb_information.chunks
where hypertable_schema = 'wafer' and hypertable_name = $1
order by range_start;

-- name: detach_partition
-- Takes a partition out of its table while others read and write; not in a transaction.
alter table wafer.{table} detach partition wafer.{partition} concurrently;

-- name: finish_detaching
-- Ends a detachment that was interrupted.
alter table wafer.{table} detach partition wafer.{partition} finalize;

-- name: drop_partition
-- Drops a partition that is attached no more.
drop table wafer.{partition};

-- name: drop_chunk
-- Drops the chunk of a time range.
select drop_chunks('wafer.{table}', newer_than => $1::timestamptz, older_than => $2::timestamptz);

-- name: brin_indexes
-- Lists the BRIN indexes of a table's parts.
select i.indexrelid::regclass::text as index
from pg_inherits h
join pg_index i on i.indrelid = h.inhrelid
join pg_class c on c.oid = i.indexrelid
join pg_am a on a.oid = c.relam
where h.inhparent = ('wafer.' || $1)::regclass and a.amname = 'brin' and h.inhrelid::regclass::text = any($2::text[]);

-- name: summarize_brin
-- Takes the pages into a BRIN index that it has not summed up yet.
select brin_summarize_new_values($1::text::regclass);

-- name: stale_statistics
-- Lists the parts of a table that no analyze has seen since they grew by a good part.
select s.relid::regclass::text as part
from pg_inherits h
join pg_stat_user_tables s on s.relid = h.inhrelid
where h.inhparent = ('wafer.' || $1)::regclass and s.n_mod_since_analyze > greatest(10000, s.n_live_tup / 5);

-- name: analyze_part
-- Gathers the statistics of a part.
analyze {part};

-- name: columnstore_available
-- Tells whether this database has a columnstore: TimescaleDB with the license that it is part of.
select exists (select from pg_extension where extname = 'timescaledb') and current_setting('timescaledb.license', true) = 'timescale';

-- name: rowstore_tables
-- Lists the hypertables that have no columnstore yet.
select hypertable_name::text as table
from timescaledb_information.hypertables
where hypertable_schema = 'wafer' and not compression_enabled;

-- name: enable_columnstore
-- Gives a hypertable a columnstore.
alter table wafer.{table} set (timescaledb.enable_columnstore, timescaledb.segmentby = '{segment}', timescaledb.orderby = '{order}');

-- name: unconverted_chunks
-- Lists chunks that ended before a time and are not in the columnstore, or have got rows since; status bits as in TimescaleDB's catalog.
select format('%I.%I', c.chunk_schema, c.chunk_name) as name, c.range_end as end
from timescaledb_information.chunks c
where c.hypertable_schema = 'wafer' and c.hypertable_name = $1 and c.range_end <= $2
    -- 1: in the columnstore; 2: unordered there; 8: some rows are not
    and _timescaledb_functions.chunk_status(format('%I.%I', c.chunk_schema, c.chunk_name)::regclass) & (1 | 2 | 8) <> 1
order by c.range_start;

-- name: convert_chunk
-- Moves a chunk's rows into the columnstore, also those that have come since it was moved.
call convert_to_columnstore('{chunk}');

-- name: expect_dense_copy
-- Lets COPY write straight into the columnstore, until the end of the transaction.
select set_config('timescaledb.enable_direct_compress_copy', 'on', true)
from pg_extension
where extname = 'timescaledb' and current_setting('timescaledb.license', true) = 'timescale';
