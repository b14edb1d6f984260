-- name: dictionary
-- All tables and views with their columns, views first.
select relation, kind, position, name, type, comment
from wafer.dictionary
order by kind = 'table', relation collate "C", position;

-- name: comment_statements
-- Writes the statements that comment tables, views and columns: such a statement takes no parameters.
select case
    when name is null then format('comment on %s wafer.%I is %L', kind, relation, comment)
    else format('comment on column wafer.%I.%I is %L', relation, name, comment)
end
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as t (kind, relation, name, comment);
