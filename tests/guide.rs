//! The C and C++ programs in the guide compile without a warning; its Rust programs are documentation tests.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs in a chapter whose fences say that they are in this language.
fn programs(chapter: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = chapter.split(&fence).skip(1);
    parts
        .map(|part| {
            let (program, _) = part.split_once("```").expect("a fence is closed");
            program.to_owned()
        })
        .collect()
}

fn compiles(compiler: &str, standard: &str, file: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(compiler)
        .args([standard, "-Wall", "-Wextra", "-Werror", "-fsyntax-only"])
        .arg("-I")
        .arg(root.join("include"))
        .arg("-I")
        .arg(root.join("examples/c"))
        .arg(file)
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {text}", file.display());
}

#[test]
fn programs_in_other_languages_compile() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let mut count = 0;
    let chapters = root.join("docs").read_dir().expect("the guide is there");
    for chapter in chapters {
        let path = chapter.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a chapter is text");
        let name = path.file_stem().expect("a chapter has a name");
        for (compiler, standard, language) in
            [("cc", "-std=c11", "c"), ("c++", "-std=c++17", "cpp")]
        {
            for (number, program) in programs(&text, language).iter().enumerate() {
                let file = format!("guide-{}-{number}.{language}", name.to_string_lossy());
                let file = out.join(file);
                std::fs::write(&file, program).expect("a file for it");
                compiles(compiler, standard, &file);
                count += 1;
            }
        }
    }
    assert!(count >= 3, "{count} programs were found");
}

/// A chapter that is not in the list, and a link to one that is not there, are found.
#[test]
fn the_list_of_chapters_is_complete() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let list = std::fs::read_to_string(docs.join("README.md")).expect("the list is there");
    for chapter in docs.read_dir().expect("the guide is there") {
        let name = chapter.expect("an entry").file_name();
        let name = name.to_string_lossy();
        // Beside the chapters there are pictures.
        assert!(
            name == "README.md" || !name.ends_with(".md") || list.contains(&format!("({name})")),
            "{name} is in the list"
        );
    }
    for link in list.split("](").skip(1) {
        let (target, _) = link.split_once(')').expect("a link ends");
        assert!(docs.join(target).exists(), "{target} is there");
    }
}
