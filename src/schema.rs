//! The tables, one file for both databases. Kept by hand because `diesel print-schema` knows one back end; a test selects
//! every column of every table on both. A table is named only in the module that owns it.

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    secrets (name) {
        name -> Text,
        value -> Binary,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    versions (name) {
        name -> Text,
        value -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    idempotency_keys (principal, operation, key) {
        principal -> Text,
        operation -> Text,
        key -> Text,
        fingerprint -> Binary,
        answer -> Text,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    events (id) {
        id -> Id,
        kind -> Text,
        subject -> Id,
        sequence -> BigInt,
        data -> Doc,
        occurred_at -> Ts,
        relayed_at -> Nullable<Ts>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    jobs (id) {
        id -> Id,
        kind -> Text,
        payload -> Doc,
        unique_key -> Nullable<Text>,
        status -> Text,
        attempts -> BigInt,
        run_at -> Ts,
        lease_until -> Nullable<Ts>,
        last_error -> Nullable<Text>,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    channels (id) {
        id -> Id,
        handle -> Text,
        name -> Text,
        status -> Text,
        currency -> Text,
        currencies -> Doc,
        countries -> Doc,
        prices_include_tax -> Bool,
        rounding -> Text,
        tax_per -> Text,
        order_numbers -> Text,
        order_number_prefix -> Text,
        hold_minutes -> BigInt,
        metadata -> Doc,
        version -> BigInt,
        created_at -> Ts,
        updated_at -> Ts,
        capture -> Text,
        risk_checks -> Bool,
        risk_investigate_from -> BigInt,
        risk_cancel_from -> BigInt,
        risk_first_order_from -> Nullable<BigInt>,
        invoice_needs_terms -> Bool,
        cancel_unpaid_after -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    order_counters (channel_id) {
        channel_id -> Id,
        next_number -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    api_keys (id) {
        id -> Id,
        public_id -> Text,
        kind -> Text,
        name -> Text,
        channel_id -> Nullable<Id>,
        scopes -> Doc,
        secret_hash -> Binary,
        created_at -> Ts,
        expires_at -> Nullable<Ts>,
        revoked_at -> Nullable<Ts>,
        last_used_at -> Nullable<Ts>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    tax_classes (id) {
        id -> Id,
        handle -> Text,
        name -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    tax_zones (id) {
        id -> Id,
        handle -> Text,
        name -> Text,
        countries -> Doc,
        regions -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    tax_rates (id) {
        id -> Id,
        zone_id -> Id,
        class_id -> Id,
        name -> Text,
        rate_ppm -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    categories (id) {
        id -> Id,
        parent_id -> Nullable<Id>,
        handle -> Text,
        title -> Text,
        description -> Text,
        position -> BigInt,
        version -> BigInt,
        created_at -> Ts,
        updated_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    products (id) {
        id -> Id,
        handle -> Text,
        title -> Text,
        description -> Text,
        status -> Text,
        kind -> Text,
        options -> Doc,
        attributes -> Doc,
        media -> Doc,
        category_ids -> Doc,
        channel_ids -> Doc,
        tax_class_id -> Id,
        metadata -> Doc,
        sort_title -> Text,
        search_text -> Text,
        version -> BigInt,
        created_at -> Ts,
        updated_at -> Ts,
        vendor -> Text,
        product_type -> Text,
        tags -> Doc,
        seo_title -> Text,
        seo_description -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    product_categories (category_id, product_id) {
        category_id -> Id,
        product_id -> Id,
        direct -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    product_variants (id) {
        id -> Id,
        product_id -> Id,
        sku -> Text,
        barcode -> Nullable<Text>,
        title -> Text,
        option_values -> Doc,
        position -> BigInt,
        weight_grams -> BigInt,
        requires_shipping -> Bool,
        stock_policy -> Text,
        backorder_limit -> Nullable<BigInt>,
        metadata -> Doc,
        version -> BigInt,
        created_at -> Ts,
        updated_at -> Ts,
        status -> Text,
        media -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    publications (product_id, channel_id) {
        product_id -> Id,
        channel_id -> Id,
        published_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    prices (variant_id, channel_id, currency) {
        variant_id -> Id,
        channel_id -> Id,
        currency -> Text,
        amount -> BigInt,
        compare_at_amount -> Nullable<BigInt>,
        updated_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    listings (channel_id, currency, product_id) {
        channel_id -> Id,
        currency -> Text,
        product_id -> Id,
        sort_title -> Text,
        search_text -> Text,
        min_price -> BigInt,
        max_price -> BigInt,
        in_stock -> Bool,
        published_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    listing_documents (channel_id, currency, product_id) {
        channel_id -> Id,
        currency -> Text,
        product_id -> Id,
        format -> BigInt,
        version -> BigInt,
        document -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    locations (id) {
        id -> Id,
        handle -> Text,
        name -> Text,
        country -> Text,
        active -> Bool,
        priority -> BigInt,
        version -> BigInt,
        created_at -> Ts,
        updated_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    stock_levels (variant_id, location_id) {
        variant_id -> Id,
        location_id -> Id,
        on_hand -> BigInt,
        held -> BigInt,
        allocated -> BigInt,
        backorderable -> BigInt,
        version -> BigInt,
        updated_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    stock_movements (id) {
        id -> Id,
        variant_id -> Id,
        location_id -> Id,
        kind -> Text,
        on_hand -> BigInt,
        held -> BigInt,
        allocated -> BigInt,
        reason -> Nullable<Text>,
        reference -> Nullable<Id>,
        actor -> Text,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    stock_holds (reference, variant_id, location_id) {
        reference -> Id,
        variant_id -> Id,
        location_id -> Id,
        quantity -> BigInt,
        expires_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    shipping_zones (id) {
        id -> Id,
        handle -> Text,
        name -> Text,
        countries -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    shipping_methods (id) {
        id -> Id,
        zone_id -> Id,
        channel_id -> Id,
        handle -> Text,
        name -> Text,
        tax_class_id -> Id,
        rate_by -> Text,
        rates -> Doc,
        min_days -> BigInt,
        max_days -> BigInt,
        active -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    carts (id) {
        id -> Id,
        channel_id -> Id,
        currency -> Text,
        token_hash -> Binary,
        status -> Text,
        source -> Text,
        email -> Nullable<Text>,
        shipping_address -> Nullable<Doc>,
        billing_address -> Nullable<Doc>,
        shipping_method_id -> Nullable<Id>,
        reference -> Nullable<Text>,
        metadata -> Doc,
        version -> BigInt,
        created_at -> Ts,
        updated_at -> Ts,
        coupons -> Doc,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    cart_lines (id) {
        id -> Id,
        cart_id -> Id,
        variant_id -> Id,
        quantity -> BigInt,
        unit_price -> Nullable<BigInt>,
        metadata -> Nullable<Doc>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    payments (id) {
        id -> Id,
        checkout_id -> Id,
        provider -> Text,
        method -> Text,
        token -> Nullable<Text>,
        currency -> Text,
        amount -> BigInt,
        next_check_at -> Nullable<Ts>,
        created_at -> Ts,
        reference -> Nullable<Text>,
        session -> Nullable<Doc>,
        facts -> Nullable<Doc>,
        expires_at -> Nullable<Ts>,
        replaces_id -> Nullable<Id>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    payment_events (id) {
        id -> Id,
        payment_id -> Id,
        sequence -> BigInt,
        kind -> Text,
        amount -> BigInt,
        provider_reference -> Text,
        data -> Doc,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Id, Ts};

    payment_attempts (id) {
        id -> Id,
        payment_id -> Id,
        kind -> Text,
        amount -> BigInt,
        last -> Bool,
        status -> Text,
        reason -> Nullable<Text>,
        failure -> Nullable<Text>,
        subject -> Nullable<Id>,
        next_check_at -> Nullable<Ts>,
        created_by -> Text,
        created_at -> Ts,
        finished_at -> Nullable<Ts>,
        claim -> Nullable<Text>,
        claim_fingerprint -> Nullable<Binary>,
        shipment -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::Id;

    payment_attempt_lines (attempt_id, line_id) {
        attempt_id -> Id,
        line_id -> Id,
        quantity -> BigInt,
        amount -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Id, Ts};

    payment_links (id) {
        id -> Id,
        order_id -> Id,
        token_hash -> Binary,
        payment_id -> Nullable<Id>,
        expires_at -> Ts,
        disabled_at -> Nullable<Ts>,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Id, Ts};

    ledger_transfers (event_id) {
        event_id -> Id,
        payment_id -> Id,
        phase -> Text,
        debit -> Text,
        credit -> Text,
        currency -> Text,
        amount -> BigInt,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    credit_accounts (id) {
        id -> Id,
        kind -> Text,
        code_hash -> Nullable<Text>,
        last4 -> Nullable<Text>,
        email -> Nullable<Text>,
        currency -> Text,
        balance -> BigInt,
        status -> Text,
        expires_at -> Nullable<Ts>,
        note -> Nullable<Text>,
        metadata -> Doc,
        version -> BigInt,
        created_at -> Ts,
        updated_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Id, Ts};

    credit_entries (id) {
        id -> Id,
        account_id -> Id,
        kind -> Text,
        amount -> BigInt,
        reason -> Nullable<Text>,
        payment_id -> Nullable<Id>,
        attempt_id -> Nullable<Id>,
        actor -> Text,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Id, Ts};

    payment_notices (provider, id) {
        provider -> Text,
        id -> Text,
        kind -> Text,
        payment_id -> Nullable<Id>,
        reference -> Nullable<Text>,
        received_at -> Ts,
        processed_at -> Nullable<Ts>,
        customer -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Id, Ts};

    payment_customers (id) {
        id -> Id,
        provider -> Text,
        email -> Text,
        reference -> Nullable<Text>,
        version -> BigInt,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Id, Ts};

    saved_payment_methods (id) {
        id -> Id,
        customer_id -> Id,
        email -> Text,
        reference -> Text,
        kind -> Text,
        brand -> Nullable<Text>,
        last4 -> Nullable<Text>,
        expiry_month -> Nullable<BigInt>,
        expiry_year -> Nullable<BigInt>,
        is_default -> Bool,
        forgotten_at -> Nullable<Ts>,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    checkouts (id) {
        id -> Id,
        cart_id -> Id,
        cart_version -> BigInt,
        status -> Text,
        remote -> Bool,
        quote -> Doc,
        currency -> Text,
        total -> BigInt,
        payment_id -> Id,
        payment -> Doc,
        expires_at -> Ts,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    orders (id) {
        id -> Id,
        number -> Text,
        sequence -> Nullable<BigInt>,
        channel_id -> Id,
        cart_id -> Id,
        checkout_id -> Id,
        status -> Text,
        source -> Text,
        reference -> Nullable<Text>,
        email -> Text,
        shipping_address -> Nullable<Doc>,
        billing_address -> Nullable<Doc>,
        shipping_method -> Nullable<Doc>,
        placed_by -> Text,
        currency -> Text,
        prices_include_tax -> Bool,
        rounding -> Text,
        tax_per -> Text,
        goods_total -> BigInt,
        discount_total -> BigInt,
        shipping_total -> BigInt,
        tax_total -> BigInt,
        grand_total -> BigInt,
        cancelled_total -> BigInt,
        metadata -> Doc,
        version -> BigInt,
        placed_at -> Ts,
        updated_at -> Ts,
        cancelled_at -> Nullable<Ts>,
        token_hash -> Binary,
        due_at -> Nullable<Ts>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    order_lines (id) {
        id -> Id,
        order_id -> Id,
        position -> BigInt,
        kind -> Text,
        variant_id -> Nullable<Id>,
        sku -> Text,
        title -> Text,
        quantity -> BigInt,
        unit_price -> BigInt,
        subtotal -> BigInt,
        discount -> BigInt,
        net -> BigInt,
        taxes -> Doc,
        tax -> BigInt,
        total -> BigInt,
        quantity_cancelled -> BigInt,
        quantity_refunded -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    order_allocations (order_line_id, location_id) {
        order_line_id -> Id,
        variant_id -> Id,
        location_id -> Id,
        quantity -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    order_events (id) {
        id -> Id,
        order_id -> Id,
        kind -> Text,
        data -> Doc,
        actor -> Text,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Id, Ts};

    order_holds (id) {
        id -> Id,
        order_id -> Id,
        reason -> Text,
        note -> Nullable<Text>,
        placed_by -> Text,
        placed_at -> Ts,
        released_by -> Nullable<Text>,
        released_at -> Nullable<Ts>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    risk_assessments (order_id) {
        order_id -> Id,
        level -> Text,
        score -> BigInt,
        facts -> Doc,
        email -> Text,
        address_hash -> Nullable<Text>,
        card_fingerprint -> Nullable<Text>,
        placed_at -> Ts,
        assessed_at -> Ts,
        decision -> Nullable<Text>,
        decided_by -> Nullable<Text>,
        decided_at -> Nullable<Ts>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Id, Ts};

    risk_blocks (id) {
        id -> Id,
        kind -> Text,
        value -> Text,
        note -> Nullable<Text>,
        created_by -> Text,
        created_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Id, Ts};

    credit_terms (id) {
        id -> Id,
        email -> Text,
        company -> Nullable<Text>,
        currency -> Text,
        credit_limit -> BigInt,
        net_days -> BigInt,
        status -> Text,
        hold_after_days -> Nullable<BigInt>,
        note -> Nullable<Text>,
        version -> BigInt,
        created_at -> Ts,
        updated_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Doc, Id, Ts};

    coupons (id) {
        id -> Id,
        code -> Text,
        description -> Nullable<Text>,
        basis_points -> Nullable<BigInt>,
        amount -> Nullable<BigInt>,
        max_amount -> Nullable<BigInt>,
        currency -> Nullable<Text>,
        channel_ids -> Doc,
        minimum -> Nullable<BigInt>,
        starts_at -> Nullable<Ts>,
        ends_at -> Nullable<Ts>,
        usage_limit -> Nullable<BigInt>,
        usage_limit_per_customer -> Nullable<BigInt>,
        used -> BigInt,
        status -> Text,
        metadata -> Doc,
        version -> BigInt,
        created_at -> Ts,
        updated_at -> Ts,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::Id;

    coupon_customers (coupon_id, email) {
        coupon_id -> Id,
        email -> Text,
        used -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::kernel::column::{Id, Ts};

    coupon_redemptions (order_id, coupon_id) {
        order_id -> Id,
        coupon_id -> Id,
        email -> Text,
        amount -> BigInt,
        redeemed_at -> Ts,
        returned_at -> Nullable<Ts>,
    }
}
