//! `docs/protocol.md` is made from the declarations, and checked in.

use std::path::PathBuf;

use klamm_protocol::messages::APIS;
use klamm_protocol::stored::SCHEMAS;
use klamm_protocol::{ErrorCode, Field, Schema, StructSchema, Type, Versions};

const MAX_BYTES: usize = 1_000_000;

#[test]
fn the_protocol_page_is_what_the_declarations_say() {
    let page = page();
    assert!(page.len() <= MAX_BYTES, "the page has {} bytes", page.len());
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md");
    if std::env::var_os("KLAMM_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &page).unwrap();
    }
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        old == page,
        "docs/protocol.md is out of date: KLAMM_UPDATE=1 cargo test -p klamm-protocol document"
    );
}

fn page() -> String {
    let mut page = String::from(HEAD);
    line(
        &mut page,
        "\n## Errors\n\n| code | name | again? | meaning |\n|---|---|---|---|",
    );
    for code in ErrorCode::all() {
        let again = if code.retriable() { "yes" } else { "" };
        line(
            &mut page,
            &format!("| {} | {} | {again} | {} |", code.0, code.name(), code.meaning()),
        );
    }
    line(
        &mut page,
        "\n## Keys\n\n| key | name | versions | flexible |\n|---|---|---|---|",
    );
    for api in APIS {
        let (versions, flexible) = (api.request.versions, api.request.flexible);
        line(
            &mut page,
            &format!("| {} | {} | {versions} | {flexible} |", api.key, api.name),
        );
    }
    line(&mut page, "\n## Requests and responses");
    for api in APIS {
        line(&mut page, &format!("\n### {} {}", api.key, api.name));
        message(&mut page, api.request);
        message(&mut page, api.response);
    }
    line(&mut page, "\n## In logs and files");
    for schema in SCHEMAS {
        message(&mut page, schema);
    }
    page
}

const HEAD: &str = "# The protocol

Made from the declarations in `protocol/src` (`KLAMM_UPDATE=1 cargo test -p klamm-protocol document`); do not edit.
Every version that Kafka ever released is here. Which of them a broker serves, ApiVersions tells.

Random messages of every version, 20 written by Kafka's own classes (4.4.0, and 3.9.2 for what that lacks) and 20 by
ours, are read by the other side and come back byte for byte: 34,320 messages, none that differs.
`KLAMM_KAFKA=path/to/launcher KLAMM_SEEDS=20 cargo test -p klamm-protocol random_values` says it again.

A field stands as name, type, `?` where it may be null, versions unless it is in all that its struct is in, its
tag where it is a tagged field, and its default unless that is zero or empty. Numbers are big-endian; text is
UTF-8; in flexible versions lengths are compact and tagged fields may follow each struct (KIP-482).
";

fn message(page: &mut String, schema: &Schema) {
    let key = schema.key.map(|key| format!(", key {key}")).unwrap_or_default();
    let flexible = if schema.flexible.is_empty() {
        "never".to_owned()
    } else {
        schema.flexible.to_string()
    };
    line(
        page,
        &format!(
            "\n**{}** (versions {}, flexible {flexible}{key})  ",
            schema.body.name, schema.versions
        ),
    );
    line(page, &format!("{}\n", schema.body.doc));
    fields(page, schema.body, schema.versions, 0);
}

fn fields(page: &mut String, body: &StructSchema, parent: Versions, depth: usize) {
    for field in body.fields {
        let present = field.versions.intersection(parent);
        let mut text = format!(
            "{:1$}- `{2}` {3}",
            "",
            2 * depth,
            field.name,
            type_name(&field.ty)
        );
        push_notes(&mut text, field, present, parent);
        text.push_str(&format!(": {}", field.doc.replace('\n', " ")));
        line(page, &text);
        let mut ty = &field.ty;
        while let Type::Array(element) = ty {
            ty = element;
        }
        if let Type::Struct(inner) = ty {
            fields(page, inner, present, depth + 1);
        }
    }
}

fn push_notes(text: &mut String, field: &Field, present: Versions, parent: Versions) {
    let nullable = field.nullable.intersection(present);
    if nullable == present {
        text.push('?');
    } else if !nullable.is_empty() {
        text.push_str(&format!("? ({nullable})"));
    }
    if present != parent {
        text.push_str(&format!(", {present}"));
    }
    if let Some(tag) = field.tag {
        text.push_str(&format!(", tag {tag}"));
    }
    if !["", "0", "false"].contains(&field.default) {
        text.push_str(&format!(", default {}", field.default));
    }
}

fn type_name(ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".into(),
        Type::Int8 => "int8".into(),
        Type::Int16 => "int16".into(),
        Type::Int32 => "int32".into(),
        Type::Int64 => "int64".into(),
        Type::Uint16 => "uint16".into(),
        Type::Uint32 => "uint32".into(),
        Type::Float64 => "float64".into(),
        Type::String => "string".into(),
        Type::Bytes => "bytes".into(),
        Type::Uuid => "uuid".into(),
        Type::Records => "records".into(),
        Type::Array(element) => format!("[{}]", type_name(element)),
        Type::Struct(body) => body.name.into(),
    }
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}
