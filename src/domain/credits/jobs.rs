use super::queries;
use crate::context::Cx;
use crate::kernel::Result;

/// How many accounts one transaction expires.
const BATCH: i64 = 200;

/// Takes off what was on a card when it expired, batch by batch. What is given back to it afterwards stays.
pub async fn expire(cx: Cx) -> Result<()> {
    loop {
        let count = cx
            .write(|tx| {
                let expired = queries::lock_expired(tx, BATCH)?;
                if !expired.is_empty() {
                    queries::expire(tx, &expired)?;
                }
                Ok(expired.len())
            })
            .await?;
        if count == 0 {
            return Ok(());
        }
    }
}
