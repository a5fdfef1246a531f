// The loop of a peer on Node: commands come as lines on standard input, as `peers.py` draws them.
'use strict';

const readline = require('node:readline');

const bytesOf = (word) => (word === '-' ? null : Buffer.from(word.slice(1), 'hex'));
const wordOf = (data) => (data === null || data === undefined ? '-' : `x${Buffer.from(data).toString('hex')}`);

function sentOf(line) {
  const [partition, timestamp, key, value, headers] = line.split(' ');
  const pairs = headers === '-' ? [] : headers.split(',').map((pair) => pair.split(':').map(bytesOf));
  return { partition: Number(partition), timestamp, key: bytesOf(key), value: bytesOf(value), headers: pairs };
}

function printRecord({ partition, offset, timestamp = -1, key, value, headers = {} }) {
  const pairs = Object.entries(headers).map(([name, header]) => `${wordOf(name)}:${wordOf(header)}`);
  console.log(partition, Number(offset), Number(timestamp), wordOf(key), wordOf(value), pairs.join(',') || '-');
}

// Resolves when `take` was called `count` times; `start(take, fail)` begins to read and returns how to end it.
async function collect(count, seconds, start) {
  let stop;
  let seen = 0;
  try {
    await new Promise((resolve, reject) => {
      const late = () => reject(new Error(`${seen} of ${count} records after ${seconds} s`));
      const timer = setTimeout(late, seconds * 1000);
      const done = (end) => (value) => { clearTimeout(timer); end(value); };
      const take = (message) => {
        if (seen === count) return;
        printRecord(message);
        if (++seen === count) done(resolve)();
      };
      stop = start(take, done(reject));
    });
  } finally {
    await (await stop)();
  }
}

async function serve(peer) {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  for (let line; !(line = await lines.next()).done;) {
    const [name, topic, ...words] = line.value.split(' ');
    try {
      if (name === 'produce') {
        const sent = [];
        for (let n = Number(words[1]); n > 0; n--) sent.push(sentOf((await lines.next()).value));
        for (const offset of await peer.produce(topic, words[0], sent)) console.log(offset);
      } else if (name === 'read') {
        const starts = words.slice(2).map((start) => start.split(':').map(Number));
        await peer.read(topic, Number(words[0]), Number(words[1]), starts);
      } else if (name === 'group') {
        await peer.group(topic, words[0], Number(words[1]), Number(words[2]));
      } else if (name === 'committed') {
        console.log(await peer.committed(topic, words[0], Number(words[1])));
      } else if (name === 'at') {
        console.log(await peer.at(topic, Number(words[0]), Number(words[1])));
      } else {
        throw new Error(`no command ${name}`);
      }
      console.log('ok');
    } catch (error) {
      console.log('error', String(error.message || error).replace(/\s+/g, ' '));
    }
  }
  process.exit(0);
}

module.exports = { serve, collect };
