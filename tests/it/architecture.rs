//! The layer rule, read from the source.
//!
//! ```text
//! kernel ← config ← auth, ports ← db ← context ← jobs ← operation ← domain ← import, api ← app ← main      ports ← providers ← app
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The layers from the bottom up; those of one row do not see each other. `schema` is data: tables made of column types.
const LAYERS: [&[&str]; 12] = [
    &["kernel", "sabotage"],
    &["schema"],
    &["config"],
    &["auth", "ports"],
    &["db"],
    &["context"],
    &["jobs"],
    &["operation"],
    &["domain"],
    &["api", "doctor", "import", "providers"],
    &["app"],
    &["cli", "main"],
];

/// What looks upward all the same, and why that is worth it.
const EXCEPTIONS: [(&str, &str, &str); 1] = [(
    "src/context.rs",
    "operation",
    "a request carries the idempotency claim that its last transaction settles",
)];

/// A file of `src`, without its comments.
struct Source {
    name: String,
    text: String,
}

/// A mention of `crate::…` in a file.
struct Mention {
    file: String,
    line: usize,
    path: Vec<String>,
}

impl Mention {
    fn from(&self) -> &str {
        layer_of_file(&self.file)
    }
}

#[test]
fn a_module_imports_only_what_stands_below_it() {
    let (sources, macros) = read();
    let mut wrong = Vec::new();
    for mention in mentions(&sources, &macros) {
        let (from, to) = (mention.from(), mention.path[0].as_str());
        let excused = EXCEPTIONS
            .iter()
            .any(|(file, layer, _)| *file == mention.file && *layer == to);
        if from != to && rank(to) >= rank(from) && !excused {
            wrong.push(format!(
                "{}:{}: {from} may not use {to}",
                mention.file, mention.line
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_domain_imports_only_those_above_it_in_the_list() {
    let (sources, macros) = read();
    let order = domains();
    let place = |domain: &str| order.iter().position(|one| one == domain);
    let mut wrong = Vec::new();
    for mention in mentions(&sources, &macros) {
        let (Some(from), "domain", Some(to)) = (
            domain_of_file(&mention.file),
            mention.path[0].as_str(),
            mention.path.get(1),
        ) else {
            continue;
        };
        if from != to && place(to).is_none_or(|to| Some(to) >= place(from)) {
            wrong.push(format!(
                "{}:{}: {from} may not use {to}",
                mention.file, mention.line
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_table_is_named_by_one_owner() {
    let (sources, macros) = read();
    let tables: BTreeSet<String> = std::fs::read_to_string(root().join("src/schema.rs"))
        .unwrap()
        .lines()
        .filter_map(|line| {
            line.strip_prefix("    ")?
                .strip_suffix(" {")?
                .split_once(" (")
                .map(|(name, _)| name.to_owned())
        })
        .collect();
    assert!(tables.contains("channels"));
    let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for mention in mentions(&sources, &macros) {
        if let ["schema", table, ..] =
            mention.path.iter().map(String::as_str).collect::<Vec<_>>()[..]
            && tables.contains(table)
        {
            let owner = domain_of_file(&mention.file).unwrap_or("the platform");
            owners
                .entry(table.to_owned())
                .or_default()
                .insert(owner.to_owned());
        }
    }
    let shared: Vec<String> = owners
        .iter()
        .filter(|(_, owners)| owners.len() > 1)
        .map(|(table, owners)| format!("{table} is named by {owners:?}"))
        .collect();
    assert!(shared.is_empty(), "\n{}", shared.join("\n"));
}

/// The whole picture; a new edge is looked at before it is accepted: `cargo insta review`.
#[test]
fn the_import_graph() {
    let (sources, macros) = read();
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for mention in mentions(&sources, &macros) {
        let from = domain_of_file(&mention.file)
            .map_or_else(|| mention.from().to_owned(), |d| format!("domain/{d}"));
        let to = match (mention.path[0].as_str(), mention.path.get(1)) {
            ("domain", Some(domain)) if domains().contains(domain) => format!("domain/{domain}"),
            (layer, _) => layer.to_owned(),
        };
        if from != to {
            graph.entry(from).or_default().insert(to);
        }
    }
    let lines: Vec<String> = graph
        .iter()
        .map(|(from, to)| {
            format!(
                "{from} -> {}",
                to.iter().cloned().collect::<Vec<_>>().join(", ")
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn every_kind_of_id_has_a_prefix_of_its_own() {
    let (sources, _) = read();
    let mut prefixes = BTreeMap::new();
    for source in &sources {
        for (at, _) in source.text.match_indices("id!(") {
            let inside = &source.text[at..][..source.text[at..].find(')').unwrap()];
            let Some(prefix) = inside.split('"').nth(1) else {
                continue;
            };
            let old = prefixes.insert(prefix.to_owned(), inside.to_owned());
            assert_eq!(old, None, "two kinds of id begin with {prefix}_");
        }
    }
    assert!(prefixes.len() > 10, "{prefixes:?}");
}

#[test]
fn nobody_but_the_clock_asks_the_system_for_the_time() {
    let (sources, _) = read();
    for source in sources
        .iter()
        .filter(|source| source.name != "src/kernel/time.rs")
    {
        for (number, line) in source.text.lines().enumerate() {
            for asked in [
                "SystemTime::now",
                "Utc::now",
                "Timestamp::now",
                "Zoned::now",
                "CURRENT_TIMESTAMP",
            ] {
                assert!(
                    !line.contains(asked),
                    "{}:{}: {asked}",
                    source.name,
                    number + 1
                );
            }
        }
    }
}

/// Every file says what it is for, unless it is the usual part of a folder that does.
#[test]
fn every_module_begins_with_what_it_is_for() {
    const USUAL: [&str; 7] = [
        "model.rs",
        "operations.rs",
        "queries.rs",
        "events.rs",
        "state.rs",
        "jobs.rs",
        "schema.rs",
    ];
    for path in files(&root().join("src")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let usual = USUAL.iter().any(|name| path.ends_with(name))
            || path.starts_with(root().join("src/cli"));
        assert!(
            usual || text.starts_with("//!"),
            "{} has no //!",
            path.display()
        );
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rank(layer: &str) -> usize {
    let rank = LAYERS.iter().position(|row| row.contains(&layer));
    rank.unwrap_or_else(|| {
        panic!("{layer} stands in no layer; see src/lib.rs and tests/it/architecture.rs")
    })
}

fn layer_of_file(file: &str) -> &str {
    file.trim_start_matches("src/")
        .split(['/', '.'])
        .next()
        .unwrap()
}

fn domain_of_file(file: &str) -> Option<&str> {
    let (domain, _) = file.strip_prefix("src/domain/")?.split_once('/')?;
    Some(domain)
}

/// The domains, in the order of `src/domain/mod.rs`.
fn domains() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("src/domain/mod.rs")).unwrap();
    let name = |line: &str| {
        line.strip_prefix("pub mod ")?
            .strip_suffix(';')
            .map(ToOwned::to_owned)
    };
    text.lines().filter_map(name).collect()
}

/// Every file of `src`, and where each exported macro is defined.
fn read() -> (Vec<Source>, BTreeMap<String, String>) {
    let mut sources = Vec::new();
    let mut macros = BTreeMap::new();
    for path in files(&root().join("src")) {
        let name = path
            .strip_prefix(root())
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        if name == "src/lib.rs" {
            continue;
        }
        let text = without_comments(&std::fs::read_to_string(&path).unwrap());
        for part in text.split("#[macro_export]").skip(1) {
            let after = part.split("macro_rules! ").nth(1).unwrap();
            let macro_name = after.split([' ', '{']).next().unwrap();
            macros.insert(macro_name.to_owned(), layer_of_file(&name).to_owned());
        }
        sources.push(Source { name, text });
    }
    (sources, macros)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The text with comments blanked, line by line.
fn without_comments(text: &str) -> String {
    let strip = |line: &str| {
        let code = line.split(" // ").next().unwrap_or_default();
        if code.trim_start().starts_with("//") {
            String::new()
        } else {
            code.to_owned()
        }
    };
    text.lines().map(strip).collect::<Vec<_>>().join("\n")
}

/// Every path into this crate that a file names, `{…}` expanded. The binary calls the crate `mercer`.
fn mentions(sources: &[Source], macros: &BTreeMap<String, String>) -> Vec<Mention> {
    let mut found = Vec::new();
    for source in sources {
        let in_binary = ["main", "cli"].contains(&layer_of_file(&source.name));
        let start = if in_binary { "mercer::" } else { "crate::" };
        for (at, _) in source.text.match_indices(start) {
            let line = source.text[..at].matches('\n').count() + 1;
            for mut path in expand(&source.text[at + start.len()..]) {
                if let Some(layer) = macros.get(&path[0]) {
                    path = vec![layer.clone()];
                }
                found.push(Mention {
                    file: source.name.clone(),
                    line,
                    path,
                });
            }
        }
    }
    assert!(found.len() > 50);
    found
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`; two segments and one more are enough.
fn expand(text: &str) -> Vec<Vec<String>> {
    let word: String = text
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    if !word.is_empty() {
        let rest = text[word.len()..].strip_prefix("::");
        let tails = rest.map(expand).filter(|tails| !tails.is_empty());
        let join = |mut tail: Vec<String>| {
            tail.insert(0, word.clone());
            tail
        };
        return tails.map_or_else(
            || vec![vec![word.clone()]],
            |tails| tails.into_iter().map(join).collect(),
        );
    }
    let Some(inside) = text.strip_prefix('{') else {
        return Vec::new();
    };
    let (mut depth, mut begin, mut parts) = (0, 0, Vec::new());
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&inside[begin..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inside[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts
        .into_iter()
        .flat_map(|part| expand(part.trim_start()))
        .collect()
}
