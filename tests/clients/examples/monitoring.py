"""Topics, their configuration, the lag of a group, and a throughput test.  monitoring.py BOOTSTRAP TOPIC GROUP

Prints one JSON object.
"""

import json
import sys
import time

import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

bootstrap, topic, group = sys.argv[1:]
version = tuple(int(part) for part in kafka.__version__.split(".")[:2])
admin = KafkaAdminClient(bootstrap_servers=[bootstrap])
consumer = KafkaConsumer(bootstrap_servers=[bootstrap], group_id=group, enable_auto_commit=False)


def topics():
    # The admin client of 1.4 cannot list topics, the consumer of every line can.
    return admin.list_topics() if hasattr(admin, "list_topics") else list(consumer.topics())


def configuration():
    """{name: [value, source]} of the topic; the source tells a default (5) from the topic's own setting (1)."""
    resource = ConfigResource(ConfigResourceType.TOPIC, topic)
    if version >= (3, 0):
        answer = admin.describe_configs([resource], config_filter="all")["topic"][topic]
        return {name: [entry["value"], entry["config_source"]] for name, entry in answer.items()}
    answer = admin.describe_configs([resource])
    response = answer[0] if isinstance(answer, list) else answer
    return {entry[0]: [entry[1], entry[3]] for entry in response.resources[0][4]}


def lag():
    """What the group has still to read, over all partitions."""
    partitions = [TopicPartition(topic, p) for p in sorted(consumer.partitions_for_topic(topic))]
    ends = consumer.end_offsets(partitions)
    return sum(ends[p] - (consumer.committed(p) or 0) for p in partitions)


def throughput(count):
    producer = KafkaProducer(
        bootstrap_servers=[bootstrap], value_serializer=lambda value: json.dumps(value).encode("utf-8")
    )
    start = time.monotonic()
    for n in range(count):
        producer.send("test-topic", value={"message_id": n, "data": f"Message {n}"})
    producer.flush()
    producer.close()
    return count / (time.monotonic() - start)


# The topics are listed before `throughput` makes one more.
print(
    json.dumps(
        {
            "topics": sorted(topics()),
            "configuration": configuration(),
            "lag": lag(),
            "records per second": round(throughput(10_000)),
        },
        default=str,
    )
)
consumer.close()
admin.close()
