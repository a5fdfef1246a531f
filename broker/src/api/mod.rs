//! One file per API: what a request is answered with.

/// ApiVersions.
pub mod api_versions;
