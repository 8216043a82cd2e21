//! What the kernel says of one of the process's threads, and what two such looks say together.
//!
//! Nothing here allocates.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

use super::{StallKind, StallTimes};

/// Nanoseconds of the unit in which the kernel counts a thread's time for user and system.
const CLOCK_TICK: u64 = 10_000_000;
/// Whether a thread is in the kernel is sampled by an interrupt every few milliseconds, and then rounded to that unit. If the
/// one and the other differ by less, it may be chance.
const CLEAR: u64 = 3;
/// Nanoseconds within which a look is of one moment.
const QUICK: u64 = 1_000_000;

/// One look at a thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// When, in nanoseconds of the scheduler's clock.
    pub(super) at: u64,
    /// The kernel's letter: `R` if it runs or could, `S` and others if it is blocked.
    state: u8,
    /// Time it ran in its own code and in the kernel, in clock ticks.
    user: u64,
    system: u64,
    /// How often it gave its processor away to sleep.
    sleeps: Option<u64>,
    /// What the scheduler of the system counts, if it does.
    counted: Option<Counted>,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    /// Nanoseconds it ran, and could have but did not, up to when it last got a processor.
    ran: u64,
    waited: u64,
    /// How often it got one.
    turns: u64,
}

impl Look {
    /// `None`: the kernel does not say, or there is no such thread.
    ///
    /// Whoever looks may lose its own processor between the clock and what is counted, and the one would then not fit the
    /// other. So it looks again if that took long.
    pub(super) fn at(thread: i32, clock: impl Fn() -> u64) -> Option<Look> {
        let mut tries = 3;
        loop {
            let before = clock();
            let look = Look::once(thread, before)?;
            tries -= 1;
            if tries == 0 || clock() - before < QUICK {
                return Some(look);
            }
        }
    }

    fn once(thread: i32, now: u64) -> Option<Look> {
        let mut bytes = [0; 512];
        let text = read(thread, "stat", &mut bytes)?;
        // The name comes before it in parentheses, and may hold anything.
        let (_, rest) = text.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let user = fields.nth(10)?.parse().ok()?;
        let system = fields.next()?.parse().ok()?;
        Some(Look {
            at: now,
            state,
            user,
            system,
            counted: counted(thread),
            sleeps: sleeps(thread),
        })
    }

    fn is_runnable(&self) -> bool {
        self.state == b'R'
    }
}

fn counted(thread: i32) -> Option<Counted> {
    let mut bytes = [0; 128];
    let fields = read(thread, "schedstat", &mut bytes)?.split_ascii_whitespace();
    let mut fields = fields.map_while(|field| field.parse().ok());
    Some(Counted {
        ran: fields.next()?,
        waited: fields.next()?,
        turns: fields.next()?,
    })
}

fn sleeps(thread: i32) -> Option<u64> {
    let mut bytes = [0; 4096];
    let mut lines = read(thread, "status", &mut bytes)?.lines();
    let count = lines.find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
    count.trim_ascii().parse().ok()
}

/// What two looks at a thread say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judged {
    /// What it did for most of the time between them.
    pub(super) kind: StallKind,
    /// It runs, but that it does so in the program or in the kernel may be chance.
    pub(super) is_unsure: bool,
    pub(super) times: StallTimes,
}

pub(super) fn judge(first: &Look, second: &Look) -> Judged {
    let user = second.user.saturating_sub(first.user);
    let system = second.system.saturating_sub(first.system);
    let time = second.at.saturating_sub(first.at);
    let (ran, waited, turns) = match (first.counted, second.counted) {
        (Some(before), Some(after)) => (
            after.ran.saturating_sub(before.ran),
            after.waited.saturating_sub(before.waited),
            after.turns.saturating_sub(before.turns),
        ),
        _ => ((user + system) * CLOCK_TICK, 0, 0),
    };
    // Counted as a whole when it ends is also a wait that began before the first look.
    let ran = ran.min(time);
    let waited = waited.min(time - ran);
    // Not counted: all its sleep, and the wait that goes on. One that could run at both looks and has not slept in between
    // waits all the time, and so does one that had no turn; otherwise that wait is taken to be as long as the sleeps between
    // its turns.
    let rest = time - ran - waited;
    let awake = first.sleeps.is_some() && first.sleeps == second.sleeps && first.is_runnable();
    let waits_on = match second.is_runnable() {
        true if awake => rest,
        true => rest / (turns + 1),
        false => 0,
    };
    let (slept, starved) = (rest - waits_on, waited + waits_on);
    let kind = if ran >= slept.max(starved) {
        if system > user {
            StallKind::System
        } else {
            StallKind::User
        }
    } else if slept >= starved {
        StallKind::Sleeping
    } else {
        StallKind::Starving
    };
    Judged {
        kind,
        is_unsure: kind.is_running() && user.abs_diff(system) < CLEAR,
        times: StallTimes {
            over: Duration::from_nanos(time),
            ran: Duration::from_nanos(ran),
            starved: Duration::from_nanos(starved),
        },
    }
}

/// Where a thread is blocked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Blocked {
    pub(super) call: Option<u64>,
    channel: Channel,
}

/// The name of a function of the kernel; longer ones are cut.
#[derive(Clone, Copy, Debug, Default)]
struct Channel {
    bytes: [u8; 32],
    len: u8,
}

impl Blocked {
    pub(super) fn of(thread: i32) -> Blocked {
        let mut bytes = [0; 256];
        // `running`, or the call's number, which is -1 outside a call, its arguments and two addresses.
        let call = read(thread, "syscall", &mut bytes)
            .and_then(|text| text.split_ascii_whitespace().next()?.parse().ok());
        let mut bytes = [0; 32];
        let channel = read(thread, "wchan", &mut bytes).map_or(0, str::len);
        // 0 for none.
        let is_one = channel > 0 && bytes[0] != b'0';
        Blocked {
            call,
            channel: Channel {
                bytes,
                len: if is_one { channel as u8 } else { 0 },
            },
        }
    }

    pub(super) fn channel(&self) -> Option<&str> {
        let name = &self.channel.bytes[..usize::from(self.channel.len)];
        std::str::from_utf8(name)
            .ok()
            .filter(|name| !name.is_empty())
    }
}

/// The beginning of a file of this thread.
fn read<'a>(thread: i32, name: &str, bytes: &'a mut [u8]) -> Option<&'a str> {
    let mut path = [0; 64];
    let mut rest = &mut path[..];
    write!(rest, "/proc/self/task/{thread}/{name}").ok()?;
    let unused = rest.len();
    let path = std::str::from_utf8(&path[..path.len() - unused]).ok()?;
    let mut file = File::open(path).ok()?;
    let read = file.read(bytes).ok()?;
    std::str::from_utf8(&bytes[..read]).ok()
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn look(at: u64, state: u8, ticks: (u64, u64), counted: Option<[u64; 3]>) -> Look {
        Look {
            at,
            state,
            user: ticks.0,
            system: ticks.1,
            sleeps: None,
            counted: counted.map(|[ran, waited, turns]| Counted {
                ran: ran * MS,
                waited: waited * MS,
                turns,
            }),
        }
    }

    #[test]
    fn what_took_most_of_the_time_is_what_it_did() {
        let table = [
            // Ran all the time, in the one or the other.
            (b'R', (9, 1), Some([100, 0, 1]), StallKind::User),
            (b'R', (1, 9), Some([100, 0, 1]), StallKind::System),
            // Blocked: nothing is counted.
            (b'S', (0, 0), Some([0, 0, 0]), StallKind::Sleeping),
            (b'D', (0, 0), Some([5, 5, 2]), StallKind::Sleeping),
            // Ran nearly all the time, and happens to be blocked now.
            (b'S', (9, 0), Some([90, 0, 9]), StallKind::User),
            // Runnable: a wait that is over is counted, one that goes on is not.
            (b'R', (1, 0), Some([10, 85, 5]), StallKind::Starving),
            (b'R', (0, 0), Some([0, 0, 0]), StallKind::Starving),
            (b'R', (0, 0), Some([5, 40, 1]), StallKind::Starving),
            // A wait that began long before and is over at last.
            (b'R', (9, 0), Some([90, 500, 1]), StallKind::User),
            // Blocked only at the end of a long wait.
            (b'S', (0, 0), Some([5, 80, 1]), StallKind::Starving),
            // Slept nearly all the time, and happens to be runnable now.
            (b'R', (0, 0), Some([2, 3, 20]), StallKind::Sleeping),
            // A kernel that does not count: by clock ticks.
            (b'R', (10, 0), None, StallKind::User),
            (b'S', (0, 0), None, StallKind::Sleeping),
        ];
        for (state, ticks, counted, expected) in table {
            let before = counted.map(|_| [1000, 1000, 1000]);
            let after = counted.map(|counted| counted.map(|it| 1000 + it));
            let first = look(7, b'R', (50, 50), before);
            let second = look(7 + 100 * MS, state, (50 + ticks.0, 50 + ticks.1), after);
            let judged = judge(&first, &second);
            assert_eq!(judged.kind, expected, "{state} {ticks:?} {counted:?}");
        }
    }

    #[test]
    fn a_thread_that_has_not_slept_ran_or_waited() {
        let of = |state, sleeps: [u64; 2]| {
            let look = |at, state, sleeps, counted| Look {
                sleeps: Some(sleeps),
                ..look(at, state, (0, 0), Some(counted))
            };
            let first = look(0, b'R', sleeps[0], [0, 0, 0]);
            let second = look(100 * MS, state, sleeps[1], [20, 20, 9]);
            judge(&first, &second)
        };
        // The same counts: what is missing is a wait that goes on, or somebody else's above the kernel.
        assert_eq!(of(b'R', [7, 7]).kind, StallKind::Starving);
        assert_eq!(of(b'R', [7, 7]).times.starved, Duration::from_millis(80));
        assert_eq!(of(b'R', [7, 8]).kind, StallKind::Sleeping);
        assert_eq!(of(b'S', [7, 8]).kind, StallKind::Sleeping);
    }

    #[test]
    fn few_ticks_are_no_proof() {
        let of = |ticks| {
            let first = look(0, b'R', (0, 0), Some([0, 0, 0]));
            let second = look(50 * MS, b'R', ticks, Some([50, 0, 1]));
            let judged = judge(&first, &second);
            (judged.kind, judged.is_unsure)
        };
        assert_eq!(of((5, 0)), (StallKind::User, false));
        assert_eq!(of((0, 5)), (StallKind::System, false));
        assert_eq!(of((3, 1)), (StallKind::User, true));
        assert_eq!(of((1, 3)), (StallKind::System, true));
        assert_eq!(of((0, 0)), (StallKind::User, true));
        // What it does otherwise is not told by ticks.
        let first = look(0, b'S', (0, 0), Some([0, 0, 0]));
        let second = look(50 * MS, b'S', (0, 0), Some([0, 0, 0]));
        assert!(!judge(&first, &second).is_unsure);
    }

    #[test]
    fn the_kernel_speaks_of_this_thread() {
        let link = std::fs::read_link("/proc/thread-self").expect("a thread has a link");
        let name = link.file_name().expect("it ends in the thread's number");
        let thread = name.to_str().and_then(|name| name.parse().ok());
        let thread = thread.expect("which is a number");
        let look = Look::at(thread, || 1).expect("it is there");
        assert_eq!(look.state, b'R', "who asks runs");
        std::thread::sleep(Duration::from_millis(1));
        let later = Look::at(thread, || 2).expect("it is there");
        let slept = later.sleeps.zip(look.sleeps).expect("they are counted");
        assert!(slept.0 > slept.1, "{slept:?}");
        assert!(Look::at(i32::MAX, || 1).is_none());
    }
}
