-- Which requests may be stored again: deleting samples forgets these, so that whoever sends them once more gets them back. Of older
-- requests nobody knows; they are kept as those that add something.
alter table wafer.ingest_batch add column repeatable boolean not null default false;
alter table wafer.ingest_batch alter column repeatable drop default;
