use super::listings::{self, View};
use super::model::{
    CreateProduct, CreateVariant, Media, NewMedia, Product, ProductRow, UpdateProduct,
    UpdateVariant, VariantRow, VariantStatus,
};
use super::upsert::ArchiveProduct;
use super::{
    GetProduct, GetProductByHandle, ListProducts, ProductStatus, categories, draft, queries,
};
use crate::auth::Caller;
use crate::context::Tx;
use crate::domain::channels::Channels;
use crate::domain::inventory;
use crate::domain::tax::Taxes;
use crate::kernel::ids::{CategoryId, ChannelId, ProductId, TaxClassId, VariantId};
use crate::kernel::{
    Checks, Currency, Error, Json, Metadata, Page, Patch, Rendered, Result, patch,
};
use crate::operation::{Mutation, Query};

impl Query for GetProduct {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Rendered<Product>> {
        let view = view(tx, self.channel_id, self.currency)?;
        listings::find(tx, view, "id", self.id)?.ok_or_else(|| Error::not_found("product"))
    }
}

impl Query for GetProductByHandle {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Rendered<Product>> {
        let view = view(tx, self.channel_id, self.currency)?;
        listings::find(tx, view, "handle", self.handle.as_str())?
            .ok_or_else(|| Error::not_found("product"))
    }
}

impl Query for ListProducts {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<Rendered<Product>>> {
        let view = view(tx, self.channel_id, self.currency)?;
        listings::list(tx, view, self)
    }
}

/// A shop front sees its channel; staff sees everything, with the prices of the channel they name.
pub fn view(tx: &Tx<'_>, channel: Option<ChannelId>, currency: Option<Currency>) -> Result<View> {
    let staff = !matches!(tx.actor().caller, Caller::Storefront { .. });
    if staff && channel.is_none() {
        return match currency {
            None => Ok(View {
                channel: None,
                staff,
            }),
            Some(_) => Err(Error::invalid(
                "/channelId",
                "required",
                "Prices are a channel's; name one.",
            )),
        };
    }
    let channel = Channels::of_caller(tx, channel, "/channelId")?;
    let currency = channel.currency_or_default(currency, "/currency")?;
    Ok(View {
        channel: Some((channel.id, currency)),
        staff,
    })
}

fn answer(tx: &mut Tx<'_>, id: ProductId) -> Result<Product> {
    let row = queries::find(tx, id)?.ok_or_else(|| Error::not_found("product"))?;
    listings::written(tx, row)
}

impl Mutation for CreateProduct {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Product> {
        let now = tx.now;
        let mut product = ProductRow {
            handle: self.handle.clone(),
            title: self.title.clone(),
            description: self.description.clone().unwrap_or_default(),
            status: self.status.unwrap_or(ProductStatus::Draft),
            kind: self.kind.unwrap_or(super::ProductKind::Physical),
            options: draft::options(&self.options),
            attributes: Json(self.attributes.clone().unwrap_or_default()),
            media: draft::media(&self.media),
            category_ids: Json(unique(&self.category_ids)),
            channel_ids: Json(unique(&self.channel_ids)),
            vendor: self.vendor.clone().unwrap_or_default(),
            product_type: self.product_type.clone().unwrap_or_default(),
            tags: Json(self.tags.clone().unwrap_or_default()),
            seo_title: self.seo_title.clone().unwrap_or_default(),
            seo_description: self.seo_description.clone().unwrap_or_default(),
            metadata: Metadata::new(self.metadata.as_ref(), self.private_metadata.as_ref()),
            version: 1,
            ..draft::blank(ProductId::new(), now, self.tax_class_id)
        };
        let variants: Vec<VariantRow> = self
            .variants
            .iter()
            .enumerate()
            .map(|(i, new)| draft::variant_row(&product, new, VariantId::new(), i, now))
            .collect();
        draft::index(&mut product, variants.iter().map(|v| v.sku.as_str()));
        let mut checks = Checks::new();
        draft::check_product(&mut checks, "", &product);
        draft::check_variants(&mut checks, "/variants", &product.options, &variants);
        check_references(
            tx,
            &mut checks,
            &product.category_ids,
            &product.channel_ids,
            product.tax_class_id,
        )?;
        let used = queries::find_by_skus(tx, variants.iter().map(|v| v.sku.as_str()))?;
        for (i, variant) in variants
            .iter()
            .enumerate()
            .filter(|(_, v)| used.contains_key(&v.sku))
        {
            let message = format!("The SKU {} is another variant's.", variant.sku);
            checks.that(false, format!("/variants/{i}/sku"), "taken", message);
        }
        checks.done()?;
        write(tx, &product, &variants)?;
        answer(tx, product.id)
    }
}

impl Mutation for UpdateProduct {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Product> {
        let old = queries::find(tx, self.id)?.ok_or_else(|| Error::not_found("product"))?;
        Error::unless_version(self.expected_version, old.version)?;
        let variants = queries::variants_of(tx, std::iter::once(self.id))?;
        let media = media(&self.media, &old.media)?;
        let text = |patch: &Patch<String>, old: &String| {
            patch::optional(patch, Some(old.clone())).unwrap_or_default()
        };
        let mut product = ProductRow {
            handle: patch::required(&self.handle, old.handle.clone(), "/handle")?,
            title: patch::required(&self.title, old.title.clone(), "/title")?,
            description: text(&self.description, &old.description),
            vendor: text(&self.vendor, &old.vendor),
            product_type: text(&self.product_type, &old.product_type),
            tags: Json(patch::required(&self.tags, old.tags.0.clone(), "/tags")?),
            seo_title: text(&self.seo_title, &old.seo_title),
            seo_description: text(&self.seo_description, &old.seo_description),
            status: patch::required(&self.status, old.status, "/status")?,
            attributes: Json(patch::required(
                &self.attributes,
                old.attributes.0.clone(),
                "/attributes",
            )?),
            media,
            category_ids: Json(unique(&patch::required(
                &self.category_ids,
                old.category_ids.0.clone(),
                "/categoryIds",
            )?)),
            channel_ids: Json(unique(&patch::required(
                &self.channel_ids,
                old.channel_ids.0.clone(),
                "/channelIds",
            )?)),
            tax_class_id: patch::required(&self.tax_class_id, old.tax_class_id, "/taxClassId")?,
            metadata: old
                .metadata
                .patched(&self.metadata, &self.private_metadata)?,
            ..old.clone()
        };
        draft::index(&mut product, variants.iter().map(|v| v.sku.as_str()));
        let mut checks = Checks::new();
        draft::check_product(&mut checks, "", &product);
        check_references(
            tx,
            &mut checks,
            &product.category_ids,
            &product.channel_ids,
            product.tax_class_id,
        )?;
        checks.done()?;
        if product == old {
            return answer(tx, old.id);
        }
        queries::raise_version(tx, &old)?;
        product.version += 1;
        product.updated_at = tx.now;
        write(tx, &product, &[])?;
        answer(tx, product.id)
    }
}

impl Mutation for ArchiveProduct {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Product> {
        let old = queries::find(tx, self.id)?.ok_or_else(|| Error::not_found("product"))?;
        Error::unless_version(self.expected_version, old.version)?;
        if old.status == ProductStatus::Archived {
            return answer(tx, old.id);
        }
        queries::raise_version(tx, &old)?;
        let archived = ProductRow {
            status: ProductStatus::Archived,
            version: old.version + 1,
            updated_at: tx.now,
            ..old
        };
        queries::save_products(tx, std::slice::from_ref(&archived))?;
        tx.changed().products.insert(self.id);
        answer(tx, self.id)
    }
}

impl Mutation for CreateVariant {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Product> {
        let mut product =
            queries::find(tx, self.product_id)?.ok_or_else(|| Error::not_found("product"))?;
        Error::unless_version(self.expected_version, product.version)?;
        queries::raise_version(tx, &product)?;
        let mut variants = queries::variants_of(tx, std::iter::once(product.id))?;
        let position = variants
            .last()
            .and_then(|v| usize::try_from(v.position).ok())
            .map_or(0, |p| p + 1);
        let new = draft::variant_row(&product, &self.variant, VariantId::new(), position, tx.now);
        let mut checks = Checks::new();
        draft::check_variant(&mut checks, "/variant", &new);
        variants.push(new.clone());
        checks.done()?;
        draft::check_variants(&mut checks, "/variants", &product.options, &variants);
        checks.done().map_err(|error| Error {
            fields: error
                .fields
                .into_iter()
                .map(|f| crate::kernel::FieldError {
                    pointer: f.pointer.replacen(
                        &format!("/variants/{}", variants.len() - 1),
                        "/variant",
                        1,
                    ),
                    ..f
                })
                .collect(),
            ..error
        })?;
        queries::save_variants(tx, &[new])?;
        product.version += 1;
        product.updated_at = tx.now;
        draft::index(&mut product, variants.iter().map(|v| v.sku.as_str()));
        queries::save_products(tx, std::slice::from_ref(&product))?;
        tx.changed().products.insert(product.id);
        answer(tx, product.id)
    }
}

impl Mutation for UpdateVariant {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Product> {
        let old = queries::find_variant(tx, self.id)?.ok_or_else(|| Error::not_found("variant"))?;
        let mut product =
            queries::find(tx, old.product_id)?.ok_or_else(|| Error::not_found("product"))?;
        Error::unless_version(self.expected_version, product.version)?;
        let stock_policy = patch::required(&self.stock_policy, old.stock_policy, "/stockPolicy")?;
        let limited = stock_policy == super::StockPolicy::Backorder;
        let backorder_limit = patch::optional(
            &self.backorder_limit,
            old.backorder_limit.filter(|_| limited),
        );
        let mut changed = VariantRow {
            sku: patch::required(&self.sku, old.sku.clone(), "/sku")?,
            barcode: patch::optional(&self.barcode, old.barcode.clone()),
            status: patch::required(&self.status, old.status, "/status")?,
            media: media(&self.media, &old.media)?,
            weight_grams: patch::required(&self.weight_grams, old.weight_grams, "/weightGrams")?,
            stock_policy,
            backorder_limit,
            metadata: old
                .metadata
                .patched(&self.metadata, &self.private_metadata)?,
            ..old.clone()
        };
        if changed == old {
            return answer(tx, product.id);
        }
        queries::raise_version(tx, &product)?;
        changed.version += 1;
        changed.updated_at = tx.now;
        let mut checks = Checks::new();
        draft::check_variant(&mut checks, "", &changed);
        let mut variants = queries::variants_of(tx, std::iter::once(product.id))?;
        // The variant was read before its product was.
        if variants.iter().find(|v| v.id == self.id) != Some(&old) {
            return Err(Error::version_conflict(product.version));
        }
        if changed.status != old.status {
            check_status(&mut checks, &product, &variants, &changed);
        }
        checks.done()?;
        if let Some(slot) = variants.iter_mut().find(|v| v.id == self.id) {
            *slot = changed.clone();
        }
        queries::save_variants(tx, std::slice::from_ref(&changed))?;
        inventory::set_backorderable(tx, std::iter::once(self.id))?;
        product.version += 1;
        product.updated_at = tx.now;
        draft::index(&mut product, variants.iter().map(|v| v.sku.as_str()));
        queries::save_products(tx, std::slice::from_ref(&product))?;
        tx.changed().products.insert(product.id);
        answer(tx, product.id)
    }
}

/// Complains about a variant that cannot be taken out of sale, or back.
fn check_status(
    checks: &mut Checks,
    product: &ProductRow,
    variants: &[VariantRow],
    changed: &VariantRow,
) {
    let sold: Vec<&VariantRow> = variants
        .iter()
        .filter(|v| v.id != changed.id && v.status == VariantStatus::Active)
        .collect();
    match changed.status {
        VariantStatus::Archived => checks.that(
            !sold.is_empty(),
            "/status",
            "last_variant",
            "It is the last variant that is sold; archive the product instead.",
        ),
        VariantStatus::Active => checks
            .that(
                sold.len() < draft::MAX_VARIANTS,
                "/status",
                "too_many",
                format!("At most {} active variants.", draft::MAX_VARIANTS),
            )
            .that(
                draft::fits(&product.options, changed),
                "/status",
                "options",
                "Its option values are no longer among the product's.",
            )
            .that(
                sold.iter()
                    .all(|v| v.option_values.0 != changed.option_values.0),
                "/status",
                "duplicate",
                "Another variant has the same option values.",
            ),
    };
}

fn media(patch: &Patch<Vec<NewMedia>>, old: &Json<Vec<Media>>) -> Result<Json<Vec<Media>>> {
    let new = patch.clone().map_value(|media| draft::media(&media).0);
    Ok(Json(patch::required(&new, old.0.clone(), "/media")?))
}

/// Writes a product and those of its variants that are new.
fn write(tx: &mut Tx<'_>, product: &ProductRow, variants: &[VariantRow]) -> Result<()> {
    queries::save_products(tx, std::slice::from_ref(product))?;
    queries::save_variants(tx, variants)?;
    queries::set_categories(tx, &[(product.id, product.category_ids.0.clone())])?;
    queries::set_publications(tx, &[(product.id, product.channel_ids.0.clone())])?;
    tx.changed().products.insert(product.id);
    Ok(())
}

fn check_references(
    tx: &mut Tx<'_>,
    checks: &mut Checks,
    category_ids: &[CategoryId],
    channel_ids: &[ChannelId],
    tax_class: TaxClassId,
) -> Result<()> {
    let known = categories::known(tx, category_ids)?;
    for (i, id) in category_ids.iter().enumerate() {
        let pointer = format!("/categoryIds/{i}");
        checks.that(
            known.contains(id),
            pointer,
            "unknown_category",
            "There is no such category.",
        );
    }
    for (i, id) in channel_ids.iter().enumerate() {
        let found = Channels::get(tx, *id).is_ok();
        checks.that(
            found,
            format!("/channelIds/{i}"),
            "unknown_channel",
            "There is no such channel.",
        );
    }
    let taxes = tx.app().kept::<Taxes>()?;
    checks.that(
        taxes.class_exists(tax_class),
        "/taxClassId",
        "unknown_tax_class",
        "There is no such tax class.",
    );
    Ok(())
}

fn unique<T: PartialEq + Copy>(list: &[T]) -> Vec<T> {
    let mut out = Vec::with_capacity(list.len());
    for item in list {
        if !out.contains(item) {
            out.push(*item);
        }
    }
    out
}
