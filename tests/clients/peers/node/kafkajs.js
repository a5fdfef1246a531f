// KafkaJS as a peer (see `peers.py`).
'use strict';

const { AssignerProtocol, Kafka, CompressionTypes, PartitionAssigners, logLevel } = require('kafkajs');
const { serve, collect } = require('./serve');

const kafka = new Kafka({ clientId: 'peer', brokers: [process.argv[2]], logLevel: logLevel.NOTHING });

async function withAdmin(work) {
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

// Gives a group's only member these partitions: KafkaJS has no assignment by hand.
const chosen = (topic, partitions) => () => {
  const [name, version, userData] = ['chosen', 1, Buffer.alloc(0)];
  const { MemberAssignment, MemberMetadata } = AssignerProtocol;
  const memberAssignment = MemberAssignment.encode({ version, assignment: { [topic]: partitions }, userData });
  return {
    name,
    version,
    assign: async ({ members }) => members.map(({ memberId }) => ({ memberId, memberAssignment })),
    protocol: ({ topics }) => ({ name, metadata: MemberMetadata.encode({ version, topics, userData }) }),
  };
};

async function consume(topic, groupId, count, seconds, afterJoin, beforeEnd) {
  const partitionAssigners = [afterJoin.assigner || PartitionAssigners.roundRobin];
  const consumer = kafka.consumer({ groupId, partitionAssigners, sessionTimeout: 10_000, heartbeatInterval: 1000 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const next = new Map();
  await collect(count, seconds, async (take, fail) => {
    const eachMessage = async ({ partition, message }) => {
      next.set(partition, String(Number(message.offset) + 1));
      if (afterJoin.wants(partition, Number(message.offset))) take({ partition, ...message });
    };
    consumer.on(consumer.events.CRASH, ({ payload }) => fail(payload.error));
    await consumer.run({ autoCommit: false, eachMessage });
    afterJoin.seek(consumer);
    return async () => {
      if (beforeEnd) await consumer.commitOffsets([...next].map(([partition, offset]) => ({ topic, partition, offset })));
      await consumer.disconnect();
    };
  });
}

serve({
  async produce(topic, codec, sent) {
    const producer = kafka.producer();
    await producer.connect();
    const messages = sent.map(({ headers, timestamp, ...one }) => ({
      ...one,
      headers: Object.fromEntries(headers.map(([name, value]) => [name.toString(), value])),
      timestamp: timestamp === '-1' ? undefined : timestamp,
    }));
    const compression = CompressionTypes[codec === 'none' ? 'None' : codec.toUpperCase()];
    const told = await producer.send({ topic, acks: -1, compression, messages });
    await producer.disconnect();
    const next = new Map(told.map(({ partition, baseOffset }) => [partition, Number(baseOffset)]));
    return sent.map(({ partition }) => {
      const offset = next.get(partition);
      next.set(partition, offset + 1);
      return offset;
    });
  },

  // In a group of its own.
  read(topic, count, seconds, starts) {
    const from = new Map(starts);
    return consume(topic, `read-${process.pid}-${Date.now()}`, count, seconds, {
      assigner: chosen(topic, [...from.keys()]),
      wants: (partition, offset) => from.has(partition) && offset >= from.get(partition),
      seek: (consumer) => starts.forEach(([partition, offset]) => consumer.seek({ topic, partition, offset })),
    });
  },

  group(topic, group, count, seconds) {
    return consume(topic, group, count, seconds, { wants: () => true, seek: () => {} }, true);
  },

  committed(topic, groupId, partition) {
    return withAdmin(async (admin) => {
      const [{ partitions }] = await admin.fetchOffsets({ groupId, topics: [topic] });
      return Number(partitions.find((one) => one.partition === partition).offset);
    });
  },

  at(topic, partition, timestamp) {
    return withAdmin(async (admin) => {
      const found = await admin.fetchTopicOffsetsByTimestamp(topic, timestamp);
      return Number(found.find((one) => one.partition === partition).offset);
    });
  },
});
