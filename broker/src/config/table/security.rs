//! TLS, SASL, authorisation.

use super::reason;
use crate::config::setting::{
    Setting, boolean, class, class_or_null, double, int, int_or_null, list, long, password, short, string,
    string_or_null,
};

pub(super) const SETTINGS: &[Setting] = &[
    string("authorizer.class.name", "")
        .refused(reason::NO_AUTHORIZER)
        .doc("Java class that decides who may do what. Without one, everybody may do everything."),
    class(
        "principal.builder.class",
        "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
    )
    .per_broker()
    .refused(reason::NO_JAVA)
    .doc("Java class that names the user of a connection."),
    class_or_null("client.quota.callback.class")
        .refused(reason::NO_JAVA)
        .doc("Java class that decides about quotas."),
    int("connection.failed.authentication.delay.ms", "100")
        .at_least(0)
        .inert(reason::NO_SASL_USED)
        .doc("Pause before a connection that failed to authenticate is closed, in milliseconds."),
    long("connections.max.reauth.ms", "0")
        .refused(reason::NO_SASL)
        .doc("How long an authentication holds before it has to be renewed, in milliseconds."),
    list("config.providers", "")
        .cluster_wide()
        .refused(reason::NO_PROVIDERS)
        .doc("Providers that fill in values from elsewhere."),
    password("delegation.token.secret.key")
        .refused(reason::NO_TOKENS)
        .doc("Secret that delegation tokens are signed with."),
    long("delegation.token.expiry.check.interval.ms", "3600000")
        .at_least(1)
        .inert(reason::NO_TOKENS)
        .doc("How often expired delegation tokens are looked for, in milliseconds."),
    long("delegation.token.expiry.time.ms", "86400000")
        .at_least(1)
        .inert(reason::NO_TOKENS)
        .doc("How long a delegation token holds unless renewed, in milliseconds."),
    long("delegation.token.max.lifetime.ms", "604800000")
        .at_least(1)
        .inert(reason::NO_TOKENS)
        .doc("How long a delegation token can hold at all, in milliseconds."),
    string("security.inter.broker.protocol", "PLAINTEXT")
        .words(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"])
        .refused(reason::NO_TLS_SASL)
        .doc("Security protocol between brokers."),
    string_or_null("security.providers")
        .refused(reason::NO_JAVA)
        .doc("Java classes that provide security algorithms."),
    class_or_null("sasl.client.callback.handler.class")
        .refused(reason::NO_JAVA)
        .doc("Java class of a SASL client's callbacks."),
    list("sasl.enabled.mechanisms", "GSSAPI")
        .per_broker()
        .refused(reason::NO_SASL)
        .doc("SASL mechanisms that are switched on."),
    password("sasl.jaas.config")
        .per_broker()
        .refused(reason::NO_SASL)
        .doc("Login settings for SASL, in the format of JAAS."),
    string("sasl.kerberos.kinit.cmd", "/usr/bin/kinit")
        .per_broker()
        .refused(reason::NO_KERBEROS)
        .doc("Path of kinit."),
    long("sasl.kerberos.min.time.before.relogin", "60000")
        .per_broker()
        .refused(reason::NO_KERBEROS)
        .doc("Shortest time between two Kerberos logins, in milliseconds."),
    list("sasl.kerberos.principal.to.local.rules", "DEFAULT")
        .per_broker()
        .refused(reason::NO_KERBEROS)
        .doc("Rules from Kerberos principals to user names."),
    string_or_null("sasl.kerberos.service.name")
        .per_broker()
        .refused(reason::NO_KERBEROS)
        .doc("Kerberos name of the service."),
    double("sasl.kerberos.ticket.renew.jitter", "0.05")
        .per_broker()
        .refused(reason::NO_KERBEROS)
        .doc("Random share added to the renewal time of tickets."),
    double("sasl.kerberos.ticket.renew.window.factor", "0.8")
        .per_broker()
        .refused(reason::NO_KERBEROS)
        .doc("Share of a ticket's life after which it is renewed."),
    class_or_null("sasl.login.callback.handler.class")
        .refused(reason::NO_JAVA)
        .doc("Java class of a SASL login's callbacks."),
    class_or_null("sasl.login.class")
        .refused(reason::NO_JAVA)
        .doc("Java class of a SASL login."),
    int_or_null("sasl.login.connect.timeout.ms")
        .refused(reason::NO_OAUTH)
        .doc("How long connecting to the token server may take, in milliseconds."),
    int_or_null("sasl.login.read.timeout.ms")
        .refused(reason::NO_OAUTH)
        .doc("How long reading from the token server may take, in milliseconds."),
    short("sasl.login.refresh.buffer.seconds", "300")
        .per_broker()
        .refused(reason::NO_OAUTH)
        .doc("How long before its end a token is renewed at the latest, in seconds."),
    short("sasl.login.refresh.min.period.seconds", "60")
        .per_broker()
        .refused(reason::NO_OAUTH)
        .doc("Shortest time between two renewals, in seconds."),
    double("sasl.login.refresh.window.factor", "0.8")
        .per_broker()
        .refused(reason::NO_OAUTH)
        .doc("Share of a token's life after which it is renewed."),
    double("sasl.login.refresh.window.jitter", "0.05")
        .per_broker()
        .refused(reason::NO_OAUTH)
        .doc("Random share added to that time."),
    long("sasl.login.retry.backoff.max.ms", "10000")
        .refused(reason::NO_OAUTH)
        .doc("Longest pause between two attempts to log in, in milliseconds."),
    long("sasl.login.retry.backoff.ms", "100")
        .refused(reason::NO_OAUTH)
        .doc("First pause between two attempts to log in, in milliseconds."),
    string("sasl.mechanism.controller.protocol", "GSSAPI")
        .refused(reason::NO_SASL)
        .doc("SASL mechanism towards controllers."),
    string("sasl.mechanism.inter.broker.protocol", "GSSAPI")
        .per_broker()
        .refused(reason::NO_SASL)
        .doc("SASL mechanism between brokers."),
    boolean("sasl.oauthbearer.allow.unverified.audience", "false")
        .refused(reason::NO_OAUTH)
        .doc("Whether tokens for another audience are let in."),
    boolean("sasl.oauthbearer.allow.unverified.issuer", "false")
        .refused(reason::NO_OAUTH)
        .doc("Whether tokens of another issuer are let in."),
    string("sasl.oauthbearer.assertion.algorithm", "RS256")
        .words_any_case(&["ES256", "RS256"])
        .refused(reason::NO_OAUTH)
        .doc("Algorithm that assertions are signed with."),
    string_or_null("sasl.oauthbearer.assertion.claim.aud")
        .refused(reason::NO_OAUTH)
        .doc("Audience of an assertion."),
    int("sasl.oauthbearer.assertion.claim.exp.seconds", "300")
        .between(0, 86_400)
        .refused(reason::NO_OAUTH)
        .doc("How long an assertion holds, in seconds."),
    string_or_null("sasl.oauthbearer.assertion.claim.iss")
        .refused(reason::NO_OAUTH)
        .doc("Issuer of an assertion."),
    boolean("sasl.oauthbearer.assertion.claim.jti.include", "false")
        .refused(reason::NO_OAUTH)
        .doc("Whether an assertion has an id."),
    int("sasl.oauthbearer.assertion.claim.nbf.seconds", "60")
        .between(0, 3600)
        .refused(reason::NO_OAUTH)
        .doc("How long before its making an assertion already holds, in seconds."),
    string_or_null("sasl.oauthbearer.assertion.claim.sub")
        .refused(reason::NO_OAUTH)
        .doc("Subject of an assertion."),
    string_or_null("sasl.oauthbearer.assertion.file")
        .refused(reason::NO_OAUTH)
        .doc("File with a finished assertion."),
    string_or_null("sasl.oauthbearer.assertion.private.key.file")
        .refused(reason::NO_OAUTH)
        .doc("File with the key that assertions are signed with."),
    password("sasl.oauthbearer.assertion.private.key.passphrase")
        .refused(reason::NO_OAUTH)
        .doc("Passphrase of that key."),
    string_or_null("sasl.oauthbearer.assertion.template.file")
        .refused(reason::NO_OAUTH)
        .doc("File with a template for assertions."),
    string_or_null("sasl.oauthbearer.client.credentials.client.id")
        .refused(reason::NO_OAUTH)
        .doc("Client id towards the token server."),
    password("sasl.oauthbearer.client.credentials.client.secret")
        .refused(reason::NO_OAUTH)
        .doc("Client secret towards the token server."),
    int("sasl.oauthbearer.clock.skew.seconds", "30")
        .refused(reason::NO_OAUTH)
        .doc("By how much clocks may differ when tokens are checked, in seconds."),
    list("sasl.oauthbearer.expected.audience", "")
        .refused(reason::NO_OAUTH)
        .doc("Audiences that tokens have to name."),
    string_or_null("sasl.oauthbearer.expected.issuer")
        .refused(reason::NO_OAUTH)
        .doc("Issuer that tokens have to name."),
    long("sasl.oauthbearer.jwks.endpoint.refresh.ms", "3600000")
        .refused(reason::NO_OAUTH)
        .doc("How often the issuer's keys are fetched, in milliseconds."),
    long("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", "10000")
        .refused(reason::NO_OAUTH)
        .doc("Longest pause between two attempts to fetch them, in milliseconds."),
    long("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "100")
        .refused(reason::NO_OAUTH)
        .doc("First pause between two attempts to fetch them, in milliseconds."),
    string_or_null("sasl.oauthbearer.jwks.endpoint.url")
        .refused(reason::NO_OAUTH)
        .doc("Where the issuer's keys are fetched from."),
    class(
        "sasl.oauthbearer.jwt.retriever.class",
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever",
    )
    .refused(reason::NO_JAVA)
    .doc("Java class that fetches tokens."),
    class(
        "sasl.oauthbearer.jwt.validator.class",
        "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator",
    )
    .refused(reason::NO_JAVA)
    .doc("Java class that checks tokens."),
    string_or_null("sasl.oauthbearer.scope")
        .refused(reason::NO_OAUTH)
        .doc("Scope that is asked for."),
    string("sasl.oauthbearer.scope.claim.name", "scope")
        .refused(reason::NO_OAUTH)
        .doc("Claim that holds the scope."),
    string("sasl.oauthbearer.sub.claim.name", "sub")
        .refused(reason::NO_OAUTH)
        .doc("Claim that holds the subject."),
    string_or_null("sasl.oauthbearer.token.endpoint.url")
        .refused(reason::NO_OAUTH)
        .doc("Where tokens are fetched from."),
    class_or_null("sasl.server.callback.handler.class")
        .refused(reason::NO_JAVA)
        .doc("Java class of a SASL server's callbacks."),
    int("sasl.server.max.receive.size", "524288")
        .refused(reason::NO_SASL)
        .doc("Largest SASL message from a client, in bytes."),
    boolean("ssl.allow.dn.changes", "false")
        .refused(reason::NO_TLS)
        .doc("Whether a renewed certificate may have another name."),
    boolean("ssl.allow.san.changes", "false")
        .refused(reason::NO_TLS)
        .doc("Whether a renewed certificate may have other alternative names."),
    list("ssl.cipher.suites", "")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("TLS cipher suites that are allowed."),
    string("ssl.client.auth", "none")
        .words(&["required", "requested", "none"])
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("Whether clients have to show a certificate."),
    list("ssl.enabled.protocols", "TLSv1.2,TLSv1.3")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("TLS versions that are allowed."),
    string("ssl.endpoint.identification.algorithm", "https")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("How a server's name is checked against its certificate."),
    class_or_null("ssl.engine.factory.class")
        .per_broker()
        .refused(reason::NO_JAVA)
        .doc("Java class that makes TLS engines."),
    password("ssl.key.password")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("Password of the private key."),
    string("ssl.keymanager.algorithm", "SunX509")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("Algorithm of Java's key manager."),
    password("ssl.keystore.certificate.chain")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("Certificates of this broker, in PEM."),
    password("ssl.keystore.key")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("Private key of this broker, in PEM."),
    string_or_null("ssl.keystore.location")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("File with certificate and private key of this broker."),
    password("ssl.keystore.password")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("Password of that file."),
    string("ssl.keystore.type", "JKS")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("Format of that file."),
    string("ssl.principal.mapping.rules", "DEFAULT")
        .refused(reason::NO_TLS)
        .doc("Rules from certificate names to user names."),
    string("ssl.protocol", "TLSv1.3")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("TLS version of outgoing connections."),
    string_or_null("ssl.provider")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("Name of Java's TLS provider."),
    string_or_null("ssl.secure.random.implementation")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("Java's source of random numbers for TLS."),
    string("ssl.trustmanager.algorithm", "PKIX")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("Algorithm of Java's trust manager."),
    password("ssl.truststore.certificates")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("Certificates that are trusted, in PEM."),
    string_or_null("ssl.truststore.location")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("File with the certificates that are trusted."),
    password("ssl.truststore.password")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("Password of that file."),
    string("ssl.truststore.type", "JKS")
        .per_broker()
        .refused(reason::NO_TLS)
        .doc("Format of that file."),
];
