//! From addresses of code to the names of functions, and to the lines of their source where the program has those.
//!
//! It reads the tables of the program's files, which takes long the first time (tens of milliseconds) and allocates: so
//! addresses are kept, and turned into names by whoever wants to read them. Without the feature `symbols` nothing has a name.
#![forbid(unsafe_code)]

use std::fmt;

/// A function on a stack.
///
/// It prints as `function at file:line`, with what is not known left out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The address of the code. Functions that were inlined into one another have the same one.
    pub address: usize,
    /// The function's name, if the program has it.
    pub function: Option<String>,
    /// The file and the line, if the program has them.
    pub place: Option<(String, u32)>,
}

impl Frame {
    /// The name of the function at this address of code, if the program has it. Looking it up may take some milliseconds, the
    /// first time tens of them.
    pub fn function_at(address: usize) -> Option<String> {
        let frames = frames_at(true, address);
        // The last one is that into which the others were inlined.
        frames.into_iter().next_back()?.function
    }

    /// Whether it is of the libraries that come with the compiler. They were inlined, or compiled elsewhere, with their paths.
    pub(crate) fn is_of_the_language(&self) -> bool {
        const PARTS: [&str; 3] = [
            "/library/core/src/",
            "/library/alloc/src/",
            "/library/std/src/",
        ];
        let place = self.place.as_ref();
        place.is_some_and(|(file, _)| PARTS.iter().any(|part| file.contains(part)))
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.function {
            Some(function) => f.write_str(function)?,
            None => write!(f, "{:#x}", self.address)?,
        }
        if let Some((file, line)) = &self.place {
            write!(f, " at {file}:{line}")?;
        }
        Ok(())
    }
}

/// The functions of these addresses, of which the first is that of an instruction and the others are those to which calls
/// return. Innermost first; an address stands for more than one where functions were inlined, and for one without a name
/// where nothing is known.
pub(crate) fn frames(addresses: &[usize]) -> Vec<Frame> {
    let places = addresses.iter().enumerate();
    places
        .flat_map(|(place, &address)| frames_at(place == 0, address))
        .collect()
}

/// The functions of one such address.
pub(crate) fn frames_at(is_first: bool, address: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    // What returns to the first instruction of a function was called by the one before it.
    let inside = if is_first { address } else { address - 1 };
    name(inside, address, &mut frames);
    if frames.is_empty() {
        frames.push(Frame {
            address,
            function: None,
            place: None,
        });
    }
    frames
}

#[cfg(all(feature = "symbols", not(any(loom, shuttle))))]
fn name(inside: usize, address: usize, frames: &mut Vec<Frame>) {
    // The library takes an address for one that a call returns to, and looks at the byte before it.
    let place = std::ptr::without_provenance_mut(inside + 1);
    backtrace::resolve(place, |symbol| {
        let place = symbol.filename().zip(symbol.lineno());
        frames.push(Frame {
            address,
            // The other form, without what tells versions of a crate apart.
            function: symbol.name().map(|name| format!("{name:#}")),
            place: place.map(|(file, line)| (file.display().to_string(), line)),
        });
    });
}

#[cfg(not(all(feature = "symbols", not(any(loom, shuttle)))))]
fn name(_inside: usize, _address: usize, _frames: &mut Vec<Frame>) {}

#[cfg(all(test, feature = "symbols", not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[inline(never)]
    fn a_function_with_a_name() -> usize {
        std::hint::black_box(a_function_with_a_name as *const () as usize)
    }

    #[test]
    fn the_first_instruction_of_a_function_is_in_it() {
        let frames = frames(&[a_function_with_a_name()]);
        // The first instruction may already be of what was inlined there.
        let outermost = frames.last().expect("an address stands for one at least");
        let function = outermost.function.as_deref().expect("it has a name");
        assert!(function.ends_with("a_function_with_a_name"), "{function}");
        assert!(outermost.to_string().starts_with(function));
    }

    #[test]
    fn what_comes_with_the_compiler_is_told_by_its_place() {
        let at = |file: &str| Frame {
            address: 1,
            function: Some("load".to_owned()),
            place: Some((file.to_owned(), 1)),
        };
        assert!(at("/rustc/0/library/core/src/sync/atomic.rs").is_of_the_language());
        assert!(at("/a/lib/rustlib/src/rust/library/std/src/io.rs").is_of_the_language());
        assert!(!at("/engine/library/src/core.rs").is_of_the_language());
    }

    #[test]
    fn what_is_no_code_is_shown_as_a_number() {
        let frames = frames(&[16, 32]);
        let texts: Vec<String> = frames.iter().map(Frame::to_string).collect();
        assert_eq!(texts, ["0x10", "0x20"]);
    }
}
