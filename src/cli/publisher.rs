//! From a publisher's link to his current torrent (BEP 46): the newest item of key and salt names it.

use std::time::Instant;

use ::dht::items::mutable_target;

use super::dht;
use super::exit::{ExitCode, Failure};
use super::plan::{NetworkPlan, Wanted};
use super::report::Reporter;
use crate::io::Client;
use crate::metainfo::{InfoHash, Publisher, published};

/// Asks the DHT what is published now.
///
/// # Errors
/// [`ExitCode::NoNetwork`], or [`ExitCode::NotFound`] when nothing, or no torrent, is published.
pub(super) async fn current(
    publisher: &Publisher,
    client: &Client,
    plan: &NetworkPlan,
    reporter: &mut Reporter,
) -> Result<InfoHash, Failure> {
    let Some(node) = client.dht() else {
        let message = "a publisher's link needs the DHT, which is switched off";
        return Err(Failure::new(ExitCode::Usage, message));
    };
    dht::join(node, plan, reporter).await?;
    let wanted = Wanted {
        target: mutable_target(&publisher.key, &publisher.salt),
        salt: publisher.salt.clone(),
    };
    let Some((item, _)) = dht::newest(node, &wanted, reporter).await? else {
        let message = "nobody has anything published under this key";
        let failure = Failure::new(ExitCode::NotFound, message);
        return Err(failure.hint("what is not stored again is forgotten after two hours"));
    };
    let Some(info_hash) = published(item.value()) else {
        let message = "what is published under this key is no torrent";
        return Err(Failure::new(ExitCode::NotFound, message));
    };
    let version = item.seq().unwrap_or(0);
    let text = format!("version {version} under this key is {info_hash}");
    reporter.note(Instant::now(), text);
    Ok(info_hash)
}
