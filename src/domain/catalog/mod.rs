//! The catalogue: products, their variants, and the tree of categories.
//!
//! A product is described, a variant is sold. A handle names a product, a SKU a variant, each once in the shop. What a
//! channel shows is its *listing*: an active product, published there, with at least one price there. Listings follow from
//! products, prices and stock, and are brought up to date in the transaction that changes one of those
//! ([`derive`]).

mod attributes;
mod categories;
pub mod derive;
mod draft;
mod export;
pub mod listings;
mod model;
mod operations;
mod queries;
mod upsert;

pub use categories::{Category, CreateCategory, UpdateCategory, categories_by_id};
pub use draft::is_handle;
pub use export::{export, export_named};
pub use listings::{products_by_id, products_by_variant};
pub use model::{
    Availability, BulkUpsertProducts, CreateProduct, CreateVariant, Media, NewMedia, NewOption,
    OptionValue, Product, ProductKind, ProductOption, ProductSort, ProductStatus, ProductVariant,
    StockPolicy, UpdateProduct, UpdateVariant, VariantStatus,
};
pub use queries::{Sellable, find_by_skus, sellables};
pub use upsert::{
    ArchiveProduct, MAX_ROWS, Outcome, UpsertPrice, UpsertProduct, UpsertReport, UpsertRow,
    UpsertStock, UpsertVariant,
};

use crate::auth::{Access, Scope};
use crate::kernel::ids::{CategoryId, ChannelId, ProductId};
use crate::kernel::money::Minor;
use crate::kernel::{Currency, Page, Rendered};

crate::operations! {
    queries CatalogQueries {
        /// Finds a product by its id. Shop fronts see what their channel shows.
        product(id: ProductId, channel_id: Option<ChannelId>, currency: Option<Currency>): GetProduct => Option<Rendered<Product>>,
            GET "/products/{id}", Access::storefront_or(Scope::CatalogRead), [Cached];
        /// Finds a product by its handle. Shop fronts see what their channel shows.
        product_by_handle(handle: String, channel_id: Option<ChannelId>, currency: Option<Currency>): GetProductByHandle => Option<Rendered<Product>>,
            GET "/products/by-handle/{handle}", Access::storefront_or(Scope::CatalogRead), [Cached];
        /// Lists products. Shop fronts see what their channel shows; staff see all of the shop's, or with `channelId` what
        /// that channel shows. `category` takes an id and includes what is below it; prices are minor units of `currency`;
        /// `text` is looked for in title, handle and SKUs; `vendor` and `tag` are compared as they
        /// are; `attribute` is `name:value` and may be repeated.
        products(channel_id: Option<ChannelId>, currency: Option<Currency>, status: Option<ProductStatus>,
                 category: Option<CategoryId>, min_price: Option<Minor>, max_price: Option<Minor>, in_stock: Option<bool>,
                 text: Option<String>, vendor: Option<String>, tag: Option<String>,
                 #[serde(default)] attribute: Option<Vec<String>>, sort: Option<ProductSort>,
                 #[serde(rename = "limit")] first: Option<i64>, after: Option<String>): ListProducts => Page<Rendered<Product>>,
            GET "/products", Access::storefront_or(Scope::CatalogRead), [Cached];
        /// Finds a category.
        category(id: CategoryId): GetCategory => Option<Category>,
            GET "/categories/{id}", Access::storefront_or(Scope::CatalogRead), [Cached];
        /// Lists categories by their position: with `parentId` those below one, else all.
        categories(parent_id: Option<CategoryId>, #[serde(rename = "limit")] first: Option<i64>, after: Option<String>): ListCategories => Page<Category>,
            GET "/categories", Access::storefront_or(Scope::CatalogRead), [Cached];
    }
    mutations CatalogMutations {
        /// Creates a category.
        create_category: CreateCategory => Category, POST "/categories", Access::scope(Scope::CatalogWrite), [Created];
        /// Changes a category; a new parent moves all that is below it.
        update_category: UpdateCategory => Category, PATCH "/categories/{id}", Access::scope(Scope::CatalogWrite);
        /// Creates a product with its variants.
        create_product: CreateProduct => Product, POST "/products", Access::scope(Scope::CatalogWrite), [Created];
        /// Changes a product. What is left out stays.
        update_product: UpdateProduct => Product, PATCH "/products/{id}", Access::scope(Scope::CatalogWrite);
        /// Takes a product out of sale for good; orders keep it.
        archive_product: ArchiveProduct => Product, POST "/products/{id}/archive", Access::scope(Scope::CatalogWrite);
        /// Adds a variant to a product.
        create_variant: CreateVariant => Product, POST "/products/{productId}/variants", Access::scope(Scope::CatalogWrite), [Created];
        /// Changes a variant, or takes it out of sale with `status`. What is left out stays.
        update_variant: UpdateVariant => Product, PATCH "/variants/{id}", Access::scope(Scope::CatalogWrite);
        /// Creates or changes up to 100 products, found by their handles and SKUs, with prices and stock. Each row is
        /// written or refused by itself; the report says which.
        bulk_upsert_products: BulkUpsertProducts => UpsertReport, POST "/products/bulk-upsert", Access::scope(Scope::CatalogWrite);
    }
}
