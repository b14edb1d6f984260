"""Rows that leave in bounded batches: no transaction is long, no lock is held for more than a moment."""

import time

import asyncpg

BATCH = 5_000
_BUDGET = 30.0  # s, for one table in one round; the rest is left to the next


async def in_batches(conn: asyncpg.Connection, delete: str, *args: object) -> int:
    """Repeat a deletion until nothing is left to delete or the time is up.

    Args:
        conn: A connection outside of a transaction.
        delete: Deletes at most as many rows as its last parameter says.
        args: Its parameters but the last.

    Returns:
        How many rows were deleted.
    """
    until, total = time.monotonic() + _BUDGET, 0
    while time.monotonic() < until:
        deleted = int((await conn.execute(delete, *args, BATCH)).split()[-1])
        total += deleted
        if deleted < BATCH:
            break
    return total
