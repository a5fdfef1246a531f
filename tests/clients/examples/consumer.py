"""Handles each event by its type, until none has come for some seconds.  consumer.py BOOTSTRAP GROUP"""

import json
import sys

from kafka import KafkaConsumer

consumer = KafkaConsumer(
    "events",
    bootstrap_servers=[sys.argv[1]],
    value_deserializer=lambda value: json.loads(value.decode("utf-8")),
    key_deserializer=lambda key: key.decode("utf-8") if key else None,
    group_id=sys.argv[2],
    auto_offset_reset="earliest",
    consumer_timeout_ms=5000,
)

for message in consumer:
    event, event_type = message.value, message.key
    if event_type == "user_login":
        print(f"login of {event['data']['user_id']}")
    elif event_type == "purchase":
        print(f"purchase of {event['data']['product']}")
    elif event_type == "page_view":
        print(f"view of {event['data']['page']}")
consumer.close()
