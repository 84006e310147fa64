//! Money: reserved, taken, let go, sent back.

use std::time::Duration;

use super::bodies::{self, Amount, Intent, NewCapture, NewOrder, NewRefund, read, short, units};
use super::calls::{Refusal, Reply};
use super::state::{Instrument, Order, Piece, State, now};

const EXPIRES: Duration = Duration::from_hours(29 * 24);

/// Opens an order.
pub fn open(state: &mut State, body: &[u8]) -> Reply {
    let new: NewOrder = read(body)?;
    let [unit] = new.purchase_units.as_slice() else {
        return Err(Refusal::not_simulated("several purchase units"));
    };
    short(unit.custom_id.as_ref(), 255)?;
    let context = &new.payment_source.paypal.experience_context;
    for url in [&context.return_url, &context.cancel_url] {
        short(url.as_ref(), 2_000)?;
    }
    let units = units(&unit.amount)?;
    let order = Order {
        id: state.id("5O"),
        intent: new.intent,
        status: "PAYER_ACTION_REQUIRED",
        custom_id: unit.custom_id.clone(),
        currency: unit.amount.currency_code.clone(),
        units,
        instrument: None,
        created: now(state),
    };
    let path = format!("/v2/checkout/orders/{}", order.id);
    state.orders.insert(order.id.clone(), order);
    // With a payment source the order is 200, not 201.
    Ok((200, path))
}

/// Authorises or captures an order that was approved.
pub fn complete(state: &mut State, id: &str, intent: Intent, body: &[u8]) -> Reply {
    read::<bodies::Nothing>(body)?;
    let order = state.orders.get(id).ok_or_else(Refusal::missing)?;
    if order.intent != intent {
        return Err(Refusal::unprocessable("ACTION_DOES_NOT_MATCH_INTENT"));
    }
    let (units, custom_id) = (order.units, order.custom_id.clone());
    let instrument = match (order.status, order.instrument) {
        ("COMPLETED", _) if intent == Intent::Capture => {
            return Err(Refusal::unprocessable("ORDER_ALREADY_CAPTURED"));
        }
        ("COMPLETED", _) => return Err(Refusal::unprocessable("ORDER_ALREADY_AUTHORIZED")),
        ("APPROVED", Some(Instrument::Declined)) => {
            return Err(Refusal::unprocessable("INSTRUMENT_DECLINED"));
        }
        ("APPROVED", Some(instrument)) => instrument,
        _ => return Err(Refusal::unprocessable("ORDER_NOT_APPROVED")),
    };
    let reviewed = instrument == Instrument::Reviewed;
    let path = format!("/v2/checkout/orders/{id}");
    let (kind, status) = match (intent, reviewed) {
        (Intent::Authorize, false) => ("authorizations", "CREATED"),
        (Intent::Capture, false) => ("captures", "COMPLETED"),
        (Intent::Authorize, true) => ("authorizations", "PENDING"),
        (Intent::Capture, true) => ("captures", "PENDING"),
    };
    let made = Made {
        kind,
        order: id,
        parent: path.clone(),
        status,
        units,
        custom_id,
        invoice_id: None,
        last: true,
    };
    made.keep(state);
    if let Some(order) = state.orders.get_mut(id) {
        order.status = "COMPLETED";
    }
    Ok((201, path))
}

/// Captures an authorisation.
pub fn capture(state: &mut State, id: &str, body: &[u8]) -> Reply {
    let new: NewCapture = read(body)?;
    short(new.invoice_id.as_ref(), 127)?;
    let piece = of_kind(state, id, "authorizations")?;
    let (order, custom_id, expires) = (piece.order.clone(), piece.custom_id.clone(), piece.expires);
    match piece.status {
        "VOIDED" => return Err(Refusal::unprocessable("AUTHORIZATION_VOIDED")),
        "PENDING" | "DENIED" => return Err(Refusal::unprocessable("AUTHORIZATION_DENIED")),
        _ if expires < state.clock.now() => {
            return Err(Refusal::unprocessable("AUTHORIZATION_EXPIRED"));
        }
        _ => {}
    }
    let left = state.left(id);
    if left == 0 {
        return Err(Refusal::unprocessable("AUTHORIZATION_ALREADY_CAPTURED"));
    }
    let used = |p: &Piece| p.kind == "captures" && p.invoice_id == new.invoice_id;
    if new.invoice_id.is_some() && state.pieces.values().any(used) {
        return Err(Refusal::unprocessable("DUPLICATE_INVOICE_ID"));
    }
    let units = part(
        state,
        &order,
        new.amount.as_ref(),
        left,
        "MAX_CAPTURE_AMOUNT_EXCEEDED",
    )?;
    let made = Made {
        kind: "captures",
        order: &order,
        parent: format!("/v2/payments/authorizations/{id}"),
        status: "COMPLETED",
        units,
        custom_id,
        invoice_id: new.invoice_id,
        last: new.final_capture,
    };
    let path = made.keep(state);
    // A last capture of a part leaves the authorisation partially captured, and nothing of it to be had.
    let status = if units == left {
        "CAPTURED"
    } else {
        "PARTIALLY_CAPTURED"
    };
    set(state, id, status, None);
    Ok((201, path))
}

/// Lets an authorisation go.
pub fn void(state: &mut State, id: &str) -> Reply {
    let piece = of_kind(state, id, "authorizations")?;
    match piece.status {
        "VOIDED" => return Err(Refusal::unprocessable("PREVIOUSLY_VOIDED")),
        "CREATED" | "PARTIALLY_CAPTURED" if state.left(id) > 0 => {}
        _ => return Err(Refusal::unprocessable("PREVIOUSLY_CAPTURED")),
    }
    set(state, id, "VOIDED", None);
    let path = format!("/v2/payments/authorizations/{id}");
    state.event("PAYMENT.AUTHORIZATION.VOIDED", "authorization", &path);
    Ok((200, path))
}

/// Sends money of a capture back.
pub fn refund(state: &mut State, id: &str, body: &[u8]) -> Reply {
    let new: NewRefund = read(body)?;
    short(new.custom_id.as_ref(), 127)?;
    let piece = of_kind(state, id, "captures")?;
    let order = piece.order.clone();
    match piece.status {
        "REFUNDED" => return Err(Refusal::unprocessable("CAPTURE_FULLY_REFUNDED")),
        "PENDING" => return Err(Refusal::unprocessable("PENDING_CAPTURE")),
        "DECLINED" => return Err(Refusal::unprocessable("CAPTURE_DECLINED")),
        _ => {}
    }
    let left = state.left(id);
    let units = part(
        state,
        &order,
        new.amount.as_ref(),
        left,
        "REFUND_AMOUNT_EXCEEDED",
    )?;
    let made = Made {
        kind: "refunds",
        order: &order,
        parent: format!("/v2/payments/captures/{id}"),
        status: if state.refunds_held {
            "PENDING"
        } else {
            "COMPLETED"
        },
        units,
        custom_id: new.custom_id,
        invoice_id: None,
        last: false,
    };
    let path = made.keep(state);
    let status = if units == left {
        "REFUNDED"
    } else {
        "PARTIALLY_REFUNDED"
    };
    set(state, id, status, None);
    Ok((201, path))
}

/// How a review ends.
pub fn settle(state: &mut State, order: &str, ok: bool) {
    let pending = |p: &&Piece| p.order == order && p.status == "PENDING" && p.kind != "refunds";
    let piece = state.pieces.values().find(pending).expect("a review");
    let (id, kind) = (piece.id.clone(), piece.kind);
    let path = format!("/v2/payments/{kind}/{id}");
    match (kind, ok) {
        ("captures", true) => set(state, &id, "COMPLETED", None),
        ("captures", false) => set(
            state,
            &id,
            "DECLINED",
            Some("DECLINED_BY_RISK_FRAUD_FILTERS"),
        ),
        (_, true) => set(state, &id, "CREATED", None),
        (_, false) => set(state, &id, "DENIED", Some("DECLINED_BY_RISK_FRAUD_FILTERS")),
    }
    match (kind, ok) {
        ("captures", true) => state.event("PAYMENT.CAPTURE.COMPLETED", "capture", &path),
        ("captures", false) => state.event("PAYMENT.CAPTURE.DENIED", "capture", &path),
        (_, true) => state.event("PAYMENT.AUTHORIZATION.CREATED", "authorization", &path),
        (_, false) => state.event("PAYMENT.AUTHORIZATION.DENIED", "authorization", &path),
    }
}

/// How pending refunds end. What failed is there again.
pub fn settle_refund(state: &mut State, order: &str, ok: bool) {
    let pending = state.of(order, "refunds").filter(|p| p.status == "PENDING");
    let pending: Vec<(String, String)> = pending
        .map(|p| {
            (
                p.id.clone(),
                p.parent.rsplit('/').next().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    for (id, capture) in pending {
        let path = format!("/v2/payments/refunds/{id}");
        if ok {
            set(state, &id, "COMPLETED", None);
            state.event("PAYMENT.CAPTURE.REFUNDED", "refund", &path);
        } else {
            set(state, &id, "FAILED", Some("ECHECK"));
            set(state, &capture, "COMPLETED", None);
            state.event("PAYMENT.REFUND.FAILED", "refund", &path);
        }
    }
}

/// A piece on its way into the books.
struct Made<'a> {
    kind: &'static str,
    order: &'a str,
    parent: String,
    status: &'static str,
    units: i64,
    custom_id: Option<String>,
    invoice_id: Option<String>,
    last: bool,
}

impl Made<'_> {
    /// Keeps it and tells of it; answers its path.
    fn keep(self, state: &mut State) -> String {
        let (prefix, resource) = match self.kind {
            "authorizations" => ("0A", "authorization"),
            "captures" => ("3C", "capture"),
            _ => ("1R", "refund"),
        };
        let event = match (self.kind, self.status) {
            ("authorizations", "CREATED") => Some("PAYMENT.AUTHORIZATION.CREATED"),
            ("captures", "COMPLETED") => Some("PAYMENT.CAPTURE.COMPLETED"),
            ("captures", _) => Some("PAYMENT.CAPTURE.PENDING"),
            ("refunds", "COMPLETED") => Some("PAYMENT.CAPTURE.REFUNDED"),
            ("refunds", _) => Some("PAYMENT.REFUND.PENDING"),
            _ => None,
        };
        let id = state.id(prefix);
        let path = format!("/v2/payments/{}/{id}", self.kind);
        let reason = (self.status == "PENDING").then_some("PENDING_REVIEW");
        let piece = Piece {
            id: id.clone(),
            kind: self.kind,
            order: self.order.to_owned(),
            parent: self.parent,
            status: self.status,
            reason,
            units: self.units,
            custom_id: self.custom_id,
            invoice_id: self.invoice_id,
            last: self.last,
            created: now(state),
            expires: state.clock.now().plus(EXPIRES),
        };
        state.pieces.insert(id, piece);
        if let Some(event) = event {
            state.event(event, resource, &path);
        }
        path
    }
}

fn of_kind<'a>(state: &'a State, id: &str, kind: &str) -> Result<&'a Piece, Refusal> {
    let found = state.pieces.get(id).filter(|piece| piece.kind == kind);
    found.ok_or_else(Refusal::missing)
}

fn set(state: &mut State, id: &str, status: &'static str, reason: Option<&'static str>) {
    if let Some(piece) = state.pieces.get_mut(id) {
        piece.status = status;
        piece.reason = reason;
    }
}

/// The part that is asked for, or all that is left.
fn part(
    state: &State,
    order: &str,
    amount: Option<&Amount>,
    left: i64,
    exceeded: &str,
) -> Result<i64, Refusal> {
    let Some(amount) = amount else {
        return Ok(left);
    };
    if amount.currency_code != state.orders[order].currency {
        return Err(Refusal::unprocessable("CURRENCY_MISMATCH"));
    }
    let wanted = units(amount)?;
    if wanted > left {
        return Err(Refusal::unprocessable(exceeded));
    }
    Ok(wanted)
}
