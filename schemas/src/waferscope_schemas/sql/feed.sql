-- name: current_snapshot
-- Which transactions a statement that begins now sees: where a new reader of the feed begins.
select pg_current_snapshot()::text;

-- name: feed_all
-- All rows of a table, with the snapshot that sees exactly them.
select now.snapshot, t.*
from (select pg_current_snapshot()::text as snapshot) now
left join (select true as is_row, {columns} from wafer.{table}) t on true;

-- name: feed_since
-- The rows of a table that a reader's last snapshot does not see yet, with the snapshot that sees them.
select now.snapshot, t.*
from (select pg_current_snapshot()::text as snapshot) now
left join (
    select true as is_row, {columns}
    from wafer.{table}
    where xid >= pg_snapshot_xmin($1::text::pg_snapshot) and not pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
) t on true;
