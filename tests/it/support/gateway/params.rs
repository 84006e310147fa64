//! Parameters: form encoding with brackets, and the lists of what each call knows.

use serde_json::{Map, Value};

use super::errors::{Error, bracketed};

/// The parameters of a request, as a tree of strings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params(pub Value);

impl Params {
    /// Reads `a=1&b[c]=2&d[]=3`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut root = Value::Object(Map::new());
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            let path = segments(&name)?;
            insert(&mut root, &path, value).map_err(|()| {
                Error::malformed(format!(
                    "Invalid request: parameter {name} is given twice, as different things."
                ))
            })?;
        }
        Ok(Self(root))
    }

    /// Refuses every parameter that is not in the list, and every empty value of one that cannot be unset.
    ///
    /// The list is of dotted names with spaces between; `*` stands for one name, `**` for any depth. A name with a `?` behind
    /// it may be given as an empty string.
    pub fn check(&self, known: &str) -> Result<(), Error> {
        let mut leaves = Vec::new();
        walk(&self.0, &mut Vec::new(), &mut leaves);
        for (path, value) in &leaves {
            let name = path.join(".");
            let shown = bracketed(&name);
            let Some(pattern) = known
                .split_whitespace()
                .find(|pattern| matches(pattern.trim_end_matches('?'), path))
            else {
                let beneath = known.split_whitespace().any(|pattern| {
                    pattern
                        .strip_prefix(name.as_str())
                        .is_some_and(|rest| rest.starts_with('.'))
                });
                return Err(if beneath {
                    Error::invalid(&name, "Invalid object").code("parameter_invalid_object")
                } else {
                    Error::invalid(&name, format!("Received unknown parameter: {shown}"))
                        .code("parameter_unknown")
                });
            };
            if value.is_empty() && !pattern.ends_with('?') {
                return Err(Error::invalid(
                    &name,
                    format!(
                        "You passed an empty string for '{shown}'. We assume empty values are an \
                         attempt to unset a parameter; however '{shown}' cannot be unset. You \
                         should remove '{shown}' from your request or supply a non-empty value."
                    ),
                )
                .code("parameter_invalid_empty"));
            }
        }
        Ok(())
    }

    /// What stands at a dotted path.
    pub fn get(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(&self.0, |at, name| at.get(name))
    }

    /// A text.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.get(path)?.as_str()
    }

    /// A text that has to be there.
    pub fn required(&self, path: &str) -> Result<&str, Error> {
        self.text(path).ok_or_else(|| Error::missing(path))
    }

    /// A whole number.
    pub fn integer(&self, path: &str) -> Result<Option<i64>, Error> {
        let Some(text) = self.text(path) else {
            return Ok(None);
        };
        let digits = text.strip_prefix('-').unwrap_or(text);
        let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if valid => Ok(Some(number)),
            _ => Err(Error::invalid(path, format!("Invalid integer: {text}"))
                .code("parameter_invalid_integer")),
        }
    }

    /// An amount of money: a whole number of the smallest unit, from `least` to eight digits.
    pub fn amount(&self, path: &str, least: i64) -> Result<Option<i64>, Error> {
        match self.integer(path)? {
            Some(amount) if amount < least => Err(Error::invalid(
                path,
                format!("This value must be greater than or equal to {least}."),
            )
            .code("parameter_invalid_integer")),
            Some(amount) if amount > 99_999_999 => Err(Error::invalid(
                path,
                "Amount must be no more than 999,999.99",
            )
            .code("amount_too_large")),
            other => Ok(other),
        }
    }

    /// A boolean.
    pub fn boolean(&self, path: &str) -> Result<Option<bool>, Error> {
        match self.text(path) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(Error::invalid(path, format!("Invalid boolean: {other}"))),
        }
    }

    /// One of a few words.
    pub fn one_of(&self, path: &str, words: &[&str]) -> Result<Option<&str>, Error> {
        match self.text(path) {
            None => Ok(None),
            Some(word) if words.contains(&word) => Ok(Some(word)),
            Some(_) => Err(Error::invalid(
                path,
                format!(
                    "Invalid {}: must be one of {}",
                    bracketed(path),
                    words.join(", ")
                ),
            )),
        }
    }

    /// A list, given as `a[]=` or as `a[0]=`.
    pub fn list(&self, path: &str) -> Vec<String> {
        let texts = |values: &mut dyn Iterator<Item = &Value>| {
            values
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect()
        };
        match self.get(path) {
            Some(Value::Array(items)) => texts(&mut items.iter()),
            Some(Value::Object(items)) => texts(&mut items.values()),
            _ => Vec::new(),
        }
    }

    /// Changes metadata as a request says: an empty value takes a key away, an empty `metadata` takes all away.
    pub fn metadata(&self, metadata: &mut Map<String, Value>) -> Result<(), Error> {
        match self.get("metadata") {
            Some(Value::String(_)) => metadata.clear(),
            Some(Value::Object(entries)) => {
                for (key, value) in entries {
                    let text = value.as_str().unwrap_or_default();
                    if key.chars().count() > 40 {
                        return Err(Error::invalid(
                            &format!("metadata.{key}"),
                            format!("Metadata keys must be under 40 characters, but got: {key}"),
                        ));
                    }
                    if text.chars().count() > 500 {
                        return Err(Error::invalid(
                            &format!("metadata.{key}"),
                            "Metadata values must be under 500 characters, but got a longer one.",
                        ));
                    }
                    if text.is_empty() {
                        metadata.remove(key);
                    } else {
                        metadata.insert(key.clone(), value.clone());
                    }
                }
                if metadata.len() > 50 {
                    return Err(Error::invalid(
                        "metadata",
                        "You can have up to 50 metadata keys.",
                    ));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether anything was given under a name.
    pub fn has(&self, path: &str) -> bool {
        self.get(path).is_some()
    }

    /// Refuses loudly what the double does not play.
    pub fn not_simulated(&self, names: &[&str]) -> Result<(), Error> {
        match names.iter().find(|name| self.has(name)) {
            Some(name) => Err(Error::not_simulated(name)),
            None => Ok(()),
        }
    }
}

/// Currencies that cards are charged in.
const CURRENCIES: &str = "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bif bmd bnd \
     bob brl bsd bwp byn bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd \
     fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd jpy kes kgs khr kmf krw \
     kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio \
     nok npr nzd pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos \
     srd std szl thb tjs top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xcg xof xpf yer \
     zar zmw bhd jod kwd omr tnd";

/// A currency, in lower case.
pub fn currency(params: &Params) -> Result<String, Error> {
    let text = params.required("currency")?;
    if text.len() == 3 && CURRENCIES.split(' ').any(|known| known == text) {
        return Ok(text.to_owned());
    }
    Err(Error::invalid(
        "currency",
        format!(
            "Invalid currency: {text}. Stripe currently supports these currencies: {CURRENCIES}"
        ),
    ))
}

fn decode(text: &str) -> Result<String, Error> {
    let broken = || Error::malformed("Invalid request: the body is not form-encoded.");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut digit = || {
                    rest.next()
                        .and_then(|byte| char::from(byte).to_digit(16))
                        .and_then(|digit| u8::try_from(digit).ok())
                        .ok_or_else(broken)
                };
                let (high, low) = (digit()?, digit()?);
                bytes.push(high * 16 + low);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

/// `a[b][]` as its names; the empty one means "the next of a list".
fn segments(name: &str) -> Result<Vec<&str>, Error> {
    let broken = || {
        Error::malformed(format!(
            "Invalid request: the parameter name {name} is broken."
        ))
    };
    let Some((head, mut rest)) = name
        .split_once('[')
        .map(|(head, _)| (head, &name[head.len()..]))
    else {
        return Ok(vec![name]);
    };
    let mut path = vec![head];
    while !rest.is_empty() {
        let inner = rest.strip_prefix('[').ok_or_else(broken)?;
        let (segment, after) = inner.split_once(']').ok_or_else(broken)?;
        path.push(segment);
        rest = after;
    }
    Ok(path)
}

fn insert(at: &mut Value, path: &[&str], value: String) -> Result<(), ()> {
    let (name, rest) = (path[0], &path[1..]);
    if name.is_empty() {
        if at.as_object().is_some_and(Map::is_empty) {
            *at = Value::Array(Vec::new());
        }
        let items = at.as_array_mut().ok_or(())?;
        items.push(Value::String(value));
        return if rest.is_empty() { Ok(()) } else { Err(()) };
    }
    let entries = at.as_object_mut().ok_or(())?;
    if rest.is_empty() {
        if entries.get(name).is_some_and(|old| !old.is_string()) {
            return Err(());
        }
        entries.insert(name.to_owned(), Value::String(value));
        return Ok(());
    }
    let next = entries
        .entry(name)
        .or_insert_with(|| Value::Object(Map::new()));
    insert(next, rest, value)
}

fn walk(at: &Value, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, String)>) {
    let mut deeper = |name: String, value: &Value| {
        path.push(name);
        walk(value, path, leaves);
        path.pop();
    };
    match at {
        Value::Object(entries) => entries
            .iter()
            .for_each(|(name, value)| deeper(name.clone(), value)),
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(at, value)| deeper(at.to_string(), value));
        }
        other => leaves.push((path.clone(), other.as_str().unwrap_or_default().to_owned())),
    }
}

fn matches(pattern: &str, path: &[String]) -> bool {
    let mut names = path.iter();
    for part in pattern.split('.') {
        match (part, names.next()) {
            ("**", Some(_)) => return true,
            ("*", Some(_)) => {}
            (part, Some(name)) if part == name => {}
            _ => return false,
        }
    }
    names.next().is_none()
}

/// `POST /v1/payment_intents`.
pub const INTENT_CREATE: &str = "amount currency \
    automatic_payment_methods.enabled automatic_payment_methods.allow_redirects capture_method \
    confirm confirmation_method confirmation_token customer customer_account description? \
    error_on_requires_action excluded_payment_method_types.* expand.* hooks.** mandate \
    mandate_data.** metadata? metadata.*? amount_details.** application_fee_amount off_session \
    on_behalf_of payment_details.** payment_method payment_method_configuration \
    payment_method_data.** payment_method_types.* radar_options.session receipt_email? return_url \
    setup_future_usage statement_descriptor? statement_descriptor_suffix? transfer_data.** \
    transfer_group use_stripe_sdk";
/// `POST /v1/payment_intents/{id}`.
pub const INTENT_UPDATE: &str = "amount currency capture_method customer customer_account \
    description? excluded_payment_method_types.* expand.* hooks.** metadata? metadata.*? \
    amount_details.** application_fee_amount? payment_details.** payment_method \
    payment_method_configuration payment_method_data.** payment_method_types.* receipt_email? \
    setup_future_usage? statement_descriptor? statement_descriptor_suffix? transfer_data.** \
    transfer_group";
/// `POST /v1/payment_intents/{id}/confirm`.
pub const INTENT_CONFIRM: &str = "capture_method confirmation_token error_on_requires_action \
    excluded_payment_method_types.* expand.* hooks.** mandate mandate_data.** amount_details.** \
    off_session payment_details.** payment_method payment_method_data.** payment_method_types.* \
    radar_options.session receipt_email? return_url setup_future_usage? use_stripe_sdk";
/// Options of the payment methods and the address, which creating, changing and confirming share.
pub const INTENT_SHARED: &str = "payment_method_options.card.capture_method \
    payment_method_options.card.cvc_token payment_method_options.card.installments.** \
    payment_method_options.card.mandate_options.** payment_method_options.card.moto \
    payment_method_options.card.network \
    payment_method_options.card.request_extended_authorization \
    payment_method_options.card.request_incremental_authorization \
    payment_method_options.card.request_multicapture \
    payment_method_options.card.request_overcapture \
    payment_method_options.card.request_three_d_secure \
    payment_method_options.card.require_cvc_recollection \
    payment_method_options.card.setup_future_usage \
    payment_method_options.card.statement_descriptor_suffix_kana \
    payment_method_options.card.statement_descriptor_suffix_kanji \
    payment_method_options.card.three_d_secure.** payment_method_options.affirm.** \
    payment_method_options.bancontact.** payment_method_options.customer_balance.** \
    payment_method_options.ideal.** payment_method_options.klarna.** \
    payment_method_options.link.** payment_method_options.paypal.** \
    payment_method_options.revolut_pay.** payment_method_options.sepa_debit.** \
    payment_method_options.twint.** payment_method_options.us_bank_account.** shipping? \
    shipping.address.city shipping.address.country shipping.address.line1 shipping.address.line2? \
    shipping.address.postal_code shipping.address.state shipping.carrier? shipping.name \
    shipping.phone? shipping.tracking_number?";
/// `POST /v1/payment_intents/{id}/capture`.
pub const INTENT_CAPTURE: &str = "amount_to_capture amount_details.** application_fee_amount \
    expand.* final_capture hooks.** metadata? metadata.*? payment_details.** \
    statement_descriptor? statement_descriptor_suffix? transfer_data.**";
/// `POST …/cancel`.
pub const INTENT_CANCEL: &str = "cancellation_reason expand.*";
/// `GET /v1/payment_intents/{id}`.
pub const INTENT_GET: &str = "client_secret expand.*";
/// What every list takes.
pub const LIST: &str = "limit starting_after ending_before expand.* created created.gt \
    created.gte created.lt created.lte";
/// `GET /v1/payment_intents/search`.
pub const SEARCH: &str = "query limit page expand.*";
/// `POST /v1/refunds`.
pub const REFUND_CREATE: &str = "amount charge currency customer expand.* instructions_email \
    metadata? metadata.*? origin payment_intent reason refund_application_fee reverse_transfer";
/// Only `expand[]`.
pub const EXPAND: &str = "expand.*";
/// Only metadata.
pub const METADATA: &str = "metadata? metadata.*? expand.*";
/// `POST /v1/customers`.
pub const CUSTOMER: &str = "address? address.city? address.country? address.line1? \
    address.line2? address.postal_code? address.state? business_name? cash_balance.** \
    description? email? expand.* individual_name? invoice_prefix invoice_settings.** metadata? \
    metadata.*? name? next_invoice_sequence payment_method phone? preferred_locales.* shipping? \
    shipping.address.city shipping.address.country shipping.address.line1 shipping.address.line2? \
    shipping.address.postal_code shipping.address.state shipping.name shipping.phone? source \
    tax.** tax_exempt? tax_id_data.** test_clock balance";
/// `POST /v1/setup_intents`.
pub const SETUP_CREATE: &str = "attach_to_self automatic_payment_methods.enabled \
    automatic_payment_methods.allow_redirects confirm confirmation_token customer \
    customer_account description? excluded_payment_method_types.* expand.* flow_directions.* \
    mandate_data.** metadata? metadata.*? on_behalf_of payment_method \
    payment_method_configuration payment_method_data.** \
    payment_method_options.card.mandate_options.** payment_method_options.card.moto \
    payment_method_options.card.network payment_method_options.card.request_three_d_secure \
    payment_method_options.card.three_d_secure.** payment_method_types.* return_url single_use.** \
    usage use_stripe_sdk";
/// `POST /v1/setup_intents/{id}/confirm`.
pub const SETUP_CONFIRM: &str = "confirmation_token expand.* mandate_data.** payment_method \
    payment_method_data.** payment_method_options.card.** return_url use_stripe_sdk";
/// `POST /v1/payment_methods/{id}/attach`.
pub const ATTACH: &str = "customer customer_account expand.*";
