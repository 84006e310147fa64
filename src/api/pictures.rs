//! The pictures of the demo shop, drawn from their names.

use actix_web::{HttpResponse, web};

/// Serves them below `/demo/pictures`.
pub fn configure(config: &mut web::ServiceConfig) {
    config.route(
        "/demo/pictures/{name:[a-z0-9-]{1,100}}.svg",
        web::get().to(picture),
    );
}

async fn picture(name: web::Path<String>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("image/svg+xml")
        .insert_header(("cache-control", "public, max-age=86400"))
        // A page of any origin shows them.
        .insert_header(("cross-origin-resource-policy", "cross-origin"))
        .body(draw(&name))
}

/// A hill below a sun, in colours of the name's own, with the name below.
fn draw(name: &str) -> String {
    let hash = name.bytes().fold(0_u32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    let (hue, sun, top) = (hash % 360, 150 + hash / 7 % 500, 300 + hash / 11 % 150);
    let title = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
    let title = title.replace('-', " ");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 600\" width=\"800\" height=\"600\">\
         <rect width=\"800\" height=\"600\" fill=\"hsl({hue},45%,85%)\"/>\
         <circle cx=\"{sun}\" cy=\"170\" r=\"80\" fill=\"hsl({hue},70%,70%)\"/>\
         <path d=\"M0 480 Q400 {top} 800 480 V600 H0Z\" fill=\"hsl({hue},35%,40%)\"/>\
         <text x=\"400\" y=\"555\" font-family=\"sans-serif\" font-size=\"44\" fill=\"#fff\" \
         text-anchor=\"middle\">{title}</text></svg>"
    )
}
