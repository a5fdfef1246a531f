//! DescribeClientQuotas (key 48) and DescribeUserScramCredentials (key 50): neither can be set here, so there are
//! none, and those who list them (`kafka-configs --entity-type users`) get an empty list.

use std::collections::BTreeSet;

use klamm_protocol::messages::describe_client_quotas::{
    DescribeClientQuotasRequest, DescribeClientQuotasResponse,
};
use klamm_protocol::messages::describe_user_scram_credentials::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
};
use klamm_protocol::{ErrorCode, Str};

/// Kinds of entities that can have quotas.
const QUOTA_ENTITIES: [&str; 3] = ["user", "client-id", "ip"];

/// How a quota's entity is matched: by its name, as the default of its kind, or any (KIP-546).
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

/// Answers DescribeClientQuotas.
pub(crate) fn quotas(request: &DescribeClientQuotasRequest) -> DescribeClientQuotasResponse {
    let wrong = request.components.iter().find_map(|component| {
        let kind = &*component.entity_type;
        let (code, message) = match component.match_type {
            _ if kind.is_empty() => (
                ErrorCode::INVALID_REQUEST,
                "the kind of an entity is not said".into(),
            ),
            _ if !QUOTA_ENTITIES.contains(&kind) => (
                ErrorCode::UNSUPPORTED_VERSION,
                format!("there are no quotas of a {kind:?}"),
            ),
            EXACT if component.r#match.is_none() => {
                (ErrorCode::INVALID_REQUEST, format!("which {kind} is not said"))
            }
            EXACT | DEFAULT | ANY => return None,
            other => (
                ErrorCode::INVALID_REQUEST,
                format!("{other} is no way to match a {kind}"),
            ),
        };
        Some((code, message))
    });
    let entries = wrong.is_none().then(Vec::new);
    DescribeClientQuotasResponse {
        error_code: wrong.as_ref().map_or(ErrorCode::NONE, |(code, _)| *code),
        error_message: wrong.map(|(_, message)| message.into()),
        entries,
        ..DescribeClientQuotasResponse::default()
    }
}

/// Answers DescribeUserScramCredentials. As in Kafka, a user that is named twice is told of that.
pub(crate) fn credentials(
    request: DescribeUserScramCredentialsRequest,
) -> DescribeUserScramCredentialsResponse {
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for user in request.users.unwrap_or_default() {
        if !seen.insert(user.name.clone()) {
            twice.insert(user.name);
        }
    }
    let results = seen.into_iter().map(|user| {
        let (error_code, message) = match twice.contains(&user) {
            true => (
                ErrorCode::DUPLICATE_RESOURCE,
                format!("user {:?} is named twice", &*user),
            ),
            false => (
                ErrorCode::RESOURCE_NOT_FOUND,
                format!("user {:?} has no SCRAM credentials", &*user),
            ),
        };
        DescribeUserScramCredentialsResult {
            user,
            error_code,
            error_message: Some(Str::from(message)),
            ..DescribeUserScramCredentialsResult::default()
        }
    });
    DescribeUserScramCredentialsResponse {
        results: results.collect(),
        error_message: None,
        ..DescribeUserScramCredentialsResponse::default()
    }
}
