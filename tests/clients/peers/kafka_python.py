"""kafka-python as a peer (see `peers.py`): `api_version` is pinned to the release that it is told to speak to."""

import logging
import sys

import serve
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

logging.disable(logging.CRITICAL)


class Peer:
    def __init__(self, bootstrap, version):
        pinned = {} if version == "-" else {"api_version": tuple(map(int, version.split(".")))}
        self.base = dict(bootstrap_servers=bootstrap, **pinned)

    def produce(self, topic, codec, sent):
        producer = KafkaProducer(
            acks="all",
            retries=20,
            linger_ms=100,
            max_in_flight_requests_per_connection=1,
            compression_type=None if codec == "none" else codec,
            **self.base
        )
        try:
            waiting = []
            for one in sent:
                headers = {"headers": one.headers} if one.headers else {}
                future = producer.send(
                    topic, one.value, key=one.key, partition=one.partition, timestamp_ms=one.timestamp, **headers
                )
                waiting.append(future)
            return [future.get(timeout=60).offset for future in waiting]
        finally:
            producer.close(timeout=10)

    def consumer(self, *topics, **options):
        return KafkaConsumer(*topics, enable_auto_commit=False, auto_offset_reset="earliest", **self.base, **options)

    def read(self, topic, count, seconds, starts):
        consumer = self.consumer(group_id=None)
        try:
            consumer.assign([TopicPartition(topic, partition) for partition in starts])
            for partition, offset in starts.items():
                consumer.seek(TopicPartition(topic, partition), offset)
            serve.collect(lambda: poll(consumer), count, seconds)
        finally:
            consumer.close()

    def group(self, topic, group, count, seconds):
        consumer = self.consumer(topic, group_id=group)
        try:
            serve.collect(lambda: poll(consumer), count, seconds)
            consumer.commit()
        finally:
            consumer.close()

    def committed(self, topic, group, partition):
        consumer = self.consumer(group_id=group)
        try:
            offset = consumer.committed(TopicPartition(topic, partition))
            return -1 if offset is None else offset
        finally:
            consumer.close()

    def at(self, topic, partition, timestamp):
        consumer = self.consumer(group_id=None)
        try:
            (found,) = consumer.offsets_for_times({TopicPartition(topic, partition): timestamp}).values()
            return -1 if found is None else found.offset
        finally:
            consumer.close()


def poll(consumer):
    batches = consumer.poll(timeout_ms=500).values()
    return [(r.partition, r.offset, r.timestamp, r.key, r.value, r.headers) for rs in batches for r in rs]


serve.serve(Peer(*sys.argv[1:]))
