"""aiokafka as a peer (see `peers.py`)."""

import asyncio
import logging
import sys
import time

import serve
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

logging.disable(logging.CRITICAL)


class Peer:
    def __init__(self, bootstrap, version):
        self.base = {"bootstrap_servers": bootstrap}
        self.loop = asyncio.new_event_loop()

    def produce(self, topic, codec, sent):
        return self.loop.run_until_complete(self._produce(topic, None if codec == "none" else codec, sent))

    async def _produce(self, topic, codec, sent):
        async with AIOKafkaProducer(acks="all", linger_ms=100, compression_type=codec, **self.base) as producer:
            waiting = [
                await producer.send(
                    topic,
                    one.value,
                    key=one.key,
                    partition=one.partition,
                    timestamp_ms=one.timestamp,
                    headers=one.headers,
                )
                for one in sent
            ]
            return [(await one).offset for one in waiting]

    def with_consumer(self, work, *topics, **options):
        async def run():
            early = {"enable_auto_commit": False, "auto_offset_reset": "earliest"}
            async with AIOKafkaConsumer(*topics, **early, **self.base, **options) as consumer:
                return await work(consumer)

        return self.loop.run_until_complete(run())

    def read(self, topic, count, seconds, starts):
        async def work(consumer):
            consumer.assign([TopicPartition(topic, partition) for partition in starts])
            for partition, offset in starts.items():
                consumer.seek(TopicPartition(topic, partition), offset)
            await collect(consumer, count, seconds)

        self.with_consumer(work)

    def group(self, topic, group, count, seconds):
        async def work(consumer):
            await collect(consumer, count, seconds)
            await consumer.commit()

        self.with_consumer(work, topic, group_id=group)

    def committed(self, topic, group, partition):
        async def work(consumer):
            return await consumer.committed(TopicPartition(topic, partition))

        offset = self.with_consumer(work, group_id=group)
        return -1 if offset is None else offset

    def at(self, topic, partition, timestamp):
        async def work(consumer):
            return await consumer.offsets_for_times({TopicPartition(topic, partition): timestamp})

        (found,) = self.with_consumer(work).values()
        return -1 if found is None else found.offset


async def collect(consumer, count, seconds):
    deadline = time.time() + seconds
    seen = 0
    while seen < count:
        if time.time() > deadline:
            raise Exception(f"{seen} of {count} records after {seconds} s")
        for batch in (await consumer.getmany(timeout_ms=500)).values():
            for r in batch:
                serve.record(r.partition, r.offset, r.timestamp, r.key, r.value, r.headers)
                seen += 1


serve.serve(Peer(*sys.argv[1:]))
