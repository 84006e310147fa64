//! What fits neither door: health checks and metrics.

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::context::App;
use crate::operation::metrics;

/// Whether this process wants requests; turned off when it is told to stop.
pub struct Ready(pub AtomicBool);

/// Routes them.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/health/live", web::get().to(live))
        .route("/health/ready", web::get().to(ready))
        .route("/metrics", web::get().to(print_metrics));
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

async fn print_metrics() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .body(metrics::print())
}
