//! Four calls between a loop and its wait, as in code that was not written for a benchmark.

use std::hint::black_box;

/// Calls `leaf` from below four functions that are not inlined and that return through their own `ret`.
#[inline(never)]
pub(crate) fn four_calls(leaf: impl Fn()) {
    three_calls(leaf);
    // Something to do after the call: otherwise it would become a jump.
    black_box(());
}

#[inline(never)]
fn three_calls(leaf: impl Fn()) {
    two_calls(leaf);
    black_box(());
}

#[inline(never)]
fn two_calls(leaf: impl Fn()) {
    one_call(leaf);
    black_box(());
}

#[inline(never)]
fn one_call(leaf: impl Fn()) {
    leaf();
    black_box(());
}
