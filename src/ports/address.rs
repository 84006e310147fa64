//! Validation of postal addresses: what is missing, what cannot be, and how it is usually written.

use std::pin::Pin;
use std::sync::Arc;

use crate::choice;

/// A postal address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostalAddress {
    /// Who receives.
    pub name: String,
    /// Their company.
    pub company: Option<String>,
    /// Street and number.
    pub line1: String,
    /// What else it takes to find the door.
    pub line2: Option<String>,
    /// Postcode.
    pub postcode: Option<String>,
    /// City.
    pub city: String,
    /// Region or state, as ISO 3166-2.
    pub region: Option<String>,
    /// Country (ISO 3166-1 alpha-2).
    pub country: String,
}

choice! {
    /// What is thought of an address.
    AddressVerdict {
        /// Nothing speaks against it.
        Valid = "valid",
        /// It is usually written otherwise: take the normalised one, or ask.
        Correctable = "correctable",
        /// Nothing that is sent there arrives.
        Invalid = "invalid",
    }
}

choice! {
    /// How bad something about an address is.
    AddressSeverity {
        /// Nothing that is sent there arrives.
        Error = "error",
        /// It may be wrong.
        Warning = "warning",
        /// It was written otherwise.
        Info = "info",
    }
}

/// Something about a field of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRemark {
    /// The field, as it is called on the wire: `postcode`.
    pub field: &'static str,
    /// What it is, for a program: `missing`, `invalid_format`, `unknown`, `reformatted`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: AddressSeverity,
    /// What it is, for a person.
    pub message: String,
}

/// What is known of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressReport {
    /// The address as it is usually written.
    pub address: PostalAddress,
    /// What there is to say, field by field.
    pub remarks: Vec<AddressRemark>,
}

impl AddressReport {
    /// What is thought of it.
    pub fn verdict(&self) -> AddressVerdict {
        match self.remarks.iter().map(|remark| remark.severity).min() {
            Some(AddressSeverity::Error) => AddressVerdict::Invalid,
            Some(_) => AddressVerdict::Correctable,
            None => AddressVerdict::Valid,
        }
    }
}

/// A validation on its way.
pub type Validation<'a> = Pin<Box<dyn Future<Output = AddressReport> + Send + 'a>>;

/// Somebody who knows addresses.
pub trait AddressValidator: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// All that is known of an address; it may ask over a network. Where that does not answer, what is known here.
    fn validate<'a>(&'a self, address: &'a PostalAddress) -> Validation<'a>;

    /// What is known of an address without asking anybody: carts do so whenever they are looked at.
    fn examine(&self, address: &PostalAddress) -> AddressReport;
}

/// The shop's validator.
pub struct AddressValidation(pub Arc<dyn AddressValidator>);
