//! Where config comes from: files, directories, variables, layered with figment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// Variables with this prefix override files; `__` separates keys. The double underscore keeps it apart from what
/// Kubernetes injects for a service of our name (`EVENKEEL_PORT`).
pub const VARIABLE_PREFIX: &str = "EVENKEEL__";

/// Where to read the config from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// A file, or a directory of files.
    pub path: PathBuf,
    /// Environment variables; those without our prefix are passed over.
    pub variables: Vec<(String, String)>,
}

impl Sources {
    /// A file or directory, and the variables of this process.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        let text = |(key, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((key.into_string().ok()?, value.into_string().ok()?))
        };
        Self {
            path,
            variables: std::env::vars_os().filter_map(text).collect(),
        }
    }
}

/// YAML for figment.
struct Yaml;

impl Format for Yaml {
    type Error = serde_saphyr::Error;

    const NAME: &'static str = "YAML";

    fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, Self::Error> {
        // A file of comments alone is an empty config, not a null.
        let has_content = text
            .lines()
            .any(|line| !matches!(line.trim(), "" | "---") && !line.trim().starts_with('#'));
        serde_saphyr::from_str(if has_content { text } else { "{}" })
    }
}

/// Our variables as one layer.
struct Variables(BTreeMap<String, String>);

impl Provider for Variables {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let mut dict = Dict::new();
        for (key, text) in &self.0 {
            // Figment reads numbers, lists and sections out of text; what is none of these stays text.
            let value = Value::from_str(text).unwrap_or_else(|_| Value::from(text.clone()));
            let nested = figment::util::nest(key, value);
            if let Value::Dict(_, nested) = nested {
                merge(&mut dict, nested);
            }
        }
        Ok(Profile::Default.collect(dict))
    }
}

fn merge(into: &mut Dict, from: Dict) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Dict(_, held)), Value::Dict(_, more)) => merge(held, more),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// Builds the layers. Files that can not be used are reported, and the others are read all the same.
pub(super) fn layers(sources: &Sources) -> (Figment, Vec<Problem>) {
    let mut figment = Figment::new();
    let mut problems = Vec::new();
    match files(&sources.path) {
        Ok(files) => {
            for file in files {
                match read_file(&file) {
                    // Lists add up over files, so that targets can be spread over several.
                    Ok(layer) => figment = figment.admerge(layer),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        Err(problem) => problems.push(problem),
    }
    let ours = |(key, value): &(String, String)| {
        let key = key.strip_prefix(VARIABLE_PREFIX)?;
        Some((key.to_lowercase().replace("__", "."), value.clone()))
    };
    let variables = Variables(sources.variables.iter().filter_map(ours).collect());
    (figment.merge(variables), problems)
}

/// The merged tree.
pub(super) fn extract(figment: &Figment) -> Result<Value, Problem> {
    figment.extract::<Value>().map_err(|error| Problem {
        source: "config".to_owned(),
        path: String::new(),
        what: error.to_string(),
        remedy: String::new(),
    })
}

fn file_problem(path: &Path, what: String, remedy: &str) -> Problem {
    Problem {
        source: path.display().to_string(),
        path: String::new(),
        what,
        remedy: remedy.to_owned(),
    }
}

/// The config files at a path, in the order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>, Problem> {
    let unreadable = |error: &std::io::Error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound => "give the config's place with --config PATH",
            _ => "make it readable for the user that runs evenkeel",
        };
        file_problem(path, format!("can not be read: {error}"), remedy)
    };
    if !std::fs::metadata(path)
        .map_err(|e| unreadable(&e))?
        .is_dir()
    {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(|e| unreadable(&e))? {
        let file = entry.map_err(|e| unreadable(&e))?.path();
        let hidden = file
            .file_name()
            .is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
        if !hidden && format_of(&file).is_some() {
            found.push(file);
        }
    }
    if found.is_empty() {
        return Err(file_problem(
            path,
            "the directory holds no .yaml, .yml or .toml file".to_owned(),
            "put the config there, or give its place with --config PATH",
        ));
    }
    found.sort();
    Ok(found)
}

#[derive(Clone, Copy)]
enum FileFormat {
    Yaml,
    Toml,
}

fn format_of(path: &Path) -> Option<FileFormat> {
    match path.extension()?.to_str()? {
        "yaml" | "yml" => Some(FileFormat::Yaml),
        "toml" => Some(FileFormat::Toml),
        _ => None,
    }
}

/// What a parser said, without what it says to programmers, and a remedy for what people do most.
#[must_use]
pub fn syntax_problem(said: &str, path: &Path) -> (String, &'static str) {
    let named = said.replace("<input>", &path.display().to_string());
    let kept: Vec<&str> = named
        .lines()
        .filter(|line| !line.contains("Options") && !line.contains("from_str_multiple"))
        .collect();
    let text = format!("is not well formed: {}", kept.join("\n").trim());
    let has = |words: &[&str]| words.iter().any(|word| said.to_lowercase().contains(word));
    let remedy = if has(&["duplicate"]) {
        "keep one of the two keys"
    } else if has(&["from_str_multiple", "multiple documents"]) {
        "write one document per file: a directory of files is merged"
    } else if has(&["tab"]) {
        "indent with spaces"
    } else if has(&["nan", "infinit", ".inf"]) {
        "write a finite number"
    } else {
        "look at this line and the one above: indentation, colons, quotes and brackets must match"
    };
    (text, remedy)
}

/// A file's tree, already parsed, under the file's name.
struct FileLayer {
    path: PathBuf,
    data: Map<Profile, Dict>,
}

impl Provider for FileLayer {
    fn metadata(&self) -> Metadata {
        Metadata::from("file", self.path.as_path())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(self.data.clone())
    }
}

fn read_file(path: &Path) -> Result<FileLayer, Problem> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::InvalidData => "save it as UTF-8",
            _ => "make it readable for the user that runs evenkeel",
        };
        file_problem(path, format!("can not be read: {error}"), remedy)
    })?;
    // A file given by name may be called anything; YAML is what people mean.
    let parsed = match format_of(path).unwrap_or(FileFormat::Yaml) {
        FileFormat::Yaml => Yaml::from_str::<Dict>(&text).map_err(|e| e.to_string()),
        FileFormat::Toml => Toml::from_str::<Dict>(&text).map_err(|e| e.to_string()),
    };
    match parsed {
        Ok(dict) => Ok(FileLayer {
            path: path.to_owned(),
            data: Profile::Default.collect(dict),
        }),
        Err(why) => {
            let (what, remedy) = syntax_problem(&why, path);
            Err(file_problem(path, what, remedy))
        }
    }
}
