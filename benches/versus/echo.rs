//! The two sides of `echo`: what a client sends and checks, and how long its answers took.

use std::time::{Duration, Instant};

use super::contender::Measured;
use super::statistics;

/// Connections at once, each with a task on either side.
pub(crate) const CONNECTIONS: usize = 100;
/// Bytes there and back.
pub(crate) const MESSAGE: usize = 64;

/// One client's round trips.
pub(crate) struct Trips {
    client: u8,
    sent: Instant,
    nanos: Vec<f64>,
}

impl Trips {
    pub(crate) fn new(client: usize, trips: u64) -> Trips {
        Trips {
            client: client as u8,
            sent: Instant::now(),
            nanos: Vec::with_capacity(trips as usize),
        }
    }

    /// What to send next.
    pub(crate) fn begin(&mut self) -> [u8; MESSAGE] {
        self.sent = Instant::now();
        let mut message = [self.client; MESSAGE];
        message[0] = self.nanos.len() as u8;
        message
    }

    /// What came back.
    pub(crate) fn end(&mut self, sent: &[u8; MESSAGE], back: &[u8; MESSAGE]) {
        assert_eq!(sent, back, "the echo is what was sent");
        self.nanos.push(self.sent.elapsed().as_nanos() as f64);
    }
}

/// A round, from all its clients.
pub(crate) fn measured(took: Duration, trips: u64, clients: Vec<Trips>) -> Measured {
    let all = statistics::sorted(clients.into_iter().flat_map(|client| client.nanos));
    let total = CONNECTIONS as u64 * trips;
    assert_eq!(all.len() as u64, total, "every trip was made");
    Measured::each(took, total).with("p99", statistics::quantile(&all, 0.99))
}
