//! The version of the layout of the keys, which the server stores beside them.

use crate::fault::Fault;
use crate::keys::Keyspace;
use crate::link::Link;
use crate::reply;
use crate::scripts::Scripts;

/// Version of the layout that this crate writes.
const LAYOUT: u32 = 1;

/// Checks the version of the layout, and writes it if the server has none, because it is new or was
/// emptied.
pub(crate) async fn check_layout(
    link: &Link,
    scripts: &Scripts,
    keys: &Keyspace,
) -> Result<(), Fault> {
    let answer = link
        .call(&scripts.first, &[keys.layout()], &[LAYOUT.to_string()])
        .await?;
    let found = reply::text(answer, "the version of the layout")?;
    match found.parse::<u32>() {
        Ok(LAYOUT) => Ok(()),
        _ => Err(Fault::NewerLayout {
            found,
            known: LAYOUT,
        }),
    }
}
