// sarama as a peer (see peers.py): Version is pinned to the release of Kafka that it is told to speak to.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/Shopify/sarama"
)

var codecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

var out = bufio.NewWriter(os.Stdout)

type peer struct {
	brokers []string
	version sarama.KafkaVersion
}

func (p peer) config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = p.version
	config.Consumer.Return.Errors = true
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Group.Session.Timeout = 10 * time.Second
	return config
}

func bytesOf(word string) []byte {
	if word == "-" {
		return nil
	}
	data, err := hex.DecodeString(word[1:])
	if err != nil {
		panic(err)
	}
	return append([]byte{}, data...)
}

func wordOf(data []byte) string {
	if data == nil {
		return "-"
	}
	return "x" + hex.EncodeToString(data)
}

func encoderOf(word string) sarama.Encoder {
	if data := bytesOf(word); data != nil {
		return sarama.ByteEncoder(data)
	}
	return nil
}

func number(word string) int64 {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func print(m *sarama.ConsumerMessage) {
	pairs := []string{}
	for _, header := range m.Headers {
		pairs = append(pairs, wordOf(header.Key)+":"+wordOf(header.Value))
	}
	timestamp := int64(-1)
	if !m.Timestamp.IsZero() {
		timestamp = m.Timestamp.UnixNano() / int64(time.Millisecond)
	}
	headers := strings.Join(pairs, ",")
	if headers == "" {
		headers = "-"
	}
	fmt.Fprintln(out, m.Partition, m.Offset, timestamp, wordOf(m.Key), wordOf(m.Value), headers)
}

func (p peer) produce(topic, codec string, lines []string) error {
	config := p.config()
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Compression = codecs[codec]
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	config.Producer.Flush.Frequency = 100 * time.Millisecond
	config.Net.MaxOpenRequests = 1
	producer, err := sarama.NewSyncProducer(p.brokers, config)
	if err != nil {
		return err
	}
	defer producer.Close()
	messages := []*sarama.ProducerMessage{}
	for _, line := range lines {
		words := strings.Split(line, " ")
		m := &sarama.ProducerMessage{
			Topic: topic, Partition: int32(number(words[0])), Key: encoderOf(words[2]), Value: encoderOf(words[3]),
		}
		if words[1] != "-1" {
			m.Timestamp = time.Unix(0, number(words[1])*int64(time.Millisecond))
		}
		if words[4] != "-" {
			for _, pair := range strings.Split(words[4], ",") {
				key, value, _ := strings.Cut(pair, ":")
				m.Headers = append(m.Headers, sarama.RecordHeader{Key: bytesOf(key), Value: bytesOf(value)})
			}
		}
		messages = append(messages, m)
	}
	if err := producer.SendMessages(messages); err != nil {
		if failed, ok := err.(sarama.ProducerErrors); ok {
			return failed[0].Err
		}
		return err
	}
	for _, m := range messages {
		fmt.Fprintln(out, m.Offset)
	}
	return nil
}

// collect prints count messages that `open` gives to the channel, and returns the offset after the last one
// of each partition.
func collect(count int, seconds int64, messages <-chan *sarama.ConsumerMessage, failed <-chan error) (map[int32]int64, error) {
	next := map[int32]int64{}
	late := time.After(time.Duration(seconds) * time.Second)
	for seen := 0; seen < count; seen++ {
		select {
		case m := <-messages:
			print(m)
			next[m.Partition] = m.Offset + 1
		case err := <-failed:
			return nil, err
		case <-late:
			return nil, fmt.Errorf("%d of %d records after %d s", seen, count, seconds)
		}
	}
	return next, nil
}

func (p peer) readFrom(topic string, count int, seconds int64, starts map[int32]int64) (map[int32]int64, error) {
	consumer, err := sarama.NewConsumer(p.brokers, p.config())
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	messages, failed := make(chan *sarama.ConsumerMessage, 1000), make(chan error, 1000)
	for partition, offset := range starts {
		one, err := consumer.ConsumePartition(topic, partition, offset)
		if err != nil {
			return nil, err
		}
		defer one.AsyncClose()
		go func() {
			for m := range one.Messages() {
				messages <- m
			}
		}()
		go func() {
			for err := range one.Errors() {
				failed <- err.Err
			}
		}()
	}
	return collect(count, seconds, messages, failed)
}

// simpleGroup reads as programs did before sarama had groups (Kafka 0.10.2): every partition, from the committed
// offsets, and commits what it read.
func (p peer) simpleGroup(topic, group string, count int, seconds int64) error {
	client, err := sarama.NewClient(p.brokers, p.config())
	if err != nil {
		return err
	}
	defer client.Close()
	offsets, err := sarama.NewOffsetManagerFromClient(group, client)
	if err != nil {
		return err
	}
	partitions, err := client.Partitions(topic)
	if err != nil {
		return err
	}
	managed, starts := map[int32]sarama.PartitionOffsetManager{}, map[int32]int64{}
	for _, partition := range partitions {
		one, err := offsets.ManagePartition(topic, partition)
		if err != nil {
			return err
		}
		managed[partition] = one
		starts[partition], _ = one.NextOffset()
	}
	next, err := p.readFrom(topic, count, seconds, starts)
	if err != nil {
		return err
	}
	for partition, offset := range next {
		managed[partition].MarkOffset(offset, "")
	}
	for _, one := range managed {
		one.AsyncClose()
	}
	return offsets.Close()
}

type member struct {
	messages chan *sarama.ConsumerMessage
	claims   chan sarama.ConsumerGroupSession
}

func (m member) Setup(session sarama.ConsumerGroupSession) error { m.claims <- session; return nil }
func (m member) Cleanup(sarama.ConsumerGroupSession) error       { return nil }
func (m member) ConsumeClaim(_ sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for one := range claim.Messages() {
		m.messages <- one
	}
	return nil
}

func (p peer) group(topic, name string, count int, seconds int64) error {
	group, err := sarama.NewConsumerGroup(p.brokers, name, p.config())
	if err != nil {
		return err
	}
	defer group.Close()
	m := member{make(chan *sarama.ConsumerMessage, 1000), make(chan sarama.ConsumerGroupSession, 100)}
	ctx, cancel := context.WithCancel(context.Background())
	ended, failed := make(chan error, 1), make(chan error, 1000)
	go func() { ended <- group.Consume(ctx, []string{topic}, m) }()
	go func() {
		for err := range group.Errors() {
			failed <- err
		}
	}()
	next, err := collect(count, seconds, m.messages, failed)
	if err == nil {
		session := <-m.claims
		for partition, offset := range next {
			session.MarkOffset(topic, partition, offset, "")
		}
	}
	cancel()
	return errors.Join(err, <-ended)
}

func (p peer) committed(topic, group string, partition int32) (int64, error) {
	client, err := sarama.NewClient(p.brokers, p.config())
	if err != nil {
		return 0, err
	}
	defer client.Close()
	coordinator, err := client.Coordinator(group)
	if err != nil {
		return 0, err
	}
	request := &sarama.OffsetFetchRequest{ConsumerGroup: group, Version: 1}
	request.AddPartition(topic, partition)
	answer, err := coordinator.FetchOffset(request)
	if err != nil {
		return 0, err
	}
	block := answer.GetBlock(topic, partition)
	if block == nil || block.Err != sarama.ErrNoError {
		return 0, fmt.Errorf("no committed offset: %v", block)
	}
	return block.Offset, nil
}

func (p peer) at(topic string, partition int32, timestamp int64) (int64, error) {
	client, err := sarama.NewClient(p.brokers, p.config())
	if err != nil {
		return 0, err
	}
	defer client.Close()
	return client.GetOffset(topic, partition, timestamp)
}

func (p peer) answer(words []string, input *bufio.Scanner) error {
	switch words[0] {
	case "produce":
		lines := []string{}
		for n := number(words[3]); n > 0 && input.Scan(); n-- {
			lines = append(lines, input.Text())
		}
		return p.produce(words[1], words[2], lines)
	case "read":
		starts := map[int32]int64{}
		for _, start := range words[4:] {
			partition, offset, _ := strings.Cut(start, ":")
			starts[int32(number(partition))] = number(offset)
		}
		_, err := p.readFrom(words[1], int(number(words[2])), number(words[3]), starts)
		return err
	case "group":
		if p.version.IsAtLeast(sarama.V0_10_2_0) {
			return p.group(words[1], words[2], int(number(words[3])), number(words[4]))
		}
		return p.simpleGroup(words[1], words[2], int(number(words[3])), number(words[4]))
	case "committed":
		offset, err := p.committed(words[1], words[2], int32(number(words[3])))
		fmt.Fprintln(out, offset)
		return err
	case "at":
		offset, err := p.at(words[1], int32(number(words[2])), number(words[3]))
		fmt.Fprintln(out, offset)
		return err
	}
	return errors.New("no command " + words[0])
}

func main() {
	version, err := sarama.ParseKafkaVersion(os.Args[2])
	if err != nil {
		panic(err)
	}
	p := peer{[]string{os.Args[1]}, version}
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 16<<20)
	for input.Scan() {
		if err := p.answer(strings.Split(input.Text(), " "), input); err != nil {
			fmt.Fprintln(out, "error", strings.Join(strings.Fields(err.Error()), " "))
		} else {
			fmt.Fprintln(out, "ok")
		}
		out.Flush()
	}
}
