//! Validation of addresses, before or after they are in a cart.

use super::Address;
use crate::context::Cx;
use crate::kernel::{Checks, Result};
use crate::operation::{Answer, Flow, Output};
use crate::ports::address::{AddressSeverity, AddressValidation, AddressVerdict, PostalAddress};
use crate::{input, output};

input! {
    /// Asks what is thought of an address.
    ValidateAddress {
        /// The address.
        address: Address,
    }
}

output! {
    /// What is thought of an address.
    ValidatedAddress {
        /// Whether something can be sent there.
        verdict: AddressVerdict,
        /// The address as it is usually written.
        address: Address,
        /// What there is to say, field by field.
        messages: Vec<AddressMessage>,
    }
    /// Something about a field of an address.
    AddressMessage {
        /// The field: `/address/postcode`.
        pointer: String,
        /// What it is, for a program: `missing`, `invalid_format`, `unknown`, `reformatted`.
        code: String,
        /// How bad it is.
        severity: AddressSeverity,
        /// What it is, for a person.
        message: String,
    }
}

impl Output for ValidatedAddress {}

impl Flow for ValidateAddress {
    async fn run(self, cx: &Cx) -> Result<Answer<ValidatedAddress>> {
        if let Some(answer) = cx.settled().await? {
            return Ok(answer);
        }
        let mut checks = Checks::new();
        let given = &self.address;
        let optional = [
            ("company", &given.company),
            ("line2", &given.line2),
            ("postcode", &given.postcode),
            ("region", &given.region),
            ("phone", &given.phone),
        ];
        let texts = [
            ("name", &given.name),
            ("line1", &given.line1),
            ("city", &given.city),
            ("country", &given.country),
        ];
        let optional = optional
            .into_iter()
            .filter_map(|(field, text)| Some((field, text.as_ref()?)));
        for (field, text) in texts.into_iter().chain(optional) {
            let message = "At most 200 characters.";
            let fits = text.chars().count() <= 200;
            checks.that(fits, format!("/address/{field}"), "too_long", message);
        }
        checks.done()?;
        let asked = PostalAddress::from(given);
        let validation = cx.app.part::<AddressValidation>()?;
        let report = validation.0.validate(&asked).await;
        let verdict = report.verdict();
        let messages = report.remarks.into_iter().map(|remark| AddressMessage {
            pointer: format!("/address/{}", remark.field),
            code: remark.code.to_owned(),
            severity: remark.severity,
            message: remark.message,
        });
        let usual = report.address;
        cx.keep(ValidatedAddress {
            verdict,
            messages: messages.collect(),
            address: Address {
                name: usual.name,
                company: usual.company,
                line1: usual.line1,
                line2: usual.line2,
                postcode: usual.postcode,
                city: usual.city,
                region: usual.region,
                country: usual.country,
                phone: self.address.phone,
            },
        })
        .await
    }
}

impl From<&Address> for PostalAddress {
    fn from(address: &Address) -> Self {
        Self {
            name: address.name.clone(),
            company: address.company.clone(),
            line1: address.line1.clone(),
            line2: address.line2.clone(),
            postcode: address.postcode.clone(),
            city: address.city.clone(),
            region: address.region.clone(),
            country: address.country.clone(),
        }
    }
}
