//! What stands on a connection: length, header, body.
//!
//! ```text
//! request    int32 length | int16 api_key | int16 api_version | int32 correlation_id
//!            | nullable string client_id (header 1+) | tagged fields (header 2) | body
//! response   int32 length | int32 correlation_id | tagged fields (header 1) | body
//! ```
//! Which header a version has: request header 2 and response header 1 where the body is flexible, else 1
//! and 0. Two exceptions: ControlledShutdown 0 has request header 0 (no client id), and ApiVersions answers
//! always with response header 0, since a client that asks does not know yet what the broker speaks (KIP-511).

use bytes::Bytes;

use crate::message::{Message, Versions};
use crate::{DecodeError, Decoder, EncodeError, Encoder, Str, messages};

const API_VERSIONS: i16 = 18;
const CONTROLLED_SHUTDOWN: i16 = 7;

/// What stands before every request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestHeader {
    /// Which API.
    pub api_key: i16,
    /// Version of the body.
    pub api_version: i16,
    /// Comes back in the answer.
    pub correlation_id: i32,
    /// Who the client says it is; for logs and quotas only. Never compact, also in header 2.
    pub client_id: Option<Str>,
}

impl RequestHeader {
    /// Reads a header whose API is one of Kafka's.
    ///
    /// # Errors
    /// [`DecodeError::Key`] when the API key is unknown, so that nobody can say where the body begins.
    pub fn decode(input: &mut Decoder) -> Result<RequestHeader, DecodeError> {
        let mut peek = input.clone();
        let (key, version) = (peek.i16()?, peek.i16()?);
        let header_version = request_header_version(key, version).ok_or(DecodeError::Key { key })?;
        RequestHeader::decode_version(input, header_version)
    }

    /// Reads a header of version 0, 1 or 2.
    pub fn decode_version(input: &mut Decoder, header_version: i16) -> Result<RequestHeader, DecodeError> {
        let (api_key, api_version, correlation_id) = (input.i16()?, input.i16()?, input.i32()?);
        let client_id = if header_version >= 1 {
            input.nullable_string(false)?
        } else {
            None
        };
        if header_version >= 2 {
            input.skip_tags()?;
        }
        Ok(RequestHeader {
            api_key,
            api_version,
            correlation_id,
            client_id,
        })
    }

    /// Writes a header of version 0, 1 or 2.
    pub fn encode_version(&self, out: &mut Encoder, header_version: i16) -> Result<(), EncodeError> {
        out.i16(self.api_key);
        out.i16(self.api_version);
        out.i32(self.correlation_id);
        if header_version >= 1 {
            out.nullable_string(false, self.client_id.as_ref())?;
        }
        if header_version >= 2 {
            out.unsigned_varint(0);
        }
        Ok(())
    }
}

/// Version of the header before a request, also of versions that nobody knows yet; `None` for an unknown key.
pub fn request_header_version(key: i16, version: i16) -> Option<i16> {
    messages::api(key).map(|api| request_header(key, version, api.request.flexible))
}

/// Version of the header before a response; `None` for an unknown key.
pub fn response_header_version(key: i16, version: i16) -> Option<i16> {
    messages::api(key).map(|api| response_header(key, version, api.response.flexible))
}

/// A response as it goes onto the connection, length included.
///
/// # Errors
/// When the version cannot say what the body says.
pub fn encode_response<M: Message>(
    key: i16,
    version: i16,
    correlation_id: i32,
    body: &M,
) -> Result<Vec<Bytes>, EncodeError> {
    let mut out = Encoder::new();
    out.i32(0);
    out.i32(correlation_id);
    if response_header(key, version, M::SCHEMA.flexible) == 1 {
        out.unsigned_varint(0);
    }
    body.encode(&mut out, version)?;
    out.set_frame_length()?;
    Ok(out.finish())
}

/// A request as it goes onto the connection, length included.
///
/// # Errors
/// When the version cannot say what the body says.
pub fn encode_request<M: Message>(
    key: i16,
    version: i16,
    correlation_id: i32,
    client_id: Option<&Str>,
    body: &M,
) -> Result<Vec<Bytes>, EncodeError> {
    let mut out = Encoder::new();
    out.i32(0);
    let header = RequestHeader {
        api_key: key,
        api_version: version,
        correlation_id,
        client_id: client_id.cloned(),
    };
    header.encode_version(&mut out, request_header(key, version, M::SCHEMA.flexible))?;
    body.encode(&mut out, version)?;
    out.set_frame_length()?;
    Ok(out.finish())
}

/// Reads the header of a response (what follows the length) and gives its correlation id.
///
/// # Errors
/// When the bytes end too early.
pub fn decode_response_header<M: Message>(
    input: &mut Decoder,
    key: i16,
    version: i16,
) -> Result<i32, DecodeError> {
    let correlation_id = input.i32()?;
    if response_header(key, version, M::SCHEMA.flexible) == 1 {
        input.skip_tags()?;
    }
    Ok(correlation_id)
}

fn request_header(key: i16, version: i16, flexible: Versions) -> i16 {
    match (key, version) {
        (CONTROLLED_SHUTDOWN, 0) => 0,
        _ if flexible.contains(version) => 2,
        _ => 1,
    }
}

fn response_header(key: i16, version: i16, flexible: Versions) -> i16 {
    if key != API_VERSIONS && flexible.contains(version) {
        1
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
    use crate::messages::controlled_shutdown::ControlledShutdownRequest;

    #[test]
    fn a_request_reads_back_and_its_length_counts_what_follows() {
        let body = ApiVersionsRequest {
            client_software_name: "k".into(),
            ..Default::default()
        };
        let client = Str::from("me");
        let frame = encode_request(18, 3, 7, Some(&client), &body).unwrap().concat();
        assert_eq!(frame[..4], i32::try_from(frame.len() - 4).unwrap().to_be_bytes());
        let mut input = Decoder::new(Bytes::from(frame).slice(4..));
        let header = RequestHeader::decode(&mut input).unwrap();
        let expected = RequestHeader {
            api_key: 18,
            api_version: 3,
            correlation_id: 7,
            client_id: Some(client),
        };
        assert_eq!(header, expected);
        assert_eq!(ApiVersionsRequest::decode(&mut input, 3), Ok(body));
        assert_eq!(input.remaining(), 0);
    }

    #[test]
    fn api_versions_answers_with_header_0_in_every_version() {
        let frame = encode_response(18, 3, 7, &ApiVersionsResponse::default())
            .unwrap()
            .concat();
        // length, correlation id, error code, no keys, throttle time, no tags: no byte for header tags
        assert_eq!(frame, [0, 0, 0, 12, 0, 0, 0, 7, 0, 0, 1, 0, 0, 0, 0, 0]);
        assert_eq!(response_header_version(18, 99), Some(0));
        assert_eq!(request_header_version(18, 99), Some(2));
    }

    #[test]
    fn controlled_shutdown_0_has_a_header_without_client_id() {
        let body = ControlledShutdownRequest {
            broker_id: 5,
            ..Default::default()
        };
        let client = Str::from("never sent");
        let frame = encode_request(7, 0, 9, Some(&client), &body).unwrap().concat();
        assert_eq!(frame, [0, 0, 0, 12, 0, 7, 0, 0, 0, 0, 0, 9, 0, 0, 0, 5]);
        let mut input = Decoder::new(Bytes::from(frame).slice(4..));
        let header = RequestHeader::decode(&mut input).unwrap();
        assert_eq!((header.correlation_id, header.client_id), (9, None));
        assert_eq!(ControlledShutdownRequest::decode(&mut input, 0), Ok(body));
        assert_eq!(request_header_version(7, 1), Some(1));
    }

    #[test]
    fn an_unknown_key_has_no_header() {
        let mut input = Decoder::new(Bytes::from_static(&[0x7f, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(
            RequestHeader::decode(&mut input),
            Err(DecodeError::Key { key: 0x7f00 })
        );
    }
}
