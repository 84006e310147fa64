//! Fields that lead from one domain's object to another's, each through a [`super::loader`], so that no lower domain has to
//! know a higher one and no number of rows costs more statements.

use std::collections::HashMap;

use async_graphql::{ComplexObject, Context, Request, Result as GraphqlResult};

use super::loader::{Fetch, Loader};
use crate::context::Cx;
use crate::domain::carts::CartLine;
use crate::domain::catalog::{self, Category, Product};
use crate::domain::orders::OrderLine;
use crate::kernel::Result;
use crate::kernel::ids::{CategoryId, ProductId, VariantId};
use crate::operation::graphql_error;

/// Gives a request its loaders.
pub fn with_loaders(request: Request) -> Request {
    request
        .data(Loader::<CategoryId>::default())
        .data(Loader::<ProductId>::default())
        .data(Loader::<VariantId>::default())
}

async fn load<K: Fetch>(ctx: &Context<'_>, key: K) -> GraphqlResult<Option<K::Value>> {
    let cx = ctx.data_unchecked::<Cx>();
    ctx.data_unchecked::<Loader<K>>()
        .load(cx, key)
        .await
        .map_err(|e| graphql_error(cx, e))
}

impl Fetch for CategoryId {
    type Value = Category;

    async fn fetch(cx: &Cx, keys: Vec<Self>) -> Result<HashMap<Self, Category>> {
        cx.read(move |tx| catalog::categories_by_id(tx, &keys))
            .await
    }
}

impl Fetch for ProductId {
    type Value = Product;

    async fn fetch(cx: &Cx, keys: Vec<Self>) -> Result<HashMap<Self, Product>> {
        cx.read(move |tx| catalog::products_by_id(tx, &keys)).await
    }
}

impl Fetch for VariantId {
    type Value = Product;

    async fn fetch(cx: &Cx, keys: Vec<Self>) -> Result<HashMap<Self, Product>> {
        cx.read(move |tx| catalog::products_by_variant(tx, &keys))
            .await
    }
}

#[ComplexObject]
impl Product {
    /// The categories it stands in.
    async fn categories(&self, ctx: &Context<'_>) -> GraphqlResult<Vec<Category>> {
        let found = self.category_ids.iter().map(|id| load(ctx, *id));
        let found = futures_util::future::try_join_all(found).await?;
        Ok(found.into_iter().flatten().collect())
    }
}

#[ComplexObject]
impl Category {
    /// The category it stands in.
    async fn parent(&self, ctx: &Context<'_>) -> GraphqlResult<Option<Category>> {
        match self.parent_id {
            Some(id) => load(ctx, id).await,
            None => Ok(None),
        }
    }
}

#[ComplexObject]
impl CartLine {
    /// The variant's product, as far as the caller may know of it.
    async fn product(&self, ctx: &Context<'_>) -> GraphqlResult<Option<Product>> {
        load(ctx, self.product_id).await
    }
}

#[ComplexObject]
impl OrderLine {
    /// The variant's product as it is today, as far as the caller may know of it.
    async fn product(&self, ctx: &Context<'_>) -> GraphqlResult<Option<Product>> {
        match self.variant_id {
            Some(id) => load(ctx, id).await,
            None => Ok(None),
        }
    }
}
