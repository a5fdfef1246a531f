//! Our declarations against Kafka's own message definitions, version by version and field by field.
//!
//! `KLAMM_KAFKA_MESSAGES` names a folder of definitions (the JSON files in `message/` folders of Kafka's
//! sources); all files below it are read, so that definitions of several releases can lie side by side. Where
//! two define the same version of a message, the later release counts. Without the variable nothing is checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use klamm_protocol::messages::APIS;
use klamm_protocol::stored::SCHEMAS;
use klamm_protocol::{Field, Kind, Schema, Type, Versions};
use serde_json::Value;

/// Written by hand in `frame`, since the header's own version depends on what it says.
const HEADERS: [&str; 2] = ["RequestHeader", "ResponseHeader"];

#[test]
fn every_declaration_equals_kafkas_definition() {
    let Some(folder) = std::env::var_os("KLAMM_KAFKA_MESSAGES") else {
        eprintln!("skipped: KLAMM_KAFKA_MESSAGES names no folder with Kafka's message definitions");
        return;
    };
    let definitions = read_definitions(Path::new(&folder));
    assert!(
        !definitions.is_empty(),
        "there is no definition in {}",
        folder.display()
    );
    let mut problems = Vec::new();
    let mut ours = BTreeMap::new();
    for schema in all_schemas() {
        let name = schema.body.name;
        assert!(ours.insert(name, schema).is_none(), "{name} is declared twice");
        match definitions.get(name) {
            Some(releases) => compare(schema, releases, &mut problems),
            None => problems.push(format!("{name} is no message of Kafka's")),
        }
    }
    for (name, releases) in &definitions {
        let has_versions = releases.iter().any(|d| !d.versions.is_empty());
        if has_versions && !ours.contains_key(name.as_str()) && !HEADERS.contains(&name.as_str()) {
            problems.push(format!("MISSING {name}"));
        }
    }
    assert!(
        problems.is_empty(),
        "{} differences:\n{}",
        problems.len(),
        problems.join("\n")
    );
}

#[test]
fn apis_stand_by_key_and_belong_together() {
    for pair in APIS.windows(2) {
        assert!(
            pair[0].key < pair[1].key,
            "{} and {} are not in order",
            pair[0].name,
            pair[1].name
        );
    }
    for api in APIS {
        assert_eq!(
            (api.request.kind, api.response.kind),
            (Kind::Request, Kind::Response),
            "the kinds of {}",
            api.name
        );
        assert_eq!(
            (api.request.key, api.response.key),
            (Some(api.key), Some(api.key)),
            "the key of {}",
            api.name
        );
        assert_eq!(
            api.request.versions, api.response.versions,
            "the versions of {}",
            api.name
        );
        assert_eq!(
            api.request.flexible, api.response.flexible,
            "the flexible versions of {}",
            api.name
        );
        assert_eq!(api.request.body.name, format!("{}Request", api.name));
        assert_eq!(api.response.body.name, format!("{}Response", api.name));
    }
}

/// The decoder refuses an array with more elements than there are bytes left, and relies on this.
#[test]
fn no_element_of_an_array_is_empty_in_any_version() {
    for schema in all_schemas() {
        for version in schema.versions.iter() {
            let flexible = schema.flexible.contains(version);
            for field in schema.body.fields {
                check_elements(schema.body.name, field, version, flexible);
            }
        }
    }
}

fn check_elements(message: &str, field: &Field, version: i16, flexible: bool) {
    if !field.versions.contains(version) {
        return;
    }
    let mut ty = &field.ty;
    while let Type::Array(element) = ty {
        ty = element;
    }
    if let Type::Struct(body) = ty {
        let plain = body
            .fields
            .iter()
            .any(|f| f.versions.contains(version) && !f.tagged.contains(version));
        assert!(
            plain || flexible,
            "{message} {version}: elements of {} are empty",
            field.name
        );
        for inner in body.fields {
            check_elements(message, inner, version, flexible);
        }
    }
}

fn all_schemas() -> impl Iterator<Item = &'static Schema> {
    APIS.iter()
        .flat_map(|api| [api.request, api.response])
        .chain(SCHEMAS.iter().copied())
}

/// One of Kafka's definitions.
struct Definition {
    versions: Versions,
    json: Value,
}

fn read_definitions(folder: &Path) -> BTreeMap<String, Vec<Definition>> {
    let mut definitions: BTreeMap<String, Vec<Definition>> = BTreeMap::new();
    for path in json_files(folder) {
        let text = std::fs::read_to_string(&path).expect("a definition is readable");
        let json: Value = serde_json::from_str(&without_comments(&text))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = json["name"].as_str().expect("a definition has a name").to_owned();
        let versions = versions(&json["validVersions"]).unwrap_or(Versions::NONE);
        definitions
            .entry(name)
            .or_default()
            .push(Definition { versions, json });
    }
    for releases in definitions.values_mut() {
        releases.sort_by_key(|d| std::cmp::Reverse(d.versions.max));
    }
    definitions
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("a folder's entry is readable").path();
        if path.is_dir() {
            files.extend(json_files(&path));
        } else if path.extension().is_some_and(|e| e == "json") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Cuts `//` to the end of the line, unless inside of a string.
fn without_comments(text: &str) -> String {
    let mut output = String::new();
    for line in text.lines() {
        let mut in_string = false;
        let mut previous = ' ';
        let mut end = line.len();
        for (i, c) in line.char_indices() {
            if c == '"' && previous != '\\' {
                in_string = !in_string;
            } else if c == '/' && previous == '/' && !in_string {
                end = i - 1;
                break;
            }
            previous = c;
        }
        output.push_str(&line[..end]);
        output.push('\n');
    }
    output
}

fn versions(value: &Value) -> Option<Versions> {
    let text = value.as_str()?;
    let number = |s: &str| {
        s.trim()
            .parse::<i16>()
            .unwrap_or_else(|_| panic!("no versions: {text}"))
    };
    Some(match (text, text.split_once('-')) {
        ("none", _) => Versions::NONE,
        (_, Some((min, max))) => Versions {
            min: number(min),
            max: number(max),
        },
        (_, None) => match text.strip_suffix('+') {
            Some(min) => Versions {
                min: number(min),
                max: i16::MAX,
            },
            None => Versions {
                min: number(text),
                max: number(text),
            },
        },
    })
}

fn compare(schema: &Schema, releases: &[Definition], problems: &mut Vec<String>) {
    let name = schema.body.name;
    let known = |version| releases.iter().find(|d| d.versions.contains(version));
    for definition in releases {
        for version in definition
            .versions
            .iter()
            .filter(|v| !schema.versions.contains(*v))
        {
            problems.push(format!("MISSING {name} {version}"));
        }
    }
    for version in schema.versions.iter() {
        let Some(definition) = known(version) else {
            problems.push(format!("{name} {version} is no version of Kafka's"));
            continue;
        };
        let json = &definition.json;
        let flexible = versions(&json["flexibleVersions"]).unwrap_or(Versions::NONE);
        if flexible.contains(version) != schema.flexible.contains(version) {
            problems.push(format!("{name} {version}: one is flexible"));
        }
        let key = json["apiKey"].as_i64();
        if key != schema.key.map(i64::from) {
            problems.push(format!("{name}: key {:?}, Kafka's is {key:?}", schema.key));
        }
        let mut theirs = lines_of_definition(json, &json["fields"], version, 0);
        let mut ours = lines_of_fields(schema.body.fields, version, 0);
        if !releases[0].versions.contains(version) {
            // Whether a field is ignorable is asked where a version lacks it: the latest release decides.
            for line in theirs.iter_mut().chain(&mut ours) {
                *line = line.trim_end_matches(", ignorable").to_owned();
            }
        }
        for i in 0..ours.len().max(theirs.len()) {
            let (our, their) = (ours.get(i), theirs.get(i));
            if our != their {
                let text = |line: Option<&String>| line.map_or("nothing".to_owned(), |l| l.trim().to_owned());
                problems.push(format!(
                    "{name} {version}:\n  ours    {}\n  Kafka's {}",
                    text(our),
                    text(their)
                ));
                break;
            }
        }
    }
}

/// A line for each field that the version has, with all that matters on the wire.
fn lines_of_fields(fields: &[Field], version: i16, depth: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for field in fields.iter().filter(|f| f.versions.contains(version)) {
        let mut text = String::new();
        let mut ty = &field.ty;
        while let Type::Array(element) = ty {
            text.push_str("[]");
            ty = element;
        }
        text.push_str(match ty {
            Type::Bool => "bool",
            Type::Int8 => "int8",
            Type::Int16 => "int16",
            Type::Int32 => "int32",
            Type::Int64 => "int64",
            Type::Uint16 => "uint16",
            Type::Uint32 => "uint32",
            Type::Float64 => "float64",
            Type::String => "string",
            Type::Bytes => "bytes",
            Type::Uuid => "uuid",
            Type::Records => "records",
            Type::Struct(_) | Type::Array(_) => "struct",
        });
        let tag = field
            .tag
            .filter(|_| field.tagged.contains(version))
            .map(i64::from);
        let nullable = field.nullable.contains(version);
        lines.push(line(
            depth,
            field.name,
            &text,
            nullable,
            tag,
            field.default,
            field.ignorable,
        ));
        if let Type::Struct(body) = ty {
            lines.extend(lines_of_fields(body.fields, version, depth + 1));
        }
    }
    lines
}

fn lines_of_definition(definition: &Value, fields: &Value, version: i16, depth: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for field in fields.as_array().into_iter().flatten() {
        let tagged = versions(&field["taggedVersions"]).unwrap_or(Versions::NONE);
        if !versions(&field["versions"]).unwrap_or(tagged).contains(version) {
            continue;
        }
        let ty = field["type"].as_str().expect("a field has a type");
        let element = ty.trim_start_matches("[]");
        let is_struct = element.starts_with(|c: char| c.is_ascii_uppercase());
        let text = if is_struct {
            ty.replace(element, "struct")
        } else {
            ty.to_owned()
        };
        let tag = field["tag"].as_i64().filter(|_| tagged.contains(version));
        let nullable = versions(&field["nullableVersions"]).is_some_and(|v| v.contains(version));
        let default = match &field["default"] {
            Value::String(text) => text.clone(),
            // A null that is not text says nothing to Kafka's generator.
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let ignorable = field["ignorable"] == true || field["ignorable"] == "true";
        let name = field["name"].as_str().expect("a field has a name");
        lines.push(line(depth, name, &text, nullable, tag, &default, ignorable));
        if is_struct {
            let common = definition["commonStructs"].as_array().into_iter().flatten();
            let shared = common
                .filter(|s| s["name"] == element)
                .map(|s| &s["fields"])
                .next();
            let inner = field.get("fields").or(shared).unwrap_or(&Value::Null);
            lines.extend(lines_of_definition(definition, inner, version, depth + 1));
        }
    }
    lines
}

fn line(
    depth: usize,
    name: &str,
    ty: &str,
    nullable: bool,
    tag: Option<i64>,
    default: &str,
    ignorable: bool,
) -> String {
    // Kafka writes names with a small or a capital letter, both for the same thing.
    let mut letters = name.chars();
    let first = letters.next().expect("a name has letters").to_ascii_uppercase();
    let default = match default.strip_prefix("0x").map(|hex| i64::from_str_radix(hex, 16)) {
        Some(Ok(number)) => number.to_string(),
        _ => default.to_ascii_lowercase(),
    };
    let default = if ["0", "false", ""].contains(&default.as_str()) {
        "zero"
    } else {
        &default
    };
    let mut line = format!(
        "{:1$}{first}{2}: {ty} = {default}",
        "",
        2 * depth,
        letters.as_str()
    );
    if nullable {
        line.push_str(", nullable");
    }
    if let Some(tag) = tag {
        line.push_str(&format!(", tag {tag}"));
    }
    if ignorable {
        line.push_str(", ignorable");
    }
    line
}
