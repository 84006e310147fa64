//! A page on which an order that was placed is paid: whoever has the link's token may pay what is still due. The money comes by
//! a payment of its own, and what people were to send by hand is awaited no longer.
//!
//! A link has one payment at a time. What is paid twice all the same, or for an order that was called off meanwhile, is sent
//! back by the job that releases money no order is for.

use std::ops::ControlFlow;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Binary, Nullable};

use super::checkouts::Chosen;
use super::later_payments::{self, Asked, Said};
use super::place_order::declined;
use super::start_checkout::{choose, refuse_amount};
use super::{GetPaymentLink, release};
use crate::context::{Cx, Tx};
use crate::domain::identity::keys;
use crate::domain::orders::{self, OrderRow, OrderStatus};
use crate::domain::payments::{self, NewPayment, PaymentRow, PaymentStatus, Standing};
use crate::kernel::column::{Id, Ts};
use crate::kernel::ids::{OrderId, PaymentId, PaymentLinkId};
use crate::kernel::{Checks, Code, Error, Money, Param, Result, Timestamp};
use crate::operation::{Answer, Flow, Mutation, Output, Query};
use crate::ports::payment::{Authorize, Captures, Outcome, PaymentProviders};
use crate::{choice, input, output, params};

/// Characters of a link's token: 256 random bits.
const TOKEN_CHARS: usize = 43;

choice! {
    /// Where a payment link stands.
    PaymentLinkStatus {
        /// The order can be paid with it.
        Open = "open",
        /// Nothing is due any more.
        Paid = "paid",
        /// It was taken back.
        Disabled = "disabled",
        /// Its time is over.
        Expired = "expired",
        /// Its order was called off.
        Cancelled = "cancelled",
    }
}

choice! {
    /// What became of paying with a link.
    LinkPaymentOutcome {
        /// The money is here or reserved.
        Paid = "paid",
        /// The shopper must act first, at `actionUrl` or in the client with `clientSecret`; then pay again.
        ActionRequired = "action_required",
        /// Nobody knows yet; pay again to ask, or wait.
        Processing = "processing",
    }
}

input! {
    /// A new payment link.
    CreatePaymentLink {
        /// The order.
        order_id: OrderId,
        /// For how many hours it is good, 1 to 8760; 168 when left out.
        hours: Option<i64>,
    }
    /// Takes a payment link back.
    DisablePaymentLink {
        /// The link.
        id: PaymentLinkId,
    }
    /// Pays with a link.
    PayPaymentLink {
        /// Its token.
        token: String,
        /// How it is paid.
        payment: NewPayment,
    }
}

output! {
    /// A link by which an order is paid.
    PaymentLink {
        /// Its id.
        id: PaymentLinkId,
        /// Where it stands.
        status: PaymentLinkStatus,
        /// The number of the order.
        order_number: String,
        /// What is still to be paid.
        due: Money,
        /// Until when it is good.
        expires_at: Timestamp,
        /// When it was made.
        created_at: Timestamp,
    }
    /// A payment link and its token.
    NewPaymentLink {
        /// The token: put it into the address of a page of your shop. Only the same request with the same
        /// `Idempotency-Key` shows it again.
        token: String,
        /// The link.
        link: PaymentLink,
    }
    /// What became of paying with a link.
    LinkPayment {
        /// What became of it.
        outcome: LinkPaymentOutcome,
        /// The link as it is now.
        link: PaymentLink,
        /// Where the shopper must act, if that is a page.
        #[schema(required = true)]
        action_url: Option<String>,
        /// With which the client confirms the payment through the provider's own library.
        #[schema(required = true)]
        client_secret: Option<String>,
    }
}

impl Output for PaymentLink {}
impl Output for NewPaymentLink {}
impl Output for LinkPayment {}

/// A link as the database has it.
#[derive(Clone, Debug, Queryable)]
struct LinkRow {
    id: PaymentLinkId,
    order_id: OrderId,
    token_hash: Vec<u8>,
    payment_id: Option<PaymentId>,
    expires_at: Timestamp,
    disabled_at: Option<Timestamp>,
    created_at: Timestamp,
}

const COLUMNS: &str = "id, order_id, token_hash, payment_id, expires_at, disabled_at, created_at";
type LinkSql = (Id, Id, Binary, Nullable<Id>, Ts, Nullable<Ts>, Ts);

fn one(tx: &mut Tx<'_>, column: &str, value: Param) -> Result<Option<LinkRow>> {
    let text = format!("SELECT {COLUMNS} FROM payment_links WHERE {column} = ?");
    let found = tx.conn.rows::<LinkSql, LinkRow>(&text, vec![value])?;
    Ok(found.into_iter().next())
}

fn find(tx: &mut Tx<'_>, column: &str, value: Param) -> Result<LinkRow> {
    one(tx, column, value)?.ok_or_else(|| Error::not_found("payment link"))
}

fn by_token(tx: &mut Tx<'_>, token: &str) -> Result<LinkRow> {
    find(tx, "token_hash", keys::token_hash(token).to_vec().into())
}

/// A link and its order, kept from others until the transaction ends: the link is read again once the order is locked.
fn lock(tx: &mut Tx<'_>, link: &LinkRow) -> Result<(LinkRow, OrderRow)> {
    let order = orders::lock(tx, link.order_id, None)?;
    Ok((find(tx, "id", link.id.into())?, order))
}

impl LinkRow {
    fn seen(&self, tx: &mut Tx<'_>, order: &OrderRow) -> Result<PaymentLink> {
        let due = later_payments::due(tx, order, None, None)?;
        let status = if order.status == OrderStatus::Cancelled {
            PaymentLinkStatus::Cancelled
        } else if due == 0 {
            PaymentLinkStatus::Paid
        } else if self.disabled_at.is_some() {
            PaymentLinkStatus::Disabled
        } else if self.expires_at <= tx.now {
            PaymentLinkStatus::Expired
        } else {
            PaymentLinkStatus::Open
        };
        Ok(PaymentLink {
            id: self.id,
            status,
            order_number: order.number.clone(),
            due: Money {
                amount: due,
                currency: order.currency,
            },
            expires_at: self.expires_at,
            created_at: self.created_at,
        })
    }
}

/// A link that can be paid with, or why not.
fn refuse_closed(link: &PaymentLink) -> Result<()> {
    let detail = match link.status {
        PaymentLinkStatus::Open => return Ok(()),
        PaymentLinkStatus::Paid => "The order is paid.",
        PaymentLinkStatus::Disabled => "The link was taken back; ask the shop for another.",
        PaymentLinkStatus::Expired => "The link's time is over; ask the shop for another.",
        PaymentLinkStatus::Cancelled => "The order was called off.",
    };
    Err(Error::new(Code::InvalidState, detail))
}

impl Query for GetPaymentLink {
    fn run(&self, tx: &mut Tx<'_>) -> Result<PaymentLink> {
        let link = by_token(tx, &self.token)?;
        let order = orders::row(tx, link.order_id)?;
        link.seen(tx, &order)
    }
}

impl Mutation for CreatePaymentLink {
    fn run(&self, tx: &mut Tx<'_>) -> Result<NewPaymentLink> {
        let hours = self.hours.unwrap_or(168);
        Checks::new().range("/hours", hours, 1, 8760).done()?;
        let order = orders::row(tx, self.order_id)?;
        let token = keys::random(TOKEN_CHARS)?;
        let link = LinkRow {
            id: PaymentLinkId::new(),
            order_id: order.id,
            token_hash: keys::token_hash(&token).to_vec(),
            payment_id: None,
            expires_at: tx.now.plus(Duration::from_hours(hours.unsigned_abs())),
            disabled_at: None,
            created_at: tx.now,
        };
        let seen = link.seen(tx, &order)?;
        refuse_closed(&seen)?;
        tx.conn.execute(
            &format!("INSERT INTO payment_links ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"),
            params![
                link.id,
                link.order_id,
                link.token_hash,
                link.payment_id,
                link.expires_at,
                link.disabled_at,
                link.created_at
            ],
        )?;
        orders::note(
            tx,
            order.id,
            "payment_link_created",
            &serde_json::json!({ "paymentLinkId": link.id }),
        )?;
        Ok(NewPaymentLink { token, link: seen })
    }
}

impl Mutation for DisablePaymentLink {
    fn run(&self, tx: &mut Tx<'_>) -> Result<PaymentLink> {
        let link = find(tx, "id", self.id.into())?;
        let mut order = orders::hold_back(tx, link.order_id)?;
        let mut link = find(tx, "id", link.id.into())?;
        if link.disabled_at.is_none() {
            order = orders::lock(tx, order.id, None)?;
            link.disabled_at = Some(tx.now);
            tx.conn.execute(
                "UPDATE payment_links SET disabled_at = ? WHERE id = ?",
                params![link.disabled_at, link.id],
            )?;
            if let Some(payment) = link.payment_id {
                let (payment, events) = payments::lock(tx, payment)?;
                if is_open(&Standing::of(&events)) {
                    release::order(tx, &payment)?;
                }
            }
        }
        link.seen(tx, &order)
    }
}

/// Whether a payment may still become one.
fn is_open(standing: &Standing) -> bool {
    matches!(
        standing.status,
        PaymentStatus::Pending | PaymentStatus::RequiresAction | PaymentStatus::Failed
    )
}

impl Flow for PayPaymentLink {
    async fn run(self, cx: &Cx) -> Result<Answer<LinkPayment>> {
        let (token, confirms) = (self.token.clone(), self.confirms());
        let finish = move |tx: &mut Tx<'_>, id: PaymentId, outcome: &Outcome| {
            finish(tx, &token, confirms, id, outcome)
        };
        later_payments::make(cx, move |tx| self.begin(tx), finish).await
    }
}

impl PayPaymentLink {
    fn begin(&self, tx: &mut Tx<'_>) -> Result<ControlFlow<LinkPayment, Asked>> {
        let link = by_token(tx, &self.token)?;
        let (link, order) = lock(tx, &link)?;
        let seen = link.seen(tx, &order)?;
        refuse_closed(&seen)?;
        orders::refuse_held(tx, order.checkout_id)?;
        let chosen = self.chosen(tx, &order)?;
        let payment = self.payment_of(tx, &link, &order, seen.due, &chosen)?;
        let request = Authorize {
            token: chosen.token,
            return_url: chosen.return_url,
            keeper: chosen.keeper,
            ..payment.authorize(true)
        };
        later_payments::ask(tx, payment, request, |tx, id, outcome| {
            finish(tx, &self.token, self.confirms(), id, outcome)
        })
    }

    /// Whether the client confirms the payment with the provider, so that after a declined card it confirms it with another.
    fn confirms(&self) -> bool {
        self.payment.token.is_none() && self.payment.saved_payment_method_id.is_none()
    }

    /// How it is paid.
    fn chosen(&self, tx: &mut Tx<'_>, order: &OrderRow) -> Result<Chosen> {
        if self.payment.save_payment_method == Some(true) {
            const POINTER: &str = "/payment/savePaymentMethod";
            let message = "A payment method is saved with a checkout, or by setUpPaymentMethod.";
            return Err(Error::invalid(POINTER, "not_here", message));
        }
        let mut way = choose(tx, &self.payment, true)?;
        way.charge(tx, &self.payment, &order.email)?;
        let providers = tx.app().part::<PaymentProviders>()?;
        let abilities = providers
            .get(&way.chosen.provider, "/payment/provider")?
            .abilities();
        if abilities.captures == Captures::None {
            let message = "A link is paid at once; this provider's money comes by itself.";
            return Err(Error::invalid("/payment/provider", "not_by_link", message));
        }
        Ok(way.chosen)
    }

    /// The link's payment, where it is about the same and may still be made; a new one otherwise.
    fn payment_of(
        &self,
        tx: &mut Tx<'_>,
        link: &LinkRow,
        order: &OrderRow,
        due: Money,
        chosen: &Chosen,
    ) -> Result<PaymentRow> {
        if let Some(id) = link.payment_id {
            let (payment, events) = payments::lock(tx, id)?;
            let open = is_open(&Standing::of(&events));
            // A method that the provider keeps is its customer's, whom a payment has from its beginning.
            let by_token = self.payment.saved_payment_method_id.is_none();
            let same = payment.provider == chosen.provider
                && payment.method == chosen.method
                && (by_token || payment.token == chosen.token)
                && payment.money() == due
                && !release::has_begun(&events);
            if open && same {
                return Ok(payment);
            }
            if open {
                release::order(tx, &payment)?;
            }
        }
        refuse_amount(tx, &chosen.provider, due)?;
        let payment = PaymentRow {
            token: chosen.token.clone(),
            ..PaymentRow::new(
                order.checkout_id,
                chosen.provider.clone(),
                chosen.method.clone(),
                due,
                tx.now,
            )
        };
        payments::insert(tx, std::slice::from_ref(&payment))?;
        tx.conn.execute(
            "UPDATE payment_links SET payment_id = ? WHERE id = ?",
            params![payment.id, link.id],
        )?;
        Ok(payment)
    }
}

/// Writes what the provider says; what it refused is recorded and told as an error.
fn finish(
    tx: &mut Tx<'_>,
    token: &str,
    confirms: bool,
    id: PaymentId,
    outcome: &Outcome,
) -> Result<ControlFlow<LinkPayment, Error>> {
    let link = by_token(tx, token)?;
    let (link, order) = lock(tx, &link)?;
    let now = later_payments::take(tx, &order, id, outcome)?;
    let session = now.row.session.as_ref();
    let again = confirms && session.is_some_and(|session| session.client_secret.is_some());
    let outcome = match &now.said {
        Said::Come => LinkPaymentOutcome::Paid,
        Said::Action => LinkPaymentOutcome::ActionRequired,
        // A card was declined where the client confirms; the same session takes another.
        Said::Declined(_) if again => LinkPaymentOutcome::ActionRequired,
        Said::Processing => LinkPaymentOutcome::Processing,
        Said::Declined(reason) => return Ok(ControlFlow::Continue(declined("/payment", reason))),
        Said::Over(reason) => {
            forget(tx, &link, &now.row)?;
            return Ok(ControlFlow::Continue(declined("/payment", reason)));
        }
        Said::CalledOff => {
            let detail =
                "Nothing is due any more, or the payment was called off; what was taken goes back.";
            let error = Error::new(Code::InvalidState, detail);
            return Ok(ControlFlow::Continue(error));
        }
    };
    let payment = now.standing.into_payment(now.row);
    let acts = outcome == LinkPaymentOutcome::ActionRequired;
    Ok(ControlFlow::Break(LinkPayment {
        outcome,
        action_url: payment.action_url.filter(|_| acts),
        client_secret: payment.client_secret.filter(|_| acts),
        link: link.seen(tx, &order)?,
    }))
}

/// A payment that cannot be made any more makes room for another.
fn forget(tx: &mut Tx<'_>, link: &LinkRow, payment: &PaymentRow) -> Result<()> {
    release::order(tx, payment)?;
    tx.conn.execute(
        "UPDATE payment_links SET payment_id = NULL WHERE id = ? AND payment_id = ?",
        params![link.id, payment.id],
    )?;
    Ok(())
}

/// Whether a payment that the shopper approved and did not come back from is still wanted: by an open link of an order that is
/// not paid otherwise.
pub fn is_wanted(tx: &mut Tx<'_>, payment: PaymentId) -> Result<bool> {
    let Some(link) = one(tx, "payment_id", payment.into())? else {
        return Ok(false);
    };
    let order = orders::row(tx, link.order_id)?;
    Ok(link.seen(tx, &order)?.status == PaymentLinkStatus::Open)
}
