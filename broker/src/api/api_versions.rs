//! ApiVersions (key 18): what this broker speaks. Answered from THE TABLE and nothing else.

use klamm_protocol::ErrorCode;
use klamm_protocol::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};

use crate::router::SERVED;

/// The answer to a version that nobody here knows: its body is that of version 0 (KIP-511).
pub fn unsupported() -> ApiVersionsResponse {
    ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        ..table()
    }
}

/// The answer of a node of a cluster.
pub fn answer(
    request: &ApiVersionsRequest,
    version: i16,
    cluster_id: &str,
    node_id: i32,
) -> ApiVersionsResponse {
    let refused = |error_code| ApiVersionsResponse {
        error_code,
        ..ApiVersionsResponse::default()
    };
    if version >= 3
        && !(is_software_name(&request.client_software_name)
            && is_software_name(&request.client_software_version))
    {
        return refused(ErrorCode::INVALID_REQUEST);
    }
    // A client that believes to talk to somebody else has to look for its cluster anew (KIP-1242).
    let elsewhere = request
        .cluster_id
        .as_ref()
        .is_some_and(|believed| **believed != *cluster_id)
        || (request.node_id != -1 && request.node_id != node_id);
    if elsewhere {
        return refused(ErrorCode::REBOOTSTRAP_REQUIRED);
    }
    table()
}

fn table() -> ApiVersionsResponse {
    let api_keys = SERVED.iter().map(|row| ApiVersion {
        api_key: row.key,
        min_version: row.min,
        max_version: row.max,
    });
    ApiVersionsResponse {
        api_keys: api_keys.collect(),
        ..ApiVersionsResponse::default()
    }
}

/// Letters, digits, `-` and `.`, neither of the last two first or last (Kafka: `ApiVersionsRequest`).
fn is_software_name(name: &str) -> bool {
    let alphanumeric = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &'static str) -> ApiVersionsRequest {
        ApiVersionsRequest {
            client_software_name: name.into(),
            client_software_version: "1.0".into(),
            ..ApiVersionsRequest::default()
        }
    }

    #[test]
    fn every_row_of_the_table_is_told_with_its_true_range() {
        let answer = answer(&request("kcat"), 3, "c", 1);
        assert_eq!(answer.error_code, ErrorCode::NONE);
        let told: Vec<_> = answer
            .api_keys
            .iter()
            .map(|api| (api.api_key, api.min_version, api.max_version))
            .collect();
        let served: Vec<_> = SERVED.iter().map(|row| (row.key, row.min, row.max)).collect();
        assert_eq!(told, served);
    }

    #[test]
    fn an_unknown_version_is_told_the_table_along_with_the_error() {
        assert_eq!(unsupported().error_code, ErrorCode::UNSUPPORTED_VERSION);
        assert_eq!(unsupported().api_keys.len(), SERVED.len());
    }

    #[test]
    fn a_malformed_software_name_is_an_invalid_request_from_version_3_on() {
        for name in ["", "-kcat", "kcat.", "k cat"] {
            assert_eq!(
                answer(&request(name), 3, "c", 1).error_code,
                ErrorCode::INVALID_REQUEST,
                "{name:?}"
            );
            assert_eq!(
                answer(&request(name), 2, "c", 1).error_code,
                ErrorCode::NONE,
                "{name:?}"
            );
        }
    }

    #[test]
    fn a_client_that_looks_for_another_cluster_or_node_is_told_to_bootstrap_anew() {
        let of = |cluster: Option<&'static str>, node_id| ApiVersionsRequest {
            cluster_id: cluster.map(Into::into),
            node_id,
            ..request("kcat")
        };
        let code = |request| answer(&request, 5, "c", 1).error_code;
        assert_eq!(code(of(Some("c"), 1)), ErrorCode::NONE);
        assert_eq!(code(of(None, -1)), ErrorCode::NONE);
        assert_eq!(code(of(Some("d"), 1)), ErrorCode::REBOOTSTRAP_REQUIRED);
        assert_eq!(code(of(Some("c"), 2)), ErrorCode::REBOOTSTRAP_REQUIRED);
    }
}
