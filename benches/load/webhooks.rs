//! Stripe's webhooks: a Stripe that answers at once, events about payments that it knows, and how many wait to be processed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix_web::{App, HttpResponse, HttpServer, web};
use diesel::sql_types::BigInt;
use hmac::{Hmac, KeyInit, Mac};
use mercer::db::Address;
use mercer::kernel::Clock;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::Result;
use crate::support::database::{Database, said};
use crate::support::http::request;

const SIGNED_BY: &str = "whsec_of_the_bench";
/// How long the events of a round may take to be processed.
const PATIENCE: Duration = Duration::from_mins(5);

/// Starts a Stripe in threads of this process; what a server is to be told of it.
pub fn start_stripe() -> Result<Vec<(&'static str, String)>> {
    let app = || {
        App::new()
            .route("/v1/payment_intents", web::post().to(open))
            .route("/v1/payment_intents/{id}", web::get().to(show))
    };
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let server = HttpServer::new(app).workers(1).bind("127.0.0.1:0")?;
            tell.send(server.addrs())?;
            server.disable_signals().run().await?;
            Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        })
    });
    let address = told.recv()?[0];
    Ok(vec![
        ("MERCER_STRIPE_KEY", "sk_test_bench".to_owned()),
        ("MERCER_STRIPE_URL", format!("http://{address}")),
        ("MERCER_STRIPE_WEBHOOK_SECRETS", SIGNED_BY.to_owned()),
    ])
}

async fn open(fields: web::Form<HashMap<String, String>>) -> HttpResponse {
    match (fields.get("amount"), fields.get("metadata[payment]")) {
        (Some(amount), Some(payment)) => show(format!("pi_{amount}_{payment}").into()).await,
        _ => HttpResponse::BadRequest().finish(),
    }
}

/// An intent whose money is reserved. Its id says for which payment, and how much.
async fn show(id: web::Path<String>) -> HttpResponse {
    let found = id.strip_prefix("pi_").and_then(|rest| {
        let (amount, payment) = rest.split_once('_')?;
        Some((amount.parse::<i64>().ok()?, payment))
    });
    let Some((amount, payment)) = found else {
        return HttpResponse::NotFound().finish();
    };
    HttpResponse::Ok().json(json!({
        "id": *id, "object": "payment_intent", "amount": amount, "amount_received": 0, "currency": "eur",
        "status": "requires_capture", "livemode": false, "created": 0, "metadata": { "payment": payment },
        "latest_charge": {
            "id": format!("ch_{payment}"), "amount": amount, "amount_captured": 0, "captured": false, "status": "succeeded",
            "payment_method_details": { "type": "card", "card": { "brand": "visa", "last4": "4242", "country": "DE" } },
        },
    }))
}

/// An event about an order's payment that nobody was told of yet, signed now.
pub fn event(payment: &Value) -> Vec<u8> {
    let body = json!({
        "id": format!("evt_{}", mercer::kernel::id::fresh().simple()), "object": "event", "livemode": false,
        "type": "payment_intent.amount_capturable_updated",
        "data": { "object": {
            "id": payment["reference"], "object": "payment_intent", "metadata": { "payment": payment["id"] },
        } },
    });
    let (body, now) = (
        body.to_string(),
        Clock::default().now().micros() / 1_000_000,
    );
    let signature = format!("t={now},v1={}", sign(now, &body));
    let headers = [("stripe-signature", signature.as_str())];
    request("POST", "/webhooks/payments/stripe", &headers, &body)
}

fn sign(now: i64, body: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SIGNED_BY.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{now}.{body}").as_bytes());
    let mut text = String::new();
    for byte in mac.finalize().into_bytes() {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// How many webhooks were kept so far.
pub fn kept(database: &Database) -> Result<i64> {
    count(database, "SELECT count(*) FROM payment_notices")
}

/// Waits until every webhook is processed; says how long that took.
pub fn process(database: &Database) -> Result<Duration> {
    let start = Instant::now();
    let waiting = "SELECT count(*) FROM payment_notices WHERE processed_at IS NULL";
    while count(database, waiting)? > 0 {
        if start.elapsed() > PATIENCE {
            return Err("the webhooks are not processed".into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(start.elapsed())
}

fn count(database: &Database, text: &str) -> Result<i64> {
    let mut conn = Address::parse(&database.url).open().map_err(said)?;
    let rows = conn.rows::<BigInt, i64>(text, vec![]).map_err(said)?;
    Ok(rows.into_iter().next().unwrap_or_default())
}
