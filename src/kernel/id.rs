//! Identifiers: a UUIDv7 in the database, a TypeID (`ord_01j…`) on every wire.
//!
//! The prefix keeps an order's id from passing as a product's, and makes a log line readable. The text is the prefix
//! and 26 characters of Crockford's base 32 (TypeID specification 0.3); only the lower-case canonical form is accepted.

use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The 26 characters of an id, big end first.
pub fn encode(id: Uuid) -> [u8; 26] {
    let mut bits = id.as_u128();
    let mut text = [b'0'; 26];
    for place in text.iter_mut().rev() {
        *place = ALPHABET[usize::from(bits.to_le_bytes()[0] & 31)];
        bits >>= 5;
    }
    text
}

/// The id that `text` stands for, if it is 26 canonical characters of at most 128 bits.
pub fn decode(text: &str) -> Option<Uuid> {
    if text.len() != 26 || text.as_bytes()[0] > b'7' {
        return None;
    }
    let mut bits = 0_u128;
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|&b| b == byte)?;
        bits = (bits << 5) | u128::try_from(digit).ok()?;
    }
    Some(Uuid::from_u128(bits))
}

/// A fresh, time-ordered id.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where ids are made"
)]
pub fn fresh() -> Uuid {
    Uuid::now_v7()
}

/// Defines an id type with its prefix.
#[macro_export]
macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]
        #[diesel(sql_type = $crate::kernel::column::Id)]
        pub struct $name(uuid::Uuid);

        #[allow(dead_code, missing_docs, clippy::new_without_default)]
        impl $name {
            pub const PREFIX: &str = $prefix;
            pub fn new() -> Self { Self($crate::kernel::id::fresh()) }
            pub const fn uuid(self) -> uuid::Uuid { self.0 }
            pub const fn from_uuid(id: uuid::Uuid) -> Self { Self(id) }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let text = $crate::kernel::id::encode(self.0);
                f.write_str(concat!($prefix, "_"))?;
                f.write_str(std::str::from_utf8(&text).unwrap_or_default())
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { std::fmt::Display::fmt(self, f) }
        }
        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then($crate::kernel::id::decode)
                    .map(Self)
                    .ok_or_else(|| format!(concat!("not a valid id; one of this kind begins with ", $prefix, "_")))
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl utoipa::__dev::ComposeSchema for $name {
            fn compose(_: Vec<utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>>) -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::kernel::shape::text(
                    concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$"),
                    $prefix.len() + 27,
                    concat!($prefix, "_01jq3h5s5vfkg8r4t0x2m6c9ze"),
                )
            }
        }
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
        }
        $crate::graphql_text!($name, "ID");
        impl diesel::serialize::ToSql<$crate::kernel::column::Id, diesel::pg::Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>) -> diesel::serialize::Result {
                std::io::Write::write_all(out, self.0.as_bytes())?;
                Ok(diesel::serialize::IsNull::No)
            }
        }
        impl diesel::serialize::ToSql<$crate::kernel::column::Id, diesel::sqlite::Sqlite> for $name {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, diesel::sqlite::Sqlite>) -> diesel::serialize::Result {
                out.set_value(&self.0.as_bytes()[..]);
                Ok(diesel::serialize::IsNull::No)
            }
        }
        impl diesel::deserialize::FromSql<$crate::kernel::column::Id, diesel::pg::Pg> for $name {
            fn from_sql(v: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                Ok(Self(uuid::Uuid::from_slice(v.as_bytes())?))
            }
        }
        impl diesel::deserialize::FromSql<$crate::kernel::column::Id, diesel::sqlite::Sqlite> for $name {
            fn from_sql(mut v: diesel::sqlite::SqliteValue<'_, '_, '_>) -> diesel::deserialize::Result<Self> {
                Ok(Self(uuid::Uuid::from_slice(v.read_blob())?))
            }
        }
        impl From<$name> for $crate::kernel::Param {
            fn from(id: $name) -> Self { Self::Id(Some($crate::kernel::param::AnyId::from_uuid(id.0))) }
        }
        impl From<Option<$name>> for $crate::kernel::Param {
            fn from(id: Option<$name>) -> Self { Self::Id(id.map(|id| $crate::kernel::param::AnyId::from_uuid(id.0))) }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        for bits in [0, 1, u128::MAX, 0x0190_a5c2_7b1d_7e2f_8a3b_4c5d_6e7f_8091] {
            let id = Uuid::from_u128(bits);
            let text = encode(id);
            assert_eq!(decode(std::str::from_utf8(&text).unwrap()), Some(id));
        }
    }

    #[test]
    fn the_typeid_specification_s_example_is_ours() {
        let id: Uuid = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        assert_eq!(&encode(id), b"01h455vb4pex5vsknk084sn02q");
    }

    #[test]
    fn what_is_not_canonical_is_no_id() {
        let bad = [
            "",
            "01h455vb4pex5vsknk084sn02",
            "81h455vb4pex5vsknk084sn02q",
            "01H455VB4PEX5VSKNK084SN02Q",
        ];
        for text in bad
            .into_iter()
            .chain(["01h455vb4pex5vsknk084sn0uq", "01h455vb4pex5vsknk084sn0é"])
        {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
