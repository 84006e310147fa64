use diesel::prelude::*;

use crate::kernel::ids::{CategoryId, ChannelId, ProductId, TaxClassId, VariantId};
use crate::kernel::{Document, Json, Metadata, Money, Patch, Timestamp};
use crate::operation::Output;
use crate::schema::{product_variants, products};
use crate::{choice, input, output};

choice! {
    /// Where a product stands in its life.
    ProductStatus {
        /// In the making; shown nowhere.
        Draft = "draft",
        /// Shown where it is published and has a price.
        Active = "active",
        /// Out of sale for good.
        Archived = "archived",
    }
}

choice! {
    /// What kind of thing a product is.
    ProductKind {
        /// Is sent or handed over.
        Physical = "physical",
        /// Is downloaded.
        Digital = "digital",
        /// Is money to be spent here.
        GiftCard = "gift_card",
        /// Is made of other products.
        Bundle = "bundle",
    }
}

choice! {
    /// Whether a variant is sold.
    VariantStatus {
        /// It is sold where its product is.
        Active = "active",
        /// It is no longer sold and shown to staff alone; orders keep it.
        Archived = "archived",
    }
}

choice! {
    /// What happens when there is no more of a variant.
    StockPolicy {
        /// It is not sold.
        Deny = "deny",
        /// It is sold up to its backorder limit.
        Backorder = "backorder",
        /// There is always more, as of a download.
        Untracked = "untracked",
    }
}

choice! {
    /// Whether a variant can be bought now.
    Availability {
        /// There is some.
        InStock = "in_stock",
        /// There is none, but it can be ordered.
        Backorder = "backorder",
        /// It cannot be bought now.
        OutOfStock = "out_of_stock",
    }
}

choice! {
    /// How products are sorted.
    ProductSort {
        /// Newest first.
        Newest = "created_at_desc",
        /// Oldest first.
        Oldest = "created_at",
        /// By title, A first.
        Title = "title",
        /// By title, Z first.
        TitleDescending = "title_desc",
        /// Cheapest first.
        Price = "price",
        /// Dearest first.
        PriceDescending = "price_desc",
    }
}

output! {
    /// What a product is described by.
    #[graphql(complex)]
    Product {
        /// Its id.
        id: ProductId,
        /// Its name in URLs.
        handle: String,
        /// Its name for people.
        title: String,
        /// What it is, as plain text or Markdown.
        description: String,
        /// Where it stands in its life.
        status: ProductStatus,
        /// What kind of thing it is.
        kind: ProductKind,
        /// In what its variants differ.
        options: Vec<ProductOption>,
        /// Named facts: texts, whole numbers, truth values.
        attributes: Document,
        /// Pictures and other media, the first one first.
        media: Vec<Media>,
        /// The categories it stands in.
        category_ids: Vec<CategoryId>,
        /// The channels it is published in, as far as the caller may know.
        channel_ids: Vec<ChannelId>,
        /// Decides its tax.
        tax_class_id: TaxClassId,
        /// Who makes it; may be empty.
        vendor: String,
        /// What sort of thing it is, in the shop's own words; may be empty.
        product_type: String,
        /// Words to find and group it by.
        tags: Vec<String>,
        /// Its title for search engines; empty where its own title will do.
        seo_title: String,
        /// Its description for search engines; empty where its own description will do.
        seo_description: String,
        /// Free data of the shop's own, which shop fronts see.
        metadata: Document,
        /// Free data of the shop's own that shop fronts do not see; null for a publishable key.
        #[schema(required = true)]
        private_metadata: Option<Document>,
        /// The lowest and highest price of its variants in the channel asked for.
        #[schema(required = true)]
        price_range: Option<PriceRange>,
        /// What is sold, in order.
        variants: Vec<ProductVariant>,
        /// Raised by every change of it or its variants.
        version: i64,
        /// When it was created.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
    /// The lowest and the highest price.
    PriceRange {
        /// The lowest.
        min: Money,
        /// The highest.
        max: Money,
    }
    /// A thing that is sold.
    ProductVariant {
        /// Its id.
        id: VariantId,
        /// Its product.
        product_id: ProductId,
        /// The shop's own number for it, unique in the shop.
        sku: String,
        /// Its GTIN or other barcode.
        #[schema(required = true)]
        barcode: Option<String>,
        /// Its option values as a text, as `M / Fern`.
        title: String,
        /// Its value of each of the product's options.
        option_values: Vec<OptionValue>,
        /// Whether it is sold.
        status: VariantStatus,
        /// Pictures of this variant alone, the first one first; where there are none, the product's show it.
        media: Vec<Media>,
        /// Grams.
        weight_grams: i64,
        /// Whether it must be sent.
        requires_shipping: bool,
        /// What happens when there is no more.
        stock_policy: StockPolicy,
        /// How many may be sold beyond those on hand.
        #[schema(required = true)]
        backorder_limit: Option<i64>,
        /// Its price in the channel and currency asked for; null where it has none or no channel was asked for.
        #[schema(required = true)]
        price: Option<Money>,
        /// The higher price it is compared to.
        #[schema(required = true)]
        compare_at_price: Option<Money>,
        /// Whether it can be bought now.
        availability: Availability,
        /// How many can be bought now; for staff only, null where stock is not tracked.
        #[schema(required = true)]
        available_quantity: Option<i64>,
        /// Free data of the shop's own, which shop fronts see.
        metadata: Document,
        /// Free data of the shop's own that shop fronts do not see; null for a publishable key.
        #[schema(required = true)]
        private_metadata: Option<Document>,
    }
    /// In what variants differ.
    ProductOption {
        /// Its name, as `Size`.
        name: String,
        /// Its values, in order.
        values: Vec<String>,
    }
    /// A variant's value of an option.
    OptionValue {
        /// The option.
        name: String,
        /// The value.
        value: String,
    }
    /// A picture or another medium.
    #[derive(PartialEq)]
    Media {
        /// Where it is.
        url: String,
        /// What it shows, for who cannot see it.
        alt: String,
    }
}

impl Output for Product {
    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

/// A product as the database has it.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = products)]
pub struct ProductRow {
    pub id: ProductId,
    pub handle: String,
    pub title: String,
    pub description: String,
    pub status: ProductStatus,
    pub kind: ProductKind,
    pub options: Json<Vec<ProductOption>>,
    pub attributes: Json<Document>,
    pub media: Json<Vec<Media>>,
    pub category_ids: Json<Vec<CategoryId>>,
    pub channel_ids: Json<Vec<ChannelId>>,
    pub tax_class_id: TaxClassId,
    pub metadata: Json<Metadata>,
    pub sort_title: String,
    pub search_text: String,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub vendor: String,
    pub product_type: String,
    pub tags: Json<Vec<String>>,
    pub seo_title: String,
    pub seo_description: String,
}

/// A variant as the database has it.
#[derive(Clone, Debug, PartialEq, Queryable, Selectable)]
#[diesel(table_name = product_variants)]
pub struct VariantRow {
    pub id: VariantId,
    pub product_id: ProductId,
    pub sku: String,
    pub barcode: Option<String>,
    pub title: String,
    pub option_values: Json<Vec<OptionValue>>,
    pub position: i64,
    pub weight_grams: i64,
    pub requires_shipping: bool,
    pub stock_policy: StockPolicy,
    pub backorder_limit: Option<i64>,
    pub metadata: Json<Metadata>,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub status: VariantStatus,
    pub media: Json<Vec<Media>>,
}

impl PartialEq for ProductOption {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.values == other.values
    }
}
impl PartialEq for OptionValue {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.value == other.value
    }
}

input! {
    /// A new product.
    CreateProduct {
        /// Its name in URLs.
        handle: String,
        /// Its name for people.
        title: String,
        /// What it is.
        description: Option<String>,
        /// `draft` when left out.
        status: Option<ProductStatus>,
        /// `physical` when left out.
        kind: Option<ProductKind>,
        /// In what its variants differ.
        #[serde(default)]
        #[graphql(default)]
        options: Vec<NewOption>,
        /// Named facts: texts, whole numbers, truth values.
        attributes: Option<Document>,
        /// Pictures and other media.
        #[serde(default)]
        #[graphql(default)]
        media: Vec<NewMedia>,
        /// The categories it stands in.
        #[serde(default)]
        #[graphql(default)]
        category_ids: Vec<CategoryId>,
        /// The channels it is published in.
        #[serde(default)]
        #[graphql(default)]
        channel_ids: Vec<ChannelId>,
        /// Decides its tax.
        tax_class_id: TaxClassId,
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
        /// 1 to 100 variants.
        variants: Vec<NewVariant>,
    }
    /// In what variants differ.
    NewOption {
        /// Its name, as `Size`.
        name: String,
        /// Its values, in order.
        values: Vec<String>,
    }
    /// A variant's value of an option.
    NewOptionValue {
        /// The option.
        name: String,
        /// One of its values.
        value: String,
    }
    /// A picture or another medium.
    NewMedia {
        /// Where it is: an absolute http(s) URL or an absolute path.
        url: String,
        /// What it shows, for who cannot see it.
        #[serde(default)]
        #[graphql(default)]
        alt: String,
    }
    /// A new variant.
    NewVariant {
        /// The shop's own number for it, unique in the shop.
        sku: String,
        /// Its GTIN or other barcode.
        barcode: Option<String>,
        /// Its value of each of the product's options.
        #[serde(default)]
        #[graphql(default)]
        option_values: Vec<NewOptionValue>,
        /// Grams; 0 when left out.
        weight_grams: Option<i64>,
        /// Whether it must be sent; follows from the product's kind when left out.
        requires_shipping: Option<bool>,
        /// `deny` when left out.
        stock_policy: Option<StockPolicy>,
        /// How many may be sold beyond those on hand; needed with `backorder`, and only there.
        backorder_limit: Option<i64>,
        /// `active` when left out.
        status: Option<VariantStatus>,
        /// Pictures of this variant alone.
        #[serde(default)]
        #[graphql(default)]
        media: Vec<NewMedia>,
        /// Free data of the shop's own, which shop fronts see.
        metadata: Option<Document>,
        /// Free data of the shop's own that shop fronts do not see.
        private_metadata: Option<Document>,
    }
    /// Another variant of a product.
    CreateVariant {
        /// The product.
        product_id: ProductId,
        /// The version the product must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// The variant.
        variant: NewVariant,
    }
    /// A change of a product.
    UpdateProduct {
        /// The product.
        id: ProductId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// Its new name in URLs.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        handle: Patch<String>,
        /// Its new name for people.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        title: Patch<String>,
        /// What it is; null empties it.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        description: Patch<String>,
        /// Where it stands in its life.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<ProductStatus>)]
        status: Patch<ProductStatus>,
        /// Named facts; replaces all of them.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Document>)]
        attributes: Patch<Document>,
        /// Pictures and other media; replaces all of them.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Vec<NewMedia>>)]
        media: Patch<Vec<NewMedia>>,
        /// The categories it stands in; replaces all of them.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Vec<CategoryId>>)]
        category_ids: Patch<Vec<CategoryId>>,
        /// The channels it is published in; replaces all of them.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Vec<ChannelId>>)]
        channel_ids: Patch<Vec<ChannelId>>,
        /// Decides its tax.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<TaxClassId>)]
        tax_class_id: Patch<TaxClassId>,
        /// Who makes it; null empties it.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        vendor: Patch<String>,
        /// What sort of thing it is, in the shop's own words; null empties it.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        product_type: Patch<String>,
        /// Words to find and group it by; replaces all of them.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Vec<String>>)]
        tags: Patch<Vec<String>>,
        /// Its title for search engines; null empties it.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        seo_title: Patch<String>,
        /// Its description for search engines; null empties it.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        seo_description: Patch<String>,
        /// Free data of the shop's own; replaces all of it.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Document>)]
        metadata: Patch<Document>,
        /// Free data of the shop's own that shop fronts do not see.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Document>)]
        private_metadata: Patch<Document>,
    }
    /// A change of a variant.
    UpdateVariant {
        /// The variant.
        id: VariantId,
        /// The version its product must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// The shop's own number for it.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        sku: Patch<String>,
        /// Its barcode; null takes it away.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        barcode: Patch<String>,
        /// Grams.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<i64>)]
        weight_grams: Patch<i64>,
        /// Whether it is sold. An archived variant may be made active again while no other has its option values.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<VariantStatus>)]
        status: Patch<VariantStatus>,
        /// Pictures of this variant alone; replaces all of them.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Vec<NewMedia>>)]
        media: Patch<Vec<NewMedia>>,
        /// What happens when there is no more.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<StockPolicy>)]
        stock_policy: Patch<StockPolicy>,
        /// How many may be sold beyond those on hand.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<i64>)]
        backorder_limit: Patch<i64>,
        /// Free data of the shop's own; replaces all of it.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Document>)]
        metadata: Patch<Document>,
        /// Free data of the shop's own that shop fronts do not see.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<Document>)]
        private_metadata: Patch<Document>,
    }
    /// Products to be created or changed.
    BulkUpsertProducts {
        /// 1 to 100 products.
        products: Vec<super::UpsertProduct>,
    }
}
