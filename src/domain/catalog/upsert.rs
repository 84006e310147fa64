//! Creating or changing many products at once, found by handles and SKUs: the way in for imports and for partners.
//!
//! A row that cannot be used is refused by itself and says why; the others are written. Whatever the number of rows, the
//! number of statements is the same. What a row does not say keeps its value; what has not changed is not written.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::model::{
    BulkUpsertProducts, NewMedia, NewOption, NewOptionValue, NewVariant, ProductKind,
    ProductOption, ProductRow, ProductStatus, StockPolicy, VariantRow, VariantStatus,
};
use super::{categories, draft, queries};
use crate::context::Tx;
use crate::domain::channels::{ChannelRow, Channels};
use crate::domain::inventory::{self, Locations, StockReason};
use crate::domain::pricing::{self, PriceRow};
use crate::domain::tax::Taxes;
use crate::kernel::ids::{CategoryId, LocationId, ProductId, TaxClassId, VariantId};
use crate::kernel::money::Minor;
use crate::kernel::{
    Checks, Currency, Document, Error, FieldError, Json, Metadata, Result, Timestamp,
};
use crate::operation::{Mutation, Output};
use crate::{choice, input, output};

/// The most products of a request.
pub const MAX_ROWS: usize = 100;
/// The most units a count may say.
const MAX_UNITS: i64 = 1_000_000_000;

input! {
    /// Takes a product out of sale for good.
    ArchiveProduct {
        /// The product.
        id: ProductId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
    }
    /// A product with its variants, prices and stock; everything it refers to is named by its handle.
    #[derive(Default)]
    UpsertProduct {
        /// Its name in URLs; finds the product.
        handle: String,
        /// Its name for people; needed for a new product.
        title: Option<String>,
        /// What it is.
        description: Option<String>,
        /// `active` for a new product when left out.
        status: Option<ProductStatus>,
        /// `physical` for a new product when left out; a product's kind does not change.
        kind: Option<ProductKind>,
        /// In what its variants differ. Values of variants that are sold and not named here are kept.
        options: Option<Vec<NewOption>>,
        /// Named facts.
        attributes: Option<Document>,
        /// Pictures and other media.
        media: Option<Vec<NewMedia>>,
        /// Handles of the categories it stands in.
        categories: Option<Vec<String>>,
        /// Handle of its tax class; `standard` for a new product when left out.
        tax_class: Option<String>,
        /// Who makes it; at most 200 characters.
        vendor: Option<String>,
        /// What sort of thing it is, in the shop's own words; at most 200 characters.
        product_type: Option<String>,
        /// At most 250 words to find and group it by, each of 1 to 255 characters.
        tags: Option<Vec<String>>,
        /// Its title for search engines; at most 300 characters.
        seo_title: Option<String>,
        /// Its description for search engines; at most 2000 characters.
        seo_description: Option<String>,
        /// Free data of the shop's own, which shop fronts see.
        metadata: Option<Document>,
        /// Free data of the shop's own that shop fronts do not see.
        private_metadata: Option<Document>,
        /// Handles of the channels it is published in.
        channels: Option<Vec<String>>,
        /// Its variants, found by SKU; those not named stay as they are.
        variants: Vec<UpsertVariant>,
        /// Whether variants that are not named are archived.
        #[serde(skip_serializing_if = "Option::is_none")]
        archive_missing_variants: Option<bool>,
    }
    /// A variant of a product to be created or changed.
    #[derive(Default)]
    UpsertVariant {
        /// Finds the variant.
        sku: String,
        /// Its barcode.
        barcode: Option<String>,
        /// Its value of each option: `{"Size": "M"}`.
        options: Option<Document>,
        /// Grams.
        weight_grams: Option<i64>,
        /// Whether it must be sent.
        requires_shipping: Option<bool>,
        /// What happens when there is no more.
        stock_policy: Option<StockPolicy>,
        /// How many may be sold beyond those on hand.
        backorder_limit: Option<i64>,
        /// Whether it is sold; `active` for a new variant when left out.
        status: Option<VariantStatus>,
        /// Pictures of this variant alone.
        media: Option<Vec<NewMedia>>,
        /// Free data of the shop's own, which shop fronts see.
        metadata: Option<Document>,
        /// Free data of the shop's own that shop fronts do not see.
        private_metadata: Option<Document>,
        /// Its prices; those not named stay.
        #[serde(default)]
        #[graphql(default)]
        prices: Vec<UpsertPrice>,
        /// Units on hand; locations not named stay.
        #[serde(default)]
        #[graphql(default)]
        stock: Vec<UpsertStock>,
    }
    /// A price to be set.
    UpsertPrice {
        /// Handle of the channel.
        channel: String,
        /// The channel's own when left out.
        currency: Option<Currency>,
        /// Minor units.
        amount: Minor,
        /// A higher price to compare with, in minor units.
        compare_at_amount: Option<Minor>,
    }
    /// Stock to be set.
    UpsertStock {
        /// Handle of the location.
        location: String,
        /// Units that are there.
        on_hand: i64,
    }
}

choice! {
    /// What became of a row.
    Outcome {
        /// There was no such product.
        Created = "created",
        /// The product is now as the row says.
        Updated = "updated",
        /// The product was already as the row says; nothing was written.
        Unchanged = "unchanged",
        /// Nothing was written; `errors` says why.
        Refused = "refused",
    }
}

output! {
    /// What became of each row.
    UpsertReport {
        /// How many products were created.
        created: i64,
        /// How many were changed.
        updated: i64,
        /// How many were already as the row says.
        unchanged: i64,
        /// How many rows were refused.
        refused: i64,
        /// A report for each row, in the order of the request.
        rows: Vec<UpsertRow>,
    }
    /// What became of a row.
    UpsertRow {
        /// The handle it names.
        handle: String,
        /// What became of it.
        outcome: Outcome,
        /// The product.
        #[schema(required = true)]
        product_id: Option<ProductId>,
        /// Why it was refused.
        errors: Vec<RowError>,
    }
    /// Why a row was refused.
    RowError {
        /// The field within the request, as `/products/3/variants/0/sku`.
        pointer: String,
        /// What is wrong with it, for a program.
        code: String,
        /// What is wrong with it, for a person.
        message: String,
    }
}

impl Output for UpsertReport {}

impl Mutation for BulkUpsertProducts {
    fn run(&self, tx: &mut Tx<'_>) -> Result<UpsertReport> {
        let mut checks = Checks::new();
        checks.count("/products", self.products.len(), MAX_ROWS);
        checks.done()?;
        let known = Known::load(tx, &self.products)?;
        let mut plan = Plan::default();
        let mut rows = Vec::with_capacity(self.products.len());
        for (i, product) in self.products.iter().enumerate() {
            rows.push(plan.add(&known, product, i, tx.now));
        }
        for changed in plan.write(tx)? {
            if let Some(row) = rows.get_mut(changed)
                && row.outcome == Outcome::Unchanged
            {
                row.outcome = Outcome::Updated;
            }
        }
        let count = |outcome| {
            i64::try_from(rows.iter().filter(|r| r.outcome == outcome).count()).unwrap_or(i64::MAX)
        };
        Ok(UpsertReport {
            created: count(Outcome::Created),
            updated: count(Outcome::Updated),
            unchanged: count(Outcome::Unchanged),
            refused: count(Outcome::Refused),
            rows,
        })
    }
}

/// What there is already of everything that the rows name.
struct Known {
    products: HashMap<String, ProductRow>,
    variants: HashMap<ProductId, Vec<VariantRow>>,
    skus: HashMap<String, ProductId>,
    categories: HashMap<String, CategoryId>,
    channels: Vec<Arc<ChannelRow>>,
    locations: HashMap<String, LocationId>,
    taxes: Arc<Taxes>,
}

impl Known {
    fn load(tx: &mut Tx<'_>, rows: &[UpsertProduct]) -> Result<Self> {
        let products: HashMap<String, ProductRow> =
            queries::lock_many_by_handle(tx, rows.iter().map(|r| r.handle.as_str()))?
                .into_iter()
                .map(|p| (p.handle.clone(), p))
                .collect();
        let mut variants: HashMap<ProductId, Vec<VariantRow>> = HashMap::new();
        if !products.is_empty() {
            for variant in queries::variants_of(tx, products.values().map(|p| p.id))? {
                variants
                    .entry(variant.product_id)
                    .or_default()
                    .push(variant);
            }
        }
        let named = rows
            .iter()
            .flat_map(|r| r.variants.iter().map(|v| v.sku.as_str()));
        let skus = queries::variants_by_sku(tx, named)?
            .into_iter()
            .map(|v| (v.sku, v.product_id))
            .collect();
        let named = rows
            .iter()
            .any(|r| r.categories.as_ref().is_some_and(|c| !c.is_empty()));
        Ok(Self {
            products,
            variants,
            skus,
            categories: if named {
                categories::by_handle(tx)?
            } else {
                HashMap::new()
            },
            channels: Channels::all(tx)?,
            locations: Locations::all(tx)?
                .iter()
                .map(|l| (l.handle.clone(), l.id))
                .collect(),
            taxes: tx.app().kept::<Taxes>()?,
        })
    }
}

/// Everything that is to be written.
#[derive(Default)]
struct Plan {
    products: Vec<ProductRow>,
    variants: Vec<VariantRow>,
    prices: Vec<PriceRow>,
    stock: Vec<(VariantId, LocationId, i64)>,
    /// Variants whose stock policy is another now.
    policies: Vec<VariantId>,
    handles: HashSet<String>,
    skus: HashSet<String>,
    /// The row that each variant stands in.
    owners: HashMap<VariantId, usize>,
}

impl Plan {
    /// Adds a row, or says why it cannot be used.
    fn add(
        &mut self,
        known: &Known,
        row: &UpsertProduct,
        place: usize,
        now: Timestamp,
    ) -> UpsertRow {
        let mut checks = Checks::new();
        let at = format!("/products/{place}");
        let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (i, variant) in row.variants.iter().enumerate() {
            places.entry(&variant.sku).or_default().push(i);
        }
        for (sku, places) in places {
            let (count, second) = (places.len(), places.get(1));
            checks.that(
                second.is_none(),
                format!("{at}/variants/{}/sku", second.copied().unwrap_or_default()),
                "duplicate",
                format!("The SKU {sku} stands on {count} variants."),
            );
        }
        if let Err(error) = checks.done() {
            // Which variant is meant decides everything else.
            return refused(row, error);
        }
        let draft = Draft::new(known, row, &at, now, &mut checks);
        checks.that(
            !self.handles.contains(&row.handle),
            format!("{at}/handle"),
            "duplicate",
            "This product stands in the request twice.",
        );
        for (i, variant) in row.variants.iter().enumerate() {
            let taken = known
                .skus
                .get(&variant.sku)
                .is_some_and(|owner| *owner != draft.product.id);
            let message = format!("The SKU {} is another product's.", variant.sku);
            checks.that(
                !taken && !self.skus.contains(&variant.sku),
                format!("{at}/variants/{i}/sku"),
                "taken",
                message,
            );
        }
        if let Err(error) = checks.done() {
            return refused(row, error);
        }
        self.handles.insert(row.handle.clone());
        self.skus.extend(row.variants.iter().map(|v| v.sku.clone()));
        let (outcome, product_id) = (draft.outcome, Some(draft.product.id));
        let parts = draft
            .prices
            .iter()
            .map(|p| p.variant_id)
            .chain(draft.stock.iter().map(|s| s.0));
        self.owners.extend(parts.map(|variant| (variant, place)));
        if draft.outcome != Outcome::Unchanged {
            self.products.push(draft.product);
        }
        self.variants.extend(draft.variants);
        self.prices.extend(draft.prices);
        self.stock.extend(draft.stock);
        self.policies.extend(draft.policies);
        UpsertRow {
            handle: row.handle.clone(),
            outcome,
            product_id,
            errors: Vec::new(),
        }
    }

    /// Writes what differs, and says in which rows a price or a count did.
    fn write(self, tx: &mut Tx<'_>) -> Result<Vec<usize>> {
        if !self.products.is_empty() {
            queries::save_products(tx, &self.products)?;
            queries::save_variants(tx, &self.variants)?;
            let categories: Vec<_> = self
                .products
                .iter()
                .map(|p| (p.id, p.category_ids.0.clone()))
                .collect();
            queries::set_categories(tx, &categories)?;
            let channels: Vec<_> = self
                .products
                .iter()
                .map(|p| (p.id, p.channel_ids.0.clone()))
                .collect();
            queries::set_publications(tx, &channels)?;
            tx.changed()
                .products
                .extend(self.products.iter().map(|p| p.id));
        }
        let mut changed = pricing::upsert(tx, &self.prices)?;
        changed.extend(inventory::set_on_hand(
            tx,
            &self.stock,
            StockReason::Import,
        )?);
        inventory::set_backorderable(tx, self.policies.iter().copied())?;
        tx.changed()
            .variants
            .extend(changed.iter().chain(&self.policies));
        Ok(changed
            .iter()
            .filter_map(|variant| self.owners.get(variant).copied())
            .collect())
    }
}

fn refused(row: &UpsertProduct, error: Error) -> UpsertRow {
    UpsertRow {
        handle: row.handle.clone(),
        outcome: Outcome::Refused,
        product_id: None,
        errors: error.fields.into_iter().map(RowError::from).collect(),
    }
}

/// A row made into what the database will have.
struct Draft {
    outcome: Outcome,
    product: ProductRow,
    /// The variants that are new or differ.
    variants: Vec<VariantRow>,
    prices: Vec<PriceRow>,
    stock: Vec<(VariantId, LocationId, i64)>,
    policies: Vec<VariantId>,
}

impl Draft {
    #[expect(clippy::too_many_lines, reason = "a field each")]
    fn new(
        known: &Known,
        row: &UpsertProduct,
        at: &str,
        now: Timestamp,
        checks: &mut Checks,
    ) -> Self {
        let old = known.products.get(&row.handle);
        let tax_class_id = tax_class(known, row, old, at, checks);
        let base = old.cloned().unwrap_or_else(|| ProductRow {
            handle: row.handle.clone(),
            title: row.handle.clone(),
            status: ProductStatus::Active,
            kind: row.kind.unwrap_or(ProductKind::Physical),
            ..draft::blank(ProductId::new(), now, tax_class_id)
        });
        checks.that(
            old.is_some() || row.title.is_some(),
            format!("{at}/title"),
            "required",
            "A new product needs a title.",
        );
        checks.that(
            row.kind.is_none_or(|kind| kind == base.kind),
            format!("{at}/kind"),
            "fixed",
            "A product's kind does not change.",
        );
        let existing = old
            .and_then(|old| known.variants.get(&old.id))
            .map_or(&[][..], Vec::as_slice);
        let skus: HashSet<&str> = row.variants.iter().map(|v| v.sku.as_str()).collect();
        let mut others: Vec<VariantRow> = existing
            .iter()
            .filter(|v| !skus.contains(v.sku.as_str()))
            .cloned()
            .collect();
        let (mut written, mut policies) = (Vec::new(), Vec::new());
        if row.archive_missing_variants == Some(true) {
            for other in others.iter_mut().filter(|v| is_sold(v)) {
                other.status = VariantStatus::Archived;
                other.version += 1;
                other.updated_at = now;
                written.push(other.clone());
            }
        }
        let mut product = ProductRow {
            title: row.title.clone().unwrap_or(base.title),
            description: row.description.clone().unwrap_or(base.description),
            status: row.status.unwrap_or(base.status),
            options: row.options.as_deref().map_or(base.options, |new| {
                with_values(draft::options(new), &others)
            }),
            attributes: row.attributes.clone().map_or(base.attributes, Json),
            media: row.media.as_deref().map_or(base.media, draft::media),
            category_ids: row
                .categories
                .as_ref()
                .map_or(base.category_ids, |handles| {
                    Json(resolve(
                        handles,
                        &format!("{at}/categories"),
                        "category",
                        checks,
                        |h| known.categories.get(h).copied(),
                    ))
                }),
            channel_ids: row.channels.as_ref().map_or(base.channel_ids, |handles| {
                Json(resolve(
                    handles,
                    &format!("{at}/channels"),
                    "channel",
                    checks,
                    |h| channel(known, h).map(|c| c.id),
                ))
            }),
            metadata: replaced(
                base.metadata.0,
                row.metadata.as_ref(),
                row.private_metadata.as_ref(),
            ),
            tax_class_id,
            vendor: row.vendor.clone().unwrap_or(base.vendor),
            product_type: row.product_type.clone().unwrap_or(base.product_type),
            tags: row.tags.clone().map_or(base.tags, Json),
            seo_title: row.seo_title.clone().unwrap_or(base.seo_title),
            seo_description: row.seo_description.clone().unwrap_or(base.seo_description),
            version: base.version + 1,
            updated_at: now,
            ..base
        };
        let mut named = Vec::with_capacity(row.variants.len());
        let (mut prices, mut stock) = (Vec::new(), Vec::new());
        for (i, new) in row.variants.iter().enumerate() {
            let at = format!("{at}/variants/{i}");
            let old = existing.iter().find(|v| v.sku == new.sku);
            let position = others.len() + named.len();
            let variant = variant(&product, new, old, position, now);
            check_parts(known, new, &variant, &at, checks, &mut prices, &mut stock);
            if old.is_none_or(|old| {
                *old != VariantRow {
                    version: old.version,
                    updated_at: old.updated_at,
                    ..variant.clone()
                }
            }) {
                written.push(variant.clone());
            }
            if old.is_some_and(|old| {
                (old.stock_policy, old.backorder_limit)
                    != (variant.stock_policy, variant.backorder_limit)
            }) {
                policies.push(variant.id);
            }
            named.push(variant);
        }
        draft::check_product(checks, at, &product);
        let at = format!("{at}/variants");
        let misfits = misfits(&product, &named, &others);
        let message = format!(
            "What is sold and not named, {}, does not go with these options and values; name it, or archive it with \
             archiveMissingVariants.",
            misfits.join(", ")
        );
        checks.that(misfits.is_empty(), &at, "missing_variants", message);
        if misfits.is_empty() {
            named.append(&mut others);
            draft::check_variants(checks, &at, &product.options, &named);
        }
        named.sort_by_key(|v| v.position);
        draft::index(&mut product, named.iter().map(|v| v.sku.as_str()));
        let same = |old: &ProductRow| {
            *old == ProductRow {
                version: old.version,
                updated_at: old.updated_at,
                ..product.clone()
            }
        };
        let outcome = match old {
            None => Outcome::Created,
            Some(old) if written.is_empty() && same(old) => Outcome::Unchanged,
            Some(_) => Outcome::Updated,
        };
        Self {
            outcome,
            product,
            variants: written,
            prices,
            stock,
            policies,
        }
    }
}

fn is_sold(variant: &VariantRow) -> bool {
    variant.status == VariantStatus::Active
}

/// The options with the values that `others` have of them.
fn with_values(
    mut options: Json<Vec<ProductOption>>,
    others: &[VariantRow],
) -> Json<Vec<ProductOption>> {
    for value in others
        .iter()
        .filter(|v| is_sold(v))
        .flat_map(|v| &v.option_values.0)
    {
        if let Some(option) = options.0.iter_mut().find(|o| o.name == value.name)
            && !option.values.contains(&value.value)
        {
            option.values.push(value.value.clone());
        }
    }
    options
}

/// The SKUs of variants that are sold, not named, and cannot stand beside those that are named.
fn misfits(product: &ProductRow, named: &[VariantRow], others: &[VariantRow]) -> Vec<String> {
    others
        .iter()
        .filter(|other| {
            let fits = draft::fits(&product.options, other);
            let mut sold = named.iter().filter(|v| is_sold(v));
            is_sold(other) && (!fits || sold.any(|v| v.option_values.0 == other.option_values.0))
        })
        .map(|other| other.sku.clone())
        .collect()
}

fn variant(
    product: &ProductRow,
    new: &UpsertVariant,
    old: Option<&VariantRow>,
    position: usize,
    now: Timestamp,
) -> VariantRow {
    let values: Vec<NewOptionValue> = new
        .options
        .iter()
        .flat_map(|options| &options.0)
        .map(|(name, value)| NewOptionValue {
            name: name.clone(),
            value: value
                .as_str()
                .map_or_else(|| value.to_string(), ToOwned::to_owned),
        })
        .collect();
    let Some(old) = old else {
        let fresh = NewVariant {
            sku: new.sku.clone(),
            barcode: new.barcode.clone(),
            option_values: values,
            weight_grams: new.weight_grams,
            requires_shipping: new.requires_shipping,
            stock_policy: new.stock_policy,
            backorder_limit: new.backorder_limit,
            status: new.status,
            media: new.media.clone().unwrap_or_default(),
            metadata: new.metadata.clone(),
            private_metadata: new.private_metadata.clone(),
        };
        return draft::variant_row(product, &fresh, VariantId::new(), position, now);
    };
    let option_values = match &new.options {
        Some(_) => Json(draft::ordered(&product.options, &values)),
        None => old.option_values.clone(),
    };
    let stock_policy = new.stock_policy.unwrap_or(old.stock_policy);
    VariantRow {
        barcode: new.barcode.clone().or_else(|| old.barcode.clone()),
        title: draft::title(&option_values),
        option_values,
        weight_grams: new.weight_grams.unwrap_or(old.weight_grams),
        requires_shipping: new.requires_shipping.unwrap_or(old.requires_shipping),
        stock_policy,
        backorder_limit: new.backorder_limit.or(old
            .backorder_limit
            .filter(|_| stock_policy == StockPolicy::Backorder)),
        status: new.status.unwrap_or(old.status),
        media: new
            .media
            .as_deref()
            .map_or_else(|| old.media.clone(), draft::media),
        metadata: replaced(
            old.metadata.0.clone(),
            new.metadata.as_ref(),
            new.private_metadata.as_ref(),
        ),
        version: old.version + 1,
        updated_at: now,
        ..old.clone()
    }
}

/// A variant's prices and stock, checked.
fn check_parts(
    known: &Known,
    new: &UpsertVariant,
    variant: &VariantRow,
    at: &str,
    checks: &mut Checks,
    prices: &mut Vec<PriceRow>,
    stock: &mut Vec<(VariantId, LocationId, i64)>,
) {
    for (i, price) in new.prices.iter().enumerate() {
        let at = format!("{at}/prices/{i}");
        let compare_at = price.compare_at_amount.map(|a| a.0);
        pricing::check_price(checks, &at, price.amount.0, compare_at);
        let Some(channel) = channel(known, &price.channel) else {
            let message = format!("There is no channel {}.", price.channel);
            checks.that(false, format!("{at}/channel"), "unknown_channel", message);
            continue;
        };
        match channel.currency_or_default(price.currency, "") {
            Err(error) => {
                checks.that(
                    false,
                    format!("{at}/currency"),
                    "currency_not_sold",
                    error.detail,
                );
            }
            Ok(currency) => {
                let twice = prices.iter().any(|p| {
                    (p.variant_id, p.channel_id, p.currency) == (variant.id, channel.id, currency)
                });
                checks.that(!twice, at, "duplicate", "This price stands twice.");
                prices.push(PriceRow {
                    variant_id: variant.id,
                    channel_id: channel.id,
                    currency,
                    amount: price.amount.0,
                    compare_at,
                });
            }
        }
    }
    let tracked = variant.stock_policy != StockPolicy::Untracked;
    checks.that(
        tracked || new.stock.is_empty(),
        format!("{at}/stock"),
        "untracked",
        "The stock of this variant is not tracked.",
    );
    for (i, level) in new.stock.iter().enumerate() {
        let at = format!("{at}/stock/{i}");
        checks.range(format!("{at}/onHand"), level.on_hand, 0, MAX_UNITS);
        match known.locations.get(&level.location) {
            None => {
                let message = format!("There is no location {}.", level.location);
                checks.that(false, format!("{at}/location"), "unknown_location", message);
            }
            Some(location) => {
                let twice = stock
                    .iter()
                    .any(|(v, l, _)| (*v, *l) == (variant.id, *location));
                checks.that(!twice, at, "duplicate", "This location stands twice.");
                stock.push((variant.id, *location, level.on_hand));
            }
        }
    }
}

fn tax_class(
    known: &Known,
    row: &UpsertProduct,
    old: Option<&ProductRow>,
    at: &str,
    checks: &mut Checks,
) -> TaxClassId {
    if let (None, Some(old)) = (&row.tax_class, old) {
        return old.tax_class_id;
    }
    let handle = row.tax_class.as_deref().unwrap_or("standard");
    let found = known.taxes.class(handle);
    let message = format!("There is no tax class {handle}.");
    checks.that(
        found.is_some(),
        format!("{at}/taxClass"),
        "unknown_tax_class",
        message,
    );
    // A made-up one goes no further than the refusal.
    found.unwrap_or_else(TaxClassId::new)
}

/// What is said replaces what was there.
fn replaced(
    old: Metadata,
    public: Option<&Document>,
    private: Option<&Document>,
) -> Json<Metadata> {
    Json(Metadata {
        public: public.cloned().unwrap_or(old.public),
        private: private.cloned().unwrap_or(old.private),
    })
}

fn channel<'a>(known: &'a Known, handle: &str) -> Option<&'a Arc<ChannelRow>> {
    known.channels.iter().find(|c| c.handle == handle)
}

fn resolve<T: PartialEq>(
    handles: &[String],
    at: &str,
    what: &str,
    checks: &mut Checks,
    find: impl Fn(&str) -> Option<T>,
) -> Vec<T> {
    let mut found = Vec::with_capacity(handles.len());
    for (i, handle) in handles.iter().enumerate() {
        match find(handle) {
            Some(id) if !found.contains(&id) => found.push(id),
            Some(_) => {}
            None => {
                let message = format!("There is no {what} {handle}.");
                checks.that(false, format!("{at}/{i}"), "unknown", message);
            }
        }
    }
    found
}

impl From<FieldError> for RowError {
    fn from(error: FieldError) -> Self {
        Self {
            pointer: error.pointer,
            code: error.code.to_owned(),
            message: error.message,
        }
    }
}
