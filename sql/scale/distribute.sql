-- Distributes the prepared star schema of datamart_users over the nodes of a Citus cluster.
--
--   psql -1 -v shards=32 -f prepare.sql -f refresh_user.sql -f distribute.sql
--
-- Parameters: :'shards'  how many shards each table gets: some times the nodes there will ever be
-- Returns:    a row for each table and function
-- Writes:     moves the rows of the tables to the nodes
-- Locks:      the tables, exclusively, until it commits
-- Cost:       in proportion to all rows
--
-- By user, side by side: dwh.dimension_users, dwh.facts (by who acted), dwh.datamart_users. On
-- every node: countries and applications, which a refresh joins and hardly anybody writes. On the
-- coordinator alone: the ledger, schema etl.
SELECT set_config('citus.shard_count', :'shards', TRUE) AS shard_count;

-- The trigger that dates a mark is one of rows, and looks at its own row only.
SELECT set_config('citus.enable_unsafe_triggers', 'on', TRUE) AS enable_unsafe_triggers;

SELECT create_reference_table('dwh.dimension_countries');
SELECT create_reference_table('dwh.dimension_applications');
SELECT create_distributed_table('dwh.dimension_users', 'dimension_user_id', colocate_with => 'none');
SELECT
    create_distributed_table(
        'dwh.facts', 'action_dimension_id_user', colocate_with => 'dwh.dimension_users'
    );
SELECT
    create_distributed_table(
        'dwh.datamart_users', 'dimension_user_id', colocate_with => 'dwh.dimension_users'
    );

-- By their first argument: a lone call of either runs where the rows of that user are.
SELECT
    create_distributed_function(
        'dwh.update_datamart_user(integer, date)', 'user_id', colocate_with => 'dwh.dimension_users'
    );
SELECT
    create_distributed_function(
        'dwh.refresh_user(integer, date)', 'user_id', colocate_with => 'dwh.dimension_users'
    );
