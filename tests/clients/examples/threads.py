"""A group of three consumers, each in a thread of its own.  threads.py BOOTSTRAP TOPIC GROUP COUNT

Ends when COUNT records were handled, and prints for each consumer its partitions and what it handled.
"""

import json
import sys
import threading

from kafka import KafkaConsumer

bootstrap, topic, group, count = *sys.argv[1:4], int(sys.argv[4])
left = threading.Semaphore(0)
done = threading.Event()


class EventProcessor(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.partitions, self.handled = set(), []

    def run(self):
        consumer = KafkaConsumer(
            topic, bootstrap_servers=[bootstrap], group_id=group, auto_offset_reset="earliest"
        )
        while not done.is_set():
            for partition, records in consumer.poll(timeout_ms=200).items():
                for record in records:
                    self.handled.append((partition.partition, record.offset, record.key.decode()))
                    left.release()
            self.partitions = {partition.partition for partition in consumer.assignment()}
        consumer.close()


processors = [EventProcessor() for _ in range(3)]
for processor in processors:
    processor.start()
for _ in range(count):
    if not left.acquire(timeout=60):
        sys.exit("not all records came within a minute of the one before")
done.set()
for processor in processors:
    processor.join(30)
    print(json.dumps([sorted(processor.partitions), processor.handled]))
