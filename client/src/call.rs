//! [`Call`]: which answer belongs to which request, and in which versions this client speaks.

use klamm_protocol::messages::{
    api_versions, create_partitions, create_topics, delete_groups, delete_records, delete_topics,
    describe_cluster, describe_configs, describe_groups, describe_log_dirs, fetch, find_coordinator,
    heartbeat, incremental_alter_configs, init_producer_id, join_group, leave_group, list_groups,
    list_offsets, metadata, offset_commit, offset_fetch, produce, sync_group,
};
use klamm_protocol::{Message, Versions};

/// A request that knows its answer.
pub trait Call: Message {
    /// What comes back.
    type Answer: Message;
    /// Kafka's number of the API.
    const KEY: i16;
    /// Kafka's name of the API.
    const NAME: &'static str;
    /// Versions whose meaning the callers here rely on; the highest that the broker serves too is spoken.
    const VERSIONS: Versions;
}

macro_rules! calls {
    ($($key:literal $name:literal $min:literal..=$max:literal $module:ident $request:ident $response:ident;)*) => {
        $(impl Call for $module::$request {
            type Answer = $module::$response;
            const KEY: i16 = $key;
            const NAME: &'static str = $name;
            const VERSIONS: Versions = Versions { min: $min, max: $max };
        })*
    };
}

// Produce, Fetch, OffsetCommit and OffsetFetch end where topics begin to be named by their ids alone. OffsetFetch and
// FindCoordinator end where one request asks for many groups.
calls! {
    0 "Produce" 3..=12 produce ProduceRequest ProduceResponse;
    1 "Fetch" 4..=12 fetch FetchRequest FetchResponse;
    2 "ListOffsets" 1..=10 list_offsets ListOffsetsRequest ListOffsetsResponse;
    3 "Metadata" 4..=12 metadata MetadataRequest MetadataResponse;
    8 "OffsetCommit" 2..=9 offset_commit OffsetCommitRequest OffsetCommitResponse;
    9 "OffsetFetch" 2..=7 offset_fetch OffsetFetchRequest OffsetFetchResponse;
    10 "FindCoordinator" 0..=3 find_coordinator FindCoordinatorRequest FindCoordinatorResponse;
    11 "JoinGroup" 1..=9 join_group JoinGroupRequest JoinGroupResponse;
    12 "Heartbeat" 0..=4 heartbeat HeartbeatRequest HeartbeatResponse;
    13 "LeaveGroup" 3..=5 leave_group LeaveGroupRequest LeaveGroupResponse;
    14 "SyncGroup" 0..=5 sync_group SyncGroupRequest SyncGroupResponse;
    15 "DescribeGroups" 0..=6 describe_groups DescribeGroupsRequest DescribeGroupsResponse;
    16 "ListGroups" 0..=5 list_groups ListGroupsRequest ListGroupsResponse;
    18 "ApiVersions" 0..=4 api_versions ApiVersionsRequest ApiVersionsResponse;
    19 "CreateTopics" 4..=7 create_topics CreateTopicsRequest CreateTopicsResponse;
    20 "DeleteTopics" 0..=5 delete_topics DeleteTopicsRequest DeleteTopicsResponse;
    21 "DeleteRecords" 0..=2 delete_records DeleteRecordsRequest DeleteRecordsResponse;
    22 "InitProducerId" 0..=5 init_producer_id InitProducerIdRequest InitProducerIdResponse;
    32 "DescribeConfigs" 1..=4 describe_configs DescribeConfigsRequest DescribeConfigsResponse;
    35 "DescribeLogDirs" 0..=4 describe_log_dirs DescribeLogDirsRequest DescribeLogDirsResponse;
    37 "CreatePartitions" 0..=3 create_partitions CreatePartitionsRequest CreatePartitionsResponse;
    42 "DeleteGroups" 0..=2 delete_groups DeleteGroupsRequest DeleteGroupsResponse;
    44 "IncrementalAlterConfigs" 0..=1 incremental_alter_configs IncrementalAlterConfigsRequest
        IncrementalAlterConfigsResponse;
    60 "DescribeCluster" 0..=1 describe_cluster DescribeClusterRequest DescribeClusterResponse;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_consistent<C: Call>() {
        let api = klamm_protocol::messages::api(C::KEY).unwrap();
        assert_eq!(api.name, C::NAME);
        assert_eq!(api.request.body.name, C::SCHEMA.body.name);
        assert_eq!(api.response.body.name, C::Answer::SCHEMA.body.name);
        assert_eq!(C::SCHEMA.versions.intersection(C::VERSIONS), C::VERSIONS);
    }

    #[test]
    fn every_request_stands_beside_its_own_answer_and_key() {
        is_consistent::<produce::ProduceRequest>();
        is_consistent::<fetch::FetchRequest>();
        is_consistent::<list_offsets::ListOffsetsRequest>();
        is_consistent::<metadata::MetadataRequest>();
        is_consistent::<offset_commit::OffsetCommitRequest>();
        is_consistent::<offset_fetch::OffsetFetchRequest>();
        is_consistent::<find_coordinator::FindCoordinatorRequest>();
        is_consistent::<join_group::JoinGroupRequest>();
        is_consistent::<heartbeat::HeartbeatRequest>();
        is_consistent::<leave_group::LeaveGroupRequest>();
        is_consistent::<sync_group::SyncGroupRequest>();
        is_consistent::<describe_groups::DescribeGroupsRequest>();
        is_consistent::<list_groups::ListGroupsRequest>();
        is_consistent::<api_versions::ApiVersionsRequest>();
        is_consistent::<create_topics::CreateTopicsRequest>();
        is_consistent::<delete_topics::DeleteTopicsRequest>();
        is_consistent::<delete_records::DeleteRecordsRequest>();
        is_consistent::<init_producer_id::InitProducerIdRequest>();
        is_consistent::<describe_configs::DescribeConfigsRequest>();
        is_consistent::<describe_log_dirs::DescribeLogDirsRequest>();
        is_consistent::<create_partitions::CreatePartitionsRequest>();
        is_consistent::<delete_groups::DeleteGroupsRequest>();
        is_consistent::<incremental_alter_configs::IncrementalAlterConfigsRequest>();
        is_consistent::<describe_cluster::DescribeClusterRequest>();
    }
}
