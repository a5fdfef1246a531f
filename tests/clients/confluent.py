"""confluent-kafka (librdkafka) behind the shape of `client.py`."""

from client import Read, WAIT_SECONDS, collect
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic, ResourceType


class Client:
    idempotent = True
    transactional = True
    codecs = ["none", "gzip", "snappy", "lz4", "zstd"]

    def __init__(self, bootstrap):
        # Log level 2: what fails is told by the calls, and a broker that is down is nothing to write about.
        self.base = {"bootstrap.servers": bootstrap, "log_level": 2}
        self.admin = AdminClient(self.base)

    def close(self):
        pass

    def produce(self, topic, records, codec="none", idempotent=False):
        producer = Producer(
            {
                **self.base,
                "acks": "all",
                "linger.ms": 5,
                "compression.type": codec,
                "enable.idempotence": idempotent,
                "reconnect.backoff.max.ms": 500,
            }
        )
        told = [None] * len(records)

        def remember(index):
            def report(error, message):
                assert error is None, f"record {index}: {error}"
                told[index] = (message.partition(), message.offset())

            return report

        for index, record in enumerate(records):
            producer.produce(
                topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
                partition=record.partition,
                timestamp=record.timestamp or 0,
                on_delivery=remember(index),
            )
            producer.poll(0)
        assert producer.flush(WAIT_SECONDS) == 0, "not all records were acknowledged"
        return told

    def stream(self, topic):
        return Stream(self.base, topic)

    def _consumer(self, group, **options):
        return Consumer(
            {
                **self.base,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "topic.metadata.refresh.interval.ms": 1000,
                "reconnect.backoff.max.ms": 500,
                **options,
            }
        )

    def transactions(self, name):
        return Transactions(self.base, name)

    def read(self, topic, start, count, committed=False):
        isolation = {"isolation.level": "read_committed" if committed else "read_uncommitted"}
        consumer = self._consumer("nobody", **isolation)
        try:
            consumer.assign([TopicPartition(topic, partition, offset) for partition, offset in start.items()])
            return collect(lambda seconds: poll(consumer, seconds), count, f"{topic} from {start}")
        finally:
            consumer.close()

    def _watermarks(self, topic, partitions, which):
        consumer = self._consumer("nobody")
        try:
            return {
                partition: consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)[which]
                for partition in partitions
            }
        finally:
            consumer.close()

    def beginning(self, topic, partitions):
        return self._watermarks(topic, partitions, 0)

    def end(self, topic, partitions):
        return self._watermarks(topic, partitions, 1)

    def at_time(self, topic, times):
        consumer = self._consumer("nobody")
        try:
            asked = [TopicPartition(topic, partition, time) for partition, time in times.items()]
            found = consumer.offsets_for_times(asked, timeout=30)
        finally:
            consumer.close()
        # librdkafka keeps the timestamp of what it found to itself, and answers -1 (the end) for nothing.
        return {tp.partition: (tp.offset, None) if tp.offset >= 0 else None for tp in found}

    def member(self, topic, group, session_ms):
        options = {"session.timeout.ms": session_ms, "heartbeat.interval.ms": min(1000, session_ms // 3)}
        return Member(self._consumer(group, **options), topic)

    def committed(self, topic, group, partitions):
        consumer = self._consumer(group)
        try:
            answer = consumer.committed([TopicPartition(topic, partition) for partition in partitions], timeout=30)
        finally:
            consumer.close()
        return {tp.partition: tp.offset if tp.offset >= 0 else None for tp in answer}

    def create(self, topic, partitions, **config):
        wait(self.admin.create_topics([NewTopic(topic, partitions, 1, config=config)]))

    def delete(self, topic):
        wait(self.admin.delete_topics([topic]))

    def grow(self, topic, partitions):
        wait(self.admin.create_partitions([NewPartitions(topic, partitions)]))

    def topics(self):
        return {name: len(topic.partitions) for name, topic in self.admin.list_topics(timeout=30).topics.items()}

    def config(self, topic):
        (answer,) = wait(self.admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]))
        return {name: entry.value for name, entry in answer.items()}

    def groups(self):
        return {group.group_id for group in self.admin.list_consumer_groups().result(30).valid}


def wait(futures):
    return [future.result(30) for future in futures.values()]


class Stream:
    def __init__(self, base, topic):
        self.topic, self.acked = topic, {}
        options = {"acks": "all", "linger.ms": 1, "topic.metadata.refresh.interval.ms": 1000}
        self.producer = Producer({**base, **options})

    def send(self, value):
        def told(error, message):
            if error is None:
                self.acked[value] = message.offset()

        try:
            self.producer.produce(self.topic, value=value, partition=0, on_delivery=told)
        except KafkaException:  # the topic, or its partition, is not known
            pass
        self.producer.poll(0)

    def close(self):
        self.producer.flush(10)


class Transactions:
    def __init__(self, base, name):
        self.base = base
        self.producer = Producer({**base, "transactional.id": name, "reconnect.backoff.max.ms": 500})
        self.producer.init_transactions(WAIT_SECONDS)

    def begin(self):
        self.producer.begin_transaction()

    def send(self, topic, records):
        failed = []
        for record in records:
            self.producer.produce(
                topic,
                value=record.value,
                partition=record.partition,
                on_delivery=lambda error, _: error and failed.append(error),
            )
        assert self.producer.flush(WAIT_SECONDS) == 0, "not all records were acknowledged"
        if failed:
            raise KafkaException(failed[0])

    def send_offset(self, topic, partition, offset, group):
        consumer = Consumer({**self.base, "group.id": group})
        try:
            metadata = consumer.consumer_group_metadata()
            offsets = [TopicPartition(topic, partition, offset)]
            self.producer.send_offsets_to_transaction(offsets, metadata, WAIT_SECONDS)
        finally:
            consumer.close()

    def commit(self):
        self.producer.commit_transaction(WAIT_SECONDS)

    def abort(self):
        self.producer.abort_transaction(WAIT_SECONDS)

    def close(self):
        pass


class Member:
    def __init__(self, consumer, topic):
        self.consumer = consumer
        consumer.subscribe([topic])

    def poll(self, seconds):
        return poll(self.consumer, seconds)

    def assigned(self):
        return {tp.partition for tp in self.consumer.assignment()}

    def commit(self):
        self.consumer.commit(asynchronous=False)

    def close(self):
        self.consumer.close()


def poll(consumer, seconds):
    messages = consumer.consume(500, timeout=seconds)
    for message in messages:
        assert message.error() is None, message.error()
    return [
        Read(m.partition(), m.offset(), m.timestamp()[1], m.key(), m.value(), m.headers() or []) for m in messages
    ]
