"""Who is let in when, without any server."""

from __future__ import annotations

import asyncio

import pytest

from waferscope_query.http.queue import FairQueue
from waferscope_query.promql.errors import QueueFullError
from waferscope_query.promql.usage import MemoryPool


def queue(places: int, length: int = 1000, pool: MemoryPool | None = None, part: int = 1) -> FairQueue:
    pool = pool or MemoryPool(1 << 30)
    return FairQueue(places, length, lambda: pool.take(part), lambda: pool.give(part))


async def turns() -> None:
    """Let everything that is ready run."""
    for _ in range(5):
        await asyncio.sleep(0)


class Clients:
    """Queries that wait, and in which order they got in."""

    def __init__(self, line: FairQueue) -> None:
        self.line = line
        self.order: list[str] = []
        self.inside: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def come(self, client: str, times: int = 1) -> asyncio.Task[None]:
        async def one() -> None:
            await self.line.enter(client)
            self.order.append(client)
            self.inside.append(client)

        self.tasks += [asyncio.create_task(one()) for _ in range(times)]
        await turns()
        return self.tasks[-1]

    async def leave(self, client: str) -> None:
        self.inside.remove(client)
        self.line.leave(client)
        await turns()

    async def all_leave(self) -> None:
        """Let everybody in, one after the other."""
        while self.inside:
            await self.leave(self.inside[0])


async def test_a_client_with_one_query_does_not_wait_for_two_hundred_of_another() -> None:
    clients = Clients(queue(2))
    await clients.come("crowd", 200)
    assert clients.order == ["crowd"] * 2
    await clients.come("one")
    await clients.come("two", 2)
    await clients.leave("crowd")
    await clients.leave("crowd")
    assert clients.order[2:] == ["one", "two"]
    await clients.leave("one")
    await clients.leave("two")
    assert clients.order[4:] == ["two", "crowd"] or clients.order[4:] == ["crowd", "two"]
    await clients.all_leave()
    assert len(clients.order) == 203
    assert (clients.line.waiting, clients.line.running) == (0, 0)


async def test_clients_that_wait_take_turns_and_each_is_served_in_its_order() -> None:
    clients = Clients(queue(1))
    for client in ("running", *"aaa", *"bb", "c"):
        await clients.come(client)
    await clients.all_leave()
    assert clients.order == ["running", *"abcaba"]


async def test_a_full_queue_refuses_who_comes_but_takes_room_from_the_longest_line_for_others() -> None:
    clients = Clients(queue(1, length=3))
    await clients.come("crowd", 4)
    refused = await clients.come("crowd")
    with pytest.raises(QueueFullError, match=r"3 queries wait already \(WAFERSCOPE_QUERY_MAX_QUEUE\): try again later"):
        await refused
    await clients.come("other")
    with pytest.raises(QueueFullError):
        await clients.tasks[3]  # the crowd's newest
    assert clients.line.waiting == 3
    await clients.all_leave()
    assert clients.order == ["crowd", "other", "crowd", "crowd"]


async def test_without_a_queue_a_free_place_is_given_all_the_same() -> None:
    clients = Clients(queue(1, length=0))
    await clients.come("a")
    with pytest.raises(QueueFullError):
        await (await clients.come("b"))
    await clients.leave("a")
    await clients.come("b")
    assert clients.order == ["a", "b"]


async def test_who_goes_leaves_the_line_at_once_and_one_who_goes_while_called_gives_the_place_on() -> None:
    pool = MemoryPool(10)
    clients = Clients(queue(1, pool=pool))
    await clients.come("a")
    gone, called, last = [await clients.come(client) for client in "bcd"]
    gone.cancel()
    await turns()
    assert clients.line.waiting == 2
    clients.line.leave("a")
    called.cancel()
    await asyncio.wait([gone, called, last])
    assert clients.order == ["a", "d"]
    await clients.leave("d")
    assert (clients.line.running, pool.taken) == (0, 0)


async def test_a_query_waits_until_its_part_of_the_memory_is_there() -> None:
    pool = MemoryPool(100)
    clients = Clients(queue(10, pool=pool, part=10))
    await clients.come("a")
    assert pool.take(85)  # grown
    await clients.come("b")
    assert clients.order == ["a"]
    pool.give(85)
    await clients.leave("a")
    assert clients.order == ["a", "b"]
