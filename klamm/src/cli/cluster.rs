//! `klamm cluster`.

use std::collections::BTreeMap;

use klamm_protocol::messages::{api, describe_cluster::OldClients};
use serde_json::json;

use super::when::ago;
use super::{At, Failure, Format, Sheet, Shown, Table};

/// Arguments of `klamm cluster`.
#[derive(Debug, clap::Args)]
pub struct Cluster {
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    shown: Shown,
}

/// Carries out `klamm cluster`: who is there, what their directories hold, and which clients use old versions.
///
/// # Errors
/// When nobody answers.
pub async fn run(arguments: Cluster) -> Result<(), Failure> {
    let admin = arguments.at.admin().await?;
    let picture = admin.cluster().refresh(Some(&[]), false).await?;
    let mut sheet = Sheet::default();
    sheet.fact("cluster_id", picture.cluster_id.as_deref());
    sheet.fact(
        "controller",
        (picture.controller_id >= 0).then_some(picture.controller_id),
    );
    let mut brokers = Table::new(&["broker", "address", "rack"]);
    for broker in picture.brokers.values() {
        brokers.row([
            json!(broker.id),
            json!(broker.address),
            json!(broker.rack.as_deref()),
        ]);
    }
    sheet.table("brokers", brokers);
    let mut dirs = Table::new(&["broker", "log_dir", "partitions", "bytes", "disk_free", "problem"]);
    for (broker, of_broker) in admin.log_dirs().await? {
        for dir in of_broker {
            let partitions = || dir.topics.iter().flat_map(|topic| &topic.partitions);
            let bytes: i64 = partitions().map(|partition| partition.partition_size).sum();
            let problem = Some(dir.error_code).filter(|code| !code.is_none());
            dirs.row([
                json!(broker),
                json!(&*dir.log_dir),
                json!(partitions().count()),
                json!(bytes),
                json!(Some(dir.usable_bytes).filter(|&free| free >= 0)),
                json!(problem.map(|code| code.name())),
            ]);
        }
    }
    sheet.table("log_dirs", dirs);
    show_old_clients(&mut sheet, &admin.old_clients().await?, arguments.shown.format);
    Ok(sheet.show(arguments.shown.format)?)
}

/// Nothing where no broker keeps such a count, as Kafka's do not.
fn show_old_clients(sheet: &mut Sheet, old_clients: &BTreeMap<i32, OldClients>, format: Format) {
    if old_clients.is_empty() {
        return;
    }
    let when = |ms: i64| match format {
        Format::Table => json!(ago(ms)),
        Format::Json => json!(ms),
    };
    let mut table = Table::new(&[
        "broker",
        "client",
        "software",
        "api",
        "version",
        "requests",
        "since",
        "last_seen",
        "converted_records",
        "converted_bytes",
        "converted_us",
    ]);
    for (broker, seen) in old_clients {
        for used in &seen.uses {
            let software = format!("{} {}", used.software_name, used.software_version);
            table.row([
                json!(broker),
                json!(&*used.client_id),
                json!(software.trim()),
                json!(api(used.api_key).map(|api| api.name)),
                json!(used.api_version),
                json!(used.requests),
                when(used.first_ms),
                when(used.last_ms),
                json!(used.converted_records),
                json!(used.converted_bytes),
                json!(used.conversion_us),
            ]);
        }
    }
    let further: i64 = old_clients.values().map(|seen| seen.further_requests).sum();
    sheet.fact("further_old_requests", further);
    sheet.table("old_clients", table);
}
