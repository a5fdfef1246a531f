//! Requests and responses: one file per API key, both together, fields in wire order.
//!
//! Versions reach from the first that Kafka ever released to the last. What a broker serves is the router's
//! matter. Names are Kafka's.

use crate::message::{Message, Schema};

pub mod api_versions;

/// An API: a key with its request and response.
#[derive(Debug)]
pub struct Api {
    /// The number that stands in a request's header.
    pub key: i16,
    /// Kafka's name.
    pub name: &'static str,
    /// What is asked.
    pub request: &'static Schema,
    /// What is answered.
    pub response: &'static Schema,
}

/// The API with a key.
pub fn api(key: i16) -> Option<&'static Api> {
    APIS.binary_search_by_key(&key, |api| api.key)
        .ok()
        .map(|i| &APIS[i])
}

macro_rules! apis {
    ($($key:literal $name:literal $request:ty, $response:ty;)*) => {
        /// Every API, by key.
        pub const APIS: &[Api] = &[$(Api {
            key: $key,
            name: $name,
            request: <$request as Message>::SCHEMA,
            response: <$response as Message>::SCHEMA,
        }),*];
    };
}

apis! {
    18 "ApiVersions" api_versions::ApiVersionsRequest, api_versions::ApiVersionsResponse;
}
