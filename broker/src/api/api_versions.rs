//! ApiVersions (key 18): what this broker speaks. Answered from THE TABLE and nothing else.

use klamm_consensus::MetadataImage;
use klamm_protocol::messages::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use klamm_protocol::{ErrorCode, Str};

use crate::router::SERVED;
use crate::transactions::EPOCH_BUMP;

/// The feature whose level tells clients how transactions end (KIP-890): from 2 on, each has an epoch of its own.
const TRANSACTION_VERSION: &str = "transaction.version";

const API_VERSIONS: i16 = 18;

/// A switch that a whole cluster has at one level (KIP-584).
pub(crate) struct Feature {
    /// Kafka's name for it.
    pub name: &'static str,
    /// The lowest level that this broker can run at.
    pub min: i16,
    /// The highest; a new cluster begins with it.
    pub max: i16,
}

/// Features that this broker knows. Clients take transactions of KIP-890 from one, so none is told that is not there.
pub(crate) const FEATURES: &[Feature] = &[Feature {
    name: TRANSACTION_VERSION,
    min: 0,
    max: EPOCH_BUMP,
}];

/// No feature changes its level once the cluster has been formed.
const FINALIZED_EPOCH: i64 = 0;

/// Java clients before Kafka 3.9 do not bear a feature that can be off (KAFKA-17011); version 4 is newer than they.
const MIN_0_SINCE: i16 = 4;

/// The answer to a version that nobody here knows: the body is that of version 0, with the versions of ApiVersions
/// that are (KIP-511).
pub fn unsupported() -> ApiVersionsResponse {
    let mut response = refused(ErrorCode::UNSUPPORTED_VERSION);
    response.api_keys = table().filter(|api| api.api_key == API_VERSIONS).collect();
    response
}

/// The answer of a node of a cluster.
pub fn answer(
    request: &ApiVersionsRequest,
    version: i16,
    image: &MetadataImage,
    node_id: i32,
) -> ApiVersionsResponse {
    if version >= 3
        && !(is_software_name(&request.client_software_name)
            && is_software_name(&request.client_software_version))
    {
        return refused(ErrorCode::INVALID_REQUEST);
    }
    match (&request.cluster_id, request.node_id) {
        (None, -1) => {}
        // Whom a client believes to reach, it says in full.
        (None, _) | (Some(_), -1) => return refused(ErrorCode::INVALID_REQUEST),
        (Some(cluster_id), node) if *cluster_id == image.cluster_id && node == node_id => {}
        // It has to look for its cluster anew (KIP-1242).
        _ => return refused(ErrorCode::REBOOTSTRAP_REQUIRED),
    }
    let supported = FEATURES
        .iter()
        .filter(|feature| version >= MIN_0_SINCE || feature.min > 0);
    let finalized = image.features.iter().map(|(name, level)| FinalizedFeatureKey {
        name: name.clone(),
        max_version_level: *level,
        min_version_level: *level,
    });
    ApiVersionsResponse {
        api_keys: table().collect(),
        supported_features: supported
            .map(|feature| SupportedFeatureKey {
                name: Str::from(feature.name),
                min_version: feature.min,
                max_version: feature.max,
            })
            .collect(),
        finalized_features_epoch: FINALIZED_EPOCH,
        finalized_features: finalized.collect(),
        ..ApiVersionsResponse::default()
    }
}

fn refused(error_code: ErrorCode) -> ApiVersionsResponse {
    ApiVersionsResponse {
        error_code,
        ..ApiVersionsResponse::default()
    }
}

fn table() -> impl Iterator<Item = ApiVersion> {
    SERVED.iter().map(|row| ApiVersion {
        api_key: row.key,
        min_version: row.min,
        max_version: row.max,
    })
}

/// Letters, digits, `-` and `.`, neither of the last two first or last (Kafka: `ApiVersionsRequest`).
pub(crate) fn is_software_name(name: &str) -> bool {
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
    use std::sync::Arc;

    use super::*;

    fn request(name: &'static str) -> ApiVersionsRequest {
        ApiVersionsRequest {
            client_software_name: name.into(),
            client_software_version: "1.0".into(),
            ..ApiVersionsRequest::default()
        }
    }

    #[allow(clippy::field_reassign_with_default, reason = "not all fields are public")]
    fn image() -> MetadataImage {
        let mut image = MetadataImage::default();
        image.cluster_id = "c".into();
        image.features = Arc::new([(Str::from("transaction.version"), 2)].into());
        image
    }

    fn ask(request: &ApiVersionsRequest, version: i16) -> ApiVersionsResponse {
        answer(request, version, &image(), 1)
    }

    #[test]
    fn every_row_of_the_table_is_told_with_its_true_range() {
        let answer = ask(&request("kcat"), 3);
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
    fn an_unknown_version_is_told_error_35_with_the_range_of_key_18_alone() {
        let answer = unsupported();
        assert_eq!(answer.error_code, ErrorCode::UNSUPPORTED_VERSION);
        let told: Vec<_> = answer
            .api_keys
            .iter()
            .map(|api| (api.api_key, api.min_version, api.max_version))
            .collect();
        assert_eq!(told, [(18, 0, 5)]);
    }

    #[test]
    fn a_malformed_software_name_is_an_invalid_request_from_version_3_on() {
        for name in ["", "-kcat", "kcat.", "k cat", "k_cat", "é"] {
            assert_eq!(
                ask(&request(name), 3).error_code,
                ErrorCode::INVALID_REQUEST,
                "{name:?}"
            );
            assert_eq!(ask(&request(name), 2).error_code, ErrorCode::NONE, "{name:?}");
        }
    }

    /// What Kafka 4.4.0 answers.
    #[test]
    fn whom_a_client_believes_to_reach_is_checked_in_version_5() {
        use ErrorCode as E;
        let code = |cluster: Option<&'static str>, node_id| {
            let request = ApiVersionsRequest {
                cluster_id: cluster.map(Into::into),
                node_id,
                ..request("kcat")
            };
            let answer = ask(&request, 5);
            assert_eq!(answer.api_keys.is_empty(), answer.error_code != E::NONE);
            answer.error_code
        };
        assert_eq!(code(None, -1), E::NONE);
        assert_eq!(code(Some("c"), 1), E::NONE);
        for (cluster, node) in [(Some("d"), 1), (Some("c"), 2), (Some("c"), -2), (Some(""), 1)] {
            assert_eq!(code(cluster, node), E::REBOOTSTRAP_REQUIRED, "{cluster:?} {node}");
        }
        for (cluster, node) in [(None, 1), (None, -2), (Some("c"), -1), (Some("d"), -1)] {
            assert_eq!(code(cluster, node), E::INVALID_REQUEST, "{cluster:?} {node}");
        }
    }

    #[test]
    fn features_of_the_cluster_are_told_with_an_epoch() {
        let answer = ask(&request("kcat"), 4);
        let told: Vec<_> = answer
            .finalized_features
            .iter()
            .map(|feature| {
                (
                    &*feature.name,
                    feature.min_version_level,
                    feature.max_version_level,
                )
            })
            .collect();
        assert_eq!(told, [("transaction.version", 2, 2)]);
        assert!(answer.finalized_features_epoch >= 0);
        assert_eq!(answer.supported_features.len(), FEATURES.len());
    }
}
