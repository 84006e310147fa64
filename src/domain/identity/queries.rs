use diesel::prelude::*;

use super::model::ApiKeyRow;
use crate::context::Tx;
use crate::kernel::Result;
use crate::kernel::ids::ApiKeyId;
use crate::kernel::page::PageRequest;
use crate::on;
use crate::schema::api_keys;

pub fn find_by_public_id(tx: &mut Tx<'_>, public_id: &str) -> Result<Option<ApiKeyRow>> {
    Ok(on!(tx.conn, |c| api_keys::table
        .filter(api_keys::public_id.eq(public_id))
        .select(ApiKeyRow::as_select())
        .first(c)
        .optional())?)
}

pub fn find(tx: &mut Tx<'_>, id: ApiKeyId) -> Result<Option<ApiKeyRow>> {
    Ok(on!(tx.conn, |c| api_keys::table
        .find(id)
        .select(ApiKeyRow::as_select())
        .first(c)
        .optional())?)
}

pub fn list(tx: &mut Tx<'_>, page: &PageRequest) -> Result<Vec<ApiKeyRow>> {
    Ok(on!(tx.conn, |c| {
        let mut query = api_keys::table
            .order(api_keys::id.desc())
            .limit(page.fetch())
            .select(ApiKeyRow::as_select())
            .into_boxed();
        if let Some(after) = &page.after {
            query = query.filter(api_keys::id.lt(ApiKeyId::from_uuid(after.id)));
        }
        query.load(c)
    })?)
}

pub fn insert(tx: &mut Tx<'_>, row: &ApiKeyRow) -> Result<()> {
    on!(tx.conn, |c| diesel::insert_into(api_keys::table)
        .values(row)
        .execute(c))?;
    Ok(())
}

pub fn revoke(tx: &mut Tx<'_>, id: ApiKeyId) -> Result<()> {
    let now = tx.now;
    on!(tx.conn, |c| diesel::update(
        api_keys::table
            .find(id)
            .filter(api_keys::revoked_at.is_null())
    )
    .set(api_keys::revoked_at.eq(now))
    .execute(c))?;
    Ok(())
}

pub fn note_use(tx: &mut Tx<'_>, id: ApiKeyId) -> Result<()> {
    let now = tx.now;
    on!(tx.conn, |c| diesel::update(api_keys::table.find(id))
        .set(api_keys::last_used_at.eq(now))
        .execute(c))?;
    Ok(())
}
