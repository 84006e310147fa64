//! GraphiQL and Swagger UI, with all their files inside the binary.

use actix_web::http::header;
use actix_web::{HttpResponse, middleware, web};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Scripts of these pages come from files alone; both pages write styles into their documents.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; \
    frame-ancestors 'none'";

struct File {
    name: &'static str,
    media_type: &'static str,
    gzip: bool,
    bytes: &'static [u8],
}

const FILES: &[File] = &[
    File {
        name: "",
        media_type: "text/html; charset=utf-8",
        gzip: false,
        bytes: include_bytes!("docs/graphiql.html"),
    },
    File {
        name: "graphiql.start.js",
        media_type: "text/javascript",
        gzip: false,
        bytes: include_bytes!("docs/graphiql.start.js"),
    },
    File {
        name: "graphiql.min.js",
        media_type: "text/javascript",
        gzip: true,
        bytes: include_bytes!("docs/graphiql.min.js.gz"),
    },
    File {
        name: "graphiql.min.css",
        media_type: "text/css",
        gzip: true,
        bytes: include_bytes!("docs/graphiql.min.css.gz"),
    },
    File {
        name: "react.production.min.js",
        media_type: "text/javascript",
        gzip: true,
        bytes: include_bytes!("docs/react.production.min.js.gz"),
    },
    File {
        name: "react-dom.production.min.js",
        media_type: "text/javascript",
        gzip: true,
        bytes: include_bytes!("docs/react-dom.production.min.js.gz"),
    },
];

/// Serves the pages below `/docs`.
pub fn configure(config: &mut web::ServiceConfig, openapi: serde_json::Value) {
    let policy = (header::CONTENT_SECURITY_POLICY, POLICY);
    let mut docs = web::scope("/docs").wrap(middleware::DefaultHeaders::new().add(policy));
    for file in FILES {
        let route = web::get().to(move || async move {
            let mut answer = HttpResponse::Ok();
            answer.content_type(file.media_type);
            if file.gzip {
                answer.insert_header((header::CONTENT_ENCODING, "gzip"));
            }
            answer.body(file.bytes)
        });
        docs = docs.route(&format!("/graphiql/{}", file.name), route);
    }
    let document = web::get().to(move || {
        let answer = HttpResponse::Ok().json(&openapi);
        async move { answer }
    });
    // Without the badge of a validator, which is somebody else's server.
    let settings = Config::from("/docs/openapi.json").validator_url("none");
    let swagger = SwaggerUi::new("/openapi/{_:.*}").config(settings);
    config.service(
        docs.route("", web::get().to(index))
            .route("/openapi.json", document)
            .service(swagger),
    );
}

async fn index() -> HttpResponse {
    let page = "<!doctype html><meta charset=utf-8><title>Mercer</title>\
        <h1>Mercer</h1><ul><li><a href=/docs/graphiql/>GraphiQL</a><li><a href=/docs/openapi/>Swagger UI</a></ul>";
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(page)
}
