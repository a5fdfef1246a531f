// KafkaJS against a broker: topic admin, a round trip, offsets, a group with commits.
//
//   node conformance.js BOOTSTRAP TOPIC GROUP
//
// Prints one line per check; the exit status tells whether all held.
'use strict';

const assert = require('node:assert/strict');
const { Kafka, CompressionTypes, logLevel } = require('kafkajs');

const [bootstrap, topic, groupId] = process.argv.slice(2);
const kafka = new Kafka({ clientId: 'conformance', brokers: [bootstrap], logLevel: logLevel.NOTHING });
const admin = kafka.admin();

const messages = (count, what) =>
  Array.from({ length: count }, (_, n) => ({
    key: n % 3 ? `key-${n}` : null,
    value: n % 5 ? `${what} ${n}` : null,
    partition: n % 2,
    headers: { origin: 'kafkajs', n: String(n) },
    timestamp: String(1_700_000_000_000 + n),
  }));

// Reads with the group until `count` records came, commits on the way, and leaves.
async function read(count) {
  const got = [];
  const consumer = kafka.consumer({ groupId, sessionTimeout: 10_000, heartbeatInterval: 1000 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${got.length} of ${count} records after 60 s`)), 60_000);
    consumer.run({
      eachMessage: async ({ partition, message }) => {
        got.push({ partition, ...message });
        if (got.length === count) {
          clearTimeout(timer);
          resolve();
        }
      },
    }).catch(reject);
  });
  await consumer.stop();
  await consumer.disconnect();
  return got;
}

const checks = {
  async 'a topic is created with its configuration'() {
    const configEntries = [{ name: 'retention.ms', value: '86400000' }];
    assert.equal(await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 2, configEntries }] }), true);
    assert.ok((await admin.listTopics()).includes(topic));
    const { resources } = await admin.describeConfigs({ resources: [{ type: 2, name: topic }], includeSynonyms: false });
    assert.equal(resources[0].configEntries.find((entry) => entry.configName === 'retention.ms').configValue, '86400000');
  },

  async 'records come back as they were sent'() {
    const producer = kafka.producer();
    await producer.connect();
    const plain = messages(20, 'plain');
    const packed = messages(20, 'packed');
    await producer.send({ topic, acks: -1, messages: plain });
    await producer.send({ topic, acks: -1, compression: CompressionTypes.GZIP, messages: packed });
    await producer.disconnect();
    const got = await read(40);
    for (const partition of [0, 1]) {
      const mine = got.filter((message) => message.partition === partition);
      const sent = [...plain, ...packed].filter((message) => message.partition === partition);
      assert.deepEqual(mine.map((m) => m.offset), sent.map((_, n) => String(n)));
      assert.deepEqual(mine.map((m) => m.key && m.key.toString()), sent.map((m) => m.key));
      assert.deepEqual(mine.map((m) => m.value && m.value.toString()), sent.map((m) => m.value));
      assert.deepEqual(mine.map((m) => m.headers.n.toString()), sent.map((m) => m.headers.n));
      assert.deepEqual(mine.map((m) => m.timestamp), sent.map((m) => m.timestamp));
    }
  },

  async 'committed offsets are told, and reading goes on after them'() {
    const [{ partitions }] = await admin.fetchOffsets({ groupId, topics: [topic] });
    assert.deepEqual(partitions.map((p) => [p.partition, p.offset]).sort(), [[0, '20'], [1, '20']]);
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    await producer.send({ topic, acks: -1, messages: messages(10, 'later') });
    await producer.disconnect();
    const got = await read(10);
    assert.deepEqual(new Set(got.map((m) => Number(m.offset))), new Set([20, 21, 22, 23, 24]));
  },

  async 'offsets are found by time, and at both ends'() {
    const ends = await admin.fetchTopicOffsets(topic);
    assert.deepEqual(ends.map((p) => [p.partition, p.low, p.high]).sort(), [[0, '0', '25'], [1, '0', '25']]);
    const found = await admin.fetchTopicOffsetsByTimestamp(topic, 1_700_000_000_004);
    assert.deepEqual(found.map((p) => [p.partition, p.offset]).sort(), [[0, '2'], [1, '2']]);
  },

  async 'the group is listed, described and deleted'() {
    assert.ok((await admin.listGroups()).groups.some((group) => group.groupId === groupId));
    assert.equal((await admin.describeGroups([groupId])).groups[0].state, 'Empty');
    await admin.deleteGroups([groupId]);
    assert.ok(!(await admin.listGroups()).groups.some((group) => group.groupId === groupId));
  },

  async 'the topic is deleted'() {
    await admin.deleteTopics({ topics: [topic] });
    assert.ok(!(await admin.listTopics()).includes(topic));
  },
};

(async () => {
  await admin.connect();
  for (const [name, check] of Object.entries(checks)) {
    await check();
    console.log(`ok ${name}`);
  }
  await admin.disconnect();
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
