//! DescribeAcls, CreateAcls and DeleteAcls (keys 29 to 31): without an authorizer there are no access rules, and
//! clients are told so (KIP-140).

use klamm_protocol::messages::create_acls::{AclCreationResult, CreateAclsRequest, CreateAclsResponse};
use klamm_protocol::messages::delete_acls::{DeleteAclsFilterResult, DeleteAclsRequest, DeleteAclsResponse};
use klamm_protocol::messages::describe_acls::DescribeAclsResponse;
use klamm_protocol::{ErrorCode, Str};

/// Kafka's words, which people search for.
const DISABLED_HERE: &str = "No Authorizer is configured on the broker";
const DISABLED: &str = "No Authorizer is configured.";

/// Answers DescribeAcls.
pub(crate) fn describe() -> DescribeAclsResponse {
    DescribeAclsResponse {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some(Str::from(DISABLED_HERE)),
        ..DescribeAclsResponse::default()
    }
}

/// Answers CreateAcls: none is created.
pub(crate) fn create(request: &CreateAclsRequest) -> CreateAclsResponse {
    let refused = |_: &_| AclCreationResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some(Str::from(DISABLED)),
    };
    CreateAclsResponse {
        results: request.creations.iter().map(refused).collect(),
        ..CreateAclsResponse::default()
    }
}

/// Answers DeleteAcls: there is none.
pub(crate) fn delete(request: &DeleteAclsRequest) -> DeleteAclsResponse {
    let refused = |_: &_| DeleteAclsFilterResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some(Str::from(DISABLED)),
        ..DeleteAclsFilterResult::default()
    };
    DeleteAclsResponse {
        filter_results: request.filters.iter().map(refused).collect(),
        ..DeleteAclsResponse::default()
    }
}
