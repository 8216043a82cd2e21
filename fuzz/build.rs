//! Cargo names a place for what tests make only to tests; the parts of them that the target shares want one.

fn main() {
    let place = std::env::var("OUT_DIR").expect("cargo names it to build scripts");
    println!("cargo::rustc-env=CARGO_TARGET_TMPDIR={place}");
    println!("cargo::rerun-if-changed=build.rs");
}
