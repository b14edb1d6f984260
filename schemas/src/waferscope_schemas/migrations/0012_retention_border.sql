-- From when on retention has dropped nothing: whoever asks for older samples is answered from rollups. The maintenance tells of a
-- border some seconds before it drops anything, so that readers know in time.
create table wafer.retention_border (
    relation  text primary key,             -- without schema; tables without a row here have kept all
    before_ts timestamptz not null          -- older rows may be gone
);

-- What was dropped so far: each drop left a row of the feed, which is kept for days.
insert into wafer.retention_border
select r.relation, max(d.end_ts)
from wafer.deletion d
cross join (values ('sample'), ('histogram_sample')) r (relation)
where d.kind = 'expired'
group by r.relation;
