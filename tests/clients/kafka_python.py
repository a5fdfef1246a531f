"""kafka-python, every line from 1.4 to 3.0, behind the shape of `client.py`."""

import kafka
from client import Read, WAIT_SECONDS, collect
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
from kafka.structs import OffsetAndMetadata

VERSION = tuple(int(part) for part in kafka.__version__.split(".")[:2])


def codecs():
    names = ["none", "gzip", "snappy", "lz4"]
    # From 2.0 on there is a zstd writer, but before 2.1 the consumer asks with Fetch 4, which no broker may answer
    # with zstd.
    return [*names, "zstd"] if VERSION >= (2, 1) else names


class Client:
    idempotent = VERSION >= (2, 2)
    transactional = VERSION >= (2, 3)
    codecs = codecs()

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self._admin = None

    @property
    def admin(self):
        if self._admin is None:
            self._admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        return self._admin

    def close(self):
        if self._admin is not None:
            self._admin.close()

    def produce(self, topic, records, codec="none", idempotent=False):
        options = {"enable_idempotence": idempotent} if self.idempotent else {}
        producer = KafkaProducer(
            bootstrap_servers=self.bootstrap,
            acks="all",
            retries=20,
            linger_ms=5,
            compression_type=None if codec == "none" else codec,
            **options,
        )
        try:
            sent = [
                producer.send(
                    topic,
                    value=record.value,
                    key=record.key,
                    headers=list(record.headers),
                    partition=record.partition,
                    timestamp_ms=record.timestamp,
                )
                for record in records
            ]
            told = [future.get(timeout=60) for future in sent]
        finally:
            producer.close(timeout=10)
        return [(answer.partition, answer.offset) for answer in told]

    def stream(self, topic):
        return Stream(self.bootstrap, topic)

    def _consumer(self, **options):
        return KafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False, **options)

    def transactions(self, name):
        return Transactions(self.bootstrap, name)

    def read(self, topic, start, count, committed=False):
        isolation = {"isolation_level": "read_committed"} if committed else {}
        consumer = self._consumer(group_id=None, **isolation)
        try:
            consumer.assign([TopicPartition(topic, partition) for partition in start])
            for partition, offset in start.items():
                consumer.seek(TopicPartition(topic, partition), offset)
            return collect(lambda seconds: poll(consumer, seconds), count, f"{topic} from {start}")
        finally:
            consumer.close()

    def _ask(self, question, topic, partitions):
        consumer = self._consumer(group_id=None)
        try:
            answer = question(consumer, [TopicPartition(topic, partition) for partition in partitions])
        finally:
            consumer.close()
        return {tp.partition: value for tp, value in answer.items()}

    def beginning(self, topic, partitions):
        return self._ask(KafkaConsumer.beginning_offsets, topic, partitions)

    def end(self, topic, partitions):
        return self._ask(KafkaConsumer.end_offsets, topic, partitions)

    def at_time(self, topic, times):
        def question(consumer, tps):
            return consumer.offsets_for_times({tp: times[tp.partition] for tp in tps})

        found = self._ask(question, topic, times)
        return {partition: at and (at.offset, at.timestamp) for partition, at in found.items()}

    def member(self, topic, group, session_ms):
        return Member(self.bootstrap, topic, group, session_ms)

    def committed(self, topic, group, partitions):
        consumer = self._consumer(group_id=group)
        try:
            return {partition: consumer.committed(TopicPartition(topic, partition)) for partition in partitions}
        finally:
            consumer.close()

    def create(self, topic, partitions, **config):
        self.admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=config)])

    def delete(self, topic):
        self.admin.delete_topics([topic])

    def grow(self, topic, partitions):
        self.admin.create_partitions({topic: NewPartitions(partitions)})

    def topics(self):
        consumer = self._consumer(group_id=None)
        try:
            return {name: len(consumer.partitions_for_topic(name) or ()) for name in consumer.topics()}
        finally:
            consumer.close()

    def config(self, topic):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        if VERSION >= (3, 0):
            answer = self.admin.describe_configs([resource], config_filter="all")
            return {name: entry["value"] for name, entry in answer["topic"][topic].items()}
        answer = self.admin.describe_configs([resource])
        response = answer[0] if isinstance(answer, list) else answer
        return {entry[0]: entry[1] for entry in response.resources[0][4]}

    def groups(self):
        if VERSION >= (3, 0):
            return {group["group_id"] for group in self.admin.list_groups()}
        return {group for group, _ in self.admin.list_consumer_groups()}


class Stream:
    def __init__(self, bootstrap, topic):
        self.topic, self.acked = topic, {}
        self.producer = KafkaProducer(
            bootstrap_servers=bootstrap, acks="all", retries=1000, metadata_max_age_ms=1000, max_block_ms=5000
        )

    def send(self, value):
        try:
            sent = self.producer.send(self.topic, value=value, partition=0)
        except Exception:  # no metadata of the topic within max_block_ms
            return
        sent.add_callback(lambda told: self.acked.__setitem__(value, told.offset))

    def close(self):
        self.producer.close(timeout=10)


class Transactions:
    def __init__(self, bootstrap, name):
        self.producer = KafkaProducer(bootstrap_servers=bootstrap, transactional_id=name)
        self.producer.init_transactions()

    def begin(self):
        self.producer.begin_transaction()

    def send(self, topic, records):
        sent = [self.producer.send(topic, value=r.value, partition=r.partition) for r in records]
        self.producer.flush(WAIT_SECONDS)
        for future in sent:
            future.get(timeout=WAIT_SECONDS)

    def send_offset(self, topic, partition, offset, group):
        metadata = OffsetAndMetadata(offset, "", -1)
        self.producer.send_offsets_to_transaction({TopicPartition(topic, partition): metadata}, group)

    def commit(self):
        self.producer.commit_transaction()

    def abort(self):
        self.producer.abort_transaction()

    def close(self):
        self.producer.close(timeout=10)


class Member:
    def __init__(self, bootstrap, topic, group, session_ms):
        self.consumer = KafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=min(1000, session_ms // 3),
            metadata_max_age_ms=1000,
        )

    def poll(self, seconds):
        return poll(self.consumer, seconds)

    def assigned(self):
        return {tp.partition for tp in self.consumer.assignment()}

    def commit(self):
        self.consumer.commit()

    def close(self):
        self.consumer.close()


def poll(consumer, seconds):
    batches = consumer.poll(timeout_ms=int(seconds * 1000))
    return [
        Read(r.partition, r.offset, r.timestamp, r.key, r.value, [tuple(header) for header in r.headers])
        for records in batches.values()
        for r in records
    ]


def offset_and_metadata(offset):
    """OffsetAndMetadata took two fields until 2.0, three since."""
    return OffsetAndMetadata(offset, "", *([-1] if len(OffsetAndMetadata._fields) == 3 else []))
