//! A payment provider far away, as the simulation needs it: it remembers every key and every payment, does what it is asked
//! for once a key, and answers when, and what, the schedule says. It trusts its caller: a refund above what it has is booked,
//! so that only Mercer's own guards stand in between.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex};

use mercer::kernel::ids::PaymentId;
use mercer::kernel::{Document, Money};
use mercer::ports::payment::{
    Abilities, Authorize, Call, Captures, Move, Movement, MovementKind, Notice, Outcome,
    PaymentProvider, RawNotice, Reach, Reading, Report, State,
};
use mercer::ports::wallet::Wallet;
use mercer::providers::TestPayments;
use tokio::sync::{mpsc, oneshot};

/// What the schedule does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives and is answered.
    Answered,
    /// It never arrives.
    LostBefore,
    /// It arrives, and the answer does not.
    LostAfter,
}

/// What a task of the simulation comes to, before the schedule goes on.
pub enum Progress {
    /// A call waits for its fate.
    Parked(Parked),
    /// A task is over, and what came of it.
    Done(usize, String),
}

/// A call on its way.
pub struct Parked {
    /// What it asks for.
    pub what: &'static str,
    /// Decides about it.
    pub fate: oneshot::Sender<Fate>,
}

/// A payment, as the provider has it.
#[derive(Clone, Debug)]
pub struct Books {
    pub money: Money,
    pub state: State,
    pub movements: Vec<Movement>,
    /// Somebody has refunded here: from then on the provider's own ceiling holds.
    strict: bool,
}

impl Books {
    fn sum(&self, kind: MovementKind) -> i64 {
        let own = self.movements.iter().filter(|m| m.kind == kind);
        own.map(|m| m.amount).sum()
    }

    /// Reserved and neither taken nor let go; taken; sent back.
    pub fn amounts(&self) -> (i64, i64, i64) {
        let (captured, void) = (
            self.sum(MovementKind::Capture),
            self.sum(MovementKind::Void),
        );
        let reserved = match self.state {
            State::Authorized { .. } => self.money.amount - captured - void,
            _ => 0,
        };
        (reserved, captured, self.sum(MovementKind::Refund))
    }
}

#[derive(Default)]
struct Memory {
    payments: BTreeMap<PaymentId, Books>,
    /// Keys, and what they were refused with.
    keys: BTreeMap<String, Option<&'static str>>,
    notices: Vec<Notice>,
}

/// The provider `sim`; clones share its memory, which outlives every crash of Mercer.
#[derive(Clone)]
pub struct Sim {
    memory: Arc<Mutex<Memory>>,
    progress: mpsc::UnboundedSender<Progress>,
}

impl Sim {
    pub fn new(progress: mpsc::UnboundedSender<Progress>) -> Self {
        Self {
            memory: Arc::default(),
            progress,
        }
    }

    pub fn books(&self) -> BTreeMap<PaymentId, Books> {
        self.memory.lock().unwrap().payments.clone()
    }

    /// Everything it has announced so far, in order.
    pub fn notices(&self) -> Vec<Notice> {
        self.memory.lock().unwrap().notices.clone()
    }

    /// The shopper does, or does not do, what is asked of them.
    pub fn act(&self, payment: PaymentId, well: bool) {
        let mut memory = self.memory.lock().unwrap();
        let books = memory.payments.get_mut(&payment).unwrap();
        if matches!(books.state, State::ActionRequired { .. }) {
            books.state = if well {
                State::Authorized { expires_at: None }
            } else {
                State::Declined {
                    reason: "authentication_failed".into(),
                }
            };
            announce(&mut memory, payment, "acted");
        }
    }

    /// Somebody refunds at the provider's own pages.
    pub fn refund_there(&self, payment: PaymentId, amount: i64) {
        let mut memory = self.memory.lock().unwrap();
        let books = memory.payments.get_mut(&payment).unwrap();
        let (_, captured, refunded) = books.amounts();
        if amount <= captured - refunded {
            books.strict = true;
            let number = books.movements.len();
            books.movements.push(Movement {
                kind: MovementKind::Refund,
                reference: format!("{payment}:there:{number}"),
                attempt: None,
                amount,
                data: Document::default(),
            });
            announce(&mut memory, payment, "refunded_there");
        }
    }

    /// Parks a call until the schedule has decided; a call that is never decided never returns.
    async fn fate(&self, what: &'static str) -> Fate {
        let (fate, decided) = oneshot::channel();
        let _ = self.progress.send(Progress::Parked(Parked { what, fate }));
        match decided.await {
            Ok(fate) => fate,
            Err(_) => std::future::pending().await,
        }
    }

    async fn call(&self, what: &'static str, work: impl FnOnce(&mut Memory) -> Outcome) -> Outcome {
        let fate = self.fate(what).await;
        if fate == Fate::LostBefore {
            return Outcome::Unknown;
        }
        let outcome = work(&mut self.memory.lock().unwrap());
        if fate == Fate::LostAfter {
            return Outcome::Unknown;
        }
        outcome
    }

    fn shift(memory: &mut Memory, kind: MovementKind, request: &Move) -> Outcome {
        let Some(books) = memory.payments.get_mut(&request.payment) else {
            return Outcome::Refused {
                reason: "not_found".into(),
            };
        };
        match memory.keys.get(&request.key()) {
            Some(Some(reason)) => return refused(reason),
            Some(None) => return known(request.payment, books),
            None => memory.keys.insert(request.key(), None),
        };
        let (reserved, captured, refunded) = books.amounts();
        let here = captured - refunded;
        let open = matches!(
            books.state,
            State::Open { .. } | State::ActionRequired { .. }
        );
        let amount = match kind {
            MovementKind::Void if open => {
                books.state = State::Cancelled;
                announce(memory, request.payment, "cancelled");
                return known(request.payment, &memory.payments[&request.payment]);
            }
            MovementKind::Void | MovementKind::Capture if reserved == 0 => {
                memory.keys.insert(request.key(), Some("nothing_reserved"));
                return refused("nothing_reserved");
            }
            MovementKind::Void => reserved,
            MovementKind::Capture if request.amount.amount > reserved => {
                memory.keys.insert(request.key(), Some("amount_too_large"));
                return refused("amount_too_large");
            }
            MovementKind::Refund if books.strict && request.amount.amount > here => {
                memory.keys.insert(request.key(), Some("amount_too_large"));
                return refused("amount_too_large");
            }
            _ => request.amount.amount,
        };
        books.movements.push(Movement {
            kind,
            reference: format!("{}:{}", request.payment, books.movements.len()),
            attempt: Some(request.attempt),
            amount,
            data: Document::default(),
        });
        if kind == MovementKind::Void && books.amounts().1 == 0 {
            books.state = State::Cancelled;
        }
        announce(memory, request.payment, "moved");
        known(request.payment, &memory.payments[&request.payment])
    }
}

fn refused(reason: &str) -> Outcome {
    Outcome::Refused {
        reason: reason.to_owned(),
    }
}

fn announce(memory: &mut Memory, payment: PaymentId, kind: &str) {
    let id = format!("evt_{}", memory.notices.len());
    memory.notices.push(Notice {
        id,
        kind: kind.to_owned(),
        payment: Some(payment),
        reference: None,
        customer: None,
        foreign: false,
    });
}

fn known(payment: PaymentId, books: &Books) -> Outcome {
    Outcome::Known(Box::new(Report {
        reference: format!("sim_{payment}"),
        money: books.money,
        state: books.state.clone(),
        movements: books.movements.clone(),
        facts: Document::default(),
    }))
}

impl PaymentProvider for Sim {
    fn name(&self) -> &'static str {
        "sim"
    }

    fn methods(&self) -> &'static [&'static str] {
        &["card"]
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            opens: false,
            captures: Captures::Many,
            voids: true,
            refunds: true,
        }
    }

    fn reach(&self) -> Reach<'_> {
        Reach::Remote
    }

    fn authorize<'a>(&'a self, request: &'a Authorize) -> Call<'a> {
        Box::pin(self.call("authorize", |memory| {
            let state = match request.token.as_deref() {
                Some("decline") => State::Declined {
                    reason: "card_declined".into(),
                },
                Some("action") => State::ActionRequired {
                    url: Some("https://bank.example".into()),
                    client_secret: None,
                },
                _ => State::Authorized { expires_at: None },
            };
            if let Entry::Vacant(place) = memory.payments.entry(request.payment) {
                place.insert(Books {
                    money: request.amount,
                    state,
                    movements: Vec::new(),
                    strict: false,
                });
                announce(memory, request.payment, "authorised");
            }
            known(request.payment, &memory.payments[&request.payment])
        }))
    }

    fn look_up<'a>(&'a self, request: &'a Authorize) -> Call<'a> {
        Box::pin(self.call(
            "look_up",
            |memory| match memory.payments.get(&request.payment) {
                Some(books) => known(request.payment, books),
                None => Outcome::Refused {
                    reason: "not_found".into(),
                },
            },
        ))
    }

    fn capture<'a>(&'a self, request: &'a Move) -> Call<'a> {
        Box::pin(self.call("capture", |m| {
            Self::shift(m, MovementKind::Capture, request)
        }))
    }

    fn void<'a>(&'a self, request: &'a Move) -> Call<'a> {
        Box::pin(self.call("void", |m| Self::shift(m, MovementKind::Void, request)))
    }

    fn refund<'a>(&'a self, request: &'a Move) -> Call<'a> {
        Box::pin(self.call("refund", |m| Self::shift(m, MovementKind::Refund, request)))
    }

    fn wallet(&self) -> Option<&dyn Wallet> {
        static KEPT: TestPayments = TestPayments::local();
        KEPT.wallet()
    }

    fn read_notice<'a>(&'a self, _: &'a RawNotice<'a>) -> Reading<'a> {
        Box::pin(std::future::pending())
    }
}
