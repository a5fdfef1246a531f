"""librdkafka (as confluent-kafka, from 0.11 on) as a peer (see `peers.py`).

Told a version, it asks no ApiVersions and believes `broker.version.fallback`, as every librdkafka before 0.11 did.
From 0.10 on that makes it ask all the same.
"""

import sys

import serve
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, Producer, TopicPartition, libversion


class Peer:
    def __init__(self, bootstrap, version):
        self.balanced = not version.startswith("0.8")
        self.base = {"bootstrap.servers": bootstrap, "log_level": 0}
        if version != "-":
            self.base.update({"api.version.request": False, "broker.version.fallback": version})

    def produce(self, topic, codec, sent):
        options = {"compression.codec": codec, "queue.buffering.max.ms": 100, "request.required.acks": -1}
        if libversion()[1] < 0x01000000:
            options["default.topic.config"] = {"produce.offset.report": True}  # later ones always do
        producer = Producer({**self.base, **options})
        told = [None] * len(sent)

        def remember(index):
            def report(error, message):
                told[index] = message.offset() if error is None else error

            return report

        for index, one in enumerate(sent):
            options = {"key": one.key, "partition": one.partition, "on_delivery": remember(index)}
            if one.timestamp is not None:
                options["timestamp"] = one.timestamp
            if one.headers:
                options["headers"] = one.headers
            producer.produce(topic, one.value, **options)
        producer.flush(60)
        failed = [offset for offset in told if not isinstance(offset, int)]
        if failed:
            raise Exception("%d records failed: %s" % (len(failed), failed[0]))
        return told

    def consumer(self, group, **options):
        early = {"auto.offset.reset": "earliest", "enable.auto.commit": False}
        return Consumer({**self.base, "group.id": group, "session.timeout.ms": 10000, **early, **options})

    def read(self, topic, count, seconds, starts):
        consumer = self.consumer("nobody")
        try:
            consumer.assign([TopicPartition(topic, partition, offset) for partition, offset in starts.items()])
            serve.collect(lambda: poll(consumer), count, seconds)
        finally:
            consumer.close()

    def group(self, topic, group, count, seconds):
        consumer = self.consumer(group)
        try:
            if self.balanced:
                consumer.subscribe([topic])
            else:
                partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
                consumer.assign([TopicPartition(topic, partition) for partition in partitions])
            serve.collect(lambda: poll(consumer), count, seconds)
            options = {"async": False} if sys.version_info < (3, 7) else {"asynchronous": False}
            consumer.commit(**options)
        finally:
            consumer.close()

    def committed(self, topic, group, partition):
        consumer = self.consumer(group)
        try:
            (found,) = consumer.committed([TopicPartition(topic, partition)], timeout=30)
        finally:
            consumer.close()
        if found.error:
            raise Exception(str(found.error))
        return max(found.offset, -1)

    def at(self, topic, partition, timestamp):
        consumer = self.consumer("nobody")
        try:
            (found,) = consumer.offsets_for_times([TopicPartition(topic, partition, timestamp)], timeout=30)
        finally:
            consumer.close()
        return max(found.offset, -1)


def poll(consumer):
    message = consumer.poll(0.5)
    if message is None:
        return []
    if message.error():
        if "PARTITION_EOF" in message.error().name():
            return []
        raise Exception(str(message.error()))
    kind, timestamp = message.timestamp()
    if kind == TIMESTAMP_NOT_AVAILABLE:
        timestamp = -1
    return [(message.partition(), message.offset(), timestamp, message.key(), message.value(), message.headers())]


serve.serve(Peer(*sys.argv[1:]))
