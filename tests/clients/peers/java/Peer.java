import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.*;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;

/**
 * Kafka's own client as a peer (see `peers.py`), from 0.9 to today: what all releases share is called as it is,
 * what came later or went is looked up by name.
 */
public class Peer {
    private static final String BYTES = "org.apache.kafka.common.serialization.ByteArray";
    private final String bootstrap;

    private Peer(String bootstrap) {
        this.bootstrap = bootstrap;
    }

    public static void main(String[] args) throws Exception {
        Peer peer = new Peer(args[0]);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; System.out.flush()) {
            try {
                peer.answer(line.split(" "), in);
                System.out.println("ok");
            } catch (Throwable error) {
                while (error.getCause() != null) error = error.getCause();
                System.out.println("error " + error.toString().replaceAll("\\s+", " "));
            }
        }
    }

    private void answer(String[] words, BufferedReader in) throws Exception {
        switch (words[0]) {
            case "produce": {
                List<String> lines = new ArrayList<>();
                for (int n = Integer.parseInt(words[3]); n > 0; n--) lines.add(in.readLine());
                produce(words[1], words[2], lines);
                break;
            }
            case "read": {
                try (KafkaConsumer<byte[], byte[]> consumer = consumer(null)) {
                    Map<TopicPartition, Long> starts = new LinkedHashMap<>();
                    for (int n = 4; n < words.length; n++) {
                        String[] start = words[n].split(":");
                        starts.put(new TopicPartition(words[1], Integer.parseInt(start[0])), Long.parseLong(start[1]));
                    }
                    consumer.assign(new ArrayList<>(starts.keySet()));
                    starts.forEach(consumer::seek);
                    collect(consumer, Integer.parseInt(words[2]), Integer.parseInt(words[3]));
                }
                break;
            }
            case "group": {
                try (KafkaConsumer<byte[], byte[]> consumer = consumer(words[2])) {
                    consumer.subscribe(Collections.singletonList(words[1]));
                    collect(consumer, Integer.parseInt(words[3]), Integer.parseInt(words[4]));
                    consumer.commitSync();
                }
                break;
            }
            case "committed": {
                try (KafkaConsumer<byte[], byte[]> consumer = consumer(words[2])) {
                    System.out.println(committed(consumer, new TopicPartition(words[1], Integer.parseInt(words[3]))));
                }
                break;
            }
            case "at": {
                try (KafkaConsumer<byte[], byte[]> consumer = consumer(null)) {
                    TopicPartition partition = new TopicPartition(words[1], Integer.parseInt(words[2]));
                    Object asked = Collections.singletonMap(partition, Long.parseLong(words[3]));
                    Map<?, ?> found = (Map<?, ?>) call(consumer, "offsetsForTimes", Map.class, asked);
                    Object at = found.get(partition);
                    System.out.println(at == null ? -1 : call(at, "offset"));
                }
                break;
            }
            default:
                throw new IllegalArgumentException("no command " + words[0]);
        }
    }

    private void produce(String topic, String codec, List<String> lines) throws Exception {
        Properties options = new Properties();
        options.put("bootstrap.servers", bootstrap);
        options.put("acks", "all");
        options.put("linger.ms", "100");
        options.put("compression.type", codec);
        options.put("max.in.flight.requests.per.connection", "1");
        options.put("key.serializer", BYTES + "Serializer");
        options.put("value.serializer", BYTES + "Serializer");
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(options)) {
            List<Future<RecordMetadata>> waiting = new ArrayList<>();
            for (String line : lines) waiting.add(producer.send(sent(topic, line.split(" "))));
            List<Long> offsets = new ArrayList<>();
            for (Future<RecordMetadata> one : waiting) offsets.add(one.get().offset());
            offsets.forEach(System.out::println);
        }
    }

    /** Timestamps came with 0.10, headers with 0.11. */
    @SuppressWarnings("unchecked")
    private static ProducerRecord<byte[], byte[]> sent(String topic, String[] words) throws Exception {
        Integer partition = Integer.valueOf(words[0]);
        byte[] key = bytes(words[2]), value = bytes(words[3]);
        ProducerRecord<byte[], byte[]> record;
        if (words[1].equals("-1")) {
            record = new ProducerRecord<>(topic, partition, key, value);
        } else {
            record = (ProducerRecord<byte[], byte[]>) ProducerRecord.class
                .getConstructor(String.class, Integer.class, Long.class, Object.class, Object.class)
                .newInstance(topic, partition, Long.valueOf(words[1]), key, value);
        }
        if (!words[4].equals("-")) {
            Object headers = call(record, "headers");
            for (String pair : words[4].split(",")) {
                String[] parts = pair.split(":");
                Method add = Class.forName("org.apache.kafka.common.header.Headers")
                    .getMethod("add", String.class, byte[].class);
                add.invoke(headers, new String(bytes(parts[0]), "UTF-8"), bytes(parts[1]));
            }
        }
        return record;
    }

    private KafkaConsumer<byte[], byte[]> consumer(String group) {
        Properties options = new Properties();
        options.put("bootstrap.servers", bootstrap);
        if (group != null) options.put("group.id", group);
        options.put("enable.auto.commit", "false");
        options.put("auto.offset.reset", "earliest");
        options.put("session.timeout.ms", "10000");
        options.put("key.deserializer", BYTES + "Deserializer");
        options.put("value.deserializer", BYTES + "Deserializer");
        return new KafkaConsumer<>(options);
    }

    private static void collect(KafkaConsumer<byte[], byte[]> consumer, int count, int seconds) throws Exception {
        long deadline = System.currentTimeMillis() + seconds * 1000L;
        for (int seen = 0; seen < count; ) {
            if (System.currentTimeMillis() > deadline) {
                throw new Exception(seen + " of " + count + " records after " + seconds + " s");
            }
            for (ConsumerRecord<byte[], byte[]> record : poll(consumer)) {
                print(record);
                seen++;
            }
        }
    }

    /** poll(long) went with 4.0, poll(Duration) came with 2.0. */
    @SuppressWarnings("unchecked")
    private static ConsumerRecords<byte[], byte[]> poll(KafkaConsumer<byte[], byte[]> consumer) throws Exception {
        Object told;
        try {
            told = call(consumer, "poll", java.time.Duration.class, java.time.Duration.ofMillis(500));
        } catch (NoSuchMethodException older) {
            told = call(consumer, "poll", long.class, 500L);
        }
        return (ConsumerRecords<byte[], byte[]>) told;
    }

    /** committed(TopicPartition) went with 4.0, committed(Set) came with 2.4. */
    private static long committed(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition) throws Exception {
        Object found;
        try {
            Object asked = Collections.singleton(partition);
            found = ((Map<?, ?>) call(consumer, "committed", Set.class, asked)).get(partition);
        } catch (NoSuchMethodException older) {
            found = call(consumer, "committed", TopicPartition.class, partition);
        }
        return found == null ? -1 : ((OffsetAndMetadata) found).offset();
    }

    private static void print(ConsumerRecord<byte[], byte[]> record) throws Exception {
        Object timestamp = -1;
        StringBuilder headers = new StringBuilder();
        try {
            timestamp = call(record, "timestamp");
            for (Object header : (Iterable<?>) call(record, "headers")) {
                Class<?> type = Class.forName("org.apache.kafka.common.header.Header");
                String key = (String) type.getMethod("key").invoke(header);
                byte[] value = (byte[]) type.getMethod("value").invoke(header);
                headers.append(headers.length() == 0 ? "" : ",");
                headers.append(word(key.getBytes("UTF-8"))).append(':').append(word(value));
            }
        } catch (NoSuchMethodException older) {
            // Records had no timestamp before 0.10, and no headers before 0.11.
        }
        System.out.println(record.partition() + " " + record.offset() + " " + timestamp + " " + word(record.key())
            + " " + word(record.value()) + " " + (headers.length() == 0 ? "-" : headers));
    }

    private static Object call(Object target, String name, Object... typeAndValue) throws Exception {
        try {
            if (typeAndValue.length == 0) return target.getClass().getMethod(name).invoke(target);
            return target.getClass().getMethod(name, (Class<?>) typeAndValue[0]).invoke(target, typeAndValue[1]);
        } catch (InvocationTargetException thrown) {
            throw (Exception) thrown.getCause();
        }
    }

    private static byte[] bytes(String word) {
        return word.equals("-") ? null : java.util.HexFormat.of().parseHex(word, 1, word.length());
    }

    private static String word(byte[] data) {
        return data == null ? "-" : "x" + java.util.HexFormat.of().formatHex(data);
    }
}
