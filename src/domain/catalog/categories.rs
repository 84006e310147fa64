//! The tree of categories.

use diesel::prelude::*;

use super::{GetCategory, ListCategories};
use crate::context::{Topic, Tx};
use crate::kernel::column::Id;
use crate::kernel::ids::CategoryId;
use crate::kernel::page::{PageRequest, Position, SortKey};
use crate::kernel::{Checks, Code, Error, Page, Patch, Result, Timestamp, patch};
use crate::operation::{Mutation, Output, Query};
use crate::schema::categories;
use crate::{input, on, output, params};

/// How deep the tree may be.
const MAX_DEPTH: usize = 8;

output! {
    /// A category of products.
    #[derive(PartialEq, Queryable, Selectable, Insertable, AsChangeset)]
    #[diesel(table_name = categories, treat_none_as_null = true)]
    #[graphql(complex)]
    Category {
        /// Its id.
        id: CategoryId,
        /// The category it stands in; null at the top.
        #[schema(required = true)]
        parent_id: Option<CategoryId>,
        /// Its name in URLs.
        handle: String,
        /// Its name for people.
        title: String,
        /// What is in it.
        description: String,
        /// Its place among its siblings, lowest first.
        position: i64,
        /// Raised by every change.
        version: i64,
        /// When it was created.
        created_at: Timestamp,
        /// When it was last changed.
        updated_at: Timestamp,
    }
}

input! {
    /// A new category.
    CreateCategory {
        /// The category it stands in; at the top when left out.
        parent_id: Option<CategoryId>,
        /// Its name in URLs.
        handle: String,
        /// Its name for people.
        title: String,
        /// What is in it.
        description: Option<String>,
        /// Its place among its siblings; 0 when left out.
        position: Option<i64>,
    }
    /// A change of a category.
    UpdateCategory {
        /// The category.
        id: CategoryId,
        /// The version it must have; in REST `If-Match`.
        expected_version: Option<i64>,
        /// The category it stands in; null moves it to the top.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<CategoryId>)]
        parent_id: Patch<CategoryId>,
        /// Its new name for people.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        title: Patch<String>,
        /// What is in it; null empties it.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<String>)]
        description: Patch<String>,
        /// Its place among its siblings.
        #[serde(default, skip_serializing_if = "Patch::is_undefined")]
        #[schema(value_type = Option<i64>)]
        position: Patch<i64>,
    }
}

impl Output for Category {
    fn version(&self) -> Option<i64> {
        Some(self.version)
    }
}

impl Query for GetCategory {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Category> {
        find(tx, self.id)?.ok_or_else(|| Error::not_found("category"))
    }
}

impl Query for ListCategories {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Page<Category>> {
        let list = format!(
            "categories:{}",
            self.parent_id.map_or_else(String::new, |id| id.to_string())
        );
        let page = PageRequest::new(&tx.app().cursors, list, self.first, self.after.as_deref())?;
        let rows: Vec<Category> = on!(tx.conn, |c| {
            let mut query = categories::table
                .order((categories::position, categories::id))
                .limit(page.fetch())
                .select(Category::as_select())
                .into_boxed();
            if let Some(parent) = self.parent_id {
                query = query.filter(categories::parent_id.eq(parent));
            }
            if let Some(after) = &page.after {
                let (position, id) = (
                    after.key.int().unwrap_or_default(),
                    CategoryId::from_uuid(after.id),
                );
                query = query.filter(
                    categories::position
                        .gt(position)
                        .or(categories::position.eq(position).and(categories::id.gt(id))),
                );
            }
            query.load(c)
        })?;
        page.page(
            rows,
            |c| Position {
                key: SortKey::Int(c.position),
                id: c.id.uuid(),
            },
            Ok,
        )
    }
}

impl Mutation for CreateCategory {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Category> {
        let category = Category {
            id: CategoryId::new(),
            parent_id: self.parent_id,
            handle: self.handle.clone(),
            title: self.title.clone(),
            description: self.description.clone().unwrap_or_default(),
            position: self.position.unwrap_or(0),
            version: 1,
            created_at: tx.now,
            updated_at: tx.now,
        };
        check(&category)?;
        check_place(tx, &category)?;
        let inserted = on!(tx.conn, |c| diesel::insert_into(categories::table)
            .values(&category)
            .execute(c));
        inserted.map_err(|error| match Error::from(error) {
            error if error.code == Code::AlreadyExists => Error::field(
                Code::AlreadyExists,
                "/handle",
                "taken",
                "This handle is taken already.",
            ),
            error => error,
        })?;
        tx.touch(Topic::Catalog);
        Ok(category)
    }
}

impl Mutation for UpdateCategory {
    fn run(&self, tx: &mut Tx<'_>) -> Result<Category> {
        if !self.parent_id.is_undefined() && tx.conn.is_postgres() {
            // That a tree has no circle spans all of its rows, and no constraint can say it.
            tx.conn
                .batch("LOCK TABLE categories IN SHARE ROW EXCLUSIVE MODE")?;
        }
        let old = find(tx, self.id)?.ok_or_else(|| Error::not_found("category"))?;
        let mut changed = Category {
            parent_id: patch::optional(&self.parent_id, old.parent_id),
            title: patch::required(&self.title, old.title.clone(), "/title")?,
            description: patch::optional(&self.description, Some(old.description.clone()))
                .unwrap_or_default(),
            position: patch::required(&self.position, old.position, "/position")?,
            ..old.clone()
        };
        Error::unless_version(self.expected_version, old.version)?;
        if changed == old {
            return Ok(old);
        }
        changed.version += 1;
        changed.updated_at = tx.now;
        check(&changed)?;
        check_place(tx, &changed)?;
        let count = on!(tx.conn, |c| {
            diesel::update(
                categories::table
                    .find(self.id)
                    .filter(categories::version.eq(old.version)),
            )
            .set(&changed)
            .execute(c)
        })?;
        if count == 0 {
            return Err(Error::version_conflict(old.version));
        }
        if changed.parent_id != old.parent_id {
            move_products(tx, self.id)?;
        }
        tx.touch(Topic::Catalog);
        Ok(changed)
    }
}

fn check(category: &Category) -> Result<()> {
    Checks::new()
        .handle("/handle", &category.handle)
        .text("/title", &category.title, 200)
        .that(
            category.description.chars().count() <= 20_000,
            "/description",
            "too_long",
            "At most 20000 characters.",
        )
        .range("/position", category.position, 0, 1_000_000)
        .done()
}

/// The parent exists, is not below the category, and is not too deep.
fn check_place(tx: &mut Tx<'_>, category: &Category) -> Result<()> {
    let Some(parent) = category.parent_id else {
        return Ok(());
    };
    let above = tx.conn.rows::<Id, CategoryId>(
        "WITH RECURSIVE up (id, parent_id, depth) AS (
             SELECT c.id, c.parent_id, 1 FROM categories c WHERE c.id = ?
             UNION ALL
             SELECT c.id, c.parent_id, up.depth + 1 FROM categories c JOIN up ON c.id = up.parent_id WHERE up.depth < 100)
         SELECT id FROM up",
        params![parent],
    )?;
    Checks::new()
        .that(
            !above.is_empty(),
            "/parentId",
            "unknown_category",
            "There is no such category.",
        )
        .that(
            !above.contains(&category.id),
            "/parentId",
            "cycle",
            "A category cannot stand below itself.",
        )
        .that(
            above.len() < MAX_DEPTH,
            "/parentId",
            "too_deep",
            format!("At most {MAX_DEPTH} levels."),
        )
        .done()
}

/// After a move: the products below stand in the ancestors that they have now.
fn move_products(tx: &mut Tx<'_>, moved: CategoryId) -> Result<()> {
    let products = tx.conn.rows::<(Id, crate::kernel::column::Doc), _>(
        "SELECT p.id, p.category_ids FROM products p
         JOIN product_categories c ON c.product_id = p.id WHERE c.category_id = ?",
        params![moved],
    )?;
    let rows: Vec<_> = products
        .into_iter()
        .map(|(id, categories): (_, crate::kernel::Json<Vec<CategoryId>>)| (id, categories.0))
        .collect();
    super::queries::set_categories(tx, &rows)
}

fn find(tx: &mut Tx<'_>, id: CategoryId) -> Result<Option<Category>> {
    Ok(on!(tx.conn, |c| categories::table
        .find(id)
        .select(Category::as_select())
        .first(c)
        .optional())?)
}

/// Every category by its handle, for imports.
pub fn by_handle(tx: &mut Tx<'_>) -> Result<std::collections::HashMap<String, CategoryId>> {
    let rows: Vec<(String, CategoryId)> = on!(tx.conn, |c| categories::table
        .select((categories::handle, categories::id))
        .load(c))?;
    Ok(rows.into_iter().collect())
}

/// Which of these categories there are.
pub fn known(tx: &mut Tx<'_>, ids: &[CategoryId]) -> Result<Vec<CategoryId>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let batch = crate::kernel::Batch::ids(ids.iter().map(|id| id.uuid()));
    tx.conn.rows::<Id, CategoryId>(
        "SELECT c.id FROM categories c JOIN ? AS x ON x.id = c.id",
        params![batch],
    )
}

/// These categories.
pub fn categories_by_id(
    tx: &mut Tx<'_>,
    ids: &[CategoryId],
) -> Result<std::collections::HashMap<CategoryId, Category>> {
    let rows: Vec<Category> = on!(tx.conn, |c| categories::table
        .filter(categories::id.eq_any(ids))
        .select(Category::as_select())
        .load(c))?;
    Ok(rows.into_iter().map(|c| (c.id, c)).collect())
}
