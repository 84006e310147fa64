//! The transactions of a real shop ("Online Retail", UCI), where the file is there: every invoice an order, and the sums agree
//! to the penny. The file is not in the repository.

#[path = "../../benches/replay/retail.rs"]
mod retail;

use std::path::PathBuf;

use crate::support::database::postgres_url;

fn file() -> Option<PathBuf> {
    let beside = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/data/online-retail.csv"
    );
    let path = std::env::var_os("RETAIL_CSV").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    path.exists().then_some(path)
}

#[test]
fn a_real_shop_s_orders_agree_to_the_penny_on_sqlite() {
    if let Some(path) = file() {
        retail::replay(&path, None, 8).unwrap();
    }
}

#[test]
fn a_real_shop_s_orders_agree_to_the_penny_on_postgres() {
    if let (Some(path), Some(server)) = (file(), postgres_url()) {
        retail::replay(&path, Some(&server), 8).unwrap();
    }
}
