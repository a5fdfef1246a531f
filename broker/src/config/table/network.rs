//! Listeners, sockets and the memory of requests.

use super::reason;
use crate::config::setting::{Setting, int, list, list_or_null, long, string, string_or_null};

pub(super) const SETTINGS: &[Setting] = &[
    list("listeners", "PLAINTEXT://:9092").doc(
        "Addresses to listen on, as NAME://host:port between commas. No host means every address \
              of the machine, port 0 a free one that the log names.",
    ),
    list_or_null("advertised.listeners").doc(
        "What clients are told to connect to, in the form of listeners. Unset, it is what \
              listeners says; 0.0.0.0 cannot be advertised, because nobody can connect to it.",
    ),
    string(
        "listener.security.protocol.map",
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
    )
    .doc(
        "Which security protocol each listener name speaks, as NAME:PROTOCOL between commas. A \
              name that is itself a protocol needs no entry.",
    ),
    string_or_null("inter.broker.listener.name")
        .inert(reason::ONE_NODE)
        .doc("Name of the listener that brokers use among themselves."),
    list("controller.listener.names", "CONTROLLER").doc(
        "Names of the listeners that belong to the controller. A single node binds none of them: \
              its broker and controller talk inside the process.",
    ),
    list_or_null("early.start.listeners")
        .inert(reason::ONE_NODE)
        .doc("Listeners that open before authorisation is ready."),
    int("socket.request.max.bytes", "104857600")
        .at_least(1)
        .doc("Largest request that is read, in bytes. A connection that announces more is closed."),
    int("socket.send.buffer.bytes", "102400")
        .inert(reason::KERNEL)
        .doc("Size of a socket's send buffer, in bytes; -1 leaves it to the kernel."),
    int("socket.receive.buffer.bytes", "102400")
        .inert(reason::KERNEL)
        .doc("Size of a socket's receive buffer, in bytes; -1 leaves it to the kernel."),
    int("socket.listen.backlog.size", "50").at_least(1).doc(
        "How many connections may wait to be accepted. Values below 1024 are raised to it, so \
              that a burst of clients is not refused.",
    ),
    long("socket.connection.setup.timeout.ms", "10000")
        .inert(reason::ONE_NODE)
        .doc("How long a connection to another broker may take to be made, in milliseconds."),
    long("socket.connection.setup.timeout.max.ms", "30000")
        .inert(reason::ONE_NODE)
        .doc("Upper limit of that time when attempts keep failing, in milliseconds."),
    long("connections.max.idle.ms", "600000")
        .doc("A connection without a request for this many milliseconds is closed."),
    int("max.connections", "2147483647")
        .at_least(0)
        .cluster_wide()
        .doc("Most connections of the whole broker; further ones are closed at once."),
    int("max.connections.per.ip", "2147483647")
        .at_least(0)
        .cluster_wide()
        .doc("Most connections from one address; further ones are closed at once."),
    string("max.connections.per.ip.overrides", "")
        .cluster_wide()
        .doc("Exceptions from max.connections.per.ip, as address:count between commas."),
    int("max.connection.creation.rate", "2147483647")
        .at_least(0)
        .cluster_wide()
        .inert(reason::NOT_YET)
        .doc("Most new connections a second."),
    int("queued.max.requests", "500")
        .at_least(1)
        .inert(reason::BYTES_ONLY)
        .doc("Most requests that wait for a handler."),
    long("queued.max.request.bytes", "33554432").doc(
        "Memory for requests that are being read or handled, in bytes. It is charged as bytes \
              arrive; when it is used up, connections are not read until some is free. -1 means the \
              default, 33554432.",
    ),
    int("request.timeout.ms", "30000")
        .inert(reason::ONE_NODE)
        .doc("How long a request to another broker may take, in milliseconds."),
    int("num.network.threads", "3")
        .at_least(1)
        .cluster_wide()
        .inert(reason::THREADS)
        .doc("Threads that read and write sockets."),
    int("num.io.threads", "8")
        .at_least(1)
        .cluster_wide()
        .inert(reason::THREADS)
        .doc("Threads that handle requests."),
    int("background.threads", "10")
        .at_least(1)
        .cluster_wide()
        .inert(reason::THREADS)
        .doc("Threads for work in the background."),
];
