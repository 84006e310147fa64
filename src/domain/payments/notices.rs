//! What providers have sent by webhook: kept by the provider's own id before it is answered, so that what is sent twice
//! counts once and what is not understood yet is tried again.

use diesel::sql_types::{Nullable, Text};

use crate::context::Tx;
use crate::kernel::Result;
use crate::kernel::column::Id;
use crate::kernel::ids::PaymentId;
use crate::params;
use crate::ports::payment::Notice;

/// A webhook that waits to be processed.
#[derive(Clone, Debug)]
pub struct Received {
    /// The provider.
    pub provider: String,
    /// The provider's id of it.
    pub id: String,
    /// Our payment, where the provider carries its id.
    pub payment: Option<PaymentId>,
    /// The provider's name for the payment.
    pub reference: Option<String>,
    /// The provider's name for the customer, where it is about what is kept for one.
    pub customer: Option<String>,
}

/// Keeps a webhook; says whether it is new.
pub fn receive(tx: &mut Tx<'_>, provider: &str, notice: &Notice) -> Result<bool> {
    let now = tx.now;
    let stored = tx.conn.execute(
        "INSERT INTO payment_notices (provider, id, kind, payment_id, reference, customer, received_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (provider, id) DO NOTHING",
        params![
            provider,
            notice.id.as_str(),
            notice.kind.as_str(),
            notice.payment,
            notice.reference.as_deref(),
            notice.customer.as_deref(),
            now
        ],
    )?;
    Ok(stored > 0)
}

/// The webhook, unless it is processed.
pub fn waiting(tx: &mut Tx<'_>, provider: &str, id: &str) -> Result<Option<Received>> {
    type Row = (
        String,
        String,
        Option<PaymentId>,
        Option<String>,
        Option<String>,
    );
    let rows = tx
        .conn
        .rows::<(Text, Text, Nullable<Id>, Nullable<Text>, Nullable<Text>), Row>(
            "SELECT provider, id, payment_id, reference, customer FROM payment_notices
         WHERE provider = ? AND id = ? AND processed_at IS NULL",
            params![provider, id],
        )?;
    Ok(rows
        .into_iter()
        .next()
        .map(|(provider, id, payment, reference, customer)| Received {
            provider,
            id,
            payment,
            reference,
            customer,
        }))
}

/// Says that a webhook is processed.
pub fn processed(tx: &mut Tx<'_>, notice: &Received) -> Result<()> {
    let now = tx.now;
    tx.conn.execute(
        "UPDATE payment_notices SET processed_at = ? WHERE provider = ? AND id = ?",
        params![now, notice.provider.as_str(), notice.id.as_str()],
    )?;
    Ok(())
}
