//! Saved payment methods: what providers keep for a shopper, to be charged later.
//!
//! A shopper is an e-mail address, in any case. The provider keeps the card; here is only what it is called there, and what a
//! shopper knows it by. A method is kept by the shopper's own client with the provider ([`SetUpPaymentMethod`]); what the
//! provider keeps is read anew when a webhook says so, and when somebody asks for it. Of two readings the later one counts:
//! a customer's `version` is raised by every change, and a reading that began before one is read again.
//!
//! Only a secret key reads or charges them: that somebody is the shopper is for the shop to know.

mod model;
mod operations;
mod queries;

pub use model::{
    DeletePaymentMethod, PaymentMethodSetup, RefreshPaymentMethods, SavedPaymentMethod,
    SavedPaymentMethods, SetDefaultPaymentMethod, SetUpPaymentMethod,
};
pub use operations::{READ, charge, keeper, named_by, read, read_anew, read_later};
pub use queries::customer_named;

use crate::auth::{Access, Scope};
use crate::kernel::Email;

crate::operations! {
    queries SavedMethodQueries {
        /// Lists the payment methods that providers keep for an e-mail address, the default first, then the newest.
        saved_payment_methods(email: Email): ListSavedPaymentMethods => SavedPaymentMethods,
            GET "/saved-payment-methods", Access::scope(Scope::PaymentsRead);
    }
    mutations SavedMethodMutations {
        /// Makes a saved payment method the default of its e-mail address, instead of the one before.
        set_default_payment_method: SetDefaultPaymentMethod => SavedPaymentMethod,
            POST "/saved-payment-methods/{id}/set-default", Access::scope(Scope::PaymentsWrite);
    }
    flows SavedMethodFlows {
        /// Begins to save a payment method: the shopper's client goes on with the provider, and the `clientSecret`.
        set_up_payment_method: SetUpPaymentMethod => PaymentMethodSetup,
            POST "/saved-payment-methods", Access::scope(Scope::PaymentsWrite), [Created, Secret];
        /// Reads at the providers what they keep for an e-mail address, as after the shopper has come back.
        refresh_payment_methods: RefreshPaymentMethods => SavedPaymentMethods,
            POST "/saved-payment-methods/refresh", Access::scope(Scope::PaymentsWrite);
        /// Has the provider forget a payment method. Forgotten twice, nothing changes.
        delete_payment_method: DeletePaymentMethod => SavedPaymentMethods,
            DELETE "/saved-payment-methods/{id}", Access::scope(Scope::PaymentsWrite);
    }
}
