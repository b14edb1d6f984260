"""A request that the database refuses is refused alone: its group is stored, nothing waits behind it."""

import asyncio

import asyncpg
import httpx
import pytest
from writer_support import load
from writer_support.running import WriterUnderTest

ROUNDS = 6
BAD = 400

# No data that pass the decoder are known to be refused, so each table gets a rule of its own, which one request breaks.
POISON = {
    "sample": "value <> 5.5",
    "histogram_sample": "not (count = 6 and sum = 1.5)",
    "exemplar": "value <> 3.25",
    "series": "labels ->> 'wafer' is distinct from '3'",
    "log_record": """body <> '"record 3"'""",
    "job_event": "job_id <> 'load-3'",
    "job_run": "job_id <> 'load-3'",
    "span": "name <> 'span 3'",
    "step_run": "job_id <> 'load-3'",
}


@pytest.mark.parametrize("table", POISON)
async def test_of_a_group_the_request_that_a_table_refuses_is_refused_alone(
    writer: WriterUnderTest, conn: asyncpg.Connection, table: str
) -> None:
    await conn.execute(f"alter table wafer.{table} add constraint poison check ({POISON[table]})")
    requests = [request for number in range(ROUNDS) for request in load.requests(number)]
    async with writer.client() as client:

        async def post(request: load.Request) -> httpx.Response:
            return await client.post(request.path, content=request.body, headers=request.headers)

        answers = await asyncio.gather(*map(post, requests))
        refused = [(request, answer) for request, answer in zip(requests, answers, strict=True) if answer.is_error]
        assert [answer.status_code for _, answer in refused] == [BAD]
        assert b'violates check constraint "poison"' in refused[0][1].content
        # What is missing is that request, whole and alone: with it everything is there once.
        await conn.execute(f"alter table wafer.{table} drop constraint poison")
        await load.deliver([client], refused[0][0])
    await load.assert_stored_once(conn, range(ROUNDS))
