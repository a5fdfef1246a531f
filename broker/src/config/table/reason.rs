//! Why settings are inert or refused: the end of the sentence `NAME is set, but ...`.

pub(super) const ONE_NODE: &str = "it matters between several brokers, and this one is alone";
pub(super) const THREADS: &str = "threads are not sized by hand here";
pub(super) const KERNEL: &str = "the kernel sizes the buffers of sockets by itself";
pub(super) const BYTES_ONLY: &str =
    "waiting requests are limited by queued.max.request.bytes and per connection";
pub(super) const DEADLINES: &str = "work is done when it is due, not at intervals";
pub(super) const RESERVES: &str = "space ahead is always reserved, in steps";
pub(super) const NO_PURGATORY: &str = "what has been answered needs no cleaning up here";
pub(super) const NO_LINGER: &str = "the coordinator writes what is there, without waiting";
pub(super) const PLAIN_COORDINATOR: &str = "the coordinators' records are stored uncompressed";
pub(super) const OWN_COMPACTION: &str = "one log at a time is compacted, in pieces of a fixed size";
pub(super) const OWN_LEVELS: &str = "the codecs' own levels are used";
pub(super) const NO_JITTER: &str = "segments are closed when they are due";
pub(super) const NO_DELAY: &str = "files are removed once their last reader is gone";
pub(super) const ONE_CHECKPOINT: &str = "it is written together with the recovery points";
pub(super) const NO_COMMIT_TIMEOUT: &str = "a commit is answered when it is written, however long that takes";
pub(super) const OWN_STEPS: &str = "loading reads in steps of its own";
pub(super) const CLASSIC_ONLY: &str = "only the classic group protocol is served yet";
pub(super) const METADATA: &str = "the metadata log looks after itself";
pub(super) const STABLE: &str = "only what is released is served";
pub(super) const NO_LIMIT: &str = "the start has no time limit";
pub(super) const METRICS: &str = "there is no Java metrics system here";
pub(super) const NOT_YET: &str = "it is not served yet";
pub(super) const NO_QUOTAS: &str = "quotas are not served yet";
pub(super) const NO_SHARE: &str = "share groups are not served yet";
pub(super) const NO_STREAMS: &str = "streams groups are not served yet";
pub(super) const NO_TIERED: &str = "tiered storage is not served yet";
pub(super) const NO_SASL_USED: &str = "no listener asks for authentication";

pub(super) const NO_JAVA: &str = "Java classes cannot be loaded here";
pub(super) const NO_AUTHORIZER: &str =
    "authorisation is not served yet: the broker would let everybody do everything";
pub(super) const NO_PROVIDERS: &str =
    "providers are not served yet; write the values, or set them by KAFKA_* variables";
pub(super) const NO_TOKENS: &str = "delegation tokens are not served yet";
pub(super) const NO_TLS: &str = "TLS is not served yet: connections would not be encrypted";
pub(super) const NO_SASL: &str = "SASL is not served yet: clients would not be asked who they are";
pub(super) const NO_TLS_SASL: &str = "only PLAINTEXT is served yet";
pub(super) const NO_KERBEROS: &str = "Kerberos is not served yet";
pub(super) const NO_OAUTH: &str = "OAuth is not served yet";
