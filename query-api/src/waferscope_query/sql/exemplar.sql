-- name: exemplars
-- Reads the exemplars of series in a time range, by time, each once.
select distinct ts, series_id, value, trace_id, span_id, labels
from wafer.exemplar
where series_id = any ($1::bigint[]) and ts between $2 and $3
order by ts, series_id, value, trace_id, span_id, labels
limit $4
