//! Brokers and producer ids.

use klamm_protocol::ErrorCode;
use klamm_protocol::Uuid;
use klamm_protocol::ids::BrokerId;

use super::{Draft, PRODUCER_ID_BLOCK, invalid_request};
use crate::record::{BrokerRegistered, EndpointRecord, ProducerIdsAllocated};
use crate::request::{BrokerRegistration, ControllerResponse, ProducerIdBlock, Refusal, repeated};

/// Directory ids below this one have a meaning of their own (Kafka: `DirectoryId`, 0 to 99).
const FIRST_DIRECTORY_ID: u128 = 100;

impl Draft<'_> {
    /// Registers a broker. It takes part at once: a broker that shares its process with the controller needs no
    /// heartbeat to be known alive.
    pub(super) fn register_broker(
        &mut self,
        request: BrokerRegistration,
        next_index: u64,
    ) -> ControllerResponse {
        if let Err(refusal) = check_directories(&request.directory_ids) {
            return ControllerResponse::Refused(refusal);
        }
        let before = self.image.broker(request.id);
        if let Some(same) = before.filter(|b| b.incarnation == request.incarnation) {
            return ControllerResponse::RegisterBroker(same.epoch);
        }
        let clean = before.is_none_or(|b| b.epoch == request.previous_epoch);
        let epoch = i64::try_from(next_index).unwrap_or(i64::MAX);
        let endpoints = request.endpoints.iter().map(|e| EndpointRecord {
            name: e.name.detached(),
            host: e.host.detached(),
            port: i32::from(e.port),
            security_protocol: e.security_protocol,
        });
        self.record(BrokerRegistered {
            broker_id: request.id.0,
            incarnation: request.incarnation,
            epoch,
            endpoints: endpoints.collect(),
            rack: request.rack,
            directory_ids: request.directory_ids,
            clean,
        });
        ControllerResponse::RegisterBroker(epoch)
    }

    pub(super) fn allocate_producer_ids(
        &mut self,
        broker_id: BrokerId,
        broker_epoch: i64,
    ) -> ControllerResponse {
        let refuse = |code, message: String| ControllerResponse::Refused(Refusal::new(code, message));
        let Some(broker) = self.image.broker(broker_id) else {
            let message = format!("No broker registration found for broker id {broker_id}");
            return refuse(ErrorCode::STALE_BROKER_EPOCH, message);
        };
        if broker.epoch != broker_epoch {
            let message = format!(
                "Expected broker epoch {}, but got broker epoch {broker_epoch}",
                broker.epoch
            );
            return refuse(ErrorCode::STALE_BROKER_EPOCH, message);
        }
        let first = self.image.next_producer_id;
        let Some(next_producer_id) = first.checked_add(i64::from(PRODUCER_ID_BLOCK)) else {
            let message = "Exhausted all producerIds as the next block's end producerId has exceeded the int64 \
                           type limit";
            return refuse(ErrorCode::UNKNOWN_SERVER_ERROR, message.to_owned());
        };
        self.record(ProducerIdsAllocated {
            broker_id: broker_id.0,
            broker_epoch,
            next_producer_id,
        });
        ControllerResponse::AllocateProducerIds(ProducerIdBlock {
            first,
            count: PRODUCER_ID_BLOCK,
        })
    }
}

fn check_directories(ids: &[Uuid]) -> Result<(), Refusal> {
    if ids.is_empty() {
        return Err(invalid_request("No directories specified in request"));
    }
    if ids
        .iter()
        .any(|id| u128::from_be_bytes(id.0) < FIRST_DIRECTORY_ID)
    {
        return Err(invalid_request("Reserved directory ID in request"));
    }
    if !repeated(ids.iter()).is_empty() {
        return Err(invalid_request("Duplicate directory ID in request"));
    }
    Ok(())
}
