//! Reading, writing and defaults.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use crate::declaration::{Declaration, Field, Type, Versions};

/// Body of `Struct::decode`: one variable a field, in wire order, then the tagged section.
pub fn decode(declaration: &Declaration) -> TokenStream {
    let reads = declaration.fields.iter().map(|field| {
        let variable = variable(field);
        let (read, default) = (read_field(field, false), default_value(field));
        match field.condition_plain() {
            None => quote!(let #variable = #read;),
            Some(never) if never.to_string() == "false" => quote!(let mut #variable = #default;),
            Some(condition) if field.tag.is_some() => {
                quote!(let mut #variable = if #condition { #read } else { #default };)
            }
            Some(condition) => quote!(let #variable = if #condition { #read } else { #default };),
        }
    });
    let tagged = declaration.tagged_fields();
    let tags = if tagged.is_empty() {
        quote!(if flexible {
            input.skip_tags()?;
        })
    } else {
        let arms = tagged.iter().map(|field| {
            let (variable, read) = (variable(field), read_field(field, true));
            let tag = Literal::u32_unsuffixed(field.tag.expect("a tagged field has a tag"));
            match field.tagged.condition() {
                Some(condition) => quote!(#tag if #condition => #variable = #read,),
                None => quote!(#tag => #variable = #read,),
            }
        });
        quote! {
            if flexible {
                for _ in 0..input.tag_count()? {
                    let (tag, end) = input.tag()?;
                    match tag {
                        #(#arms)*
                        _ => input.skip_to(end),
                    }
                    input.end_tag(tag, end)?;
                }
            }
        }
    };
    let idents = declaration.fields.iter().map(|f| &f.ident);
    let variables = declaration.fields.iter().map(variable);
    quote! {
        #(#reads)*
        #tags
        Ok(Self { #(#idents: #variables),* })
    }
}

/// The variable that holds a field while its struct is read. A field may be called `version` or `input`.
fn variable(field: &Field) -> Ident {
    format_ident!("field_{}", field.ident)
}

/// Body of `Struct::encode`, in the same order.
pub fn encode(declaration: &Declaration) -> TokenStream {
    let writes = declaration.fields.iter().map(|field| {
        let plain = match field.condition_plain() {
            Some(never) if never.to_string() == "false" => None,
            condition => {
                let write = write_field(field, false);
                Some(match condition {
                    Some(condition) => quote!(if #condition { #write }),
                    None => write,
                })
            }
        };
        let refuse = refuse_in_other_versions(field);
        quote!(#plain #refuse)
    });
    let tagged = declaration.tagged_fields();
    let tags = if tagged.is_empty() {
        quote!(if flexible {
            out.unsigned_varint(0);
        })
    } else {
        let conditions: Vec<TokenStream> = tagged
            .iter()
            .map(|field| {
                let differs = differs_from_default(field);
                match field.tagged.condition() {
                    Some(condition) => quote!(#condition && #differs),
                    None => differs,
                }
            })
            .collect();
        let fields = tagged.iter().zip(&conditions).map(|(field, condition)| {
            let (tag, write) = (
                field.tag.expect("a tagged field has a tag"),
                write_field(field, true),
            );
            quote! {
                if #condition {
                    out.tagged(#tag, |out| { #write Ok(()) })?;
                }
            }
        });
        quote! {
            if flexible {
                let mut count = 0;
                #(if #conditions { count += 1; })*
                out.unsigned_varint(count);
                #(#fields)*
            }
        }
    };
    quote! {
        #(#writes)*
        #tags
        Ok(())
    }
}

/// Body of `Default::default`.
pub fn default(declaration: &Declaration) -> TokenStream {
    let fields = declaration.fields.iter().map(|field| {
        let (ident, value) = (&field.ident, default_value(field));
        quote!(#ident: #value)
    });
    quote!(Self { #(#fields),* })
}

fn default_value(field: &Field) -> TokenStream {
    if field.optional && field.defaults_to_null() {
        return quote!(::core::option::Option::None);
    }
    let value = default_literal(field).unwrap_or_else(|| quote!(::core::default::Default::default()));
    if field.optional {
        quote!(::core::option::Option::Some(#value))
    } else {
        value
    }
}

/// A default that is neither zero nor empty.
fn default_literal(field: &Field) -> Option<TokenStream> {
    let literal = field.default.as_ref()?;
    let text = literal.value();
    let parsed = |text: &str| -> TokenStream {
        syn::parse_str::<syn::Expr>(text).map_or_else(
            |_| syn::Error::new(literal.span(), "no such default").into_compile_error(),
            |value| quote!(#value),
        )
    };
    match &field.ty {
        Type::Primitive(_) => Some(parsed(&text)),
        Type::ErrorCode => {
            let value = parsed(&text);
            Some(quote!(::klamm_protocol::ErrorCode(#value)))
        }
        Type::String if text.is_empty() => None,
        Type::String => Some(quote!(::klamm_protocol::Str::from_static(#text))),
        _ => Some(syn::Error::new(literal.span(), "this type has no such default").into_compile_error()),
    }
}

fn differs_from_default(field: &Field) -> TokenStream {
    let ident = &field.ident;
    if field.optional && field.defaults_to_null() {
        return quote!(self.#ident.is_some());
    }
    let has_empty = matches!(
        field.ty,
        Type::String | Type::Bytes | Type::Records | Type::Array(_)
    );
    match (default_literal(field), field.optional) {
        (None, false) if has_empty => quote!(!self.#ident.is_empty()),
        (None, true) if has_empty => quote!(!self.#ident.as_ref().is_some_and(|value| value.is_empty())),
        (None, false) if matches!(field.ty, Type::Primitive("bool")) => quote!(self.#ident),
        (None, false) if matches!(field.ty, Type::Primitive("f64")) => quote!(self.#ident != 0.0),
        (None, false) if matches!(field.ty, Type::Primitive(_)) => quote!(self.#ident != 0),
        _ => {
            let value = default_value(field);
            quote!((self.#ident != #value))
        }
    }
}

/// Where a version has no such field, only its default may be encoded.
fn refuse_in_other_versions(field: &Field) -> Option<TokenStream> {
    if field.ignorable {
        return None;
    }
    let present = field.versions.condition()?;
    let (name, differs) = (&field.name, differs_from_default(field));
    Some(quote! {
        if !(#present) && #differs {
            return Err(::klamm_protocol::EncodeError::Field { field: #name, version });
        }
    })
}

/// The value of a field; `tagged` where it stands in the tagged section.
fn read_field(field: &Field, tagged: bool) -> TokenStream {
    let name = &field.name;
    if !field.optional {
        let read = read_value(&field.ty, name);
        return quote!(#read?);
    }
    let read = match &field.ty {
        Type::String => quote!(input.nullable_string(flexible)?),
        Type::Bytes => quote!(input.nullable_byte_string(flexible)?),
        Type::Records => quote!(input.nullable_records(flexible)?),
        Type::Array(element) => {
            let read = read_value(element, name);
            quote!(input.nullable_array(flexible, |input| #read)?)
        }
        Type::Struct(_) => {
            let read = read_value(&field.ty, name);
            let some = quote!(::core::option::Option::Some(#read?));
            // A struct has something in front of it only in versions where it may be null.
            let present = present_method(tagged);
            return match without_null(field) {
                None => quote!(if input.#present()? { #some } else { ::core::option::Option::None }),
                Some(never_null) => quote! {
                    if (#never_null) || input.#present()? { #some } else { ::core::option::Option::None }
                },
            };
        }
        _ => return syn::Error::new(field.ident.span(), "this type is never null").into_compile_error(),
    };
    match without_null(field) {
        None => read,
        Some(never_null) => quote! {{
            let value = #read;
            if value.is_none() && #never_null {
                return Err(::klamm_protocol::DecodeError::Null { at: input.position(), field: #name });
            }
            value
        }},
    }
}

/// How a struct that may be null is marked.
fn present_method(tagged: bool) -> Ident {
    format_ident!("{}", if tagged { "is_present_tagged" } else { "is_present" })
}

/// Condition under which an optional field may not be null; `None` when it always may, where it exists.
fn without_null(field: &Field) -> Option<TokenStream> {
    if field.nullable.min <= field.versions.min && field.nullable.max >= field.versions.max {
        return None;
    }
    field.nullable.condition().map(|condition| quote!(!(#condition)))
}

/// An expression of type `Result`.
fn read_value(ty: &Type, name: &str) -> TokenStream {
    match ty {
        Type::Primitive(primitive) => {
            let method = format_ident!("{primitive}");
            quote!(input.#method())
        }
        Type::ErrorCode => quote!(input.i16().map(::klamm_protocol::ErrorCode)),
        Type::Uuid => quote!(input.uuid()),
        Type::String => quote!(input.string(flexible, #name)),
        Type::Bytes => quote!(input.byte_string(flexible, #name)),
        Type::Records => quote!(input.records(flexible, #name)),
        Type::Array(element) => {
            let read = read_value(element, name);
            quote!(input.array(flexible, #name, |input| #read))
        }
        Type::Struct(ty) => quote!(<#ty as ::klamm_protocol::Struct>::decode(input, version, flexible)),
    }
}

fn write_field(field: &Field, tagged: bool) -> TokenStream {
    let (ident, name) = (&field.ident, &field.name);
    if !field.optional {
        return write_value(&field.ty, &quote!(&self.#ident));
    }
    let refuse = without_null(field).map(|never_null| {
        quote! {
            if self.#ident.is_none() && #never_null {
                return Err(::klamm_protocol::EncodeError::Null { field: #name, version });
            }
        }
    });
    let write = match &field.ty {
        Type::String => quote!(out.nullable_string(flexible, self.#ident.as_ref())?;),
        Type::Bytes => quote!(out.nullable_byte_string(flexible, self.#ident.as_ref())?;),
        Type::Records => quote!(out.nullable_records(flexible, self.#ident.as_ref())?;),
        Type::Array(element) => {
            let write = write_value(element, &quote!(element));
            quote! {
                out.length(flexible, self.#ident.as_ref().map(|elements| elements.len()))?;
                for element in self.#ident.iter().flatten() { #write }
            }
        }
        ty => {
            let write = write_value(ty, &quote!(value));
            let present = present_method(tagged);
            let mark = if field.nullable == Versions::ALL {
                quote!(out.#present(self.#ident.is_some());)
            } else {
                let may_be_null = field.nullable.condition();
                quote!(if #may_be_null { out.#present(self.#ident.is_some()); })
            };
            quote! {
                #mark
                if let ::core::option::Option::Some(value) = &self.#ident { #write }
            }
        }
    };
    quote!(#refuse #write)
}

/// Statements that write a value behind a reference.
fn write_value(ty: &Type, value: &TokenStream) -> TokenStream {
    match ty {
        Type::Primitive(primitive) => {
            let method = format_ident!("{primitive}");
            quote!(out.#method(*#value);)
        }
        Type::ErrorCode => quote!(out.i16((#value).0);),
        Type::Uuid => quote!(out.uuid(*#value);),
        Type::String => quote!(out.string(flexible, #value)?;),
        Type::Bytes => quote!(out.byte_string(flexible, #value)?;),
        Type::Records => quote!(out.records(flexible, #value)?;),
        Type::Array(element) => {
            let write = write_value(element, &quote!(element));
            quote! {
                out.length(flexible, ::core::option::Option::Some((#value).len()))?;
                for element in #value { #write }
            }
        }
        Type::Struct(_) => quote!(::klamm_protocol::Struct::encode(#value, out, version, flexible)?;),
    }
}
