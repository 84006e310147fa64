//! What fits neither door: health checks, metrics, and the webhooks of payment providers.

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{answer, request};
use crate::context::App;
use crate::domain::flows;
use crate::kernel::{Code, Error, Result};
use crate::operation::metrics;
use crate::ports::payment::{PaymentProviders, RawNotice};

/// Whether this process wants requests; turned off when it is told to stop.
pub struct Ready(pub AtomicBool);

/// Routes them.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/health/live", web::get().to(live))
        .route("/health/ready", web::get().to(ready))
        .route("/metrics", web::get().to(print_metrics))
        .route("/webhooks/payments/{provider}", web::post().to(webhook));
}

/// A payment provider's webhook: its sender is checked over the body as it came, it is kept with a job, and only then is it
/// answered. What it says is not believed; the job reads the object at the provider.
async fn webhook(
    app: web::Data<App>,
    provider: web::Path<String>,
    http: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    match take_in(&app, &provider, &http, payload).await {
        Ok(()) => HttpResponse::Ok().json(json!({ "received": true })),
        Err(error) => answer::problem(&error, request::request_id(http.headers())),
    }
}

async fn take_in(app: &App, name: &str, http: &HttpRequest, payload: web::Payload) -> Result<()> {
    let providers = app.part::<PaymentProviders>()?;
    let provider = providers
        .find(name)
        .ok_or_else(|| Error::new(Code::NotFound, "There is no such payment provider."))?;
    let body = request::body(payload).await?;
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        Some((name.to_string(), value.to_str().ok()?.to_owned()))
    };
    let raw = RawNotice {
        headers: &http.headers().iter().filter_map(text).collect(),
        body: &body,
        now: app.clock.now(),
    };
    let notice = provider.read_notice(&raw).await;
    let kept = match notice {
        Ok(notice) if notice.foreign => {
            metrics::webhook(name, "foreign");
            return Ok(());
        }
        Ok(notice) => {
            let name = name.to_owned();
            app.system()
                .write(move |tx| flows::receive(tx, &name, &notice))
                .await
        }
        Err(error) => Err(error),
    };
    let outcome = match &kept {
        Ok(()) => "accepted",
        Err(error) if error.code.status() < 500 => "refused",
        Err(_) => "failed",
    };
    metrics::webhook(name, outcome);
    kept
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

async fn ready(app: web::Data<App>, ready: web::Data<Ready>) -> HttpResponse {
    if !ready.0.load(Ordering::Acquire) {
        return HttpResponse::ServiceUnavailable().json(json!({ "status": "stopping" }));
    }
    match app.db.ping().await {
        Ok(()) => HttpResponse::Ok().json(json!({ "status": "ready" })),
        Err(_) => HttpResponse::ServiceUnavailable()
            .insert_header((header::RETRY_AFTER, "1"))
            .json(json!({ "status": "no database" })),
    }
}

async fn print_metrics(app: web::Data<App>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(super::metrics::print(&app).await)
}
