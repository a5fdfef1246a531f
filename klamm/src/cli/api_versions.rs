//! `klamm api-versions`: what this binary serves, or a broker that runs.

use klamm_broker::router::SERVED;
use klamm_client::Admin;
use klamm_protocol::messages;
use serde_json::json;

use super::{Failure, Shown, Table, connect};

/// Arguments of `klamm api-versions`.
#[derive(Debug, clap::Args)]
pub struct ApiVersions {
    /// HOST:PORT of a broker to ask; without it, what this binary serves is shown.
    #[arg(long, visible_alias = "bootstrap-server", value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

/// Carries out `klamm api-versions`.
///
/// # Errors
/// When the broker cannot be asked.
pub async fn run(arguments: ApiVersions) -> Result<(), Failure> {
    let mut table = Table::new(&["key", "api", "min", "max"]);
    match arguments.bootstrap {
        None => {
            for row in SERVED {
                table.row([json!(row.key), json!(row.name), json!(row.min), json!(row.max)]);
            }
        }
        Some(bootstrap) => {
            let answer = Admin::new(connect(&bootstrap).await?).api_versions().await?;
            for api in answer.api_keys {
                let name = messages::api(api.api_key).map(|known| known.name);
                table.row([
                    json!(api.api_key),
                    json!(name),
                    json!(api.min_version),
                    json!(api.max_version),
                ]);
            }
        }
    }
    Ok(table.show(arguments.shown.format)?)
}
