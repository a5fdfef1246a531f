//! `klamm cluster`.

use serde_json::json;

use super::{At, Failure, Sheet, Shown, Table};

/// Arguments of `klamm cluster`.
#[derive(Debug, clap::Args)]
pub struct Cluster {
    #[command(flatten)]
    at: At,
    #[command(flatten)]
    shown: Shown,
}

/// Carries out `klamm cluster`: who is there, and what their directories hold.
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
    Ok(sheet.show(arguments.shown.format)?)
}
