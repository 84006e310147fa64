//! Catalogues in and out: the demo shop, Mercer's own format, Shopify's, and a shop's transactions.

use std::sync::{Arc, Mutex};

use mercer::context::Cx;
use mercer::import::{Report, demo, export, jsonl, retail, shopify};
use mercer::kernel::{Clock, Result};

use crate::support::Kind;
use crate::support::database::{Database, postgres_url, row_counts};
use crate::support::server::config;
use crate::support::shop::block_on;

/// A shop without a server.
struct Place {
    cx: Cx,
    database: Database,
}

/// What an import came to.
struct Outcome {
    created: u64,
    updated: u64,
    unchanged: u64,
    refused: u64,
    told: Vec<String>,
}

impl Place {
    fn new(kind: Kind) -> Self {
        let database = Database::migrated(kind);
        let app = mercer::app::open(config(&database.url, &[]), Clock::default()).unwrap();
        Self {
            cx: app.system(),
            database,
        }
    }

    fn import(&self, work: impl AsyncFnOnce(&Cx, &mut Report) -> Result<()>) -> Outcome {
        let told = Arc::new(Mutex::new(Vec::new()));
        let sink = told.clone();
        let mut report = Report::to(move |text| sink.lock().unwrap().push(text.to_owned()));
        block_on(async { work(&self.cx, &mut report).await }).unwrap();
        Outcome {
            created: report.created,
            updated: report.updated,
            unchanged: report.unchanged,
            refused: report.refused,
            told: told.lock().unwrap().clone(),
        }
    }

    fn jsonl(&self, text: &[u8]) -> Outcome {
        self.import(async |cx, report| jsonl::import(cx, text, report).await)
    }

    fn export(&self) -> String {
        let mut out = Vec::new();
        block_on(async { export::export(&self.cx, &mut out).await }).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn counts(&self) -> Vec<(String, i64)> {
        row_counts(&mut self.database.connect())
    }
}

macro_rules! on_both {
    ($( fn $name:ident($kind:ident) $story:block )+) => { $(
        mod $name {
            use super::*;
            fn story($kind: Kind) $story
            #[test]
            fn sqlite() {
                story(Kind::Sqlite);
            }
            #[test]
            fn postgres() {
                if postgres_url().is_some() {
                    story(Kind::Postgres);
                }
            }
        }
    )+ };
}

on_both! {
    fn what_is_exported_can_be_imported_elsewhere_and_is_the_same(kind) {
        let here = Place::new(kind);
        block_on(async { demo::shop(&here.cx).await }).unwrap();
        let first = here.export();
        assert!(first.lines().count() > 90, "{first}");
        let there = Place::new(kind);
        let outcome = there.jsonl(first.as_bytes());
        assert_eq!(outcome.told, Vec::<String>::new());
        assert_eq!(there.export(), first);
    }

    fn reading_a_file_again_changes_nothing(kind) {
        let place = Place::new(kind);
        let first = place.jsonl(demo::SHOP.as_bytes());
        assert_eq!((first.updated, first.unchanged, first.refused), (0, 0, 0));
        let (before, counts) = (place.export(), place.counts());
        let again = place.jsonl(demo::SHOP.as_bytes());
        assert_eq!((again.created, again.updated, again.refused), (0, 0, 0));
        assert_eq!(again.unchanged, first.created);
        assert_eq!((place.export(), place.counts()), (before, counts));
    }

    fn a_changed_line_changes_what_it_names_and_nothing_else(kind) {
        let place = Place::new(kind);
        place.jsonl(demo::SHOP.as_bytes());
        let before = place.export();
        let outcome = place.jsonl(
            br#"{"type":"product","handle":"trail-mug","variants":[{"sku":"FH-MUG-FERN","prices":[{"channel":"eu","amount":1590}],"stock":[{"location":"lyon","onHand":9}]}]}"#,
        );
        assert_eq!((outcome.updated, outcome.refused), (1, 0));
        let wanted: Vec<String> = before
            .lines()
            .map(|line| match line.split_once("FH-MUG-FERN") {
                None => line.to_owned(),
                Some((head, tail)) => {
                    let tail = tail
                        .replacen("\"amount\":1490", "\"amount\":1590", 1)
                        .replacen("\"location\":\"lyon\",\"onHand\":0", "\"location\":\"lyon\",\"onHand\":9", 1);
                    format!("{head}FH-MUG-FERN{tail}")
                }
            })
            .collect();
        assert_eq!(place.export().lines().collect::<Vec<_>>(), wanted);
    }

    fn lines_that_cannot_be_used_are_named_and_the_rest_goes_in(kind) {
        let place = Place::new(kind);
        let mut text = b"{\"type\":\"taxClass\",\"handle\":\"standard\",\"name\":\"Standard\"}\n".to_vec();
        for line in [
            &b"{\"type\":\"product\",\"handle\":\"one\",\"title\":\"One\",\"variants\":[{\"sku\":\"1\"}]}"[..],
            b"{\"type\":\"product\",\"handle\":\"two\",\"title\":\"T\xffo\",\"variants\":[{\"sku\":\"2\"}]}",
            b"{\"type\":\"product\",\"handle\":\"three\",\"title\":\"Three\",\"variants\":[{\"sku\":\"1\"}]}",
            b"{\"type\":\"product\",\"handle\":\"four\",\"title\":\"Fo\\u0000r\",\"variants\":[{\"sku\":\"4\"}]}",
            b"{\"type\":\"product\",\"handle\":\"five\",\"variants\":[{\"sku\":\"5\",\"prices\":[{\"channel\":\"moon\",\"amount\":-1}]}]}",
            b"{\"type\":\"taxZone\",\"handle\":\"de\",\"name\":\"DE\",\"countries\":[\"Germany\"],\"rates\":[{\"class\":\"none\",\"name\":\"V\",\"rate\":\"19\"}]}",
            b"{\"type\":\"order\"}",
            b"{\"type\":\"taxClass\",\"handle\":\"standard\",\"name\":\"Another\"}",
            b"",
            b"{\"type\":\"product\",\"handle\":\"six\",\"title\":\"Six\",\"variants\":[{\"sku\":\"6\"}]}",
            b"{\"type\":\"product\",\"han",
        ] {
            text.extend(line);
            text.push(b'\n');
        }
        text.pop();
        let outcome = place.jsonl(&text);
        assert_eq!((outcome.created, outcome.refused), (3, 8));
        let lines: Vec<u64> = outcome
            .told
            .iter()
            .filter_map(|told| told.strip_prefix("line ")?.split(':').next()?.parse().ok())
            .collect();
        let mut named = lines.clone();
        named.sort_unstable();
        named.dedup();
        assert_eq!(named, [3, 4, 5, 6, 7, 8, 9, 12], "{:#?}", outcome.told);
        let products: Vec<String> =
            place.export().lines().filter(|l| l.contains("\"type\":\"product\"")).map(ToOwned::to_owned).collect();
        assert_eq!(products.len(), 2, "{products:#?}");
    }

    fn a_retail_file_becomes_goods_that_cover_its_sales(kind) {
        let place = Place::new(kind);
        let file = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
            1,85123A,HOLDER,6,2010-12-01T08:34:00Z,2.55,1,Germany\n\
            C2,85123A,HOLDER,-6,2010-12-01T08:34:00Z,2.55,1,Germany\n\
            3,POST,POSTAGE,1,2010-12-01T08:34:00Z,18,1,Germany\n\
            C3,D,Discount,-1,2010-12-01T08:34:00Z,5,1,Germany\n";
        let import = async |cx: &Cx, report: &mut Report, create_channel: bool, dry_run: bool| {
            let options = retail::Options { channel: "retail".into(), location: None, create_channel, dry_run };
            retail::import(cx, file.as_bytes(), &options, report).await
        };
        let empty = place.counts();
        let mut report = Report::to(|_| {});
        let error = block_on(async { import(&place.cx, &mut report, false, false).await }).unwrap_err();
        assert!(error.detail.contains("--create-channel"), "{error}");
        place.import(async |cx, report| import(cx, report, true, true).await.map(drop));
        assert_eq!(place.counts(), empty, "nothing is written on trial");
        let first = place.import(async |cx, report| import(cx, report, true, false).await.map(drop));
        assert_eq!((first.created, first.refused), (2, 1));
        assert_eq!(first.told, ["line 5: A discount is no goods."]);
        let exported = place.export();
        assert!(exported.contains("\"amount\":255") && exported.contains("\"onHand\":6"), "{exported}");
        let again = place.import(async |cx, report| import(cx, report, true, false).await.map(drop));
        assert_eq!((again.created, again.updated, again.unchanged), (0, 0, 2));
        assert_eq!(place.export(), exported);
    }

    fn a_shopify_file_becomes_products_and_a_broken_one_is_left_out_whole(kind) {
        let place = Place::new(kind);
        place.jsonl(demo::SHOP.as_bytes());
        let file = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price,Variant Inventory Qty,Image Src\r\n\
            cap,Cap,Size,S,CAP-S,19.99,4,https://example.com/cap.jpg\r\n\
            cap,,,M,CAP-M,19.99,2,\r\n\
            bag,Bag,Size,S,BAG-S,1.999,4,\r\n\
            bag,,,M,BAG-M,19.99,2,\r\n\
            mat,\"Mat\nwith a line\",Title,Default Title,MAT,5,1,\r\n\
            pen,Pen,Title,Default";
        let outcome = place.import(async |cx, report| {
            let options = shopify::Options { channel: "eu".into(), location: Some("berlin".into()) };
            shopify::import(cx, file.as_bytes(), &options, report).await
        });
        assert_eq!(outcome.created, 2, "{:#?}", outcome.told);
        let exported = place.export();
        assert!(exported.contains("CAP-M") && exported.contains("MAT") && !exported.contains("BAG-M"));
        assert!(outcome.told.iter().any(|t| t.starts_with("line 4: \"1.999\" has more decimals")), "{:#?}", outcome.told);
    }
}
