-- name: schema_exists
-- Tells whether this database was ever migrated.
select to_regclass('wafer_meta.migration') is not null;

-- name: schema_version
-- The number of the last migration that was applied.
select coalesce(max(version), 0) from wafer_meta.migration;
