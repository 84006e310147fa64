//! Requests that are too large, and readers that do not read.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Kind, Shop, Store};

#[test]
fn what_is_longer_than_a_request_may_be_is_refused_by_name() {
    let shop = Shop::open(Kind::Sqlite);
    let staff = shop.staff();
    let with_length = |length: usize| {
        let start = "/v1/channels?limit=1&x=";
        format!("{start}{}", "x".repeat(length - start.len()))
    };
    // One byte less is refused for what it says and not for its length.
    let longest = staff.send("GET", &with_length(8_192), None);
    assert!([400, 422].contains(&longest.status), "{longest}");
    for length in [8_193, 20_000, 60_000] {
        staff
            .send("GET", &with_length(length), None)
            .refused(414, "URI_TOO_LONG");
    }
    staff
        .with("x-note", "n".repeat(15_000))
        .get("/channels")
        .ok();
    for length in [16_400, 60_000] {
        let large = staff.with("x-note", "n".repeat(length)).get("/channels");
        large.refused(431, "HEADERS_TOO_LARGE");
    }
    let mut many = staff.clone();
    for i in 0..90 {
        many = many.with(&format!("x-note-{i}"), "n".repeat(200));
    }
    many.get("/channels").refused(431, "HEADERS_TOO_LARGE");
    // Beyond what is read at all there is the status alone.
    let mut raw = TcpStream::connect(staff.address()).unwrap();
    let note = "n".repeat(140_000);
    let _ = raw.write_all(format!("GET /v1 HTTP/1.1\r\nhost: shop\r\nx-note: {note}").as_bytes());
    let mut status = [0; 12];
    raw.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 431");
}

#[test]
#[cfg(target_os = "linux")]
fn readers_that_read_nothing_are_cut_off() {
    const READERS: usize = 50;
    let shop = Shop::open(Kind::Sqlite);
    let store = Store::open(&shop);
    let skus: Vec<String> = (0..100).map(|i| format!("SKU-{i}")).collect();
    let goods: Vec<(&str, i64, i64)> = skus.iter().map(|sku| (sku.as_str(), 1_000, 10)).collect();
    store.sell(&goods);
    let size = store.front.get("/products?limit=100").ok().body.len();
    assert!(size > 50_000, "{size} bytes are no large answer");
    let key = store.front.header("authorization");
    let request = format!(
        "GET /v1/products?limit=100 HTTP/1.1\r\nHost: shop\r\nAuthorization: {key}\r\n\r\n"
    );
    let mut readers: Vec<TcpStream> = (0..READERS)
        .map(|_| {
            let mut reader = TcpStream::connect(store.front.address()).unwrap();
            reader.set_nonblocking(true).unwrap();
            // More than the system's buffers hold, as far as it is taken.
            let _ = reader.write(request.repeat(400).as_bytes());
            reader
        })
        .collect();
    // Whoever reads is served meanwhile, however slowly he reads.
    let mut slow = TcpStream::connect(store.front.address()).unwrap();
    slow.write_all(request.as_bytes()).unwrap();
    let began = Instant::now();
    let mut cut = 0;
    let mut piece = [0; 2_000];
    let mut taken = 0;
    while cut < READERS {
        assert!(
            began.elapsed() < Duration::from_mins(1),
            "{cut} of {READERS} were cut off"
        );
        std::thread::sleep(Duration::from_millis(250));
        taken += slow.read(&mut piece).unwrap();
        // A socket whose other end is gone says so to whoever writes.
        readers.retain_mut(|reader| match reader.write(b"\r\n") {
            Err(error) if error.kind() != ErrorKind::WouldBlock => {
                cut += 1;
                false
            }
            _ => true,
        });
    }
    assert!(taken > 20_000, "the slow reader got {taken} bytes");
    store.front.get("/products?limit=100").ok();
    let _ = slow.shutdown(Shutdown::Both);
    let answer = shop.anonymous().send("GET", "/health/live", None).ok();
    assert_eq!(answer.json, json!({ "status": "live" }));
}
