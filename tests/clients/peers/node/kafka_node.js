// kafka-node as a peer (see `peers.py`): it knows Produce and Fetch up to version 2 and nothing later.
'use strict';

const { KafkaClient, Producer, Consumer, ConsumerGroup, Offset, KeyedMessage } = require('kafka-node');
const { serve, collect } = require('./serve');

const CODECS = { none: 0, gzip: 1, snappy: 2 };
const BYTES = { encoding: 'buffer', keyEncoding: 'buffer' };
const kafkaHost = process.argv[2];
const call = (object, name, ...args) => new Promise((resolve, reject) => {
  object[name](...args, (error, value) => (error ? reject(error) : resolve(value)));
});

async function withClient(work) {
  const client = new KafkaClient({ kafkaHost, connectTimeout: 30_000 });
  try {
    await new Promise((resolve, reject) => {
      client.once('ready', resolve);
      client.once('error', reject);
    });
    return await work(client);
  } finally {
    await call(client, 'close').catch(() => {});
  }
}

const messageOf = ({ key, value, timestamp }) =>
  Object.assign(new KeyedMessage(key, value), { timestamp: Number(timestamp) });
const said = ({ partition, offset, timestamp, key, value }) =>
  ({ partition, offset, timestamp: timestamp === undefined ? -1 : new Date(timestamp).getTime(), key, value });

serve({
  produce(topic, codec, sent) {
    return withClient(async (client) => {
      const producer = new Producer(client, { requireAcks: -1, ackTimeoutMs: 30_000 });
      const offsets = [];
      for (let from = 0, to; from < sent.length; from = to) {
        const { partition } = sent[from];
        for (to = from; to < sent.length && sent[to].partition === partition;) to++;
        const messages = sent.slice(from, to).map((one) => messageOf(one));
        const payload = { topic, partition, messages, attributes: CODECS[codec] };
        const told = await call(producer, 'send', [payload]);
        messages.forEach((_, n) => offsets.push(told[topic][partition] + n));
      }
      return offsets;
    });
  },

  read(topic, count, seconds, starts) {
    return withClient((client) => collect(count, seconds, (take, fail) => {
      const payloads = starts.map(([partition, offset]) => ({ topic, partition, offset }));
      const options = { ...BYTES, autoCommit: false, fromOffset: true, groupId: 'nobody' };
      const consumer = new Consumer(client, payloads, options);
      // Of a compressed set it hands out what lies before the offset that was asked for too.
      const from = new Map(starts);
      consumer.on('message', (message) => message.offset >= from.get(message.partition) && take(said(message)));
      consumer.on('error', fail);
      consumer.on('offsetOutOfRange', fail);
      return () => call(consumer, 'close', false).catch(() => {});
    }));
  },

  group(topic, groupId, count, seconds) {
    return collect(count, seconds, (take, fail) => {
      const options = { ...BYTES, kafkaHost, groupId, autoCommit: false, fromOffset: 'earliest', sessionTimeout: 10_000 };
      const consumer = new ConsumerGroup(options, [topic]);
      consumer.on('message', (message) => take(said(message)));
      consumer.on('error', fail);
      return async () => {
        await call(consumer, 'commit', true);
        await call(consumer, 'close', false);
      };
    });
  },

  committed(topic, group, partition) {
    return withClient(async (client) => {
      const told = await call(new Offset(client), 'fetchCommitsV1', group, [{ topic, partition }]);
      return Number(told[topic][partition]);
    });
  },
});
