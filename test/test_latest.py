"""Newest wins: a slow consumer loses values, producers never wait."""

import asyncio
import threading

from picam_webrtc.latest import AsyncInOrder, AsyncLatest, Latest, call_on_loop


def test_the_newest_value_is_taken_and_the_older_counted_as_dropped() -> None:
    slot = Latest[int]()
    for value in range(5):
        slot.put(value)

    assert slot.take() == 4
    assert slot.dropped == 4


def test_as_many_wait_as_may_and_the_oldest_is_taken_first() -> None:
    slot = Latest[int]()
    for value in range(5):
        slot.put(value, most_waiting=3)

    assert [slot.take() for _ in range(3)] == [2, 3, 4]
    assert slot.dropped == 2


def test_take_returns_none_after_its_timeout() -> None:
    assert Latest[int]().take(timeout_s=0.001) is None


def test_close_ends_a_waiting_consumer() -> None:
    slot = Latest[int]()
    taken: list[int | None] = []
    consumer = threading.Thread(target=lambda: taken.append(slot.take()))
    consumer.start()
    slot.close()
    consumer.join(timeout=5)

    assert taken == [None]
    assert slot.closed


def test_what_waits_at_the_finish_is_taken_and_nothing_after_it() -> None:
    slot = Latest[int]()
    for value in (1, 2):
        slot.put(value, most_waiting=2)
    slot.finish()
    slot.put(3, most_waiting=3)

    assert [slot.take() for _ in range(3)] == [1, 2, None]
    assert slot.dropped == 0


def test_what_waits_when_it_is_closed_is_never_delivered() -> None:
    slot = Latest[int]()
    slot.put(1)
    slot.close()

    assert slot.take() is None


def test_values_put_after_close_are_never_delivered() -> None:
    slot = Latest[int]()
    slot.close()
    slot.put(1)

    assert slot.take() is None


async def test_values_put_on_another_thread_arrive_on_the_loop_newest_first() -> None:
    slot = AsyncLatest[int](asyncio.get_running_loop())

    def produce() -> None:
        for value in range(100):
            slot.put(value)

    producer = threading.Thread(target=produce)
    producer.start()
    producer.join()

    assert await asyncio.wait_for(slot.take(), 5) == 99
    assert slot.dropped == 99


async def test_the_slot_works_again_after_each_take() -> None:
    slot = AsyncLatest[int](asyncio.get_running_loop())
    for value in range(3):
        slot.put(value)
        assert await asyncio.wait_for(slot.take(), 5) == value


def test_a_closed_loop_is_reported_not_raised() -> None:
    loop = asyncio.new_event_loop()
    loop.close()

    assert call_on_loop(loop, print) is False


async def test_values_arrive_in_order_and_what_is_too_much_is_refused() -> None:
    arrived: list[int] = []
    last = asyncio.Event()

    def deliver(value: int) -> None:
        arrived.append(value)
        if value == 2:
            last.set()

    way = AsyncInOrder(asyncio.get_running_loop(), deliver, most_waiting=3)

    taken = [way.put(value) for value in range(5)]
    await last.wait()

    assert taken == [True, True, True, False, False]
    assert arrived == [0, 1, 2]
    assert way.put(5)
