//! The same run in an executable: prints moves, wrong answers, and the twin's.

fn main() {
    let found = fiberhost_cdylib::migrations(50, 5_000);
    println!("{} {} {}", found.moves, found.wrong, found.naive_wrong);
}
