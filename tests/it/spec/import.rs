//! Catalogues in and out: the demo shop, Mercer's own format, Shopify's, and a shop's transactions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use diesel::sql_types::Text;
use mercer::context::Cx;
use mercer::db::Conn;
use mercer::domain::channels::{CreateChannel, UpdateChannel};
use mercer::import::{Report, demo, export, jsonl, retail, shopify};
use mercer::kernel::{Clock, Result};
use mercer::operation::dispatch;
use serde_json::{Value, json};

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
    left_out: u64,
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
            left_out: report.left_out,
            told: told.lock().unwrap().clone(),
        }
    }

    fn jsonl(&self, text: &[u8]) -> Outcome {
        self.import(async |cx, report| jsonl::import(cx, text, report).await)
    }

    fn shopify(&self, text: &str) -> Outcome {
        self.shopify_with(text, false, false)
    }

    fn shopify_with(&self, text: &str, set_stock: bool, archive: bool) -> Outcome {
        self.import(async |cx, report| {
            let options = shopify::Options {
                channel: "eu".into(),
                location: Some("wh".into()),
                set_stock,
                archive_missing_variants: archive,
            };
            shopify::import(cx, text.as_bytes(), &options, report).await
        })
    }

    /// An empty shop to import products into.
    fn ready(kind: Kind) -> Self {
        let place = Self::new(kind);
        let outcome = place.jsonl(
            br#"{"type":"channel","handle":"eu","name":"EU","currency":"EUR","countries":["DE"]}
{"type":"channel","handle":"other","name":"Other","currency":"EUR","countries":["DE"]}
{"type":"taxClass","handle":"standard","name":"Standard"}
{"type":"location","handle":"wh","name":"Warehouse","country":"DE"}"#,
        );
        assert_eq!((outcome.created, outcome.refused), (4, 0));
        place
    }

    /// A product as the export has it.
    fn product(&self, handle: &str) -> Value {
        let lines = self.export();
        let mut lines = lines
            .lines()
            .map(|l| serde_json::from_str::<Value>(l).unwrap());
        lines
            .find(|l| l["type"] == "product" && l["handle"] == handle)
            .unwrap_or_else(|| panic!("no product {handle}"))
    }

    /// Everything that a catalogue has in the database, row by row, with names for ids and without times and versions.
    fn state(&self) -> BTreeMap<&'static str, Vec<BTreeMap<String, String>>> {
        let conn = &mut self.database.connect();
        let mut names = BTreeMap::new();
        for (table, name) in NAMED {
            for row in rows(conn, table) {
                names.insert(row["id"].clone(), format!("{table} {}", row[*name]));
            }
        }
        let all = TABLES.iter().map(|table| {
            let mut rows = rows(conn, table);
            for row in &mut rows {
                row.retain(|column, _| !PASSING.contains(&column.as_str()));
                for value in row.values_mut() {
                    if let Some(name) = names.get(value) {
                        value.clone_from(name);
                    }
                }
            }
            rows.sort();
            (*table, rows)
        });
        all.collect()
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

/// The tables of a catalogue.
const TABLES: &[&str] = &[
    "categories",
    "channels",
    "locations",
    "prices",
    "product_categories",
    "product_variants",
    "products",
    "publications",
    "shipping_methods",
    "shipping_zones",
    "stock_levels",
    "tax_classes",
    "tax_rates",
    "tax_zones",
];
/// Those whose rows have a name.
const NAMED: &[(&str, &str)] = &[
    ("categories", "handle"),
    ("channels", "handle"),
    ("locations", "handle"),
    ("product_variants", "sku"),
    ("products", "handle"),
    ("shipping_methods", "handle"),
    ("shipping_zones", "handle"),
    ("tax_classes", "handle"),
    ("tax_zones", "handle"),
];
/// Columns that a copy of a shop has of its own: ids (the documents of ids stand in tables too), times, versions.
const PASSING: &[&str] = &[
    "id",
    "version",
    "created_at",
    "updated_at",
    "published_at",
    "category_ids",
    "channel_ids",
];

/// The rows of a table, every column as a text.
fn rows(conn: &mut Conn, table: &str) -> Vec<BTreeMap<String, String>> {
    let columns = if conn.is_postgres() {
        format!(
            "SELECT column_name::text FROM information_schema.columns WHERE table_name = '{table}'"
        )
    } else {
        format!("SELECT name FROM pragma_table_info('{table}')")
    };
    let columns = conn.rows::<Text, String>(&columns, vec![]).unwrap();
    assert!(!columns.is_empty(), "there is no table {table}");
    let cell = |column: &String| {
        let text = if conn.is_postgres() {
            format!(
                "CASE pg_typeof({column})::text WHEN 'uuid' THEN replace({column}::text, '-', '') ELSE {column}::text END"
            )
        } else {
            format!(
                "CASE typeof({column}) WHEN 'blob' THEN lower(hex({column})) ELSE CAST({column} AS TEXT) END"
            )
        };
        format!("COALESCE({text}, 'null')")
    };
    let cells: Vec<String> = columns.iter().map(cell).collect();
    let text = format!("SELECT {} FROM {table}", cells.join(" || chr || "));
    let chr = if conn.is_postgres() {
        "chr(31)"
    } else {
        "char(31)"
    };
    let text = text.replace(" chr ", &format!(" {chr} "));
    let rows = conn.rows::<Text, String>(&text, vec![]).unwrap();
    rows.iter()
        .map(|row| {
            let cells = row.split('\u{1f}').map(ToOwned::to_owned);
            columns.iter().cloned().zip(cells).collect()
        })
        .collect()
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
        let create: CreateChannel = serde_json::from_value(json!({
            "handle": "special", "name": "Special", "currency": "GBP", "currencies": ["USD"], "countries": ["GB"],
            "pricesIncludeTax": false, "rounding": "half_even", "taxPer": "unit", "orderNumbers": "scattered",
            "orderNumberPrefix": "S-", "holdMinutes": 7, "capture": "shipment", "metadata": { "a": 1 }, "privateMetadata": { "b": 2 },
        }))
        .unwrap();
        let plain: CreateChannel = serde_json::from_value(
            json!({ "handle": "plain", "name": "Plain", "currency": "EUR", "countries": ["DE"] }),
        )
        .unwrap();
        block_on(async {
            let special = dispatch(&here.cx, create).await.unwrap().value;
            dispatch(&here.cx, plain).await.unwrap();
            let update: UpdateChannel = serde_json::from_value(json!({
                "id": special.id, "status": "inactive", "riskChecks": true, "riskInvestigateFrom": 11,
                "riskCancelFrom": 22, "riskFirstOrderFrom": 33, "invoiceNeedsTerms": true, "cancelUnpaidAfter": 44,
            }))
            .unwrap();
            dispatch(&here.cx, update).await.unwrap();
        });
        let details = br#"{"type":"product","handle":"trail-mug","vendor":"Fern","productType":"Mug","tags":["new"],"privateMetadata":{"p":1},"seoTitle":"T","seoDescription":"D","variants":[{"sku":"FH-MUG-FERN","status":"archived","media":[{"url":"/a.jpg","alt":"A"}]}]}"#;
        assert_eq!(here.jsonl(details).updated, 1);
        let state = here.state();
        // A column that this story leaves at its default could be forgotten by the export unseen.
        let channel = |handle: &str| state["channels"].iter().find(|c| c["handle"] == handle).unwrap();
        let (special, plain) = (channel("special"), channel("plain"));
        let untold: Vec<&String> = special.keys().filter(|column| special[*column] == plain[*column]).collect();
        assert_eq!(untold, Vec::<&String>::new(), "give these columns of the channel another value above");
        let first = here.export();
        assert!(first.lines().count() > 90, "{first}");
        let there = Place::new(kind);
        let outcome = there.jsonl(first.as_bytes());
        assert_eq!(outcome.told, Vec::<String>::new());
        let copy = there.state();
        for (table, rows) in &state {
            assert_eq!(&copy[table], rows, "{table}");
        }
        assert_eq!(there.export(), first);
    }

    fn what_a_shopify_file_does_not_say_stays_as_it_is(kind) {
        let place = Place::ready(kind);
        let split = "Handle,Title,Vendor,Tags,Published,Option1 Name,Option1 Value,Variant SKU,Variant Price,Variant Compare At Price,Image Src,Status\n\
            secret,Secret,V,\"a, b\",false,Title,Default Title,SEC,10,20,https://x.example/1.jpg,draft\n\
            other,Other,V,,true,Title,Default Title,OTH,10,,,active\n\
            secret,,,,,,,,,,https://x.example/2.jpg,\n";
        let first = place.shopify(split);
        assert_eq!((first.created, first.refused), (2, 0), "{:#?}", first.told);
        let secret = place.product("secret");
        assert_eq!((&secret["status"], &secret["channels"]), (&json!("draft"), &json!([])));
        assert_eq!((&secret["vendor"], &secret["tags"]), (&json!("V"), &json!(["a", "b"])));
        assert_eq!(secret["media"].as_array().unwrap().len(), 2);
        let elsewhere = br#"{"type":"product","handle":"other","channels":["eu","other"],"attributes":{"a":"b"},"metadata":{"m":1},"variants":[]}"#;
        assert_eq!(place.jsonl(elsewhere).updated, 1);
        let again = place.shopify(split);
        assert_eq!((again.updated, again.unchanged), (0, 2), "{:#?}", again.told);
        let prices = "Handle,Title,Option1 Value,Variant SKU,Variant Price\nsecret,Secret,Default Title,SEC,12\nother,,,OTH,11\n";
        assert_eq!(place.shopify(prices).updated, 2);
        let mut wanted = secret;
        wanted["variants"][0]["prices"][0]["amount"] = json!(1200);
        assert_eq!(place.product("secret"), wanted);
        assert_eq!(place.product("other")["channels"], json!(["eu", "other"]));
        assert_eq!(place.product("other")["metadata"], json!({ "m": 1 }));
        // What is new and says neither is shown nowhere.
        let fresh = place.shopify("Handle,Title,Variant SKU,Variant Price\nfresh,Fresh,FRE,12\n");
        assert_eq!(place.product("fresh")["status"], json!("draft"));
        assert!(
            fresh.told.contains(
                &"New products without a Status and a Published: 1; they are drafts, to be shown in eu once they are active.".to_owned()
            ),
            "{:#?}", fresh.told
        );
        let hidden = place.shopify("Handle,Published\nother,FALSE\n");
        assert_eq!((hidden.updated, place.product("other")["channels"].clone()), (1, json!(["other"])));
    }

    fn a_shopify_file_without_options_means_what_its_skus_name(kind) {
        let place = Place::ready(kind);
        place.shopify(
            "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price,Status\n\
             tee,Tee,Size,S,T-S,10,active\ntee,,,M,T-M,10,\none,One,Size,S,O-S,10,active\n",
        );
        let mut wanted = [place.product("tee"), place.product("one")];
        let prices = place.shopify("Handle,Variant SKU,Variant Price\ntee,T-S,12\ntee,T-M,13\none,O-S,14\n");
        assert_eq!((prices.updated, prices.refused), (2, 0), "{:#?}", prices.told);
        for (product, variant, amount) in [(0, 0, 1200), (0, 1, 1300), (1, 0, 1400)] {
            wanted[product]["variants"][variant]["prices"][0]["amount"] = json!(amount);
        }
        assert_eq!([place.product("tee"), place.product("one")], wanted);
        let unknown = place.shopify("Handle,Variant SKU,Variant Price\ntee,T-XL,12\n");
        assert_eq!((unknown.updated, unknown.refused), (0, 1));
        assert!(unknown.told.iter().any(|t| t.contains("no SKU of a variant that the shop has")), "{:#?}", unknown.told);
        assert_eq!(place.product("tee"), wanted[0]);
    }

    fn what_is_not_taxed_in_a_shopify_file_is_not_taxed_here(kind) {
        let place = Place::ready(kind);
        let file = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price,Variant Taxable,Gift Card,Status\n\
            bread,Bread,Title,Default Title,BREAD,100.00,FALSE,,active\n\
            gift,Gift card,Denominations,50,GC50,50.00,TRUE,true,active\n\
            cake,Cake,Title,Default Title,CAKE,9,,,\n\
            mixed,Mixed,Size,S,MS,9,TRUE,,\n\
            mixed,,,M,MM,9,FALSE,,\n\
            sly,Sly,Title,Default Title,SLY,9,untaxed?,,unlisted\n";
        let outcome = place.shopify(file);
        assert_eq!((outcome.created, outcome.refused), (5, 0), "{:#?}", outcome.told);
        let class = |handle: &str| place.product(handle)["taxClass"].clone();
        assert_eq!(["bread", "gift", "cake", "mixed", "sly"].map(class), ["exempt", "exempt", "standard", "standard", "standard"]);
        assert_eq!((&place.product("gift")["kind"], &place.product("sly")["status"]), (&json!("gift_card"), &json!("draft")));
        let told = |text: &str| assert!(outcome.told.iter().any(|t| t == text), "{text}: {:#?}", outcome.told);
        told("The tax class exempt is new, for what is not taxed.");
        told("line 5: mixed: Not all of its variants are said to be untaxed; all of them are taxed.");
        told("line 7: Variant Taxable \"untaxed?\" is not known and taken as true, here and wherever it stands.");
        told("line 7: Status \"unlisted\" is not known and taken as draft, here and wherever it stands.");
        place.shopify("Handle,Variant SKU,Variant Price,Variant Taxable\nbread,BREAD,100,\ngift,GC50,50,\n");
        assert_eq!(["bread", "gift"].map(class), ["exempt", "exempt"]);
        place.shopify("Handle,Variant SKU,Variant Price,Variant Taxable\nbread,BREAD,100,TRUE\n");
        assert_eq!(class("bread"), "standard");
        // Of what is not said nothing is taken to be untaxed.
        place.shopify("Handle,Option1 Value,Variant SKU,Variant Price,Variant Taxable\nmixed,S,MS,9,FALSE\n");
        place.shopify("Handle,Option1 Value,Variant SKU,Variant Price,Variant Taxable\nmixed,S,MS,9,FALSE\nmixed,M,MM,9,\n");
        assert_eq!(class("mixed"), "standard");
        place.shopify("Handle,Option1 Value,Variant SKU,Variant Price,Variant Taxable\nmixed,S,MS,9,FALSE\nmixed,M,MM,9,FALSE\n");
        assert_eq!(class("mixed"), "exempt");
        place.shopify("Handle,Option1 Value,Variant SKU,Variant Price,Variant Taxable\nmixed,S,MS,8,FALSE\n");
        assert_eq!(class("mixed"), "exempt");
        let taxed = br#"{"type":"taxZone","handle":"de","name":"DE","countries":["DE"],"rates":[{"class":"exempt","name":"VAT","rate":"19"}]}"#;
        assert_eq!(place.jsonl(taxed).created, 1);
        let mut report = Report::to(|_| {});
        let options = shopify::Options { channel: "eu".into(), location: None, set_stock: false, archive_missing_variants: false };
        let error = block_on(async { shopify::import(&place.cx, file.as_bytes(), &options, &mut report).await }).unwrap_err();
        assert!(error.detail.contains("the tax zone de charges a rate"), "{error}");
    }

    fn stock_of_a_shopify_file_is_opened_once(kind) {
        let place = Place::ready(kind);
        let file = "Handle,Title,Variant SKU,Variant Inventory Tracker,Variant Inventory Qty,Variant Price\n\
            mug,Mug,MUG,shopify,15,9\ncup,Cup,CUP,shopify,-3,9\n";
        let first = place.shopify(file);
        assert!(first.told.contains(&"line 3: CUP: a stock of -3 is taken as 0.".to_owned()), "{:#?}", first.told);
        let on_hand = |handle: &str| place.product(handle)["variants"][0]["stock"][0]["onHand"].clone();
        assert_eq!([on_hand("mug"), on_hand("cup")], [15, 0]);
        place.jsonl(br#"{"type":"product","handle":"mug","variants":[{"sku":"MUG","stock":[{"location":"wh","onHand":10}]}]}"#);
        let again = place.shopify(file);
        assert_eq!((again.updated, again.unchanged, on_hand("mug")), (0, 2, json!(10)));
        assert!(
            again.told.contains(&"Variants that keep the stock they have, which is not the file's: 1; --set-stock takes the file's.".to_owned()),
            "{:#?}", again.told
        );
        let set = place.shopify_with(file, true, false);
        assert_eq!((set.updated, on_hand("mug")), (1, json!(15)));
    }

    fn skus_that_a_shopify_file_lacks_or_repeats_are_made_and_stay(kind) {
        let place = Place::ready(kind);
        let long = "x".repeat(255);
        let file = format!(
            "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price\n\
            tee,Tee,Цвет,Красный,,10\ntee,,,Синий,,10\n\
            glasses,Glasses,Power,+1.00,,10\nglasses,,,-1.00,,10\n\
            blouse,Blouse,Size,2,M-1,10\nblouse,,,4,M-1,10\nblouse,,,6,M-1,10\n\
            hat,Hat,Title,Default Title,M-2,10\ncap,Cap,Title,Default Title,M-2,10\n\
            чашка,Cup,Title,Default Title,,10\nPlain Thing!,Thing,Title,Default Title,,10\n{long},Long,Size,S,,10\n"
        );
        let first = place.shopify(&file);
        assert_eq!((first.created, first.refused), (8, 0), "{:#?}", first.told);
        let skus = |handle: &str| -> Vec<String> {
            let product = place.product(handle);
            let variants = product["variants"].as_array().unwrap();
            variants.iter().map(|v| v["sku"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!((skus("tee").len(), skus("glasses").len(), skus("blouse").len()), (2, 2, 3));
        assert_eq!((skus("plain-thing"), skus("чашка")), (vec!["plain-thing".to_owned()], vec!["чашка".to_owned()]));
        assert!(skus("blouse")[1].starts_with("M-1-4-") && skus("cap")[0].starts_with("M-2-cap-"));
        let told: Vec<&String> = first.told.iter().filter(|t| t.contains("blouse")).collect();
        assert_eq!(told, [&format!("line 6: blouse: Its SKUs stand on several variants; here they are {}.", skus("blouse").join(", "))]);
        let again = place.shopify(&file);
        assert_eq!((again.unchanged, again.created + again.updated + again.refused), (8, 0), "{:#?}", again.told);
        // A price list without SKUs finds variants by their options.
        let list = "Handle,Option1 Value,Variant Price\ntee,Синий,12\n";
        let priced = place.shopify(list);
        assert_eq!((priced.updated, priced.refused), (1, 0), "{:#?}", priced.told);
        let tee = place.product("tee");
        assert_eq!([&tee["variants"][0], &tee["variants"][1]].map(|v| v["prices"][0]["amount"].clone()), [1000, 1200]);
        // A SKU of another product of the shop.
        let taken = place.shopify("Handle,Title,Variant SKU,Variant Price\nnew,New,plain-thing,1\n");
        assert_eq!((taken.refused, taken.told[0].as_str()), (1, "line 2: new: The SKU plain-thing is another product's."));
    }

    fn a_variant_that_a_shopify_file_drops_is_sold_until_it_is_archived(kind) {
        let place = Place::ready(kind);
        let both = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price,Published\ntee,Tee,Color,Red,T-R,10,true\ntee,,,Blue,T-B,10,\n";
        let dropped = "Handle,Title,Option1 Name,Option1 Value,Variant SKU,Variant Price\ntee,Tee,Color,Red,T-R,10\n";
        let status = |sku: usize| place.product("tee")["variants"][sku]["status"].clone();
        place.shopify(both);
        let kept = place.shopify(dropped);
        assert_eq!((kept.unchanged, kept.refused), (1, 0), "{:#?}", kept.told);
        assert_eq!(kept.told, ["line 2: tee: Not in the file and still on sale: T-B; --archive-missing-variants takes it out of sale."]);
        let gone = place.shopify_with(dropped, false, true);
        assert_eq!((gone.updated, gone.refused), (1, 0), "{:#?}", gone.told);
        assert_eq!((status(0), status(1)), (json!("active"), json!("archived")));
        assert_eq!(place.product("tee")["options"], json!([{ "name": "Color", "values": ["Red"] }]));
        assert_eq!(place.shopify_with(dropped, false, true).unchanged, 1);
        // A row that names no variant says nothing of them.
        let seo = place.shopify_with("Handle,SEO Title\ntee,Tees\n", false, true);
        assert_eq!((seo.updated, seo.refused, status(0)), (1, 0, json!("active")), "{:#?}", seo.told);
        let noted = place.shopify(both);
        assert!(noted.told.contains(&"line 3: T-B is archived and stays so.".to_owned()), "{:#?}", noted.told);
        assert_eq!(status(1), json!("archived"));
        place.shopify_with(both, false, true);
        assert_eq!(status(1), json!("active"));
        // Other options: what is left of the old ones cannot stay, and one sentence says so.
        let sized = "Handle,Title,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,Variant Price\ntee,Tee,Color,Red,Size,S,T-R-S,10\n";
        let refused = place.shopify(sized);
        assert_eq!(refused.told, ["line 2: tee: On sale and not in the file: T-R, T-B, with option values of another variant or other options; \
            --archive-missing-variants takes what is not in the file out of sale."]);
        let outcome = place.shopify_with(sized, false, true);
        assert_eq!((outcome.updated, outcome.refused), (1, 0), "{:#?}", outcome.told);
    }

    fn a_shopify_file_of_many_shapes_loses_no_product(kind) {
        let place = Place::ready(kind);
        let header = "Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,\
            Variant Grams,Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,Variant Fulfillment Service,Variant Price,\
            Variant Compare At Price,Variant Requires Shipping,Variant Taxable,Variant Barcode,Image Src,Image Position,Image Alt Text,Gift Card,\
            SEO Title,SEO Description,Variant Image,Variant Weight Unit,Cost per item,Status";
        let mut file = header.to_owned();
        let shapes: [fn(usize) -> String; 7] = [
            |n| format!("p{n},Plain {n},<style>x</style><p>Caf&eacute;</p>,V,T,\"a, b\",TRUE,Title,Default Title,,,P{n},100.5,shopify,3,deny,manual,9.95,12.00,TRUE,TRUE,'0012,https://x.example/{n}.jpg,1,Alt,FALSE,S,D,,kg,3,active"),
            |n| format!("o{n},Options {n},,V,,,TRUE,Size,S,Color,Red,,0,,0,continue,manual,5,,TRUE,FALSE,,https://x.example/{n}.jpg,1,,FALSE,,,https://x.example/{n}-s.jpg,g,,active\ro{n},,,,,,,,M,,Red,,0,,0,continue,manual,5,,TRUE,FALSE,,https://x.example/{n}-2.jpg,2,,,,,,g,,"),
            |n| format!("крем-{n},Крем {n},,,,,,Title,Default Title,,,,,,,,,1.5,,,,,,,,,,,,,,draft"),
            |n| format!("{}-{n},Long {n},,,,,,Title,Default Title,,,,,,,,,1.5,,,,,,,,,,,,,,", "long".repeat(40)),
            |n| format!("g{n},Gift {n},,,,,FALSE,Value,10,,,,,,,,,10,,,,,,,,TRUE,,,,,,active\rg{n},,,,,,,,20,,,,,,,,,20,,,,,,,,,,,,,,"),
            |n| format!("d{n},Same {n},,,,,TRUE,Size,S,,,STYLE-{n},,shopify,1,deny,,10,,,,,,,,,,,,,,unlisted\rd{n},,,,,,,,M,,,STYLE-{n},,shopify,1,deny,,10,,,,,,,,,,,,,,"),
            |n| format!("Spaced Name {n},Spaced {n},,,,,TRUE,,,,,,,,,,,,,,,,not a url,,,,,,,,,archived"),
        ];
        for n in 0..50 {
            for shape in shapes {
                file.push('\r');
                file.push_str(&shape(n));
            }
        }
        let outcome = place.shopify(&file);
        assert_eq!((outcome.created, outcome.refused), (350, 0), "{:#?}", &outcome.told[..outcome.told.len().min(20)]);
        assert!(outcome.told.contains(&"Columns that are not used: Variant Fulfillment Service, Variant Weight Unit, Cost per item.".to_owned()));
        let again = place.shopify(&file);
        assert_eq!((again.created, again.updated, again.unchanged, again.refused), (0, 0, 350, 0));
        let plain = place.product("p7");
        assert_eq!((&plain["description"], &plain["seoTitle"], &plain["productType"]), (&json!("Café"), &json!("S"), &json!("T")));
        assert_eq!(place.product("o7")["variants"][0]["media"], json!([{ "url": "https://x.example/7-s.jpg", "alt": "" }]));
        assert_eq!(place.product("o7")["media"].as_array().unwrap().len(), 3);
    }

    fn the_example_is_a_shop_with_every_kind_of_line(kind) {
        let place = Place::new(kind);
        let outcome = place.jsonl(jsonl::EXAMPLE.as_bytes());
        assert_eq!((outcome.created, outcome.told), (10, Vec::new()));
        assert_eq!(place.jsonl(jsonl::EXAMPLE.as_bytes()).unchanged, 10);
        let kinds = |text: &str| -> std::collections::BTreeSet<String> {
            let lines = text.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
            lines.map(|l| l["type"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(kinds(jsonl::EXAMPLE), kinds(&place.export()));
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

    fn two_handles_of_a_shopify_file_that_would_be_one_are_refused(kind) {
        let place = Place::ready(kind);
        let file = "Handle,Title,Variant SKU,Variant Price\n3/4 pipe,Pipe,A,1\n3-4-pipe,Other,B,2\nCap,Cap,C,3\ncap,,C,3\n";
        let outcome = place.shopify(file);
        assert_eq!((outcome.created, outcome.refused), (1, 1), "{:#?}", outcome.told);
        let wanted = "line 3: 3-4-pipe: Its handle 3-4-pipe would be that of \"3/4 pipe\" and of \"3-4-pipe\".";
        assert!(outcome.told.iter().any(|t| t.starts_with(wanted)), "{:#?}", outcome.told);
    }

    fn a_tax_zone_keeps_what_its_line_leaves_out(kind) {
        let place = Place::new(kind);
        place.jsonl(demo::SHOP.as_bytes());
        place.jsonl(br#"{"type":"taxZone","handle":"ny","name":"NY","countries":["US"],"regions":["US-NY"],"rates":[{"class":"standard","name":"Tax","rate":"8.875"}]}"#);
        let before = place.export();
        let renamed = place.jsonl(br#"{"type":"taxZone","handle":"ny","name":"New York","countries":["US"]}"#);
        assert_eq!((renamed.updated, renamed.refused), (1, 0), "{:#?}", renamed.told);
        assert_eq!(place.export(), before.replace("\"name\":\"NY\"", "\"name\":\"New York\""));
        let emptied = place.jsonl(br#"{"type":"taxZone","handle":"ny","name":"New York","countries":["US"],"rates":[]}"#);
        assert_eq!(emptied.updated, 1);
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
        assert_eq!((first.created, first.refused, first.left_out), (2, 0, 1));
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
            let options = shopify::Options {
                channel: "eu".into(),
                location: Some("berlin".into()),
                set_stock: false,
                archive_missing_variants: false,
            };
            shopify::import(cx, file.as_bytes(), &options, report).await
        });
        assert_eq!(outcome.created, 2, "{:#?}", outcome.told);
        let exported = place.export();
        assert!(exported.contains("CAP-M") && exported.contains("MAT") && !exported.contains("BAG-M"));
        assert!(outcome.told.iter().any(|t| t.starts_with("line 4: bag: \"1.999\" has more decimals")), "{:#?}", outcome.told);
        assert_eq!(outcome.refused, 2, "one sentence for a product: {:#?}", outcome.told);
    }
}
