-- name: reader_exists
-- Tells whether the cluster has the reader's role.
select to_regrole('waferscope_reader') is not null;

-- name: create_reader
-- Creates the reader's role, unless a migration of another database of the cluster does so at this moment.
do $$
begin
    create role waferscope_reader nologin;
    alter role waferscope_reader set default_transaction_read_only = on;
exception when duplicate_object or unique_violation then
    null;
end
$$;

-- name: pass_verifier
-- Hands the password's verifier to let_reader_in: a "do" block takes no parameters.
select set_config('wafer.reader_verifier', $1, true);

-- name: let_reader_in
-- Lets the reader log in; a migration of another database that alters the same role at this moment is waited for.
do $$
begin
    for attempt in 1 .. 100 loop
        begin
            execute format('alter role waferscope_reader login password %L', current_setting('wafer.reader_verifier'));
            return;
        exception when internal_error then  -- "tuple concurrently updated"
            perform pg_sleep(0.05);
        end;
    end loop;
    raise exception 'the role waferscope_reader is altered all the time by others';
end
$$;

-- name: grant_views
-- Grants the reader all views of the stable interface, and nothing else.
do $$
declare
    view regclass;
begin
    grant usage on schema wafer to waferscope_reader;
    for view in select oid from pg_class where relnamespace = 'wafer'::regnamespace and relkind = 'v' loop
        execute format('grant select on %s to waferscope_reader', view);
    end loop;
end
$$;
