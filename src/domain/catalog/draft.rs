//! A product as it is to be: what an input says, checked, before anything is written.

use std::collections::HashSet;

use super::attributes;
use super::model::{
    Media, NewMedia, NewOption, NewOptionValue, NewVariant, OptionValue, ProductKind,
    ProductOption, ProductRow, StockPolicy, VariantRow, VariantStatus,
};
use crate::kernel::ids::{ProductId, VariantId};
use crate::kernel::{Checks, Json, Metadata, Timestamp};

/// The most active variants a product may have.
pub const MAX_VARIANTS: usize = 100;

/// Complains about a product that cannot be.
pub fn check_product(checks: &mut Checks, at: &str, product: &ProductRow) {
    checks
        .that(
            is_handle(&product.handle),
            format!("{at}/handle"),
            "invalid_handle",
            "A product's handle has 1 to 255 lower-case letters of any script, digits, hyphens, points and underscores.",
        )
        .text(format!("{at}/title"), &product.title, 300)
        .that(
            product.description.chars().count() <= 20_000,
            format!("{at}/description"),
            "too_long",
            "At most 20000 characters.",
        )
        .that(
            product.tags.len() <= 250,
            format!("{at}/tags"),
            "too_many",
            "At most 250 tags.",
        )
        .that(
            product.category_ids.len() <= 50,
            format!("{at}/categoryIds"),
            "too_many",
            "At most 50 categories.",
        )
        .that(
            product.options.len() <= 5,
            format!("{at}/options"),
            "too_many",
            "At most 5 options.",
        );
    attributes::check(checks, &format!("{at}/attributes"), &product.attributes);
    check_media(checks, &format!("{at}/media"), &product.media);
    for (name, text, max) in [
        ("vendor", &product.vendor, 200),
        ("productType", &product.product_type, 200),
        ("seoTitle", &product.seo_title, 300),
        ("seoDescription", &product.seo_description, 2000),
    ] {
        checks.that(
            text.chars().count() <= max,
            format!("{at}/{name}"),
            "too_long",
            format!("At most {max} characters."),
        );
    }
    for (i, tag) in product.tags.iter().enumerate() {
        checks.text(format!("{at}/tags/{i}"), tag, 255);
    }
    let mut names = HashSet::new();
    for (i, option) in product.options.iter().enumerate() {
        let unique: HashSet<&String> = option.values.iter().collect();
        for (j, value) in option.values.iter().enumerate() {
            checks.text(format!("{at}/options/{i}/values/{j}"), value, 200);
        }
        checks
            .text(format!("{at}/options/{i}/name"), &option.name, 100)
            .count(format!("{at}/options/{i}/values"), option.values.len(), 200)
            .that(
                names.insert(&option.name),
                format!("{at}/options/{i}/name"),
                "duplicate",
                "Stands twice.",
            )
            .that(
                unique.len() == option.values.len(),
                format!("{at}/options/{i}/values"),
                "duplicate",
                "A value stands twice.",
            );
    }
}

/// Whether a product can be called so: its handle is a part of URLs, in whatever script the shop writes.
pub fn is_handle(text: &str) -> bool {
    (1..=255).contains(&text.chars().count())
        && !text.starts_with(['-', '.'])
        && !text.ends_with(['-', '.'])
        && text.chars().all(|c| {
            if c.is_ascii() {
                c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.')
            } else {
                !c.is_whitespace() && !c.is_control() && !c.is_uppercase()
            }
        })
}

fn check_media(checks: &mut Checks, at: &str, media: &[Media]) {
    checks.that(media.len() <= 250, at, "too_many", "At most 250 media.");
    for (i, medium) in media.iter().enumerate() {
        let good = ["https://", "http://", "/"]
            .iter()
            .any(|p| medium.url.starts_with(p))
            && medium.url.len() <= 2000;
        checks.that(
            good,
            format!("{at}/{i}/url"),
            "invalid_url",
            "Must be an http(s) URL or an absolute path.",
        );
        checks.that(
            medium.alt.chars().count() <= 1000,
            format!("{at}/{i}/alt"),
            "too_long",
            "At most 1000 characters.",
        );
    }
}

/// Complains about variants that cannot be those of a product with these options. Archived ones need not fit them, but at
/// least one must be sold.
pub fn check_variants(
    checks: &mut Checks,
    at: &str,
    options: &[ProductOption],
    variants: &[VariantRow],
) {
    let active = |v: &&VariantRow| v.status == VariantStatus::Active;
    checks.count(at, variants.iter().filter(active).count(), MAX_VARIANTS);
    let (mut skus, mut combinations) = (HashSet::new(), HashSet::new());
    for (i, variant) in variants.iter().enumerate() {
        let at = format!("{at}/{i}");
        check_variant(checks, &at, variant);
        checks.that(
            skus.insert(variant.sku.as_str()),
            format!("{at}/sku"),
            "duplicate",
            "This SKU stands twice.",
        );
        if !active(&variant) {
            continue;
        }
        let combination: Vec<&str> = variant
            .option_values
            .iter()
            .map(|v| v.value.as_str())
            .collect();
        checks
            .that(
                fits(options, variant),
                format!("{at}/optionValues"),
                "options",
                "Must have exactly one of the listed values of each of the product's options.",
            )
            .that(
                combinations.insert(combination),
                format!("{at}/optionValues"),
                "duplicate",
                "Another variant has the same option values.",
            );
    }
}

/// Whether a variant has exactly one of the listed values of each option.
pub fn fits(options: &[ProductOption], variant: &VariantRow) -> bool {
    let values = &variant.option_values;
    values.len() == options.len()
        && values.iter().zip(options).all(|(value, option)| {
            value.name == option.name && option.values.contains(&value.value)
        })
}

/// Complains about a variant that cannot be.
pub fn check_variant(checks: &mut Checks, at: &str, variant: &VariantRow) {
    let limited = variant.stock_policy == StockPolicy::Backorder;
    checks
        .text(format!("{at}/sku"), &variant.sku, 100)
        .that(
            variant
                .barcode
                .as_ref()
                .is_none_or(|b| !b.is_empty() && b.len() <= 64),
            format!("{at}/barcode"),
            "invalid_barcode",
            "Has 1 to 64 characters.",
        )
        .range(
            format!("{at}/weightGrams"),
            variant.weight_grams,
            0,
            100_000_000,
        )
        .that(
            variant.backorder_limit.is_some() == limited,
            format!("{at}/backorderLimit"),
            "backorder_limit",
            "Is needed where the stock policy is `backorder`, and only there.",
        )
        .range(
            format!("{at}/backorderLimit"),
            variant.backorder_limit.unwrap_or(0),
            0,
            1_000_000,
        );
    check_media(checks, &format!("{at}/media"), &variant.media);
}

/// A row for a new variant; its option values come in the order of the product's options.
pub fn variant_row(
    product: &ProductRow,
    new: &NewVariant,
    id: VariantId,
    position: usize,
    now: Timestamp,
) -> VariantRow {
    let option_values = ordered(&product.options, &new.option_values);
    VariantRow {
        id,
        product_id: product.id,
        sku: new.sku.clone(),
        barcode: new.barcode.clone(),
        title: title(&option_values),
        option_values: Json(option_values),
        position: i64::try_from(position).unwrap_or(i64::MAX),
        weight_grams: new.weight_grams.unwrap_or(0),
        requires_shipping: new
            .requires_shipping
            .unwrap_or(needs_shipping(product.kind)),
        stock_policy: new.stock_policy.unwrap_or(StockPolicy::Deny),
        backorder_limit: new.backorder_limit,
        metadata: Metadata::new(new.metadata.as_ref(), new.private_metadata.as_ref()),
        version: 1,
        created_at: now,
        updated_at: now,
        status: new.status.unwrap_or(VariantStatus::Active),
        media: media(&new.media),
    }
}

/// Whether things of this kind are sent unless somebody says otherwise.
pub fn needs_shipping(kind: ProductKind) -> bool {
    matches!(kind, ProductKind::Physical | ProductKind::Bundle)
}

/// The values in the order of the options; what fits no option comes last, to be complained about.
pub fn ordered(options: &[ProductOption], values: &[NewOptionValue]) -> Vec<OptionValue> {
    let mut values: Vec<OptionValue> = values
        .iter()
        .map(|v| OptionValue {
            name: v.name.clone(),
            value: v.value.clone(),
        })
        .collect();
    values.sort_by_key(|v| {
        options
            .iter()
            .position(|o| o.name == v.name)
            .unwrap_or(usize::MAX)
    });
    values
}

/// `M / Fern`
pub fn title(values: &[OptionValue]) -> String {
    values
        .iter()
        .map(|v| v.value.as_str())
        .collect::<Vec<_>>()
        .join(" / ")
}

/// Options as they are kept.
pub fn options(new: &[NewOption]) -> Json<Vec<ProductOption>> {
    Json(
        new.iter()
            .map(|o| ProductOption {
                name: o.name.clone(),
                values: o.values.clone(),
            })
            .collect(),
    )
}

/// Media as they are kept.
pub fn media(new: &[NewMedia]) -> Json<Vec<Media>> {
    Json(
        new.iter()
            .map(|m| Media {
                url: m.url.clone(),
                alt: m.alt.clone(),
            })
            .collect(),
    )
}

/// A product without a past.
pub fn blank(
    id: ProductId,
    now: Timestamp,
    tax_class_id: crate::kernel::ids::TaxClassId,
) -> ProductRow {
    ProductRow {
        id,
        handle: String::new(),
        title: String::new(),
        description: String::new(),
        status: super::ProductStatus::Draft,
        kind: ProductKind::Physical,
        options: Json::default(),
        attributes: Json::default(),
        media: Json::default(),
        category_ids: Json::default(),
        channel_ids: Json::default(),
        tax_class_id,
        metadata: Json::default(),
        sort_title: String::new(),
        search_text: String::new(),
        version: 0,
        created_at: now,
        updated_at: now,
        vendor: String::new(),
        product_type: String::new(),
        tags: Json::default(),
        seo_title: String::new(),
        seo_description: String::new(),
    }
}

/// Fills in what a product is sorted and found by.
pub fn index<'a>(product: &mut ProductRow, skus: impl Iterator<Item = &'a str>) {
    product.sort_title = product.title.to_lowercase();
    let mut text = format!("{} {}", product.sort_title, product.handle);
    for sku in skus {
        text.push(' ');
        text.push_str(&sku.to_lowercase());
    }
    product.search_text = text;
}
