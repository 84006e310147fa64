//! Made-up products: the n-th is the same every time and everywhere.

use serde_json::Value;

use crate::domain::catalog::{
    NewOption, ProductKind, ProductStatus, StockPolicy, UpsertPrice, UpsertProduct, UpsertStock,
    UpsertVariant,
};
use crate::kernel::Document;
use crate::kernel::money::Minor;

const MAKES: &[&str] = &[
    "Fell", "Harbour", "Kestrel", "Lichen", "Mire", "Northing", "Otter", "Pennine", "Quarry",
    "Rowan", "Skerry", "Tarn", "Umber", "Vale", "Wren", "Yarrow", "Alder", "Burn", "Cairn",
    "Drover",
];
const STUFF: &[&str] = &[
    "Wool", "Canvas", "Steel", "Cork", "Linen", "Merino", "Waxed", "Oak", "Enamel", "Hemp", "Felt",
    "Bamboo", "Copper", "Recycled", "Titanium",
];

/// A kind of thing: its noun, its category, its tax class, grams, and the lowest and highest price.
struct Thing(&'static str, &'static str, &'static str, i64, i64, i64);

const THINGS: &[Thing] = &[
    Thing("Tent", "camp", "standard", 2400, 14_900, 54_900),
    Thing("Stove", "camp", "standard", 380, 3900, 12_900),
    Thing("Lantern", "camp", "standard", 260, 1900, 7900),
    Thing("Rucksack", "packs-bags", "standard", 1100, 5900, 21_900),
    Thing("Dry Bag", "packs-bags", "standard", 140, 990, 3900),
    Thing("Jumper", "layers", "standard", 420, 4900, 15_900),
    Thing("Shell Jacket", "layers", "standard", 390, 8900, 34_900),
    Thing("Trousers", "layers", "standard", 440, 5900, 16_900),
    Thing("Socks", "accessories", "standard", 80, 890, 2900),
    Thing("Hat", "accessories", "standard", 95, 1490, 4900),
    Thing("Gloves", "accessories", "standard", 110, 1900, 6900),
    Thing("Bowl", "kitchen-table", "standard", 330, 990, 3900),
    Thing(
        "Chopping Board",
        "kitchen-table",
        "standard",
        900,
        1900,
        6900,
    ),
    Thing("Mug", "kitchen-table", "standard", 210, 890, 2900),
    Thing("Blanket", "living", "standard", 1300, 3900, 18_900),
    Thing("Candle", "living", "standard", 300, 990, 3400),
    Thing("Coffee", "coffee-snacks", "food", 250, 790, 1690),
    Thing("Trail Bar", "coffee-snacks", "food", 55, 190, 490),
    Thing("Route Guide", "guides-gifts", "books", 220, 990, 2490),
    Thing("Notebook", "guides-gifts", "standard", 160, 590, 1990),
];
const COLOURS: &[&str] = &["Slate", "Fern", "Clay", "Ink", "Oat", "Rust", "Moss", "Sky"];
const SIZES: &[&str] = &["S", "M", "L", "XL"];

/// `SplitMix64`: small, fast, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`.
    fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high.saturating_sub(low))
            .unwrap_or(0)
            .saturating_add(1);
        low.saturating_add(i64::try_from(self.roll() % span).unwrap_or(0))
    }

    fn place(&mut self, length: usize) -> usize {
        let length = u64::try_from(length.max(1)).unwrap_or(1);
        usize::try_from(self.roll() % length).unwrap_or(0)
    }

    fn pick<'a, T>(&mut self, list: &'a [T], fallback: &'a T) -> &'a T {
        list.get(self.place(list.len())).unwrap_or(fallback)
    }
}

/// The `number`-th product.
pub fn product(number: u64) -> UpsertProduct {
    let mut dice = Dice(number.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let thing = dice.pick(THINGS, &THINGS[0]);
    let make = *dice.pick(MAKES, &"Fell");
    let stuff = *dice.pick(STUFF, &"Wool");
    let title = format!("{make} {stuff} {}", thing.0);
    let euro = ending(dice.between(thing.4, thing.5));
    let first = dice.place(COLOURS.len());
    let (option, values): (&str, Vec<&str>) = match dice.between(1, 4) {
        1 => ("", Vec::new()),
        n => {
            let (name, list) = if number.is_multiple_of(3) {
                ("Size", SIZES)
            } else {
                ("Colour", COLOURS)
            };
            let from = if name == "Size" { 0 } else { first };
            let count = usize::try_from(n).unwrap_or(1);
            (
                name,
                (0..count)
                    .filter_map(|i| list.get((from + i) % list.len()).copied())
                    .collect(),
            )
        }
    };
    let count = values.len().max(1);
    let variants = (0..count).map(|i| {
        variant(
            &mut dice,
            number,
            i,
            values.get(i).map(|v| (option, *v)),
            thing,
            euro,
        )
    });
    UpsertProduct {
        handle: format!("{}-{number}", super::super::retail::slug(&title)),
        description: Some(format!(
            "{title}, made to last and to be mended. Number {number} of the made-up range."
        )),
        title: Some(title),
        status: Some(ProductStatus::Active),
        kind: Some(ProductKind::Physical),
        options: Some(if values.is_empty() {
            Vec::new()
        } else {
            vec![NewOption {
                name: option.to_owned(),
                values: values.iter().map(ToString::to_string).collect(),
            }]
        }),
        attributes: Some(Document(serde_json::Map::from_iter([
            ("material".to_owned(), Value::from(stuff)),
            ("make".to_owned(), Value::from(make)),
        ]))),
        media: Some(Vec::new()),
        categories: Some(vec![thing.1.to_owned()]),
        tax_class: Some(thing.2.to_owned()),
        metadata: Some(Document::default()),
        private_metadata: None,
        channels: Some(vec!["eu".to_owned(), "uk".to_owned()]),
        variants: variants.collect(),
        ..UpsertProduct::default()
    }
}

fn variant(
    dice: &mut Dice,
    number: u64,
    place: usize,
    value: Option<(&str, &str)>,
    thing: &Thing,
    euro: i64,
) -> UpsertVariant {
    let price = |channel: &str, amount| UpsertPrice {
        channel: channel.to_owned(),
        currency: None,
        amount: Minor(amount),
        compare_at_amount: None,
    };
    let stock = |location: &str, on_hand| UpsertStock {
        location: location.to_owned(),
        on_hand,
    };
    let options = value.map(|(name, value)| (name.to_owned(), Value::from(value)));
    UpsertVariant {
        sku: format!("GEN-{number:07}-{}", place + 1),
        options: Some(Document(options.into_iter().collect())),
        weight_grams: Some(thing.3),
        requires_shipping: Some(true),
        stock_policy: Some(StockPolicy::Deny),
        prices: vec![price("eu", euro), price("uk", ending(euro * 87 / 100))],
        stock: vec![
            stock("berlin", dice.between(0, 60)),
            stock("leeds", dice.between(0, 25)),
        ],
        ..UpsertVariant::default()
    }
}

/// A price as shops have them: ending in 90.
fn ending(amount: i64) -> i64 {
    (amount / 100 * 100 + 90).max(90)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_is_the_same_product() {
        let text = |n| serde_json::to_string(&product(n)).unwrap();
        assert_eq!(text(41), text(41));
        assert_ne!(text(41), text(42));
    }

    #[test]
    fn products_are_believable() {
        for number in 0..2000 {
            let product = product(number);
            assert!((1..=4).contains(&product.variants.len()), "{product:?}");
            for variant in &product.variants {
                assert!(
                    variant.prices.iter().all(|p| p.amount.0 % 100 == 90),
                    "{product:?}"
                );
            }
        }
    }
}
