//! Every kind of id and its prefix, in one table. A prefix is public and never changes.

use crate::id;

id!(/// A sales channel.
    ChannelId, "chn");
id!(/// An API key.
    ApiKeyId, "key");
id!(/// A product.
    ProductId, "prd");
id!(/// A product's variant.
    VariantId, "var");
id!(/// A category.
    CategoryId, "cat");
id!(/// A tax class.
    TaxClassId, "txc");
id!(/// A tax zone.
    TaxZoneId, "txz");
id!(/// A tax rate.
    TaxRateId, "txr");
id!(/// A stock location.
    LocationId, "loc");
id!(/// A stock movement.
    MovementId, "mov");
id!(/// A shipping zone.
    ShippingZoneId, "shz");
id!(/// A shipping method.
    ShippingMethodId, "shm");
id!(/// A cart.
    CartId, "crt");
id!(/// A cart's line.
    CartLineId, "cln");
id!(/// A checkout.
    CheckoutId, "chk");
id!(/// A payment.
    PaymentId, "pay");
id!(/// Something a payment's provider was asked for.
    PaymentAttemptId, "pat");
id!(/// A link by which an order is paid.
    PaymentLinkId, "plk");
id!(/// An event of a payment.
    PaymentEventId, "pev");
id!(/// A gift card or store credit.
    CreditAccountId, "cra");
id!(/// An entry of a gift card or of store credit.
    CreditEntryId, "cre");
id!(/// Whom a provider keeps payment methods for.
    PaymentCustomerId, "pcu");
id!(/// A payment method that a provider keeps.
    SavedPaymentMethodId, "spm");
id!(/// A coupon.
    CouponId, "cpn");
id!(/// An order.
    OrderId, "ord");
id!(/// An order's line.
    OrderLineId, "oln");
id!(/// An entry of an order's timeline.
    OrderEventId, "oev");
id!(/// A hold of an order.
    OrderHoldId, "ohd");
id!(/// An entry of the block list.
    RiskBlockId, "blk");
id!(/// A business customer's credit terms.
    CreditTermsId, "cdt");
id!(/// An event of the outbox.
    EventId, "evt");
id!(/// A job.
    JobId, "job");
