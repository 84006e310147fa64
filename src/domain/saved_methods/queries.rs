use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use super::model::{CustomerRow, MethodRow, SavedPaymentMethod};
use crate::context::Tx;
use crate::kernel::column::{Id, Ts};
use crate::kernel::ids::{PaymentCustomerId, SavedPaymentMethodId};
use crate::kernel::{Batch, Email, Error, Kind, Param, Result};
use crate::params;
use crate::ports::wallet::KeptMethod;

const CUSTOMER: &str = "SELECT id, provider, email, reference, version FROM payment_customers";
type CustomerSql = (Id, Text, Text, Nullable<Text>, BigInt);

const METHOD: &str =
    "SELECT m.id, c.provider, m.email, c.reference, m.reference, m.kind, m.brand, m.last4,
        m.expiry_month, m.expiry_year, m.is_default, m.forgotten_at, m.created_at
    FROM saved_payment_methods m JOIN payment_customers c ON c.id = m.customer_id";
type MethodSql = (
    Id,
    Text,
    Text,
    Nullable<Text>,
    Text,
    Text,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<BigInt>,
    Nullable<BigInt>,
    Bool,
    Nullable<Ts>,
    Ts,
);

fn customers(tx: &mut Tx<'_>, condition: &str, params: Vec<Param>) -> Result<Vec<CustomerRow>> {
    let text = format!("{CUSTOMER} WHERE {condition} ORDER BY id");
    tx.conn.rows::<CustomerSql, CustomerRow>(&text, params)
}

fn one(tx: &mut Tx<'_>, condition: &str, params: Vec<Param>) -> Result<CustomerRow> {
    let customer = customers(tx, condition, params)?.into_iter().next();
    customer.ok_or_else(|| Error::internal("a customer that is not there"))
}

/// The customer of a provider with this e-mail address; made where there is none.
pub fn customer_of(tx: &mut Tx<'_>, provider: &str, email: &Email) -> Result<CustomerRow> {
    let now = tx.now;
    tx.conn.execute(
        "INSERT INTO payment_customers (id, provider, email, version, created_at) VALUES (?, ?, ?, 1, ?)
         ON CONFLICT (provider, email) DO NOTHING",
        params![PaymentCustomerId::new(), provider, email, now],
    )?;
    one(tx, "provider = ? AND email = ?", params![provider, email])
}

/// The customers with this e-mail address whom providers know.
pub fn customers_of(tx: &mut Tx<'_>, email: &Email) -> Result<Vec<CustomerRow>> {
    customers(tx, "email = ? AND reference IS NOT NULL", params![email])
}

/// A customer.
pub fn customer(tx: &mut Tx<'_>, id: PaymentCustomerId) -> Result<CustomerRow> {
    one(tx, "id = ?", params![id])
}

/// The customer whom a provider calls so.
pub fn customer_named(
    tx: &mut Tx<'_>,
    provider: &str,
    reference: &str,
) -> Result<Option<PaymentCustomerId>> {
    let found = customers(
        tx,
        "provider = ? AND reference = ?",
        params![provider, reference],
    )?;
    Ok(found.first().map(|customer| customer.id))
}

/// Keeps the provider's name for a customer; the first one counts.
pub fn name_customer(tx: &mut Tx<'_>, id: PaymentCustomerId, reference: &str) -> Result<()> {
    tx.conn.execute(
        "UPDATE payment_customers SET reference = ? WHERE id = ? AND reference IS NULL",
        params![reference, id],
    )?;
    Ok(())
}

/// Raises the version of a customer, if it is still this one; keeps others from their methods until the transaction ends.
pub fn raise(tx: &mut Tx<'_>, customer: &CustomerRow) -> Result<bool> {
    let raised = tx.conn.execute(
        "UPDATE payment_customers SET version = version + 1 WHERE id = ? AND version = ?",
        params![customer.id, customer.version],
    )?;
    Ok(raised == 1)
}

/// The provider has forgotten a customer, and with them everything it kept. They are made anew when they are needed. Answers with
/// the customer as it is now.
pub fn lose(tx: &mut Tx<'_>, customer: &CustomerRow) -> Result<CustomerRow> {
    if raise(tx, customer)? {
        take_up(tx, customer, &[])?;
        tx.conn.execute(
            "UPDATE payment_customers SET reference = NULL WHERE id = ?",
            params![customer.id],
        )?;
    }
    self::customer(tx, customer.id)
}

/// Writes what a provider keeps for a customer: what is new is added, what is not kept any more is forgotten, and what was
/// forgotten stays so.
pub fn take_up(tx: &mut Tx<'_>, customer: &CustomerRow, kept: &[KeptMethod]) -> Result<()> {
    let now = tx.now;
    // The provider tells the newest first; the newest is to have the last id.
    let methods = Batch::new(
        &[
            ("id", Kind::Id),
            ("reference", Kind::Text),
            ("kind", Kind::Text),
            ("brand", Kind::Text),
            ("last4", Kind::Text),
            ("expiry_month", Kind::Int),
            ("expiry_year", Kind::Int),
        ],
        kept.iter().rev().map(|method| {
            [
                SavedPaymentMethodId::new().into(),
                method.reference.as_str().into(),
                method.kind.as_str().into(),
                method.brand.as_deref().into(),
                method.last4.as_deref().into(),
                method.expiry_month.into(),
                method.expiry_year.into(),
            ]
        }),
    );
    tx.conn.execute(
        "UPDATE saved_payment_methods SET forgotten_at = ?, is_default = false
         WHERE customer_id = ? AND forgotten_at IS NULL AND reference NOT IN (SELECT x.reference FROM ? AS x)",
        params![now, customer.id, methods.clone()],
    )?;
    tx.conn.execute(
        "INSERT INTO saved_payment_methods (id, customer_id, email, reference, kind, brand, last4, expiry_month, expiry_year,
             created_at)
         SELECT x.id, ?, ?, x.reference, x.kind, x.brand, x.last4, x.expiry_month, x.expiry_year, ? FROM ? AS x WHERE true
         ON CONFLICT (customer_id, reference) DO UPDATE SET kind = excluded.kind, brand = excluded.brand,
             last4 = excluded.last4, expiry_month = excluded.expiry_month, expiry_year = excluded.expiry_year",
        params![customer.id, &customer.email, now, methods],
    )?;
    Ok(())
}

/// The methods of an e-mail address.
pub fn of_email(tx: &mut Tx<'_>, email: &Email) -> Result<Vec<SavedPaymentMethod>> {
    let text = format!(
        "{METHOD} WHERE m.email = ? AND m.forgotten_at IS NULL ORDER BY m.is_default DESC, m.id DESC"
    );
    let rows = tx
        .conn
        .rows::<MethodSql, MethodRow>(&text, params![email])?;
    Ok(rows.into_iter().map(SavedPaymentMethod::from).collect())
}

/// A method, forgotten or not.
pub fn find(tx: &mut Tx<'_>, id: SavedPaymentMethodId) -> Result<MethodRow> {
    let text = format!("{METHOD} WHERE m.id = ?");
    let found = tx.conn.rows::<MethodSql, MethodRow>(&text, params![id])?;
    let method = found.into_iter().next();
    method.ok_or_else(|| Error::not_found("saved payment method"))
}

/// The method that a provider calls this, where it is kept for an e-mail address.
pub fn named_by(
    tx: &mut Tx<'_>,
    provider: &str,
    reference: &str,
    email: &Email,
) -> Result<Option<SavedPaymentMethodId>> {
    let text = format!(
        "{METHOD} WHERE c.provider = ? AND m.reference = ? AND m.email = ? AND m.forgotten_at IS NULL"
    );
    let found = tx
        .conn
        .rows::<MethodSql, MethodRow>(&text, params![provider, reference, email])?;
    Ok(found.into_iter().next().map(|method| method.id))
}

/// Forgets a method.
pub fn forget(tx: &mut Tx<'_>, id: SavedPaymentMethodId) -> Result<()> {
    let now = tx.now;
    tx.conn.execute(
        "UPDATE saved_payment_methods SET forgotten_at = ?, is_default = false WHERE id = ? AND forgotten_at IS NULL",
        params![now, id],
    )?;
    Ok(())
}

/// Makes a method the default of its e-mail address. All of them are written, so that one waits for the other.
pub fn set_default(tx: &mut Tx<'_>, method: &MethodRow) -> Result<()> {
    tx.conn.execute(
        "UPDATE saved_payment_methods SET is_default = false WHERE email = ?",
        params![&method.email],
    )?;
    let set = tx.conn.execute(
        "UPDATE saved_payment_methods SET is_default = true WHERE id = ? AND forgotten_at IS NULL",
        params![method.id],
    )?;
    if set == 0 {
        return Err(Error::not_found("saved payment method"));
    }
    Ok(())
}
