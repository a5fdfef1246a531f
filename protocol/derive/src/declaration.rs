//! What a struct and its attributes say.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, GenericArgument, Ident, Lit, LitInt, LitStr,
    Meta, PathArguments, Result,
};

/// A struct of fields.
pub struct Declaration {
    pub name: Ident,
    pub doc: String,
    pub fields: Vec<Field>,
}

/// What only a whole message has.
pub struct Head {
    pub kind: Ident,
    pub key: Option<i16>,
    pub versions: Versions,
    pub flexible: Versions,
}

/// Kafka counts its tags from 0.
const OWN_TAGS: u32 = 20_000;

pub struct Field {
    pub ident: Ident,
    /// Kafka's name.
    pub name: String,
    pub doc: String,
    pub ty: Type,
    /// Declared as `Option`.
    pub optional: bool,
    pub versions: Versions,
    pub nullable: Versions,
    pub tagged: Versions,
    pub tag: Option<u32>,
    pub default: Option<LitStr>,
    pub ignorable: bool,
    /// Klamm's, not Kafka's.
    pub own: bool,
}

pub enum Type {
    Primitive(&'static str),
    ErrorCode,
    String,
    Bytes,
    Records,
    Uuid,
    Array(Box<Type>),
    Struct(Box<syn::Type>),
}

#[derive(Clone, Copy, PartialEq)]
pub struct Versions {
    pub min: i16,
    pub max: i16,
}

impl Versions {
    pub const ALL: Versions = Versions {
        min: 0,
        max: i16::MAX,
    };
    pub const NONE: Versions = Versions { min: 0, max: -1 };

    fn parse(text: &LitStr) -> Result<Versions> {
        let parse = |s: &str| {
            s.parse()
                .map_err(|_| Error::new(text.span(), "versions are \"3\", \"1-4\", \"2+\", \"none\""))
        };
        let value = text.value();
        Ok(match value.split_once('-') {
            _ if value == "none" => Versions::NONE,
            Some((min, max)) => Versions {
                min: parse(min)?,
                max: parse(max)?,
            },
            None => match value.strip_suffix('+') {
                Some(min) => Versions {
                    min: parse(min)?,
                    max: i16::MAX,
                },
                None => Versions {
                    min: parse(&value)?,
                    max: parse(&value)?,
                },
            },
        })
    }

    pub fn tokens(self) -> TokenStream {
        let Versions { min, max } = self;
        quote!(::klamm_protocol::Versions { min: #min, max: #max })
    }

    /// A condition on `version`; `None` when it always holds.
    pub fn condition(self) -> Option<TokenStream> {
        let Versions { min, max } = self;
        match (min, max) {
            (0, i16::MAX) => None,
            (min, i16::MAX) => Some(quote!(version >= #min)),
            (0, max) => Some(quote!(version <= #max)),
            (min, max) if min == max => Some(quote!(version == #min)),
            (min, max) => Some(quote!((#min..=#max).contains(&version))),
        }
    }
}

impl Declaration {
    pub fn of_struct(input: &DeriveInput) -> Result<Declaration> {
        let Data::Struct(data) = &input.data else {
            return Err(Error::new_spanned(
                input,
                "only a struct can be part of a message",
            ));
        };
        let fields = match &data.fields {
            Fields::Named(named) => named.named.iter().map(Field::parse).collect::<Result<Vec<_>>>()?,
            Fields::Unit => Vec::new(),
            Fields::Unnamed(_) => return Err(Error::new_spanned(input, "fields of a message have names")),
        };
        Ok(Declaration {
            name: input.ident.clone(),
            doc: doc_of(&input.attrs),
            fields,
        })
    }

    pub fn of_message(input: &DeriveInput) -> Result<(Declaration, Head)> {
        let declaration = Declaration::of_struct(input)?;
        let mut head = Head {
            kind: Ident::new("Data", Span::call_site()),
            key: None,
            versions: Versions::NONE,
            flexible: Versions::NONE,
        };
        for attribute in input.attrs.iter().filter(|a| a.path().is_ident("message")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("kind") {
                    let kind: LitStr = meta.value()?.parse()?;
                    let variant = match kind.value().as_str() {
                        "request" => "Request",
                        "response" => "Response",
                        "header" => "Header",
                        "data" => "Data",
                        _ => return Err(Error::new(kind.span(), "request, response, header or data")),
                    };
                    head.kind = Ident::new(variant, kind.span());
                } else if meta.path.is_ident("key") {
                    head.key = Some(meta.value()?.parse::<LitInt>()?.base10_parse()?);
                } else if meta.path.is_ident("versions") {
                    head.versions = Versions::parse(&meta.value()?.parse()?)?;
                } else if meta.path.is_ident("flexible") {
                    head.flexible = Versions::parse(&meta.value()?.parse()?)?;
                } else {
                    return Err(meta.error("kind, key, versions or flexible"));
                }
                Ok(())
            })?;
        }
        if head.versions == Versions::NONE {
            return Err(Error::new_spanned(
                &input.ident,
                "#[message(versions = \"..\")] is missing",
            ));
        }
        Ok((declaration, head))
    }

    /// Fields that are tagged in some version, by tag.
    pub fn tagged_fields(&self) -> Vec<&Field> {
        let mut tagged: Vec<&Field> = self.fields.iter().filter(|f| f.tag.is_some()).collect();
        tagged.sort_by_key(|f| f.tag);
        tagged
    }
}

impl Field {
    fn parse(field: &syn::Field) -> Result<Field> {
        let ident = field.ident.clone().expect("the struct's fields are named");
        let (optional, ty) = match argument(&field.ty, "Option") {
            Some(inner) => (true, Type::parse(inner)?),
            None => (false, Type::parse(&field.ty)?),
        };
        let mut parsed = Field {
            name: camel_case(&ident.to_string()),
            doc: doc_of(&field.attrs),
            ty,
            optional,
            versions: Versions::ALL,
            nullable: Versions::NONE,
            tagged: Versions::NONE,
            tag: None,
            default: None,
            ignorable: false,
            own: false,
            ident,
        };
        for attribute in field.attrs.iter().filter(|a| a.path().is_ident("field")) {
            parsed.read_attribute(attribute)?;
        }
        let message = if parsed.optional == (parsed.nullable == Versions::NONE) {
            "an Option has nullable versions, and nothing else has"
        } else if parsed.tag.is_some() == (parsed.tagged == Versions::NONE) {
            "tag and tagged go together"
        } else if parsed.own == parsed.tag.is_none_or(|tag| tag < OWN_TAGS) {
            "a field of our own has a tag that Kafka will not come to, and nothing else has"
        } else {
            return Ok(parsed);
        };
        Err(Error::new_spanned(&parsed.ident, message))
    }

    fn read_attribute(&mut self, attribute: &Attribute) -> Result<()> {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("versions") {
                self.versions = Versions::parse(&meta.value()?.parse()?)?;
            } else if meta.path.is_ident("nullable") {
                self.nullable = Versions::parse(&meta.value()?.parse()?)?;
            } else if meta.path.is_ident("tagged") {
                self.tagged = Versions::parse(&meta.value()?.parse()?)?;
            } else if meta.path.is_ident("tag") {
                self.tag = Some(meta.value()?.parse::<LitInt>()?.base10_parse()?);
            } else if meta.path.is_ident("default") {
                self.default = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("name") {
                self.name = meta.value()?.parse::<LitStr>()?.value();
            } else if meta.path.is_ident("ignorable") {
                self.ignorable = true;
            } else if meta.path.is_ident("own") {
                self.own = true;
            } else {
                return Err(meta.error("versions, nullable, tagged, tag, default, name, ignorable or own"));
            }
            Ok(())
        })
    }

    pub fn defaults_to_null(&self) -> bool {
        self.default.as_ref().is_some_and(|d| d.value() == "null")
    }

    /// Versions in which the field stands among the ordinary ones.
    pub fn condition_plain(&self) -> Option<TokenStream> {
        let present = self.versions.condition();
        match self.tagged.condition() {
            // Tagged in all versions: never among the ordinary ones.
            None => Some(quote!(false)),
            Some(_) if self.tagged == Versions::NONE => present,
            Some(_) if self.tagged == self.versions => Some(quote!(false)),
            Some(tagged) => Some(match present {
                Some(present) => quote!(#present && !(#tagged)),
                None => quote!(!(#tagged)),
            }),
        }
    }
}

impl Type {
    fn parse(ty: &syn::Type) -> Result<Type> {
        if let Some(element) = argument(ty, "Vec") {
            return Ok(Type::Array(Box::new(Type::parse(element)?)));
        }
        let syn::Type::Path(path) = ty else {
            return Err(Error::new_spanned(ty, "no type of a message"));
        };
        let name = path
            .path
            .segments
            .last()
            .expect("a path has a segment")
            .ident
            .to_string();
        for primitive in ["bool", "i8", "i16", "u16", "i32", "u32", "i64", "f64"] {
            if name == primitive {
                return Ok(Type::Primitive(primitive));
            }
        }
        Ok(match name.as_str() {
            "ErrorCode" => Type::ErrorCode,
            "Str" => Type::String,
            "Bytes" => Type::Bytes,
            "Records" => Type::Records,
            "Uuid" => Type::Uuid,
            _ => Type::Struct(Box::new(ty.clone())),
        })
    }
}

/// The `T` of `Outer<T>`.
fn argument<'a>(ty: &'a syn::Type, outer: &str) -> Option<&'a syn::Type> {
    let syn::Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last()?;
    if segment.ident != outer {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    }
}

fn doc_of(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        if let Meta::NameValue(pair) = &attribute.meta
            && pair.path.is_ident("doc")
            && let Expr::Lit(ExprLit {
                lit: Lit::Str(line), ..
            }) = &pair.value
        {
            lines.push(line.value().trim().to_owned());
        }
    }
    lines.join("\n")
}

fn camel_case(snake: &str) -> String {
    let mut camel = String::new();
    for word in snake.trim_start_matches("r#").split('_') {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        camel.extend(letters);
    }
    camel
}
