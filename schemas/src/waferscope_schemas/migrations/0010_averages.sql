-- An average of samples too small to be divided is 0: PostgreSQL refuses a quotient under the least double, and one such bucket would
-- end every question that reads it.

create function wafer.average(sum double precision, count integer) returns double precision
language sql immutable parallel safe
return case when abs(sum) < 1e-290 then 0 else sum / count end;

create or replace view wafer.metrics_5m as
select
    s.metric, s.labels, r.bucket, r.count, r.sum, wafer.average(r.sum, r.count) as avg, r.min, r.max, r.first, r.last, r.first_ts,
    r.last_ts, r.increase, s.kind, s.unit
from wafer.rollup_5m r
join wafer.series s using (series_id);

create or replace view wafer.metrics_1h as
select
    s.metric, s.labels, r.bucket, r.count, r.sum, wafer.average(r.sum, r.count) as avg, r.min, r.max, r.first, r.last, r.first_ts,
    r.last_ts, r.increase, s.kind, s.unit
from wafer.rollup_1h r
join wafer.series s using (series_id);
