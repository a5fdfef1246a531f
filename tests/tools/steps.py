"""The steps of `compare`: what is asked of both brokers, with which of Kafka's tools, in this order."""

from dataclasses import dataclass, field


@dataclass
class Step:
    """One tool with its arguments. In the command, {bootstrap} and {folder} stand for the broker and for a folder."""

    name: str
    command: list
    input: str = ""
    # Files that the tool reads, by their name in the folder.
    files: dict = field(default_factory=dict)
    # (pattern, stand-in): what differs from run to run in this step alone.
    normal: list = field(default_factory=list)
    # Lines that are left out.
    ignore: list = field(default_factory=list)
    # The order of lines says nothing.
    unordered: bool = False
    # Other steps stand on it: it runs also when only some are asked for.
    needed: bool = False


def tool(name, line, program, **more):
    """A step whose arguments are words without spaces."""
    return Step(name, [f"kafka-{program}", "--bootstrap-server", "{bootstrap}", *line.split()], **more)


NUMBERS = "".join(f"key-{n}:value-{n}\n" for n in range(20))
DELETE = '{"version":1,"partitions":[{"topic":"events","partition":0,"offset":3}]}'
DELETE_BEYOND = '{"version":1,"partitions":[{"topic":"events","partition":0,"offset":9999}]}'
STAY = '{"version":1,"partitions":[{"topic":"events","partition":0,"replicas":[1]}]}'
AWAY = '{"version":1,"partitions":[{"topic":"events","partition":0,"replicas":[7]}]}'
TO_MOVE = '{"version":1,"topics":[{"topic":"events"}]}'
ANY_NUMBER = [(r"\d+(\.\d+)?", "N")]
TIMES = [(r"(Create|LogAppend)Time:\d+", "TIME")]


def topics(name, line, **more):
    return tool(f"topics {name}", line, "topics", **more)


def configs(name, line, **more):
    return tool(f"configs {name}", line, "configs", **more)


def groups(name, line, **more):
    return tool(f"groups {name}", line, "consumer-groups", **more)


STEPS = [
    # Topics.
    topics("none", "--list", ignore=["__consumer_offsets"]),
    topics("create", "--create --topic events --partitions 3 --replication-factor 1", needed=True),
    topics("create again", "--create --topic events --partitions 3"),
    topics("create again, if it is not there", "--create --topic events --if-not-exists"),
    topics("create with settings", "--create --topic compacted --partitions 1 --config cleanup.policy=compact "
           "--config segment.bytes=1048576 --config max.message.bytes=64000", needed=True),
    topics("create with a bad name", "--create --topic bad/name"),
    topics("create with a name too long", f"--create --topic {'n' * 250}"),
    topics("create with dots", "--create --topic a.b_c", needed=True),
    topics("create what collides", "--create --topic a_b.c"),
    topics("create with a bad setting", "--create --topic bad --config cleanup.policy=burn"),
    topics("create with a bad number", "--create --topic bad --config retention.ms=soon"),
    topics("create with a number out of bounds", "--create --topic bad --config retention.ms=-2"),
    topics("create with an unknown setting", "--create --topic bad --config colour=blue"),
    topics("create with no partitions", "--create --topic bad --partitions 0"),
    topics("create with too many replicas", "--create --topic bad --replication-factor 3"),
    topics("create with an assignment", "--create --topic assigned --replica-assignment 1,1"),
    topics("create on an unknown broker", "--create --topic bad --replica-assignment 7"),
    topics("create with defaults", "--create --topic defaults"),
    topics("list", "--list"),
    topics("list without internal ones", "--list --exclude-internal"),
    topics("describe", "--describe --topic events"),
    topics("describe all", "--describe", unordered=True),
    topics("describe some", "--describe --topic .*s", unordered=True),
    topics("describe none", "--describe --topic nobody"),
    topics("describe overridden", "--describe --topics-with-overrides"),
    topics("describe unavailable", "--describe --unavailable-partitions"),
    topics("alter", "--alter --topic events --partitions 4", needed=True),
    topics("alter to the same", "--alter --topic events --partitions 4"),
    topics("alter to fewer", "--alter --topic events --partitions 2"),
    topics("alter none", "--alter --topic nobody --partitions 2"),
    topics("describe altered", "--describe --topic events"),
    topics("delete", "--delete --topic defaults"),
    topics("delete none", "--delete --topic nobody"),
    topics("list after delete", "--list"),
    # Settings.
    configs("of a topic", "--describe --entity-type topics --entity-name compacted"),
    configs("of a topic, all", "--describe --entity-type topics --entity-name compacted --all"),
    configs("of all topics", "--describe --entity-type topics", unordered=True),
    configs("of no topic", "--describe --entity-type topics --entity-name nobody"),
    configs("alter a topic", "--alter --entity-type topics --entity-name events "
            "--add-config retention.ms=86400000,compression.type=lz4,cleanup.policy=[compact,delete]"),
    configs("of the altered topic", "--describe --entity-type topics --entity-name events"),
    configs("alter back", "--alter --entity-type topics --entity-name events "
            "--delete-config retention.ms,compression.type,cleanup.policy"),
    configs("alter back again", "--alter --entity-type topics --entity-name events --delete-config retention.ms"),
    configs("alter to nonsense", "--alter --entity-type topics --entity-name events --add-config retention.ms=soon"),
    configs("alter an unknown setting", "--alter --entity-type topics --entity-name events --add-config colour=blue"),
    configs("alter no topic", "--alter --entity-type topics --entity-name nobody --add-config retention.ms=1"),
    configs("of the altered topic, again", "--describe --entity-type topics --entity-name events"),
    configs("of the broker", "--describe --entity-type brokers --entity-name 1"),
    configs("of the broker, all", "--describe --entity-type brokers --entity-name 1 --all", unordered=True),
    configs("of all brokers", "--describe --entity-type brokers --entity-default"),
    configs("of no broker", "--describe --entity-type brokers --entity-name 9"),
    configs("alter the broker", "--alter --entity-type brokers --entity-name 1 --add-config log.retention.ms=86400000"),
    configs("of the altered broker", "--describe --entity-type brokers --entity-name 1"),
    configs("alter the broker back", "--alter --entity-type brokers --entity-name 1 --delete-config log.retention.ms"),
    configs("alter all brokers", "--alter --entity-type brokers --entity-default --add-config log.retention.ms=86400000"),
    configs("of all altered brokers", "--describe --entity-type brokers --entity-default"),
    configs("alter all brokers back", "--alter --entity-type brokers --entity-default --delete-config log.retention.ms"),
    configs("alter what is read-only", "--alter --entity-type brokers --entity-name 1 --add-config log.dirs=/nowhere"),
    configs("of a group", "--describe --entity-type groups --entity-name readers"),
    configs("of a group, all", "--describe --entity-type groups --entity-name readers --all"),
    configs("of client metrics", "--describe --entity-type client-metrics"),
    configs("of users", "--describe --entity-type users"),
    configs("of a user", "--describe --entity-type users --entity-name alice"),
    configs("of clients", "--describe --entity-type clients --entity-default"),
    configs("of addresses", "--describe --entity-type ips"),
    tool("client metrics", "--list", "client-metrics"),
    # Records.
    tool("produce", "--topic events --property parse.key=true --property key.separator=:", "console-producer",
         input=NUMBERS, needed=True, ignore=["deprecated"]),
    tool("produce compressed", "--topic a.b_c --compression-codec zstd", "console-producer", input="one\ntwo\nthree\n",
         needed=True),
    tool("produce with acks 0", "--topic a.b_c --producer-property acks=0", "console-producer", input="four\n",
         ignore=["deprecated"]),
    tool("produce with acks 1", "--topic a.b_c --producer-property acks=1", "console-producer", input="five\n",
         ignore=["deprecated"]),
    tool("produce to a new topic", "--topic created-by-producer", "console-producer", input="one\n",
         ignore=["WARN.*(UNKNOWN_TOPIC|LEADER_NOT)", "^\\s*at "]),
    tool("produce without keys", "--topic compacted", "console-producer", input="no key\n"),
    tool("produce what is too large", "--topic compacted --property parse.key=true --property key.separator=:",
         "console-producer", input="k:" + "x" * 70_000 + "\n", ignore=["deprecated"]),
    tool("consume", "--topic events --from-beginning --max-messages 20 --property print.key=true "
         "--property print.offset=true --property print.partition=true", "console-consumer",
         unordered=True, ignore=["deprecated"]),
    tool("consume in a group", "--topic events --from-beginning --max-messages 20 --group readers", "console-consumer",
         unordered=True, needed=True),
    tool("consume from an offset", "--topic events --partition 0 --offset 1 --max-messages 2 "
         "--property print.offset=true", "console-consumer", ignore=["deprecated"]),
    tool("consume committed records", "--topic a.b_c --from-beginning --max-messages 5 "
         "--isolation-level read_committed", "console-consumer"),
    tool("consume nothing", "--topic assigned --from-beginning --timeout-ms 2000", "console-consumer",
         ignore=["^\\s*at "]),
    tool("verifiable producer", "--topic a.b_c --max-messages 5", "verifiable-producer",
         normal=[(r'"(avg_throughput|timestamp|target_throughput)":[\d.-]+', r'"\1":N')]),
    tool("verifiable consumer", "--topic a.b_c --group-id verifiers --max-messages 10 --reset-policy earliest",
         "verifiable-consumer", normal=[(r'"timestamp":\d+', '"timestamp":N')],
         ignore=["records_consumed", "offsets_committed"]),
    tool("producer perf", "--topic created-by-producer --num-records 2000 --record-size 100 --throughput -1 "
         "--producer-props acks=all", "producer-perf-test", normal=ANY_NUMBER, ignore=["deprecated"]),
    # Offsets and records on disk.
    tool("offsets latest", "--topic events", "get-offsets"),
    tool("offsets earliest", "--topic events --time earliest", "get-offsets"),
    tool("offsets of the largest time", "--topic events --time max-timestamp", "get-offsets",
         normal=[(r"(events:\d:)\d+", r"\1N")]),  # records of one batch may share their time
    tool("offsets local", "--topic events --time earliest-local", "get-offsets"),
    tool("offsets tiered", "--topic events --time latest-tiered", "get-offsets"),
    tool("offsets at a time", "--topic events --time 1000", "get-offsets"),
    tool("offsets in the future", "--topic events --time 99999999999999", "get-offsets"),
    tool("offsets of partitions", "--topic-partitions events:0-2,a.*", "get-offsets"),
    tool("offsets of all", "--exclude-internal-topics", "get-offsets"),
    tool("offsets of none", "--topic nobody", "get-offsets"),
    tool("delete records", "--offset-json-file {folder}/delete.json", "delete-records", files={"delete.json": DELETE},
         unordered=True),
    tool("delete records beyond the end", "--offset-json-file {folder}/beyond.json", "delete-records",
         files={"beyond.json": DELETE_BEYOND}),
    tool("offsets after delete", "--topic events --time earliest", "get-offsets"),
    tool("log dirs", "--describe --topic-list events,a.b_c", "log-dirs", normal=[(r'"size":\d+', '"size":N')]),
    tool("log dirs of the broker", "--describe --broker-list 1", "log-dirs",
         normal=[(r'"size":\d+', '"size":N'), (r'"partitions":\[.*\]', "PARTITIONS")]),
    tool("log dirs of no broker", "--describe --broker-list 9", "log-dirs"),
    # Groups.
    groups("list", "--list", unordered=True),
    groups("list with states", "--list --state", unordered=True),
    groups("list with types", "--list --type", unordered=True),
    groups("list empty", "--list --state empty", unordered=True),
    groups("describe", "--describe --group readers", unordered=True),
    groups("describe members", "--describe --group readers --members --verbose"),
    groups("describe state", "--describe --group readers --state"),
    groups("describe all", "--describe --all-groups --state", unordered=True),
    groups("describe none", "--describe --group nobody"),
    groups("reset, only tell", "--group readers --topic events --reset-offsets --to-earliest --dry-run",
           unordered=True),
    groups("reset to earliest", "--group readers --topic events --reset-offsets --to-earliest --execute",
           unordered=True),
    groups("reset to latest", "--group readers --all-topics --reset-offsets --to-latest --execute", unordered=True),
    groups("reset by", "--group readers --topic events:0 --reset-offsets --shift-by -1 --execute", unordered=True),
    groups("reset to a time", "--group readers --topic events --reset-offsets --to-datetime 2020-01-01T00:00:00.000 "
           "--execute", unordered=True),
    groups("reset to an offset", "--group readers --topic events:0 --reset-offsets --to-offset 999999 --execute",
           ignore=["WARN"]),
    groups("reset a new group", "--group fresh --topic events --reset-offsets --to-earliest --execute",
           unordered=True),
    groups("describe reset", "--describe --group readers", unordered=True),
    groups("export", "--group readers --topic events --reset-offsets --to-current --export --dry-run",
           unordered=True),
    groups("delete offsets", "--delete-offsets --group readers --topic events", unordered=True),
    groups("delete offsets of none", "--delete-offsets --group nobody --topic events", unordered=True),
    groups("delete", "--delete --group fresh"),
    groups("delete none", "--delete --group nobody"),
    groups("list after delete", "--list", unordered=True),
    tool("all groups", "--list", "groups", unordered=True),
    # The broker itself.
    tool("api versions", "", "broker-api-versions"),
    tool("features", "describe", "features"),
    Step("cluster id", ["kafka-cluster", "cluster-id", "--bootstrap-server", "{bootstrap}"],
         normal=[(r"[\w-]{22}", "ID")]),
    tool("leader election", "--election-type preferred --all-topic-partitions", "leader-election"),
    tool("leader election of one", "--election-type preferred --topic events --partition 0", "leader-election"),
    tool("leader election, unclean", "--election-type unclean --topic events --partition 0", "leader-election"),
    tool("reassignments", "--list", "reassign-partitions"),
    tool("reassign, only tell", "--generate --topics-to-move-json-file {folder}/topics.json --broker-list 1",
         "reassign-partitions", files={"topics.json": TO_MOVE}),
    tool("reassign to the same", "--execute --reassignment-json-file {folder}/stay.json", "reassign-partitions",
         files={"stay.json": STAY}),
    tool("reassign, verify", "--verify --reassignment-json-file {folder}/stay.json", "reassign-partitions",
         files={"stay.json": STAY}),
    tool("reassign to nobody", "--execute --reassignment-json-file {folder}/away.json", "reassign-partitions",
         files={"away.json": AWAY}),
    tool("reassign, cancel", "--cancel --reassignment-json-file {folder}/stay.json", "reassign-partitions",
         files={"stay.json": STAY}),
    tool("streams reset", "--application-id readers --input-topics events --dry-run", "streams-application-reset",
         unordered=True),
    tool("acls", "--list", "acls"),
    tool("acls add", "--add --allow-principal User:alice --operation Read --topic events", "acls"),
    tool("acls remove", "--remove --force --topic events", "acls"),
    tool("transactions", "describe-producers --topic a.b_c --partition 0", "transactions",
         normal=[(r"^(\d+\s+){2}", "IDS "), (r"\d{10,}", "TIME")]),
    tool("transactions list", "list", "transactions"),
    tool("transactions hanging", "find-hanging --broker-id 1", "transactions"),
    tool("transactions of nobody", "describe --transactional-id nobody", "transactions"),
    tool("quorum", "describe --status", "metadata-quorum",
         normal=[(r"(Epoch|Watermark): +\d+", r"\1: N"), (r"ClusterId: .*", "ClusterId: ID"),
                 # Ours has no listener of its own for the quorum; Kafka's has no directory with a static list of voters.
                 (r'"endpoints": \[.*?\]|"directoryId": "\S{22}"', "WHERE")]),
    tool("quorum replicas", "describe --replication", "metadata-quorum",
         normal=[(r"(?m)^1\s+\S{22}\s+\d+", "1 ID N"), (r"\d{10,}", "TIME")]),
    Step("cluster endpoints", ["kafka-cluster", "list-endpoints", "--bootstrap-server", "{bootstrap}"],
         normal=[(r"127\.0\.0\.1\s+\d+", "BROKER")]),
    tool("consume with the consumer protocol", "--topic events --from-beginning --max-messages 20 --group modern "
         "--consumer-property group.protocol=consumer --timeout-ms 20000", "console-consumer", unordered=True),
    tool("consumer perf", "--topic events --num-records 20 --timeout 20000 --group perf", "consumer-perf-test",
         normal=ANY_NUMBER, ignore=["deprecated"]),
    Step("end to end latency", ["kafka-e2e-latency", "{bootstrap}", "a.b_c", "20", "all", "20"], normal=ANY_NUMBER),
    topics("delete what a producer created", "--delete --topic created-by-producer"),
]
