"""Three events of a web shop, as JSON, keyed by their type.  producer.py BOOTSTRAP"""

import json
import sys
from datetime import datetime

from kafka import KafkaProducer

producer = KafkaProducer(
    bootstrap_servers=[sys.argv[1]],
    value_serializer=lambda value: json.dumps(value).encode("utf-8"),
    key_serializer=lambda key: key.encode("utf-8") if key else None,
)


def send_event(event_type, data):
    event = {"event_type": event_type, "data": data, "timestamp": datetime.now().isoformat()}
    sent = producer.send("events", key=event_type, value=event)
    producer.flush()
    told = sent.get(timeout=10)
    print(json.dumps([told.topic, told.partition, told.offset, told.timestamp, event]))


send_event("user_login", {"user_id": 123, "ip": "192.168.1.1"})
send_event("purchase", {"user_id": 123, "amount": 99.99, "product": "premium"})
send_event("page_view", {"user_id": 456, "page": "/home", "session_id": "sess_1"})
producer.close()
