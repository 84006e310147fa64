//! Background work: what is left behind is finished, what never succeeds is set aside, what happened is handed on.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use diesel::sql_types::{BigInt, Nullable, Text};
use mercer::jobs::{Jobs, relay, work_once};
use serde_json::json;

use crate::support::shop::block_on;
use crate::support::{Shop, Store};

fn enqueue(shop: &Shop, kind: &'static str) {
    let system = shop.app().system();
    block_on(system.write(move |tx| {
        tx.enqueue(kind, &json!({ "n": 1 }), Duration::ZERO);
        Ok(())
    }))
    .unwrap();
}

fn work(shop: &Shop, jobs: &Jobs) -> usize {
    block_on(work_once(shop.app(), jobs)).unwrap()
}

/// The jobs that are not scheduled: kind, status, attempts, last error.
fn queue(shop: &Shop) -> Vec<(String, String, i64, Option<String>)> {
    let text = "SELECT kind, status, attempts, last_error FROM jobs WHERE unique_key IS NULL ORDER BY kind";
    shop.connect()
        .rows::<(Text, Text, BigInt, Nullable<Text>), _>(text, vec![])
        .unwrap()
}

both! {
    fn a_checkout_that_runs_out_gives_its_stock_back(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let cart = store.checkout(&[("MUG", 10)], "approve");
        assert_eq!(store.front.get("/products/by-handle/mug").ok().text("/variants/0/availability"), "out_of_stock");
        shop.wait(Duration::from_mins(14));
        shop.work();
        assert_eq!((cart.checkout_status().as_str(), store.stock("MUG")), ("open", (10, 10, 0)));
        shop.wait(Duration::from_mins(2));
        shop.work();
        assert_eq!((cart.checkout_status().as_str(), store.stock("MUG")), ("expired", (10, 0, 0)));
        assert_eq!(store.front.get("/products/by-handle/mug").ok().text("/variants/0/availability"), "in_stock");
        shop.unchanged(|| cart.place().refused(409, "CHECKOUT_EXPIRED"));
        shop.check();
    }

    fn a_job_that_is_done_is_gone(shop) {
        enqueue(shop, "story");
        let done = Rc::new(RefCell::new(Vec::new()));
        let mut jobs = Jobs::default();
        let seen = done.clone();
        jobs.on("story", move |_, data| { let seen = seen.clone(); async move { seen.borrow_mut().push(data.0); Ok(()) } });
        assert_eq!((work(shop, &jobs), work(shop, &jobs)), (1, 0));
        assert_eq!(serde_json::to_value(&*done.borrow()).unwrap(), json!([{ "n": 1 }]));
        assert_eq!(queue(shop), []);
    }

    fn a_worker_does_several_jobs_side_by_side(shop) {
        for _ in 0..4 {
            enqueue(shop, "story");
        }
        let all_here = Rc::new(tokio::sync::Barrier::new(4));
        let (done, seen) = (Rc::new(RefCell::new(0)), Rc::new(tokio::sync::Notify::new()));
        let mut jobs = Jobs::default();
        let (count, tell) = (done.clone(), seen.clone());
        jobs.on("story", move |_, _| {
            let (all_here, count, tell) = (all_here.clone(), count.clone(), tell.clone());
            async move {
                all_here.wait().await;
                *count.borrow_mut() += 1;
                tell.notify_one();
                Ok(())
            }
        });
        let app = shop.app().clone();
        block_on(async move {
            let worker = mercer::jobs::Worker::start(&app, jobs);
            tokio::time::timeout(Duration::from_secs(20), seen.notified()).await.expect("they meet");
            worker.stop().await;
        });
        assert_eq!((*done.borrow(), queue(shop)), (4, vec![]));
    }

    fn a_slow_job_holds_up_no_other(shop) {
        enqueue(shop, "slow");
        for _ in 0..40 {
            enqueue(shop, "story");
        }
        let (go, done, seen) = (Rc::new(tokio::sync::Notify::new()), Rc::new(RefCell::new(0)), Rc::new(tokio::sync::Notify::new()));
        let mut jobs = Jobs::default();
        let wait = go.clone();
        jobs.on("slow", move |_, _| { let wait = wait.clone(); async move { wait.notified().await; Ok(()) } });
        let (count, tell) = (done.clone(), seen.clone());
        jobs.on("story", move |_, _| {
            let (count, tell) = (count.clone(), tell.clone());
            async move {
                *count.borrow_mut() += 1;
                if *count.borrow() == 40 {
                    tell.notify_one();
                }
                Ok(())
            }
        });
        let app = shop.app().clone();
        let slow = block_on(async move {
            let worker = mercer::jobs::Worker::start(&app, jobs);
            tokio::time::timeout(Duration::from_secs(20), seen.notified()).await.expect("the others are done");
            let slow: Vec<_> = queue(shop).into_iter().filter(|job| job.0 == "slow").collect();
            go.notify_one();
            worker.stop().await;
            slow
        });
        assert_eq!((slow[0].1.as_str(), queue(shop)), ("running", vec![]));
    }

    fn a_job_that_never_succeeds_is_set_aside_and_the_others_go_on(shop) {
        enqueue(shop, "poison");
        let mut jobs = Jobs::default();
        let tried = Rc::new(RefCell::new(0_usize));
        let count = tried.clone();
        jobs.on("poison", move |_, _| { *count.borrow_mut() += 1; async { panic!("the poison") } });
        jobs.on("good", |_, _| async { Ok(()) });
        for attempt in 1..=10 {
            assert_eq!(work(shop, &jobs), 1, "attempt {attempt}");
            assert_eq!(work(shop, &jobs), 0, "it waits before it is tried again");
            shop.wait(Duration::from_hours(2));
        }
        enqueue(shop, "good");
        assert_eq!((work(shop, &jobs), *tried.borrow()), (1, 10));
        let queue = queue(shop);
        assert_eq!((queue.len(), queue[0].0.as_str(), queue[0].1.as_str(), queue[0].2), (1, "poison", "dead", 10));
        assert!(queue[0].3.as_ref().is_some_and(|error| error.contains("panic")), "{queue:?}");
        let system = shop.app().system();
        assert_eq!(block_on(system.write(mercer::jobs::redrive)).unwrap(), 1);
        assert_eq!((work(shop, &jobs), *tried.borrow()), (1, 11));
    }

    fn the_job_of_a_worker_that_vanished_is_done_by_another(shop) {
        enqueue(shop, "story");
        // As a worker leaves it that was killed in the middle.
        let lease = shop.app().clock.now().plus(Duration::from_mins(2)).micros();
        let lease = if shop.connect().is_postgres() { format!("to_timestamp({lease} / 1000000.0)") } else { lease.to_string() };
        shop.connect().batch(&format!("UPDATE jobs SET status = 'running', attempts = 1, lease_until = {lease}")).unwrap();
        let mut jobs = Jobs::default();
        jobs.on("story", |_, _| async { Ok(()) });
        assert_eq!(work(shop, &jobs), 0, "it is still leased");
        shop.wait(Duration::from_mins(3));
        assert_eq!(work(shop, &jobs), 1);
        assert_eq!(queue(shop), []);
    }

    fn what_happened_is_handed_on_once_and_in_order(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        let order = store.order(&[("MUG", 3)]);
        let path = format!("/orders/{}/cancel", order["id"].as_str().unwrap());
        let one = json!({ "lines": [{ "lineId": order["lines"][0]["id"], "quantity": 1 }] });
        shop.staff().once().post(&path, one).ok();
        shop.staff().once().post(&path, json!({})).ok();
        let hand_on = || block_on(relay(&shop.app().system(), |tx, event| { tx.enqueue("handed", &json!({ "kind": event.kind, "sequence": event.sequence }), Duration::ZERO); Ok(()) })).unwrap();
        hand_on();
        hand_on();
        let handed = shop.connect().rows::<Text, String>("SELECT CAST(payload AS text) FROM jobs WHERE kind = 'handed' ORDER BY id", vec![]).unwrap();
        let handed: Vec<serde_json::Value> = handed.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        assert_eq!(handed, [
            json!({ "kind": "order.placed", "sequence": 1 }),
            json!({ "kind": "order.lines_cancelled", "sequence": 2 }),
            json!({ "kind": "order.cancelled", "sequence": 3 }),
        ]);
    }

    fn an_event_whose_subscriber_fails_stays_in_the_outbox(shop) {
        let store = Store::open(shop);
        store.sell(&[("MUG", 1_500, 10)]);
        store.order(&[("MUG", 3)]);
        let failed = block_on(relay(&shop.app().system(), |_, _| Err(mercer::kernel::Error::internal("down"))));
        assert!(failed.is_err());
        let waiting = shop.connect().rows::<BigInt, i64>("SELECT count(*) FROM events WHERE relayed_at IS NULL", vec![]).unwrap();
        assert_eq!(waiting, [1]);
    }
}
