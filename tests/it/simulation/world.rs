//! One run: the shop, the provider, the schedule and the verdict.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use diesel::sql_types::BigInt;
use mercer::app;
use mercer::context::{App, Cx};
use mercer::db::{Address, Db};
use mercer::domain::carts::{ApplyCoupon, CartStatus, CreateCart};
use mercer::domain::flows::{
    self, CancelOrder, CapturePayment, CreatePaymentLink, PayPaymentLink, PlaceOrder,
    ReauthorizePayment, RefundPayment, StartCheckout, VoidPayment,
};
use mercer::domain::orders::{ListOrders, Order, OrderStatus};
use mercer::domain::payments::{GetPayment, Payment, PaymentAttemptKind};
use mercer::domain::saved_methods::SetUpPaymentMethod;
use mercer::kernel::Clock;
use mercer::kernel::ids::{CartId, PaymentId};
use mercer::operation::{Operation, dispatch};
use mercer::ports::payment::PaymentProvider;
use mercer::providers::Manual;
use mercer::sabotage::Guard;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, LocalSet};

use super::gateway::{Fate, Parked, Progress, Sim};
use crate::support::shop::block_on;
use crate::support::{Kind, Shop, Store, server};

/// A shop that sells two goods, one of them scarce, and takes a scarce coupon; every run begins with a copy.
pub struct Template {
    bytes: Vec<u8>,
    channel: String,
    method: String,
}

impl Template {
    pub fn make() -> Self {
        let shop = Shop::open(Kind::Sqlite);
        let store = Store::open(&shop);
        store.sell(&[("MUG", 1_500, 1_000), ("LAST", 900, 6)]);
        let coupon = json!({ "code": "FEW", "amount": 100, "currency": "EUR", "usageLimit": 3 });
        shop.staff().post("/coupons", coupon).created();
        let (channel, method) = (store.channel.clone(), store.method.clone());
        let closed = shop.close();
        let path = PathBuf::from(closed.url());
        // Ada's card is kept, so that it can be charged while she is away.
        let sim = Sim::new(mpsc::unbounded_channel().0);
        let db = Db::open(&Address::parse(closed.url()), 1).unwrap();
        let app = open(db, closed.url(), &Clock::default(), &sim, None);
        let ada = json!({ "provider": "sim", "email": "ada@example.com" });
        block_on(ask::<SetUpPaymentMethod>(app.system(), ada)).unwrap();
        drop(app);
        let mut conn = Address::parse(closed.url()).open().unwrap();
        conn.batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        drop(conn);
        Self {
            bytes: std::fs::read(path).unwrap(),
            channel,
            method,
        }
    }
}

/// How a run went.
pub struct Story {
    pub trace: Vec<String>,
    pub faults: usize,
    pub verdict: Result<(), String>,
}

/// Random numbers by `SplitMix64`: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(sides).unwrap()).unwrap()
    }
}

struct World<'a> {
    template: &'a Template,
    url: String,
    clock: Clock,
    app: App,
    guard: Option<Guard>,
    sim: Sim,
    progress: mpsc::UnboundedReceiver<Progress>,
    tell: mpsc::UnboundedSender<Progress>,
    tasks: BTreeMap<usize, AbortHandle>,
    parked: Vec<Parked>,
    carts: Vec<CartId>,
    links: Vec<String>,
    dice: Dice,
    trace: Vec<String>,
    faults: usize,
    started: usize,
    working: Option<usize>,
}

/// Makes a run.
pub fn run(template: &Template, seed: u64, guard: Option<Guard>) -> Story {
    // In memory where there is such a place: what a crash of the machine does is told elsewhere.
    let folder = if std::path::Path::new("/dev/shm").is_dir() {
        tempfile::tempdir_in("/dev/shm").unwrap()
    } else {
        tempfile::tempdir().unwrap()
    };
    let path = folder.path().join("shop.db");
    std::fs::write(&path, &template.bytes).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let set = LocalSet::new();
    set.block_on(&runtime, async {
        let (tell, progress) = mpsc::unbounded_channel();
        let sim = Sim::new(tell.clone());
        let clock = Clock::default();
        let url = path.to_str().unwrap().to_owned();
        let db = Db::open(&Address::parse(&url), 1).unwrap();
        // A crash here takes no file with it; what one of the machine does is told elsewhere.
        #[cfg(feature = "sabotage")]
        db.answer_before_the_flush();
        let app = open(db, &url, &clock, &sim, guard);
        let mut world = World {
            template,
            url,
            clock,
            app,
            guard,
            sim,
            progress,
            tell,
            tasks: BTreeMap::new(),
            parked: Vec::new(),
            carts: Vec::new(),
            links: Vec::new(),
            dice: Dice(seed),
            trace: Vec::new(),
            faults: 0,
            started: 0,
            working: None,
        };
        world.loosen().await;
        for _ in 0..30 + world.dice.roll(60) {
            world.step().await;
        }
        let verdict = world.settle().await;
        Story {
            trace: world.trace,
            faults: world.faults,
            verdict,
        }
    })
}

/// The application on what is in the database, with nothing in memory.
fn open(db: Db, url: &str, clock: &Clock, sim: &Sim, guard: Option<Guard>) -> App {
    let config = server::config(url, &[("workers", "1"), ("connections", "1")]);
    let providers: Vec<Arc<dyn PaymentProvider>> = vec![Arc::new(sim.clone()), Arc::new(Manual)];
    let mut conn = Address::parse(url).open().unwrap();
    let app = app::open_on(db, &mut conn, config, clock.clone(), providers).unwrap();
    if let Some(guard) = guard {
        app.sabotage.remove(guard);
    }
    app
}

async fn ask<O: Operation>(cx: Cx, input: Value) -> Result<O::Output, String> {
    let operation: O = serde_json::from_value(input).map_err(|e| e.to_string())?;
    let answer = dispatch(&cx, operation).await;
    answer
        .map(|a| a.value)
        .map_err(|e| e.code.as_str().to_owned())
}

fn said<T>(result: Result<T, String>, well: &str) -> String {
    match result {
        Ok(_) => well.to_owned(),
        Err(code) => code,
    }
}

impl World<'_> {
    fn cx(&self) -> Cx {
        let mut cx = self.app.system();
        cx.idempotency_key = Some(mercer::kernel::id::fresh().to_string().into());
        cx
    }

    fn log(&mut self, line: impl Into<String>) {
        self.trace.push(line.into());
    }

    /// Starts a task, which runs until it is over or waits.
    async fn start(&mut self, name: &str, task: impl Future<Output = String> + 'static) -> usize {
        self.started += 1;
        let (id, tell) = (self.started, self.tell.clone());
        self.log(format!("{id}: {name}"));
        let handle = tokio::task::spawn_local(async move {
            let said = task.await;
            let _ = tell.send(Progress::Done(id, said));
        });
        self.tasks.insert(id, handle.abort_handle());
        self.wait().await;
        id
    }

    /// Waits until the task that runs is over or waits.
    async fn wait(&mut self) {
        match self.progress.recv().await.unwrap() {
            Progress::Parked(call) => {
                let what = call.what;
                self.parked.push(call);
                self.log(format!("   calls {what}"));
            }
            Progress::Done(id, said) => {
                self.tasks.remove(&id);
                if self.working == Some(id) {
                    self.working = None;
                }
                self.log(format!("   {id} is over: {said}"));
            }
        }
    }

    async fn release(&mut self, which: usize, fate: Fate) {
        let call = self.parked.remove(which);
        self.log(format!("{} is {fate:?}", call.what));
        self.faults += usize::from(fate != Fate::Answered);
        call.fate.send(fate).unwrap();
        self.wait().await;
    }

    async fn step(&mut self) {
        match self.dice.roll(23) {
            0..=3 => self.shop().await,
            4..=5 => self.place_again().await,
            6..=9 if !self.parked.is_empty() => {
                let which = self.dice.roll(self.parked.len());
                let fate = match self.dice.roll(6) {
                    0 => Fate::LostBefore,
                    1 | 2 => Fate::LostAfter,
                    _ => Fate::Answered,
                };
                self.release(which, fate).await;
            }
            10..=13 => self.staff().await,
            14 => self.link().await,
            15 => self.crash(),
            16 => self.notice().await,
            17 => self.act(),
            18 => {
                let minutes = [1, 3, 16, 31, 24 * 60][self.dice.roll(5)];
                self.log(format!("{minutes} minutes pass"));
                self.clock.advance(Duration::from_mins(minutes));
            }
            #[cfg(feature = "sabotage")]
            19 => {
                self.log("the next transaction panics");
                self.faults += 1;
                self.app.sabotage.panic_next(1);
            }
            _ => self.work().await,
        }
    }

    /// A new shopper with a cart on its way to an order.
    async fn shop(&mut self) {
        let lines = match self.dice.roll(3) {
            0 => json!([{ "sku": "LAST", "quantity": 2 }]),
            _ => json!([{ "sku": "MUG", "quantity": 1 + self.dice.roll(3) }]),
        };
        let cart = json!({
            "channelId": self.template.channel, "lines": lines, "email": "ada@example.com",
            "shippingMethodId": self.template.method,
            "shippingAddress": { "name": "Ada", "line1": "1 High Street", "city": "Berlin", "postcode": "10115", "country": "DE" },
        });
        let token = ["approve", "approve", "later", "decline", "action"][self.dice.roll(5)];
        let made = match ask::<CreateCart>(self.cx(), cart).await {
            Ok(made) => made,
            Err(code) => return self.log(format!("no cart: {code}")),
        };
        assert_eq!(made.cart.status, CartStatus::Open);
        let cart = made.cart.id;
        self.carts.push(cart);
        if self.dice.roll(3) == 0 {
            let coupon = json!({ "cartId": cart, "code": "FEW" });
            // One that is used up is refused.
            let applied = said(ask::<ApplyCoupon>(self.cx(), coupon).await, "applied");
            self.log(format!("coupon: {applied}"));
        }
        self.pay(cart, token).await;
    }

    async fn pay(&mut self, cart: CartId, token: &str) {
        let (start, place) = (self.cx(), self.cx());
        let payment = match token {
            "later" => json!({ "provider": "manual" }),
            _ => json!({ "provider": "sim", "token": token }),
        };
        let payment = json!({ "cartId": cart, "payment": payment });
        let number = self.carts.iter().position(|c| *c == cart);
        self.start(
            &format!("cart {number:?} is paid with {token}"),
            async move {
                if let Err(code) = ask::<StartCheckout>(start, payment).await {
                    return code;
                }
                placed(place, cart).await
            },
        )
        .await;
    }

    /// A cart is submitted once more, by whoever does not wait; or paid with another card.
    async fn place_again(&mut self) {
        if self.carts.is_empty() {
            return;
        }
        let which = self.dice.roll(self.carts.len());
        let cart = self.carts[which];
        if self.dice.roll(3) == 0 {
            return self.pay(cart, "approve").await;
        }
        let cx = self.cx();
        self.start(&format!("cart {which} is placed again"), placed(cx, cart))
            .await;
    }

    async fn orders(&self) -> Vec<Order> {
        let listed = ask::<ListOrders>(self.app.system(), json!({ "limit": 100 })).await;
        let mut orders = listed.unwrap().items;
        orders.reverse();
        orders
    }

    /// Somebody captures, voids, refunds or cancels.
    async fn staff(&mut self) {
        let orders = self.orders().await;
        if orders.is_empty() {
            return;
        }
        let which = self.dice.roll(orders.len());
        let order = &orders[which];
        let payment = order.payments[0].id;
        let amount = [None, Some(500), Some(1_490), Some(5_000)][self.dice.roll(4)];
        let cx = self.cx();
        let body = json!({ "id": payment, "amount": amount });
        match self.dice.roll(13) {
            11..=12 => {
                let which_payment = self.dice.roll(order.payments.len());
                let body = json!({ "id": order.payments[which_payment].id });
                let task =
                    async move { said(ask::<ReauthorizePayment>(cx, body).await, "reauthorized") };
                let what = format!("order {which}: reserve payment {which_payment} anew");
                self.start(&what, task).await
            }
            9..=10 => {
                let lines = json!([{ "lineId": order.lines[0].id, "quantity": 1 }]);
                let shipment = format!("S{}", self.dice.roll(3));
                let what = format!("order {which}: ship {shipment}");
                let body = json!({ "id": payment, "lines": lines, "shipment": shipment });
                let task = async move { said(ask::<CapturePayment>(cx, body).await, "captured") };
                self.start(&what, task).await
            }
            0..=2 => {
                let task = async move { said(ask::<CapturePayment>(cx, body).await, "captured") };
                self.start(&format!("order {which}: capture {amount:?}"), task)
                    .await
            }
            3..=6 => {
                let task = async move { said(ask::<RefundPayment>(cx, body).await, "refunded") };
                self.start(&format!("order {which}: refund {amount:?}"), task)
                    .await
            }
            7 => {
                let body = json!({ "id": payment });
                let task = async move { said(ask::<VoidPayment>(cx, body).await, "voided") };
                self.start(&format!("order {which}: void"), task).await
            }
            _ => {
                let body = json!({ "id": order.id });
                let task = async move { said(ask::<CancelOrder>(cx, body).await, "cancelled") };
                self.start(&format!("order {which}: cancel"), task).await
            }
        };
    }

    /// Somebody sends a shopper a link to pay an order with, or a shopper pays with one, perhaps not for the first time.
    async fn link(&mut self) {
        let orders = self.orders().await;
        if self.links.is_empty() || self.dice.roll(3) == 0 {
            let later: Vec<&Order> = orders
                .iter()
                .filter(|o| o.payments[0].provider == "manual")
                .collect();
            if later.is_empty() {
                return;
            }
            let order = later[self.dice.roll(later.len())];
            let made = ask::<CreatePaymentLink>(self.cx(), json!({ "orderId": order.id })).await;
            self.log(format!(
                "link {} for order {}",
                self.links.len(),
                order.number
            ));
            match made {
                Ok(made) => self.links.push(made.token),
                Err(code) => return self.log(code),
            }
        }
        let which = self.dice.roll(self.links.len());
        let card = ["approve", "approve", "decline", "action"][self.dice.roll(4)];
        let payment = json!({ "provider": "sim", "token": card });
        let (cx, body) = (
            self.cx(),
            json!({ "token": self.links[which], "payment": payment }),
        );
        let task = async move {
            match ask::<PayPaymentLink>(cx, body).await {
                Ok(paid) => paid.outcome.as_str().to_owned(),
                Err(code) => code,
            }
        };
        self.start(&format!("link {which} is paid with {card}"), task)
            .await;
    }

    /// The process is killed: what was on its way is gone, what is in the database stays, and it starts again.
    fn crash(&mut self) {
        self.log(format!(
            "crash with {} calls on their way",
            self.parked.len()
        ));
        self.faults += 1;
        for (_, task) in std::mem::take(&mut self.tasks) {
            task.abort();
        }
        // A call that was sent may arrive all the same.
        self.parked.clear();
        self.working = None;
        let db = self.app.db.clone();
        self.app = open(db, &self.url, &self.clock, &self.sim, self.guard);
    }

    /// What the database itself would forbid is allowed, so that the missing guard shows.
    async fn loosen(&self) {
        if matches!(self.guard, Some(Guard::Stock | Guard::Coupon)) {
            let system = self.app.system();
            let loose =
                system.write(|tx| Ok(tx.conn.batch("PRAGMA ignore_check_constraints = ON")?));
            loose.await.unwrap();
        }
    }

    /// One of the provider's webhooks comes: any of them, perhaps not for the first time.
    async fn notice(&mut self) {
        let notices = self.sim.notices();
        if notices.is_empty() {
            return;
        }
        let which = self.dice.roll(notices.len());
        self.log(format!("webhook {which}"));
        self.faults += 1;
        self.receive(which).await;
    }

    async fn receive(&mut self, which: usize) {
        let notice = self.sim.notices()[which].clone();
        let system = self.app.system();
        let received = system.write(move |tx| flows::receive(tx, "sim", &notice));
        if let Err(error) = received.await {
            self.log(format!("   is not taken: {}", error.code.as_str()));
        }
    }

    /// A shopper at their bank's page, or somebody at the provider's.
    fn act(&mut self) {
        let books = self.sim.books();
        if books.is_empty() {
            return;
        }
        // By age, which is the same in every run of a seed.
        let ids: Vec<PaymentId> = books.keys().copied().collect();
        let which = self.dice.roll(ids.len());
        if self.dice.roll(4) == 0 {
            self.log(format!("payment {which}: refunded at the provider"));
            self.sim.refund_there(ids[which], 300);
        } else {
            let well = self.dice.roll(4) > 0;
            self.log(format!("payment {which}: the shopper acts: {well}"));
            self.sim.act(ids[which], well);
        }
    }

    /// The job worker takes what is due, unless it is at work.
    async fn work(&mut self) {
        if self.working.is_some() {
            return;
        }
        let app = self.app.clone();
        self.working = Some(self.started + 1);
        let id = self
            .start("jobs", async move {
                let done = mercer::jobs::work_once(&app, &app::jobs()).await;
                done.map_or_else(|e| e.to_string(), |n| format!("{n} jobs"))
            })
            .await;
        if !self.tasks.contains_key(&id) {
            self.working = None;
        }
    }

    /// The provider answers again, everything it has said arrives, time passes; then everything must add up.
    async fn settle(&mut self) -> Result<(), String> {
        self.log("--- settling");
        #[cfg(feature = "sabotage")]
        self.app.sabotage.panic_next(0);
        let mut told = 0;
        for _ in 0..40 {
            while !self.parked.is_empty() {
                self.release(0, Fate::Answered).await;
            }
            for which in told..self.sim.notices().len() {
                self.receive(which).await;
            }
            told = self.sim.notices().len();
            self.work().await;
            if self.tasks.is_empty() {
                if self.is_quiet().await {
                    break;
                }
                self.clock.advance(Duration::from_mins(7));
            }
        }
        if !self.tasks.is_empty() {
            return Err(format!("{} tasks never come to an end", self.tasks.len()));
        }
        let mut conn = Address::parse(&self.url).open().unwrap();
        for finding in mercer::doctor::examine(&mut conn).unwrap() {
            if !finding.broken.is_empty() {
                return Err(format!("{}: {:?}", finding.invariant.name, finding.broken));
            }
        }
        self.compare().await
    }

    /// Whether nothing is on its way any more: no job but those of a schedule, nothing to be asked for, no checkout.
    async fn is_quiet(&self) -> bool {
        let text =
            "SELECT (SELECT count(*) FROM jobs WHERE unique_key IS NULL AND status <> 'dead')
                + (SELECT count(*) FROM payments WHERE next_check_at IS NOT NULL)
                + (SELECT count(*) FROM payment_attempts WHERE status = 'pending')
                + (SELECT count(*) FROM checkouts WHERE status IN ('open', 'paying'))
                + (SELECT count(*) FROM events WHERE relayed_at IS NULL)";
        let system = self.app.system();
        let open = system.read(move |tx| tx.conn.rows::<BigInt, i64>(text, vec![]));
        open.await.unwrap() == [0]
    }

    async fn compare(&self) -> Result<(), String> {
        let orders = self.orders().await;
        let mut of_cart: BTreeMap<CartId, usize> = BTreeMap::new();
        let mut paid = std::collections::BTreeSet::new();
        for order in &orders {
            *of_cart.entry(order.cart_id).or_default() += 1;
            paid.extend(order.payments.iter().map(|p| p.id));
        }
        if let Some((cart, n)) = of_cart.iter().find(|(_, n)| **n > 1) {
            return Err(format!("cart {cart} is {n} orders"));
        }
        for order in &orders {
            let held = |p: &Payment| p.captured.amount - p.refunded.amount + p.outstanding.amount;
            let by_card = order.payments.iter().filter(|p| p.provider == "sim");
            let (held, total): (i64, i64) = (by_card.map(held).sum(), order.totals.total.amount);
            if held > total {
                return Err(format!(
                    "order {}: {held} of {total} are held",
                    order.number
                ));
            }
        }
        for (id, books) in self.sim.books() {
            let (reserved, captured, refunded) = books.amounts();
            if !paid.contains(&id) && (reserved != 0 || captured != refunded) {
                return Err(format!(
                    "payment {id}: {reserved} reserved, {captured} taken, {refunded} sent back, and no order"
                ));
            }
            if refunded > captured || captured > books.money.amount {
                return Err(format!(
                    "payment {id}: {captured} taken of {}, {refunded} sent back",
                    books.money.amount
                ));
            }
            let seen = ask::<GetPayment>(self.app.system(), json!({ "id": id })).await?;
            let ours = &seen.payment;
            if (ours.captured.amount, ours.refunded.amount) != (captured, refunded) {
                return Err(format!(
                    "payment {id}: the provider has {captured} and {refunded}, we have {} and {}",
                    ours.captured.amount, ours.refunded.amount
                ));
            }
            if ours.outstanding.amount > reserved {
                return Err(format!(
                    "payment {id}: {} are ours to take, {reserved} are there",
                    ours.outstanding.amount
                ));
            }
            let is_sold = orders
                .iter()
                .any(|o| o.status == OrderStatus::Open && o.payments[0].id == id);
            let let_go = ours.outstanding.amount == 0 && captured == 0;
            let asked = seen
                .attempts
                .iter()
                .any(|a| a.kind == PaymentAttemptKind::Void);
            if is_sold && let_go && !asked {
                return Err(format!(
                    "payment {id}: let go, though its order is open and nobody asked for that"
                ));
            }
            if seen.attempts.iter().any(|a| a.finished_at.is_none()) {
                return Err(format!("payment {id}: nobody knows of an attempt"));
            }
        }
        Ok(())
    }
}

async fn placed(cx: Cx, cart: CartId) -> String {
    match ask::<PlaceOrder>(cx, json!({ "cartId": cart })).await {
        Ok(placement) => placement.outcome.as_str().to_owned(),
        Err(code) => code,
    }
}
