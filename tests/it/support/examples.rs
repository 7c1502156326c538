//! The releases of `migrations-examples/`.

use camino::Utf8PathBuf;
use cutover::config;

/// The folder of the examples.
pub(crate) fn examples_root() -> Utf8PathBuf {
    Utf8PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("migrations-examples")
}

/// The folders' names, in order.
pub(crate) fn examples() -> Vec<String> {
    let names = folders("");
    assert!(names.len() >= 12, "{names:?}");
    names
}

/// The releases in them, below the folder of the examples: most examples are one, and some hold several.
pub(crate) fn example_releases() -> Vec<String> {
    let is_release = |name: &String| examples_root().join(name).join(config::FILE_NAME).is_file();
    let mut releases = Vec::new();
    for example in examples() {
        if is_release(&example) {
            releases.push(example);
            continue;
        }
        let below = folders(&example).into_iter().map(|name| format!("{example}/{name}"));
        let below: Vec<_> = below.filter(is_release).collect();
        assert!(!below.is_empty(), "{example} holds no release");
        releases.extend(below);
    }
    releases
}

fn folders(below: &str) -> Vec<String> {
    let entries = examples_root().join(below).read_dir_utf8().unwrap().map(Result::unwrap);
    let mut names: Vec<_> =
        entries.filter(|e| e.file_type().unwrap().is_dir()).map(|e| e.file_name().to_owned()).collect();
    names.sort();
    names
}
