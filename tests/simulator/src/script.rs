//! Scripts, read: see the package's README for the grammar.

use fiberhost::com::Hresult;

/// What a call is expected to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The name of its result; several, with `|` between them, if each of them is right.
    pub result: String,
    /// What it gives through its last pointer, if that is a number.
    pub value: Option<i64>,
    /// The state afterwards with the depth, if that is looked at.
    pub state: Option<(char, u64)>,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These rules are what the script is about; `true`: all that they say.
    Covers(Vec<String>, bool),
    /// These slots are called, and the script looks at what they do.
    Observes(Vec<String>),
    /// The host calls the runtime.
    Host(Vec<String>, Expected),
    /// The runtime was told this by the host.
    Told(String),
    /// Threads that are none of the host's stay strangers.
    Deny,
    /// The host has so much memory for the runtime, by what a refusal costs: a task, a domain, the process.
    Memory([usize; 3]),
    /// A task is created and started.
    Task(String),
    /// The same, a thread of managed code.
    Managed(String),
    /// An OS thread that is no task.
    Thread(String),
    /// Somebody calls, and is waited for.
    Call(String, Vec<String>, Expected),
    /// Somebody calls, and is not waited for.
    Begin(String, Vec<String>),
    /// The call that was begun is on.
    Waits(String),
    /// The call that was begun ends.
    Ends(String, Expected),
    /// Who blocks its thread by itself goes on.
    Unblock(String),
    /// A task's function returns, with so many tasks in all by now having ended with frames left.
    End(String, u64),
    /// A new task runs to its end.
    OthersRun,
    /// A new task does not run where there is one slot.
    OthersWait,
    /// It does, and ends.
    OthersGoOn,
    /// The calls of these have ended in this order, where that is determined: one slot, and tasks on fibers.
    Order(Vec<String>),
    /// The process has ended with this code in the call before, and this was looked at last.
    ProcessEnds(i32, String),
    /// So many hooks were refused up to now.
    Refused(u64),
}

/// A script and its name.
#[derive(Clone, Debug)]
pub struct Script {
    /// The name of the file.
    pub name: String,
    /// The lines, with their numbers.
    pub steps: Vec<(usize, Step)>,
}

impl Script {
    /// Reads one.
    ///
    /// # Errors
    /// Which line is none, and why.
    pub fn parse(name: &str, text: &str) -> Result<Script, String> {
        let mut steps = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line
                .split('#')
                .next()
                .expect("there is a first part")
                .trim();
            if line.is_empty() {
                continue;
            }
            let step = step(line).map_err(|error| format!("{name}:{}: {error}: {line}", at + 1))?;
            steps.push((at + 1, step));
        }
        Ok(Script {
            name: name.to_owned(),
            steps,
        })
    }

    /// The rules it covers, and whether all of what they say.
    pub fn covers(&self) -> impl Iterator<Item = (&str, bool)> {
        self.steps.iter().flat_map(|(_, step)| match step {
            Step::Covers(rules, all) => rules.iter().map(|rule| (rule.as_str(), *all)).collect(),
            _ => Vec::new(),
        })
    }
}

impl Script {
    /// The code with which it ends its process, and what is said then, if it does that.
    pub fn process_ends(&self) -> Option<(i32, &str)> {
        self.steps.iter().find_map(|(_, step)| match step {
            Step::ProcessEnds(code, words) => Some((*code, words.as_str())),
            _ => None,
        })
    }

    /// The slots it calls and looks at.
    pub fn observes(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().flat_map(|(_, step)| match step {
            Step::Observes(slots) => slots.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        })
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn step(line: &str) -> Result<Step, String> {
    if let Some((who, what)) = line.split_once(": ") {
        return somebody(who.trim().to_owned(), what.trim());
    }
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(match words.as_slice() {
        ["covers", rules @ ..] => {
            Step::Covers(rules.iter().map(|&rule| rule.to_owned()).collect(), true)
        }
        ["partly", rules @ ..] => {
            Step::Covers(rules.iter().map(|&rule| rule.to_owned()).collect(), false)
        }
        ["observes", slots @ ..] => {
            Step::Observes(slots.iter().map(|&slot| slot.to_owned()).collect())
        }
        ["told", told @ ..] => Step::Told(told.join(" ")),
        ["strangers", "deny"] => Step::Deny,
        ["memory", task, domain, process] => {
            let limit = |word: &str| word.parse().map_err(|_| "no number");
            Step::Memory([limit(task)?, limit(domain)?, limit(process)?])
        }
        ["task", name] => Step::Task((*name).to_owned()),
        ["managed", name] => Step::Managed((*name).to_owned()),
        ["thread", name] => Step::Thread((*name).to_owned()),
        ["others", "run"] => Step::OthersRun,
        ["others", "wait"] => Step::OthersWait,
        ["others", "go", "on"] => Step::OthersGoOn,
        ["order", names @ ..] => Step::Order(names.iter().map(|&name| name.to_owned()).collect()),
        ["process", "ends", code, rest @ ..] => {
            Step::ProcessEnds(code.parse().map_err(|_| "no number")?, rest.join(" "))
        }
        ["refused", count] => Step::Refused(count.parse().map_err(|_| "no number")?),
        _ => return Err("no such line".to_owned()),
    })
}

fn somebody(who: String, what: &str) -> Result<Step, String> {
    if let Some((call, expected)) = what.split_once("->") {
        let expected = expect(expected)?;
        let call = words(call);
        return Ok(if who == "host" {
            Step::Host(call, expected)
        } else if call == ["ends"] {
            Step::Ends(who, expected)
        } else {
            Step::Call(who, call, expected)
        });
    }
    let words = words(what);
    match words.first().map(String::as_str) {
        Some("begin") => Ok(Step::Begin(who, words[1..].to_vec())),
        Some("waits") => Ok(Step::Waits(who)),
        Some("unblock") => Ok(Step::Unblock(who)),
        Some("end") => {
            let left = words.get(1).map_or(Ok(0), |left| left.parse());
            Ok(Step::End(who, left.map_err(|_| "no number")?))
        }
        _ => Err("neither a call nor its end".to_owned()),
    }
}

fn expect(text: &str) -> Result<Expected, String> {
    let words = words(text);
    let mut words = words.iter().peekable();
    let result = words.next().ok_or("no result")?.clone();
    let value = words
        .next_if(|word| word.starts_with('='))
        .map(|word| word[1..].parse().map_err(|_| "no number"))
        .transpose()?;
    let state = match (words.next(), words.next()) {
        (None, None) => None,
        (Some(state), None) if state == "U" => Some(('U', 0)),
        (Some(state), Some(depth)) if ["B", "N", "M"].contains(&state.as_str()) => {
            let state = state.chars().next().expect("it has one");
            Some((state, depth.parse().map_err(|_| "no depth")?))
        }
        _ => return Err("no state".to_owned()),
    };
    Ok(Expected {
        result,
        value,
        state,
    })
}

impl Expected {
    /// Whether this is the result, or one of them.
    pub fn allows(&self, result: Hresult) -> bool {
        let name = format!("{result:?}");
        self.result.split('|').any(|allowed| allowed == name)
    }
}
