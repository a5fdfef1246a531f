// One librdkafka client for every broker that is compared. Each command prints one JSON object.
//
//   load BOOTSTRAP TOPIC PARTITIONS produce COUNT SIZE zeros|random CODEC     as fast as it goes
//   load BOOTSTRAP TOPIC PARTITIONS consume COUNT                             everything from the beginning
//   load BOOTSTRAP TOPIC PARTITIONS paced RATE SECONDS SIZE                   latency from due time to consumer
//
// The producer is idempotent with acks=all, 64 KiB batches and 5 ms of linger; in `paced` it lingers for 1 ms, and
// a record's latency counts from the moment when it was due, so that a producer held up by the broker does not
// look fast. The first two seconds of `paced` are left out.

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WARM_UP_SECONDS 2
#define STALLED_SECONDS 60

static const char *bootstrap, *topic;
static int partitions;
static volatile int64_t failed;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void die(const char *what, const char *why) {
    fprintf(stderr, "load: %s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) die(name, why);
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf) {
    char why[256];
    set(conf, "bootstrap.servers", bootstrap);
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    if (!rk) die("client", why);
    return rk;
}

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque) {
    (void)rk, (void)opaque;
    if (message->err) {
        if (!failed++) fprintf(stderr, "load: not delivered: %s\n", rd_kafka_err2str(message->err));
    }
}

static rd_kafka_t *producer(const char *codec, const char *linger_ms) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "enable.idempotence", "true");
    set(conf, "linger.ms", linger_ms);
    set(conf, "batch.size", "65536");
    set(conf, "compression.type", codec);
    set(conf, "queue.buffering.max.messages", "200000");
    set(conf, "queue.buffering.max.kbytes", "262144");
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    return client(RD_KAFKA_PRODUCER, conf);
}

static void send_one(rd_kafka_t *rk, const void *value, size_t size) {
    for (;;) {
        rd_kafka_resp_err_t error = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_VALUE((void *)value, size),
                                                      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (!error) return;
        if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) die("produce", rd_kafka_err2str(error));
        rd_kafka_poll(rk, 10);
    }
}

static void finish(rd_kafka_t *rk) {
    if (rd_kafka_flush(rk, STALLED_SECONDS * 1000)) die("flush", "records are left");
    if (failed) die("produce", "records were not delivered");
    rd_kafka_destroy(rk);
}

// Bytes that do not compress: a window that moves over a megabyte of them.
static char *noise(size_t size) {
    char *bytes = malloc((1 << 20) + size);
    uint64_t x = 88172645463325252ULL;
    for (size_t i = 0; i < (1 << 20) + size; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        bytes[i] = (char)x;
    }
    return bytes;
}

static void produce(int64_t count, size_t size, int random, const char *codec) {
    rd_kafka_t *rk = producer(codec, "5");
    char *bytes = random ? noise(size) : calloc(1, (1 << 20) + size);
    int64_t start = now_ns();
    for (int64_t n = 0; n < count; n++) {
        send_one(rk, bytes + (n * 997 & ((1 << 20) - 1)), size);
        if (!(n & 255)) rd_kafka_poll(rk, 0);
    }
    finish(rk);
    double seconds = (now_ns() - start) / 1e9;
    printf("{\"records\": %lld, \"seconds\": %.3f}\n", (long long)count, seconds);
}

static rd_kafka_t *consumer(void) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "group.id", "load");
    set(conf, "enable.auto.commit", "false");
    set(conf, "queued.min.messages", "1000000");
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, conf);
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(partitions);
    for (int p = 0; p < partitions; p++) rd_kafka_topic_partition_list_add(all, topic, p)->offset = 0;
    rd_kafka_assign(rk, all);
    rd_kafka_topic_partition_list_destroy(all);
    return rk;
}

// Takes `count` records off the consumer; with `latencies` keeps how old each one is.
static void take(rd_kafka_t *rk, int64_t count, int64_t *latencies) {
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
    rd_kafka_message_t *batch[1000];
    int64_t last = now_ns();
    for (int64_t got = 0; got < count;) {
        ssize_t n = rd_kafka_consume_batch_queue(queue, 100, batch, latencies ? 100 : 1000);
        int64_t now = now_ns();
        if (n > 0) last = now;
        if (now - last > STALLED_SECONDS * 1000000000LL) die("consume", "nothing comes any more");
        for (ssize_t i = 0; i < n; i++) {
            if (batch[i]->err) die("consume", rd_kafka_err2str(batch[i]->err));
            if (latencies && got < count) {
                int64_t due;
                memcpy(&due, batch[i]->payload, sizeof due);
                latencies[got] = now - due;
            }
            got++;
            rd_kafka_message_destroy(batch[i]);
        }
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

static void consume(int64_t count) {
    int64_t start = now_ns();
    take(consumer(), count, NULL);
    printf("{\"records\": %lld, \"seconds\": %.3f}\n", (long long)count, (now_ns() - start) / 1e9);
}

struct listener {
    rd_kafka_t *rk;
    int64_t count, *latencies;
};

static void *listen_all(void *argument) {
    struct listener *l = argument;
    take(l->rk, l->count, l->latencies);
    return NULL;
}

static int by_size(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void paced(int64_t rate, int64_t seconds, size_t size) {
    int64_t count = rate * seconds, skip = rate * WARM_UP_SECONDS;
    struct listener l = {consumer(), count, calloc(count, sizeof(int64_t))};
    pthread_t thread;
    pthread_create(&thread, NULL, listen_all, &l);

    rd_kafka_t *rk = producer("none", "1");
    char *value = noise(size);
    int64_t start = now_ns();
    for (int64_t n = 0; n < count;) {
        int64_t due_count = (now_ns() - start) * rate / 1000000000LL;
        for (; n < count && n <= due_count; n++) {
            int64_t due = start + n * 1000000000LL / rate;
            memcpy(value, &due, sizeof due);
            send_one(rk, value, size);
        }
        rd_kafka_poll(rk, 0);
        struct timespec nap = {0, 200000};
        nanosleep(&nap, NULL);
    }
    finish(rk);
    pthread_join(thread, NULL);
    int64_t *kept = l.latencies + skip, of = count - skip;
    qsort(kept, of, sizeof *kept, by_size);
    printf("{\"records\": %lld, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f}\n",
           (long long)count, kept[of / 2] / 1e6, kept[of * 99 / 100] / 1e6, kept[of * 999 / 1000] / 1e6,
           kept[of - 1] / 1e6);
}

int main(int argc, char **argv) {
    if (argc < 6) die("usage", "see the top of load.c");
    bootstrap = argv[1], topic = argv[2], partitions = atoi(argv[3]);
    const char *command = argv[4];
    if (!strcmp(command, "produce") && argc == 9)
        produce(atoll(argv[5]), atoll(argv[6]), !strcmp(argv[7], "random"), argv[8]);
    else if (!strcmp(command, "consume") && argc == 6)
        consume(atoll(argv[5]));
    else if (!strcmp(command, "paced") && argc == 8 && atoll(argv[6]) > WARM_UP_SECONDS && atoll(argv[7]) >= 8)
        paced(atoll(argv[5]), atoll(argv[6]), atoll(argv[7]));
    else
        die("usage", "see the top of load.c");
    return 0;
}
