-- Running totals of sums, packed: one row for 64 neighbouring series, so that a commit reads and writes a row for dozens of points
-- instead of one for each. Those of histograms keep their rows, without what was for sums alone.

create table wafer.number_total (
    block  bigint primary key,      -- series_id / 64
    totals bytea not null           -- 64 entries of 24 bytes: start and ts (Unix time, ms, bigint), value (double), all big-endian
) with (fillfactor = 50);           -- as delta_total: an update stays on its page

-- A start of -2^63: nothing was added to this series yet.
insert into wafer.number_total (block, totals)
select
    b.block,
    string_agg(
        int8send(coalesce(t.start, -9223372036854775808)) || int8send(coalesce(t.ts, -9223372036854775808))
            || float8send(coalesce(t.value, 0)),
        '' order by n.position
    )
from (select distinct series_id / 64 as block from wafer.delta_total where schema is null) b
cross join generate_series(0, 63) n (position)
left join wafer.delta_total t on t.series_id = b.block * 64 + n.position and t.schema is null
group by b.block;

delete from wafer.delta_total where schema is null;
alter table wafer.delta_total drop column value;
alter table wafer.delta_total rename to histogram_total;
alter index wafer.delta_total_pkey rename to histogram_total_pkey;

-- When the total of a sum was last added to, of a row of number_total: Unix time in ms; null: never.
create function wafer.total_ts(series_id bigint, totals bytea) returns bigint
language sql immutable parallel safe
return nullif(
    ('x' || encode(substring(totals from (series_id % 64)::integer * 24 + 9 for 8), 'hex'))::bit(64)::bigint, -9223372036854775808
);
