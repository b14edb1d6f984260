-- name: database_size
-- Tells how large the database is, in bytes.
select pg_database_size(current_database())

-- name: has_hypertables
-- Tells whether TimescaleDB keeps the site's tables.
select exists (select from pg_extension where extname = 'timescaledb')

-- name: table_sizes
-- Tells of each table how many bytes it takes with indexes and all partitions, how many rows it has, about, and of how many partitions.
select
    t.relname::text as name, sum(pg_total_relation_size(p.oid))::double precision as bytes,
    sum(greatest(0, p.reltuples) * (p.relkind <> 'p')::integer)::double precision as rows,
    case when t.relkind = 'p' then count(*) - 1 end as partitions,
    null::bigint as compressed, null::double precision as before, null::double precision as after
from pg_class t
cross join lateral (
    select t.oid, t.reltuples, t.relkind
    union all
    select c.oid, c.reltuples, c.relkind from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = t.oid
) p
where t.relnamespace = 'wafer'::regnamespace and t.relkind in ('r', 'p') and not t.relispartition
group by t.oid, t.relname, t.relkind

-- name: hypertable_sizes
-- As table_sizes on TimescaleDB, with the chunks that are compressed and their bytes before and after.
select
    t.relname::text as name,
    case when h.hypertable_name is null then pg_total_relation_size(t.oid) else hypertable_size(t.oid) end::double precision as bytes,
    greatest(0, approximate_row_count(t.oid))::double precision as rows, h.num_chunks as partitions,
    s.number_compressed_chunks as compressed, s.before_compression_total_bytes::double precision as before,
    s.after_compression_total_bytes::double precision as after
from pg_class t
left join timescaledb_information.hypertables h on h.hypertable_schema = 'wafer' and h.hypertable_name = t.relname
left join lateral (select * from hypertable_columnstore_stats(t.oid)) s on h.compression_enabled
where t.relnamespace = 'wafer'::regnamespace and t.relkind = 'r'

-- name: replication_lag
-- Tells how far each replica is behind; without the rights of pg_monitor there are none to see.
select
    coalesce(nullif(application_name, ''), 'pid ' || pid) as replica,
    coalesce(extract(epoch from max(replay_lag)), 0)::double precision as lag_s,
    max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn))::double precision as lag_bytes
from pg_stat_replication
where replay_lsn is not null and not pg_is_in_recovery()
group by 1
