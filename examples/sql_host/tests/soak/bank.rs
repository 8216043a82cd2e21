//! What the soak's clients do: they move amounts between accounts, and know what they were told of it.
//!
//! A transfer that was answered with its commit is in the database, one that was refused is not, and of one whose answer was lost
//! either may be true, but nothing in between.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpStream;

use sql_host::client::{Answer, Client};

use crate::common::dice::Dice;
use crate::common::rows;

pub(crate) const ACCOUNTS: usize = 40;
pub(crate) const FIRST: i64 = 1000;

/// An amount that goes from one account to another; `id` is the client's number and its own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) id: (usize, u64),
    from: usize,
    to: usize,
    amount: i64,
}

impl Transfer {
    pub(crate) fn by_chance(id: (usize, u64), dice: &mut Dice) -> Transfer {
        let from = dice.below(ACCOUNTS);
        let to = (from + 1 + dice.below(ACCOUNTS - 1)) % ACCOUNTS;
        let amount = dice.below(100) as i64;
        Transfer {
            id,
            from,
            to,
            amount,
        }
    }

    /// Its statements, in their order.
    pub(crate) fn statements(&self) -> [String; 5] {
        let Transfer {
            id: (client, count),
            from,
            to,
            amount,
        } = self;
        [
            "BEGIN".to_owned(),
            format!("UPDATE accounts SET balance = balance - {amount} WHERE id = {from}"),
            format!("INSERT INTO log VALUES ({client}, {count}, {from}, {to}, {amount})"),
            format!("UPDATE accounts SET balance = balance + {amount} WHERE id = {to}"),
            "COMMIT".to_owned(),
        ]
    }
}

/// Whether an answer says that the transaction was kept.
pub(crate) fn is_committed(answer: &Answer) -> bool {
    answer.tags.last().is_some_and(|tag| tag == "COMMIT")
}

/// What one client knows of its transfers.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) committed: Vec<Transfer>,
    /// Nobody was told.
    pub(crate) open: Vec<Transfer>,
}

pub(crate) fn prepare(client: &mut Client<TcpStream>) {
    let statements = format!(
        "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
         CREATE TABLE log (client INTEGER, number INTEGER, source INTEGER, target INTEGER, amount INTEGER);
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {})
         INSERT INTO accounts SELECT i, {FIRST} FROM n",
        ACCOUNTS - 1
    );
    rows(client, &statements);
}

/// The sum of all balances, which is the same in every snapshot.
pub(crate) fn total() -> String {
    (ACCOUNTS as i64 * FIRST).to_string()
}

/// Compares the database with what the clients know, and begins anew with the balances that are there.
pub(crate) fn compare(client: &mut Client<TcpStream>, known: &[Known], balances: &mut [i64]) {
    let logged = rows(
        client,
        "SELECT client, number, source, target, amount FROM log",
    );
    let mut found = BTreeMap::new();
    for line in &logged {
        let numbers: Vec<i64> = line
            .split('|')
            .map(|number| number.parse().expect("a number"))
            .collect();
        let transfer = Transfer {
            id: (numbers[0] as usize, numbers[1] as u64),
            from: numbers[2] as usize,
            to: numbers[3] as usize,
            amount: numbers[4],
        };
        balances[transfer.from] -= transfer.amount;
        balances[transfer.to] += transfer.amount;
        let twice = found.insert(transfer.id, transfer);
        assert_eq!(twice, None, "a transfer is there twice");
    }
    for one in known {
        for transfer in &one.committed {
            let there = found.remove(&transfer.id);
            assert_eq!(there, Some(*transfer), "what was committed is there");
        }
        for transfer in &one.open {
            // Whole or not at all: the balances below would tell.
            let there = found.remove(&transfer.id);
            assert!(there.is_none_or(|there| there == *transfer), "{there:?}");
        }
    }
    let strange: BTreeSet<_> = found.keys().collect();
    assert!(
        strange.is_empty(),
        "there though nobody committed them: {strange:?}"
    );
    let there = rows(client, "SELECT balance FROM accounts ORDER BY id");
    let model: Vec<String> = balances.iter().map(i64::to_string).collect();
    assert_eq!(there, model, "the balances are not what the log says");
    rows(client, "DELETE FROM log");
}
