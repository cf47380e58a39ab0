"""A stream's service: takes messages from a queue, has workers store them, and acknowledges them.

The way of a message, from the broker to a row and to its acknowledgement::

    RabbitMQ                          the service: one thread, which waits for nobody
    ────────                          ─────────────────────────────────────────────────────
    telemetry ──────deliver─────────> link ──> service ──> settlement
        ^  ^                                   │     ^         │
        │  │                                   │     │         ├ stored, or was so before
        │  │                             send  │     │ ready, claimed, done, …
        │  │                                   v     │         │
        │  │                        worker (socket, seen from here)
        │  │                        ═══════════│═════^═════════│══ one process for each worker ══
        │  │                        queue/pipe │     │ after COMMIT
        │  │                                   v     │         │
        │  │                        executor: BEGIN            │
        │  │                                  insert its id into etl.done_message
        │  │                                  process.sql ──> rows
        │  │                                  COMMIT, on disk  │
        │  └──────────acknowledge──────────────────────────────┤
        │                                                      │ failed, busy, worker died
    telemetry.retry.… <──publish, confirm, acknowledge─────────┤
    telemetry.dead    <──publish, confirm, acknowledge─────────┘ broken, or too often

States of a message, as the broker sees it::

    delivered --done, or done before--> acknowledged
        |-----failed, busy, orphaned--> published to a queue that waits; confirmed; acknowledged
        |-----broken, or too often----> published to the dead letters;   confirmed; acknowledged
        +-----not attempted-----------> handed to another worker; when the service stops, given back

Whatever dies in between, the message is there once or twice, never not at all; and twice does no
harm, because its id is recorded in the transaction that stores it.

To be read in this order: address (where the broker is), topology (its queues), message, link (the
connection), worker and workers, settlement, housekeeping (what has to wait for the database),
shutdown, service. Beside them record, metrics, web and events, which tell of it; and for people who
ask the broker without a service: channel, desk, dead_letters.
"""
