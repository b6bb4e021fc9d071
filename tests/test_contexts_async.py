"""``unsynced()``, ``coalesce()``, ``flush()`` and ``reconcile()`` in async code."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.db import IntegrityError, connections, transaction

from syncfields import aflush, areconcile, coalesce, flush, reconcile, unsynced
from syncfields.testing import aassert_in_sync, assert_in_sync
from tests.menagerie import write_behind
from tests.statements import sent
from tests.testapp.models import Book, Cup, Shelf, Tray
from tests.undo import UndoError

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shelves():
    return [Shelf.objects.create() for _ in range(3)]


def run(function, *args):
    return async_to_sync(function)(*args)


def create(shelf, pages=3):
    return Book.objects.acreate(shelf=shelf, pages=pages)


async def stored(shelf):
    return await Shelf.objects.values_list("book_count", "page_sum").aget(pk=shelf.pk)


# unsynced() --------------------------------------------------------------------------------------


def test_what_was_touched_is_put_right(shelves):
    async def write():
        async with unsynced(reconcile=True):
            book = await create(shelves[0])
            await asyncio.sleep(0)
            book.pages = 5
            await book.asave()
            await Shelf.objects.filter(pk=shelves[1].pk).aupdate(book_count=9)
            assert await stored(shelves[0]) == (0, 0)
        assert await stored(shelves[0]) == (1, 5)
        await create(shelves[1])
        await aassert_in_sync()

    run(write)

    assert_in_sync()


def test_what_was_touched_is_put_right_after_an_exception(shelves):
    async def write():
        with suppress(UndoError):
            async with unsynced(reconcile=True):
                await create(shelves[0])
                raise UndoError
        return await stored(shelves[0])

    assert run(write) == (1, 3)


def test_what_was_touched_is_put_right_where_the_task_is_cancelled(shelves):
    async def write(written):
        async with unsynced(reconcile=True):
            await create(shelves[0])
            written.set()
            await asyncio.sleep(60)

    async def cancel():
        written = asyncio.Event()
        task = asyncio.create_task(write(written))
        await written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await stored(shelves[0])

    assert run(cancel) == (1, 3)


def test_cancelled_while_it_puts_right(shelves):
    """The thread that writes cannot be stopped, so it is awaited."""
    tasks = []

    async def write():
        async with unsynced(reconcile=True):
            await create(shelves[0])
            asyncio.get_running_loop().call_soon(tasks[0].cancel)

    async def cancel():
        tasks.append(asyncio.create_task(write()))
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        return await stored(shelves[0])

    assert run(cancel) == (1, 3)


def test_the_notes_of_the_tasks_that_are_started_in_the_block_are_its_own(shelves):
    def in_a_thread():
        Book.objects.create(shelf=shelves[2], pages=7)

    async def write():
        async with unsynced(reconcile=True):
            await asyncio.gather(
                create(shelves[0]), create(shelves[1]), sync_to_async(in_a_thread)()
            )
            assert [await stored(shelf) for shelf in shelves] == [(0, 0)] * 3
        return [await stored(shelf) for shelf in shelves]

    assert run(write) == [(1, 3), (1, 3), (1, 7)]


@pytest.mark.parametrize("noting", [False, True], ids=["plain", "reconcile"])
def test_a_task_that_outlives_the_block_writes_as_ever(shelves, noting):
    async def late(over):
        await over.wait()
        await create(shelves[0])

    async def write():
        over = asyncio.Event()
        async with unsynced(reconcile=noting):
            task = asyncio.create_task(late(over))
            await asyncio.sleep(0)
        over.set()
        await task
        return await stored(shelves[0])

    assert run(write) == (1, 3)


def test_blocks_of_several_tasks_note_their_own(shelves):
    async def write(number):
        async with unsynced(reconcile=number != 1):
            for _ in range(3):
                await create(shelves[number])
                await asyncio.sleep(0)

    async def all_of_them():
        await asyncio.gather(*map(write, range(3)))
        return [await stored(shelf) for shelf in shelves]

    assert run(all_of_them) == [(3, 9), (0, 0), (3, 9)]


def test_of_blocks_inside_each_other_the_outermost_that_reconciles_puts_right(shelves):
    async def write():
        with unsynced():
            await create(shelves[0])
            async with unsynced(reconcile=True):
                with unsynced():
                    await create(shelves[1])
                async with unsynced(reconcile=True):
                    await create(shelves[2])
                assert [await stored(shelf) for shelf in shelves] == [(0, 0)] * 3
            return [await stored(shelf) for shelf in shelves]

    assert run(write) == [(0, 0), (1, 3), (1, 3)]


@pytest.mark.parametrize("context", ["unsynced", "coalesce"])
def test_a_decorated_function(shelves, context):
    block = unsynced(reconcile=True) if context == "unsynced" else coalesce()

    @block
    async def write(shelf):
        await create(shelf)
        await asyncio.sleep(0)
        await create(shelf)
        return await stored(shelf)

    @block
    def write_there(shelf):
        Book.objects.create(shelf=shelf, pages=3)
        Book.objects.create(shelf=shelf, pages=3)
        return tuple(Shelf.objects.values_list("book_count", "page_sum").get(pk=shelf.pk))

    async def both():
        inside = await asyncio.gather(
            write(shelves[0]), write(shelves[1]), sync_to_async(write_there)(shelves[2])
        )
        return inside, [await stored(shelf) for shelf in shelves]

    assert run(both) == ([(0, 0)] * 3, [(2, 6)] * 3)
    assert write.__name__ == "write"


@pytest.mark.parametrize("block", [unsynced(), coalesce()], ids=["unsynced", "coalesce"])
def test_a_generator_is_no_function_to_decorate(block):
    def rows():
        yield

    async def arows():
        yield

    for function in (rows, arows):
        with pytest.raises(TypeError, match=f"{function.__name__}.. is a generator"):
            block(function)


# Used wrongly ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (unsynced(reconcile=True).__enter__, "write: async with unsynced(reconcile=True)"),
        (coalesce().__enter__, "write: async with coalesce()"),
        (flush, "call aflush()"),
        (reconcile, "call areconcile()"),
        (Tray.objects.all().reconcile, "call areconcile()"),
        (assert_in_sync, "call areconcile()"),
    ],
    ids=["unsynced", "coalesce", "flush", "reconcile", "queryset", "assert_in_sync"],
)
def test_what_would_block_is_refused_before_it_begins(shelves, call, message):
    async def wrongly():
        with pytest.raises(SynchronousOnlyOperation) as refused:
            call()
        await create(shelves[0])
        return refused

    assert f"In async code {message}" in str(run(wrongly).value)
    assert_in_sync()


# coalesce() --------------------------------------------------------------------------------------


def test_deltas_are_summed_and_written_once(shelves):
    async def write():
        async with coalesce():
            for pages in range(5):
                await create(shelves[0], pages)
                await asyncio.sleep(0)
            assert await stored(shelves[0]) == (0, 0)
            await aflush()
            assert await stored(shelves[0]) == (5, 10)
            await create(shelves[0])
        return await stored(shelves[0])

    with sent() as statements:
        assert run(write) == (6, 13)

    assert statements.updates(Shelf) == 2
    assert not connections["default"].in_atomic_block
    assert_in_sync()


def test_an_exception_leaves_nothing_behind(shelves):
    async def write():
        with suppress(UndoError):
            async with coalesce():
                await create(shelves[0])
                raise UndoError
        await create(shelves[0])
        return await stored(shelves[0]), await Book.objects.acount()

    assert run(write) == ((1, 3), 1)


def test_a_task_that_is_cancelled_leaves_nothing_behind(shelves):
    async def write(written):
        async with coalesce():
            await create(shelves[0])
            written.set()
            await asyncio.sleep(60)

    async def cancel():
        written = asyncio.Event()
        task = asyncio.create_task(write(written))
        await written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not await sync_to_async(lambda: connections["default"].in_atomic_block)()
        await create(shelves[1])
        return await Book.objects.acount()

    assert run(cancel) == 1
    assert_in_sync()


@pytest.mark.parametrize("when", ["it begins", "it ends"])
def test_a_task_that_is_cancelled_while_its_block(shelves, when):
    """The transaction is not left open, and the next block gets its turn."""

    def soon():
        asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)

    async def write():
        if when == "it begins":
            soon()
        async with coalesce():
            await create(shelves[0])
            if when == "it ends":
                soon()

    async def cancel():
        with pytest.raises(asyncio.CancelledError):
            await asyncio.create_task(write())
        async with coalesce():
            await create(shelves[1])
        return [await stored(shelf) for shelf in shelves[:2]]

    assert run(cancel) == [(when == "it ends", 3 * (when == "it ends")), (1, 3)]
    assert not connections["default"].in_atomic_block


def test_a_task_that_is_cancelled_while_it_waits_for_its_turn(shelves):
    async def write(shelf):
        async with coalesce():
            await create(shelf)

    async def cancel():
        begun = asyncio.Event()

        async def first():
            async with coalesce():
                begun.set()
                await asyncio.sleep(0.05)
                await create(shelves[0])

        one = asyncio.create_task(first())
        await begun.wait()
        two = asyncio.create_task(write(shelves[1]))
        await asyncio.sleep(0.02)
        two.cancel()
        with pytest.raises(asyncio.CancelledError):
            await two
        await one
        await write(shelves[2])
        return [await stored(shelf) for shelf in shelves]

    assert run(cancel) == [(1, 3), (0, 0), (1, 3)]


def test_blocks_of_several_tasks_take_turns(shelves):
    """The one that fails takes back its own writes, and no others."""
    inside = []

    async def write(number):
        with suppress(UndoError):
            async with coalesce():
                inside.append(number)
                assert len(inside) == 1
                for _ in range(3):
                    await create(shelves[number])
                    await asyncio.sleep(0)
                assert await stored(shelves[number]) == (0, 0)
                inside.remove(number)
                if number == 1:
                    raise UndoError

    async def all_of_them():
        await asyncio.gather(*map(write, range(3)))
        return [await stored(shelf) for shelf in shelves]

    assert run(all_of_them) == [(3, 9), (0, 0), (3, 9)]
    assert_in_sync()


def test_blocks_inside_a_block_take_turns_too(shelves):
    async def write(number):
        with suppress(UndoError):
            async with coalesce():
                for _ in range(2):
                    await create(shelves[number])
                    await asyncio.sleep(0)
                async with coalesce():
                    await create(shelves[number])
                if number == 1:
                    raise UndoError

    async def all_of_them():
        async with coalesce():
            await asyncio.gather(*map(write, range(3)))
            assert [await stored(shelf) for shelf in shelves] == [(0, 0)] * 3
        return [await stored(shelf) for shelf in shelves]

    assert run(all_of_them) == [(3, 9), (0, 0), (3, 9)]
    assert_in_sync()


def test_a_task_that_outlives_a_block_gets_a_turn(shelves):
    async def late(over):
        await over.wait()
        async with coalesce():
            await create(shelves[1])
            await asyncio.sleep(0)

    async def write():
        over = asyncio.Event()
        async with coalesce():
            task = asyncio.create_task(late(over))
            await create(shelves[0])
        over.set()
        async with coalesce():
            await create(shelves[2])
            await asyncio.sleep(0)
        await task
        return [await stored(shelf) for shelf in shelves]

    assert run(write) == [(1, 3)] * 3


def test_a_block_waits_for_those_that_began_in_it(shelves):
    async def inner(begun):
        async with coalesce():
            begun.set()
            await create(shelves[1])
            await asyncio.sleep(0.05)
            await create(shelves[1])

    async def write():
        begun = asyncio.Event()
        async with coalesce():
            task = asyncio.create_task(inner(begun))
            await begun.wait()
        await task
        return await stored(shelves[1])

    assert run(write) == (2, 6)
    assert not connections["default"].in_atomic_block


def test_a_synchronous_function_in_between_nests(shelves):
    def undone():
        with suppress(UndoError), transaction.atomic(), coalesce():
            Book.objects.create(shelf=shelves[0], pages=100)
            raise UndoError

    async def write():
        async with coalesce():
            await create(shelves[0])
            await sync_to_async(undone)()
        return await stored(shelves[0])

    assert run(write) == (1, 3)


def test_a_block_for_each_thread(shelves):
    """As each request of a server has one."""
    if connections["default"].vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time, and the block is one")

    async def request(number, here, there):
        async with ThreadSensitiveContext():
            async with coalesce():
                await create(shelves[number])
                here.set()
                await there.wait()
            await sync_to_async(connections.close_all)()

    async def both():
        events = asyncio.Event(), asyncio.Event()
        await asyncio.gather(request(0, *events), request(1, *events[::-1]))

    # Not by async_to_sync(), which gives all of them its own thread.
    asyncio.run(both())

    assert_in_sync()
    assert Book.objects.count() == 2


def test_an_error_at_the_end_rolls_back(shelves):
    async def write():
        async with coalesce():
            await create(shelves[0])
            await Book.objects.acreate(pk=(await Book.objects.afirst()).pk, pages=1)

    with pytest.raises(IntegrityError):
        run(write)

    assert not Book.objects.exists()
    assert_in_sync()


# reconcile() -------------------------------------------------------------------------------------


def test_areconcile_goes_chunk_by_chunk(shelves):
    write_behind(Shelf, page_sum=7)
    other = []

    async def meanwhile():
        while not other or other[-1]:
            other.append(await Shelf.objects.filter(page_sum=7).acount())

    async def both():
        task = asyncio.create_task(meanwhile())
        report = await areconcile("testapp.Shelf.page_sum", batch_size=1)
        await task
        return report

    report = run(both)

    assert (report.scanned, report.repaired) == (3, 3)
    assert len(set(other)) > 2  # Others could read between two chunks.
    assert_in_sync()


def test_areconcile_of_a_queryset():
    tray = Tray.objects.create()
    Cup.objects.create(tray=tray)
    write_behind(Tray, cup_count=7)

    async def repair():
        with pytest.raises(AssertionError, match=r"Tray\.cup_count: 1 of 1 row"):
            await aassert_in_sync(Tray)
        assert (await Tray.objects.areconcile(check=True)).drifted == 1
        return await Tray.objects.filter(pk=tray.pk).areconcile()

    assert run(repair).repaired == 1
    assert_in_sync()


def test_areconcile_that_is_cancelled_finishes_its_chunk(shelves):
    write_behind(Shelf, page_sum=7)

    async def cancel():
        def progress(*_):
            loop.call_soon_threadsafe(task.cancel)

        loop = asyncio.get_running_loop()
        task = asyncio.create_task(
            areconcile("testapp.Shelf.page_sum", batch_size=1, progress=progress)
        )
        with pytest.raises(asyncio.CancelledError):
            await task
        return await Shelf.objects.filter(page_sum=7).acount()

    assert run(cancel) in (1, 2)
