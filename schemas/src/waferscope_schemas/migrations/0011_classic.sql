-- Which histograms are shown as classic series (x_bucket, x_sum, x_count) beside their native form: those of OTLP with explicit bounds.
-- What was stored before may be such a one.
alter table wafer.series add column classic boolean not null default false;
update wafer.series set classic = true where kind = 'histogram';
