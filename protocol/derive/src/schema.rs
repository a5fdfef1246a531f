//! The declaration as data, and the `Message` around a struct.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::declaration::{Declaration, Field, Head, Type};

/// The struct's `StructSchema`: what Kafka knows of it.
pub fn structure(declaration: &Declaration) -> TokenStream {
    let (name, doc) = (declaration.name.to_string(), &declaration.doc);
    let fields = declaration.fields.iter().filter(|f| !f.own).map(field);
    quote! {
        &::klamm_protocol::StructSchema { name: #name, doc: #doc, fields: &[#(#fields),*] }
    }
}

/// `impl Message` on top of `impl Struct`.
pub fn message(declaration: &Declaration, head: &Head) -> TokenStream {
    let name = &declaration.name;
    let text = name.to_string();
    let kind = &head.kind;
    let key = match head.key {
        Some(key) => quote!(::core::option::Option::Some(#key)),
        None => quote!(::core::option::Option::None),
    };
    let (versions, flexible) = (head.versions.tokens(), head.flexible.tokens());
    quote! {
        impl ::klamm_protocol::Message for #name {
            const SCHEMA: &'static ::klamm_protocol::Schema = &::klamm_protocol::Schema {
                kind: ::klamm_protocol::Kind::#kind,
                key: #key,
                versions: #versions,
                flexible: #flexible,
                body: <#name as ::klamm_protocol::Struct>::SCHEMA,
            };

            fn decode(
                input: &mut ::klamm_protocol::Decoder,
                version: i16,
            ) -> ::core::result::Result<Self, ::klamm_protocol::DecodeError> {
                let schema = <#name as ::klamm_protocol::Message>::SCHEMA;
                if !schema.versions.contains(version) {
                    return Err(::klamm_protocol::DecodeError::Version { message: #text, version });
                }
                ::klamm_protocol::Struct::decode(input, version, schema.flexible.contains(version))
            }

            fn encode(
                &self,
                out: &mut ::klamm_protocol::Encoder,
                version: i16,
            ) -> ::core::result::Result<(), ::klamm_protocol::EncodeError> {
                let schema = <#name as ::klamm_protocol::Message>::SCHEMA;
                if !schema.versions.contains(version) {
                    return Err(::klamm_protocol::EncodeError::Version { message: #text, version });
                }
                ::klamm_protocol::Struct::encode(self, out, version, schema.flexible.contains(version))
            }
        }
    }
}

fn field(field: &Field) -> TokenStream {
    let (name, doc, ty) = (&field.name, &field.doc, field_type(&field.ty));
    let (versions, nullable, tagged) = (
        field.versions.tokens(),
        field.nullable.tokens(),
        field.tagged.tokens(),
    );
    let tag = match field.tag {
        Some(tag) => quote!(::core::option::Option::Some(#tag)),
        None => quote!(::core::option::Option::None),
    };
    let default = field.default.as_ref().map(syn::LitStr::value).unwrap_or_default();
    let ignorable = field.ignorable;
    quote! {
        ::klamm_protocol::Field {
            name: #name,
            doc: #doc,
            ty: #ty,
            versions: #versions,
            nullable: #nullable,
            tagged: #tagged,
            tag: #tag,
            default: #default,
            ignorable: #ignorable,
        }
    }
}

fn field_type(ty: &Type) -> TokenStream {
    let variant = match ty {
        Type::Primitive(primitive) => match *primitive {
            "bool" => "Bool",
            "i8" => "Int8",
            "i16" => "Int16",
            "u16" => "Uint16",
            "i32" => "Int32",
            "u32" => "Uint32",
            "i64" => "Int64",
            _ => "Float64",
        },
        Type::ErrorCode => "Int16",
        Type::String => "String",
        Type::Bytes => "Bytes",
        Type::Records => "Records",
        Type::Uuid => "Uuid",
        Type::Array(element) => {
            let element = field_type(element);
            return quote!(::klamm_protocol::Type::Array(&#element));
        }
        Type::Struct(ty) => {
            return quote!(::klamm_protocol::Type::Struct(<#ty as ::klamm_protocol::Struct>::SCHEMA));
        }
    };
    let variant = format_ident!("{variant}");
    quote!(::klamm_protocol::Type::#variant)
}
