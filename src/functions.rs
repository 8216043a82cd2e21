//! Unmanaged functions as targets of native sections, so that a report of a section that lasts says which function that is.
//!
//! A runtime knows a function by its address. The first call of one makes a target with the address in its name; the table
//! has a fixed size, belongs to the process, and gives nothing up, since targets live as long as that. A function without
//! a place in it, and code that is none in particular (address 0), share one name.
#![forbid(unsafe_code)]

use std::sync::OnceLock;

use fiberhost_scheduler::Frame;
use fiberhost_scheduler::native::Target;

const PLACES_LOG: u32 = 10;
/// How many places are looked at for one function.
const PROBES: usize = 8;

static OTHERS: Target = Target::new("unmanaged code of a runtime");
static FUNCTIONS: [OnceLock<Function>; 1 << PLACES_LOG] =
    [const { OnceLock::new() }; 1 << PLACES_LOG];

struct Function {
    address: usize,
    target: Target,
    /// What the program calls it, once somebody has asked.
    symbol: OnceLock<Option<String>>,
}

impl Function {
    fn new(address: usize) -> Function {
        // It stays as long as the process, as its place does.
        let name = format!("unmanaged code at {address:#x}").leak();
        Function {
            address,
            target: Target::new(name),
            symbol: OnceLock::new(),
        }
    }
}

#[inline(always)]
fn first_place(address: usize) -> usize {
    // Functions begin at multiples of 16.
    (address >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (usize::BITS - PLACES_LOG)
}

/// The target of a function that was called before and has the place that is looked at first, as nearly all have.
#[inline(always)]
pub(crate) fn known(address: usize) -> Option<&'static Target> {
    let function = FUNCTIONS[first_place(address)].get()?;
    (function.address == address).then_some(&function.target)
}

/// The target of a function.
pub(crate) fn target(address: usize) -> &'static Target {
    if address == 0 {
        return &OTHERS;
    }
    let first = first_place(address);
    (0..PROBES)
        .map(|probe| {
            FUNCTIONS[(first + probe) % FUNCTIONS.len()].get_or_init(|| Function::new(address))
        })
        .find(|function| function.address == address)
        .map_or(&OTHERS, |function| &function.target)
}

/// The function's name in the program, of the target with this very name. The first time it is looked up, which takes
/// milliseconds.
pub(crate) fn symbol(name: &'static str) -> Option<&'static str> {
    let mut all = FUNCTIONS.iter().filter_map(OnceLock::get);
    let function = all.find(|function| std::ptr::eq(function.target.name(), name))?;
    let look_up = || Frame::function_at(function.address);
    function.symbol.get_or_init(look_up).as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_has_a_target_of_its_own_until_the_table_is_full() {
        let named = (1..=20_000_usize)
            .filter(|number| {
                let address = number << 4;
                let target = target(address);
                assert!(std::ptr::eq(target, super::target(address)), "the same one");
                assert!(known(address).is_none_or(|known| std::ptr::eq(known, target)));
                let is_named = target.name() == format!("unmanaged code at {address:#x}");
                assert!(is_named || std::ptr::eq(target, &OTHERS));
                is_named
            })
            .count();
        assert!(
            named > FUNCTIONS.len() / 2 && named <= FUNCTIONS.len(),
            "{named}"
        );
        assert!(std::ptr::eq(target(0), &OTHERS) && known(0).is_none());
    }

    #[inline(never)]
    fn a_function_of_the_program() {
        std::hint::black_box(());
    }

    #[test]
    fn a_function_that_the_program_has_has_its_name() {
        let address = a_function_of_the_program as fn() as usize;
        let name = symbol(target(address).name()).expect("it has a name");
        assert!(name.contains("a_function_of_the_program"), "{name}");
        assert_eq!(symbol(OTHERS.name()), None);
    }
}
