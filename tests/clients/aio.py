"""aiokafka behind the shape of `client.py`: its coroutines run on one event loop in a thread."""

import asyncio
import threading
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code
from client import Read, collect

LOOP = asyncio.new_event_loop()
threading.Thread(target=LOOP.run_forever, daemon=True).start()


def run(coroutine):
    return asyncio.run_coroutine_threadsafe(coroutine, LOOP).result(120)


async def started(make):
    """aiokafka wants its objects made inside the running loop."""
    made = make()
    await made.start()
    return made


async def assign(consumer, offsets):
    consumer.assign(list(offsets))
    for partition, offset in offsets.items():
        consumer.seek(partition, offset)


class Client:
    idempotent = True
    transactional = True
    codecs = ["none", "gzip", "snappy", "lz4", "zstd"]

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self._admin = None

    @property
    def admin(self):
        if self._admin is None:
            self._admin = run(started(lambda: AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)))
        return self._admin

    def close(self):
        if self._admin is not None:
            run(self._admin.close())

    def produce(self, topic, records, codec="none", idempotent=False):
        return run(self._produce(topic, records, None if codec == "none" else codec, idempotent))

    async def _produce(self, topic, records, codec, idempotent):
        producer = await started(
            lambda: AIOKafkaProducer(
                bootstrap_servers=self.bootstrap,
                acks="all",
                linger_ms=5,
                compression_type=codec,
                enable_idempotence=idempotent,
            )
        )
        try:
            sent = [
                await producer.send(
                    topic,
                    value=record.value,
                    key=record.key,
                    headers=list(record.headers),
                    partition=record.partition,
                    timestamp_ms=record.timestamp,
                )
                for record in records
            ]
            return [(told.partition, told.offset) for told in await asyncio.gather(*sent)]
        finally:
            await producer.stop()

    def _consumer(self, group, *topics, **options):
        return run(
            started(
                lambda: AIOKafkaConsumer(
                    *topics,
                    bootstrap_servers=self.bootstrap,
                    group_id=group,
                    enable_auto_commit=False,
                    auto_offset_reset="earliest",
                    metadata_max_age_ms=1000,
                    **options,
                )
            )
        )

    def transactions(self, name):
        return Transactions(self.bootstrap, name)

    def read(self, topic, start, count, committed=False):
        isolation = {"isolation_level": "read_committed"} if committed else {}
        consumer = self._consumer(None, **isolation)
        try:
            run(assign(consumer, {TopicPartition(topic, partition): offset for partition, offset in start.items()}))
            return collect(lambda seconds: poll(consumer, seconds), count, f"{topic} from {start}")
        finally:
            run(consumer.stop())

    def _ask(self, question, topic, partitions):
        consumer = self._consumer(None)
        try:
            answer = run(question(consumer, [TopicPartition(topic, partition) for partition in partitions]))
        finally:
            run(consumer.stop())
        return {tp.partition: value for tp, value in answer.items()}

    def beginning(self, topic, partitions):
        return self._ask(AIOKafkaConsumer.beginning_offsets, topic, partitions)

    def end(self, topic, partitions):
        return self._ask(AIOKafkaConsumer.end_offsets, topic, partitions)

    def stream(self, topic):
        return Stream(self.bootstrap, topic)

    def at_time(self, topic, times):
        def question(consumer, tps):
            return consumer.offsets_for_times({tp: times[tp.partition] for tp in tps})

        found = self._ask(question, topic, times)
        return {partition: at and (at.offset, at.timestamp) for partition, at in found.items()}

    def member(self, topic, group, session_ms):
        heartbeat = min(1000, session_ms // 3)
        return Member(self._consumer(group, topic, session_timeout_ms=session_ms, heartbeat_interval_ms=heartbeat))

    def committed(self, topic, group, partitions):
        """aiokafka overlooks the error that stands over a whole answer, and so takes a coordinator that is still
        loading for one that knows of no commit: only what it says for three seconds is believed."""
        consumer = self._consumer(group)
        deadline = time.monotonic() + 3
        try:
            while True:
                found = {p: run(consumer.committed(TopicPartition(topic, p))) for p in partitions}
                if None not in found.values() or time.monotonic() > deadline:
                    return found
                time.sleep(0.1)
        finally:
            run(consumer.stop())

    def create(self, topic, partitions, **config):
        answer = run(self.admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=config)]))
        for _, code, *message in answer.topic_errors:  # which aiokafka does not look at
            if code != 0:
                raise for_code(code)(*message)

    def delete(self, topic):
        run(self.admin.delete_topics([topic]))

    def grow(self, topic, partitions):
        run(self.admin.create_partitions({topic: NewPartitions(partitions)}))

    def topics(self):
        described = run(self.admin.describe_topics(run(self.admin.list_topics())))
        return {topic["topic"]: len(topic["partitions"]) for topic in described}

    def config(self, topic):
        (answer,) = run(self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)]))
        return {entry[0]: entry[1] for entry in answer.resources[0][4]}

    def groups(self):
        return {group for group, *_ in run(self.admin.list_consumer_groups())}


class Stream:
    def __init__(self, bootstrap, topic):
        self.topic, self.acked = topic, {}
        self.producer = run(
            started(lambda: AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", metadata_max_age_ms=1000))
        )

    def send(self, value):
        def told(sent):
            if not sent.cancelled() and sent.exception() is None:
                self.acked[value] = sent.result().offset

        async def send():
            sent = await self.producer.send(self.topic, value=value, partition=0)
            sent.add_done_callback(told)

        try:
            run(send())
        except Exception:  # the topic, or its partition, is not known
            pass

    def close(self):
        run(self.producer.stop())


class Transactions:
    def __init__(self, bootstrap, name):
        make = lambda: AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=name)  # noqa: E731
        self.producer = run(started(make))

    def begin(self):
        run(self.producer.begin_transaction())

    def send(self, topic, records):
        run(self._send(topic, records))

    async def _send(self, topic, records):
        sent = [await self.producer.send(topic, value=r.value, partition=r.partition) for r in records]
        await asyncio.gather(*sent)

    def send_offset(self, topic, partition, offset, group):
        run(self.producer.send_offsets_to_transaction({TopicPartition(topic, partition): offset}, group))

    def commit(self):
        run(self.producer.commit_transaction())

    def abort(self):
        run(self.producer.abort_transaction())

    def close(self):
        try:
            run(self.producer.stop())
        except KafkaError:
            pass  # it was fenced, and says so once more


class Member:
    def __init__(self, consumer):
        self.consumer = consumer

    def poll(self, seconds):
        return poll(self.consumer, seconds)

    def assigned(self):
        return {tp.partition for tp in self.consumer.assignment()}

    def commit(self):
        run(self.consumer.commit())

    def close(self):
        run(self.consumer.stop())


def poll(consumer, seconds):
    batches = run(consumer.getmany(timeout_ms=int(seconds * 1000)))
    return [
        Read(r.partition, r.offset, r.timestamp, r.key, r.value, [tuple(header) for header in r.headers])
        for records in batches.values()
        for r in records
    ]
