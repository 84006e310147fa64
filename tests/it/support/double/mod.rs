//! What the doubles of payment providers are made of: a server, faults by script, deliveries of events.

#![allow(dead_code)] // Not every double needs every part.

mod faults;
mod http;
mod server;

use std::time::Duration;

pub use faults::{Fault, Faults};
pub use http::Request;
pub use server::{Answer, Running, Server, lock};

/// Sends a body as a webhook. Answers the status; 0 where there was no answer.
pub fn deliver(url: &str, headers: &[(&str, &str)], body: &str) -> u16 {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(Duration::from_secs(30)))
        .build()
        .new_agent();
    let mut request = agent.post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let sent = request.send(body);
    sent.map_or(0, |answer| answer.status().as_u16())
}
